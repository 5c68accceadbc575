"""A whole run's journal, explained octet by octet from its capture and key table alone."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from testbed.analysis.bytes import LayerBytes
from testbed.packets import InnerPacket, parse_udp_packet
from testbed.results import CaptureReader, Journal, RunDirectory
from testbed.results.capture import HELLO
from testbed.traffic import Traffic, capture_traffic

SAMPLE = Path(__file__).parents[2] / "data" / "traffic" / "thermostat.pcapng"
CONFIGURATIONS = ("none", "rohc", "esp-transport", "esp-tunnel", "rohc+esp-tunnel")
MESSAGES = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    runs = tmp_path_factory.mktemp("runs")
    wanted = [word for name in CONFIGURATIONS for word in ("-c", name)]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from testbed.cli import main; main()",
            "run",
            *wanted,
            *("--traffic", str(SAMPLE), "--messages", str(MESSAGES), "--runs", str(runs)),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return RunDirectory.latest(runs)


@pytest.fixture(scope="module")
def journal(run: RunDirectory) -> Journal:
    return run.read_journal()


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return capture_traffic(SAMPLE, limit=MESSAGES)


def keys(run: RunDirectory) -> dict[bytes, tuple[bytes, bytes]]:
    """Key and salt by SPI, as Wireshark would take them from its table."""
    with run.esp_sa_path.open() as file:
        rows = [row for row in csv.reader(file) if not row[0].startswith("#")]
    table = {}
    for row in rows:
        material = bytes.fromhex(row[5].removeprefix("0x"))
        table[bytes.fromhex(row[3].removeprefix("0x"))] = (material[:16], material[16:])
    return table


def on_the_wire(run: RunDirectory, *, uplink: bool) -> Iterator[InnerPacket]:
    """The datagrams of messages at the UE's side, without those of the key agreement."""
    for captured in CaptureReader(run.capture_path):
        if captured.interface.name == "ue" and HELLO not in captured.comments:
            packet = parse_udp_packet(captured.data)
            if (packet.source_text != "127.0.0.1") is uplink:
                yield packet


def explained(
    packet: InnerPacket, configuration: str, payload: bytes, table: dict[bytes, tuple[bytes, bytes]]
) -> tuple[LayerBytes, bytes | None]:
    """The layers of a packet, found in its octets; and (SPI, IV) joined, where there is ESP."""
    coap, marker, application = payload.partition(b"\xff")  # RFC 7252 section 3
    outer = {
        "outer_ip": packet.ip_header_bytes,
        "outer_udp": 8,
        "coap": len(coap + marker),
        "application": len(application),
    }
    octets = packet.payload
    if "esp" not in configuration:
        assert octets.endswith(payload)
        return LayerBytes(**outer, rohc_header=len(octets) - len(payload)), None
    spi, header, iv, sealed = octets[:4], octets[:8], octets[8:16], octets[16:]
    key, salt = table[spi]
    plain = AESGCM(key).decrypt(salt + iv, sealed, header)  # RFC 4106 sections 4 and 5
    pad, next_header = plain[-2], plain[-1]
    inside = plain[: len(plain) - 2 - pad]
    assert plain[len(inside) : -2] == bytes(range(1, pad + 1))  # RFC 4303 section 2.4
    assert inside.endswith(payload)
    headers = len(inside) - len(payload)
    inner = {
        ("esp-transport", 17): {"inner_udp": 8},
        ("esp-tunnel", 41): {"inner_ip": 40, "inner_udp": 8},
        ("rohc+esp-tunnel", 142): {"rohc_header": headers},
    }[configuration, next_header]
    assert sum(inner.values()) == headers
    layers = LayerBytes(
        **outer,
        **inner,
        esp_header=8,
        esp_iv=8,
        esp_padding=pad,
        esp_trailer=2,
        esp_icv=len(sealed) - len(plain),
    )
    return layers, spi + iv


def test_the_run_holds_every_message_of_every_configuration(journal: Journal) -> None:
    assert [record.configuration for record in journal.messages] == [
        name for name in CONFIGURATIONS for _ in range(MESSAGES)
    ]
    assert {record.outcome for record in journal.messages} == {"answered"}
    assert journal.end is not None
    assert journal.end.status == "complete"


@pytest.mark.parametrize("uplink", [True, False], ids=["uplink", "downlink"])
def test_the_journals_layers_are_found_in_the_capture_octet_for_octet(
    run: RunDirectory, journal: Journal, traffic: Traffic, uplink: bool
) -> None:
    table = keys(run)
    packets = list(on_the_wire(run, uplink=uplink))
    assert len(packets) == len(journal.messages)
    ivs: list[bytes] = []
    for record, packet in zip(journal.messages, packets, strict=True):
        payload = traffic.messages[record.index].payload
        layers, iv = explained(packet, record.configuration, payload, table)
        assert layers == (record.uplink_bytes if uplink else record.downlink_bytes)
        assert layers.total == len(packet.raw)
        if iv is not None:
            ivs.append(iv)
    assert len(ivs) == 3 * MESSAGES
    assert len(set(ivs)) == len(ivs)


def test_both_sides_captured_the_same_datagrams(run: RunDirectory) -> None:
    sides: dict[str, list[bytes]] = {"ue": [], "hse": []}
    for captured in CaptureReader(run.capture_path):
        sides[captured.interface.name].append(parse_udp_packet(captured.data).payload)
    assert sides["ue"] == sides["hse"]


def test_the_bytes_of_each_key_agreement_are_those_of_the_capture(
    run: RunDirectory, journal: Journal
) -> None:
    up: list[int] = []
    down: list[int] = []
    for captured in CaptureReader(run.capture_path):
        if captured.interface.name == "ue" and HELLO in captured.comments:
            from_module = parse_udp_packet(captured.data).source_text != "127.0.0.1"
            (up if from_module else down).append(len(captured.data))
    assert [session.bytes_up for session in journal.sessions] == up
    assert [session.bytes_down for session in journal.sessions] == down
    assert len(journal.sessions) == 3


def test_no_key_stands_anywhere_but_in_the_key_table(run: RunDirectory) -> None:
    table = keys(run)
    assert len(table) == 6
    for path in (one for one in run.path.rglob("*") if one.is_file()):
        if path == run.esp_sa_path:
            continue
        content = path.read_bytes()
        for key, salt in table.values():
            assert key not in content
            assert key.hex().encode() not in content.lower()
            assert (key + salt).hex().encode() not in content.lower()
