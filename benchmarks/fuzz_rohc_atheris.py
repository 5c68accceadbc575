"""ROHC under atheris: coverage-guided octets for the decompressor, `explain` and feedback parser.

    pip install atheris                     # not among this project's dependencies
    python benchmarks/fuzz_rohc_atheris.py -max_total_time=60 [CORPUS_FOLDER]

Options are libFuzzer's. The first octet of an input chooses the channel and the mode; then follow
packets, each behind an octet with its length. An input begins with settled contexts of all
profiles. The checks are those of `benchmarks/fuzz_rohc.py`, which needs nothing but Python.
"""

from __future__ import annotations

import copy
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

try:
    import atheris
except ImportError:
    raise SystemExit("atheris is not installed; install it with: pip install atheris") from None

with atheris.instrument_imports(include=["rohc"]):
    from benchmarks.fuzz_rohc import Target, forging, packet

_SETTLED: dict[tuple[bool, str], Target] = {}


def settled(large: bool, mode: str) -> Target:
    """A target whose contexts all profiles have used; a fresh copy each time."""
    if (large, mode) not in _SETTLED:
        target = Target(large, mode)
        draw = random.Random(3)
        for number in range(150):
            target.receive(target.compressor.compress(packet(draw, number), target.now))
        _SETTLED[large, mode] = target
    return copy.deepcopy(_SETTLED[large, mode])


def one_input(data: bytes) -> None:
    """What libFuzzer calls."""
    if len(data) < 3:
        return
    choice, data = data[0], data[1:]
    target = settled(bool(choice & 1), "UOR"[choice // 2 % 3])
    with forging(bool(choice & 0x20)):
        while data:
            octets, data = data[1 : 1 + data[0]], data[1 + data[0] :]
            if not octets:
                break
            if choice & 0x10:
                target.feedback(octets)
            target.receive(octets, look=bool(choice & 0x40))
    target.check()


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
