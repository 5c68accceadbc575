"""The catalogue: names after the naming practices, one place, and documentation that agrees."""

import re
from pathlib import Path

import pytest

from testbed.analysis.bytes import LAYERS
from testbed.metrics.catalogue import (
    CATALOGUE,
    ENERGY_BUCKETS_J,
    LABELS,
    LATENCY_BUCKETS_S,
    Metric,
    MetricType,
    markdown,
    metric,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
BEGIN, END = "<!-- catalogue: begin -->\n", "<!-- catalogue: end -->"

each_metric = pytest.mark.parametrize("entry", CATALOGUE, ids=[m.name for m in CATALOGUE])


def test_every_name_stands_once() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)


@each_metric
def test_a_name_has_the_prefix_and_is_snake_case(entry: Metric) -> None:
    assert re.fullmatch(r"testbed_[a-z][a-z0-9_]*", entry.name)


@each_metric
def test_only_counters_end_in_total_and_only_infos_in_info(entry: Metric) -> None:
    assert entry.name.endswith("_total") == (entry.type is MetricType.COUNTER)
    assert entry.name.endswith("_info") == (entry.type is MetricType.INFO)
    assert not re.search(r"_(count|sum|bucket)$", entry.name)


@each_metric
def test_a_base_unit_stands_in_the_name(entry: Metric) -> None:
    stem = entry.name.removesuffix("_total")
    if entry.unit in ("seconds", "bytes", "joules", "ratio", "dBm"):
        assert stem.endswith(f"_{entry.unit.lower()}")
    assert not re.search(r"_(ms|milliseconds|kb|mj|millijoules|minutes)(_|$)", entry.name)


@each_metric
def test_labels_are_known_few_and_not_in_the_name(entry: Metric) -> None:
    assert set(entry.labels) <= set(LABELS)
    assert len(set(entry.labels)) == len(entry.labels) <= 11
    assert "message" not in entry.labels
    assert ("run" in entry.labels) == entry.name.endswith("run_info")


@each_metric
def test_help_is_a_sentence(entry: Metric) -> None:
    assert entry.help[0].isupper() or entry.help[0].isdigit()
    assert entry.help.endswith(".")
    assert "\n" not in entry.help


@each_metric
def test_only_histograms_have_buckets_and_they_rise(entry: Metric) -> None:
    assert bool(entry.buckets) == (entry.type is MetricType.HISTOGRAM)
    assert list(entry.buckets) == sorted(set(entry.buckets))


@each_metric
def test_energy_never_goes_without_its_kind_nor_a_run_without_its_origin(entry: Metric) -> None:
    assert ("kind" in entry.labels) == (entry.unit == "joules")
    if not entry.name.startswith("testbed_hse_"):
        assert "origin" in entry.labels


def test_the_buckets_are_those_of_the_design() -> None:
    assert LATENCY_BUCKETS_S == (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80)
    assert ENERGY_BUCKETS_J == (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
    assert metric("testbed_message_latency_seconds").buckets == LATENCY_BUCKETS_S
    assert metric("testbed_message_energy_joules").buckets == ENERGY_BUCKETS_J


def test_every_label_is_used() -> None:
    used = {label for entry in CATALOGUE for label in entry.labels}
    assert used == set(LABELS)


def test_an_unknown_metric_is_an_error() -> None:
    with pytest.raises(KeyError, match="testbed_nothing"):
        metric("testbed_nothing")


def test_the_document_holds_the_catalogue_as_it_is() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    _, _, rest = text.partition(BEGIN)
    written, end, _ = rest.partition(END)
    assert end, f"{DOCUMENT.name} has no marks around the catalogue"
    assert written == markdown()


def test_the_document_names_no_metric_that_does_not_exist() -> None:
    known = {entry.name for entry in CATALOGUE}
    for name in re.findall(r"testbed_[a-z0-9_]+", DOCUMENT.read_text(encoding="utf-8")):
        stem = re.sub(r"_(bucket|count|sum)$", "", name)
        assert name in known or stem in known, name


def test_the_document_names_every_layer() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"`{layer}`" in text for layer in LAYERS)
