"""Campaigns in a bench description: what is understood, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.bench import CampaignDescription, bench_schema, load_bench, validate_bench
from testbed.errors import UsageError


def campaign(**settings: Any) -> CampaignDescription:
    found = validate_bench({"campaign": settings}).campaign
    assert found is not None
    return found


def test_without_the_section_there_is_no_campaign() -> None:
    assert validate_bench({}).campaign is None


def test_the_defaults_are_one_block_of_ten_messages_without_warm_up() -> None:
    found = campaign()
    assert (found.most_blocks, found.messages_per_cell, found.warm_up) == (1, 10, 0)


@pytest.mark.parametrize(
    ("written", "time_s", "energy_j"),
    [
        ({"time": "2 h", "energy": "100 J"}, 7200, 100),
        ({"time": "90min", "energy": "250 mJ"}, 5400, 0.25),
        ({"time": 30, "energy": 1.5}, 30, 1.5),
        ({"time": "1 d", "energy": "2 kJ"}, 86400, 2000),
    ],
)
def test_a_budget_has_units(written: dict[str, Any], time_s: float, energy_j: float) -> None:
    budget = campaign(budget=written).budget
    assert (budget.time, budget.energy) == (time_s, energy_j)


@pytest.mark.parametrize(("written", "share"), [("5 %", 0.05), ("12.5%", 0.125), (0.1, 0.1)])
def test_an_intervals_width_is_a_share(written: str | float, share: float) -> None:
    until = campaign(until={"interval": written, "at_most": 19}).until
    assert until is not None
    assert until.interval == pytest.approx(share)
    assert campaign(until={"interval": written, "at_most": 19}).most_blocks == 19


MISTAKES = [
    ("  blocks: 0", 2, "campaign.blocks: input should be greater than or equal to 1"),
    ("  block: 3", 2, "unknown key 'campaign.block'"),
    ("  factors: {coverage: [3]}", 2, "campaign.factors.coverage.0"),
    ("  factors:\n    payload_bytes: [20, 20]", 2, "payload_bytes: 20 stands twice"),
    ("  factors:\n    release_assistance: [soon]", 3, "campaign.factors.release_assistance.0"),
    ("  budget: {time: 2 weeks}", 2, "'2 weeks' is no number with one of the units s, min, h, d"),
    ("  budget: {energy: lots}", 2, "'lots' is no number with one of the units mJ, J, kJ"),
    ("  blocks: 3\n  until: {interval: 5 %, at_most: 13}", 1, "both 'blocks' and 'until'"),
    ("  until: {interval: 5 %}", 2, "campaign.until.at_most: field required"),
    ("  until: {interval: wide, at_most: 13}", 2, "'wide' is no share: write 5 % or 0.05"),
    (
        "  until: {interval: 5 %, at_least: 14, at_most: 13}",
        2,
        "at_least 14 is more than at_most 13",
    ),
    (
        "  exclude:\n    - {cells: {weather: bad}, reason: rain}",
        3,
        "unknown factor 'weather': known are configuration, security, suite, compression, payload",
    ),
    ("  exclude:\n    - {cells: {coverage: 2}}", 3, "campaign.exclude.0.reason: field required"),
]


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES, ids=[said for _, _, said in MISTAKES])
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(f"campaign:\n{text}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_bench(path)
    assert f"{path}:{line}: " in caught.value.message
    assert said in caught.value.message


def test_coverage_of_a_real_module_is_no_factor() -> None:
    real = {
        "module": {"family": "bc66", "port": "/dev/ttyUSB0"},
        "hse": {"address": "192.0.2.1:4500", "secret": "0123456789abcdef"},
        "campaign": {"factors": {"coverage": [0, 1]}},
    }
    with pytest.raises(UsageError, match="coverage is a factor of virtual modules"):
        validate_bench(real)


def test_captures_among_the_payloads_lie_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text("campaign: {factors: {payload: [meter, day.pcapng]}}", encoding="utf-8")
    found = load_bench(path).campaign
    assert found is not None
    assert found.factors.payload == ("meter", str(tmp_path / "day.pcapng"))


def test_a_campaign_survives_being_written_down_and_read_again() -> None:
    bench = validate_bench(
        {
            "campaign": {
                "factors": {
                    "coverage": [0, 2],
                    "power_saving": {"psm": {"psm": True}, "edrx": {"edrx_cycle_s": 20.48}},
                },
                "exclude": [{"cells": {"coverage": 2}, "reason": "too slow"}],
                "until": {"interval": "5 %", "at_most": 20},
                "budget": {"time": "2 h"},
            }
        }
    )
    assert validate_bench(bench.model_dump(mode="json")) == bench


def test_the_schema_for_editors_knows_campaigns() -> None:
    schema = bench_schema()
    known = schema["$defs"]["CampaignDescription"]["properties"]
    assert {"factors", "blocks", "until", "budget", "exclude", "warm_up", "limits"} <= set(known)
