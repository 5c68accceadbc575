"""The largest payload that a module's socket takes, with several suites and modes, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed import clock
from testbed.bench import Configuration, validate_bench
from testbed.campaign import Payloads, run_bench
from testbed.clock import TimeKind
from testbed.errors import UsageError
from testbed.packets import build_udp_packet, parse_udp_packet
from testbed.results import JournalReader, MessageRecord, RunDirectory, start_manifest
from testbed.traffic import Message

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


def run(folder: Path, name: str, payload_bytes: int) -> list[MessageRecord]:
    packet = build_udp_packet("10.0.0.1", "10.0.0.9", 40000, 5683, bytes(payload_bytes))
    message = Message.of(0, 0.0, parse_udp_packet(packet))
    directory = RunDirectory.create(folder)
    directory.write_manifest(
        start_manifest(
            directory.name, config={}, seed=1, time_kind=TimeKind.SCALED, time_scale=200.0
        )
    )
    bench = validate_bench({"matrix": [name], "module": {"max_payload": LIMIT}})
    clock.run(
        lambda: run_bench(bench, Payloads.of(bench, [message], "one message"), directory),
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
