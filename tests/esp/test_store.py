"""Numbers that survive: no restart, kill or torn write brings one back."""

from __future__ import annotations

import os
import random
import signal
import stat
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import InboundAssociation, OutboundAssociation, suite
from esp.errors import InvalidParameter, PacketRejected, Replayed, StoreBusy, StoreDamaged
from esp.store import RECORD_BYTES, SequenceStore, association_id, valid_length
from esp.store_file import FileLog, open_store

CBC = suite("aes-cbc-128+hmac-sha2-256-128")
KEYS = {"key": bytes(16), "integrity_key": bytes(32)}
A, B = association_id(1000, b"key a"), association_id(1000, b"key b")
posix = pytest.mark.skipif(sys.platform == "win32", reason="flock and fork are POSIX only")


class Memory:
    """A log that remembers what was durable when."""

    def __init__(self, data: bytes = b"") -> None:
        self.written = data
        self.durable = data
        self.syncs: list[bytes] = []
        self.fail = False

    def append(self, data: bytes) -> None:
        self.written += data

    def sync(self) -> None:
        if self.fail:
            raise OSError("disk full")
        self.durable = self.written
        self.syncs.append(self.durable)

    def replace(self, data: bytes) -> None:
        self.written = data
        self.sync()


def packets(store: SequenceStore, count: int, ahead: int = 10) -> list[int]:
    """The numbers of so many packets of a sender over the store."""
    outbound = OutboundAssociation(
        1000,
        CBC,
        sequence=store.reserved(A),
        reserve=store.reserver(A, ahead),
        **KEYS,
    )
    return [int.from_bytes(outbound.protect(b"x", 4)[4:8], "big") for _ in range(count)]


def test_a_fingerprint_tells_keys_apart_and_does_not_give_them_away() -> None:
    names = {
        association_id(spi, key, salt, integrity)
        for spi in (1000, 1001)
        for key in (b"CANARY", b"other")
        for salt in (b"", b"salt")
        for integrity in (b"", b"salt")
    }
    assert len(names) == 16
    assert association_id(1, b"ab", b"c") != association_id(1, b"a", b"bc")
    assert all(len(name) == 16 and b"CANARY" not in name for name in names)


def test_a_number_is_durable_before_it_is_used() -> None:
    log = Memory()
    store = SequenceStore(log)
    for number in packets(store, 25):
        durable = SequenceStore(Memory(), log.syncs[(number - 1) // 10])
        assert durable.reserved(A) >= number
    assert len(log.syncs) == 3


@settings(deadline=None)
@given(
    runs=st.lists(st.integers(0, 25), min_size=1, max_size=6),
    ahead=st.integers(1, 12),
    cut=st.integers(0, RECORD_BYTES - 1),
)
def test_over_restarts_at_any_sync_with_a_torn_tail_no_number_repeats(
    runs: list[int], ahead: int, cut: int
) -> None:
    recorded, used = b"", set[int]()
    for count in runs:
        log = Memory(recorded[: valid_length(recorded)])
        numbers = packets(SequenceStore(log, log.durable), count, ahead)
        assert not used & set(numbers)
        used |= set(numbers)
        torn = SequenceStore(Memory()).snapshot() + b"\x01" * cut
        recorded = log.durable + torn


def test_every_truncation_of_the_log_is_a_log_of_an_earlier_moment() -> None:
    log = Memory()
    numbers = packets(SequenceStore(log), 40, 5)
    assert numbers == list(range(1, 41))
    for size in range(len(log.durable) + 1):
        data = log.durable[:size]
        length = valid_length(data)
        assert length == size // RECORD_BYTES * RECORD_BYTES
        assert SequenceStore(Memory(), data).reserved(A) == 5 * (size // RECORD_BYTES)


def test_a_damaged_record_in_the_middle_is_not_taken_for_a_torn_tail() -> None:
    log = Memory()
    packets(SequenceStore(log), 30)
    for at in range(RECORD_BYTES):
        data = bytearray(log.durable)
        data[at] ^= 1
        with pytest.raises(StoreDamaged) as caught:
            SequenceStore(Memory(), bytes(data))
        assert caught.value.hint
    data = bytearray(log.durable)
    data[-1] ^= 1
    assert SequenceStore(Memory(), bytes(data)).reserved(A) == 20


def test_the_damaged_log_would_bring_numbers_back_without_checksums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Memory()
    packets(SequenceStore(log), 30)
    data = bytearray(log.durable)
    for record in range(3):
        data[record * RECORD_BYTES + 24] = 0
    with pytest.raises(StoreDamaged):
        SequenceStore(Memory(), bytes(data) + log.durable[:RECORD_BYTES])
    monkeypatch.setattr("esp.store.zlib.crc32", lambda body: 0)
    for record in range(3):
        start = record * RECORD_BYTES + 28
        data[start : start + 4] = bytes(4)
    assert packets(SequenceStore(Memory(), bytes(data)), 1) == [1]


def test_an_unknown_record_type_is_not_guessed_at() -> None:
    from esp.store import _record

    with pytest.raises(StoreDamaged):
        valid_length(_record(9, A, 1) + _record(1, A, 1))


def test_when_the_disk_is_full_nothing_is_sent() -> None:
    log = Memory()
    store = SequenceStore(log)
    log.fail = True
    with pytest.raises(OSError, match="disk full"):
        packets(store, 1)
    assert store.reserved(A) == 0


def test_at_least_one_number_is_reserved_at_a_time() -> None:
    with pytest.raises(InvalidParameter):
        SequenceStore(Memory()).reserver(A, 0)


# --- inbound ----------------------------------------------------------------------------------


def receiver(store: SequenceStore) -> InboundAssociation:
    return InboundAssociation(1000, CBC, sequence=store.seen(A), **KEYS)


def test_after_a_restart_nothing_that_was_delivered_is_accepted_again() -> None:
    log = Memory()
    store = SequenceStore(log)
    inbound = receiver(store)
    sender = OutboundAssociation(1000, CBC, **KEYS)
    sent = [sender.protect(bytes((n,)), 59) for n in range(20)]
    delivered = []
    for group in (sent[:7], sent[7:15]):
        for packet in group:
            store.mark(A, inbound.unprotect(packet).sequence)
        store.commit()
        delivered += group
    assert len(log.syncs) == 2
    again = receiver(SequenceStore(Memory(), log.durable))
    for packet in delivered:
        with pytest.raises(Replayed):
            again.unprotect(packet)
    assert again.unprotect(sent[15]).sequence == 16


def test_without_the_store_everything_would_be_accepted_again() -> None:
    sender = OutboundAssociation(1000, CBC, **KEYS)
    sent = [sender.protect(bytes((n,)), 59) for n in range(5)]
    for _ in range(2):
        inbound = InboundAssociation(1000, CBC, **KEYS)
        assert [inbound.unprotect(packet).sequence for packet in sent] == [1, 2, 3, 4, 5]


def test_marks_are_not_durable_before_the_commit_and_kept_when_it_fails() -> None:
    log = Memory()
    store = SequenceStore(log)
    store.mark(A, 5)
    store.mark(B, 9)
    store.mark(A, 3)
    assert store.seen(A) == 0
    log.fail = True
    with pytest.raises(OSError, match="disk full"):
        store.commit()
    assert store.seen(A) == 0
    log.fail = False
    store.commit()
    assert (store.seen(A), store.seen(B)) == (5, 9)
    written = len(log.written)
    store.mark(A, 4)
    store.commit()
    assert len(log.written) == written


# --- many associations -------------------------------------------------------------------------


def test_a_forgotten_association_leaves_nothing_and_others_stay() -> None:
    log = Memory()
    store = SequenceStore(log)
    for name in (A, B):
        store.reserver(name)(1)
        store.mark(name, 7)
    store.commit()
    store.forget(A)
    store.forget(A)
    log.sync()
    for view in (store, SequenceStore(Memory(), log.durable)):
        assert len(view) == 1
        assert (view.reserved(A), view.seen(A)) == (0, 0)
        assert (view.reserved(B), view.seen(B)) == (64, 7)


def test_compacting_keeps_what_is_said_and_nothing_else() -> None:
    log = Memory()
    store = SequenceStore(log)
    reserve = store.reserver(A, 1)
    for number in range(1, 1500):
        reserve(number)
    store.mark(B, 77)
    store.commit()
    assert store.overgrown
    store.compact()
    assert not store.overgrown
    assert len(log.durable) == 2 * RECORD_BYTES
    again = SequenceStore(Memory(), log.durable)
    assert (again.reserved(A), again.seen(A), again.seen(B)) == (1499, 0, 77)


# --- files ---------------------------------------------------------------------------------------


def test_a_file_keeps_what_was_reserved(tmp_path: Path) -> None:
    path = tmp_path / "sequence"
    numbers = []
    for _ in range(3):
        store, log = open_store(path)
        numbers += packets(store, 15)
        log.close()
    assert len(set(numbers)) == 45
    assert path.stat().st_size == 6 * RECORD_BYTES


@posix
def test_the_file_is_its_owners_only_and_one_process_has_it(tmp_path: Path) -> None:
    path = tmp_path / "sequence"
    _, log = open_store(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(StoreBusy) as caught:
        open_store(path)
    assert str(path) in str(caught.value)
    log.close()
    _, log = open_store(path)
    log.close()


def test_a_torn_tail_is_cut_off_and_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "sequence"
    store, log = open_store(path)
    packets(store, 15)
    log.close()
    with path.open("ab") as file:
        file.write(b"\x01half a record")
    store, log = open_store(path)
    assert path.stat().st_size == 2 * RECORD_BYTES
    assert packets(store, 1) == [21]
    log.close()
    assert SequenceStore(Memory(), path.read_bytes()).reserved(A) == 30


def test_a_damaged_file_is_refused_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "sequence"
    store, log = open_store(path)
    packets(store, 15)
    log.close()
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(bytes(data))
    for _ in range(2):
        with pytest.raises(StoreDamaged):
            open_store(path)


def test_a_file_is_compacted_in_place_and_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "sequence"
    store, log = open_store(path)
    packets(store, 300, ahead=1)
    store.compact()
    assert path.stat().st_size == RECORD_BYTES
    if sys.platform != "win32":
        with pytest.raises(StoreBusy):
            open_store(path)
    assert packets(store, 2, ahead=1) == [301, 302]
    log.close()
    assert SequenceStore(Memory(), path.read_bytes()).reserved(A) == 302
    assert sorted(one.name for one in tmp_path.iterdir()) == ["sequence"]


def test_after_a_failed_sync_the_file_is_not_trusted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FileLog(tmp_path / "sequence")

    def broken(file: int) -> None:
        raise OSError("input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync" if hasattr(os, "fdatasync") else "fsync", broken)
        log.append(bytes(RECORD_BYTES))
        with pytest.raises(OSError, match="input/output"):
            log.sync()
    for attempt in (log.sync, lambda: log.append(b""), lambda: log.replace(b"")):
        with pytest.raises(OSError, match="earlier write"):
            attempt()
    log.close()


def test_after_a_file_was_replaced_halfway_nothing_is_written_to_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file has no name any more: what went into it would be gone after a restart."""
    path = tmp_path / "sequence"
    store, log = open_store(path)
    packets(store, 30)

    def broken(path: Path) -> None:
        raise OSError("input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("esp.store_file._sync_folder", broken)
        with pytest.raises(OSError, match="input/output"):
            store.compact()
    with pytest.raises(OSError, match="earlier write"):
        packets(store, 30)
    log.close()
    assert SequenceStore(Memory(), path.read_bytes()).reserved(A) == store.reserved(A)


# --- kills ---------------------------------------------------------------------------------------

SCALE = int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
ROUNDS = 4  # of kill and restart per test; the proof multiplies the number of tests


def killed_at_random(work: Callable[[int], None], wait_s: float) -> bytes:
    """Run ``work`` in a child that gets SIGKILL after a while; what it wrote to its pipe."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that other tests may have left threads behind
        child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            work(writer)
        finally:
            os._exit(1)
    os.close(writer)
    data = os.read(reader, 4)
    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while chunk := os.read(reader, 65536):
        data += chunk
    os.close(reader)
    return data


def numbers_in(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data) - 3, 4)]


@posix
@pytest.mark.parametrize("seed", range(6 * SCALE))
def test_killed_at_any_moment_a_sender_uses_no_number_twice(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """The child tells each number that it sends; SIGKILL comes when it comes."""
    chance = random.Random(seed)
    path = tmp_path / "sequence"

    def send(writer: int) -> None:
        store, _log = open_store(path)
        outbound = OutboundAssociation(
            1000, CBC, sequence=store.reserved(A), reserve=store.reserver(A, 3), **KEYS
        )
        while True:
            os.write(writer, outbound.protect(b"x", 4)[4:8])

    used: set[int] = set()
    told = 0
    for _ in range(ROUNDS):
        numbers = numbers_in(killed_at_random(send, chance.random() * 0.02))
        assert numbers
        assert len(set(numbers)) == len(numbers)
        assert not used & set(numbers)
        used |= set(numbers)
        told += len(numbers)
    record_property("figure: kills of a sender", ROUNDS)
    record_property("figure: numbers used before a kill", len(used))
    record_property("figure: numbers reused", told - len(used))


@posix
@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("seed", range(4 * SCALE))
def test_killed_at_any_moment_a_receiver_delivers_no_packet_twice(
    tmp_path: Path,
    seed: int,
    durable: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """After each kill everything is sent again; without the store it would get in again."""
    chance = random.Random(seed)
    path = tmp_path / "sequence"
    sender = OutboundAssociation(1000, CBC, **KEYS)
    sent = [sender.protect(bytes(8), 59) for _ in range(3000)]

    def receive(writer: int) -> None:
        store, _log = open_store(path)
        inbound = InboundAssociation(1000, CBC, sequence=store.seen(A) if durable else 0, **KEYS)
        at = 0
        while True:
            group, at = sent[at : at + 5], at + 5
            taken = []
            for packet in group:
                try:
                    taken.append(inbound.unprotect(packet).sequence)
                except PacketRejected:
                    continue
                store.mark(A, taken[-1])
            if durable:
                store.commit()
            for number in taken:
                os.write(writer, number.to_bytes(4, "big"))
            if not group:  # all were delivered: say so, and wait for the kill
                os.write(writer, bytes(4))
                time.sleep(60)

    delivered: list[int] = []
    for _ in range(ROUNDS):
        delivered += numbers_in(killed_at_random(receive, chance.random() * 0.01))
    delivered = [number for number in delivered if number]
    assert delivered
    twice = len(delivered) - len(set(delivered))
    assert (twice == 0) is durable
    store = "with the store" if durable else "without it, to compare"
    record_property(f"figure: kills of a receiver, {store}", ROUNDS)
    record_property(f"figure: packets delivered twice, {store}", twice)
