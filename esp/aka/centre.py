"""The authentication centre: vectors, the sequence numbers in them, and resynchronisation.

A USIM compares a sequence number with the last one of the same IND only. Attaching and the HSE
take vectors of the same subscriber, and each may hold some back for a while, or even number them
without knowing of the other. So they have INDs of their own (TS 33.102 Annex C.1.2): whatever one
of them does, the numbers of the other stay fresh, and no resynchronisation follows.

No SQN is issued twice, whatever happens to the process: :class:`esp.store.SequenceStore` has a
number on disk before the first vector with it leaves. After a restart the centre goes on behind
what was reserved. A resynchronisation that must go back, because the numbers ran so far ahead that
the USIM refuses them, begins a new epoch: the store's number is epoch and SEQ, and only grows.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from esp.aka.records import (
    AMF_BYTES,
    AUTS_BYTES,
    RAND_BYTES,
    SQN_BYTES,
    AuthenticationVector,
    Subscriber,
    check_size,
    xor,
)
from esp.aka.sequence import PROFILE_2, SequenceGenerator, SequenceProfile
from esp.errors import (
    InvalidParameter,
    NoVector,
    ResynchronisationFailed,
    StoreBusy,
    UnknownIdentity,
)
from esp.store import SequenceStore

__all__ = ["AuthenticationCentre", "Purpose", "VectorSource"]

_EPOCH_SHIFT = 49  # SEQ has 48 bits at most, and what is reserved ahead of it needs room
_LAST_EPOCH = (1 << 15) - 1
_MOST_AHEAD = 1 << 32


class VectorSource(Protocol):
    """Where an HSE gets authentication vectors."""

    def vector(self, identity: str) -> AuthenticationVector:
        """A vector that was never given out before.

        Raises :class:`~esp.errors.UnknownIdentity` and :class:`~esp.errors.NoVector`.
        """

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """Take a USIM's AUTS in answer to the RAND of a vector from here.

        Raises :class:`~esp.errors.UnknownIdentity`, and
        :class:`~esp.errors.ResynchronisationFailed` when nothing has changed by it.
        """


class Purpose(Enum):
    """What a vector is for."""

    HSE = "hse"
    """Keys between UE and HSE."""
    ATTACH = "attach"
    """Attaching to EPS: the separation bit is set."""


@dataclass(slots=True)
class _State:
    """One subscriber and its numbers."""

    subscriber: Subscriber
    numbers: SequenceGenerator
    epoch: int
    reserved: int
    """Epoch and SEQ up to which numbers may be used without another write."""
    reserve: Callable[[int], int]
    turn: dict[Purpose, int] = field(default_factory=lambda: dict.fromkeys(Purpose, 0))


class AuthenticationCentre:
    """Makes vectors for its subscribers; a :class:`VectorSource` for the HSE.

    Arguments:
        subscribers: each identity once.
        profile: how sequence numbers are made; the USIMs' must have the same ``ind_bits``.
        store: keeps the numbers; none forgets them at the end of the process, for tests.
        ahead: how many numbers become durable with one write: more cost fewer writes, and a
            restart skips as many at most.
        random: where RANDs come from.
        clock: seconds, of any epoch, for a profile with a clock.
        hse_separation_bit: the first bit of AMF in vectors for the HSE (TS 33.102 Annex H). Not
            set, a UE must refuse to attach to EPS with such a vector, so that an HSE which gives
            its vectors away does not give access to the network away. Set it only where the
            HSE's keys are made from KASME and CK and IK stay in the centre.

    Raises:
        InvalidParameter: the same identity twice, INDs that the profile does not have, a profile
            with a clock but no clock.
    """

    def __init__(
        self,
        subscribers: Iterable[Subscriber],
        *,
        profile: SequenceProfile = PROFILE_2,
        store: SequenceStore | None = None,
        ahead: int = 32,
        random: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] | None = None,
        hse_separation_bit: bool = False,
    ) -> None:
        if profile.clock_bits and clock is None:
            raise InvalidParameter(
                "this profile makes sequence numbers from a clock, and there is none",
                hint="Give the centre a clock, or take a profile that counts.",
            )
        if not 1 <= ahead <= _MOST_AHEAD:
            raise InvalidParameter("1 to 2^32 numbers are reserved at a time")
        self._profile = profile
        self._store = store
        self._random = random
        self._clock = clock if clock is not None else (lambda: 0.0)
        self._hse_separation_bit = hse_separation_bit
        self._states: dict[str, _State] = {}
        for subscriber in subscribers:
            if subscriber.identity in self._states:
                raise InvalidParameter("two subscribers have the same identity")
            self._states[subscriber.identity] = self._loaded(subscriber, ahead)

    def __len__(self) -> int:
        return len(self._states)

    def __repr__(self) -> str:
        return f"AuthenticationCentre({len(self)} subscribers)"

    def vector(self, identity: str, purpose: Purpose = Purpose.HSE) -> AuthenticationVector:
        """A fresh vector with the next sequence number.

        Raises:
            UnknownIdentity: no such subscriber.
            NoVector: the last number is used, or the store can't keep the next one.
        """
        state = self._state(identity)
        sqn = self._next_sqn(state, purpose)
        algorithm = state.subscriber.algorithm
        amf = self._amf(state.subscriber, purpose)
        rand = self._random(RAND_BYTES)
        xres, ck, ik, ak = algorithm.f2345(rand)
        autn = xor(sqn, ak) + amf + algorithm.f1(rand, sqn, amf)
        return AuthenticationVector(rand=rand, autn=autn, xres=xres, ck=ck, ik=ik)

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """Go on behind what the USIM says it has accepted (TS 33.102 section 6.3.5).

        Where the next number is one that the USIM accepts anyway, nothing changes: an AUTS that
        comes again sets nothing back.

        Arguments:
            identity: the subscriber.
            rand: of the challenge that AUTS answers; the caller takes care that it is its own,
                and not answered before.
            auts: as it came, any octets.

        Raises:
            UnknownIdentity: no such subscriber.
            ResynchronisationFailed: another size, or MAC-S is wrong.
        """
        state = self._state(identity)
        check_size("RAND", rand, RAND_BYTES)
        if len(auts) != AUTS_BYTES:
            raise ResynchronisationFailed(f"AUTS has {len(auts)} octets, not {AUTS_BYTES}")
        algorithm = state.subscriber.algorithm
        sqn = xor(auts[:SQN_BYTES], algorithm.f5_star(rand))
        if not hmac.compare_digest(
            algorithm.f1_star(rand, sqn, bytes(AMF_BYTES)), auts[SQN_BYTES:]
        ):
            raise ResynchronisationFailed(
                "MAC-S in AUTS is wrong",
                hint="Do USIM and centre have the same K, OP and algorithm?",
            )
        highest, _ = self._profile.split(sqn)
        now = self._clock()
        upcoming = state.numbers.upcoming(now)
        if self._profile.follows(upcoming, highest):
            return
        if highest < state.numbers.seq:
            if state.epoch == _LAST_EPOCH:
                raise ResynchronisationFailed("this subscriber was set back too often")
            state.epoch += 1
        state.numbers.reset(highest, now)

    def _loaded(self, subscriber: Subscriber, ahead: int) -> _State:
        for indices in (subscriber.hse_indices, subscriber.attach_indices):
            if not len(indices) or not set(indices) <= set(self._profile.indices):
                raise InvalidParameter(
                    f"a subscriber's INDs are not among 0 to {self._profile.indices[-1]}",
                    hint="Give it a range of INDs that the profile has.",
                )
        start, _ = self._profile.split(subscriber.sqn)
        reserved = 0
        reserve: Callable[[int], int] = _remember
        if self._store is not None:
            name = _name(subscriber)
            reserved = self._store.reserved(name)
            reserve = self._store.reserver(name, ahead)
        epoch, seq = divmod(reserved, 1 << _EPOCH_SHIFT)
        return _State(
            subscriber=subscriber,
            numbers=SequenceGenerator(self._profile, seq if reserved else start, self._clock()),
            epoch=epoch,
            reserved=reserved,
            reserve=reserve,
        )

    def _state(self, identity: str) -> _State:
        state = self._states.get(identity)
        if state is None:
            raise UnknownIdentity(
                "the authentication centre has no subscriber of this identity",
                hint="Add it to the subscriber file.",
            )
        return state

    def _next_sqn(self, state: _State, purpose: Purpose) -> bytes:
        seq = state.numbers.upcoming(self._clock())
        if seq > self._profile.last_seq:
            raise NoVector(
                "the last sequence number of this subscriber is used",
                hint="Its USIM accepts no other any more: it needs a new one.",
            )
        number = state.epoch << _EPOCH_SHIFT | seq
        if number > state.reserved:
            try:
                state.reserved = state.reserve(number)
                if self._store is not None and self._store.overgrown:
                    self._store.compact()
            except (OSError, StoreBusy) as error:
                raise NoVector(
                    f"a sequence number could not be written before its use: {error}",
                    hint="Is the disk full? Start again when it can be written to.",
                ) from error
        state.numbers.seq = seq
        subscriber = state.subscriber
        indices = subscriber.hse_indices if purpose is Purpose.HSE else subscriber.attach_indices
        turn = state.turn[purpose]
        state.turn[purpose] = turn + 1
        return self._profile.join(seq, indices[turn % len(indices)])

    def _amf(self, subscriber: Subscriber, purpose: Purpose) -> bytes:
        bit = purpose is Purpose.ATTACH or self._hse_separation_bit
        first = subscriber.amf[0] & 0x7F | (0x80 if bit else 0)
        return bytes((first,)) + subscriber.amf[1:]


def _remember(number: int) -> int:
    """A reservation where nothing is kept."""
    return number


def _name(subscriber: Subscriber) -> bytes:
    """What the store calls a subscriber: another with another key, and neither is given away."""
    _, ck, ik, _ = subscriber.algorithm.f2345(bytes(RAND_BYTES))
    text = b"aka sequence numbers" + subscriber.identity.encode()
    return hmac.digest(ck + ik, text, hashlib.sha256)[:16]
