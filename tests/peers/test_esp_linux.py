"""The Linux kernel's ESP, live: a kernel that runs as a process sends, the HSE's gateway echoes.

Needs root, ``/dev/net/tun``, iproute2, kmod and user-mode-linux. Three suites go through every
combination of mode, outer and inner IP version, UDP encapsulation and ESN; every other suite that
the kernel has goes through one. Suites with an implicit IV, which the kernel has not, take esp's
own associations and are sent to it with the IV put into the packet, once without ESN and once with.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from esp import SUITES, Suite

pytestmark = pytest.mark.peer

SCRIPTS = Path(__file__).parent / "esp_linux"
CHECKOUT = Path(__file__).parents[2]
WHOLE = ("aes-gcm-16-128", "chacha20-poly1305", "aes-cbc-128+hmac-sha2-256-128")
AEAD = {
    "aes-gcm": "rfc4106(gcm(aes))",
    "aes-ccm": "rfc4309(ccm(aes))",
    "aes-gmac": "rfc4543(gcm(aes))",
    "chacha20-poly1305": "rfc7539esp(chacha20,poly1305)",
}
CIPHER = {"aes-cbc": "cbc(aes)", "aes-ctr": "rfc3686(ctr(aes))", "null": "ecb(cipher_null)"}
INTEGRITY = {
    "none": "",
    "hmac-sha1-96": "hmac(sha1)",
    "hmac-sha2-256-128": "hmac(sha256)",
    "hmac-sha2-384-192": "hmac(sha384)",
    "hmac-sha2-512-256": "hmac(sha512)",
    "aes-cmac-96": "cmac(aes)",
    "aes-xcbc-96": "xcbc(aes)",
}

# mode, outer, inner, UDP encapsulation, ESN
COMBINATIONS = [
    (mode, outer, inner, udp, esn)
    for mode in ("tunnel", "transport")
    for outer in (4, 6)
    for inner in (4, 6)
    for udp in (False, True)
    for esn in (False, True)
    if mode == "tunnel" or outer == inner
]


def cell(number: int, row: Suite, combination: tuple[Any, ...], echoes: int) -> dict[str, Any]:
    mode, outer, inner, udp, esn = combination
    aead = next((name for start, name in AEAD.items() if row.encryption.startswith(start)), "")
    size = row.key_bytes + row.salt_bytes
    return {
        "number": number,
        "suite": row.name,
        "mode": mode,
        "outer": outer,
        "inner": inner,
        "udp": udp,
        "esn": esn,
        "aead": aead,
        "cipher": CIPHER.get(row.encryption, ""),
        "integrity": INTEGRITY[row.integrity],
        "key": bytes((n * 7 + number) % 256 for n in range(size)).hex(),
        "integrity_key": bytes((n * 5 + 1) % 256 for n in range(row.integrity_key_bytes)).hex(),
        "icv_bits": row.icv_bytes * 8,
        "out_spi": 0x10000 + 2 * number,
        "in_spi": 0x10001 + 2 * number,
        "port": 6000 + number,
        "echoes": echoes,
    }


def matrix() -> list[dict[str, Any]]:
    pairs: list[tuple[Suite, tuple[Any, ...], int]] = []
    for name in WHOLE:
        pairs += [(SUITES[name], combination, 200) for combination in COMBINATIONS]
    turns = itertools.cycle(COMBINATIONS)
    for row in SUITES.values():
        if "iiv" in row.name:
            pairs += [(row, ("tunnel", 4, 6, False, esn), 20) for esn in (False, True)]
        elif row.name not in WHOLE:
            pairs.append((row, next(turns), 20))
    return [cell(number, *pair) for number, pair in enumerate(pairs)]


def missing() -> str:
    """What stands in the way, empty when nothing does."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    for program in ("linux.uml", "modprobe", "ip"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "needs root for a network namespace"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    return ""


@contextmanager
def network() -> Iterator[str]:
    """A network namespace of our own with a tap device."""
    name = f"bestesp{os.getpid()}"
    commands = [
        ["ip", "netns", "add", name],
        ["ip", "-n", name, "link", "set", "lo", "up"],
        ["ip", "netns", "exec", name, "ip", "tuntap", "add", "mode", "tap", "name", "tap0"],
        ["ip", "-n", name, "addr", "add", "192.0.2.1/24", "dev", "tap0"],
        ["ip", "-n", name, "-6", "addr", "add", "2001:db8::1/64", "dev", "tap0", "nodad"],
        ["ip", "-n", name, "link", "set", "tap0", "up"],
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[int, int], str]:
    """Echoes by cell, and all that the two sides said."""
    reason = missing()
    if reason:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("uml")
    (folder / "cells.json").write_text(json.dumps(matrix()))
    for script in SCRIPTS.iterdir():
        if script.is_file():
            shutil.copy(script, folder / script.name)
    (folder / "init.sh").chmod(0o755)
    with network() as name:
        inside = ["ip", "netns", "exec", name]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": "/tmp"}
        ours = subprocess.Popen(
            [*inside, sys.executable, str(folder / "our_side.py"), str(folder / "cells.json")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        try:
            assert ours.stdout is not None
            assert ours.stdout.readline() == "READY\n"
            kernel = subprocess.run(
                [
                    *inside,
                    "linux.uml",
                    "mem=256M",
                    "rootfstype=hostfs",
                    "rootflags=/",
                    "ro",
                    f"init={folder}/init.sh",
                    f"folder={folder}",
                    f"python={sys.executable}",
                    "con=null",
                    "con0=fd:0,fd:1",
                    "quiet",
                    "vec0:transport=tap,ifname=tap0",
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=180,
                check=False,
                env=environment,
            )
        finally:
            ours.terminate()
            said = ours.communicate(timeout=10)[0]
    echoes = {}
    for line in kernel.stdout.splitlines():
        words = line.split()
        if words[:1] == ["CELL"] and len(words) == 3:
            echoes[int(words[1])] = int(words[2])
    return echoes, kernel.stdout[-4000:] + said


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(
            one,
            id=f"{one['suite']}-{one['mode']}-{one['outer']}-{one['inner']}"
            f"-{'udp' if one['udp'] else 'raw'}-{'esn' if one['esn'] else 'sn'}",
        )
        for one in matrix()
    ],
)
def test_every_echo_comes_back(outcome: tuple[dict[int, int], str], wanted: dict[str, Any]) -> None:
    echoes, said = outcome
    assert echoes.get(wanted["number"]) == wanted["echoes"], said


def test_neither_side_refused_a_packet(outcome: tuple[dict[int, int], str]) -> None:
    _, said = outcome
    assert "REFUSED {}" in said
    errors = [line for line in said.splitlines() if line.startswith(("STAT XfrmIn", "FAILED"))]
    assert not errors


def test_the_gateway_gave_the_answers(outcome: tuple[dict[int, int], str]) -> None:
    _, said = outcome
    served = [one for one in matrix() if "iiv" not in one["suite"]]
    told = next(line for line in said.splitlines() if line.startswith("GATEWAY "))
    sessions, answers = json.loads(told.removeprefix("GATEWAY "))
    assert sessions == len(served)
    assert answers >= sum(one["echoes"] for one in served)


def test_the_matrix_holds_every_suite() -> None:
    assert {one["suite"] for one in matrix()} == set(SUITES)
    assert all(one["aead"] or (one["cipher"] and one["integrity"]) for one in matrix())
