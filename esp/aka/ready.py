"""Vectors that somebody else made: for a subscriber whose K is not known here.

The form is JSON Lines, one object per vector, hexadecimal digits, in the order of their use::

    {"identity": "001010000000001", "rand": "...", "autn": "...", "xres": "...", "ck": "...",
     "ik": "..."}

Each is used once: the store has it marked before it is given out, by a name that is made of the
vector itself. So the same file may be read again, lengthened or sorted, and nothing comes back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from esp.aka.records import AuthenticationVector
from esp.errors import InvalidParameter, NoVector, ResynchronisationFailed, UnknownIdentity
from esp.store import SequenceStore

__all__ = ["ReadyVectors", "UsedVectors", "parse_ready_vectors", "parse_vector"]

_FIELDS = ("rand", "autn", "xres", "ck", "ik")


def parse_vector(record: object) -> AuthenticationVector:
    """The vector in one parsed JSON object; keys beside its five are not looked at.

    Raises InvalidParameter, without any of the values.
    """
    if not isinstance(record, dict):
        raise InvalidParameter("a vector is a JSON object")
    values: dict[str, bytes] = {}
    for name in _FIELDS:
        text: Any = record.get(name)
        if not isinstance(text, str):
            raise InvalidParameter(
                f"{name!r} is missing or no text", hint=f"A vector has {', '.join(_FIELDS)}."
            )
        try:
            values[name] = bytes.fromhex(text)
        except ValueError:
            raise InvalidParameter(
                f"{name!r} is not an even number of hexadecimal digits"
            ) from None
    return AuthenticationVector(**values)


def parse_ready_vectors(text: str) -> list[tuple[str, AuthenticationVector]]:
    """Identity and vector of each line; empty lines count for nothing.

    Raises InvalidParameter with the number of the line, and without any of its values.
    """
    found: list[tuple[str, AuthenticationVector]] = []
    lines: dict[bytes, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise InvalidParameter(f"line {number} is not JSON") from None
        try:
            vector = parse_vector(record)
        except InvalidParameter as error:
            raise InvalidParameter(f"line {number}: {error}", hint=error.hint) from None
        identity = record.get("identity")
        if not isinstance(identity, str) or not identity:
            raise InvalidParameter(
                f"line {number}: 'identity' is missing or no text", hint="Put quotes around it."
            )
        first = lines.setdefault(_name(vector), number)
        if first != number:
            raise InvalidParameter(
                f"line {number} holds the vector of line {first} once more",
                hint="Each vector is used once: remove one of the two lines.",
            )
        found.append((identity, vector))
    return found


class UsedVectors:
    """Which vectors were given out before.

    Arguments:
        store: keeps that; none forgets it at the end of the process, for tests.
    """

    __slots__ = ("_store", "_used")

    def __init__(self, store: SequenceStore | None = None) -> None:
        self._store = store
        self._used: set[bytes] = set()

    def use(self, vector: AuthenticationVector) -> bool:
        """Mark a vector as used, durably; false when it was before.

        Raises :class:`~esp.errors.NoVector` when the mark can't be written: it was not used then.
        """
        name = _name(vector)
        if name in self._used:
            return False
        if self._store is not None:
            if self._store.reserved(name):
                return False
            try:
                self._store.reserver(name, 1)(1)
            except OSError as error:
                raise NoVector(
                    f"a vector could not be marked as used: {error.strerror or error}",
                    hint="Is the disk full? Start again when it can be written to.",
                ) from error
        else:
            self._used.add(name)
        return True


class ReadyVectors:
    """A :class:`~esp.aka.VectorSource` of vectors that were made elsewhere.

    Arguments:
        vectors: identity and vector, in the order of their use.
        used: which of them were used already.
    """

    __slots__ = ("_used", "_waiting")

    def __init__(
        self, vectors: Iterable[tuple[str, AuthenticationVector]], used: UsedVectors
    ) -> None:
        self._used = used
        self._waiting: dict[str, deque[AuthenticationVector]] = {}
        for identity, vector in vectors:
            self._waiting.setdefault(identity, deque()).append(vector)

    def __repr__(self) -> str:
        return f"ReadyVectors({len(self._waiting)} subscribers)"

    def vector(self, identity: str) -> AuthenticationVector:
        """The next vector that was never given out.

        Raises:
            UnknownIdentity: there never was one for this identity.
            NoVector: all are used, or the use could not be written down.
        """
        waiting = self._waiting.get(identity)
        if waiting is None:
            raise UnknownIdentity(
                "there are no ready vectors for this identity", hint="Add some to the file."
            )
        while waiting:
            if self._used.use(waiting[0]):
                return waiting.popleft()
            waiting.popleft()
        raise NoVector(
            "all ready vectors of this subscriber are used",
            hint="Get new ones from who knows its K, and add them to the file.",
        )

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """Always raises ResynchronisationFailed: only who knows K can read AUTS.

        The vectors that are left may still be fresh to the USIM, so they stay.
        """
        if identity not in self._waiting:
            raise UnknownIdentity("there are no ready vectors for this identity")
        raise ResynchronisationFailed(
            "ready vectors can't be resynchronised",
            hint="Get new ones, with an SQN that the USIM accepts, from who knows its K.",
        )


def _name(vector: AuthenticationVector) -> bytes:
    """What the store calls a vector; it gives none of it away."""
    text = b"ready vector" + vector.rand + vector.autn
    return hmac.digest(vector.ck + vector.ik, text, hashlib.sha256)[:16]
