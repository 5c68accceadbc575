"""A real Prometheus scrapes a real run of several virtual modules, an HSE, and a Pushgateway.

Every expression of every dashboard and rule is parsed with types, and asked of that Prometheus:
what comes back has to be a number.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import FILES
from dashboards.boards import ALL
from testbed.metrics.catalogue import CATALOGUE, MetricType
from testbed.results import JournalReader
from tests.peers.monitoring import RUNS, Bench, get, missing, wait_until

if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
    import promql_parser as promql
else:
    promql = pytest.importorskip("promql_parser", reason="not installed: promql-parser")

pytestmark = pytest.mark.peer

RULES = FILES / "prometheus" / "rules.yml"
UNIT_TESTS = sorted((Path(__file__).parents[1] / "dashboards").glob("*rules_test.yml"))
BOARDS = {board.uid: board.to_json() for board in ALL}
METRICS = {entry.name: entry for entry in CATALOGUE}
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    gone = missing()
    if gone and os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
        pytest.fail(f"required, and not installed: {', '.join(gone)}")
    if gone:
        pytest.skip(f"not installed: {', '.join(gone)} (Debian: prometheus{{,-pushgateway}})")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as watched:
        watched.open()
        watched.disturb()
        said = watched.suite()
        assert "warning" not in "".join(said)
        watched.scraped()
        yield watched


def promtool(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rule_expressions() -> list[tuple[str, str]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [
        (str(rule.get("record") or rule.get("alert")), str(rule["expr"]))
        for group in groups
        for rule in group["rules"]
    ]


def filled_in(expression: str, chosen: dict[str, str]) -> str:
    """An expression with values in place of a dashboard's variables."""
    text = expression.replace("$__range", "5m")
    return re.sub(r"\$([a-z_]+)", lambda found: chosen[found[1]], text)


def chosen(board: dict[str, Any], single: dict[str, str]) -> dict[str, str]:
    """A value for each variable: all of it where several may be chosen."""
    found = {}
    for variable in board["templating"]["list"]:
        name = variable["name"]
        match variable["type"]:
            case "query":
                found[name] = ".*" if variable["multi"] else single[name]
            case "textbox":
                found[name] = variable["query"]
            case "interval":
                found[name] = "1m"
    return found


SAMPLE = {"origin": "virtual", "kind": "estimated", "run": "r"}


def operands(node: Any) -> Iterator[Any]:
    """The parts of an alert's expression that have to have data even while nothing is wrong."""
    if isinstance(node, promql.ParenExpr):
        yield from operands(node.expr)
    elif isinstance(node, promql.BinaryExpr) and (
        str(node.op) in COMPARISONS or str(node.op) in ("and", "unless")
    ):
        yield from operands(node.lhs)
        yield from operands(node.rhs)
    elif not isinstance(node, promql.NumberLiteral):
        yield node


def selectors(node: Any, kept: bool, label: str) -> Iterator[tuple[Any, bool]]:
    """Every selector, and whether a label of it survives to the result."""
    match type(node).__name__:
        case "VectorSelector":
            yield node, kept
        case "MatrixSelector":
            yield node.vector_selector, kept
        case "AggregateExpr":
            modifier = node.modifier
            if modifier is None:
                survives = False
            else:
                named = label in modifier.labels
                survives = named == (modifier.type == promql.AggModifierType.By)
            yield from selectors(node.expr, kept and survives, label)
        case "BinaryExpr":
            for side in (node.lhs, node.rhs):
                yield from selectors(side, kept, label)
        case "Call":
            for argument in node.args:
                yield from selectors(argument, kept, label)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            yield from selectors(node.expr, kept, label)


def mixed(expression: str, label: str) -> list[str]:
    """Metrics whose values for several values of a label come together in the result."""
    found = []
    for selector, kept in selectors(promql.parse(expression), True, label):
        name = re.sub(r"_(bucket|count|sum)$", "", selector.name)
        entry = METRICS.get(selector.name) or METRICS.get(name)
        if entry is None or label not in entry.labels:
            continue
        pinned = any(
            matcher.name == label and matcher.op == promql.MatchOp.Equal
            for matcher in selector.matchers.matchers
        )
        if not (pinned or kept):
            found.append(selector.name)
    return found


def test_promtool_finds_no_mistake_in_rules_and_configuration() -> None:
    for arguments in (("rules", str(RULES)), ("config", str(RULES.parent / "prometheus.yml"))):
        done = promtool("check", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_every_rule_does_what_its_unit_tests_say() -> None:
    done = promtool("test", "rules", *map(str, UNIT_TESTS))
    assert done.returncode == 0, done.stdout + done.stderr
    tested = "".join(path.read_text(encoding="utf-8") for path in UNIT_TESTS)
    for name, _ in rule_expressions():
        assert name in tested, f"{name} has no unit test"


def test_every_expression_parses_with_types() -> None:
    for board in BOARDS.values():
        values = chosen(board, SAMPLE)
        for panel in board["panels"]:
            for target in panel["targets"]:
                promql.parse(filled_in(target["expr"], values))
    for _, expression in rule_expressions():
        promql.parse(expression)
    with pytest.raises(ValueError, match="expected type"):
        promql.parse("rate(testbed_messages_total)")


def test_no_panel_and_no_rule_mixes_origins_or_kinds() -> None:
    for board in BOARDS.values():
        values = chosen(board, SAMPLE)
        for panel in board["panels"]:
            for target in panel["targets"]:
                for label in ("origin", "kind"):
                    assert mixed(filled_in(target["expr"], values), label) == [], target["expr"]
    for name, expression in rule_expressions():
        for label in ("origin", "kind"):
            assert mixed(expression, label) == [], name


def test_no_expression_of_the_documentation_does() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    found = re.findall(r"\| `([^`]*testbed_[^`]*\[5m\][^`]*)` \|", text)
    assert len(found) == 5
    for expression in found:
        for label in ("origin", "kind"):
            assert mixed(expression, label) == [], expression


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ("sum(testbed_messages_total)", "origin"),
        ("sum by (bench) (rate(testbed_messages_total[5m]))", "origin"),
        ("sum without (origin) (testbed_messages_total)", "origin"),
        ('sum by (bench) (testbed_messages_total{origin=~"real|virtual"})', "origin"),
        ("sum by (origin) (max by (bench) (testbed_module_ecl))", "origin"),
        ('sum by (origin) (testbed_message_energy_joules_sum{origin="real"})', "kind"),
    ],
)
def test_a_mixture_is_found(expression: str, label: str) -> None:
    assert mixed(expression, label)


def test_what_the_exporters_serve_is_clean(bench: Bench) -> None:
    urls = {name: url for name, url in bench.exporters.items() if name != "short"}
    assert len(urls) == len(RUNS)
    texts = {name: get(url) for name, url in urls.items()}
    pushed = get(f"{bench.gateway}/metrics").splitlines(keepends=True)
    texts["suite"] = "".join(line for line in pushed if "testbed_" in line)
    for name, text in texts.items():
        assert "testbed_" in text
        done = promtool("check", "metrics", text=text)
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), name
    done = promtool("check", "metrics", text=texts["hse"].replace("_total", ""))
    assert done.returncode != 0


def test_every_variable_has_values(bench: Bench) -> None:
    for uid, board in BOARDS.items():
        single = dict(SAMPLE)
        for variable in board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            asked = variable["query"]["query"]
            found = re.fullmatch(r"label_values\((.*), ([a-z]+)\)", asked)
            assert found, asked
            known = {v["name"]: ".*" for v in board["templating"]["list"]} | single
            selector = filled_in(found[1], known)
            values = bench.api(f"label/{found[2]}/values", **{"match[]": selector})
            assert values, f"{uid}: {variable['name']}"
            if not variable["multi"]:
                single[variable["name"]] = values[0]
        assert single["origin"] == "virtual"


def test_every_expression_of_every_dashboard_and_rule_returns_data(bench: Bench) -> None:
    pending = {}
    for uid, board in BOARDS.items():
        values = chosen(board, SAMPLE)
        for panel in board["panels"]:
            for target in panel["targets"]:
                name = f"{uid}: {panel['title']} {target['refId']}"
                pending[name] = filled_in(target["expr"], values)
    for name, expression in rule_expressions():
        for number, part in enumerate(operands(promql.parse(expression))):
            pending[f"{name} {number}"] = str(part).replace("{}", "")
    for entry in CATALOGUE:
        part = "_count" if entry.type is MetricType.HISTOGRAM else ""
        pending[entry.name] = f"count({entry.name}{part})"
    assert len(pending) > 150
    deadline = time.monotonic() + 40
    while pending and time.monotonic() < deadline:
        for name, expression in list(pending.items()):
            if any(not math.isnan(value) for value in bench.values(expression)):
                del pending[name]
        time.sleep(1.0 if pending else 0.0)
    assert not pending, json.dumps(pending, indent=1)


def test_every_target_is_up_and_every_rule_is_healthy(bench: Bench) -> None:
    def healthy() -> bool:
        targets = bench.api("targets")["activeTargets"]
        short = bench.exporters["short"]
        return len(targets) == len(RUNS) + 2 and all(
            target["health"] == "up" for target in targets if target["scrapeUrl"] != short
        )

    wait_until(healthy, "every target is scraped")
    for group in bench.api("rules")["groups"]:
        for rule in group["rules"]:
            assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]


def test_exemplars_lead_to_the_run_and_its_message(bench: Bench) -> None:
    for name in ("message_latency_seconds", "message_energy_joules"):
        found = bench.api(
            "query_exemplars",
            query=f"testbed_{name}_bucket",
            start=str(time.time() - 600),
            end=str(time.time()),
        )
        labels = [one["labels"] for series in found for one in series["exemplars"]]
        assert labels
        assert all(set(one) == {"run", "message"} for one in labels)


def test_the_end_of_a_short_run_was_seen(bench: Bench) -> None:
    """It ended while Prometheus came each second: it waited for the last scrape."""
    wait_until(
        lambda: bench.values('max_over_time(testbed_run_complete{bench="short"}[10m])') == [1.0],
        "the short run is complete",
    )
    (series,) = bench.api("query", query='last_over_time(testbed_run_info{bench="short"}[10m])')[
        "result"
    ]
    run = bench.folder / "runs-short" / series["metric"]["run"]
    wait_until((run / "report.html").is_file, "what the panels lead to is there")

    chosen = '{bench="short"}'

    def highest(name: str) -> list[float]:
        return bench.values(f"sum(max_over_time(testbed_{name}{chosen}[10m]))")

    assert highest("messages_total") == highest("warm_up_messages_total") == [48.0]
    assert highest("run_planned_messages") == [96.0]
    labels = ("security", "compression", "outcome")
    query = f"sum by ({', '.join(labels)}) (max_over_time(testbed_messages_total{chosen}[10m]))"
    seen = {
        tuple(one["metric"][label] for label in labels): float(one["value"][1])
        for one in bench.api("query", query=query)["result"]
    }
    journal = Counter(
        tuple(record[label] for label in labels)
        for record in JournalReader(run / "journal.jsonl")
        if record["kind"] == "message" and not record.get("warm_up")
    )
    assert seen == journal


def test_the_suites_latest_run_is_pushed_with_its_grade(bench: Bench) -> None:
    wait_until(
        lambda: bench.values('testbed_suite_regression_ratio{estimate="value"}'),
        "the second run's figures are scraped",
    )
    assert sum(bench.values("testbed_suite_grade")) == 1.0
    labels = bench.api("query", query="testbed_suite_grade")["result"][0]["metric"]
    assert (labels["bench"], labels["module"], labels["origin"]) == ("nightly", "bc66", "virtual")
    ratios = bench.values('testbed_suite_regression_ratio{estimate="value",arm="esp-tunnel"}')
    assert ratios == [pytest.approx(1.0)]  # the same seed: the same run
