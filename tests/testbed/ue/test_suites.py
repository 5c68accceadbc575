"""Every suite through UE and HSE: its bytes by layer, and the largest payload that fits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import esp
from esp.suites import RFC8221_POLICY
from testbed.bench import Configuration
from testbed.hse import EchoApplication, Gateway, HsePort
from testbed.packets import build_udp_packet
from tests.testbed.conftest import SECRET, UE_ADDRESS, Device, initiator, make_device

ARITHMETIC = Path(__file__).parents[2] / "data" / "esp" / "esp_overhead_arithmetic.json"
ROWS: list[dict[str, int | str]] = json.loads(ARITHMETIC.read_text(encoding="utf-8"))["rows"]
MODES = ["esp-transport", "esp-tunnel", "rohc+esp-tunnel"]
IPV4, IPV6 = ("10.1.0.1", "10.1.0.2"), ("2001:db8::1", "2001:db8::2")

SUITE_OF = {
    "AES-GCM-16": "aes-gcm-16-128",
    "AES-GCM-16 IIV": "aes-gcm-16-iiv-128",
    "AES-CCM-8": "aes-ccm-8-128",
    "AES-CCM-8 IIV": "aes-ccm-8-iiv-128",
    "ChaCha20-Poly1305": "chacha20-poly1305",
    "AES-CBC+HMAC-SHA2-256-128": "aes-cbc-128+hmac-sha2-256-128",
    "NULL+HMAC-SHA2-256-128": "null+hmac-sha2-256-128",
    "NULL AES-GMAC": "aes-gmac-128",
}


class Lab:
    """A gateway and a UE without anything between them."""

    def __init__(self, name: str, **options: object) -> None:
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            application=EchoApplication(),
            **options,  # type: ignore[arg-type]
        )
        self.device: Device = make_device(name, self.one)

    def one(self, port: HsePort, data: bytes) -> bytes:
        (reply,) = self.gateway.receive(port, data, UE_ADDRESS, 0.0)
        return reply.data


def packet(size: int, ends: tuple[str, str] = IPV4) -> bytes:
    return build_udp_packet(*ends, 40000, 5683, bytes(size))


@pytest.mark.parametrize("suite", esp.SUITES)
@pytest.mark.parametrize("mode", MODES)
def test_the_layers_of_every_suite_are_what_its_row_says_both_ways(mode: str, suite: str) -> None:
    lab, row = Lab(f"{mode}/{suite}"), esp.suite(suite)
    for size in (0, 1, 2, 13, 14, 15, 16, 17, 200):
        unit = lab.device.stack.down(packet(size, IPV6), 0.0)
        answer = lab.one(HsePort.ESP, unit.data)
        back = lab.device.stack.up(answer, 0.0)
        assert back.data == bytes(size)
        for layers, wire in ((unit.layer_bytes, unit.data), (back.layer_bytes, answer)):
            layers.check_total(28 + len(wire))
            assert (layers.esp_header, layers.esp_iv) == (8, row.iv_bytes)
            assert (layers.esp_trailer, layers.esp_icv) == (2, row.icv_bytes)
            inner = layers.inner_header + layers.application
            assert layers.esp_padding == row.padding_bytes(inner)
            assert (inner + layers.esp_padding + 2) % row.block_bytes == 0
            assert layers.application == size


def test_the_arithmetic_has_every_transform_at_every_size() -> None:
    assert {row["transform"] for row in ROWS} == set(SUITE_OF)
    assert len(ROWS) == len(SUITE_OF) * len({row["app"] for row in ROWS})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['transform']}-{row['app']}")
def test_packets_are_as_large_as_the_arithmetic_says(row: dict[str, int | str]) -> None:
    suite, size = SUITE_OF[str(row["transform"])], int(row["app"])
    tunnel = Lab(f"esp-tunnel/{suite}").device.stack.down(packet(size), 0.0).layer_bytes
    transport = Lab(f"esp-transport/{suite}").device.stack.down(packet(size), 0.0).layer_bytes
    plain = Lab("none").device.stack.down(packet(size), 0.0).layer_bytes
    assert plain.total == row["plain_ipv4_udp"]
    assert tunnel.total == row["udp_encap_tunnel_total"]
    assert tunnel.total - tunnel.outer_udp == row["tunnel_total"]
    assert transport.total - transport.outer_udp == row["transport_total"]
    assert tunnel.total - 8 - plain.total == row["tunnel_overhead_vs_plain"]


@pytest.mark.parametrize(
    "suite",
    [
        "aes-gcm-16-128",
        "aes-gcm-16-iiv-256",
        "aes-ccm-8-128",
        "chacha20-poly1305",
        "aes-gmac-256",
        "aes-cbc-256+hmac-sha2-512-256",
        "aes-ctr-128+aes-xcbc-96",
        "null+hmac-sha1-96",
    ],
)
@pytest.mark.parametrize("ends", [IPV4, IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limit", [512, 1358])
def test_the_largest_payload_fits_and_one_octet_more_does_not(
    mode: str, suite: str, ends: tuple[str, str], limit: int
) -> None:
    stack = Lab(f"{mode}/{suite}").device.stack
    for _ in range(8):  # into ROHC's steady state, where the header has its lasting size
        unit = stack.down(packet(1400, ends), 0.0)
    largest = stack.largest_payload(unit, limit)
    fits = len(stack.down(packet(largest, ends), 0.0).data)
    above = len(stack.down(packet(largest + 1, ends), 0.0).data)
    assert fits <= limit < above
    assert limit - fits < esp.suite(suite).block_bytes


@pytest.mark.parametrize("name", ["none", "rohc"])
def test_the_largest_payload_without_security_is_what_the_headers_leave(name: str) -> None:
    stack = Lab(name).device.stack
    for _ in range(8):
        unit = stack.down(packet(600), 0.0)
    largest = stack.largest_payload(unit, 512)
    assert len(stack.down(packet(largest), 0.0).data) == 512


def test_nothing_fits_where_not_even_the_headers_do() -> None:
    stack = Lab("esp-tunnel").device.stack
    assert stack.largest_payload(stack.down(packet(10), 0.0), 40) == 0


def test_an_hse_refuses_a_suite_that_its_policy_forbids() -> None:
    lab = Lab("esp-tunnel", policy=RFC8221_POLICY)
    one = initiator(Configuration.parse("esp-tunnel/null+aes-cmac-96"))
    notice = lab.one(HsePort.ESP, esp.add_marker(one.request()))
    with pytest.raises(esp.RemoteError):
        one.response(esp.remove_marker(notice))
    assert one.refusal == esp.Reason.OFFER_REFUSED
    assert dict(lab.gateway.snapshot().rejected) == {("esp", "offer-refused"): 1}
