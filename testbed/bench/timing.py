"""Which time a bench runs in, and where its random octets come from.

Virtual time needs all of a bench inside one event loop, and it takes keys, nonces and SPIs from the
seed, so that a run repeats itself byte for byte. Such keys are known to whoever knows the seed, and
two runs of one seed use the same keys and numbers again for what may be other messages: so they
are test keys, marked as such, and a secret that is none is never used with them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

from testbed.clock import TimeKind

__all__ = [
    "DEFAULT_TIME_SCALE",
    "TEST_KEYS_NOTE",
    "TIME_SCALE_WITH_REMOTE_HSE",
    "Timing",
    "random_octets",
]

DEFAULT_TIME_SCALE = 200.0
"""How much faster than real a run in scaled time goes when nothing else is said."""

TIME_SCALE_WITH_REMOTE_HSE = 20.0
"""The same with an HSE in another process or place: its answers take real time, and at 200 a
hiccup of a fifth of a second would be an answer that is 40 s late."""

TEST_KEYS_NOTE = (
    "Virtual time: durations are modelled, and the work of UE stack and HSE takes none. Keys, "
    "nonces and SPIs come from the seed: test keys, of no use to protect anything."
)
"""What a manifest says of a run in virtual time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a description says about time, and what has a say in it.

    Raises:
        ValueError: it can't be had together; the text says what to change.
    """

    wanted: TimeKind | None
    """``time`` of the description."""
    wanted_scale: float | None
    """``time_scale`` of the description."""
    port: str
    """The module's port."""
    virtual_module: bool
    """Whether the module is virtual."""
    own_hse: bool
    """Whether the run starts its HSE itself."""
    real_secret: bool
    """Whether the description gives a secret, or subscribers, not marked as test ones."""

    def __post_init__(self) -> None:
        scale, kind = self.wanted_scale, self.wanted
        if not self.virtual_module:
            if scale not in (None, 1.0):
                raise ValueError(
                    f"time_scale {scale:g} with the real port {self.port!r}: only virtual modules "
                    "run faster than real"
                )
            if kind not in (None, TimeKind.REAL):
                raise ValueError(
                    f"time: {kind} with the real port {self.port!r}: a real module lives in real "
                    "time"
                )
        if kind is TimeKind.VIRTUAL:
            self._check_virtual()
        elif kind is TimeKind.REAL and scale not in (None, 1.0):
            raise ValueError(f"time: real with time_scale {scale:g}: keep one of the two")
        elif kind is TimeKind.SCALED and scale == 1.0:
            raise ValueError("time: scaled with time_scale 1 is real time: say time: real")

    def _check_virtual(self) -> None:
        if self.wanted_scale is not None:
            raise ValueError(
                f"time: virtual with time_scale {self.wanted_scale:g}: virtual time has no scale, "
                "its clock jumps; keep one of the two"
            )
        if not self.own_hse:
            raise ValueError(
                "time: virtual with an HSE elsewhere (hse: address): all of the bench has to be "
                "inside the run; leave the address away, or say time: scaled"
            )
        if self.real_secret:
            raise ValueError(
                "time: virtual with a secret that is not marked as a test secret: in virtual time "
                "keys come from the seed; leave the secret away, say hse: {test: true} (of "
                "subscribers: aka: {test: true}), or time: scaled"
            )

    @property
    def kind(self) -> TimeKind:
        """The time the bench runs in; virtual where it can be, unless the description says."""
        if self.wanted is not None:
            return self.wanted
        if not self.virtual_module or self.wanted_scale == 1.0:
            return TimeKind.REAL
        if self.wanted_scale is not None or not self.own_hse or self.real_secret:
            return TimeKind.SCALED
        return TimeKind.VIRTUAL

    @property
    def scale(self) -> float | None:
        """Module seconds per real second, 1 in real time; ``None`` in virtual time."""
        kind = self.kind
        if kind is TimeKind.VIRTUAL:
            return None
        if kind is TimeKind.REAL:
            return 1.0
        if self.wanted_scale is not None:
            return self.wanted_scale
        return DEFAULT_TIME_SCALE if self.own_hse else TIME_SCALE_WITH_REMOTE_HSE


def random_octets(kind: TimeKind, seed: int, purpose: str) -> Callable[[int], bytes]:
    """A source of random octets: the operating system's, or in virtual time the seed's.

    Args:
        kind: the time the bench runs in.
        seed: the bench's seed.
        purpose: who draws; each purpose has a sequence of its own.
    """
    if kind is not TimeKind.VIRTUAL:
        return os.urandom
    return random.Random(f"{seed}/{purpose}").randbytes
