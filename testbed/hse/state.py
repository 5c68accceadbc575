"""Sessions that survive a restart of the HSE: keys and numbers in a folder.

Two things are kept, and each is durable before anything is done that relies on it. Sequence numbers
of AKA, and which vectors were used, go into the same log (`esp.aka`):

* ``sessions/SPI.json``: the keys of a session, written when its first packet has proven it. They
  are secret: the folder has mode 0700, the files 0600.
* ``numbers.log``: `esp.store`. The highest number accepted on an association is on disk before a
  packet is delivered, and numbers for sending are reserved ahead. Many packets share one write.
  Where a lifetime counts octets, they are kept in the same way.

So no restart, clean or not, accepts a packet twice, sends two packets under one number or gives a
session more than its hard lifetime: after one, what may have been used counts as used. Ages are
told by the clock on the wall; one that was set back to before the last write is not believed. ROHC
contexts are not kept: the decompressor answers with a STATIC-NACK, and the UE goes back to IR.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import esp
from esp import keying
from esp.keying import DirectionKeys
from esp.store import SequenceStore, association_id
from esp.store_file import open_store
from testbed.errors import LabFault

__all__ = ["HseState", "KeptSession"]

_HINT = "Stop the other HSE, or remove the folder: UEs set up new sessions by themselves."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSession:
    """A session that was in use when the HSE stopped."""

    keys: keying.Session
    """Its keys."""
    age_s: float
    """Seconds since they were agreed on; infinity where that can't be told."""
    sources: tuple[bytes, ...]
    """The inner addresses that it had learned."""


class HseState:
    """The state of one HSE in a folder, which is made if there is none.

    Args:
        folder: for this HSE alone.
        clock: the time on the wall, in seconds.

    Raises:
        LabFault: in use by another process, damaged, or not writable.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._sessions = folder / "sessions"
        numbers = folder / "numbers.log"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sessions.mkdir(mode=0o700, exist_ok=True)
            last_write = numbers.stat().st_mtime if numbers.exists() else 0.0
            self._store, self._log = open_store(numbers)
            for unfinished in self._sessions.glob("*.new"):
                unfinished.unlink()  # keys that a kill left in the middle of `keep`
        except (OSError, esp.LocalError) as error:
            raise LabFault(f"the state in {folder}: {error}", hint=_HINT) from error
        self._wall = clock
        self._last_write = last_write

    @property
    def store(self) -> SequenceStore:
        """Numbers that survive: of associations, of AKA, of vectors that were used."""
        return self._store

    def load(self) -> Iterator[KeptSession]:
        """The sessions that were in use when the HSE stopped.

        Raises:
            LabFault: a file is not what was written.
        """
        for path in sorted(self._sessions.glob("*.json")):
            try:
                record = json.loads(path.read_text())
                session = _session(record)
                session.inbound_association()  # and its keys are of the right sizes
                session.outbound_association()
                sources = tuple(bytes.fromhex(one) for one in record.get("sources", ()))
                age_s = self._now() - record.get("begun_s", -math.inf)
            except (OSError, ValueError, KeyError, TypeError, esp.LocalError):
                # No cause: what it would show is keys.
                raise LabFault(f"the session in {path} can't be read", hint=_HINT) from None
            yield KeptSession(
                keys=session, age_s=age_s if age_s >= 0 else math.inf, sources=sources
            )

    def keep(
        self, session: keying.Session, age_s: float = 0.0, sources: Iterable[bytes] = ()
    ) -> None:
        """Make a session durable; raises OSError when that fails.

        Args:
            session: its keys.
            age_s: seconds since they were agreed on.
            sources: the inner addresses that it has learned.
        """
        record = _plain(session)
        record["begun_s"] = self._now() - age_s
        record["sources"] = [one.hex() for one in sources]
        path = self._path(session)
        beside = path.with_suffix(".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(file, "w") as stream:
                json.dump(record, stream)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        self._sync_folder()

    def forget(self, session: keying.Session) -> None:
        """Drop a session for good."""
        path = self._path(session)
        if path.exists():
            path.unlink()
            self._sync_folder()
        for keys in (session.inbound, session.outbound):
            self._store.forget(_name(keys))
        self._compact()

    def outbound(
        self,
        session: keying.Session,
        lifetime: esp.Lifetime | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> esp.OutboundAssociation:
        """The sending end, with numbers and octets behind all that may have been used."""
        store, name = self._store, _name(session.outbound)
        limits = [] if lifetime is None else [lifetime.hard_bytes, lifetime.soft_bytes]
        limit = next((one for one in limits if one is not None), None)
        return session.outbound_association(
            sequence=store.reserved(name),
            lifetime=lifetime,
            used=store.sent(name),
            reserve=store.reserver(name),
            # What is reserved and not used is lost at a restart: a small part of the whole.
            reserve_bytes=None if limit is None else store.bytes_reserver(name, limit // 64),
            random=random,
        )

    def inbound(
        self,
        session: keying.Session,
        *,
        replay_window: int = 64,
        selectors: esp.TrafficSelectors | None = None,
        lifetime: esp.Lifetime | None = None,
    ) -> esp.InboundAssociation:
        """The receiving end, which takes nothing that may have been accepted before."""
        name = _name(session.inbound)
        return session.inbound_association(
            replay_window=replay_window,
            sequence=self._store.seen(name),
            selectors=selectors,
            lifetime=lifetime,
            used=self._store.received(name),
        )

    def seen(self, session: keying.Session) -> int:
        """The highest number that may have been accepted."""
        return self._store.seen(_name(session.inbound))

    def mark(self, session: keying.Session, sequence: int, payload_bytes: int = 0) -> None:
        """Note that a packet was accepted, and the octets that were by now.

        Durable with the next `commit`.
        """
        self._store.mark(_name(session.inbound), sequence, payload_bytes)

    def commit(self) -> None:
        """Make all marks durable; raises OSError when that fails, and nothing is delivered."""
        self._store.commit()
        # What is committed is so, whether the log can be made shorter or not.
        with contextlib.suppress(OSError, esp.LocalError):
            self._compact()

    def close(self) -> None:
        """Give the folder back."""
        self._log.close()

    def _compact(self) -> None:
        if self._store.overgrown:
            self._store.compact()

    def _now(self) -> float:
        """The time on the wall, and no less than it was when something was written."""
        return max(self._wall(), self._last_write)

    def _path(self, session: keying.Session) -> Path:
        return self._sessions / f"{session.inbound.spi:08x}.json"

    def _sync_folder(self) -> None:
        folder = os.open(self._sessions, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _name(keys: DirectionKeys) -> bytes:
    return association_id(keys.spi, keys.key, keys.salt, keys.integrity_key)


def _plain(session: keying.Session) -> dict[str, Any]:
    def direction(keys: DirectionKeys) -> dict[str, Any]:
        return {
            "spi": keys.spi,
            "key": keys.key.hex(),
            "salt": keys.salt.hex(),
            "integrity_key": keys.integrity_key.hex(),
            "rohc_key": keys.rohc_key.hex(),
        }

    return {
        "identity": session.identity,
        "suite": session.suite.name,
        "mode": session.mode.value,
        "compression": session.compression,
        "esn": session.esn,
        "key_agreement": session.key_agreement.value,
        "rohc": None if session.rohc is None else session.rohc.encode().hex(),
        "inbound": direction(session.inbound),
        "outbound": direction(session.outbound),
    }


def _session(record: dict[str, Any]) -> keying.Session:
    def direction(keys: dict[str, Any]) -> DirectionKeys:
        return DirectionKeys(
            spi=keys["spi"],
            key=bytes.fromhex(keys["key"]),
            salt=bytes.fromhex(keys["salt"]),
            integrity_key=bytes.fromhex(keys["integrity_key"]),
            rohc_key=bytes.fromhex(keys["rohc_key"]),
        )

    rohc = record.get("rohc")
    return keying.Session(
        identity=record["identity"],
        suite=esp.suite(record["suite"]),
        mode=esp.Mode(record["mode"]),
        compression=record["compression"],
        esn=record.get("esn", False),
        inbound=direction(record["inbound"]),
        outbound=direction(record["outbound"]),
        key_agreement=keying.KeyAgreement(record.get("key_agreement", "hello")),
        rohc=None if rohc is None else keying.RohcChannel.decode(bytes.fromhex(rohc)),
    )
