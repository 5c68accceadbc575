"""Two runs compared, or not; what ROHC saves, by coverage level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from testbed.analysis.answers import savings, uncompressed
from testbed.analysis.comparison import compare, obstacles
from testbed.analysis.limits import regression_limit
from testbed.analysis.verdicts import Grade
from tests.testbed.analysis.journals import MANIFEST, measurements


def other_manifest(**changes: Any) -> dict[str, Any]:
    return MANIFEST | {"module": MANIFEST["module"] | changes}


def test_a_run_like_its_reference_passes() -> None:
    found = compare(measurements(1, messages=150), measurements(2, messages=150))
    assert found.grade is Grade.PASS and found.obstacles == ()
    assert {row.measure for row in found.rows} == {
        "latency_median", "delivery", "uplink_bytes", "energy",
    }  # fmt: skip
    json.dumps(found.to_json(), allow_nan=False)


def test_a_slower_run_fails() -> None:
    slower = {"esp-tunnel": 1.5, "rohc+esp-tunnel": 1.0}
    found = compare(
        measurements(1, messages=150), measurements(2, messages=150, latencies_s=slower)
    )
    failed = [one for one in found.judgements if one.grade is Grade.FAIL]
    assert found.grade is Grade.FAIL
    assert {one.configuration for one in failed} == {"esp-tunnel"}


def test_a_run_that_loses_more_fails() -> None:
    found = compare(
        measurements(1, messages=200),
        measurements(2, messages=200, loss=0.3),
        [regression_limit("delivery")],
    )
    assert {one.grade for one in found.judgements} == {Grade.FAIL}
    assert any("had no answer; they count as slower" in note for note in found.notes)


def test_a_short_run_is_inconclusive_with_a_number() -> None:
    found = compare(measurements(1, messages=14), measurements(2, messages=14))
    assert found.grade is Grade.INCONCLUSIVE
    assert all(one.needed for one in found.judgements if one.grade is Grade.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("ecl", {"levels": (0, 1)}, "ECL differs"),
        ("rsrp", {"rsrp_dbm": -99.0}, "RSRP differs"),
        ("cell", {"cell": "0000001"}, "cell differs: 022FE6CF .* and 0000001"),
        ("module", {"manifest": other_manifest(model="BC660K")}, "the module differs"),
        ("firmware", {"manifest": other_manifest(firmware="R02")}, "firmware differs: .* and R02"),
        (
            "supply",
            {"manifest": MANIFEST | {"meter": {"model": "ppk2", "voltage_v": 3.7}}},
            "the supply differs: 3.3 V and 3.7 V",
        ),
    ],
)
def test_under_other_conditions_all_is_inconclusive_unless_that_was_the_change(
    name: str, settings: dict[str, Any], said: str
) -> None:
    first, second = measurements(1, messages=60), measurements(2, messages=60, **settings)
    found = compare(first, second)
    assert found.grade is Grade.INCONCLUSIVE
    assert {one.grade for one in found.judgements} == {Grade.INCONCLUSIVE}
    with pytest.raises(AssertionError, match=said):
        raise AssertionError("; ".join(found.obstacles))
    changed = [name, "rsrp"] if name == "ecl" else [name]
    assert list(obstacles(first, second, changed)) == []


def test_a_real_module_and_a_virtual_one_are_never_compared() -> None:
    first, second = measurements(1), measurements(2, origin="real")
    everything = ("module", "firmware", "supply", "cell", "ecl", "rsrp")
    assert list(obstacles(first, second, everything)) == [
        "a virtual module and a real one are never compared"
    ]


def test_a_decibel_and_a_few_messages_of_another_level_are_no_obstacle() -> None:
    second = measurements(2, rsrp_dbm=-93.0, levels=(0,) * 12 + (1,))
    assert list(obstacles(measurements(1), second)) == []


def test_what_cannot_be_changed_is_told() -> None:
    with pytest.raises(ValueError, match="'weather' is none of module, firmware"):
        compare(measurements(1), measurements(2), changed=["weather"])


def test_what_else_differs_is_a_note() -> None:
    with_meter = MANIFEST | {"meter": {"model": "ppk2", "voltage_v": 3.3}}
    found = compare(measurements(1), measurements(2, manifest=with_meter))
    assert "Differs as well: meter, None and ppk2." in found.notes


def test_runs_without_a_common_configuration_are_inconclusive() -> None:
    first = measurements(1, latencies_s={"esp-tunnel": 1.0})
    second = measurements(2, latencies_s={"rohc+esp-tunnel": 1.0})
    found = compare(first, second)
    assert found.obstacles == ("the two have no configuration in common",)
    assert found.grade is Grade.INCONCLUSIVE
    assert any("In one of the two only" in note for note in found.notes)


def test_figures_are_also_given_by_coverage_level() -> None:
    levels = (0, 1)
    found = compare(
        measurements(1, messages=80, levels=levels), measurements(2, messages=80, levels=levels)
    )
    assert {row.stratum for row in found.rows} == {"all", "ECL 0", "ECL 1"}
    medians = {
        row.stratum: row.contrast.second.value
        for row in found.rows
        if row.measure == "latency_median" and row.contrast.second is not None
    }
    assert medians["ECL 1"] > 1.7 * medians["ECL 0"]


# -- what ROHC saves -------------------------------------------------------------------------------


def test_what_rohc_saves_is_told_by_coverage_level_with_intervals() -> None:
    run = measurements(messages=120, levels=(0, 1), sigma=0.05)
    found = savings(run)
    assert [(one.stratum, one.measure.name) for one in found] == [
        (stratum, measure)
        for measure in ("saved_bytes", "saved_latency", "saved_energy")
        for stratum in ("all", "ECL 0", "ECL 1")
    ]
    by_name = {(one.stratum, one.measure.name): one for one in found}
    for stratum in ("all", "ECL 0", "ECL 1"):
        bytes_ = by_name[stratum, "saved_bytes"].saved
        assert bytes_ is not None
        assert (bytes_.low, bytes_.value, bytes_.high) == (44.0, 44.0, 44.0)
    low, high = (by_name[level, "saved_latency"].saved for level in ("ECL 0", "ECL 1"))
    assert low is not None and high is not None
    assert low.low <= 0.2 <= low.high and high.low <= 0.4 <= high.high
    assert all(one.paired and one.release_assistance == "after-downlink" for one in found)
    assert by_name["all", "saved_energy"].kind == "estimated state"
    json.dumps([one.to_json() for one in found], allow_nan=False)


def test_no_detectable_difference_is_said_with_its_n() -> None:
    same = {"esp-tunnel": 1.0, "rohc+esp-tunnel": 1.0}
    run = measurements(messages=40, latencies_s=same, sigma=0.5)
    latency = next(one for one in savings(run) if one.measure.name == "saved_latency")
    assert not latency.detectable
    assert latency.text.startswith("no detectable difference at n = 40: ")


def test_blocks_make_the_interval_narrower() -> None:
    settings: dict[str, Any] = {"messages": 120, "sigma": 0.02, "levels": (0, 1, 2), "visit": 1}
    widths = {
        blocks: next(
            one.saved.half_width
            for one in savings(measurements(blocks=blocks, **settings))
            if one.measure.name == "saved_energy" and one.saved is not None
        )
        for blocks in (True, False)
    }
    assert widths[True] < 0.5 * widths[False]


def test_savings_are_told_within_the_same_level_of_every_factor() -> None:
    factors = {
        f"{name} release_assistance={level}": {"configuration": name, "release_assistance": level}
        for name in ("esp-tunnel", "rohc+esp-tunnel")
        for level in ("none", "after-downlink")
    }
    run = measurements(
        factors=factors,
        latencies_s=dict.fromkeys(factors, 1.0),
        sizes={name: 92 if "rohc" in name else 136 for name in factors},
    )
    assert {(one.compressed, one.without, one.release_assistance) for one in savings(run)} == {
        (
            f"rohc+esp-tunnel release_assistance={level}",
            f"esp-tunnel release_assistance={level}",
            level,
        )
        for level in ("none", "after-downlink")
    }


@pytest.mark.parametrize(
    ("compressed", "plain"),
    [
        ("rohc+esp-tunnel", "esp-tunnel"),
        ("rohc", "none"),
        ("rohc+esp-tunnel/aes-ccm-8-128", "esp-tunnel/aes-ccm-8-128"),
    ],
)
def test_the_arm_without_compression_is_found(compressed: str, plain: str) -> None:
    run = measurements(
        latencies_s={plain: 1.0, compressed: 1.0}, sizes={plain: 136, compressed: 92}
    )
    arms = {arm.name: arm for arm in run.arms}
    assert uncompressed(run, arms[compressed]) is arms[plain]
    assert uncompressed(run, arms[plain]) is None
