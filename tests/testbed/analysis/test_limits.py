"""Limits as they stand in a file: units, and mistakes told where they are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from testbed.analysis.limits import LimitKind, LimitsDescription, parse_quantity
from testbed.analysis.measures import MEASURES


def limits(**described: Any) -> LimitsDescription:
    return LimitsDescription.model_validate(described)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("12 s", "s", 12.0),
        ("350ms", "s", 0.35),
        ("2 min", "s", 120.0),
        ("90 B", "B", 90.0),
        ("1.5 kB", "B", 1500.0),
        ("0.5 J", "J", 0.5),
        ("450 mJ", "J", 0.45),
        ("0.07 mWh", "J", 0.252),
        ("99 %", "1", 0.99),
        ("-3 B", "B", -3.0),
        ("1e3 B", "B", 1000.0),
    ],
)
def test_a_quantity_is_read_in_base_units(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("12", "s", "12 has no unit: write 12 min"),
        ("12 B", "s", "the unit here is ms, s, min, not B"),
        ("fast", "s", "no figure with a unit"),
        ("12 S", "s", "not S"),
        ("", "B", "no figure with a unit"),
        (True, "B", "no figure with a unit"),
        (None, "J", "no figure with a unit"),
        ("nan s", "s", "no figure with a unit"),
    ],
)
def test_a_quantity_without_its_unit_is_a_mistake(text: object, unit: str, said: str) -> None:
    if said.startswith("12 has"):
        said = "12 has no unit"
    with pytest.raises(ValueError, match=said):
        parse_quantity(text, unit)


def test_limits_come_in_base_units_in_the_order_of_the_table() -> None:
    found = limits(
        delivery={"min": "99 %"},
        latency_median={"regression": "10 %"},
        uplink_bytes=[
            {"max": "90 B", "configuration": "rohc+esp-tunnel"},
            {"max": "130 B", "configuration": "esp-tunnel"},
        ],
        saved_bytes={"min": "30 B", "against": "esp-tunnel"},
    ).limits()
    assert [(one.measure.name, one.kind, one.bound) for one in found] == [
        ("latency_median", LimitKind.REGRESSION, pytest.approx(0.1)),
        ("delivery", LimitKind.MIN, pytest.approx(0.99)),
        ("uplink_bytes", LimitKind.MAX, 90.0),
        ("uplink_bytes", LimitKind.MAX, 130.0),
        ("saved_bytes", LimitKind.MIN, 30.0),
    ]
    assert found[2].text == "uplink_bytes <= 90 B"
    assert found[4].text == "saved_bytes >= 30 B against esp-tunnel"
    assert found[0].text == "latency_median worse by <= 10 %"


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"latency_p95": {"max": 12}}, "12 has no unit"),
        ({"latency_p95": {"max": "12 B"}}, "max: .*the unit here is ms, s, min"),
        ({"latency_p95": {}}, "one of max, min and regression; here: none"),
        ({"latency_p95": {"max": "1 s", "min": "1 s"}}, "both max and min"),
        ({"latency_p95": ["12 s"]}, "a limit is a mapping such as"),
        ({"latency_p95": {"most": "12 s"}}, "Extra inputs"),
        ({"latncy": {"max": "12 s"}}, "Extra inputs"),
        ({"delivery": {"min": "101 %"}}, "not between 0 % and 100 %"),
        ({"delivery": {"max": "99 %"}}, "more of it is better"),
        ({"latency_median": {"regression": "0 %"}}, "never be shown"),
        ({"latency_median": {"regression": "1 s"}}, "the unit here is %"),
        ({"saved_bytes": {"min": "30 B"}}, "needs against"),
        ({"saved_bytes": {"regression": "5 %", "against": "none"}}, "no regression"),
        ({"energy": {"max": "1 J", "against": "none"}}, r"a saving \(saved_energy\)"),
        (
            {"saved_bytes": {"min": "30 B", "against": "none", "configuration": "none"}},
            "the configuration itself",
        ),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(described: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        limits(**described)
    assert caught.value.errors()[0]["loc"][0] == next(iter(described))


def test_a_configuration_that_is_not_there_is_told() -> None:
    found = limits(uplink_bytes={"max": "90 B", "configuration": "rohc"})
    found.check_configurations(("rohc", "none"))
    with pytest.raises(ValueError, match=r"limits.uplink_bytes: .*'rohc'; there are none"):
        found.check_configurations(("none",))


def test_limits_come_back_from_the_manifest_as_they_were() -> None:
    found = limits(
        latency_p95={"max": "12 s"}, saved_energy={"min": "3 mJ", "against": "esp-tunnel"}
    )
    assert LimitsDescription.model_validate(found.model_dump(mode="json")) == found


def test_every_measure_has_a_field_and_every_field_a_measure() -> None:
    assert set(LimitsDescription.model_fields) == set(MEASURES)
