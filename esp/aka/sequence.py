"""Sequence numbers of AKA: how the centre makes them and how a USIM judges them.

TS 33.102 Annex C::

    SQN (48 bits) = SEQ || IND        IND: which element of the USIM's array SEQ is compared with

Generation (C.1): SEQ counts up, alone (profile 2) or along with a clock. Where the clock gives the
last bits only (profile 1), SEQ = SEQ1 || SEQ2 and, with the clock GLC taken modulo p::

    SEQ2 < GLC < SEQ2 + p - D + 1                        SEQ1 || GLC          the clock is ahead
    GLC <= SEQ2 <= GLC + D - 1, SEQ2 + p - D + 1 <= GLC  SEQ + 1              a burst: count
    GLC + D - 1 < SEQ2                                   (SEQ1 + 1) || GLC    the clock wrapped

Where the clock gives all of it (profile 3), SEQ = GLC + DIF, and DIF belongs to the subscriber.
DIF is not stored: after a restart SEQ goes on with the clock from the last number that may have
been used, and so it does after a resynchronisation.

Verification (C.2): with SEQ_MS the highest SEQ in the whole array, one is accepted if

    SEQ - SEQ_MS <= delta          no jump so large that the end of the numbers would come near
    SEQ_MS - SEQ < L               if there is such a limit: not too old, whatever its IND
    SEQ > SEQ_MS(IND)              newer than the last one with this IND

Annex C is informative, and operators choose otherwise: all its figures are settings here.

So numbers may arrive out of order as long as each IND's own arrive in order: who takes INDs that
nobody else takes can't be disturbed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from esp.aka.records import SQN_BYTES, check_size
from esp.errors import InvalidParameter

__all__ = [
    "PROFILE_1",
    "PROFILE_2",
    "PROFILE_3",
    "SequenceGenerator",
    "SequenceProfile",
    "SequenceVerifier",
]

_SQN_BITS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceProfile:
    """How numbers are laid out, made and judged; centre and USIM need the same ``ind_bits``.

    Raises InvalidParameter for values outside their ranges.
    """

    ind_bits: int = 5
    """Bits of IND, 0 to 16: the USIM's array has 2 to the power of this elements."""
    delta: int = 1 << 28
    """The largest step that a USIM accepts from the highest SEQ that it has accepted."""
    age_limit: int | None = None
    """L: how far behind the highest SEQ one may be; none is no limit."""
    clock_bits: int = 0
    """How many of the last bits of SEQ are a clock: none, some (SEQ2), or all."""
    clock_unit_s: float = 0.1
    """Seconds of one step of the clock."""
    burst: int = 1 << 16
    """D: how many numbers may be made in so many steps of the clock."""

    def __post_init__(self) -> None:
        if not 0 <= self.ind_bits <= 16:
            raise InvalidParameter("IND has 0 to 16 bits")
        if not 0 <= self.clock_bits <= self.seq_bits:
            raise InvalidParameter(f"the clock has 0 to {self.seq_bits} bits of SEQ")
        if not 1 <= self.delta <= self.last_seq:
            raise InvalidParameter(f"delta is 1 to {self.last_seq}")
        if self.age_limit is not None and self.age_limit < 1:
            raise InvalidParameter("the age limit L is 1 at least")
        if not self.clock_unit_s > 0:
            raise InvalidParameter("a step of the clock takes more than 0 s")
        partly = 0 < self.clock_bits < self.seq_bits
        if self.burst < 1 or (partly and self.burst >= 1 << self.clock_bits):
            raise InvalidParameter("D is 1 at least, and less than the clock's period")

    @property
    def seq_bits(self) -> int:
        """Bits of SEQ."""
        return _SQN_BITS - self.ind_bits

    @property
    def last_seq(self) -> int:
        """The highest SEQ: there is none behind it."""
        return (1 << self.seq_bits) - 1

    @property
    def indices(self) -> range:
        """All INDs."""
        return range(1 << self.ind_bits)

    def join(self, seq: int, ind: int) -> bytes:
        """SQN, 6 octets; raises InvalidParameter when SEQ or IND is out of range."""
        if not 0 <= seq <= self.last_seq or ind not in self.indices:
            raise InvalidParameter(f"SEQ has {self.seq_bits} bits and IND {self.ind_bits}")
        return (seq << self.ind_bits | ind).to_bytes(SQN_BYTES, "big")

    def split(self, sqn: bytes) -> tuple[int, int]:
        """SEQ and IND of an SQN."""
        number = int.from_bytes(check_size("SQN", sqn, SQN_BYTES), "big")
        return number >> self.ind_bits, number & (len(self.indices) - 1)

    def follows(self, seq: int, highest: int) -> bool:
        """Whether a USIM whose highest SEQ is this one accepts that SEQ under any IND."""
        return highest < seq <= min(highest + self.delta, self.last_seq)


PROFILE_1 = SequenceProfile(clock_bits=24)
"""Annex C.3.1, partly time-based: SEQ2 is 24 bits of a clock of 0.1 s."""
PROFILE_2 = SequenceProfile()
"""Annex C.3.2, not time-based: SEQ is a counter."""
PROFILE_3 = SequenceProfile(clock_bits=43)
"""Annex C.3.3, entirely time-based: SEQ is a clock of 0.1 s and a difference."""


class SequenceGenerator:
    """SEQ_HE of one subscriber.

    Arguments:
        profile: how SEQ counts.
        seq: the last SEQ that may have been used.
        now: the time in seconds, of any epoch.
    """

    __slots__ = ("_difference", "_profile", "seq")

    def __init__(self, profile: SequenceProfile, seq: int, now: float) -> None:
        self._profile = profile
        self.reset(seq, now)

    def reset(self, seq: int, now: float) -> None:
        """Go on behind this SEQ."""
        self.seq = seq
        self._difference = seq - self._clock(now)

    def upcoming(self, now: float) -> int:
        """The SEQ that comes next; above the profile's ``last_seq`` when there is none any more."""
        profile, seq = self._profile, self.seq
        if profile.clock_bits == 0:
            return seq + 1
        if profile.clock_bits == profile.seq_bits:
            return max(seq + 1, self._clock(now) + self._difference)
        period = 1 << profile.clock_bits
        seq1, seq2 = divmod(seq, period)
        clock = self._clock(now) % period
        if seq2 < clock < seq2 + period - profile.burst + 1:
            return seq1 * period + clock
        if clock + profile.burst - 1 < seq2:
            return (seq1 + 1) * period + clock
        return seq + 1

    def _clock(self, now: float) -> int:
        return int(now / self._profile.clock_unit_s)


class SequenceVerifier:
    """The array of accepted SEQs in one USIM.

    Arguments:
        profile: its ``ind_bits``, ``delta`` and ``age_limit`` count here.
        accepted: the array as :attr:`accepted` gave it; none is a fresh USIM's, all zero.

    Raises:
        InvalidParameter: an array of another size, or with what can't be a SEQ.
    """

    __slots__ = ("_accepted", "profile")

    def __init__(
        self, profile: SequenceProfile = PROFILE_2, accepted: Sequence[int] | None = None
    ) -> None:
        self.profile = profile
        size = len(profile.indices)
        self._accepted = [0] * size if accepted is None else list(accepted)
        if len(self._accepted) != size:
            raise InvalidParameter(f"the array of a USIM has {size} elements")
        if not all(0 <= seq <= profile.last_seq for seq in self._accepted):
            raise InvalidParameter(f"a SEQ of a USIM has {profile.seq_bits} bits")

    def __repr__(self) -> str:
        return "SequenceVerifier(...)"

    @property
    def accepted(self) -> tuple[int, ...]:
        """The last SEQ accepted under each IND: what a card keeps without power."""
        return tuple(self._accepted)

    @property
    def highest(self) -> bytes:
        """SQN_MS: the highest SQN accepted under any IND, 6 octets."""
        seq, ind = max((seq, ind) for ind, seq in enumerate(self._accepted))
        return self.profile.join(seq, ind)

    def accept(self, sqn: bytes) -> bool:
        """Whether this SQN is fresh; if so, it is not any more."""
        seq, ind = self.profile.split(sqn)
        highest, limit = max(self._accepted), self.profile.age_limit
        if seq - highest > self.profile.delta:
            return False
        if limit is not None and highest - seq >= limit:
            return False
        if seq <= self._accepted[ind]:
            return False
        self._accepted[ind] = seq
        return True
