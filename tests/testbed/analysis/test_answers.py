"""What security costs, in figures that were put into the journal."""

import pytest

from testbed.analysis.answers import costs
from tests.testbed.analysis.journals import measurements

ARMS = {"none": 1.0, "esp-tunnel": 1.5, "rohc+esp-tunnel": 1.2}
SIZES = {"none": 52, "esp-tunnel": 136, "rohc+esp-tunnel": 92}


def test_security_s_cost_is_told_against_the_configuration_without_any() -> None:
    run = measurements(messages=200, latencies_s=ARMS, sizes=SIZES)
    found = {(cost.secured, cost.measure.name): cost for cost in costs(run)}
    assert {name for name, _ in found} == {"esp-tunnel", "rohc+esp-tunnel"}
    assert {cost.without for cost in found.values()} == {"none"}
    for name, added in (("esp-tunnel", 84), ("rohc+esp-tunnel", 40)):
        estimate = found[name, "header_bytes"].added
        assert estimate is not None
        assert (estimate.low, estimate.value, estimate.high) == (added, added, added)
    latency = found["esp-tunnel", "latency_median"]
    assert latency.added is not None
    assert latency.added.low < 0.5 < latency.added.high
    assert latency.detectable
    assert latency.to_json()["text"] == latency.text


def test_the_same_configuration_twice_shows_no_difference() -> None:
    run = measurements(
        messages=200, latencies_s={"none": 1.0, "esp-tunnel": 1.0}, sizes=SIZES, sigma=0.3
    )
    latency = next(cost for cost in costs(run) if cost.measure.name == "latency_median")
    assert not latency.detectable
    assert latency.text.startswith("no detectable difference at n = 200")


@pytest.mark.parametrize("arms", [["esp-tunnel"], ["none"], ["none", "rohc"]])
def test_without_both_sides_there_is_no_cost_to_tell(arms: list[str]) -> None:
    run = measurements(latencies_s=dict.fromkeys(arms, 1.0), sizes=dict.fromkeys(arms, 80))
    assert costs(run) == ()
