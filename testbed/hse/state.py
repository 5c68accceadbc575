"""Sessions that survive a restart of the HSE: keys and numbers in a folder.

Two things are kept, and each is durable before anything is done that relies on it:

* ``sessions/SPI.json``: the keys of a session, written when its first packet has proven it. They
  are secret: the folder has mode 0700, the files 0600.
* ``numbers.log``: `esp.store`. The highest number accepted on an association is on disk before a
  packet is delivered, and numbers for sending are reserved ahead. Many packets share one write.

So no restart, clean or not, accepts a packet twice or sends two packets under one number. ROHC
contexts are not kept: the decompressor answers with a STATIC-NACK, and the UE goes back to IR.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import esp
from esp import keying
from esp.keying import DirectionKeys
from esp.store import association_id
from esp.store_file import open_store
from testbed.errors import LabFault

__all__ = ["HseState"]

_HINT = "Stop the other HSE, or remove the folder: UEs set up new sessions by themselves."


class HseState:
    """The state of one HSE in a folder, which is made if there is none.

    Args:
        folder: for this HSE alone.

    Raises:
        LabFault: in use by another process, damaged, or not writable.
    """

    def __init__(self, folder: Path) -> None:
        self._sessions = folder / "sessions"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sessions.mkdir(mode=0o700, exist_ok=True)
            self._store, self._log = open_store(folder / "numbers.log")
        except (OSError, esp.LocalError) as error:
            raise LabFault(f"the state in {folder}: {error}", hint=_HINT) from error
        self._folder = folder

    def load(self) -> Iterator[keying.Session]:
        """The sessions that were in use when the HSE stopped.

        Raises:
            LabFault: a file is not what was written.
        """
        for path in sorted(self._sessions.glob("*.json")):
            try:
                session = _session(json.loads(path.read_text()))
                session.inbound_association()  # and its keys are of the right sizes
                session.outbound_association()
            except (OSError, ValueError, KeyError, TypeError, esp.LocalError):
                # No cause: what it would show is keys.
                raise LabFault(f"the session in {path} can't be read", hint=_HINT) from None
            yield session

    def keep(self, session: keying.Session) -> None:
        """Make a session's keys durable; raises OSError when that fails."""
        path = self._path(session)
        beside = path.with_suffix(".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(file, "w") as stream:
                json.dump(_plain(session), stream)
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
        if self._store.overgrown:
            self._store.compact()

    def outbound(self, session: keying.Session) -> esp.OutboundAssociation:
        """The sending end, with numbers behind all that may have been used."""
        name = _name(session.outbound)
        return session.outbound_association(
            sequence=self._store.reserved(name), reserve=self._store.reserver(name)
        )

    def seen(self, session: keying.Session) -> int:
        """The highest number that may have been accepted."""
        return self._store.seen(_name(session.inbound))

    def mark(self, session: keying.Session, sequence: int) -> None:
        """Note that a packet was accepted; durable with the next `commit`."""
        self._store.mark(_name(session.inbound), sequence)

    def commit(self) -> None:
        """Make all marks durable; raises OSError when that fails, and nothing is delivered."""
        self._store.commit()

    def close(self) -> None:
        """Give the folder back."""
        self._log.close()

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
