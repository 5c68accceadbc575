"""The shipped files: what a build gives, and what Grafana and Prometheus can do with them."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import FILES, build, copy, differing
from dashboards.__main__ import main
from dashboards.boards import ALL
from dashboards.grafana import MAX_PANELS, Dashboard, Query
from dashboards.panels import stat
from testbed.metrics.catalogue import CATALOGUE, metric

BOARDS = {board.uid: board.to_json() for board in ALL}
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())

NOT_SHOWN: dict[str, str] = {}
"""Metrics that no panel shows, with the reason. There is none."""

BUILT_IN = {"__range", "__value", "__all"}
SELECTOR = re.compile(r"(testbed_\w+)(\{[^}]*\})?")


def expressions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def stem(name: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", name)


def test_a_build_gives_the_committed_files() -> None:
    assert differing() == [], "python -m dashboards build"


def test_a_file_that_was_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    build(tmp_path)
    assert differing(tmp_path) == []
    changed = tmp_path / "grafana" / "dashboards" / "testbed-hse.json"
    changed.write_text(changed.read_text().replace("Sessions", "Session"))
    (tmp_path / "prometheus" / "rules.yml").unlink()
    left = tmp_path / "grafana" / "dashboards" / "old.json"
    left.write_text("{}")
    assert set(differing(tmp_path)) == {changed, tmp_path / "prometheus" / "rules.yml", left}


def test_there_is_a_dashboard_for_each_subject() -> None:
    assert set(BOARDS) == {
        "testbed-overview",
        "testbed-security",
        "testbed-energy",
        "testbed-rohc",
        "testbed-hse",
        "testbed-regression",
    }


@each_board
def test_panels_are_few_and_have_ids_units_and_descriptions(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert 0 < len(panels) <= MAX_PANELS
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        assert panel["links"], panel["title"]


@each_board
def test_no_panel_lies_on_another(board: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for a, b in combinations(places, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, (a, b)


@each_board
def test_the_data_source_is_a_variable(board: dict[str, Any]) -> None:
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names[0] == "datasource"
    for panel in board["panels"]:
        for place in (panel, *panel["targets"]):
            assert place["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@each_board
def test_every_variable_is_declared_and_used(board: dict[str, Any]) -> None:
    declared = {variable["name"] for variable in board["templating"]["list"]}
    text = json.dumps(board)
    used = set(re.findall(r"\$\{?([a-z_]+)", text))
    assert used - BUILT_IN <= declared
    for name in declared:
        assert name in used, name


@each_board
def test_variables_are_narrowed_by_those_before_them(board: dict[str, Any]) -> None:
    known: set[str] = set()
    for variable in board["templating"]["list"]:
        asked = json.dumps(variable["query"])
        assert set(re.findall(r"\$([a-z]+)", asked)) <= known, variable["name"]
        known.add(variable["name"])


@each_board
def test_no_panel_mixes_origins_or_kinds(board: dict[str, Any]) -> None:
    single = {v["name"]: not v.get("multi") for v in board["templating"]["list"]}
    for expression in expressions(board):
        found = SELECTOR.findall(expression)
        assert found, expression
        for name, matchers in found:
            labels = metric(stem(name)).labels
            for label in ("origin", "kind"):
                if label in labels:
                    assert f'{label}="${label}"' in matchers, expression
                    assert single[label], f"{label} lets several values through"


def test_every_metric_is_on_a_panel_or_has_a_reason_not_to_be() -> None:
    shown = {
        stem(name)
        for board in BOARDS.values()
        for expression in expressions(board)
        for name, _ in SELECTOR.findall(expression)
    }
    known = {entry.name for entry in CATALOGUE}
    assert shown <= known
    assert known - shown == set(NOT_SHOWN)


def test_links_lead_to_the_runs_report_and_to_dashboards_that_exist() -> None:
    for uid, board in BOARDS.items():
        for panel in board["panels"]:
            for link in panel["links"]:
                if uid == "testbed-hse":
                    assert link["url"].removeprefix("/d/") in BOARDS
                else:
                    assert link["url"] == "${reports:raw}/${run}/report.html"


def test_a_panel_without_a_description_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="has a description"):
        stat("Sessions", "", "none", Query(expression="1"))
    with pytest.raises(ValueError, match="has a description"):
        stat("Sessions", "Sessions alive.", "", Query(expression="1"))


@pytest.mark.parametrize(
    "rows",
    [
        [(4, [(2, stat("a", "A figure.", "none", Query(expression="1")))] * 13)],
        [(4, [(13, stat("a", "A figure.", "none", Query(expression="1")))] * 2)],
    ],
    ids=["too many panels", "too wide"],
)
def test_a_dashboard_that_nobody_can_look_at_cannot_be_made(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"panels, at most|wider than"):
        Dashboard(uid="x", title="x", description="x", variables=(), rows=rows)


def test_everything_listens_on_the_loopback_address() -> None:
    text = (FILES / "compose.yaml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    for name, service in services.items():
        assert service["network_mode"] == "host"
        assert "ports" not in service
        said = json.dumps([service.get("command"), service.get("environment")])
        assert "127.0.0.1" in said, name
        assert "0.0.0.0" not in said


def test_what_is_mounted_is_shipped() -> None:
    services = yaml.safe_load((FILES / "compose.yaml").read_text(encoding="utf-8"))["services"]
    mounted = [volume for service in services.values() for volume in service["volumes"]]
    own = [volume.split(":")[0] for volume in mounted if volume.startswith("./")]
    assert len(own) == 3
    assert all((FILES / path).is_dir() for path in own)
    (home,) = [
        value
        for name, value in services["grafana"]["environment"].items()
        if name.endswith("DEFAULT_HOME_DASHBOARD_PATH")
    ]
    assert (FILES / "grafana" / "dashboards" / Path(home).name).is_file()


def test_grafana_is_given_the_data_source_the_dashboards_and_where_exemplars_lead() -> None:
    place = FILES / "grafana" / "provisioning"
    (source,) = yaml.safe_load((place / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    (leads,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert leads["name"] == "run"
    (provider,) = yaml.safe_load((place / "dashboards" / "testbed.yml").read_text())["providers"]
    services = yaml.safe_load((FILES / "compose.yaml").read_text())["services"]
    assert (
        f"./grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
    )


def test_prometheus_has_sixteen_ports_for_modules() -> None:
    place = FILES / "prometheus"
    config = yaml.safe_load((place / "prometheus.yml").read_text())
    targets = {}
    for job in config["scrape_configs"]:
        (files,) = (one["files"] for one in job["file_sd_configs"])
        (group,) = yaml.safe_load((place / files[0]).read_text())
        targets[job["job_name"]] = group["targets"]
    assert len(targets["testbed-run"]) == 16
    everywhere = [target for group in targets.values() for target in group]
    assert len(set(everywhere)) == len(everywhere)
    assert all(target.startswith("127.0.0.1:") for target in everywhere)


def test_a_bench_can_have_its_own_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "monitoring"
    assert main(["copy", str(folder)]) == 0
    assert "docker compose up -d" in capsys.readouterr().out
    theirs = {path.relative_to(folder) for path in folder.rglob("*")}
    assert theirs == {path.relative_to(FILES) for path in FILES.rglob("*")}
    assert main(["copy", str(folder)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_check_says_which_files_a_build_would_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == ""


def test_copy_does_not_write_into_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("mine")
    with pytest.raises(FileExistsError):
        copy(tmp_path)
    assert (tmp_path / "compose.yaml").read_text() == "mine"
