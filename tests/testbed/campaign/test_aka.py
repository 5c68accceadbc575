"""Keys from AKA in whole runs: each family, each way to the card, and all that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from esp.aka import AuthenticationCentre, AuthenticationVector, Milenage, Purpose
from firmware_bridge import ModuleRebooted, UsimBusy
from testbed.bench import Bench
from testbed.bench.subscribers import AkaSubscribers
from testbed.campaign import lab, runner
from testbed.campaign.subscriber import Card, bench_centre, own_card
from testbed.cli import main
from testbed.metrics import RunMetrics
from testbed.results import JournalReader, RunDirectory
from testbed.ue.usim import UeUsim

CARD = {"generic_access": True, "channels": True}
MILENAGE = """
  - identity: meter-17
    k: hex:000102030405060708090a0b0c0d0e0f
    opc: hex:f0e1d2c3b4a5968778695a4b3c2d1e0f
"""
TUAK = """
  - identity: meter-17
    algorithm: tuak
    k: hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
    topc: hex:f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f
    res_bits: 128
"""


@dataclass
class Ran:
    """A run that is over."""

    code: int
    out: str
    err: str
    place: RunDirectory

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in JournalReader(self.place.journal_path) if one["kind"] == kind]

    @property
    def sessions(self) -> list[dict[str, Any]]:
        return self.records("session")

    @property
    def counts(self) -> dict[str, int]:
        (end,) = self.records("end")
        found: dict[str, int] = end["counts"]
        return found

    @property
    def rejected(self) -> dict[str, int]:
        """What the HSE counted, by reason."""
        start = "hse_rejected_esp_"
        return {
            name.removeprefix(start): count
            for name, count in self.counts.items()
            if name.startswith(start)
        }


Go = Callable[..., Ran]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Go:
    """Carry a bench with keys from AKA out, in virtual time."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, **description: Any) -> Ran:
        file = tmp_path / "bench.json"
        settings = {
            "keys": "aka",
            "matrix": ["esp-tunnel", "rohc+esp-tunnel"],
            "traffic": {"messages": 3},
            **description,
        }
        file.write_text(json.dumps(settings))
        before = set((tmp_path / "runs").glob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["run", "--bench", str(file), *options])
        out, err = capsys.readouterr()
        (place,) = set((tmp_path / "runs").glob("*")) - before
        return Ran(int(ended.value.code or 0), out, err, RunDirectory.open(place))

    return run


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[Card]:
    """The cards of all runs."""
    made: list[Card] = []

    def making(bench: Bench, known: AkaSubscribers | None, part: int = 0) -> Card | None:
        card = own_card(bench, known, part)
        if card is not None:
            made.append(card)
        return card

    monkeypatch.setattr(runner, "own_card", making)
    return made


def subscriber_file(tmp_path: Path, entries: str = MILENAGE) -> Path:
    path = tmp_path / "subscribers.yaml"
    path.write_text(f"schema_version: 1\nsubscribers:{entries}")
    path.chmod(0o600)
    return path


def module(family: str, **usim: Any) -> dict[str, Any]:
    return {"family": family, "port": f"virtual:{family}", "virtual": {"usim": usim}}


def all_answered(ran: Ran) -> None:
    assert ran.code == 0, ran.err
    assert ran.counts["messages_answered"] == len(ran.records("message"))
    assert not any("failure" in one for one in ran.sessions)


# -- what goes well --------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
@pytest.mark.parametrize("way", ["csim", "cgla"])
def test_keys_agree_and_every_message_is_answered(
    go: Go, cards: list[Card], family: str, way: str
) -> None:
    ran = go(module=module(family, **CARD), aka={"path": way})
    all_answered(ran)
    assert ran.rejected == {}
    assert [one["usim"] for one in ran.sessions] == [way, way]
    for one in ran.sessions:
        assert (one["key_agreement"], one["resynchronisations"]) == ("aka", 0)
        assert 0 < one["usim_s"] < one["setup_s"]
        stages = one["stages_s"]
        names = ("at_written", "challenged", "authenticated", "confirmed", "received")
        assert [stages[name] for name in names] == sorted(stages[name] for name in names)
        assert stages["authenticated"] - stages["challenged"] == pytest.approx(
            one["usim_s"], abs=3e-6
        )
        assert one["energy"]["total_j"] > 0
        for up, total in (("up", one["bytes_up"]), ("down", one["bytes_down"])):
            assert sum(one[f"layers_{up}"].values()) == total
    types = [(one["type"], one["way"], one["bytes"]) for one in ran.sessions[0]["messages"]]
    assert types == [
        ("request", "up", 27 + len("ue-1")),
        ("challenge", "down", 61),
        ("confirm", "up", 22),
        ("acknowledgement", "down", 21),
    ]
    assert len(ran.place.esp_sa_path.read_text().splitlines()) == 2 * 2 * 2
    (card,) = cards  # the attach took INDs of its own, and nobody was out of step
    attached, for_hse = card.usim.accepted[:16], card.usim.accepted[16:]
    assert (sum(map(bool, attached)), sum(map(bool, for_hse))) == (1, 2)
    assert card.resynchronisations == 0


@pytest.mark.parametrize(
    ("family", "offered", "way"),
    [
        ("bc66", {}, "csim"),
        ("bc95", {"channels": True}, "cgla"),
        ("bc95", {"generic_access": True}, "csim"),
        ("bc66", CARD, "cgla"),
    ],
)
def test_the_best_way_there_is_is_taken(
    go: Go, family: str, offered: dict[str, Any], way: str
) -> None:
    ran = go(module=module(family, **offered), matrix=["esp-tunnel"])
    all_answered(ran)
    assert [one["usim"] for one in ran.sessions] == [way]


@pytest.mark.parametrize("entries", [MILENAGE, TUAK], ids=["milenage", "tuak"])
def test_the_subscriber_of_a_file_is_in_the_card_and_at_the_hse(
    go: Go, tmp_path: Path, entries: str
) -> None:
    path = subscriber_file(tmp_path, entries)
    aka = {"subscribers": str(path), "test": True}
    ran = go(identity="meter-17", aka=aka)
    all_answered(ran)
    (run,) = ran.records("run")
    assert (run["time"], run["settings"]["keys"]) == ("virtual", "aka")
    assert ran.place.esp_sa_path.exists()


def test_keys_of_subscribers_that_are_not_test_ones_are_written_on_demand_only(
    go: Go, tmp_path: Path
) -> None:
    aka = {"subscribers": str(subscriber_file(tmp_path))}
    ran = go(identity="meter-17", aka=aka, matrix=["esp-tunnel"], traffic={"messages": 1})
    all_answered(ran)
    (run,) = ran.records("run")
    assert run["time"] == "scaled"
    assert not ran.place.esp_sa_path.exists()
    ran = go(
        "--export-keys",
        identity="meter-17",
        aka=aka,
        matrix=["esp-tunnel"],
        traffic={"messages": 1},
    )
    assert ran.place.esp_sa_path.exists()
    assert not ran.place.read_manifest().test_keys


def test_one_seed_gives_one_journal_with_aka_too(go: Go) -> None:
    one, other, another = (
        go("--seed", seed, module=module("bc66", **CARD)) for seed in ("7", "7", "8")
    )
    for name in ("journal.jsonl", "capture.pcapng", "esp_sa"):
        assert (one.place.path / name).read_bytes() == (other.place.path / name).read_bytes()
    assert one.place.esp_sa_path.read_bytes() != another.place.esp_sa_path.read_bytes()


@pytest.mark.parametrize("way", ["csim", "cgla"])
@pytest.mark.parametrize("pace", ["asap", "capture"])
def test_each_re_keying_is_a_measured_event(go: Go, way: str, pace: str) -> None:
    """At the traffic's own pace the module sleeps in between, and its card loses its power."""
    ran = go(
        module=module("bc66", **CARD),
        aka={"path": way},
        matrix=["esp-tunnel"],
        traffic={"messages": 6, "pace": pace},
        lifetime={"soft_packets": 2, "hard_packets": 8},
    )
    all_answered(ran)
    first, *later = ran.sessions
    assert "reason" not in first
    assert [one["reason"] for one in later] == ["lifetime-soft"] * 2
    assert all(one["energy"]["total_j"] > 0 and one["usim_s"] > 0 for one in later)
    keys = {line.split(",")[5] for line in ran.place.esp_sa_path.read_text().splitlines()}
    assert len(keys) == 2 * len(ran.sessions)
    assert "re-keyed by itself" in ran.out


def test_attaches_between_authentications_cause_no_resynchronisation(
    go: Go, cards: list[Card]
) -> None:
    """The module reboots again and again, and attaches with vectors that the network held back."""
    virtual = {"faults": [{"at_s": at, "kind": "reboot"} for at in range(20, 300, 40)]}
    ran = go(
        matrix=["esp-tunnel"],
        traffic={"messages": 40},
        module={"virtual": virtual},
        lifetime={"soft_packets": 2, "hard_packets": 8},
    )
    assert ran.code == 0, ran.err
    (card,) = cards
    attaches = sum(map(bool, card.usim.accepted[:16]))
    assert attaches >= 4
    assert len(ran.sessions) >= 10
    assert card.resynchronisations == 0
    assert sum(one["resynchronisations"] for one in ran.sessions) == 0
    assert "synchronisation-failure" not in ran.rejected


# -- a soft USIM -----------------------------------------------------------------------------------


def test_a_soft_usim_is_labelled_wherever_its_figures_are(go: Go) -> None:
    ran = go(module=module("bc95"), aka={"usim": "soft"})
    all_answered(ran)
    (run,) = ran.records("run")
    assert run["settings"]["usim"] == "soft"
    assert {(one["usim"], one["usim_s"]) for one in ran.sessions} == {("soft", 0.0)}
    manifest = ran.place.read_manifest()
    assert manifest.config["aka"]["usim"] == "soft"
    assert any(note.startswith("Soft USIM") for note in manifest.notes)
    told = " ".join(ran.out.split())
    assert "soft USIM" in told
    assert "Soft USIM: software on this computer answered" in told
    page = ran.place.report_path.read_text()
    assert "soft USIM" in page
    assert "Soft USIM: software" in page
    metrics = RunMetrics()
    for record in JournalReader(ran.place.journal_path):
        metrics.observe(record)
    labels = {"security": "esp-tunnel", "compression": "none", "usim": "soft"}
    assert metrics.value("testbed_session_resynchronisations_total", **labels) == 0.0


# -- what goes wrong -------------------------------------------------------------------------------

Change = Callable[[AuthenticationVector], AuthenticationVector]


@dataclass
class Altered:
    """A centre whose vectors are altered on their way."""

    centre: AuthenticationCentre
    change: Change
    given: list[AuthenticationVector] = field(default_factory=list)
    resynchronised: int = 0

    def vector(self, identity: str, purpose: Purpose = Purpose.HSE) -> AuthenticationVector:
        self.given.append(self.change(self.centre.vector(identity, purpose)))
        return self.given[-1]

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        self.resynchronised += 1
        self.centre.resynchronise(identity, rand, auts)


@pytest.fixture
def altered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], list[Altered]]:
    """Alter the vectors of the run's HSE."""

    def alter(change: Change) -> list[Altered]:
        made: list[Altered] = []

        def centre(bench: Bench, known: AkaSubscribers, part: int = 0) -> Altered:
            made.append(Altered(bench_centre(bench, known, part), change))
            return made[-1]

        monkeypatch.setattr(lab, "bench_centre", centre)
        return made

    return alter


def card_ahead(monkeypatch: pytest.MonkeyPatch, seq: int) -> None:
    """The card has accepted numbers that no centre of the run knows of."""

    def ahead(bench: Bench, known: AkaSubscribers | None, part: int = 0) -> Card | None:
        card = own_card(bench, known, part)
        assert card is not None
        card.usim._sequence._accepted = [seq] * 32
        return card

    monkeypatch.setattr(runner, "own_card", ahead)


@pytest.mark.parametrize("way", ["csim", "cgla"])
@pytest.mark.parametrize("seq", [1, 1000, 1 << 40])
def test_a_number_out_of_range_costs_one_resynchronisation(
    go: Go,
    monkeypatch: pytest.MonkeyPatch,
    altered: Callable[[Change], list[Altered]],
    way: str,
    seq: int,
) -> None:
    card_ahead(monkeypatch, seq)
    made = altered(lambda vector: vector)
    ran = go(module=module("bc66", **CARD), aka={"path": way})
    all_answered(ran)
    assert ran.rejected == {"synchronisation-failure": 1}
    assert [one["resynchronisations"] for one in ran.sessions] == [1, 0]
    assert made[0].resynchronised == 1
    types = [one["type"] for one in ran.sessions[0]["messages"]]
    assert types == [
        *("request", "challenge", "confirm", "challenge", "confirm"),
        "acknowledgement",
    ]
    assert "resynchronised" in ran.out


def refused(ran: Ran, code: int, failure: str, *said: str) -> None:
    """The run ended so; its journal, its table and its metrics have the reason."""
    assert ran.code == code, ran.err
    assert [one.get("failure") for one in ran.sessions] == [failure]
    assert "Traceback" not in ran.err
    told = " ".join(ran.err.split())
    for words in said:
        assert words in told, told
    assert "next:" in told
    assert ran.counts["sessions_failed"] == 1
    metrics = RunMetrics()
    for record in JournalReader(ran.place.journal_path):
        metrics.observe(record)
    labels = {"security": "esp-tunnel", "compression": "none", "reason": failure}
    assert metrics.value("testbed_session_failures_total", **labels) == 1.0


def test_a_wrong_key_is_told_and_counted_on_both_sides(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_key(bench: Bench, known: AkaSubscribers, part: int = 0) -> AuthenticationCentre:
        wrong = Milenage(k=bytes(16), opc=bytes(16))
        changed = tuple(replace(one, algorithm=wrong) for one in known.subscribers)
        return bench_centre(bench, replace(known, subscribers=changed), part)

    monkeypatch.setattr(lab, "bench_centre", other_key)
    ran = go()
    refused(ran, 2, "challenge-refused", "not its home network's", "same K, OPc and algorithm")
    assert set(ran.rejected) == {"challenge-refused"}
    (session,) = ran.sessions
    assert session["resynchronisations"] == 0
    # The USIM was asked once; what came again was answered from memory.
    assert session["usim_s"] < 1.0


@pytest.mark.parametrize("wrong", ["xres", "ck", "ik"])
def test_a_wrong_answer_or_key_is_refused_told_and_counted(
    go: Go, altered: Callable[[Change], list[Altered]], wrong: str
) -> None:
    def change(vector: AuthenticationVector) -> AuthenticationVector:
        value: bytes = getattr(vector, wrong)
        return replace(vector, **{wrong: bytes((value[0] ^ 1,)) + value[1:]})

    made = altered(change)
    ran = go()
    refused(ran, 2, "refused-authentication-failed", "refuses this UE", "same K and OPc")
    assert set(ran.rejected) == {"authentication-failed"}
    assert made[0].resynchronised == 0
    assert len(made[0].given) == 1


def test_a_card_that_stays_busy_after_boot_is_told_before_anything_is_sent(go: Go) -> None:
    ran = go(module=module("bc66", busy_s=5000.0))
    refused(ran, 3, "usim-busy", "the USIM was busy for", "then try again")
    assert ran.rejected == {}
    assert ran.sessions[0]["bytes_up"] == 0


@pytest.mark.parametrize("times", [1, 99])
def test_a_card_that_is_busy_at_the_challenge_is_asked_again(
    go: Go, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    asked: list[int] = []
    authenticate = UeUsim.authenticate

    async def busy(self: UeUsim, module: Any, rand: bytes, autn: bytes) -> Any:
        asked.append(1)
        if len(asked) <= times:
            raise UsimBusy(10.0)
        return await authenticate(self, module, rand, autn)

    monkeypatch.setattr(UeUsim, "authenticate", busy)
    ran = go(matrix=["esp-tunnel"])
    if times == 1:
        all_answered(ran)
        assert ran.rejected == {"usim-unavailable": 1}
        assert ran.sessions[0]["attempts"] == 2
    else:
        refused(ran, 3, "usim-busy", "the USIM was busy for", "then try again")
        assert ran.rejected == {"usim-unavailable": 3}


def test_a_command_that_the_card_refuses_ends_it_at_once(go: Go) -> None:
    ran = go(module=module("bc66", refuses_authenticate="6985"))
    refused(ran, 3, "usim-refused", "the USIM refused AUTHENTICATE: 6985", "the right card")
    assert ran.rejected == {"usim-unavailable": 1}
    types = [one["type"] for one in ran.sessions[0]["messages"]]
    assert types == ["request", "challenge", "confirm"]


@pytest.mark.parametrize("way", ["auto", "csim", "cgla"])
def test_a_module_without_a_way_to_its_card_is_told_before_anything_is_measured(
    go: Go, way: str
) -> None:
    ran = go(module=module("bc95"), aka={"path": way}, matrix=["none", "esp-tunnel"])
    refused(ran, 3, "usim-unreachable", "can't be reached", "probe --usim", "usim: soft")
    assert ran.records("message") == []
    assert ran.rejected == {}


def test_a_stranger_is_told_so(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    def others(bench: Bench, known: AkaSubscribers, part: int = 0) -> AuthenticationCentre:
        changed = tuple(replace(one, identity="somebody") for one in known.subscribers)
        return bench_centre(bench, replace(known, subscribers=changed), part)

    monkeypatch.setattr(lab, "bench_centre", others)
    ran = go()
    refused(ran, 2, "refused-unknown-identity", "refuses this UE", "identity configured")
    assert set(ran.rejected) == {"unknown-identity"}


def test_vectors_made_for_attaching_are_refused_by_the_ue(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TS 33.102 Annex H; and the check bites: without it they would do."""

    class Attaching(AuthenticationCentre):
        def vector(self, identity: str, purpose: Purpose = Purpose.ATTACH) -> AuthenticationVector:
            return super().vector(identity, Purpose.ATTACH)

    def centre(bench: Bench, known: AkaSubscribers, part: int = 0) -> AuthenticationCentre:
        random = bench.random("vectors", part)
        return Attaching(known.subscribers, profile=known.profile, random=random)

    monkeypatch.setattr(lab, "bench_centre", centre)
    ran = go(matrix=["esp-tunnel"])
    refused(ran, 2, "challenge-unfit", "separation bit does not fit", "network's attach")
    ran = go(matrix=["esp-tunnel"], aka={"check_separation": False})
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("way", ["csim", "cgla"])
def test_a_module_that_fails_at_the_challenge_is_brought_back_and_nothing_is_uncounted(
    go: Go, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    asked: list[int] = []
    authenticate = UeUsim.authenticate

    async def failing(self: UeUsim, module: Any, rand: bytes, autn: bytes) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise ModuleRebooted("AT+CSIM", "RDY")
        return await authenticate(self, module, rand, autn)

    monkeypatch.setattr(UeUsim, "authenticate", failing)
    ran = go(module=module("bc66", **CARD), aka={"path": way}, matrix=["esp-tunnel"])
    assert ran.code == 0, ran.err
    assert ran.counts["messages_answered"] == 3
    broken, again = ran.sessions
    assert [one["type"] for one in broken["messages"]] == ["request", "challenge"]
    assert (broken["failure"], broken["bytes_up"]) == ("module-failed", 63)
    assert "failure" not in again
    assert [one["fault"] for one in ran.records("fault")] == ["rebooted"]
    assert again["resynchronisations"] == 0  # the vector was not used up, and serves again


# -- a run that goes on ----------------------------------------------------------------------------


def cut_after(place: RunDirectory, messages: int) -> None:
    """As a kill leaves a run: so many messages in its journal."""
    lines = place.journal_path.read_text().splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if '"kind":"message"' in line]
    place.journal_path.write_text("".join(lines[: found[messages - 1] + 1]))


def test_a_resumed_run_has_the_same_card_and_other_challenges(go: Go) -> None:
    ran = go(matrix=["esp-tunnel"], traffic={"messages": 6})
    whole = ran.place.esp_sa_path.read_text().splitlines()
    cut_after(ran.place, 3)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--resume", str(ran.place.path)])
    assert not ended.value.code
    assert len(ran.records("message")) == 6
    assert [one["resynchronisations"] for one in ran.sessions] == [0, 0]
    table = ran.place.esp_sa_path.read_text().splitlines()
    assert table[: len(whole)] == whole
    keys = [line.split(",")[5] for line in table]
    assert len(set(keys)) == len(keys) // 2  # one line for each version of IP, and no key twice


def test_an_identity_that_may_be_an_imsi_is_given_again(
    go: Go, capsys: pytest.CaptureFixture[str]
) -> None:
    imsi = "001017392846150"
    ran = go(identity=imsi, matrix=["esp-tunnel"], traffic={"messages": 4})
    cut_after(ran.place, 2)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--resume", str(ran.place.path)])
    assert ended.value.code == 2
    assert "--identity NAME" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["run", "--resume", str(ran.place.path), "--identity", imsi])
    assert not ended.value.code, capsys.readouterr().err
    assert len(ran.records("message")) == 4
    assert imsi not in ran.place.manifest_path.read_text()
