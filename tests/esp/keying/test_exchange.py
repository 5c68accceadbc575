"""The hello between a UE and an HSE: agreement, loss, attackers, and bounded state."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import Lifetime, Mode, suite
from esp.errors import (
    AssociationEnded,
    AuthenticationFailed,
    Expired,
    InvalidParameter,
    KeyingRejected,
    LocalError,
    MalformedMessage,
    PeerRefused,
    Reason,
    Replayed,
    UnexpectedMessage,
    WeakSecret,
)
from esp.keying import Handled, Initiator, Limits, Offer, Responder, Session, draw_spi
from esp.keying import initiator as initiator_module
from esp.keying import responder as responder_module

SECRET = b"a secret of more than 16 octets!"
OTHER = b"another secret, just as long...!"
GCM = suite("aes-gcm-16-128")
TUNNEL = Offer(suite=GCM)
ROHC = Offer(suite=GCM, compression=True)
TRANSPORT = Offer(suite=GCM, mode=Mode.TRANSPORT)
PACKET = b"\x45\0\0\x1c".ljust(28, b"\1")


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def spis(first: int = 0x8000_0000) -> Callable[[], int]:
    return itertools.count(first).__next__


def hse(**options: object) -> Responder:
    known = {"ue-1": SECRET, "ue-2": OTHER, "ue-short": b"short"}
    return Responder(known.get, spis(), **options)  # type: ignore[arg-type]


def ue(offer: Offer = TUNNEL, identity: str = "ue-1", secret: bytes = SECRET) -> Initiator:
    return Initiator(identity, secret, offer)


def agree(initiator: Initiator, responder: Responder, now: float = 0.0) -> tuple[Session, Session]:
    handled = responder.handle(initiator.request(), now)
    assert handled.reply is not None
    assert handled.session is not None
    return initiator.response(handled.reply), handled.session


def works(sender: Session, receiver: Session) -> bool:
    packet = sender.outbound_association().protect(PACKET, 4)
    return receiver.inbound_association().unprotect(packet).payload == PACKET


def test_a_session_begun_before_goes_on_with_numbers_lifetime_and_reservation() -> None:
    mine, theirs = agree(ue(), hse())
    limits = Lifetime(hard_packets=1)
    reserved: list[int] = []

    def reserve(sequence: int) -> int:
        reserved.append(sequence)
        return sequence

    sender = mine.outbound_association(sequence=9, lifetime=limits, reserve=reserve)
    packet = sender.protect(PACKET, 4)
    assert (sender.sequence, reserved) == (10, [10])
    with pytest.raises(AssociationEnded):
        sender.protect(PACKET, 4)
    with pytest.raises(Replayed):
        theirs.inbound_association(sequence=10).unprotect(packet)
    receiver = theirs.inbound_association(sequence=9, lifetime=limits)
    assert receiver.unprotect(packet).payload == PACKET
    with pytest.raises(Expired):
        receiver.unprotect(packet)


@pytest.mark.parametrize("offer", [TUNNEL, ROHC, TRANSPORT])
def test_both_sides_agree_on_keys_that_work_both_ways(offer: Offer) -> None:
    initiator = ue(offer)
    mine, theirs = agree(initiator, hse())
    assert works(mine, theirs)
    assert works(theirs, mine)
    assert mine.inbound == theirs.outbound
    assert mine.outbound == theirs.inbound
    for session in (mine, theirs):
        assert session.identity == "ue-1"
        assert (session.suite, session.mode) == (offer.suite, offer.mode)
        assert session.compression is offer.compression
        assert session.inbound_association().rohc is offer.compression
    assert mine.inbound.spi == initiator.inbound_spi
    assert theirs.inbound.spi == 0x8000_0000
    assert initiator.session is mine


def test_no_key_of_a_session_is_the_secret_or_repeats() -> None:
    responder = hse(limits=Limits(half_open_per_identity=1000))
    seen: set[bytes] = set()
    for _ in range(50):
        mine, _theirs = agree(ue(), responder)
        for keys in (mine.inbound, mine.outbound):
            assert keys.key not in SECRET
            seen.add(keys.key + keys.salt)
    assert len(seen) == 100


def test_keys_differ_even_when_only_the_hse_is_fresh() -> None:
    keys = set()
    for start in (0, 1):
        initiator = Initiator("ue-1", SECRET, TUNNEL, random=seeded(1))
        responder = Responder({"ue-1": SECRET}.get, spis(), random=seeded(start))
        keys.add(agree(initiator, responder)[0].outbound.key)
    assert len(keys) == 2


def test_keys_differ_even_when_only_the_ue_is_fresh() -> None:
    keys = set()
    for start in (0, 1):
        initiator = Initiator("ue-1", SECRET, TUNNEL, inbound_spi=4711, random=seeded(start))
        responder = Responder({"ue-1": SECRET}.get, spis(), random=seeded(1))
        keys.add(agree(initiator, responder)[0].outbound.key)
    assert len(keys) == 2


def test_a_request_sent_again_is_the_same_and_gets_the_same_answer() -> None:
    initiator, responder = ue(), hse()
    assert initiator.request() == initiator.request()
    first = responder.handle(initiator.request(), 0.0)
    again = responder.handle(initiator.request(), 5.0)
    assert again == Handled(reply=first.reply)
    assert len(responder) == 1
    assert first.reply is not None
    session = initiator.response(first.reply)
    assert initiator.response(first.reply) is session


def test_the_request_of_an_open_session_gets_the_same_answer_and_makes_nothing_new() -> None:
    initiator, responder = ue(), hse()
    _, theirs = agree(initiator, responder)
    responder.confirm(theirs.inbound.spi)
    again = responder.handle(initiator.request(), 1000.0)
    assert again.session is None
    assert again.reply is not None
    assert len(responder) == 1


def test_the_reply_is_smaller_than_the_request() -> None:
    initiator, responder = ue(identity="ue-1"), hse()
    handled = responder.handle(initiator.request(), 0.0)
    assert handled.reply is not None
    assert len(handled.reply) == 45
    assert len(initiator.request()) == 47
    refused = responder.handle(ue(secret=OTHER).request(), 0.0)
    assert refused.reply is not None
    assert len(refused.reply) == 10


def test_with_several_offers_the_first_that_the_hse_accepts_is_taken() -> None:
    strong = Offer(suite=suite("aes-gcm-16-256"))
    initiator = Initiator("ue-1", SECRET, [ROHC, strong, TUNNEL])
    responder = hse(accept=lambda identity, offer: not offer.compression)
    mine, theirs = agree(initiator, responder)
    assert mine.suite is theirs.suite is strong.suite


def test_an_attacker_who_removes_the_better_offer_is_noticed() -> None:
    strong = Offer(suite=suite("aes-gcm-16-256"))
    request = Initiator("ue-1", SECRET, [strong, TUNNEL]).request()
    cut = request[:21] + b"\1" + TUNNEL.encode() + request[30:]
    assert hse().handle(cut, 0.0).reason is Reason.AUTHENTICATION_FAILED


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initiator", "reason"),
    [
        (ue(secret=OTHER), Reason.AUTHENTICATION_FAILED),
        (ue(identity="ue-2"), Reason.AUTHENTICATION_FAILED),
        (ue(identity="nobody"), Reason.UNKNOWN_IDENTITY),
        (ue(identity="ue-short"), Reason.UNKNOWN_IDENTITY),
        (ue(ROHC), Reason.OFFER_REFUSED),
    ],
)
def test_a_refusal_is_counted_and_told_as_a_hint(initiator: Initiator, reason: Reason) -> None:
    responder = hse(accept=lambda identity, offer: not offer.compression)
    handled = responder.handle(initiator.request(), 0.0)
    assert handled.reason is reason
    assert handled.session is None
    assert len(responder) == 0
    assert handled.reply is not None
    assert initiator.refusal is None
    with pytest.raises(PeerRefused) as caught:
        initiator.response(handled.reply)
    assert caught.value.reason is Reason.PEER_REFUSED
    assert caught.value.notice is initiator.refusal is reason
    assert caught.value.hint


def test_a_forged_notice_does_not_end_the_exchange() -> None:
    initiator, responder = ue(), hse()
    request = initiator.request()
    forged = b"\x1f" + request[1:5] + request[5:9] + b"\1"
    with pytest.raises(PeerRefused):
        initiator.response(forged)
    mine, theirs = agree(initiator, responder)
    assert works(mine, theirs)


def test_a_notice_about_another_request_is_ignored() -> None:
    initiator = ue()
    request = initiator.request()
    for forged in (
        b"\x1f" + b"\1\1\1\1" + request[5:9] + b"\1",
        b"\x1f" + request[1:5] + bytes(b ^ 1 for b in request[5:9]) + b"\1",
    ):
        with pytest.raises(UnexpectedMessage):
            initiator.response(forged)
    assert initiator.refusal is None


def test_notices_are_limited_in_rate_and_can_be_switched_off() -> None:
    responder = hse(limits=Limits(notices_per_s=2.0))
    wrong = ue(secret=OTHER).request()

    def told(now: float) -> bool:
        handled = responder.handle(wrong, now)
        assert handled.reason is Reason.AUTHENTICATION_FAILED
        return handled.reply is not None

    assert [told(10.0) for _ in range(4)] == [True, True, False, False]
    assert [told(10.5) for _ in range(2)] == [True, False]
    assert [told(100.0) for _ in range(4)] == [True, True, False, False]
    silent = hse(limits=Limits(notices_per_s=0))
    assert silent.handle(wrong, 0.0).reply is None
    assert silent.handle(wrong, 1e6).reply is None


# --- attackers --------------------------------------------------------------------------------


def test_every_flipped_bit_of_a_request_is_refused_and_makes_no_state() -> None:
    request = ue().request()
    responder = hse()
    for bit in range(len(request) * 8):
        altered = bytearray(request)
        altered[bit // 8] ^= 0x80 >> bit % 8
        handled = responder.handle(bytes(altered), 0.0)
        assert handled.session is None
        assert handled.reason in {
            Reason.MALFORMED_MESSAGE,
            Reason.UNKNOWN_IDENTITY,
            Reason.AUTHENTICATION_FAILED,
            Reason.UNEXPECTED_MESSAGE,
        }
    assert len(responder) == 0
    assert responder.handle(request, 0.0).session is not None


def test_every_flipped_bit_of_a_response_is_refused_and_the_true_one_still_works() -> None:
    initiator, responder = ue(), hse()
    reply = responder.handle(initiator.request(), 0.0).reply
    assert reply is not None
    for bit in range(len(reply) * 8):
        altered = bytearray(reply)
        altered[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(KeyingRejected):
            initiator.response(bytes(altered))
        assert initiator.session is None
    assert initiator.response(reply) is initiator.session


@pytest.mark.parametrize("side", ["request", "response"])
def test_an_altered_message_passes_when_its_code_is_not_checked(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    initiator, responder = ue(), hse()
    module = responder_module if side == "request" else initiator_module

    class Blind:
        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            return True

    def alter(data: bytes) -> bytes:
        return data[:5] + bytes((data[5] ^ 1,)) + data[6:]

    if side == "request":
        altered = alter(initiator.request())
        assert responder.handle(altered, 0.0).reason is Reason.AUTHENTICATION_FAILED
        monkeypatch.setattr(module, "hmac", Blind)
        assert responder.handle(altered, 0.0).session is not None
    else:
        reply = responder.handle(initiator.request(), 0.0).reply
        assert reply is not None
        with pytest.raises(AuthenticationFailed) as caught:
            initiator.response(alter(reply))
        assert "secret" in caught.value.hint
        monkeypatch.setattr(module, "hmac", Blind)
        assert initiator.response(alter(reply)) is not None


def test_a_response_to_an_earlier_request_is_refused() -> None:
    responder = hse()
    old = Initiator("ue-1", SECRET, TUNNEL, inbound_spi=5000)
    recorded = responder.handle(old.request(), 0.0).reply
    assert recorded is not None
    with pytest.raises(UnexpectedMessage):
        ue().response(recorded)
    same_spi = Initiator("ue-1", SECRET, TUNNEL, inbound_spi=5000)
    with pytest.raises(AuthenticationFailed):
        same_spi.response(recorded)


def test_a_response_that_grants_what_was_not_offered_is_refused() -> None:
    """Even with the right key, which is what a faulty HSE would have."""
    from esp.keying.kdf import (
        DerivationSettings,
        Direction,
        authentication_code,
        authentication_key,
    )

    initiator = ue()
    reply = hse().handle(initiator.request(), 0.0).reply
    assert reply is not None
    message = reply[:25] + TRANSPORT.encode()
    key = authentication_key(SECRET, "ue-1", Direction.DOWNLINK, DerivationSettings())
    with pytest.raises(UnexpectedMessage, match="not offered"):
        initiator.response(message + authentication_code(key, initiator.request() + message))


def test_a_message_reflected_to_its_sender_is_refused() -> None:
    initiator, responder = ue(), hse()
    with pytest.raises(MalformedMessage):
        initiator.response(initiator.request())
    reply = responder.handle(initiator.request(), 0.0).reply
    assert reply is not None
    assert responder.handle(reply, 0.0).reason is Reason.UNEXPECTED_MESSAGE
    assert responder.handle(b"\x1f" + bytes(9), 0.0).reason is Reason.UNEXPECTED_MESSAGE


def test_after_the_exchange_another_response_is_refused() -> None:
    initiator = ue()
    agree(initiator, hse())
    other = hse().handle(initiator.request(), 0.0).reply
    assert other is not None
    with pytest.raises(UnexpectedMessage):
        initiator.response(other)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"\x11", b"\x12", b"\x1f"]))
def test_random_octets_reach_neither_side(data: bytes, head: bytes) -> None:
    initiator, responder = ue(), hse()
    handled = responder.handle(head + data, 0.0)
    assert handled.session is None
    assert handled.reason is not None
    assert len(responder) == 0
    with pytest.raises(KeyingRejected):
        initiator.response(head + data)
    assert initiator.session is None


@settings(max_examples=150, deadline=None)
@given(events=st.lists(st.sampled_from(["deliver", "lose", "twice", "alter"]), max_size=12))
def test_under_loss_duplication_and_alteration_both_agree_or_the_ue_has_nothing(
    events: list[str],
) -> None:
    initiator, responder = ue(), hse()
    made: list[Session] = []
    clock = itertools.count()

    def carry(data: bytes, event: str) -> list[bytes]:
        altered = data[:-1] + bytes((data[-1] ^ 0x55,))
        return {"deliver": [data], "lose": [], "twice": [data, data], "alter": [altered]}[event]

    queue = iter(events)
    for event in queue:
        for request in carry(initiator.request(), event):
            handled = responder.handle(request, float(next(clock)))
            if handled.session is not None:
                made.append(handled.session)
            if handled.reply is None:
                continue
            for reply in carry(handled.reply, next(queue, "lose")):
                try:
                    initiator.response(reply)
                except KeyingRejected:
                    continue
    assert len(made) <= 1
    if initiator.session is not None:
        assert initiator.session.outbound == made[0].inbound


# --- the life of a session at the HSE ------------------------------------------------------------


def test_an_open_session_stays_until_the_new_one_is_proven_by_a_packet() -> None:
    responder = hse()
    _, old = agree(ue(), responder)
    assert responder.confirm(old.inbound.spi) == ()
    _, new = agree(ue(), responder)
    assert len(responder) == 2
    assert responder.half_open == 1
    assert responder.confirm(new.inbound.spi) == (old,)
    assert responder.confirm(new.inbound.spi) == ()
    assert len(responder) == 1


def test_a_recorded_request_never_displaces_an_open_session() -> None:
    responder = hse()
    recorded = [ue() for _ in range(20)]
    for initiator in recorded[:3]:
        _, theirs = agree(initiator, responder)
        responder.confirm(theirs.inbound.spi)
    _, current = agree(ue(), responder)
    responder.confirm(current.inbound.spi)
    for initiator in recorded:
        handled = responder.handle(initiator.request(), 1.0)
        assert current not in handled.dropped
    assert responder.release(current.inbound.spi) == current


def test_sessions_of_other_suite_mode_or_compression_live_side_by_side() -> None:
    responder = hse()
    sessions = []
    for offer in (TUNNEL, ROHC, TRANSPORT):
        _, theirs = agree(ue(offer), responder)
        assert responder.confirm(theirs.inbound.spi) == ()
        sessions.append(theirs)
    assert len(responder) == 3
    _, other = agree(ue(TUNNEL, "ue-2", OTHER), responder)
    assert responder.confirm(other.inbound.spi) == ()
    _, new = agree(ue(ROHC), responder)
    assert responder.confirm(new.inbound.spi) == (sessions[1],)


def test_the_oldest_open_session_goes_when_one_identity_has_too_many() -> None:
    responder = hse(limits=Limits(sessions_per_identity=2))
    made = []
    for offer in (TUNNEL, ROHC, TRANSPORT):
        _, theirs = agree(ue(offer), responder)
        made.append((theirs, responder.confirm(theirs.inbound.spi)))
    assert made[2][1] == (made[0][0],)
    assert len(responder) == 2


def test_an_older_half_open_session_of_the_same_kind_goes_when_a_newer_one_is_proven() -> None:
    responder = hse()
    _, lost = agree(ue(), responder)
    _, used = agree(ue(), responder)
    assert responder.confirm(used.inbound.spi) == (lost,)
    assert responder.half_open == 0


def test_a_session_that_nobody_uses_is_dropped_after_its_time() -> None:
    responder = hse(limits=Limits(half_open_s=60.0))
    _, first = agree(ue(), responder, now=0.0)
    _, second = agree(ue(ROHC), responder, now=30.0)
    assert responder.expire(59.9) == ()
    assert responder.expire(60.0) == (first,)
    assert responder.handle(b"junk", 90.0).dropped == (second,)
    assert len(responder) == 0
    assert responder.confirm(first.inbound.spi) == ()


def test_a_proven_session_does_not_expire() -> None:
    responder = hse()
    _, theirs = agree(ue(), responder)
    responder.confirm(theirs.inbound.spi)
    assert responder.expire(1e9) == ()
    assert len(responder) == 1


def test_half_open_sessions_of_one_identity_are_bounded_and_the_oldest_goes() -> None:
    responder = hse(limits=Limits(half_open_per_identity=2))
    _, first = agree(ue(), responder)
    agree(ue(), responder)
    handled = responder.handle(ue().request(), 0.0)
    assert handled.dropped == (first,)
    assert responder.half_open == len(responder) == 2


def test_half_open_sessions_in_all_are_bounded_and_more_are_refused_as_busy() -> None:
    secrets = {f"ue-{n}": SECRET for n in range(100)}
    responder = Responder(secrets.get, spis(), limits=Limits(half_open=10))
    outcomes = [responder.handle(ue(identity=f"ue-{n}").request(), 0.0) for n in range(30)]
    assert sum(one.session is not None for one in outcomes) == 10
    assert {one.reason for one in outcomes[10:]} == {Reason.BUSY}
    assert responder.half_open == 10
    assert responder.handle(ue(identity="ue-29").request(), 1000.0).session is not None


def test_nothing_is_left_of_sessions_that_are_gone() -> None:
    responder = hse(limits=Limits(half_open_per_identity=1, sessions_per_identity=1))
    for n in range(200):
        _, theirs = agree(ue((TUNNEL, ROHC)[n % 2]), responder, now=float(n))
        responder.confirm(theirs.inbound.spi)
    assert len(responder) == 1
    assert responder.release(theirs.inbound.spi) == theirs
    assert responder.release(theirs.inbound.spi) is None
    for table in ("_by_message", "_by_spi", "_half_open", "_of_identity"):
        assert not getattr(responder.sessions, table)


# --- local mistakes ------------------------------------------------------------------------------


def test_a_weak_secret_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(WeakSecret):
        ue(secret=b"15 octets......")


@pytest.mark.parametrize("identity", ["", "x" * 129, "line\nbreak", "\ud800", "é" * 65])
def test_an_identity_that_cannot_be_sent_is_refused(identity: str) -> None:
    with pytest.raises(InvalidParameter):
        ue(identity=identity)


@pytest.mark.parametrize("spi", [0, 255, 1 << 32])
def test_a_reserved_inbound_spi_is_refused(spi: int) -> None:
    with pytest.raises(InvalidParameter):
        Initiator("ue-1", SECRET, TUNNEL, inbound_spi=spi)


def test_an_initiator_offers_at_least_one_combination_and_at_most_16() -> None:
    for offers in ([], [TUNNEL] * 17):
        with pytest.raises(InvalidParameter):
            Initiator("ue-1", SECRET, offers)


def test_spis_drawn_at_random_are_never_reserved() -> None:
    answers = iter([b"\0\0\0\x80", b"\0\0\0\xff", b"\0\0\1\0"])
    assert draw_spi(lambda size: next(answers)) == 256
    with pytest.raises(LocalError):
        draw_spi(bytes)


def test_no_secret_and_no_key_shows_in_anything_printable() -> None:
    secret = b"CANARY-CANARY-CANARY-CANARY"
    responder = Responder({"ue-1": secret}.get, spis())
    initiator = Initiator("ue-1", secret, TUNNEL)
    mine, theirs = agree(initiator, responder)
    texts = [repr(initiator), repr(responder), repr(mine), repr(theirs), str(mine)]
    for data in (b"", b"\x11", b"\x12" + bytes(44), b"\x1f" + bytes(9)):
        with pytest.raises(KeyingRejected) as caught:
            Initiator("ue-1", secret, TUNNEL).response(data)
        texts += [str(caught.value), repr(caught.value), caught.value.hint]
        texts.append(repr(responder.handle(data, 0.0)))
    texts.append(repr(responder.handle(Initiator("ue-1", secret, TUNNEL).request(), 0.0)))
    keys = [secret]
    for session in (mine, theirs):
        for one in (session.inbound, session.outbound):
            keys += [one.key, one.salt]
    for text in texts:
        assert "CANARY" not in text
        for key in keys:
            assert key.hex() not in text
            assert repr(key)[2:-1] not in text


def test_a_session_from_before_a_restart_is_replaced_like_any_other() -> None:
    before = hse()
    initiator = ue()
    _, old = agree(initiator, before)
    before.confirm(old.inbound.spi)
    after = hse()
    after.adopt(old)
    assert (len(after), after.half_open) == (1, 0)
    assert after.confirm(old.inbound.spi) == ()
    assert after.expire(1e9) == ()
    assert after.handle(b"", 0.0).reply is None
    again = after.handle(initiator.request(), 0.0)
    assert again.session is not None
    assert again.session.inbound.key != old.inbound.key
    fresh = Responder({"ue-1": SECRET}.get, spis(0x9000_0000))
    fresh.adopt(old)
    _, new = agree(ue(), fresh)
    assert fresh.confirm(new.inbound.spi) == (old,)
    assert len(fresh) == 1
    assert fresh.release(new.inbound.spi) == new
