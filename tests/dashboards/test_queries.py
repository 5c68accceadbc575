"""Expressions name only what the exporter has."""

import pytest

from dashboards.queries import mean, quantile, select, share, shown


def test_a_selector_has_its_matchers() -> None:
    assert select("messages_total") == "testbed_messages_total"
    wanted = 'testbed_messages_total{bench=~"a|b",outcome!="answered",ecl!~"1|2",origin="real"}'
    found = select(
        "messages_total", bench="=~a|b", outcome="!=answered", ecl="!~1|2", origin="real"
    )
    assert found == wanted


def test_a_part_of_a_histogram() -> None:
    assert select("message_latency_seconds", "bucket") == "testbed_message_latency_seconds_bucket"


def test_a_metric_that_is_not_exported_is_an_error() -> None:
    with pytest.raises(KeyError, match="testbed_latency"):
        select("latency")


def test_a_label_that_the_metric_lacks_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no label configuration, run"):
        select("messages_total", run="x", configuration="none")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("messages_total", "sum"),
        ("message_latency_seconds", ""),
        ("message_latency_seconds", "quantile"),
    ],
)
def test_only_histograms_have_parts(name: str, part: str) -> None:
    with pytest.raises(ValueError, match="no part"):
        select(name, part)


def test_what_is_shown_is_narrowed_by_the_labels_that_there_are() -> None:
    found = shown("message_energy_joules", "sum", security="none")
    assert found == (
        'testbed_message_energy_joules_sum{bench=~"$bench",module=~"$module",origin="$origin",'
        'payload=~"$payload",kind="$kind",security="none"}'
    )
    assert shown("hse_sessions") == 'testbed_hse_sessions{instance=~"$hse"}'


def test_means_shares_and_quantiles_keep_the_same_labels_on_both_sides() -> None:
    assert mean("a", "b", "x", "y") == "sum by (x, y) (a) / sum by (x, y) (b)"
    assert share("a", "b", "x") == ("(sum by (x) (a) or 0 * sum by (x) (b)) / sum by (x) (b)")
    assert quantile(0.95, "a", "x") == "histogram_quantile(0.95, sum by (le, x) (a))"
