"""Sequence numbers: what Annex C of TS 33.102 says, each rule for itself and all at random."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp.aka import (
    PROFILE_1,
    PROFILE_2,
    PROFILE_3,
    SequenceGenerator,
    SequenceProfile,
    SequenceVerifier,
)
from esp.errors import InvalidParameter

SMALL = SequenceProfile(ind_bits=2, delta=10, age_limit=6)


def sqn(profile: SequenceProfile, seq: int, ind: int = 0) -> bytes:
    return profile.join(seq, ind)


# --- layout -----------------------------------------------------------------------------------


@given(
    ind_bits=st.integers(0, 16),
    number=st.integers(0, (1 << 48) - 1),
)
def test_an_sqn_is_taken_apart_and_put_together_again(ind_bits: int, number: int) -> None:
    profile = SequenceProfile(ind_bits=ind_bits)
    octets = number.to_bytes(6, "big")
    seq, ind = profile.split(octets)
    assert profile.join(seq, ind) == octets
    assert seq * 2**ind_bits + ind == number


def test_ind_is_the_end_of_the_number() -> None:
    assert PROFILE_2.join(1, 3).hex() == "000000000023"
    assert PROFILE_2.last_seq == 2**43 - 1
    assert list(SMALL.indices) == [0, 1, 2, 3]


@pytest.mark.parametrize(("seq", "ind"), [(-1, 0), (2**43, 0), (0, 32), (0, -1)])
def test_what_does_not_fit_is_refused(seq: int, ind: int) -> None:
    with pytest.raises(InvalidParameter, match="SEQ has 43 bits and IND 5"):
        PROFILE_2.join(seq, ind)


@pytest.mark.parametrize(
    "changes",
    [
        {"ind_bits": -1},
        {"ind_bits": 17},
        {"delta": 0},
        {"delta": 2**43},
        {"age_limit": 0},
        {"clock_bits": 44},
        {"clock_bits": -1},
        {"clock_unit_s": 0.0},
        {"burst": 0},
        {"clock_bits": 16, "burst": 1 << 16},
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        SequenceProfile(**changes)


# --- generation ---------------------------------------------------------------------------------


def test_a_counter_counts() -> None:
    generator = SequenceGenerator(PROFILE_2, 41, now=0)
    assert generator.upcoming(now=1e9) == 42
    assert generator.upcoming(now=1e9) == 42
    generator.seq = 42
    assert generator.upcoming(now=0) == 43


PARTLY = SequenceProfile(ind_bits=0, clock_bits=8, clock_unit_s=1, burst=16)


@pytest.mark.parametrize(
    ("seq", "clock", "expected", "why"),
    [
        (0x100, 0x01, 0x101, "the clock is ahead by one"),
        (0x100, 0x80, 0x180, "the clock is ahead by half its period"),
        (0x100, 0xF0, 0x1F0, "the clock is ahead by the most: p - D"),
        (0x100, 0xF1, 0x101, "one more would be a burst that went over the wrap"),
        (0x1FF, 0xFE, 0x200, "a burst ran ahead of the clock and over its wrap"),
        (0x180, 0x80, 0x181, "the second number in one step"),
        (0x18F, 0x80, 0x190, "the last number of a burst"),
        (0x190, 0x80, 0x280, "the clock wrapped"),
        (0x1FF, 0x00, 0x200, "the clock wrapped just now"),
        (0x1FF, 0x100, 0x200, "the clock counts modulo its period"),
    ],
)
def test_a_clock_in_the_last_bits(seq: int, clock: int, expected: int, why: str) -> None:
    assert SequenceGenerator(PARTLY, seq, now=0).upcoming(now=clock) == expected, why


@settings(deadline=None)
@given(
    start=st.integers(0, 1 << 20),
    steps=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 12)), max_size=30),
)
def test_with_a_clock_numbers_only_grow_and_never_by_more_than_its_period(
    start: int, steps: list[tuple[int, int]]
) -> None:
    generator, now = SequenceGenerator(PARTLY, start, now=0), 0
    for passed, count in steps:
        now += passed
        for _ in range(count):
            seq = generator.upcoming(now)
            assert generator.seq < seq <= generator.seq + 2**PARTLY.clock_bits
            generator.seq = seq


def test_a_number_that_is_all_clock_keeps_its_difference() -> None:
    generator = SequenceGenerator(PROFILE_3, 0, now=1.7e9)
    assert generator.upcoming(now=1.7e9) == 1, "a fresh card starts at zero, whatever the date is"
    assert generator.upcoming(now=1.7e9 + 60) == 600
    generator.seq = 600
    assert generator.upcoming(now=1.7e9 + 60) == 601, "two within one step"
    generator.reset(5000, now=1.7e9 + 60)
    assert generator.upcoming(now=1.7e9 + 160) == 6000
    assert generator.upcoming(now=0) == 5001, "a clock that was set back does not matter"


@pytest.mark.parametrize("profile", [PROFILE_1, PROFILE_2, PROFILE_3])
def test_ten_years_of_daily_numbers_are_all_accepted_by_a_card(profile: SequenceProfile) -> None:
    generator, verifier = SequenceGenerator(profile, 0, now=1.7e9), SequenceVerifier(profile)
    for day in range(3653):
        seq = generator.upcoming(1.7e9 + 86400 * day)
        assert verifier.accept(profile.join(seq, day % 32))
        generator.seq = seq


def test_behind_the_last_number_there_is_none() -> None:
    last = PROFILE_2.last_seq
    assert SequenceGenerator(PROFILE_2, last, now=0).upcoming(0) == last + 1
    assert not PROFILE_2.follows(last + 1, last)
    assert PROFILE_2.follows(last, last - 1)


# --- verification -------------------------------------------------------------------------------


def test_each_index_has_a_number_of_its_own() -> None:
    verifier = SequenceVerifier(PROFILE_2)
    assert verifier.accept(sqn(PROFILE_2, 5, 1))
    assert not verifier.accept(sqn(PROFILE_2, 5, 1))
    assert not verifier.accept(sqn(PROFILE_2, 4, 1))
    assert verifier.accept(sqn(PROFILE_2, 4, 2))
    assert verifier.accept(sqn(PROFILE_2, 5, 2))
    assert verifier.accepted[:4] == (0, 5, 5, 0)


def test_zero_is_never_fresh() -> None:
    assert not SequenceVerifier().accept(bytes(6))
    assert not SequenceVerifier().accept(sqn(PROFILE_2, 0, 31))


def test_the_highest_number_is_the_one_of_any_index() -> None:
    verifier = SequenceVerifier(PROFILE_2)
    assert verifier.highest == sqn(PROFILE_2, 0, 31)
    for seq, ind in ((7, 3), (9, 2), (9, 1), (8, 30)):
        assert verifier.accept(sqn(PROFILE_2, seq, ind))
    assert verifier.highest == sqn(PROFILE_2, 9, 2)


def test_a_step_of_delta_is_accepted_and_one_more_is_not() -> None:
    verifier = SequenceVerifier(SMALL)
    assert not verifier.accept(sqn(SMALL, 11, 0))
    assert verifier.accept(sqn(SMALL, 10, 0))
    assert not verifier.accept(sqn(SMALL, 21, 1)), "the step counts from the highest of all"
    assert verifier.accept(sqn(SMALL, 20, 1))
    wide = SequenceProfile(ind_bits=2, delta=SMALL.last_seq)
    assert SequenceVerifier(wide, (20, 0, 0, 0)).accept(sqn(wide, 31, 1)), "and delta alone forbids"


def test_what_is_older_than_the_age_limit_is_refused_under_any_index() -> None:
    accepted = (20, 0, 0, 0)
    assert SequenceVerifier(SMALL, accepted).accept(sqn(SMALL, 15, 1))
    assert not SequenceVerifier(SMALL, accepted).accept(sqn(SMALL, 14, 1))
    ageless = SequenceProfile(ind_bits=2, delta=10)
    assert SequenceVerifier(ageless, accepted).accept(sqn(ageless, 1, 1)), "L alone forbids it"


def test_at_the_end_of_the_numbers_nothing_wraps_around() -> None:
    last = SMALL.last_seq
    verifier = SequenceVerifier(SMALL, (last - 1,) * 4)
    assert verifier.accept(sqn(SMALL, last, 0))
    for seq in (0, 1, 2, last - 1, last):
        assert not verifier.accept(sqn(SMALL, seq, 0))
    assert verifier.highest == sqn(SMALL, last, 0)


def test_without_delta_one_forged_jump_would_use_up_all_numbers() -> None:
    """Why delta is there: a single vector with the last SEQ, and the card is dead."""
    wide = SequenceProfile(delta=PROFILE_2.last_seq)
    for profile, dead in ((PROFILE_2, False), (wide, True)):
        verifier = SequenceVerifier(profile)
        assert verifier.accept(sqn(profile, profile.last_seq, 0)) is dead
        assert verifier.accept(sqn(profile, 1, 0)) is not dead


@settings(deadline=None)
@given(
    numbers=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60),
)
def test_no_number_is_accepted_twice_nor_after_a_later_one_of_its_index(
    numbers: list[tuple[int, int]],
) -> None:
    verifier = SequenceVerifier(SMALL)
    accepted: dict[int, list[int]] = {ind: [0] for ind in SMALL.indices}
    for seq, ind in numbers:
        before, highest = verifier.accepted, max(verifier.accepted)
        taken = verifier.accept(sqn(SMALL, seq, ind))
        allowed = seq > accepted[ind][-1] and seq - highest <= 10 and highest - seq < 6
        assert taken is allowed
        if taken:
            accepted[ind].append(seq)
        else:
            assert verifier.accepted == before
    for seqs in accepted.values():
        assert seqs == sorted(set(seqs))


def test_the_array_survives_being_taken_out_and_put_in() -> None:
    verifier = SequenceVerifier(SMALL)
    chance = random.Random(1)
    for seq in range(1, 30):
        verifier.accept(sqn(SMALL, seq, chance.randrange(4)))
    again = SequenceVerifier(SMALL, verifier.accepted)
    assert (again.accepted, again.highest) == (verifier.accepted, verifier.highest)
    assert not any(again.accept(sqn(SMALL, seq, ind)) for ind, seq in enumerate(verifier.accepted))


@pytest.mark.parametrize("accepted", [(), (0,) * 3, (0,) * 5, (-1, 0, 0, 0), (2**46, 0, 0, 0)])
def test_an_array_of_another_card_is_refused(accepted: tuple[int, ...]) -> None:
    with pytest.raises(InvalidParameter):
        SequenceVerifier(SMALL, accepted)
