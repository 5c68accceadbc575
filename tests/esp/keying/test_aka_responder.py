"""The HSE's side with AKA: slow sources of vectors, bounded state, and who knows an identity."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from esp import suite
from esp.errors import (
    InvalidParameter,
    NoVector,
    Reason,
    ResynchronisationFailed,
    UnknownIdentity,
)
from esp.keying import (
    AkaResponder,
    Handled,
    Initiator,
    KeyAgreement,
    KeyAgreements,
    Limits,
    Offer,
    Responder,
    Session,
    SessionTable,
    ask,
)
from esp.keying.aka_messages import AkaConfirm, Result

if TYPE_CHECKING:
    from tests.esp.keying.conftest import World

TUNNEL = Offer(suite=suite("aes-gcm-16-128"))
ROHC = Offer(suite=suite("aes-gcm-16-128"), compression=True)
SECRET = b"a secret of more than 16 octets!"
Worlds = Callable[..., "World"]


# --- vectors that take their time ---------------------------------------------------------------


@pytest.fixture
def slow(new_world: Worlds) -> World:
    """An HSE whose source of vectors answers when the test says so."""
    return new_world("ue-1", "ue-2", ask_at_once=False)


def test_a_request_waits_for_its_vector_and_is_answered_then(slow: World) -> None:
    ue = slow.ue()
    asked = slow.hse.handle(ue.request(), 0.0)
    assert asked.wanted is not None
    assert (asked.wanted.identity, asked.wanted.auts) == ("ue-1", b"")
    assert asked == Handled(wanted=asked.wanted)
    assert slow.hse.handle(ue.request(), 1.0) == Handled()
    supplied = slow.hse.supply(asked.wanted.token, slow.source.vector("ue-1"), 2.0)
    assert supplied.reply is not None
    assert slow.hse.handle(ue.request(), 3.0) == supplied
    mine, _ = slow.agree(ue, 4.0)
    assert isinstance(mine, Session)


def test_while_one_vector_is_awaited_another_request_of_the_identity_is_told_nothing(
    slow: World,
) -> None:
    slow.hse.handle(slow.ue().request(), 0.0)
    assert slow.hse.handle(slow.ue().request(), 1.0) == Handled(reason=Reason.BUSY)
    other = slow.hse.handle(slow.ue(identity="ue-2").request(), 1.0)
    assert other.wanted is not None
    assert slow.aka.pending == 2


def test_two_identities_are_answered_in_any_order(slow: World) -> None:
    names = ("ue-1", "ue-2")
    ues = {name: slow.ue(identity=name) for name in names}
    tokens = {}
    for name in names:
        wanted = slow.hse.handle(ues[name].request(), 0.0).wanted
        assert wanted is not None
        tokens[name] = wanted.token
    for name in reversed(names):
        supplied = slow.hse.supply(tokens[name], slow.source.vector(name), 1.0)
        assert supplied.reply is not None
        slow.agree(ues[name], 2.0, name)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (UnknownIdentity("nobody"), Reason.UNKNOWN_IDENTITY),
        (NoVector("none left"), Reason.NO_VECTOR),
    ],
)
def test_a_source_without_a_vector_is_counted_and_told(
    slow: World, outcome: NoVector, reason: Reason
) -> None:
    ue = slow.ue()
    wanted = slow.hse.handle(ue.request(), 0.0).wanted
    assert wanted is not None
    told = slow.hse.supply(wanted.token, outcome, 1.0)
    assert told.reason is reason
    assert told.reply is not None
    assert told.reply[0] == 0x1F
    assert slow.aka.pending == 0
    assert slow.hse.handle(ue.request(), 2.0).wanted is not None


def test_a_source_that_never_answers_is_asked_again_and_its_late_vector_is_not_used(
    slow: World,
) -> None:
    ue = slow.ue()
    first = slow.hse.handle(ue.request(), 0.0).wanted
    second = slow.hse.handle(ue.request(), 10.0).wanted
    assert first is not None
    assert second is not None
    late = slow.source.vector("ue-1")
    assert slow.hse.supply(first.token, late, 11.0) == Handled()
    assert slow.hse.supply(99, late, 11.0) == Handled()
    supplied = slow.hse.supply(second.token, slow.source.vector("ue-1"), 11.0)
    assert supplied.reply is not None
    assert late.rand not in supplied.reply


def out_of_step(world: World) -> tuple[bytes, Handled]:
    """A confirm with AUTS, and what the HSE makes of it."""
    ue = world.ue()
    wanted = world.hse.handle(ue.request(), 0.0).wanted
    assert wanted is not None
    vector = world.source.vector("ue-1")
    world.cards["ue-1"].authenticate(vector.rand, vector.autn)
    reply = world.hse.supply(wanted.token, vector, 0.0).reply
    assert reply is not None
    confirm = world.said(ue, reply)
    assert confirm is not None
    assert confirm[5] == Result.SYNCHRONISATION_FAILURE
    return confirm, world.hse.handle(confirm, 1.0)


def test_a_resynchronisation_is_asked_for_once_and_waits_too(slow: World) -> None:
    confirm, handled = out_of_step(slow)
    wanted = handled.wanted
    assert wanted is not None
    assert handled.reason is Reason.SYNCHRONISATION_FAILURE
    assert (wanted.rand, wanted.auts) == (slow.source.given[0].rand, confirm[6:])
    assert slow.hse.handle(confirm, 2.0) == Handled()
    outcome = ask(slow.source, wanted)
    supplied = slow.hse.supply(wanted.token, outcome, 3.0)
    assert supplied.reply is not None
    assert slow.hse.handle(confirm, 4.0).reply == supplied.reply
    assert slow.source.resynchronised == 1


def test_a_failed_resynchronisation_is_told_and_may_be_tried_again(slow: World) -> None:
    confirm, handled = out_of_step(slow)
    assert handled.wanted is not None
    told = slow.hse.supply(handled.wanted.token, ResynchronisationFailed("no"), 2.0)
    assert told.reason is Reason.RESYNCHRONISATION_FAILED
    assert told.reply is not None
    again = slow.hse.handle(confirm, 3.0)
    assert again.wanted is not None
    supplied = slow.hse.supply(again.wanted.token, ask(slow.source, again.wanted), 3.0)
    assert supplied.reply is not None
    assert supplied.reply[0] == 0x22


def test_an_offer_that_is_not_accepted_any_more_is_refused_when_the_vector_comes(
    new_world: Worlds,
) -> None:
    accepted = [True]
    world = new_world(ask_at_once=False, accept=lambda identity, offer: accepted[0])
    wanted = world.hse.handle(world.ue().request(), 0.0).wanted
    assert wanted is not None
    accepted[0] = False
    told = world.hse.supply(wanted.token, world.source.vector("ue-1"), 1.0)
    assert told.reason is Reason.OFFER_REFUSED
    assert told.reply is not None


# --- who knows an identity ------------------------------------------------------------------------


def test_a_stranger_who_floods_requests_burns_one_vector_per_period(new_world: Worlds) -> None:
    world = new_world(limits=Limits(vector_s=600.0, notices_per_s=0))
    for n in range(5000):
        handled = world.hse.handle(world.ue().request(), n * 1.0)
        assert handled.reply is not None
        assert world.aka.pending <= 4 + 1
    assert len(world.source.given) == 5000 // 600 + 1
    for table in (world.aka._exchanges, world.aka._by_request):
        assert len(table) <= 4
    assert world.hse.handle(b"", 1e9).reason is Reason.MALFORMED_MESSAGE
    assert world.aka.pending == 0
    for table in ("_by_request", "_of_identity", "_exchanges", "_open", "_waits", "_wanted_for"):
        assert not getattr(world.aka, table)


def test_every_request_burns_a_vector_when_none_stays_open(new_world: Worlds) -> None:
    """The guard of the test above, taken away."""
    world = new_world(limits=Limits(vector_s=0.0, half_open_s=0.0))
    for n in range(50):
        world.hse.handle(world.ue().request(), float(n))
    assert len(world.source.given) == 50


@pytest.mark.parametrize("flood", [0, 3, 5, 50])
def test_a_flood_under_its_identity_does_not_lock_a_ue_out(world: World, flood: int) -> None:
    ue = world.ue(ROHC)

    def flooded() -> None:
        for _ in range(flood):
            world.hse.handle(world.ue().request(), 1.0)

    flooded()
    reply = world.hse.handle(ue.request(), 1.0).reply
    assert reply is not None
    flooded()
    confirm = world.said(ue, reply)
    assert confirm is not None
    handled = world.hse.handle(confirm, 1.0)
    assert (handled.session is None) == (flood > 3)
    flooded()
    longer = ue.resend()
    handled = world.hse.handle(longer, 1.0)
    flooded()
    again = world.hse.handle(longer, 1.0)
    assert again.reply == handled.reply is not None
    session = ue.handle(handled.reply)
    assert isinstance(session, Session)
    assert len(world.hse) == 1
    assert len(world.source.given) == (2 if flood else 1)


def test_a_forged_synchronisation_failure_ends_no_exchange_when_its_vector_was_replaced(
    new_world: Worlds,
) -> None:
    world = new_world(limits=Limits(vector_s=10.0))
    ue = world.ue()
    _, confirm = world.until_confirm(ue, 0.0)
    world.hse.handle(world.ue().request(), 20.0)
    assert len(world.source.given) == 2
    forged = world.hse.handle(confirm[:5] + b"\2" + bytes(14), 21.0)
    assert forged.reply is not None
    assert forged.reply[25:41] == world.source.given[1].rand
    handled = world.hse.handle(confirm, 22.0)
    assert handled.session is not None
    assert handled.reply is not None
    assert isinstance(ue.handle(handled.reply), Session)
    after = world.hse.handle(confirm[:5] + b"\2" + bytes(14), 23.0)
    assert after.reason is Reason.UNEXPECTED_MESSAGE


def test_confirms_with_a_request_make_no_state_unless_they_verify(world: World) -> None:
    for n in range(300):
        ue = world.ue()
        forged = AkaConfirm(
            hse_spi=5000 + n, result=Result.ANSWERED, body=bytes(16), request=ue.request()
        )
        assert world.hse.handle(forged.encode(), 1.0).session is None
    assert world.aka.pending == 0
    world.hse.handle(world.ue().request(), 1.0)
    before = world.aka.pending
    for result, body in ((Result.ANSWERED, bytes(16)), (Result.SYNCHRONISATION_FAILURE, bytes(14))):
        forged = AkaConfirm(hse_spi=5000, result=result, body=body, request=world.ue().request())
        refused = world.hse.handle(forged.encode(), 1.0)
        assert refused.session is None
        assert refused.reason in (Reason.AUTHENTICATION_FAILED, Reason.RESYNCHRONISATION_FAILED)
    assert world.aka.pending == before


def test_a_confirm_cannot_take_the_spi_of_another_session(world: World) -> None:
    """Neither a true one, when the SPI was given away meanwhile, nor a made-up one."""
    _, other = world.agree()
    ue = world.ue()
    _, confirm = world.until_confirm(ue, 1.0)
    spi = int.from_bytes(confirm[1:5], "big")
    world.hse.adopt(replace(other, inbound=replace(other.inbound, spi=spi)))
    assert world.hse.handle(confirm, 1.0).reason is Reason.UNEXPECTED_MESSAGE
    assert world.hse.handle(ue.resend(), 1.0).session is None
    world.hse.release(spi)
    assert world.hse.handle(confirm, 1.0).session is not None
    garbled = AkaConfirm(
        hse_spi=5000, result=Result.ANSWERED, body=bytes(16), request=b"\x21garbled"
    )
    assert world.hse.handle(garbled.encode(), 1.0).reason is Reason.MALFORMED_MESSAGE


# --- bounds ------------------------------------------------------------------------------------


def test_vectors_that_nobody_answers_are_bounded_and_more_identities_are_refused_as_busy(
    new_world: Worlds,
) -> None:
    names = [f"ue-{n}" for n in range(6)]
    world = new_world(*names, limits=Limits(vectors=4))
    outcomes = [world.hse.handle(world.ue(identity=name).request(), 0.0) for name in names]
    assert [one.reason for one in outcomes] == [None] * 4 + [Reason.BUSY] * 2
    assert world.hse.handle(world.ue(identity="ue-0").request(), 1.0).reason is None
    assert world.hse.handle(world.ue(identity="ue-5").request(), 700.0).reason is None


def test_vectors_that_are_awaited_are_bounded(new_world: Worlds) -> None:
    names = [f"ue-{n}" for n in range(3)]
    world = new_world(*names, ask_at_once=False, limits=Limits(waiting=2))
    outcomes = [world.hse.handle(world.ue(identity=name).request(), 0.0) for name in names]
    assert [one.wanted is None for one in outcomes] == [False, False, True]
    assert outcomes[2].reason is Reason.BUSY


def test_exchanges_are_bounded_in_all_and_the_oldest_makes_room(new_world: Worlds) -> None:
    names = [f"ue-{n}" for n in range(5)]
    world = new_world(*names, limits=Limits(exchanges=3))
    ues = [world.ue(identity=name) for name in names]
    replies = [world.hse.handle(ue.request(), 0.0).reply for ue in ues]
    assert world.aka.pending == 3 + 5
    for ue, name, reply in zip(ues, names, replies, strict=True):
        assert reply is not None
        world.said(ue, reply, name)
        assert world.hse.handle(ue.resend(), 1.0).session is not None


def test_half_open_sessions_are_bounded_for_aka_too(new_world: Worlds) -> None:
    names = [f"ue-{n}" for n in range(3)]
    world = new_world(*names, limits=Limits(half_open=2))
    for name in names[:2]:
        world.agree(identity=name)
    ue = world.ue(identity="ue-2")
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    confirm = world.said(ue, reply, "ue-2")
    assert confirm is not None
    handled = world.hse.handle(confirm, 0.0)
    assert handled.reason is Reason.BUSY
    assert world.hse.handle(confirm, 1.0).reason is Reason.BUSY
    world.hse.confirm(next(iter(world.hse.sessions._half_open)))
    assert world.hse.handle(confirm, 2.0).session is not None


def test_an_exchange_that_nobody_finishes_is_forgotten_after_its_time(new_world: Worlds) -> None:
    world = new_world(limits=Limits(half_open_s=60.0, vector_s=90.0))
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    assert world.hse.expire(59.0) == ()
    assert world.aka.pending == 2
    world.hse.expire(60.0)
    assert world.aka.pending == 1
    assert world.hse.handle(confirm, 61.0).reason is Reason.UNEXPECTED_MESSAGE
    assert world.hse.handle(ue.resend(), 62.0).session is not None
    assert world.aka.pending == 0


def test_no_two_exchanges_have_the_same_spi() -> None:
    import random

    from esp.aka import AuthenticationCentre, Milenage, Subscriber
    from esp.keying import AkaInitiator

    draws = iter([5000, 5000, 5001, *[5001] * 100])
    centre = AuthenticationCentre(
        [Subscriber(identity="ue-1", algorithm=Milenage(k=bytes(16), opc=bytes(16)))],
        random=random.Random(1).randbytes,
    )
    aka = AkaResponder(lambda: next(draws))
    hse = KeyAgreements(aka=aka, vectors=centre)
    replies = [hse.handle(AkaInitiator("ue-1", TUNNEL).request(), 0.0) for _ in range(3)]
    spis = [one.reply[5:9] for one in replies[:2] if one.reply is not None]
    assert spis == [(5000).to_bytes(4, "big"), (5001).to_bytes(4, "big")]
    assert replies[2].reason is Reason.BUSY


# --- the life of a session ----------------------------------------------------------------------


def test_a_request_and_even_a_confirm_displace_nothing_until_a_packet_proves_the_keys(
    world: World,
) -> None:
    _, old = world.agree()
    assert world.hse.confirm(old.inbound.spi) == ()
    ue = world.ue()
    handled, confirm = world.until_confirm(ue, 1.0)
    assert handled.dropped == ()
    assert len(world.hse) == 1
    made = world.hse.handle(confirm, 2.0)
    assert made.session is not None
    assert made.dropped == ()
    assert (len(world.hse), world.hse.half_open) == (2, 1)
    assert world.hse.confirm(made.session.inbound.spi) == (old,)
    assert len(world.hse) == 1


def test_a_session_that_nobody_uses_is_dropped_after_its_time(new_world: Worlds) -> None:
    world = new_world(limits=Limits(half_open_s=60.0))
    _, first = world.agree(now=0.0)
    assert world.hse.handle(b"\x21", 60.0).dropped == (first,)
    assert len(world.hse) == 0


def test_a_session_from_before_a_restart_is_replaced_like_any_other(world: World) -> None:
    _, old = world.agree()
    world.hse.confirm(old.inbound.spi)
    world.restart()
    world.hse.adopt(old)
    assert len(world.hse) == 1
    _, new = world.agree(now=5.0)
    assert world.hse.confirm(new.inbound.spi) == (old,)
    assert world.hse.release(new.inbound.spi) == new
    assert len(world.hse) == 0


def test_a_ue_whose_hse_restarted_in_between_begins_anew_and_agrees(world: World) -> None:
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    world.restart()
    for data in (confirm, ue.resend()):
        refused = world.hse.handle(data, 1.0)
        assert (refused.session, refused.reason) == (None, Reason.UNEXPECTED_MESSAGE)
    world.agree(now=2.0)


# --- both exchanges behind one door -------------------------------------------------------------


def both(world: World) -> KeyAgreements:
    """A responder for the hello beside the world's own for AKA."""
    hello = Responder(
        {"ue-1": SECRET}.get,
        itertools.count(0x7000_0000).__next__,
        sessions=world.hse.sessions,
    )
    return KeyAgreements(hello=hello, aka=world.aka, vectors=world.source)


def test_one_door_serves_both_exchanges_and_one_session_replaces_the_other(world: World) -> None:
    hse = both(world)
    initiator = Initiator("ue-1", SECRET, TUNNEL)
    handled = hse.handle(initiator.request(), 0.0)
    assert handled.reply is not None
    assert handled.session is not None
    hello = initiator.response(handled.reply)
    assert hello.key_agreement is handled.session.key_agreement is KeyAgreement.HELLO
    hse.confirm(handled.session.inbound.spi)
    world.hse = hse
    mine, theirs = world.agree(now=1.0)
    assert mine.key_agreement is theirs.key_agreement is KeyAgreement.AKA
    assert (len(hse), hse.half_open) == (2, 1)
    assert hse.confirm(theirs.inbound.spi) == (handled.session,)
    assert hse.release(theirs.inbound.spi) == theirs
    hse.adopt(theirs)
    assert hse.expire(1e9) == ()
    assert len(hse) == 1


def test_a_door_without_an_exchange_refuses_its_messages(world: World) -> None:
    request = world.ue().request()
    hello = Responder({"ue-1": SECRET}.get, itertools.count(256).__next__)
    alone = KeyAgreements(hello=hello)
    assert alone.handle(request, 0.0).reason is Reason.MALFORMED_MESSAGE
    assert alone.supply(1, NoVector("none"), 0.0) == Handled()
    assert alone.expire(0.0) == ()
    greeting = Initiator("ue-1", SECRET, TUNNEL).request()
    assert alone.handle(greeting, 0.0).session is not None
    assert world.hse.handle(greeting, 0.0).reason is Reason.UNEXPECTED_MESSAGE
    assert world.hse.handle(b"", 0.0).reason is Reason.MALFORMED_MESSAGE


def test_responders_behind_one_door_share_their_table(world: World) -> None:
    hello = Responder({}.get, itertools.count(256).__next__)
    for options in ({}, {"hello": hello, "aka": world.aka}):
        with pytest.raises(InvalidParameter):
            KeyAgreements(**options)  # type: ignore[arg-type]
    assert KeyAgreements(hello=hello).sessions is hello.sessions
    assert isinstance(hello.sessions, SessionTable)


def test_forged_auts_on_its_way_to_the_source_keeps_no_other_request_waiting(slow: World) -> None:
    """The vector that is open serves every request of its identity, whatever is asked meanwhile."""
    stranger, ue = slow.ue(), slow.ue()
    wanted = slow.hse.handle(stranger.request(), 0.0).wanted
    assert wanted is not None
    challenge = slow.hse.supply(wanted.token, slow.source.vector("ue-1"), 0.0).reply
    assert challenge is not None
    for now in (1.0, 2.0, 3.0):
        forged = b"\x23" + challenge[5:9] + b"\x02" + bytes(14)
        resynchronisation = slow.hse.handle(forged, now).wanted
        assert resynchronisation is not None
        answered = slow.hse.handle(ue.request(), now)
        assert answered.reply is not None
        assert answered.reply[25:57] == challenge[25:57]  # the same RAND and AUTN
        outcome = ask(slow.source, resynchronisation)
        assert slow.hse.supply(resynchronisation.token, outcome, now).reason is not None
    slow.agree(ue, 4.0)
