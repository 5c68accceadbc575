"""The largest payload that a module's socket takes, with several suites and modes, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_bridge import SendReceipt
from testbed import clock
from testbed.bench import Configuration, validate_bench
from testbed.campaign import Payloads, run_bench
from testbed.clock import TimeKind
from testbed.errors import UsageError
from testbed.packets import build_udp_packet, parse_udp_packet
from testbed.results import JournalReader, MessageRecord, Outcome, RunDirectory, start_manifest
from testbed.traffic import Message
from testbed.ue.session import UeSession

LIMIT = 200
INNER = 28
"""IPv4 and UDP header of the device's packet."""

# Octets of payload in a socket that takes 200: worked out by hand, SPI to ICV. GCM: 8 + 8 + 16
# leave 168, all of it whole blocks of 4, less 2 of the trailer and what stands inside. CBC with
# SHA2-256: 8 + 16 + 16 leave 160, whole blocks of 16.
LARGEST = {
    "none": LIMIT,
    "esp-transport": 168 - 2 - 8,
    "esp-tunnel": 168 - 2 - INNER,
    "esp-tunnel/aes-ccm-8-128": 176 - 2 - INNER,
    "esp-tunnel/aes-gcm-16-iiv-128": 176 - 2 - INNER,
    "esp-transport/aes-cbc-128+hmac-sha2-256-128": 160 - 2 - 8,
    "esp-tunnel/aes-cbc-128+hmac-sha2-256-128": 160 - 2 - INNER,
}


def run(
    folder: Path, name: str, payload_bytes: int, count: int = 1, **given: object
) -> list[MessageRecord]:
    messages = []
    for index in range(count):
        payload = (index.to_bytes(2, "big") * payload_bytes)[:payload_bytes]
        packet = build_udp_packet("10.0.0.1", "10.0.0.9", 40000, 5683, payload)
        messages.append(Message.of(index, 0.0, parse_udp_packet(packet)))
    directory = RunDirectory.create(folder)
    directory.write_manifest(
        start_manifest(
            directory.name, config={}, seed=1, time_kind=TimeKind.SCALED, time_scale=200.0
        )
    )
    bench = validate_bench({"matrix": [name], "module": {"max_payload": LIMIT}} | given)
    clock.run(
        lambda: run_bench(bench, Payloads.of(bench, messages, "messages"), directory),
        time_scale=200.0,
    )
    found = JournalReader(directory.journal_path).typed()
    return [one for one in found if isinstance(one, MessageRecord)]


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_payload_passes_and_one_octet_more_is_refused_with_the_figure(
    tmp_path: Path, name: str
) -> None:
    assert Configuration.parse(name).name == name
    largest = LARGEST[name]
    (message,) = run(tmp_path / "fits", name, largest)
    assert message.latency_s is not None
    assert message.uplink_bytes is not None
    assert message.uplink_bytes.total <= LIMIT + 28
    with pytest.raises(UsageError, match=f"takes {LIMIT}") as caught:
        run(tmp_path / "above", name, largest + 1)
    assert f"At most {largest} octets of payload fit here" in (caught.value.hint or "")


SEGMENTED = "rohc+esp-tunnel"
BEFORE_SEGMENT = 168 - 2 - 1
"""Octets of a reconstructed unit in an ESP packet of 200: GCM as above, less the type octet."""


@pytest.mark.parametrize("integrity", [None, "hmac-sha2-256-128"])
def test_with_mrru_a_message_above_the_sockets_limit_goes_in_segments_and_without_it_is_refused(
    tmp_path: Path, integrity: str | None
) -> None:
    rohc = {"integrity": integrity}
    with pytest.raises(UsageError, match=f"takes {LIMIT}") as caught:
        run(tmp_path / "off", SEGMENTED, 500, rohc=rohc)
    assert "octets of payload fit here" in (caught.value.hint or "")
    assert "rohc: {mrru: N}" in (caught.value.hint or "")
    messages = run(tmp_path / "on", SEGMENTED, 500, 6, rohc=rohc | {"mrru": 600})
    icv = 16 if integrity else 0
    assert [one.outcome for one in messages] == [Outcome.ANSWERED] * 6
    for one in messages:
        for found in (one.uplink_bytes, one.downlink_bytes):
            # That these layers sum to the packets in the capture, each run asks of each message.
            assert found is not None
            assert (found.payload, found.rohc_icv) == (500, icv)
            packets = found.esp_header // 8
            header = found.rohc_header - packets - 4
            assert packets == -(-(header + 500 + icv + 4) // BEFORE_SEGMENT)
            assert found.outer_ip + found.outer_udp == 28 * packets
    assert messages[-1].uplink_packet == "UO-0"
    with pytest.raises(UsageError, match=f"takes {LIMIT}"):
        run(tmp_path / "beyond", SEGMENTED, 600, rohc=rohc | {"mrru": 600})


def test_a_lost_segment_loses_its_message_and_the_octets_still_agree(tmp_path: Path) -> None:
    module = {"max_payload": LIMIT, "virtual": {"network": {"core_loss": 0.1}}}
    messages = run(
        tmp_path / "lossy",
        SEGMENTED,
        400,
        20,
        module=module,
        rohc={"mrru": 600},
        answer_timeout_s=40,
    )
    outcomes = [one.outcome for one in messages]
    assert set(outcomes) == {Outcome.ANSWERED, Outcome.LOST}
    assert outcomes.count(Outcome.ANSWERED) >= 5


def test_the_network_hears_of_an_end_with_the_last_segment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    send = UeSession.send

    async def listening(session: UeSession, data: bytes, *, more: bool = False) -> SendReceipt:
        told.append(more)
        return await send(session, data, more=more)

    monkeypatch.setattr(UeSession, "send", listening)
    (message,) = run(tmp_path / "one", SEGMENTED, 500, rohc={"mrru": 600})
    assert message.uplink_bytes is not None
    # The first is the key exchange's.
    assert told == [False, True, True, True, False]
