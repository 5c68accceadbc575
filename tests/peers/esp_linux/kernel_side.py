"""Runs under the peer kernel: gives it its security associations, sends, counts the echoes.

Standard library only. Prints one line per cell: ``CELL number echoes`` and, at the end, what the
kernel's own counters say.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

US4, US6 = "192.0.2.2", "2001:db8::2"
PEER4, PEER6 = "192.0.2.1", "2001:db8::1"
INNER = {4: ("10.99.2.1", "10.99.1.1"), 6: ("fd99:2::1", "fd99:1::1")}
UDP_ENCAP, UDP_ENCAP_ESPINUDP, SOL_UDP = 100, 2, 17
IN_FLIGHT = 10


def run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        say("FAILED", " ".join(command), done.stderr.strip()[:500])
    return done.stdout


def algorithms(cell: dict[str, Any]) -> str:
    parts = []
    if cell["aead"]:
        parts.append(f'aead "{cell["aead"]}" 0x{cell["key"]} {cell["icv_bits"]}')
    else:
        key = f"0x{cell['key']}" if cell["key"] else '""'
        parts.append(f'enc "{cell["cipher"]}" {key}')
        parts.append(
            f'auth-trunc "{cell["integrity"]}" 0x{cell["integrity_key"]} {cell["icv_bits"]}'
        )
    return " ".join(parts)


def mixed(cell: dict[str, Any]) -> bool:
    return bool(cell["outer"] != cell["inner"])


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def configuration(cells: list[dict[str, Any]]) -> tuple[str, str]:
    states, policies = [], []
    for cell in cells:
        out, inbound = (US4, PEER4) if cell["outer"] == 4 else (US6, PEER6)
        window = "replay-window 64" if cell["esn"] else "replay-window 32"
        flags = (["esn"] if cell["esn"] else []) + (["af-unspec"] if mixed(cell) else [])
        window += f" flag {' '.join(flags)}" if flags else ""
        encap = "encap espinudp 4500 4500 0.0.0.0" if cell["udp"] else ""
        number, mode = cell["number"] + 1, cell["mode"]
        common = f"reqid {number} mode {mode} {window} {encap} {algorithms(cell)}"
        states.append(f"state add src {out} dst {inbound} proto esp spi {cell['out_spi']} {common}")
        states.append(f"state add src {inbound} dst {out} proto esp spi {cell['in_spi']} {common}")
        mine, theirs = (out, inbound) if mode == "transport" else INNER[cell["inner"]]
        ends = f"tmpl src {out} dst {inbound}" if mode == "tunnel" else "tmpl"
        back = f"tmpl src {inbound} dst {out}" if mode == "tunnel" else "tmpl"
        protocol = f"proto esp reqid {number} mode {mode}"
        port = cell["port"]
        policies.append(
            f"policy add src {mine} dst {theirs} proto udp dport {port} dir out {ends} {protocol}"
        )
        policies.append(
            f"policy add src {theirs} dst {mine} proto udp sport {port} dir in {back} {protocol}"
        )
    return "\n".join(states) + "\n", "\n".join(policies) + "\n"


def echoes(cell: dict[str, Any]) -> int:
    version = cell["outer"] if cell["mode"] == "transport" else cell["inner"]
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    if cell["mode"] == "transport":
        mine, theirs = (US4, PEER4) if version == 4 else (US6, PEER6)
    else:
        mine, theirs = INNER[version]
    came = 0
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((mine, 0))
        sock.settimeout(0.3)
        messages = [b"%d " % n * (1 + n % 50) for n in range(cell["echoes"])]
        for start in range(0, len(messages), IN_FLIGHT):
            group = set(messages[start : start + IN_FLIGHT])
            left = unanswered(sock, group, (theirs, cell["port"]))
            came += len(group) - len(left)
            if left:
                break
    return came


def unanswered(sock: socket.socket, group: set[bytes], to: tuple[str, int]) -> set[bytes]:
    """Send a few at once; the virtual network loses one now and then, so send those again."""
    left = set(group)
    for _ in range(8):
        for message in left:
            sock.sendto(message, to)
        try:
            while left:
                left.discard(sock.recv(9000))
        except OSError:
            continue
        break
    return left


def main() -> None:
    cells = json.loads(Path(sys.argv[1]).read_text())
    run("ip", "addr", "add", f"{US4}/24", "dev", "vec0")
    run("ip", "-6", "addr", "add", f"{US6}/64", "dev", "vec0", "nodad")
    run("ip", "addr", "add", "10.99.2.1/32", "dev", "lo")
    run("ip", "-6", "addr", "add", "fd99:2::1/128", "dev", "lo", "nodad")
    run("ip", "route", "add", "10.99.1.0/24", "via", PEER4, "src", "10.99.2.1")
    run("ip", "-6", "route", "add", "fd99:1::/64", "via", PEER6, "src", "fd99:2::1")
    states, policies = configuration(cells)
    lines = [f"xfrm {line}" for line in (states + policies).splitlines()]
    run("ip", "-force", "-batch", "-", text="\n".join(lines) + "\n")
    listeners = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, 4500))
        sock.setsockopt(SOL_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
        listeners.append(sock)
    for cell in cells:
        say("CELL", cell["number"], echoes(cell))
    for line in Path("/proc/net/xfrm_stat").read_text().splitlines():
        name, value = line.split()
        if value != "0":
            say("STAT", name, value)
    say("DONE")


main()
