"""Inbound SAs by SPI."""

from __future__ import annotations

import random

import pytest

from esp import InboundAssociation, OutboundAssociation, SecurityAssociationDatabase, suite
from esp.errors import (
    InvalidParameter,
    LocalError,
    PacketRejected,
    Reason,
    Replayed,
    ReservedSpi,
    Truncated,
    UnknownSpi,
)

GCM = suite("aes-gcm-16-128")
PACKET = b"\x45\0\0\x1c".ljust(28, b"\1")


def inbound(spi: int) -> InboundAssociation:
    return InboundAssociation(spi, GCM, spi.to_bytes(16, "big"), b"salt")


def outbound(spi: int) -> OutboundAssociation:
    return OutboundAssociation(spi, GCM, spi.to_bytes(16, "big"), b"salt")


def filled(count: int = 3) -> SecurityAssociationDatabase[str]:
    database: SecurityAssociationDatabase[str] = SecurityAssociationDatabase()
    for number in range(count):
        database.add(inbound(1000 + number), f"owner {number}")
    return database


def test_a_packet_finds_its_association_and_its_owner() -> None:
    database = filled()
    for number in range(3):
        entry, opened = database.unprotect(outbound(1000 + number).protect(PACKET, 4))
        assert entry.owner == f"owner {number}"
        assert entry.association.spi == 1000 + number
        assert opened.payload == PACKET


@pytest.mark.parametrize(
    ("packet", "error", "reason"),
    [
        (b"", Truncated, Reason.TRUNCATED),
        (b"\0\0\3", Truncated, Reason.TRUNCATED),
        (b"\1\2\3\4\0\0\0", Truncated, Reason.TRUNCATED),
        (b"\0\0\0\0" + bytes(40), ReservedSpi, Reason.RESERVED_SPI),
        (b"\0\0\0\xff" + bytes(40), ReservedSpi, Reason.RESERVED_SPI),
        (b"\0\0\1\0" + bytes(40), UnknownSpi, Reason.UNKNOWN_SPI),
        ((1000).to_bytes(4, "big") + bytes(2), Truncated, Reason.TRUNCATED),
    ],
)
def test_packets_that_find_nothing_are_refused_with_a_reason(
    packet: bytes, error: type[PacketRejected], reason: Reason
) -> None:
    with pytest.raises(error) as caught:
        filled().unprotect(packet)
    assert caught.value.reason is reason


def test_the_window_of_each_association_is_its_own() -> None:
    database = filled()
    first, second = outbound(1000).protect(PACKET, 4), outbound(1001).protect(PACKET, 4)
    database.unprotect(first)
    database.unprotect(second)
    with pytest.raises(Replayed):
        database.unprotect(first)


def test_an_spi_is_given_away_once_and_free_again_after_removal() -> None:
    database = filled()
    with pytest.raises(InvalidParameter):
        database.add(inbound(1000), "another")
    assert 1000 in database
    assert database.remove(1000)
    assert not database.remove(1000)
    assert 1000 not in database
    assert database.get(1000) is None
    with pytest.raises(UnknownSpi):
        database.unprotect(outbound(1000).protect(PACKET, 4))
    assert database.add(inbound(1000), "another").owner == "another"
    found = database.get(1000)
    assert found is not None
    assert found.owner == "another"


def test_it_counts_and_lists_its_entries_while_they_are_removed() -> None:
    database = filled(5)
    assert len(database) == 5
    for entry in database:
        database.remove(entry.association.spi)
    assert len(database) == 0
    assert list(database) == []


@pytest.mark.parametrize("spi", [-1, 1 << 32])
def test_an_impossible_spi_is_not_in_it(spi: int) -> None:
    assert spi not in filled()


def test_allocated_spis_are_free_and_never_reserved() -> None:
    answers = iter([b"\0\0\0\7", (1001).to_bytes(4, "big"), b"\0\0\0\xff", b"\x80\0\0\1"])
    database: SecurityAssociationDatabase[None] = SecurityAssociationDatabase(
        random=lambda size: next(answers)
    )
    database.add(inbound(1001), None)
    assert database.allocate_spi() == 0x8000_0001


def test_many_allocations_do_not_collide() -> None:
    source = random.Random(1)
    database: SecurityAssociationDatabase[None] = SecurityAssociationDatabase(source.randbytes)
    for _ in range(300):
        database.add(inbound(database.allocate_spi()), None)
    assert len(database) == 300


def test_a_stuck_random_source_is_a_local_error() -> None:
    database: SecurityAssociationDatabase[None] = SecurityAssociationDatabase(random=bytes)
    with pytest.raises(LocalError):
        database.allocate_spi()
