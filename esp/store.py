"""Sequence numbers that survive a restart: what must be durable before it is used.

A sender must never use a number twice under one key, and a receiver must never accept one twice,
whatever happens to the process in between. Two rules do that, and this module keeps them:

* outbound, numbers are *reserved* ahead: the highest number that may be used is on disk before the
  first of them is. After a restart the sender goes on behind the reservation; the rest of it is
  lost, which costs nothing, since a receiver minds no gap;
* inbound, the highest number that was accepted is on disk before the packet is *delivered*. After a
  restart it and all below count as seen. Many packets share one write (group commit): mark each,
  commit once, deliver all.

Two more are kept where an SA has a lifetime in octets, so that no restart gives it more than its
limit: octets sent are reserved ahead as numbers are, those received are durable with the number.

State is a log of records of one size, each with its own checksum: cut off anywhere, it is the log
of an earlier moment, and nothing that came later was acted upon before it was durable. The module
does no I/O: :class:`Log` is what it needs of a file, :mod:`esp.store_file` is one. Keys are not
stored; an SA is known by a fingerprint that does not give its key away.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from esp.errors import InvalidParameter, StoreDamaged
from esp.lifetime import Usage

__all__ = ["RECORD_BYTES", "Log", "SequenceStore", "association_id", "valid_length"]

# type, SA, number, three octets of zero, CRC-32 of all before
_RECORD = Struct(">B16sQ3x")
_CHECKSUM = Struct(">I")
RECORD_BYTES = _RECORD.size + _CHECKSUM.size
"""Octets of one record: 32, so that none straddles a sector."""

_RESERVED = 1
_SEEN = 2
_FORGOTTEN = 3
_RESERVED_BYTES = 4
_SEEN_BYTES = 5


class Log(Protocol):
    """What the store needs of durable storage."""

    def append(self, data: bytes) -> None:
        """Write behind what is there."""

    def sync(self) -> None:
        """Return when all that was appended is durable; raise OSError when it can't be."""

    def replace(self, data: bytes) -> None:
        """Put this in the place of all there is, durably and at once or not at all."""


@dataclass(slots=True)
class _State:
    """What the log says about one SA."""

    reserved: int = 0
    seen: int = 0
    reserved_bytes: int = 0
    seen_bytes: int = 0


_FIELDS = {
    _RESERVED: "reserved",
    _SEEN: "seen",
    _RESERVED_BYTES: "reserved_bytes",
    _SEEN_BYTES: "seen_bytes",
}


def association_id(spi: int, key: bytes, salt: bytes = b"", integrity_key: bytes = b"") -> bytes:
    """The name of an SA in the store, 16 octets: other keys give another, none is given away."""
    material = b"".join(len(one).to_bytes(2, "big") + one for one in (key, salt, integrity_key))
    text = b"sequence store" + spi.to_bytes(4, "big")
    return hmac.digest(material, text, hashlib.sha256)[:16]


def _record(kind: int, association: bytes, number: int) -> bytes:
    body = _RECORD.pack(kind, association, number)
    return body + _CHECKSUM.pack(zlib.crc32(body))


def _parsed(record: bytes) -> tuple[int, bytes, int] | None:
    """Type, SA and number of a record; None when it is not whole."""
    if len(record) != RECORD_BYTES:
        return None
    body = record[: _RECORD.size]
    if _CHECKSUM.unpack_from(record, _RECORD.size)[0] != zlib.crc32(body):
        return None
    kind, association, number = _RECORD.unpack(body)
    if not _RESERVED <= kind <= _SEEN_BYTES:
        return None
    return kind, association, number


def valid_length(recorded: bytes) -> int:
    """Octets of a log up to its last whole record; the rest was being written when power failed.

    Raises :class:`~esp.errors.StoreDamaged` when a whole record follows a damaged one: something
    else than a torn write happened, and no number of this log can be trusted.
    """
    length = 0
    torn = False
    for at in range(0, len(recorded), RECORD_BYTES):
        if _parsed(recorded[at : at + RECORD_BYTES]) is None:
            torn = True
        elif torn:
            raise StoreDamaged(
                "the sequence store is damaged in the middle",
                hint="remove the file and set up new security associations",
            )
        else:
            length = at + RECORD_BYTES
    return length


class SequenceStore:
    """Reservations and high-water marks of many SAs over one log.

    Arguments:
        log: where records go.
        recorded: what the log holds already.

    Raises :class:`~esp.errors.StoreDamaged` when ``recorded`` can't be trusted.
    """

    __slots__ = ("_log", "_marks", "_records", "_states")

    # By SA: the highest number, and the octets, that the next commit makes durable.
    _marks: dict[bytes, tuple[int, int]]

    def __init__(self, log: Log, recorded: bytes = b"") -> None:
        self._log = log
        self._states: dict[bytes, _State] = {}
        self._marks = {}
        length = valid_length(recorded)
        self._records = length // RECORD_BYTES
        for at in range(0, length, RECORD_BYTES):
            parsed = _parsed(recorded[at : at + RECORD_BYTES])
            assert parsed is not None
            kind, association, number = parsed
            if kind == _FORGOTTEN:
                self._states.pop(association, None)
                continue
            state = self._states.setdefault(association, _State())
            name = _FIELDS[kind]
            setattr(state, name, max(getattr(state, name), number))

    def __len__(self) -> int:
        return len(self._states)

    def reserved(self, association: bytes) -> int:
        """The highest number that may have been used; 0 for an SA that is not known."""
        return self._state(association).reserved

    def seen(self, association: bytes) -> int:
        """The highest number that may have been accepted and is durable; 0 when not known."""
        return self._state(association).seen

    def sent(self, association: bytes) -> Usage:
        """What an SA may have sent, for its lifetime: at least what it did."""
        state = self._state(association)
        return Usage(payload_bytes=state.reserved_bytes, packets=state.reserved)

    def received(self, association: bytes) -> Usage:
        """What an SA may have received, likewise; octets only where `mark` was told of them."""
        state = self._state(association)
        return Usage(payload_bytes=state.seen_bytes, packets=state.seen)

    def _state(self, association: bytes) -> _State:
        return self._states.get(association) or _State()

    def reserver(self, association: bytes, ahead: int = 64) -> Callable[[int], int]:
        """What an :class:`~esp.OutboundAssociation` takes as ``reserve``.

        Each call makes ``ahead`` numbers durable at once: more cost fewer writes and lose more
        numbers at a restart. Make the association with ``sequence=store.reserved(association)``.
        """
        if ahead < 1:
            raise InvalidParameter("at least one number is reserved at a time")

        def reserve(sequence: int) -> int:
            state = self._states.setdefault(association, _State())
            upto = max(state.reserved, sequence + ahead - 1)
            self._write(_RESERVED, association, upto)
            state.reserved = upto
            return upto

        return reserve

    def bytes_reserver(self, association: bytes, ahead: int) -> Callable[[int], int]:
        """What an :class:`~esp.OutboundAssociation` takes as ``reserve_bytes``.

        Each call makes ``ahead`` octets more than what was asked for durable: what a restart takes
        off the lifetime at most.
        """
        if ahead < 0:
            raise InvalidParameter("no octets can be reserved behind what is used")

        def reserve(used: int) -> int:
            state = self._states.setdefault(association, _State())
            upto = max(state.reserved_bytes, used + ahead)
            self._write(_RESERVED_BYTES, association, upto)
            state.reserved_bytes = upto
            return upto

        return reserve

    def _write(self, kind: int, association: bytes, number: int) -> None:
        self._log.append(_record(kind, association, number))
        self._log.sync()
        self._records += 1

    def mark(self, association: bytes, sequence: int, payload_bytes: int = 0) -> None:
        """Note a number that was accepted, and the octets received so far.

        Durable with the next :meth:`commit`.
        """
        state = self._state(association)
        marked, octets = self._marks.get(association, (state.seen, state.seen_bytes))
        if sequence > marked or payload_bytes > octets:
            self._marks[association] = max(sequence, marked), max(payload_bytes, octets)

    def commit(self) -> None:
        """Make all marks durable: after this the packets may be delivered.

        Raises OSError when the log can't; deliver none then.
        """
        if not self._marks:
            return
        marks = self._marks
        for association, (sequence, octets) in marks.items():
            self._log.append(_record(_SEEN, association, sequence))
            if octets:
                self._log.append(_record(_SEEN_BYTES, association, octets))
                self._records += 1
        self._log.sync()
        for association, (sequence, octets) in marks.items():
            state = self._states.setdefault(association, _State())
            state.seen, state.seen_bytes = sequence, octets
        self._marks = {}
        self._records += len(marks)

    def forget(self, association: bytes) -> None:
        """Drop an SA whose key will never be used again. Durable with the next write."""
        self._marks.pop(association, None)
        if self._states.pop(association, None) is not None:
            self._log.append(_record(_FORGOTTEN, association, 0))
            self._records += 1

    def snapshot(self) -> bytes:
        """The shortest log that says the same."""
        return b"".join(
            _record(kind, association, number)
            for association, state in self._states.items()
            for kind, name in _FIELDS.items()
            if (number := getattr(state, name))
        )

    def compact(self) -> None:
        """Replace the log by its snapshot."""
        data = self.snapshot()
        self._log.replace(data)
        self._records = len(data) // RECORD_BYTES

    @property
    def overgrown(self) -> bool:
        """Whether most of the log is outdated, so that :meth:`compact` is worth its write."""
        return self._records > 1000 + 8 * len(self._states)
