"""Baselines and comparisons as a user gives them, with their exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.testbed.cli.conftest import Done
from tests.testbed.results.test_baselines import a_run

Testbed = Callable[..., Done]


def test_a_run_is_kept_listed_and_shown(testbed: Testbed, tmp_path: Path) -> None:
    assert "no baseline in baselines" in testbed("baseline", "list").out
    run = a_run(tmp_path / "runs")
    done = testbed("baseline", "save", "home", str(run.path))
    assert (done.code, "home.json: 120 messages of" in done.out) == (0, True)
    assert testbed("baseline", "save", "home").code == 2
    assert testbed("baseline", "save", "home", "--replace").code == 0  # the newest run
    (listed,) = testbed("baseline", "list", "--json").json
    assert listed["firmware"] == "R01" and listed["messages"]["esp-tunnel"] == 60
    assert "home: " in testbed("baseline", "list").out
    assert testbed("baseline", "show", "home", "--json").json["manifest"]["run"] == run.name
    assert "sha256: " in testbed("baseline", "show", "home").out
    assert testbed("baseline", "show", "away").code == 2


@pytest.mark.parametrize(
    ("name", "settings", "options", "code", "said"),
    [
        ("the same", {"messages": 150}, [], 0, "verdict: pass"),
        (
            "slower",
            {"messages": 150, "latencies_s": {"esp-tunnel": 2.0, "rohc+esp-tunnel": 2.0}},
            [],
            1,
            "fail",
        ),
        ("too short", {"messages": 12}, [], 4, "need about n = "),
        ("another level", {"messages": 150, "levels": (1,)}, [], 4, "! ECL differs"),
        ("nonsense", {"messages": 12}, ["--regression", "5"], 2, "5 has no unit"),
        ("nonsense", {"messages": 12}, ["--changed", "weather"], 2, "is none of module"),
        ("wide", {"messages": 40}, ["--regression", "40 %"], 0, "worse by <= 40 %"),
    ],
)
def test_a_comparison_ends_with_what_was_found(
    testbed: Testbed,
    tmp_path: Path,
    name: str,
    settings: dict[str, object],
    options: list[str],
    code: int,
    said: str,
) -> None:
    testbed("baseline", "save", "home", str(a_run(tmp_path / "runs", messages=150).path))
    run = a_run(tmp_path / "runs", seed=2, **settings)
    done = testbed("compare", "home", str(run.path), "--junit", "junit.xml", *options)
    assert done.code == code, (name, done.out, done.err)
    assert said in done.out + done.err
    if code != 2:
        suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
        assert int(suites.get("tests", "0")) == 8
        assert (int(suites.get("failures", "0")) > 0) == (code == 1)


def test_a_comparison_for_scripts(testbed: Testbed, tmp_path: Path) -> None:
    one, other = (a_run(tmp_path / "runs", seed=seed, messages=80) for seed in (1, 2))
    done = testbed("compare", str(one.path), str(other.path), "--json")
    assert done.json["first"] == one.name and len(done.json["judgements"]) == 8
    assert done.json["grade"] in ("pass", "inconclusive")


def test_limits_come_from_a_file(testbed: Testbed, tmp_path: Path) -> None:
    one, other = (a_run(tmp_path / "runs", seed=seed, messages=80) for seed in (1, 2))
    path = tmp_path / "limits.yaml"
    path.write_text(
        "limits:\n  saved_bytes: {min: 30 B, against: esp-tunnel}\n  delivery: {min: 90 %}\n"
    )
    done = testbed("compare", str(one.path), str(other.path), "--limits", str(path))
    assert done.code == 0 and "saved_bytes >= 30 B against esp-tunnel" in done.out
    path.write_text("campaign:\n  limits:\n    uplink_bytes: {max: 50 B}\n")
    assert testbed("compare", str(one.path), str(other.path), "--limits", str(path)).code == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits:\n  latency_p95: {max: 12}\n", "limits.yaml:2: limits.latency_p95"),
        ("limits:\n  latncy: {max: 12 s}\n", "limits.latncy"),
        ("name: bench\n", "has no limits"),
        ("- 1\n", "has no limits"),
    ],
)
def test_a_mistake_in_a_file_of_limits_is_told_with_its_line(
    testbed: Testbed, tmp_path: Path, text: str, said: str
) -> None:
    run = a_run(tmp_path / "runs")
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    done = testbed("compare", str(run.path), str(run.path), "--limits", str(path))
    assert done.code == 2 and said in done.err, done.err


def test_a_name_that_is_nothing_is_told(testbed: Testbed) -> None:
    done = testbed("compare", "home", "away")
    assert done.code == 2 and "'home' is neither a run directory nor a baseline" in done.err


CAMPAIGN = """
name: bench
matrix: [esp-tunnel, rohc+esp-tunnel]
campaign:
  blocks: 30
  messages_per_cell: 1
  limits:
    uplink_bytes: {{max: {most}, configuration: rohc+esp-tunnel}}
    saved_bytes: {{min: 30 B, against: esp-tunnel}}
"""


@pytest.mark.parametrize(("most", "code"), [("100 B", 0), ("80 B", 1), ("93 B", 4)])
def test_a_campaign_ends_with_its_verdict(
    testbed: Testbed, tmp_path: Path, most: str, code: int
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(CAMPAIGN.format(most=most))
    done = testbed("run", "--bench", str(bench), "--json", "--junit", "junit.xml")
    assert done.code == code, done.err
    grades = [one["grade"] for one in done.json["judgements"]]
    assert len(grades) == 2 and len(done.json["savings"]) == 3
    again = testbed("report", "--json")
    assert again.code == code and [one["grade"] for one in again.json["judgements"]] == grades
    shown = testbed("report")
    assert "What ROHC saves per message" in shown.out and "verdict: " in shown.out
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("tests") == "2"


def test_a_campaign_whose_limit_names_nothing_is_refused(testbed: Testbed, tmp_path: Path) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(CAMPAIGN.format(most="100 B").replace("against: esp", "against: rohc"))
    done = testbed("run", "--bench", str(bench))
    assert done.code == 2 and "there is no configuration 'rohc-tunnel'" in done.err


def test_a_regression_is_held_against_the_baseline_that_was_named(
    testbed: Testbed, tmp_path: Path
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        CAMPAIGN.format(most="100 B")
        + "    uplink_bytes: {regression: 20 %}\n".replace("uplink_bytes", "header_bytes")
    )
    without = testbed("run", "--bench", str(bench), "--json")
    assert "not judged" in {one["grade"] for one in without.json["judgements"]}
    assert testbed("baseline", "save", "home").code == 0
    held = testbed("run", "--bench", str(bench), "--json", "--baseline", "home")
    assert held.code == 0 and {one["grade"] for one in held.json["judgements"]} == {"pass"}
    missing = testbed("run", "--bench", str(bench), "--baseline", "away")
    assert missing.code == 2 and "neither a run directory nor a baseline" in missing.err
