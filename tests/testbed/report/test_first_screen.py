"""The page's first screen: verdict, worst offender, limits, answers with their intervals."""

import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from testbed.analysis.verdicts import Grade, past_limit, worst
from testbed.report.answers import answer_section
from testbed.report.page import render_page
from testbed.report.run import RunView, load_run
from testbed.report.verdict import verdict_section


@pytest.fixture(scope="module")
def view(sample: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return load_run(sample.write_campaign(tmp_path_factory.mktemp("runs") / "campaign"))


def text(html: str) -> str:
    """What is read of it."""
    plain = re.sub(r"<[^>]+>", " ", html).replace("\N{NO-BREAK SPACE}", " ")
    return " ".join(plain.replace("&lt;", "<").replace("&gt;", ">").split())


def test_the_first_screen_stands_in_front_of_everything_else(view: RunView) -> None:
    page = render_page(view)
    places = [
        page.index(words)
        for words in (
            "A limit is broken",
            "Worst offender",
            "uplink_bytes &lt;= 100 B",
            "What does ESP cost, what does ROHC save?",
            "<h2>Comparison",
        )
    ]
    assert places == sorted(places)


def test_the_worst_judgement_is_named_with_its_figure_and_its_place(view: RunView) -> None:
    first = worst(view.judgements)[0]
    assert first.grade is view.grade is Grade.FAIL
    assert first.configuration.startswith("esp-tunnel coverage=")
    shown = text(verdict_section(view))
    level = first.configuration[-1]
    assert f"Worst offender: esp-tunnel, ECL {level} , uplink_bytes <= 100 B: " in shown
    assert first.reason in shown


def test_judgements_are_sorted_by_grade_and_then_by_how_far_past_the_limit(view: RunView) -> None:
    found = worst(view.judgements)
    order = list(Grade)
    keys = [(order.index(one.grade), -past_limit(one)) for one in found]
    assert keys == sorted(keys)
    assert len(found) == len(view.judgements)


def test_each_limit_has_one_line_with_its_tally_and_each_judgement_is_folded_below(
    view: RunView,
) -> None:
    html = verdict_section(view)
    short, _, whole = html.partition("<details>")
    assert short.count('<td><span class="grade') == len({j.limit.text for j in view.judgements})
    assert whole.count('<td><span class="grade') == len(view.judgements)
    counts = Counter(one.grade for one in view.judgements if one.limit.bound == 100)
    tally = ", ".join(f"{counts[grade]} {grade.value}" for grade in Grade if counts[grade])
    assert f"uplink_bytes <= 100 B · {tally}" in text(short)
    assert f"All {len(view.judgements)} judgements" in text(whole)


def test_without_a_baseline_a_regression_is_not_judged_and_that_is_said(view: RunView) -> None:
    assert "latency_median worse by <= 20 % · 6 not judged" in text(verdict_section(view))
    assert "Reference" not in text(verdict_section(view)).partition("All")[0]


def test_with_a_baseline_it_is_and_the_baseline_is_named(
    sample: ModuleType, tmp_path: Path, view: RunView
) -> None:
    run = sample.write_campaign(tmp_path / "again")
    judged = load_run(run, baseline=view.measurements)
    shown = text(verdict_section(judged))
    assert "Reference: campaign." in shown
    assert "6 not judged" not in shown


def test_a_run_without_limits_names_its_worst_configuration(
    sample: ModuleType, tmp_path: Path
) -> None:
    view = load_run(sample.write_run(tmp_path / "run"))
    shown = text(verdict_section(view))
    assert "not judged Nothing was judged" in shown
    assert "Worst of the run: esp-tunnel , 38 of 40 answered" in shown


@pytest.mark.parametrize(
    ("limit", "words"),
    [("200 B", "All limits were shown to be kept"), ("100 B", "A limit is broken")],
)
def test_the_verdict_is_said_in_words(
    sample: ModuleType, tmp_path: Path, limit: str, words: str
) -> None:
    limits = {"uplink_bytes": {"max": limit}}
    view = load_run(sample.write_campaign(tmp_path / "run", limits=limits))
    assert words in text(verdict_section(view))


def test_every_answer_stands_in_the_table_with_its_interval(view: RunView) -> None:
    shown = text(answer_section(view))
    assert "esp-tunnel costs, against none" in shown
    assert "rohc+esp-tunnel costs, against none" in shown
    assert "rohc+esp-tunnel saves, against esp-tunnel" in shown
    assert len(view.costs) == 2 * 2 * 3  # configurations, levels, figures
    assert len(view.savings) == 2 * 3
    saving = next(one for one in view.savings if one.measure.unit == "B")
    assert saving.saved is not None
    low, value, high = saving.saved.low, saving.saved.value, saving.saved.high
    assert f"{value:.1f} B {low:.1f} B to {high:.1f} B" in shown
    assert shown.count("ECL 0") == shown.count("ECL 1") == 3


def test_what_is_not_detectable_is_soft_and_what_is_stands_out(view: RunView) -> None:
    html = answer_section(view)
    strong = sum(one.detectable for one in (*view.costs, *view.savings))
    assert html.count("<td><b>") == strong
    assert html.count('<td><span class="soft">') == len(view.costs) + len(view.savings) - strong


def test_many_levels_are_folded_and_their_range_is_told(sample: ModuleType, tmp_path: Path) -> None:
    levels = tuple(range(11))  # more than there are: what matters is how many lines there are
    view = load_run(sample.write_campaign(tmp_path / "run", messages=12, levels=levels, limits={}))
    html = answer_section(view)
    assert html.count("<details data-print>") == 3
    assert re.search(
        r"rohc\+esp-tunnel saves, against esp-tunnel: [\d.]+ B( to [\d.]+ B)?; ", text(html)
    )


def test_a_run_that_cannot_answer_says_what_it_takes(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_run(tmp_path / "run", messages=4)
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"configuration":"esp-' not in line))
    journal.write_text(journal.read_text().replace('"configuration":"none"', '"configuration":"x"'))
    assert "This run cannot tell" in text(answer_section(load_run(run)))
