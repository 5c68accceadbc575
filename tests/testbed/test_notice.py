"""The HSE's notice that it knows no such association."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import esp
from testbed.notice import SMALLEST_CAUSE_BYTES, UnknownAssociation

NOTICE = UnknownAssociation(spi=0xC0FFEE01, sequence=7)
OCTETS = bytes.fromhex("00000000 1e c0ffee01 00000007")


def test_it_has_thirteen_octets_behind_the_non_esp_marker() -> None:
    assert NOTICE.encode() == OCTETS
    assert UnknownAssociation.decode(OCTETS) == NOTICE


def test_it_is_smaller_than_any_packet_that_causes_one() -> None:
    smallest = min(row.minimum_packet_bytes for row in esp.SUITES.values())
    assert len(OCTETS) < SMALLEST_CAUSE_BYTES <= smallest


def test_it_names_the_packet_that_found_nothing() -> None:
    packet = NOTICE.encode()[5:] + bytes(40)
    assert UnknownAssociation.about(packet) == NOTICE
    assert UnknownAssociation.about(packet[: SMALLEST_CAUSE_BYTES - 1]) is None


@pytest.mark.parametrize(
    "data", [b"", b"\xff", OCTETS[:-1], OCTETS + b"\0", OCTETS[:4] + b"\x1f" + OCTETS[5:]]
)
def test_anything_else_is_none(data: bytes) -> None:
    assert UnknownAssociation.decode(data) is None


@given(st.binary(max_size=40))
def test_no_datagram_raises(data: bytes) -> None:
    found = UnknownAssociation.decode(data)
    assert found is None or found.encode() == data
