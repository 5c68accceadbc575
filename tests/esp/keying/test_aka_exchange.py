"""The exchange with AKA between a UE with a USIM and an HSE: agreement, failures, attackers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from esp import Mode, suite
from esp.aka import (
    AkaMacFailure,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    Subscriber,
    Tuak,
    Usim,
)
from esp.errors import (
    AuthenticationFailed,
    InvalidParameter,
    KeyingRejected,
    MalformedMessage,
    NoVector,
    PeerRefused,
    Reason,
    UnexpectedMessage,
)
from esp.keying import (
    AkaInitiator,
    BaseKey,
    Challenge,
    DerivationSettings,
    Hierarchy,
    KeyAgreement,
    Offer,
    Reply,
    RohcChannel,
    Session,
)
from esp.keying import aka_initiator as initiator_module
from esp.keying import aka_responder as responder_module
from esp.keying.aka_messages import AkaChallenge, AkaConfirm, AkaRequest, Result

if TYPE_CHECKING:
    from tests.esp.keying.conftest import World

GCM = suite("aes-gcm-16-128")
TUNNEL = Offer(suite=GCM)
ROHC = Offer(suite=GCM, compression=True)
TRANSPORT = Offer(suite=GCM, mode=Mode.TRANSPORT)
STRONG = Offer(suite=suite("aes-gcm-16-256"), esn=True)
PACKET = b"\x45\0\0\x1c".ljust(28, b"\1")
Worlds = Callable[..., "World"]


def works(sender: Session, receiver: Session) -> bool:
    packet = sender.outbound_association().protect(PACKET, 4)
    return receiver.inbound_association().unprotect(packet).payload == PACKET


def altered(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


class Blind:
    """A comparison that finds everything equal: the check switched off."""

    @staticmethod
    def compare_digest(one: bytes, other: bytes) -> bool:
        return True

    digest = staticmethod(responder_module.hmac.digest)


# --- agreement --------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", [TUNNEL, ROHC, TRANSPORT, STRONG])
def test_both_sides_agree_on_keys_that_work_both_ways(world: World, offer: Offer) -> None:
    ue = world.ue(offer)
    mine, theirs = world.agree(ue)
    assert works(mine, theirs)
    assert works(theirs, mine)
    assert (mine.inbound, mine.outbound) == (theirs.outbound, theirs.inbound)
    for session in (mine, theirs):
        assert session.identity == "ue-1"
        assert session.key_agreement is KeyAgreement.AKA
        assert (session.suite, session.mode, session.esn) == (offer.suite, offer.mode, offer.esn)
        assert session.compression is offer.compression
        assert session.rohc == (RohcChannel() if offer.compression else None)
    assert mine.inbound.spi == ue.inbound_spi
    assert min(mine.inbound.spi, mine.outbound.spi) > 255
    assert ue.session is mine
    assert ue.failure is ue.refusal is None
    assert len(world.source.given) == 1


@pytest.mark.parametrize(
    "hierarchy",
    [
        Hierarchy(base=BaseKey.KS_NAF, naf_id=b"hse" + bytes(5)),
        Hierarchy(base=BaseKey.K_HSE, network=b"n", check_separation=False),
        Hierarchy(derivation=DerivationSettings(fc=b"\x70", e2m_label=b"e2m")),
    ],
)
def test_both_sides_agree_under_other_hierarchies(new_world: Worlds, hierarchy: Hierarchy) -> None:
    world = new_world(hierarchy=hierarchy)
    mine, theirs = world.agree(world.ue(hierarchy=hierarchy))
    assert works(mine, theirs)
    with pytest.raises(PeerRefused, match="authentication-failed"):
        world.agree(world.ue())  # with another hierarchy at the UE


@pytest.mark.parametrize("res_bits", [32, 128])
def test_both_sides_agree_with_tuak_and_a_res_of_any_length(world: World, res_bits: int) -> None:
    algorithm = Tuak(k=bytes(32), topc=bytes(32), res_bits=res_bits)
    world.subscribers = [Subscriber(identity="ue-1", algorithm=algorithm)]
    world.source.centre = AuthenticationCentre(world.subscribers)
    world.cards["ue-1"] = Usim(algorithm)
    mine, theirs = world.agree()
    assert works(mine, theirs)
    assert len(world.source.given[0].xres) == res_bits // 8


def test_no_key_is_ck_or_ik_or_repeats(world: World) -> None:
    keys = set()
    for now in range(50):
        mine, _ = world.agree(now=float(now))
        keys |= {mine.inbound.key + mine.inbound.salt, mine.outbound.key + mine.outbound.salt}
    assert len(keys) == 100
    assert len(world.source.given) == 50
    for vector in world.source.given:
        for key in keys:
            assert key[:16] not in (vector.ck, vector.ik)


def test_keys_differ_when_the_same_vector_serves_two_requests(world: World) -> None:
    """The nonces and SPIs make them different; one USIM answer serves both."""
    first, second = world.ue(), world.ue()
    challenges = [world.hse.handle(ue.request(), 0.0).reply for ue in (first, second)]
    found = [ue.handle(data) for ue, data in zip((first, second), challenges, strict=True)]
    assert found[0].rand == found[1].rand
    answer = world.cards["ue-1"].authenticate(found[0].rand, found[0].autn)
    sessions = []
    for ue, challenge in zip((first, second), found, strict=True):
        handled = world.hse.handle(ue.answer(challenge, answer), 0.0)
        assert handled.reply is not None
        sessions.append(ue.handle(handled.reply))
    assert sessions[0].inbound.key != sessions[1].inbound.key
    assert len(world.source.given) == 1


def test_the_first_offer_that_the_hse_accepts_is_taken(new_world: Worlds) -> None:
    world = new_world(accept=lambda identity, offer: not offer.compression)
    ue = AkaInitiator("ue-1", [ROHC, STRONG, TUNNEL])
    mine, theirs = world.agree(ue)
    assert mine.suite is theirs.suite is STRONG.suite
    assert mine.rohc is None


def test_the_rohc_channel_is_what_both_can_do(new_world: Worlds) -> None:
    world = new_world(rohc=RohcChannel(max_cid=3, mode="R", profiles=(0, 1, 2, 4)))
    offered = RohcChannel(
        max_cid=15, mode="O", profiles=(0, 2, 3, 4), integrity="hmac-sha2-256-128", icv_bytes=4
    )
    mine, theirs = world.agree(world.ue(ROHC, rohc=offered))
    assert mine.rohc == theirs.rohc
    assert mine.rohc == replace(offered, max_cid=3, profiles=(0, 2, 4))


def test_without_a_common_profile_an_offer_without_compression_is_taken(new_world: Worlds) -> None:
    world = new_world(rohc=RohcChannel(profiles=(0,)))
    ue = AkaInitiator("ue-1", [ROHC, TUNNEL], rohc=RohcChannel(profiles=(2,)))
    mine, _ = world.agree(ue)
    assert not mine.compression
    refused = world.hse.handle(world.ue(ROHC, rohc=RohcChannel(profiles=(2,))).request(), 0.0)
    assert refused.reason is Reason.OFFER_REFUSED
    assert len(world.source.given) == 1


# --- loss and duplication ---------------------------------------------------------------------


def test_every_message_sent_again_gets_the_same_answer_and_no_new_vector(world: World) -> None:
    ue = world.ue()
    assert ue.request() == ue.request() == ue.resend()
    first = world.hse.handle(ue.request(), 0.0)
    assert world.hse.handle(ue.request(), 5.0) == replace(first, session=None)
    assert first.reply is not None
    confirm = world.said(ue, first.reply)
    assert confirm is not None
    assert ue.handle(first.reply) == Reply(data=confirm)
    acknowledged = world.hse.handle(confirm, 6.0)
    assert acknowledged.session is not None
    again = world.hse.handle(confirm, 7.0)
    assert (again.reply, again.session) == (acknowledged.reply, None)
    assert world.hse.handle(ue.request(), 8.0).reply == first.reply
    assert acknowledged.reply is not None
    session = ue.handle(acknowledged.reply)
    assert ue.handle(acknowledged.reply) is session
    assert len(world.hse) == len(world.source.given) == 1


def test_a_lost_acknowledgement_comes_again_with_the_longer_confirm(world: World) -> None:
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    lost = world.hse.handle(confirm, 1.0)
    again = ue.resend()
    assert again == confirm[:5] + b"\x81" + confirm[6:] + ue.request()
    handled = world.hse.handle(again, 20.0)
    assert handled.session is None
    assert handled.reply == lost.reply is not None
    assert isinstance(ue.handle(lost.reply), Session)


def test_what_is_sent_again_is_confirm_and_request_by_turns(world: World) -> None:
    ue = world.ue()
    assert [ue.resend() for _ in range(2)] == [ue.request()] * 2
    handled, confirm = world.until_confirm(ue)
    longer = confirm[:5] + b"\x81" + confirm[6:] + ue.request()
    assert [ue.resend() for _ in range(3)] == [longer, ue.request(), longer]
    assert handled.reply is not None
    other = replace(AkaChallenge.decode(handled.reply), hse_nonce=bytes(16)).encode()
    found = ue.handle(other)
    assert isinstance(found, Reply)
    assert ue.resend()[6:22] == found.data[6:]


def test_the_acknowledgement_is_there_as_long_as_the_session(world: World) -> None:
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    made = world.hse.handle(confirm, 1.0)
    assert made.session is not None
    world.hse.confirm(made.session.inbound.spi)
    assert world.hse.handle(confirm, 1e6).reply == made.reply
    world.hse.release(made.session.inbound.spi)
    gone = world.hse.handle(confirm, 1e6)
    assert (gone.reply, gone.reason) == (None, Reason.UNEXPECTED_MESSAGE)


def test_an_exchange_that_was_forgotten_goes_on_with_the_longer_confirm(
    new_world: Worlds,
) -> None:
    from esp.keying import Limits

    world = new_world(limits=Limits(exchanges=1))
    ue = world.ue(ROHC)
    _, confirm = world.until_confirm(ue)
    for _ in range(3):
        world.hse.handle(world.ue().request(), 1.0)
    assert world.hse.handle(confirm, 2.0).reason is Reason.UNEXPECTED_MESSAGE
    handled = world.hse.handle(ue.resend(), 3.0)
    assert handled.session is not None
    assert handled.reply is not None
    session = ue.handle(handled.reply)
    assert isinstance(session, Session)
    assert session.inbound == handled.session.outbound
    assert len(world.source.given) == 1


def test_no_recorded_confirm_makes_a_session_twice(world: World) -> None:
    """The same keys with the packet counter at 1 again would be the end of both."""
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    longer = ue.resend()
    made = world.hse.handle(confirm, 1.0).session
    assert made is not None
    world.hse.release(made.inbound.spi)
    for data in (confirm, longer):
        handled = world.hse.handle(data, 2.0)
        assert handled.session is None
        assert handled.reply is None
    world.restart()
    for data in (confirm, longer):
        assert world.hse.handle(data, 3.0).session is None


def test_a_recorded_longer_confirm_makes_a_session_twice_when_the_vector_stays_open(
    world: World,
) -> None:
    """The guard of the test above, taken away."""
    ue = world.ue()
    world.until_confirm(ue)
    vector_entry = world.aka._open["ue-1"]
    longer = ue.resend()
    exchange = next(iter(world.aka._exchanges.values()))
    world.aka._drop(exchange)
    first = world.hse.handle(longer, 1.0).session
    assert first is not None
    world.hse.release(first.inbound.spi)
    assert world.hse.handle(longer, 2.0).session is None
    world.aka._open["ue-1"] = vector_entry
    again = world.hse.handle(longer, 3.0).session
    assert again is not None
    assert again.inbound.key == first.inbound.key


# --- what the USIM says -----------------------------------------------------------------------


def test_a_sequence_number_out_of_range_costs_one_resynchronisation(world: World) -> None:
    for _ in range(40):  # the card is ahead of the centre
        vector = world.source.centre.vector("ue-1")
        world.cards["ue-1"].authenticate(vector.rand, vector.autn)
    world.source.centre = type(world.source.centre)(
        world.subscribers, random=world.chance.randbytes
    )
    ue = world.ue()
    mine, theirs = world.agree(ue)
    assert works(mine, theirs)
    assert world.source.resynchronised == 1
    assert len(world.source.given) == 2
    assert ue.failure is None
    world.agree()
    assert world.source.resynchronised == 1


def until_auts(world: World, ue: AkaInitiator) -> bytes:
    """The card has seen the vector already: the confirm with AUTS."""
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    challenge = ue.handle(reply)
    assert isinstance(challenge, Challenge)
    world.cards["ue-1"].authenticate(challenge.rand, challenge.autn)
    answer = world.cards["ue-1"].authenticate(challenge.rand, challenge.autn)
    assert isinstance(answer, AkaSyncFailure)
    return ue.answer(challenge, answer)


def test_a_synchronisation_failure_is_counted_and_answered_the_same_each_time(
    world: World,
) -> None:
    ue = world.ue()
    confirm = until_auts(world, ue)
    assert ue.failure is Reason.SYNCHRONISATION_FAILURE
    assert confirm[5] == 2
    first = world.hse.handle(confirm, 1.0)
    assert first.reason is Reason.SYNCHRONISATION_FAILURE
    for data in (confirm, ue.resend()):
        again = world.hse.handle(data, 2.0)
        assert again.reply == first.reply
    assert world.source.resynchronised == 1
    assert len(world.source.given) == 2


def test_a_second_synchronisation_failure_ends_in_a_notice(world: World) -> None:
    ue = world.ue()
    reply = world.hse.handle(until_auts(world, ue), 1.0).reply
    assert reply is not None
    challenge = ue.handle(reply)
    assert isinstance(challenge, Challenge)
    world.cards["ue-1"].authenticate(challenge.rand, challenge.autn)  # somebody else was faster
    answer = world.cards["ue-1"].authenticate(challenge.rand, challenge.autn)
    handled = world.hse.handle(ue.answer(challenge, answer), 2.0)
    assert handled.reason is Reason.RESYNCHRONISATION_FAILED
    assert world.source.resynchronised == 1
    assert handled.reply is not None
    with pytest.raises(PeerRefused) as caught:
        ue.handle(handled.reply)
    assert caught.value.notice is ue.refusal is Reason.RESYNCHRONISATION_FAILED
    assert "K and OPc" in caught.value.hint


def test_a_forged_synchronisation_failure_changes_nothing(world: World) -> None:
    ue = world.ue()
    handled, confirm = world.until_confirm(ue)
    forged = confirm[:5] + b"\2" + bytes(14)
    refused = world.hse.handle(forged, 1.0)
    assert refused.reason is Reason.RESYNCHRONISATION_FAILED
    assert world.hse.handle(ue.request(), 1.0).reply == handled.reply
    acknowledged = world.hse.handle(confirm, 2.0)
    assert acknowledged.session is not None
    assert (world.source.resynchronised, len(world.source.given)) == (0, 1)


def test_two_exchanges_out_of_step_share_one_resynchronisation(world: World) -> None:
    first, second = world.ue(), world.ue()
    one = until_auts(world, first)
    reply = world.hse.handle(second.request(), 0.0).reply
    assert reply is not None
    other = world.said(second, reply)
    assert other is not None
    assert other[5] == 2
    challenged = world.hse.handle(one, 1.0)
    also = world.hse.handle(other, 1.0)
    assert also.reason is Reason.SYNCHRONISATION_FAILURE
    assert challenged.reply is not None
    assert also.reply is not None
    assert challenged.reply[25:57] == also.reply[25:57]
    assert (world.source.resynchronised, len(world.source.given)) == (1, 2)


def test_a_usim_with_another_key_refuses_the_challenge_and_both_sides_say_so(
    world: World,
) -> None:
    world.cards["ue-1"] = Usim(world.algorithm())
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    assert confirm[5:] == b"\3"
    assert ue.failure is Reason.CHALLENGE_REFUSED
    assert ue.resend() == ue.request()
    handled = world.hse.handle(confirm, 1.0)
    assert (handled.reason, handled.reply) == (Reason.CHALLENGE_REFUSED, None)
    assert ue.session is None
    assert len(world.hse) == 0


def test_a_wrong_res_is_refused_and_told(world: World) -> None:
    ue = world.ue()
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    challenge = ue.handle(reply)
    assert isinstance(challenge, Challenge)
    answer = world.cards["ue-1"].authenticate(challenge.rand, challenge.autn)
    assert isinstance(answer, AkaSuccess)
    wrong = ue.answer(challenge, replace(answer, res=altered(answer.res)))
    handled = world.hse.handle(wrong, 1.0)
    assert handled.reason is Reason.AUTHENTICATION_FAILED
    assert handled.session is None
    assert handled.reply is not None
    with pytest.raises(PeerRefused):
        ue.handle(handled.reply)
    assert ue.refusal is Reason.AUTHENTICATION_FAILED
    right = ue.answer(challenge, answer)
    assert world.hse.handle(right, 2.0).session is not None


def test_res_ck_and_ik_are_in_no_message(world: World) -> None:
    ue = world.ue()
    handled, confirm = world.until_confirm(ue)
    acknowledged = world.hse.handle(confirm, 1.0)
    vector = world.source.given[0]
    sent = b"".join(
        (ue.request(), handled.reply or b"", confirm, ue.resend(), acknowledged.reply or b"")
    )
    for secret in (vector.xres, vector.ck, vector.ik):
        assert secret not in sent
    assert vector.rand + vector.autn in sent


def test_a_busy_usim_is_told_and_may_answer_later(world: World) -> None:
    ue = world.ue()
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    challenge = ue.handle(reply)
    assert isinstance(challenge, Challenge)
    told = ue.answer(challenge, None)
    assert ue.failure is Reason.USIM_UNAVAILABLE
    handled = world.hse.handle(told, 1.0)
    assert (handled.reason, handled.reply) == (Reason.USIM_UNAVAILABLE, None)
    assert ue.resend() == ue.request()
    again = world.hse.handle(ue.request(), 2.0).reply
    assert again == reply
    confirm = world.said(ue, again)
    assert confirm is not None
    assert ue.failure is None
    assert world.hse.handle(confirm, 3.0).session is not None
    assert len(world.source.given) == 1


def test_a_vector_for_attaching_is_refused_for_its_separation_bit(world: World) -> None:
    from esp.aka import Purpose

    attach = world.source.centre.vector("ue-1", Purpose.ATTACH)
    ue = world.ue()
    handled = world.hse.handle(ue.request(), 0.0)
    assert handled.reply is not None
    challenge = AkaChallenge.decode(handled.reply)
    played = replace(challenge, rand=attach.rand, autn=attach.autn).encode()
    with pytest.raises(AuthenticationFailed, match="separation"):
        ue.handle(played)
    open_to_all = world.ue(hierarchy=Hierarchy(check_separation=False))
    to_other = replace(challenge, ue_spi=open_to_all.inbound_spi, rand=attach.rand)
    found = open_to_all.handle(replace(to_other, autn=attach.autn).encode())
    assert isinstance(found, Challenge)
    answer = world.cards["ue-1"].authenticate(found.rand, found.autn)
    assert isinstance(answer, AkaSuccess)  # what the check keeps from happening


# --- refusals by the HSE ----------------------------------------------------------------------


def test_refusals_are_counted_and_told_as_hints(new_world: Worlds) -> None:
    world = new_world(accept=lambda identity, offer: offer.suite is GCM)

    def refusal(ue: AkaInitiator) -> Reason | None:
        handled = world.hse.handle(ue.request(), 0.0)
        assert handled.session is handled.wanted is None
        assert handled.reply is not None
        with pytest.raises(PeerRefused):
            ue.handle(handled.reply)
        assert ue.refusal is handled.reason
        return handled.reason

    assert refusal(world.ue(identity="nobody")) is Reason.UNKNOWN_IDENTITY
    assert refusal(world.ue(STRONG)) is Reason.OFFER_REFUSED
    world.source.fails = NoVector("none left")
    assert refusal(world.ue()) is Reason.NO_VECTOR
    world.source.fails = OSError("the file is gone")
    assert refusal(world.ue()) is Reason.NO_VECTOR
    assert world.aka.pending == 0
    world.source.fails = None
    world.agree()


def test_a_forged_notice_does_not_end_the_exchange(world: World) -> None:
    ue = world.ue()
    request = ue.request()
    forged = b"\x1f" + request[1:5] + request[5:9] + b"\1"
    with pytest.raises(PeerRefused):
        ue.handle(forged)
    with pytest.raises(UnexpectedMessage):
        ue.handle(b"\x1f" + request[1:5] + altered(request[5:9]) + b"\1")
    mine, theirs = world.agree(ue)
    assert works(mine, theirs)


# --- attackers who alter ----------------------------------------------------------------------


def test_every_flipped_bit_of_a_request_ends_without_agreement_and_the_true_one_agrees(
    world: World,
) -> None:
    """The request has no code of its own: the confirm's covers it."""
    ue = world.ue()
    request = ue.request()
    for bit in range(len(request) * 8):
        changed = bytearray(request)
        changed[bit // 8] ^= 0x80 >> bit % 8
        handled = world.hse.handle(bytes(changed), 0.0)
        assert handled.session is None
        if handled.reply is None or handled.reply[0] != 0x22:
            continue
        try:
            confirm = world.said(ue, handled.reply)
        except KeyingRejected:
            continue
        assert confirm is not None
        refused = world.hse.handle(confirm, 0.0)
        assert refused.session is None
        assert refused.reason is Reason.AUTHENTICATION_FAILED
        ue = world.ue()
        request = ue.request()
        world.cards["ue-1"] = Usim(world.algorithms["ue-1"])
    world.agree()


def test_every_flipped_bit_of_a_challenge_ends_without_agreement_and_the_true_one_agrees(
    world: World,
) -> None:
    ue = world.ue(ROHC)
    handled = world.hse.handle(ue.request(), 0.0)
    assert handled.reply is not None
    for bit in range(len(handled.reply) * 8):
        changed = bytearray(handled.reply)
        changed[bit // 8] ^= 0x80 >> bit % 8
        victim = world.ue(ROHC, inbound_spi=ue.inbound_spi)
        victim._request, victim._request_data = ue._request, ue._request_data
        world.cards["ue-1"] = Usim(world.algorithms["ue-1"])
        try:
            confirm = world.said(victim, bytes(changed))
        except KeyingRejected:
            continue
        assert confirm is not None
        refused = world.hse.handle(confirm, 0.0)
        assert refused.session is None
        assert refused.reason in {
            Reason.AUTHENTICATION_FAILED,
            Reason.UNEXPECTED_MESSAGE,
            Reason.CHALLENGE_REFUSED,
            Reason.RESYNCHRONISATION_FAILED,
        }
    world.cards["ue-1"] = Usim(world.algorithms["ue-1"])
    mine, theirs = world.agree(ue)
    assert works(mine, theirs)


@pytest.mark.parametrize("which", ["confirm", "acknowledgement"])
def test_every_flipped_bit_of_what_has_a_code_is_refused_and_the_true_one_still_works(
    world: World, which: str
) -> None:
    ue = world.ue()
    _, confirm = world.until_confirm(ue)
    data = confirm
    if which == "acknowledgement":
        made = world.hse.handle(confirm, 1.0)
        assert made.reply is not None
        data = made.reply
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 0x80 >> bit % 8
        if which == "confirm":
            assert world.hse.handle(bytes(changed), 1.0).session is None
        else:
            with pytest.raises(KeyingRejected):
                ue.handle(bytes(changed))
            assert ue.session is None
    if which == "confirm":
        assert world.hse.handle(confirm, 1.0).session is not None
    else:
        assert isinstance(ue.handle(data), Session)


def weaker(request: bytes) -> bytes:
    """The request without its first proposal."""
    decoded = AkaRequest.decode(request)
    return replace(decoded, proposals=decoded.proposals[1:]).encode()


def downgraded(world: World) -> Session | None:
    """An attacker takes the better proposal out of the request; the session of the HSE, if any."""
    ue = AkaInitiator("ue-1", [STRONG, TUNNEL])
    reply = world.hse.handle(weaker(ue.request()), 0.0).reply
    assert reply is not None
    confirm = world.said(ue, reply)
    assert confirm is not None
    handled = world.hse.handle(confirm, 1.0)
    if handled.reply is not None and handled.reply[0] == 0x24:
        with pytest.raises(AuthenticationFailed):
            ue.handle(handled.reply)
    assert ue.session is None
    return handled.session


def test_an_attacker_who_removes_the_better_offer_gets_no_session(world: World) -> None:
    assert downgraded(world) is None


def test_the_downgrade_passes_when_the_code_of_the_confirm_is_not_checked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responder_module, "hmac", Blind)
    session = downgraded(world)
    assert session is not None
    assert session.suite is GCM


def test_a_forged_acknowledgement_passes_when_its_code_is_not_checked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ue = world.ue()
    world.until_confirm(ue)
    forged = b"\x24" + ue.inbound_spi.to_bytes(4, "big") + bytes(16)
    with pytest.raises(AuthenticationFailed):
        ue.handle(forged)
    monkeypatch.setattr(initiator_module, "hmac", Blind)
    assert isinstance(ue.handle(forged), Session)


def test_a_challenge_that_grants_what_was_not_offered_is_refused(world: World) -> None:
    ue = world.ue(ROHC)
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    challenge = AkaChallenge.decode(reply)
    for granted in (
        replace(challenge, proposal=TRANSPORT.encode(), rohc=None),
        replace(challenge, rohc=RohcChannel(mode="R")),
        replace(challenge, rohc=RohcChannel(integrity="hmac-sha1-96")),
    ):
        with pytest.raises(UnexpectedMessage, match="not offered"):
            ue.handle(granted.encode())
    with pytest.raises(UnexpectedMessage, match="another request"):
        ue.handle(replace(challenge, ue_spi=challenge.ue_spi ^ 1).encode())


# --- attackers who replay ---------------------------------------------------------------------


def test_a_replayed_challenge_costs_one_authenticate_and_the_true_one_agrees(
    world: World,
) -> None:
    old = world.ue()
    recorded, _ = world.until_confirm(old)
    assert recorded.reply is not None
    world.agree(old)
    ue = world.ue()
    true = world.hse.handle(ue.request(), 1.0).reply
    assert true is not None
    replayed = replace(AkaChallenge.decode(recorded.reply), ue_spi=ue.inbound_spi).encode()
    confirm = world.said(ue, replayed)
    assert confirm is not None
    assert confirm[5] == 2  # the USIM knows this sequence number
    handled = world.hse.handle(confirm, 1.0)
    assert handled.session is None
    assert ue.handle(replayed) == Reply(data=confirm)  # again, and the USIM is left in peace
    mine, theirs = world.agree(ue, 2.0)
    assert works(mine, theirs)
    assert world.source.resynchronised == 0


def test_the_usim_is_asked_four_times_at_most_in_one_exchange(world: World) -> None:
    ue = world.ue()
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    challenge = AkaChallenge.decode(reply)
    asked = 0
    for number in range(10):
        forged = replace(challenge, rand=bytes((number,)) * 16).encode()
        try:
            found = ue.handle(forged)
        except UnexpectedMessage:
            continue
        assert isinstance(found, Challenge)
        asked += 1
        ue.answer(found, AkaMacFailure())
    assert asked == 4


def test_no_more_than_eight_challenges_are_answered_in_one_exchange(world: World) -> None:
    ue = world.ue()
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    world.said(ue, reply)
    challenge = AkaChallenge.decode(reply)
    answered = 0
    for number in range(20):
        try:
            found = ue.handle(replace(challenge, hse_nonce=bytes((number,)) * 16).encode())
        except UnexpectedMessage:
            continue
        assert isinstance(found, Reply)
        answered += 1
    assert answered == 7


def test_a_true_challenge_with_another_nonce_around_it_is_answered_without_harm(
    world: World,
) -> None:
    """The attacker has the vector from a request of his own, and hands it to the UE early."""
    his = world.hse.handle(world.ue().request(), 0.0).reply
    assert his is not None
    ue = world.ue()
    true = world.hse.handle(ue.request(), 0.0).reply
    assert true is not None
    early = replace(AkaChallenge.decode(his), ue_spi=ue.inbound_spi).encode()
    confirm = world.said(ue, early)
    assert confirm is not None
    refused = world.hse.handle(confirm, 1.0)
    assert refused.reason is Reason.AUTHENTICATION_FAILED
    found = ue.handle(true)
    assert isinstance(found, Reply)  # the USIM's answer is known: nothing is out of step
    acknowledged = world.hse.handle(found.data, 1.0)
    assert acknowledged.reply is not None
    assert isinstance(ue.handle(acknowledged.reply), Session)
    assert len(world.source.given) == 1


def test_an_acknowledgement_of_another_exchange_is_refused(world: World) -> None:
    first = world.ue(inbound_spi=5000)
    _, confirm = world.until_confirm(first)
    recorded = world.hse.handle(confirm, 0.0).reply
    assert recorded is not None
    second = world.ue(inbound_spi=5000)
    world.until_confirm(second, 1.0)
    with pytest.raises(AuthenticationFailed):
        second.handle(recorded)
    with pytest.raises(UnexpectedMessage):
        world.ue().handle(recorded)


def test_before_a_confirm_no_acknowledgement_is_believed(world: World) -> None:
    ue = world.ue()
    with pytest.raises(AuthenticationFailed):
        ue.handle(b"\x24" + ue.inbound_spi.to_bytes(4, "big") + bytes(16))


def test_messages_reflected_to_their_sender_are_refused(world: World) -> None:
    ue = world.ue()
    handled, confirm = world.until_confirm(ue)
    for data in (ue.request(), confirm, ue.resend()):
        with pytest.raises(MalformedMessage):
            ue.handle(data)
    acknowledged = world.hse.handle(confirm, 1.0)
    for data in (handled.reply, acknowledged.reply, b"\x2f", b"\x20"):
        assert data is not None
        assert world.hse.handle(data, 1.0).reason is Reason.UNEXPECTED_MESSAGE
    assert world.hse.handle(b"", 1.0).reason is Reason.MALFORMED_MESSAGE


def test_after_the_exchange_nothing_else_is_taken(world: World) -> None:
    ue = world.ue()
    handled, _ = world.until_confirm(ue)
    world.agree(ue)
    assert handled.reply is not None
    with pytest.raises(UnexpectedMessage):
        ue.handle(handled.reply)


# --- local mistakes and secrets ---------------------------------------------------------------


@pytest.mark.parametrize("identity", ["", "x" * 129, "line\nbreak", "\ud800"])
def test_an_identity_that_cannot_be_sent_is_refused(identity: str) -> None:
    with pytest.raises(InvalidParameter):
        AkaInitiator(identity, TUNNEL)


@pytest.mark.parametrize("spi", [0, 255, 1 << 32])
def test_a_reserved_inbound_spi_is_refused(spi: int) -> None:
    with pytest.raises(InvalidParameter):
        AkaInitiator("ue-1", TUNNEL, inbound_spi=spi)


def test_one_combination_at_least_and_sixteen_at_most_are_offered() -> None:
    for offers in ([], [TUNNEL] * 17):
        with pytest.raises(InvalidParameter):
            AkaInitiator("ue-1", offers)


def test_neither_identity_nor_key_shows_in_anything_printable(new_world: Worlds) -> None:
    identity = "CANARY-001010000000001"
    world = new_world(identity, ask_at_once=False)
    ue = world.ue(identity=identity)
    texts = [repr(ue), repr(world.aka)]
    wanted = world.hse.handle(ue.request(), 0.0)
    texts.append(repr(wanted))
    assert wanted.wanted is not None
    vector = world.source.vector(identity)
    handled = world.hse.supply(wanted.wanted.token, vector, 0.0)
    texts.append(repr(handled))
    assert handled.reply is not None
    challenge = ue.handle(handled.reply)
    assert isinstance(challenge, Challenge)
    answer = world.cards[identity].authenticate(challenge.rand, challenge.autn)
    confirm = ue.answer(challenge, answer)
    made = world.hse.handle(confirm, 0.0)
    assert made.reply is not None
    mine = ue.handle(made.reply)
    texts += [repr(challenge), repr(mine), repr(made.session), repr(AkaConfirm.decode(confirm))]
    texts += [repr(AkaRequest.decode(ue.request())), repr(ue.handle(made.reply)), repr(ue)]
    for data in (b"", b"\x21", b"\x22" + bytes(60), b"\x24" + bytes(20)):
        with pytest.raises(KeyingRejected) as caught:
            world.ue(identity=identity).handle(data)
        texts += [str(caught.value), repr(caught.value), caught.value.hint]
        texts.append(repr(world.hse.handle(data, 0.0)))
    assert isinstance(mine, Session)
    keys = [vector.ck, vector.ik, vector.xres, vector.rand, vector.autn]
    keys += [mine.inbound.key, mine.outbound.key]
    for text in texts:
        assert "CANARY" not in text
        for key in keys:
            assert key.hex() not in text
            assert repr(key)[2:-1] not in text


def test_results_have_the_numbers_of_the_documentation() -> None:
    assert [one.value for one in Result] == [1, 2, 3, 4]


def test_a_challenge_that_comes_again_while_the_usim_is_asked_is_not_put_to_it_twice(
    world: World,
) -> None:
    """To a second time it would say that the number is not fresh."""
    ue = world.ue()
    reply = world.hse.handle(ue.request(), 0.0).reply
    assert reply is not None
    challenge = ue.handle(reply)
    assert isinstance(challenge, Challenge)
    with pytest.raises(UnexpectedMessage, match="being asked"):
        ue.handle(reply)
    ue.answer(challenge, None)  # it was busy
    again = ue.handle(reply)
    assert isinstance(again, Challenge)
    answer = world.cards["ue-1"].authenticate(again.rand, again.autn)
    handled = world.hse.handle(ue.answer(again, answer), 1.0)
    assert handled.reply is not None
    assert ue.handle(handled.reply) is ue.session
