"""The mutation fuzzer of `benchmarks/fuzz_rohc.py`: a short run, and that it can find something."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import fuzz_rohc
from benchmarks.fuzz_rohc import Fuzzer, Target, forging
from rohc import MalformedPacket
from rohc.decompression.context import DecompressorContext
from rohc.encoding.lists import ListState

ROOT = Path(__file__).parents[2]


def test_mutated_packets_and_feedback_break_nothing() -> None:
    fuzzer = Fuzzer(seed=5)
    fuzzer.run(3000)
    assert fuzzer.packets == 3000
    assert len(fuzzer.outcomes) > 80
    assert fuzzer.most_contexts <= 8
    assert sum(fuzzer.outcomes.values()) == 3000


def test_one_seed_gives_one_run() -> None:
    runs = []
    for _ in range(2):
        fuzzer = Fuzzer(seed=11)
        fuzzer.run(300)
        runs.append(fuzzer.outcomes)
    assert runs[0] == runs[1]


def test_it_reaches_what_stands_behind_each_crc() -> None:
    fuzzer = Fuzzer(seed=2)
    fuzzer.run(4000)
    kinds = {name.split(":")[0] for name in fuzzer.outcomes}
    assert kinds >= {"CrcFailure", "MalformedPacket", "NoContext", "UnsupportedProfile"}
    assert kinds >= {"IR", "IR-DYN", "UO-0", "UOR-2-EXT-3", "Normal", "segment", "feedback"}


def test_an_error_that_is_none_of_this_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes, at: int) -> tuple[int, int]:
        raise IndexError(at)

    monkeypatch.setattr("rohc.framing.read_large_cid", broken)
    with pytest.raises(IndexError):
        Fuzzer(seed=1).run(4000)


def test_a_trace_of_a_rejected_packet_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(False, "U")
    packet = fuzz_rohc.ipv4(fuzz_rohc.udp(b"x"))
    target.receive(target.compressor.compress(packet))

    def careless(body: bytes, spec: object, mode: object, headers: object, lists: object) -> None:
        target.decompressor._contexts[0].sn_before = 99
        raise MalformedPacket("careless")

    monkeypatch.setattr("rohc.decompressor.take_apart", careless)
    with pytest.raises(AssertionError, match="trace"):
        target.receive(b"\x00\x00\x00\x00", look=True)


def test_tables_that_grow_without_end_are_found() -> None:
    target = Target(True, "O")
    target.receive(target.compressor.compress(fuzz_rohc.ipv6(fuzz_rohc.udp(b"x"))))
    target.check()
    state = ListState()
    state.table = dict.fromkeys(range(129), b"")
    target.decompressor._contexts[0].lists.append(state)
    with pytest.raises(AssertionError):
        target.check()
    for cid in range(9):
        target.decompressor._contexts[cid] = DecompressorContext(cid, None)
    with pytest.raises(AssertionError):
        target.check()


def test_forged_crcs_match_only_while_they_are_wanted() -> None:
    target = Target(False, "U")
    good = target.compressor.compress(fuzz_rohc.ipv4(fuzz_rohc.udp(b"x")))
    wrong = good[:2] + bytes((good[2] ^ 1,)) + good[3:]
    assert target.receive(wrong).startswith("CrcFailure")
    with forging(True):
        assert target.receive(wrong) == "IR"
    with forging(False):
        assert target.receive(wrong).startswith("CrcFailure")


def test_the_command_prints_its_figures() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/fuzz_rohc.py", "--packets", "200", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"packets": 200' in done.stdout.splitlines()[-1]


def test_without_atheris_its_script_says_how_to_install_it() -> None:
    if find_spec("atheris") is not None:
        pytest.skip("atheris is installed")
    done = subprocess.run(
        [sys.executable, "benchmarks/fuzz_rohc_atheris.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install atheris" in done.stderr
