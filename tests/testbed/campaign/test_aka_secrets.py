"""No secret of AKA leaves a run: canaries in card, file and exchange, searched everywhere.

The capture alone is exempt, and of what is on the wire in clear only: the identity of the request,
RAND and AUTN of the challenge, AUTS (docs/keying.md says why). What never is on the wire (K, OPc,
RES, CK, IK) must not be there either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from esp.aka import AkaSuccess, AkaSyncFailure, AuthenticationCentre, AuthenticationVector, Usim
from testbed.bench import Bench
from testbed.bench.subscribers import AkaSubscribers
from testbed.campaign import lab, runner
from testbed.campaign.subscriber import Card, bench_centre, own_card
from testbed.cli import main

IMSI, ICCID, IMEI = "001017392846150", "89882397162839405162", "866818039517462"
K, OPC = (
    bytes.fromhex("5ca1ab1e0ddba11c0ffeebadcafe4242"),
    bytes.fromhex("9d" * 3 + "a7c3" * 6 + "11"),
)
FILE = f"""
schema_version: 1
subscribers:
  - identity: "{IMSI}"
    k: hex:{K.hex()}
    opc: hex:{OPC.hex()}
"""


class Canaries:
    """What must not be found."""

    def __init__(self) -> None:
        self.never: dict[str, set[bytes]] = {"K": {K}, "OPc": {OPC}}
        """Octets that are nowhere on the wire either, by what they are."""
        self.wire: dict[str, set[bytes]] = {}
        """Octets that are, in clear."""

    def note(self, kind: str, value: bytes, *, wire: bool = False) -> None:
        (self.wire if wire else self.never).setdefault(kind, set()).add(value)

    def found(self, data: bytes, *, capture: bool = False) -> Iterator[str]:
        """What is in some octets, in any of its forms."""
        small = data.lower()
        kinds = [self.never] if capture else [self.never, self.wire]
        for group in kinds:
            for kind, values in group.items():
                for value in values:
                    if value in data or value.hex().encode() in small:
                        yield kind
        if not capture:
            for name, digits in (("IMSI", IMSI), ("ICCID", ICCID), ("IMEI", IMEI)):
                if digits.encode() in data:
                    yield name


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """Listens to centre and card of the run."""
    seen = Canaries()
    authenticate, vector = Usim.authenticate, AuthenticationCentre.vector

    def listening(self: Usim, rand: bytes, autn: bytes) -> Any:
        seen.note("RAND", rand, wire=True)
        seen.note("AUTN", autn, wire=True)
        answer = authenticate(self, rand, autn)
        if isinstance(answer, AkaSuccess):
            for kind in ("res", "ck", "ik", "kc"):
                seen.note(kind.upper(), getattr(answer, kind))
        elif isinstance(answer, AkaSyncFailure):
            seen.note("AUTS", answer.auts, wire=True)
        return answer

    def giving(self: AuthenticationCentre, *arguments: Any) -> AuthenticationVector:
        made = vector(self, *arguments)
        for kind in ("xres", "ck", "ik"):
            seen.note(kind.upper(), getattr(made, kind))
        return made

    monkeypatch.setattr(Usim, "authenticate", listening)
    monkeypatch.setattr(AuthenticationCentre, "vector", giving)
    return seen


def wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def centre(bench: Bench, known: AkaSubscribers, part: int = 0) -> AuthenticationCentre:
        from esp.aka import Milenage

        other = Milenage(k=bytes(16), opc=bytes(16))
        changed = tuple(replace(one, algorithm=other) for one in known.subscribers)
        return bench_centre(bench, replace(known, subscribers=changed), part)

    monkeypatch.setattr(lab, "bench_centre", centre)


def wrong_res(monkeypatch: pytest.MonkeyPatch) -> None:
    def centre(bench: Bench, known: AkaSubscribers, part: int = 0) -> Any:
        real = bench_centre(bench, known, part)

        class Wrong:
            def vector(self, identity: str) -> AuthenticationVector:
                made = real.vector(identity)
                return replace(made, xres=made.xres[::-1])

            def resynchronise(self, *arguments: Any) -> None:
                real.resynchronise(*arguments)

        return Wrong()

    monkeypatch.setattr(lab, "bench_centre", centre)


def out_of_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def ahead(bench: Bench, known: AkaSubscribers | None, part: int = 0) -> Card | None:
        card = own_card(bench, known, part)
        assert card is not None
        card.usim._sequence._accepted = [77] * 32
        return card

    monkeypatch.setattr(runner, "own_card", ahead)


def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    def centre(bench: Bench, known: AkaSubscribers, part: int = 0) -> AuthenticationCentre:
        changed = tuple(replace(one, identity="somebody") for one in known.subscribers)
        return bench_centre(bench, replace(known, subscribers=changed), part)

    monkeypatch.setattr(lab, "bench_centre", centre)


Harm = Callable[[pytest.MonkeyPatch], None] | None

CASES: list[tuple[str, dict[str, Any], dict[str, Any], Harm, int]] = [
    ("success by csim", {}, {"path": "csim"}, None, 0),
    ("success by cgla", {}, {"path": "cgla"}, None, 0),
    ("a modem that does not fetch", {"chained": False}, {}, None, 0),
    ("success, soft", {}, {"usim": "soft"}, None, 0),
    ("out of step", {}, {}, out_of_step, 0),
    ("wrong K", {}, {}, wrong_key, 2),
    ("wrong RES", {}, {}, wrong_res, 2),
    ("stranger", {}, {}, stranger, 2),
    ("busy", {"busy_s": 4000.0}, {}, None, 3),
    ("refused", {"refuses_authenticate": "6985"}, {}, None, 3),
    ("no way", {"generic_access": False, "channels": False}, {}, None, 3),
]


@pytest.mark.parametrize(
    ("usim", "aka", "harm", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_no_secret_is_in_the_run_directory_or_in_the_output(
    usim: dict[str, Any],
    aka: dict[str, Any],
    harm: Harm,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    canaries: Canaries,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").mkdir()
    subscribers = tmp_path / "keys" / "subscribers.yaml"
    subscribers.write_text(FILE)
    subscribers.chmod(0o600)
    bench = tmp_path / "keys" / "bench.json"
    card = {"generic_access": True, "channels": True, **usim}
    virtual = {"imei": IMEI, "card": {"imsi": IMSI, "iccid": ICCID}, "usim": card}
    bench.write_text(
        json.dumps(
            {
                "keys": "aka",
                "identity": IMSI,
                "matrix": ["esp-tunnel", "rohc+esp-tunnel"],
                "aka": {"subscribers": "subscribers.yaml", "test": True, **aka},
                "module": {"virtual": virtual},
                "traffic": {"messages": 2},
            }
        )
    )
    if harm is not None:
        harm(monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main(["-vv", "run", "--bench", str(bench), "--junit", "junit.xml"])
    assert (ended.value.code or 0) == code
    with pytest.raises(SystemExit):
        main(["-vv", "report", "--json"])
    with pytest.raises(SystemExit):
        main(["-vv", "run", "--bench", str(bench), "--identity", IMSI, "--subscribers", "none"])
    out, err = capfd.readouterr()
    assert list(canaries.found(out.encode())) == []
    assert list(canaries.found(err.encode())) == []
    searched = set()
    for path in sorted(tmp_path.rglob("*")):
        if not path.is_file() or path.parent.name == "keys":
            continue
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += str(parquet.read_table(path).to_pydict()).encode()
        assert list(canaries.found(data, capture=path.suffix == ".pcapng")) == [], path
        searched.add(path.name)
    assert {"journal.jsonl", "manifest.json", "capture.pcapng", "report.html"} <= searched
    assert "DEBUG" in err or "INFO" in err  # the logs were there to be searched
    if code == 0:
        assert len(canaries.wire["RAND"]) >= (3 if harm else 2)
        assert {"RES", "CK", "IK", "XRES"} <= set(canaries.never)
    if harm is out_of_step:
        assert "AUTS" in canaries.wire


def test_the_search_finds_what_there_is_to_find(canaries: Canaries) -> None:
    """Else it would prove nothing."""
    canaries.note("RAND", bytes(range(16)), wire=True)
    for data in (K, K.hex().upper().encode(), b"..." + IMSI.encode(), bytes(range(16))):
        assert list(canaries.found(data)) != []
    assert list(canaries.found(bytes(range(16)), capture=True)) == []
    assert list(canaries.found(K, capture=True)) == ["K"]
