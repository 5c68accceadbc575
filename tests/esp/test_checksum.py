"""The Internet checksum, and its repair in transport mode behind a NAT (RFC 3948 3.1.2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp.checksum import (
    adjust_checksum,
    clear_udp_checksum,
    internet_checksum,
    recompute_checksum,
    transport_checksum,
)
from esp.errors import InvalidParameter, MalformedInner

ADDRESSES = st.binary(min_size=4, max_size=4)
ADDRESSES6 = st.binary(min_size=16, max_size=16)


def by_the_book(data: bytes) -> int:
    """RFC 1071's own words: add 16-bit words, fold the carries, complement."""
    total = 0
    for at in range(0, len(data) - 1, 2):
        total += data[at] << 8 | data[at + 1]
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@settings(deadline=None)
@given(data=st.binary(max_size=100))
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    assert internet_checksum(data) == by_the_book(data)


def test_the_checksum_of_rfc_1071_section_3() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@settings(deadline=None)
@given(data=st.binary(max_size=100), initial=st.integers(0, 0xFFFFFF))
def test_a_sum_goes_on_from_an_initial_value(data: bytes, initial: int) -> None:
    padded = data + b"\0" * (len(data) & 1) + initial.to_bytes(4, "big")
    assert internet_checksum(data, initial) == by_the_book(padded)


def test_the_checksum_of_a_published_ipv4_header_comes_out() -> None:
    header = bytes.fromhex("45000054a6f200004001" + "0000" + "c6336405c0000205")
    assert internet_checksum(header) == 0xE778  # the inner header of RFC 7634 Appendix A


@pytest.mark.parametrize("data", [b"", b"\0", bytes(20)])
def test_zeros_sum_to_zero(data: bytes) -> None:
    assert internet_checksum(data) == 0xFFFF


@pytest.mark.parametrize("data", [b"\xff\xff", b"\xff\xff\0\0", b"\xff\0\0\xff"])
def test_zero_and_all_ones_are_told_apart_as_the_carry_would(data: bytes) -> None:
    assert internet_checksum(data) == by_the_book(data)


def udp(payload: bytes, checksum: int = 0) -> bytes:
    size = 8 + len(payload)
    return b"\x16\x33\x16\x33" + size.to_bytes(2, "big") + checksum.to_bytes(2, "big") + payload


def tcp(payload: bytes) -> bytes:
    return bytes.fromhex("04d20050000000010000000250101000") + bytes(4) + payload


def verifies(source: bytes, destination: bytes, protocol: int, segment: bytes) -> bool:
    pseudo = source + destination + len(segment).to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    return by_the_book(pseudo + segment) == 0


@pytest.mark.parametrize("protocol", [6, 17])
@settings(deadline=None)
@given(data=st.data())
def test_a_recomputed_checksum_verifies(protocol: int, data: st.DataObject) -> None:
    addresses = data.draw(st.sampled_from([ADDRESSES, ADDRESSES6]))
    source, destination = data.draw(addresses), data.draw(addresses)
    payload = data.draw(st.binary(max_size=40))
    segment = udp(payload, 0x1234) if protocol == 17 else tcp(payload)
    result = recompute_checksum(protocol, segment, source, destination)
    assert verifies(source, destination, protocol, result)
    assert len(result) == len(segment)


@pytest.mark.parametrize("protocol", [6, 17])
@settings(deadline=None)
@given(
    real=st.tuples(ADDRESSES, ADDRESSES),
    received=st.tuples(ADDRESSES, ADDRESSES),
    payload=st.binary(max_size=40),
)
def test_an_adjusted_checksum_equals_a_recomputed_one(
    protocol: int, real: tuple[bytes, bytes], received: tuple[bytes, bytes], payload: bytes
) -> None:
    segment = udp(payload) if protocol == 17 else tcp(payload)
    sent = recompute_checksum(protocol, segment, *real)
    adjusted = adjust_checksum(
        protocol,
        sent,
        real_source=real[0],
        real_destination=real[1],
        received_source=received[0],
        received_destination=received[1],
    )
    assert adjusted == recompute_checksum(protocol, segment, *received)


def test_adjusting_keeps_a_damaged_segment_damaged() -> None:
    """Recomputing would hide it; that is why the ICV must have covered the segment."""
    real, received = (b"\x0a\0\0\1", b"\x0a\0\0\2"), (b"\xc0\0\2\1", b"\x0a\0\0\2")
    sent = bytearray(recompute_checksum(17, udp(b"data"), *real))
    sent[-1] ^= 1
    adjusted = adjust_checksum(
        17,
        bytes(sent),
        real_source=real[0],
        real_destination=real[1],
        received_source=received[0],
        received_destination=received[1],
    )
    assert not verifies(*received, 17, adjusted)


def test_no_udp_checksum_stays_no_udp_checksum() -> None:
    segment = udp(b"data")
    same = adjust_checksum(
        17,
        segment,
        real_source=b"\1\2\3\4",
        real_destination=b"\1\2\3\4",
        received_source=b"\5\6\7\x08",
        received_destination=b"\1\2\3\4",
    )
    assert same == segment


def test_a_udp_checksum_that_sums_to_zero_is_sent_as_all_ones() -> None:
    segment = udp(b"\0\0")
    needed = transport_checksum(b"\0\0\0\0", b"\0\0\0\0", 17, segment)
    segment = udp(needed.to_bytes(2, "big"))
    assert transport_checksum(b"\0\0\0\0", b"\0\0\0\0", 17, segment) == 0xFFFF
    assert transport_checksum(b"\0\0\0\0", b"\0\0\0\0", 58, b"\xff" * 2) != 0xFFFF


def test_a_cleared_checksum_is_zero_and_nothing_else_changes() -> None:
    assert clear_udp_checksum(udp(b"data", 0xABCD)) == udp(b"data")


@pytest.mark.parametrize(("protocol", "size"), [(17, 0), (17, 7), (6, 19)])
def test_a_cut_header_is_refused(protocol: int, size: int) -> None:
    with pytest.raises(MalformedInner):
        recompute_checksum(protocol, bytes(size), b"\0\0\0\0", b"\0\0\0\0")


def test_other_protocols_and_mixed_addresses_are_refused() -> None:
    with pytest.raises(InvalidParameter):
        recompute_checksum(1, bytes(40), b"\0\0\0\0", b"\0\0\0\0")
    with pytest.raises(InvalidParameter):
        transport_checksum(bytes(4), bytes(16), 17, bytes(8))
