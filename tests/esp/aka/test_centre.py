"""The authentication centre: vectors, resynchronisation, indices of its own, kills."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aka_cases import (
    ALGORITHMS,
    IDENTITY,
    OPC,
    K,
    Memory,
    agree,
    card,
    centre,
    present,
    subscriber,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from esp.aka import (
    PROFILE_1,
    PROFILE_2,
    PROFILE_3,
    AkaAlgorithm,
    AkaMacFailure,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    AuthenticationVector,
    Milenage,
    Purpose,
    SequenceProfile,
    Usim,
    VectorSource,
    separation_bit,
)
from esp.errors import (
    InvalidParameter,
    NoVector,
    Reason,
    RemoteError,
    ResynchronisationFailed,
    UnknownIdentity,
)
from esp.store import SequenceStore
from esp.store_file import open_store

posix = pytest.mark.skipif(sys.platform == "win32", reason="fork is POSIX only")


def sqn(vector: AuthenticationVector) -> bytes:
    """What is hidden in AUTN."""
    ak = Milenage(k=K, opc=OPC).f2345(vector.rand)[3]
    return bytes(a ^ b for a, b in zip(vector.autn[:6], ak, strict=True))


def seq(vector: AuthenticationVector) -> int:
    return PROFILE_2.split(sqn(vector))[0]


# --- vectors ----------------------------------------------------------------------------------


def test_a_centre_is_a_source_of_vectors() -> None:
    source: VectorSource = centre()
    assert isinstance(present(card(), source.vector(IDENTITY)), AkaSuccess)


def test_each_vector_has_a_challenge_and_a_number_of_its_own() -> None:
    home = centre()
    vectors = [home.vector(IDENTITY) for _ in range(100)]
    assert len({vector.rand for vector in vectors}) == 100
    assert [seq(vector) for vector in vectors] == list(range(1, 101))
    assert len({vector.ck for vector in vectors} | {vector.ik for vector in vectors}) == 200


def test_challenges_come_from_where_they_are_said_to() -> None:
    vectors = [centre(random=random.Random(7).randbytes).vector(IDENTITY) for _ in range(2)]
    assert vectors[0] == vectors[1]


def test_subscribers_do_not_share_anything() -> None:
    other = Milenage(k=OPC, opc=OPC)
    home = AuthenticationCentre([subscriber(), subscriber(identity="other", algorithm=other)])
    assert len(home) == 2
    usims = {IDENTITY: card(), "other": Usim(other)}
    for identity in (IDENTITY, "other", "other", IDENTITY):
        vector = home.vector(identity)
        assert isinstance(present(usims[identity], vector), AkaSuccess)
        wrong = usims["other" if identity == IDENTITY else IDENTITY]
        assert present(wrong, vector) == AkaMacFailure()
    assert seq(home.vector(IDENTITY)) == 3


def test_an_unknown_subscriber_is_the_other_sides_fault() -> None:
    home = centre()
    for call in (
        lambda: home.vector("nobody"),
        lambda: home.resynchronise("nobody", bytes(16), bytes(14)),
    ):
        with pytest.raises(UnknownIdentity) as caught:
            call()
        assert caught.value.reason is Reason.UNKNOWN_IDENTITY
        assert caught.value.hint
        assert "nobody" not in str(caught.value)


@pytest.mark.parametrize("amf", ["0000", "7fff", "8000", "ffff"])
def test_the_separation_bit_says_what_a_vector_is_for(amf: str) -> None:
    """TS 33.102 Annex H: set for EPS and never otherwise, whatever AMF says; the rest stays."""
    one = subscriber(amf=bytes.fromhex(amf))
    home = AuthenticationCentre([one])
    got = {purpose: home.vector(IDENTITY, purpose).autn[6:8] for purpose in Purpose}
    assert separation_bit(got[Purpose.ATTACH])
    assert not separation_bit(got[Purpose.HSE])
    for value in got.values():
        assert int.from_bytes(value, "big") & 0x7FFF == int(amf, 16) & 0x7FFF
    bound = AuthenticationCentre([one], hse_separation_bit=True).vector(IDENTITY)
    assert separation_bit(bound.autn[6:8])


def test_the_first_number_follows_the_configured_one() -> None:
    home = AuthenticationCentre([subscriber(sqn=PROFILE_2.join(1000, 31))])
    assert seq(home.vector(IDENTITY)) == 1001


def test_after_the_last_number_there_is_no_vector_and_nothing_starts_again() -> None:
    last = PROFILE_2.last_seq
    store = SequenceStore(Memory())
    one = subscriber(sqn=PROFILE_2.join(last - 1, 0))
    home = AuthenticationCentre([one], store=store)
    assert seq(home.vector(IDENTITY)) == last
    for spent in (home, home, AuthenticationCentre([one], store=store)):
        with pytest.raises(NoVector, match="last sequence number") as caught:
            spent.vector(IDENTITY)
        assert isinstance(caught.value, RemoteError)


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        ({"hse_indices": range(16, 33)}, {}, "not among 0 to 31"),
        ({"attach_indices": range(0)}, {}, "not among 0 to 31"),
        ({}, {"profile": SequenceProfile(ind_bits=4)}, "not among 0 to 15"),
        ({}, {"profile": PROFILE_1}, "a clock, and there is none"),
        ({}, {"ahead": 0}, "are reserved at a time"),
        ({}, {"ahead": 1 << 33}, "are reserved at a time"),
    ],
)
def test_a_centre_that_can_not_work_is_refused(
    changes: dict[str, Any], options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidParameter, match=expected):
        AuthenticationCentre([subscriber(**changes)], **options)


def test_one_identity_stands_for_one_subscriber() -> None:
    with pytest.raises(InvalidParameter, match="same identity") as caught:
        AuthenticationCentre([subscriber(), subscriber()])
    assert IDENTITY not in str(caught.value)


# --- resynchronisation ------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALGORITHMS.values(), ids=list(ALGORITHMS))
@pytest.mark.parametrize("known", [0, 1, 5000, PROFILE_2.delta + 1, PROFILE_2.last_seq - 1])
@pytest.mark.parametrize("start", [0, 17, 2**28 + 1, 2**40, 2**43 - 1])
def test_wherever_card_and_centre_are_one_resynchronisation_is_enough(
    make: Callable[[], AkaAlgorithm], known: int, start: int
) -> None:
    usim = Usim(make(), accepted=(0,) * 20 + (known,) + (0,) * 11)
    home = AuthenticationCentre(
        [subscriber(algorithm=make(), sqn=PROFILE_2.join(start, 0))],
        store=SequenceStore(Memory()),
    )
    try:
        assert agree(home, usim) <= 1
        assert agree(home, usim) == 0
    except NoVector:
        assert max(known, start) >= PROFILE_2.last_seq - 1


@settings(deadline=None, max_examples=60)
@given(
    known=st.lists(st.integers(0, 2**43 - 100), min_size=32, max_size=32),
    start=st.integers(0, 2**43 - 100),
    more=st.integers(1, 40),
)
def test_a_card_of_any_past_is_synchronised_once_at_most(
    known: list[int], start: int, more: int
) -> None:
    usim = card(accepted=known)
    home = AuthenticationCentre([subscriber(sqn=PROFILE_2.join(start, 0))])
    assert sum(agree(home, usim) for _ in range(more)) <= 1


@pytest.mark.parametrize("profile", [PROFILE_1, PROFILE_3], ids=["partly", "entirely"])
@pytest.mark.parametrize("known", [0, 7000, 2**42])
def test_with_a_clock_it_is_enough_as_well(profile: SequenceProfile, known: int) -> None:
    now = [1.7e9]
    usim = card(profile=profile, accepted=(known,) * 32)
    home = centre(profile=profile, clock=lambda: now[0])
    assert agree(home, usim) <= 1
    for passed in (0, 0.05, 3600, 86400 * 30, -5):
        now[0] += passed
        assert agree(home, usim) == 0


@given(bit=st.integers(0, 8 * 14 - 1))
def test_no_bit_of_auts_can_be_changed(bit: int) -> None:
    home, usim = centre(), card(accepted=(900,) * 32)
    vector = home.vector(IDENTITY)
    answer = present(usim, vector)
    assert isinstance(answer, AkaSyncFailure)
    changed = (int.from_bytes(answer.auts, "big") ^ (1 << bit)).to_bytes(14, "big")
    with pytest.raises(ResynchronisationFailed, match="MAC-S") as caught:
        home.resynchronise(IDENTITY, vector.rand, changed)
    assert caught.value.reason is Reason.RESYNCHRONISATION_FAILED
    assert seq(home.vector(IDENTITY)) == 2


def test_auts_belongs_to_the_challenge_that_it_answers() -> None:
    home, usim = centre(), card(accepted=(900,) * 32)
    first, second = home.vector(IDENTITY), home.vector(IDENTITY)
    answer = present(usim, first)
    assert isinstance(answer, AkaSyncFailure)
    with pytest.raises(ResynchronisationFailed):
        home.resynchronise(IDENTITY, second.rand, answer.auts)
    assert seq(home.vector(IDENTITY)) == 3


def test_without_the_check_anybody_could_use_up_all_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = centre()
    monkeypatch.setattr("esp.aka.centre.hmac.compare_digest", lambda one, other: True)
    star = Milenage(k=K, opc=OPC).f5_star(bytes(16))
    forged = bytes(a ^ 0xFF for a in star) + bytes(8)
    home.resynchronise(IDENTITY, bytes(16), forged)
    with pytest.raises(NoVector):
        home.vector(IDENTITY)


@pytest.mark.parametrize("size", [0, 13, 15, 16, 1000])
def test_auts_of_another_size_is_the_other_sides_fault(size: int) -> None:
    with pytest.raises(ResynchronisationFailed, match=f"AUTS has {size} octets, not 14"):
        centre().resynchronise(IDENTITY, bytes(16), bytes(size))


def test_an_auts_that_comes_again_sets_nothing_back() -> None:
    home, usim = centre(store=SequenceStore(Memory())), card(accepted=(900,) * 32)
    vector = home.vector(IDENTITY)
    answer = present(usim, vector)
    assert isinstance(answer, AkaSyncFailure)
    for _ in range(3):
        home.resynchronise(IDENTITY, vector.rand, answer.auts)
        assert agree(home, usim) == 0
    assert seq(home.vector(IDENTITY)) == 904


def test_a_centre_that_ran_too_far_ahead_goes_back_and_stays_there_after_a_restart() -> None:
    log = Memory()
    one = subscriber(sqn=PROFILE_2.join(2**40, 0))
    usim = card()
    home = AuthenticationCentre([one], store=SequenceStore(log))
    assert agree(home, usim) == 1
    assert seq(home.vector(IDENTITY)) == 2
    again = AuthenticationCentre([one], store=SequenceStore(Memory(), log.durable))
    assert 2 < seq(again.vector(IDENTITY)) <= 2 + 32
    assert agree(again, usim) == 0


# --- indices of its own -----------------------------------------------------------------------


def storm(hse: range, attach: range, *, two_centres: bool, batch: int, rounds: int) -> int:
    """Resynchronisations while a network attaches from batches and an HSE asks in between.

    The network's node fetches a batch of vectors and uses one after the other (TS 33.102 section
    6.3.2); after a resynchronisation it throws its batch away. The HSE fetches each when it needs
    it. With two centres, each counts for itself, and hears of the other from the card alone.
    """
    one = subscriber(hse_indices=hse, attach_indices=attach)
    home = AuthenticationCentre([one])
    network = AuthenticationCentre([one]) if two_centres else home
    usim, held, count = card(), list[AuthenticationVector](), 0
    for _ in range(rounds):
        count += agree(home, usim)
        for _ in range(3):
            if not held:
                held = [network.vector(IDENTITY, Purpose.ATTACH) for _ in range(batch)]
            vector = held.pop(0)
            answer = present(usim, vector)
            if isinstance(answer, AkaSuccess):
                break
            assert isinstance(answer, AkaSyncFailure)
            count += 1
            network.resynchronise(IDENTITY, vector.rand, answer.auts)
            held = []
        else:
            raise AssertionError("never attached")
    return count


@pytest.mark.parametrize("two_centres", [False, True])
@pytest.mark.parametrize(
    ("hse", "attach"),
    [(range(1, 2), range(1)), (range(16, 32), range(16)), (range(4, 32), range(4))],
)
def test_attaching_between_hse_authentications_causes_no_resynchronisation(
    hse: range, attach: range, two_centres: bool
) -> None:
    assert storm(hse, attach, two_centres=two_centres, batch=5, rounds=200) == 0


@pytest.mark.parametrize(
    ("shared", "two_centres", "expected"),
    [(range(1), False, 199), (range(1), True, 399), (range(16), False, 1), (range(16), True, 2)],
)
def test_with_indices_in_common_they_would_disturb_each_other(
    shared: range, two_centres: bool, expected: int
) -> None:
    """One for both is a storm: a resynchronisation in nearly every round, or in both its halves."""
    assert storm(shared, shared, two_centres=two_centres, batch=5, rounds=200) == expected


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.sampled_from(["hse", "fetch", "attach"]), max_size=80),
    two_centres=st.booleans(),
)
def test_in_any_order_with_indices_of_their_own_every_challenge_is_fresh(
    steps: list[str], two_centres: bool
) -> None:
    home = centre()
    network = centre() if two_centres else home
    usim, held = card(), list[AuthenticationVector]()
    for step in steps:
        if step == "fetch":
            held.append(network.vector(IDENTITY, Purpose.ATTACH))
        elif step == "hse":
            assert isinstance(present(usim, home.vector(IDENTITY)), AkaSuccess)
        elif held:
            assert isinstance(present(usim, held.pop(0)), AkaSuccess)


def test_challenges_under_way_may_overtake_each_other() -> None:
    """As many as there are indices: the last one first."""
    home, usim = centre(), card()
    for vector in reversed([home.vector(IDENTITY) for _ in range(16)]):
        assert isinstance(present(usim, vector), AkaSuccess)
    vectors = [home.vector(IDENTITY) for _ in range(17)]
    answers = [present(usim, vector) for vector in reversed(vectors)]
    assert isinstance(answers[-1], AkaSyncFailure), "one more than there are indices"
    assert all(isinstance(answer, AkaSuccess) for answer in answers[:-1])


# --- numbers that survive -----------------------------------------------------------------------


def test_a_number_is_durable_before_its_vector_leaves() -> None:
    log = Memory()
    home = centre(store=SequenceStore(log), ahead=10)
    for count in range(1, 35):
        used = sqn(home.vector(IDENTITY))
        restarted = centre(store=SequenceStore(Memory(), log.durable))
        assert sqn(restarted.vector(IDENTITY)) > used
        assert log.syncs == -(-count // 10), "ten numbers cost one write"


@settings(deadline=None, max_examples=60)
@given(
    runs=st.lists(
        st.tuples(st.integers(0, 25), st.booleans(), st.integers(0, 31)), min_size=1, max_size=6
    ),
    ahead=st.integers(1, 12),
)
def test_over_restarts_with_a_torn_tail_no_number_comes_again(
    runs: list[tuple[int, bool, int]], ahead: int
) -> None:
    recorded, used, usim = b"", list[bytes](), card()
    for count, resynchronise, torn in runs:
        log = Memory(recorded)
        home = centre(store=SequenceStore(log, recorded), ahead=ahead)
        if resynchronise:
            usim = card(accepted=tuple(seq + 40 for seq in usim.accepted))
            assert agree(home, usim) <= 1
        for _ in range(count):
            vector = home.vector(IDENTITY)
            assert isinstance(present(usim, vector), AkaSuccess)
            used.append(sqn(vector))
        recorded = log.durable + b"\x01" * torn
        recorded = recorded[: len(recorded) // 32 * 32]
    numbers = [PROFILE_2.split(one)[0] for one in used]
    assert numbers == sorted(set(numbers))


def test_without_the_store_a_restart_would_begin_again() -> None:
    assert sqn(centre().vector(IDENTITY)) == sqn(centre().vector(IDENTITY))


def test_a_subscriber_with_a_new_key_begins_where_it_is_told_to() -> None:
    store = SequenceStore(Memory())
    home = centre(store=store)
    for _ in range(50):
        home.vector(IDENTITY)
    replaced = Milenage(k=OPC, opc=OPC)
    fresh = AuthenticationCentre([subscriber(algorithm=replaced)], store=store)
    assert agree(fresh, Usim(replaced)) == 0
    assert seq(centre(store=store).vector(IDENTITY)) == 65, "and the old one goes on"


def test_when_the_disk_is_full_no_vector_leaves() -> None:
    log = Memory()
    home = centre(store=SequenceStore(log))
    log.fail = True
    for _ in range(2):
        with pytest.raises(NoVector, match="No space left") as caught:
            home.vector(IDENTITY)
        assert caught.value.reason is Reason.NO_VECTOR
        assert "disk full" in caught.value.hint
    log.fail = False
    assert seq(home.vector(IDENTITY)) == 1


def test_the_store_is_compacted_when_it_has_grown() -> None:
    log = Memory()
    store = SequenceStore(log)
    home = centre(store=store, ahead=1)
    for _ in range(1500):
        home.vector(IDENTITY)
    assert len(log.durable) < 1500 * 32
    assert seq(centre(store=SequenceStore(Memory(), log.durable)).vector(IDENTITY)) == 1501


@posix
@pytest.mark.parametrize("seed", range(3 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))))
def test_killed_at_any_moment_a_centre_issues_no_number_twice(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """A child tells each SQN that it issues; SIGKILL comes when it comes."""
    chance = random.Random(seed)
    path = tmp_path / "sequence"
    used: list[bytes] = []
    for _ in range(4):
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that other tests may have left threads behind
            child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                store, _log = open_store(path)
                home = centre(store=store, ahead=3)
                while True:
                    os.write(writer, sqn(home.vector(IDENTITY)))
            finally:
                os._exit(1)
        os.close(writer)
        data = os.read(reader, 6)
        time.sleep(chance.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while chunk := os.read(reader, 65536):
            data += chunk
        os.close(reader)
        used += [data[at : at + 6] for at in range(0, len(data) - 5, 6)]
    assert len(used) >= 4
    numbers = [PROFILE_2.split(one)[0] for one in used]
    assert numbers == sorted(set(numbers))
    record_property("figure: kills of an authentication centre", 4)
    record_property("figure: SQNs issued before a kill", len(numbers))
    record_property("figure: SQNs issued twice", len(numbers) - len(set(numbers)))
