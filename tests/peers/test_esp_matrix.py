"""The committed matrix of suites and judges is what the tests really do.

``python tests/peers/test_esp_matrix.py`` writes ``docs/esp-peers.md`` anew.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from esp import SUITES, Mode, Suite

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "esp-peers.md"
SHARED = HERE.parents[1].parent / "shared" / "vectors" / "esp"

# mode, outer, inner, UDP encapsulation, ESN
Cell = tuple[str, int, int, bool, bool]


def neighbour(name: str) -> ModuleType:
    """A test module beside this one."""
    spec = importlib.util.spec_from_file_location(f"_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(name: str) -> dict[str, set[Cell]]:
    """Which cells the packets of a file cover, by suite."""
    found: dict[str, set[Cell]] = {}
    for line in (SHARED / name).read_text().splitlines():
        vector = json.loads(line)
        row = next(
            row
            for row in SUITES.values()
            if (row.encryption, row.integrity) == (vector["transform"], vector["auth"])
            and row.key_bytes == len(vector["key"]) // 2
        )
        inner = 6 if vector["packets"][0]["inner"][0] == "6" and vector["mode"] == "tunnel" else 4
        outer = int(vector.get("outer_ip", 4))
        found.setdefault(row.name, set()).add(
            (
                vector["mode"],
                outer,
                int(vector.get("inner_ip", inner)),
                vector["udp_encap"],
                vector["esn"],
            )
        )
    return found


def kernel_live() -> dict[str, set[Cell]]:
    found: dict[str, set[Cell]] = {}
    for one in neighbour("test_esp_linux").matrix():
        key: Cell = (one["mode"], one["outer"], one["inner"], one["udp"], one["esn"])
        found.setdefault(one["suite"], set()).add(key)
    return found


def scapy_live() -> dict[str, set[Cell]]:
    module = neighbour("test_esp_scapy")
    cells = {(mode.value, *rest) for mode, *rest in (one.values for one in module.CELLS)}
    return {name: set(cells) for name in module.SUITES_OF_SCAPY}


def tshark() -> dict[str, set[Cell]]:
    module = neighbour("test_esp_tshark")
    cells: set[Cell] = {
        (mode.value, outer, 4, udp, False)
        for mode in Mode
        for outer, udp in ((4, False), (4, True), (6, False))
        if mode is Mode.TUNNEL or outer == 4
    }
    return {name: set(cells) for name in module.SUITES_OF_TSHARK}


def said(values: Iterable[Any], words: dict[Any, str]) -> str:
    present = set(values)
    return "+".join(word for value, word in words.items() if value in present)


def summary(cells: set[Cell]) -> str:
    """The cells in few words: T transport, U tunnel (outer/inner IP versions), ESN, UDP."""
    modes = []
    for mode, letter in (("transport", "transport"), ("tunnel", "tunnel")):
        versions = sorted({(outer, inner) for m, outer, inner, _, _ in cells if m == mode})
        if versions:
            modes.append(f"{letter} " + " ".join(f"{o}/{i}" for o, i in versions))
    numbers = said((esn for *_, esn in cells), {False: "SN", True: "ESN"})
    carrier = said((udp for *_, udp, _ in cells), {False: "plain", True: "UDP"})
    return f"{'; '.join(modes)}; {numbers}; {carrier} ({len(cells)})"


def why_not(peer: str, row: Suite) -> str:
    """Why a peer does not judge a suite."""
    if "iiv" in row.name:
        return "has no RFC 8750"
    if peer == "tshark":
        return f"has no word for {row.encryption if row.integrity == 'none' else row.integrity}"
    if peer == "scapy":
        if row.integrity == "aes-xcbc-96":
            return "has no XCBC"
        if row.encryption in ("aes-gcm-8", "aes-gcm-12", "aes-ccm-8", "aes-ccm-12"):
            return "knows the 16-octet ICV only"
    if peer == "strongSwan" and row.encryption == "aes-gmac-16":
        return "has no GMAC in userspace"
    return "not recorded"


PEERS = (
    "Linux live",
    "Linux packets",
    "strongSwan packets",
    "scapy live",
    "scapy packets",
    "tshark",
)

HEAD = """# Who judges which suite

Each suite of the table is judged by software that is not ours. A cell names what was tried: modes
with outer/inner IP versions, sequence numbers (SN 32 bits, ESN 64), the carrier (plain ESP or UDP
encapsulated), and the number of combinations; or why not.

- **Linux live**: a Linux kernel that runs as a process sends, and the HSE's gateway echoes, its
  associations configured by hand (`test_esp_linux.py`): addresses are learned or assigned as ever.
  Suites with an implicit IV are sent to it with the IV put into the packet.
- **Linux, strongSwan, scapy packets**: recorded packets are opened, and made again octet by octet
  (`tests/esp/test_vectors.py`).
- **scapy live**: each side opens what the other made (`test_esp_scapy.py`).
- **tshark**: decrypts our packets and finds each ICV good (`test_esp_tshark.py`); 4.0 says that
  every ICV is bad with ESN, so it judges none of those.

This page is written by `python tests/peers/test_esp_matrix.py`, and a test compares it with what
the tests do.

"""


def page() -> str:
    """The whole page."""
    columns: dict[str, dict[str, set[Cell]]] = {
        "Linux live": kernel_live(),
        "Linux packets": recorded("linux.jsonl"),
        "strongSwan packets": recorded("strongswan.jsonl"),
        "scapy live": scapy_live(),
        "scapy packets": recorded("scapy.jsonl"),
        "tshark": tshark(),
    }
    lines = [f"| suite | {' | '.join(PEERS)} |", "|" + "---|" * (len(PEERS) + 1)]
    for name, row in SUITES.items():
        words = [
            summary(columns[peer][name])
            if name in columns[peer]
            else f"no: {why_not(peer.split()[0], row)}"
            for peer in PEERS
        ]
        lines.append(f"| {name} | {' | '.join(words)} |")
    return HEAD + "\n".join(lines) + "\n"


def test_every_suite_is_judged_by_somebody() -> None:
    assert set(kernel_live()) == set(SUITES)


def test_the_committed_page_says_what_the_tests_do() -> None:
    if not SHARED.exists():
        pytest.skip("the shared vectors are not beside this checkout")
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    PAGE.write_text(page())
