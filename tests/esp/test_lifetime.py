"""Lifetimes, reservation of numbers, padding against traffic analysis, and resynchronisation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import (
    NEXT_HEADER_IPV4,
    NEXT_HEADER_ROHC,
    NEXT_HEADER_UDP,
    InboundAssociation,
    Lifetime,
    LifetimeState,
    Mode,
    OutboundAssociation,
    suite,
)
from esp.errors import (
    AssociationEnded,
    BadIcv,
    Expired,
    InvalidParameter,
    LocalError,
    MalformedInner,
    OutsideWindow,
    PayloadTooLarge,
    Reason,
    SequenceExhausted,
)

GCM = suite("aes-gcm-16-128")
CBC = suite("aes-cbc-128+hmac-sha2-256-128")
PACKET = b"\x45\0\0\x1c".ljust(28, b"\1")
DATAGRAM = b"\x16\x33\x16\x33\0\x0c\0\0data"


def sender(mode: Mode = Mode.TRANSPORT, **options: Any) -> OutboundAssociation:
    return OutboundAssociation(1000, GCM, bytes(16), bytes(4), mode, **options)


def receiver(mode: Mode = Mode.TRANSPORT, **options: Any) -> InboundAssociation:
    return InboundAssociation(1000, GCM, bytes(16), bytes(4), mode, **options)


# --- lifetimes ----------------------------------------------------------------------------------


def test_without_a_lifetime_an_association_stays_current() -> None:
    assert sender().lifetime_state(1e9) is LifetimeState.CURRENT
    assert receiver().lifetime_state(1e9) is LifetimeState.CURRENT


def test_soft_and_hard_lifetimes_in_packets_are_reached_on_both_sides() -> None:
    lifetime = Lifetime(soft_packets=2, hard_packets=4)
    outbound, inbound = sender(lifetime=lifetime), receiver(lifetime=lifetime)
    states = []
    for _ in range(4):
        inbound.unprotect(outbound.protect(b"x", 17))
        states.append((outbound.lifetime_state(), inbound.lifetime_state()))
    assert [one.value for one, _ in states] == ["current", "soft", "soft", "hard"]
    assert all(one is other for one, other in states)
    with pytest.raises(AssociationEnded) as caught:
        outbound.protect(b"x", 17)
    assert "new security association" in caught.value.hint
    late = sender(sequence=4).protect(b"x", 17)
    with pytest.raises(Expired) as refused:
        inbound.unprotect(late)
    assert refused.value.reason is Reason.EXPIRED


def test_the_late_packet_passes_when_there_is_no_lifetime() -> None:
    inbound = receiver(sequence=4)
    assert inbound.unprotect(sender(sequence=4).protect(b"x", 17)).payload == b"x"


def test_a_packet_that_would_exceed_the_hard_lifetime_in_octets_is_not_made() -> None:
    outbound = sender(lifetime=Lifetime(soft_bytes=50, hard_bytes=100))
    outbound.protect(bytes(60), 17)
    assert outbound.lifetime_state() is LifetimeState.SOFT
    with pytest.raises(AssociationEnded):
        outbound.protect(bytes(41), 17)
    assert outbound.sequence == 1
    outbound.protect(bytes(40), 17)
    assert outbound.lifetime_state() is LifetimeState.HARD
    assert outbound.payload_bytes == 100


def test_octets_received_count_too() -> None:
    outbound, inbound = sender(), receiver(lifetime=Lifetime(hard_bytes=100))
    for _ in range(2):
        inbound.unprotect(outbound.protect(bytes(50), 17))
    assert (inbound.packets, inbound.payload_bytes) == (2, 100)
    with pytest.raises(Expired):
        inbound.unprotect(outbound.protect(b"", 17))


def test_forged_packets_do_not_wear_an_association_out() -> None:
    outbound, inbound = sender(), receiver(lifetime=Lifetime(hard_packets=2, hard_bytes=100))
    packet = outbound.protect(bytes(50), 17)
    for _ in range(10):
        with pytest.raises(BadIcv):
            inbound.unprotect(packet[:-1] + bytes((packet[-1] ^ 1,)))
    assert inbound.unprotect(packet).sequence == 1


def test_seconds_are_judged_by_who_has_a_clock() -> None:
    lifetime = Lifetime(soft_s=60.0, hard_s=90.0)
    outbound, inbound = sender(lifetime=lifetime), receiver(lifetime=lifetime)
    for association in (outbound, inbound):
        assert association.lifetime_state(59.9) is LifetimeState.CURRENT
        assert association.lifetime_state(60.0) is LifetimeState.SOFT
        assert association.lifetime_state(90.0) is LifetimeState.HARD
    assert lifetime.deadlines_s() == (60.0, 90.0)
    assert Lifetime(soft_packets=1).deadlines_s() == ()


def test_an_ended_association_sends_and_takes_nothing() -> None:
    outbound, inbound = sender(), receiver()
    packet = outbound.protect(b"x", 17)
    outbound.end()
    inbound.end()
    assert outbound.lifetime_state() is inbound.lifetime_state() is LifetimeState.HARD
    with pytest.raises(AssociationEnded):
        outbound.protect(b"x", 17)
    with pytest.raises(Expired):
        inbound.unprotect(packet)
    assert outbound.sequence == 1


@pytest.mark.parametrize(
    "limits",
    [
        {"soft_bytes": 2, "hard_bytes": 1},
        {"soft_packets": 2, "hard_packets": 1},
        {"soft_s": 2.0, "hard_s": 1.0},
        {"hard_bytes": 0},
        {"soft_packets": -1},
        {"hard_s": 0.0},
    ],
)
def test_impossible_lifetimes_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        Lifetime(**limits)


# --- numbers reserved ahead -------------------------------------------------------------------


class Ledger:
    """Durable storage of the highest number that may have been used."""

    def __init__(self, ahead: int = 10) -> None:
        self.reserved = 0
        self.ahead = ahead
        self.calls = 0

    def reserve(self, sequence: int) -> int:
        self.calls += 1
        self.reserved = max(self.reserved, sequence + self.ahead - 1)
        return self.reserved


def test_no_number_is_used_before_it_is_reserved() -> None:
    ledger = Ledger()
    outbound = sender(reserve=ledger.reserve)
    assert ledger.calls == 0
    for used in range(1, 36):
        outbound.protect(b"x", 17)
        assert outbound.sequence == used <= ledger.reserved
    assert ledger.calls == 4


def test_when_the_reservation_fails_the_number_is_not_used() -> None:
    def broken(sequence: int) -> int:
        raise OSError("disk full")

    outbound = sender(reserve=broken)
    with pytest.raises(OSError, match="disk full"):
        outbound.protect(b"x", 17)
    assert outbound.sequence == 0


def test_a_reservation_of_too_little_is_refused() -> None:
    with pytest.raises(LocalError):
        sender(reserve=lambda sequence: sequence - 1).protect(b"x", 17)


@settings(deadline=None)
@given(runs=st.lists(st.integers(0, 30), min_size=1, max_size=8), ahead=st.integers(1, 12))
def test_over_restarts_no_number_repeats(runs: list[int], ahead: int) -> None:
    ledger, used = Ledger(ahead), set()
    for packets in runs:
        outbound = sender(sequence=ledger.reserved, reserve=ledger.reserve)
        for _ in range(packets):
            number = int.from_bytes(outbound.protect(b"x", 17)[4:8], "big")
            assert number not in used
            used.add(number)


def test_a_number_repeats_when_the_reservation_is_ignored() -> None:
    """What the ledger guards against: the same key, the same number, after a restart."""
    packets = [sender(sequence=0).protect(text, 17) for text in (b"one", b"two")]
    assert packets[0][:16] == packets[1][:16]


def test_a_ledger_never_reserves_past_the_last_number() -> None:
    ledger = Ledger(ahead=100)
    outbound = sender(sequence=0xFFFF_FFFD, reserve=ledger.reserve)
    for _ in range(2):
        outbound.protect(b"x", 17)
    with pytest.raises(SequenceExhausted):
        outbound.protect(b"x", 17)


def test_numbers_can_be_skipped_forwards_only() -> None:
    outbound, inbound = sender(), receiver()
    outbound.skip_to(500)
    assert inbound.unprotect(outbound.protect(b"x", 17)).sequence == 501
    for number in (500, 501):
        with pytest.raises(InvalidParameter):
            outbound.skip_to(number)
    with pytest.raises(SequenceExhausted):
        outbound.skip_to(1 << 32)
    ledger = Ledger()
    reserved = sender(reserve=ledger.reserve)
    reserved.skip_to(77)
    assert ledger.reserved >= 77


# --- traffic flow confidentiality ------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "payload", "next_header"),
    [
        (Mode.TUNNEL, PACKET, NEXT_HEADER_IPV4),
        (Mode.TRANSPORT, DATAGRAM, NEXT_HEADER_UDP),
    ],
)
def test_padded_packets_are_of_one_size_and_give_their_payload_back(
    mode: Mode, payload: bytes, next_header: int
) -> None:
    outbound, inbound = sender(mode), receiver(mode, tfc=True)
    packet = outbound.protect_padded(payload, next_header, 200)
    assert len(packet) == GCM.packet_bytes(200) == len(outbound.dummy(200))
    assert inbound.unprotect(packet).payload == payload
    assert inbound.unprotect(outbound.dummy(200)).is_dummy


def test_without_agreement_transport_padding_is_not_cut_off() -> None:
    outbound, inbound = sender(), receiver()
    packet = outbound.protect_padded(DATAGRAM, NEXT_HEADER_UDP, 40)
    assert inbound.unprotect(packet).payload == DATAGRAM + bytes(28)


@pytest.mark.parametrize(
    ("mode", "next_header"), [(Mode.TUNNEL, NEXT_HEADER_ROHC), (Mode.TRANSPORT, 6)]
)
def test_what_states_no_length_is_not_padded(mode: Mode, next_header: int) -> None:
    with pytest.raises(InvalidParameter, match="length"):
        sender(mode).protect_padded(b"x", next_header, 40)


def test_a_payload_larger_than_the_size_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        sender(Mode.TUNNEL).protect_padded(PACKET, NEXT_HEADER_IPV4, 27)


@pytest.mark.parametrize("datagram", [b"", DATAGRAM[:7], b"\0\0\0\0\0\x07\0\0", DATAGRAM[:-1]])
def test_with_agreement_a_datagram_that_contradicts_its_length_is_refused(datagram: bytes) -> None:
    with pytest.raises(MalformedInner):
        receiver(tfc=True).unprotect(sender().protect(datagram, NEXT_HEADER_UDP))


def test_dummies_use_a_number_and_random_octets() -> None:
    outbound = sender()
    counter = itertools.count()
    source: Callable[[int], bytes] = lambda size: bytes((next(counter),)) * size  # noqa: E731
    first, second = outbound.dummy(20, source), outbound.dummy(20, source)
    assert outbound.sequence == 2
    assert receiver().unprotect(second).payload != receiver().unprotect(first).payload


# --- what fits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [GCM, CBC])
@pytest.mark.parametrize("room", [100, 512, 1358])
def test_the_limit_fits_and_one_more_is_refused_with_the_figure(row: Any, room: int) -> None:
    outbound = OutboundAssociation(
        1000,
        row,
        bytes(row.key_bytes),
        bytes(row.salt_bytes),
        integrity_key=bytes(row.integrity_key_bytes),
    )
    largest = row.largest_payload_bytes(room)
    outbound.require_fit(largest, room)
    assert len(outbound.protect(bytes(largest), 4)) <= room
    with pytest.raises(PayloadTooLarge) as caught:
        outbound.require_fit(largest + 1, room)
    assert (caught.value.size, caught.value.limit) == (largest + 1, largest)
    assert str(largest) in str(caught.value)


# --- extended numbers: resynchronisation ---------------------------------------------------------


def lost(count: int, **options: Any) -> tuple[OutboundAssociation, InboundAssociation]:
    """Two ends after so many packets were lost at once."""
    outbound, inbound = sender(esn=True), receiver(esn=True, **options)
    inbound.unprotect(outbound.protect(b"before", 17))
    outbound.skip_to(count)
    return outbound, inbound


def feed(
    outbound: OutboundAssociation, inbound: InboundAssociation, tries: int
) -> tuple[int, bytes] | None:
    """Send until one is accepted: how many were refused before, and the payload."""
    for refused in range(tries):
        try:
            return refused, inbound.unprotect(outbound.protect(b"after", 17)).payload
        except BadIcv:
            continue
    return None


def test_a_gap_below_2_32_needs_no_resynchronisation() -> None:
    outbound, inbound = lost((1 << 32) - 100, resync_tries=0)
    assert feed(outbound, inbound, 1) == (0, b"after")


@pytest.mark.parametrize("subspaces", [1, 2, 4])
def test_after_a_larger_gap_the_receiver_finds_the_sender_again(subspaces: int) -> None:
    outbound, inbound = lost((subspaces << 32) + 100, resync_after=10, resync_tries=4)
    assert feed(outbound, inbound, 20) == (9, b"after")
    assert inbound.window.top == outbound.sequence
    assert inbound.unprotect(outbound.protect(b"next", 17)).late_by == 0


def test_without_resynchronisation_it_never_does() -> None:
    outbound, inbound = lost((1 << 32) + 100, resync_tries=0)
    assert feed(outbound, inbound, 200) is None


def test_a_gap_of_more_subspaces_than_are_tried_is_not_bridged() -> None:
    outbound, inbound = lost((5 << 32) + 100, resync_after=10, resync_tries=4)
    assert feed(outbound, inbound, 50) is None


def test_forged_packets_cost_a_bounded_number_of_checks_and_move_nothing() -> None:
    outbound, inbound = lost(50, resync_after=10, resync_tries=4)
    packet = outbound.protect(b"x", 17)
    checked, real = [0], inbound._open

    def counting(data: bytes, sequence: int) -> bytes:
        checked[0] += 1
        return real(data, sequence)

    inbound._open = counting
    for number in range(100):
        with pytest.raises(BadIcv):
            inbound.unprotect(packet[:-16] + number.to_bytes(16, "big"))
    assert checked[0] <= 100 + 4 * 10
    assert inbound.window.top == 1
    assert inbound.unprotect(packet).payload == b"x"


def test_a_valid_packet_in_between_resets_the_count_of_failures() -> None:
    outbound, inbound = sender(esn=True), receiver(esn=True, resync_after=3)
    for _ in range(5):
        good = outbound.protect(b"x", 17)
        for _ in range(2):
            with pytest.raises(BadIcv):
                inbound.unprotect(good[:-1] + bytes((good[-1] ^ 1,)))
        inbound.unprotect(good)
        assert inbound._failures == 0


def test_resynchronisation_stops_at_the_last_subspace() -> None:
    inbound = receiver(esn=True, sequence=(0xFFFF_FFFF << 32) + 5, resync_after=1)
    with pytest.raises(BadIcv):
        inbound.unprotect((1000).to_bytes(4, "big") + b"\0\0\0\x09" + bytes(40))
    with pytest.raises(OutsideWindow):
        receiver(esn=True, sequence=(1 << 64) - 1).unprotect(
            (1000).to_bytes(4, "big") + b"\0\0\0\x09" + bytes(40)
        )
