"""The plan: a pure function of description and seed; each message has one place for good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.virtual import NetworkSettings, RadioSettings
from firmware_bridge.virtual.radio import Channel
from testbed.bench import Bench, validate_bench
from testbed.campaign.execution import rsrp_of_level
from testbed.campaign.payloads import load_payloads
from testbed.campaign.plan import Plan, plan_campaign, plan_matrix
from testbed.errors import UsageError


def bench(
    seed: int = 1, matrix: tuple[str, ...] = ("none", "esp-tunnel"), **settings: Any
) -> Bench:
    return validate_bench({"seed": seed, "matrix": list(matrix), "campaign": settings})


def plan(seed: int = 1, **settings: Any) -> Plan:
    described = bench(seed, **settings)
    assert described.campaign is not None
    return plan_campaign(described, described.campaign)


FACTORS = {"coverage": [0, 1, 2], "payload_bytes": [20, 200]}

plans = st.builds(
    plan,
    seed=st.integers(0, 2**40),
    factors=st.sampled_from([{}, {"coverage": [0, 2]}, FACTORS]),
    blocks=st.integers(1, 4),
    messages_per_cell=st.integers(1, 4),
    warm_up=st.integers(0, 3),
)


@given(plans)
def test_every_block_holds_every_cell_once(found: Plan) -> None:
    for block in range(found.blocks):
        assert sorted(c.name for c in found.order(block)) == sorted(c.name for c in found.cells)


@given(plans, st.data())
def test_numbers_are_those_of_the_order_wherever_one_begins(
    found: Plan, data: st.DataObject
) -> None:
    def numbered(start: int) -> list[Any]:
        return [m for visit in found.visits(start) for m in found.messages(visit, start)]

    everything = numbered(0)
    assert [message.number for message in everything] == list(range(found.total))
    start = data.draw(st.integers(0, found.total))
    assert numbered(start) == everything[start:]


@given(plans)
def test_cells_of_a_block_send_the_same_messages_and_warm_up_comes_first(found: Plan) -> None:
    for block in range(found.blocks):
        sent = {}
        for visit in found.visits():
            if visit.block == block:
                messages = list(found.messages(visit))
                warm = [message.warm_up for message in messages]
                assert warm == sorted(warm, reverse=True)
                assert warm.count(False) == found.messages_per_cell
                sent[visit.cell.name] = [message.index for message in messages]
        assert len(set(map(tuple, sent.values()))) == 1


def test_one_seed_has_one_order_and_blocks_differ() -> None:
    one, again, other = (plan(seed, factors=FACTORS, blocks=3) for seed in (1, 1, 2))
    assert [one.order(block) for block in range(3)] == [again.order(block) for block in range(3)]
    assert [one.order(block) for block in range(3)] != [other.order(block) for block in range(3)]
    assert len({one.order(block) for block in range(3)}) == 3
    assert one.digest == again.digest != other.digest


def test_orders_are_uniform_over_the_blocks() -> None:
    found = plan(blocks=600)
    first = sum(found.order(block)[0].name == "none" for block in range(600))
    assert 240 < first < 360


def test_a_cells_name_has_its_configuration_and_the_varied_levels() -> None:
    found = plan(factors={"coverage": [1], "release_assistance": ["none"]})
    assert [cell.name for cell in found.cells] == [
        "none release_assistance=none coverage=1",
        "esp-tunnel release_assistance=none coverage=1",
    ]
    assert found.cells[1].to_json() == {
        "name": "esp-tunnel release_assistance=none coverage=1",
        "configuration": "esp-tunnel",
        "release_assistance": "none",
        "coverage": 1,
    }


def test_excluded_cells_are_named_with_the_reason() -> None:
    found = plan(
        factors={"coverage": [0, 2]},
        exclude=[
            {"cells": {"security": "none", "coverage": 2}, "reason": "nobody does that"},
            {"cells": {"suite": "aes-gcm-16-128", "coverage": 0}, "reason": "known"},
        ],
    )
    assert [cell.name for cell in found.cells] == ["none coverage=0", "esp-tunnel coverage=2"]
    assert [(one.cell.name, one.reason) for one in found.excluded] == [
        ("none coverage=2", "nobody does that"),
        ("esp-tunnel coverage=0", "known"),
    ]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"coverage": 1}, "exclude names no cell: {coverage: 1}"),
        ({"configuration": "rohc"}, "exclude names no cell: {configuration: rohc}"),
        ({"coverage": 0}, "every cell is excluded"),
    ],
)
def test_an_exclusion_that_leaves_nothing_or_means_nothing_is_a_mistake(
    cells: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said.replace("{", r"\{").replace("}", r"\}")):
        plan(factors={"coverage": [0]}, exclude=[{"cells": cells, "reason": "test"}])


def test_a_bench_without_a_campaign_is_one_block_in_the_order_of_the_matrix() -> None:
    found = plan_matrix(validate_bench({"matrix": ["rohc", "none"]}), 3)
    assert [m.number for v in found.visits() for m in found.messages(v)] == list(range(6))
    assert [visit.cell.name for visit in found.visits()] == ["rohc", "none"]


# -- the messages ----------------------------------------------------------------------------------


def test_payloads_have_the_sizes_that_are_asked_for_and_keep_their_flow() -> None:
    payloads = load_payloads(bench(factors={"payload_bytes": [5, 300]}, messages_per_cell=3))
    for cell in payloads.plan.cells:
        messages = [payloads.message(cell, index) for index in range(3)]
        assert {len(message.payload) for message in messages} == {cell.payload_bytes}
        assert len({(m.source, m.source_port, m.destination_port) for m in messages}) == 1
        assert len({message.payload for message in messages}) == 3


def test_each_source_is_one_of_the_generated_devices_or_a_capture() -> None:
    payloads = load_payloads(bench(factors={"payload": ["meter", "thermostat"]}))
    sources = {payloads.message(cell, 0).source_text for cell in payloads.plan.cells}
    assert len(sources) == 2
    assert payloads.description == (
        "generator:meter (seed 1, IPv6), generator:thermostat (seed 1, IPv6)"
    )
    with pytest.raises(UsageError, match="'toaster' is no generated device and no file"):
        load_payloads(bench(factors={"payload": ["toaster"]}))


def test_a_source_that_is_too_short_is_gone_through_again_and_that_is_said() -> None:
    described = validate_bench(
        {"traffic": {"messages": 3}, "campaign": {"blocks": 2, "messages_per_cell": 4}}
    )
    payloads = load_payloads(described)
    (cell, *_) = payloads.plan.cells
    messages = [payloads.message(cell, index) for index in range(8)]
    assert [message.index for message in messages] == list(range(8))
    assert messages[3].payload == messages[0].payload
    times = [message.time_s for message in messages]
    assert times == sorted(times)
    assert any("has 3 messages, the plan sends 8" in note for note in payloads.notes)


def test_the_digest_tells_other_messages_from_these() -> None:
    one, again = load_payloads(bench()), load_payloads(bench())
    sized = load_payloads(bench(factors={"payload_bytes": [20]}))
    assert one.digest == again.digest
    assert len({one.digest, sized.digest, load_payloads(bench(seed=2)).digest}) == 3


def test_captures_of_one_name_in_two_folders_are_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"2 cells are called 'none payload=day\.pcapng'"):
        plan(factors={"payload": ["a/day.pcapng", "b/day.pcapng"]})


def test_a_capture_is_named_and_excluded_by_its_files_name() -> None:
    found = plan(
        factors={"payload": ["some/where/day.pcapng", "meter"]},
        exclude=[{"cells": {"payload": "day.pcapng", "security": "none"}, "reason": "test"}],
    )
    assert [cell.name for cell in found.cells] == [
        "none payload=meter",
        "esp-tunnel payload=day.pcapng",
        "esp-tunnel payload=meter",
    ]
    assert found.cells[1].payload == "some/where/day.pcapng"


# -- the levels of coverage ------------------------------------------------------------------------


@pytest.mark.parametrize("thresholds", [(-112.0, -122.0), (-100.0, -110.0), (-115.0, -130.0)])
@pytest.mark.parametrize("variation_db", [0.0, 1.5, 4.0])
def test_a_level_of_coverage_holds_through_the_usual_variation(
    thresholds: tuple[float, float], variation_db: float
) -> None:
    radio = RadioSettings(ecl_thresholds_dbm=thresholds, rsrp_variation_db=variation_db)
    for level in range(3):
        standing = replace(radio, rsrp_dbm=rsrp_of_level(radio, level))
        channel = Channel(standing, NetworkSettings(), 1, 0.0)
        assert {channel.signal(10.0 * step).ecl for step in range(100)} == {level}
