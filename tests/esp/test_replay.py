"""The replay window against a model: a set of numbers and the highest of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import ReplayWindow
from esp.errors import InvalidParameter, OutsideWindow, Replayed

SIZES = [32, 64, 65, 128, 1000, 4096]


@pytest.mark.parametrize("size", [-1, 1, 31, 4097])
def test_a_window_has_32_to_4096_packets(size: int) -> None:
    with pytest.raises(InvalidParameter):
        ReplayWindow(size)


def test_the_default_is_64() -> None:
    assert ReplayWindow().size == 64


@pytest.mark.parametrize("top", [-1, 1 << 64])
def test_the_highest_number_has_at_most_64_bits(top: int) -> None:
    with pytest.raises(InvalidParameter):
        ReplayWindow(top=top)


def test_number_zero_is_never_accepted() -> None:
    with pytest.raises(Replayed):
        ReplayWindow().check(0)


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_window_accepts_what_a_set_of_numbers_accepts(size: int, data: st.DataObject) -> None:
    window = ReplayWindow(size)
    accepted = {0}
    top = 0
    near = st.integers(-size - 3, size + 3)
    jump = st.integers(1, 5 * size)
    for move in data.draw(st.lists(near | jump | st.integers(-3, 3), max_size=60)):
        number = max(0, top + move)
        if number <= top - size:
            with pytest.raises(OutsideWindow):
                window.check(number)
        elif number in accepted:
            with pytest.raises(Replayed):
                window.check(number)
        else:
            window.check(number)
            window.check(number)  # asking changes nothing
            assert window.accept(number) == max(0, top - number)
            accepted.add(number)
            top = max(top, number)
        assert window.top == top


@pytest.mark.parametrize("size", SIZES)
def test_a_window_made_with_a_high_water_mark_accepts_nothing_up_to_it(size: int) -> None:
    window = ReplayWindow(size, top=10_000)
    for number in range(10_000 - size + 1, 10_001):
        with pytest.raises(Replayed):
            window.check(number)
    with pytest.raises(OutsideWindow):
        window.check(10_000 - size)
    window.check(10_001)
    window.accept(10_003)
    window.check(10_002)
    with pytest.raises(Replayed):
        window.check(10_000)


def test_switched_off_it_accepts_everything_and_follows_the_highest() -> None:
    window = ReplayWindow(0)
    for number, late in ((5, 0), (5, 0), (3, 2), (4_000_000_000, 0), (1, 3_999_999_999)):
        window.check(number)
        assert window.accept(number) == late
    assert window.top == 4_000_000_000


def test_a_jump_of_any_length_costs_nothing() -> None:
    window = ReplayWindow(64)
    window.accept((1 << 64) - 1)
    assert window._seen == 1
    assert window._seen.bit_length() <= 64


@pytest.mark.parametrize(
    ("top", "low", "expected"),
    [
        # case A: the window lies in one subspace (Appendix A2.1, figure 1)
        (100, 101, 101),
        (100, 37, 37),
        (100, 36, 1 << 32 | 36),
        (63, 0, 0),
        (0x5_0000_0100, 0x200, 0x5_0000_0200),
        (0x5_0000_0100, 0x01, 0x6_0000_0001),
        (0x5_FFFF_FFFF, 0x00, 0x6_0000_0000),
        (0x5_FFFF_FFFF, 0xFFFF_FFC0, 0x5_FFFF_FFC0),
        (0x5_FFFF_FFFF, 0xFFFF_FFBF, 0x6_FFFF_FFBF),
        # case B: the window began in the subspace before (figure 2)
        (0x5_0000_0005, 0xFFFF_FFFF, 0x4_FFFF_FFFF),
        (0x5_0000_0005, 0xFFFF_FFC6, 0x4_FFFF_FFC6),
        (0x5_0000_0005, 0xFFFF_FFC5, 0x5_FFFF_FFC5),
        (0x5_0000_0005, 0x0000_0006, 0x5_0000_0006),
        (0x5_0000_0005, 0x0000_0000, 0x5_0000_0000),
    ],
)
def test_the_high_half_is_inferred_as_appendix_a_says(top: int, low: int, expected: int) -> None:
    assert ReplayWindow(64, top=top).full_number(low) == expected


@settings(deadline=None)
@given(
    size=st.sampled_from(SIZES),
    top=st.integers(1 << 33, (1 << 64) - (1 << 33)),
    ahead=st.integers(-4095, 1 << 31),
)
def test_every_number_in_or_right_of_the_window_is_inferred(
    size: int, top: int, ahead: int
) -> None:
    number = top + max(ahead, 1 - size)
    assert ReplayWindow(size, top=top).full_number(number & 0xFFFF_FFFF) == number


def test_numbers_before_the_first_subspace_and_past_the_last_are_refused() -> None:
    with pytest.raises(OutsideWindow):
        ReplayWindow(64, top=5).full_number(0xFFFF_FFFF)
    with pytest.raises(OutsideWindow):
        ReplayWindow(64, top=(1 << 64) - 1).full_number(7)
