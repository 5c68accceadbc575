"""Print how many seconds each peer's tests took, from a JUnit file.

python tests/peer_seconds.py build/junit.xml
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree


def seconds_by_peer(junit: Path) -> dict[str, tuple[int, float]]:
    """Tests and seconds per file under tests/peers."""
    found: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        place = case.get("classname", "")
        if "peers." not in place:
            continue
        name = place.partition("peers.")[2].split(".")[0].removeprefix("test_")
        count, seconds = found[name]
        found[name] = (count + 1, seconds + float(case.get("time", "0")))
    return dict(found)


def main() -> None:
    """Print the table; fail when no peer test ran."""
    found = seconds_by_peer(Path(sys.argv[1]))
    for name, (count, seconds) in sorted(found.items()):
        sys.stdout.write(f"{seconds:8.1f} s  {count:4d} tests  {name}\n")
    if not found:
        raise SystemExit("no peer test ran")


if __name__ == "__main__":
    main()
