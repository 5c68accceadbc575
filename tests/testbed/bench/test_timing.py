"""Which time a bench runs in, and where its random octets come from."""

from __future__ import annotations

import os
from typing import Any

import pytest

from testbed.bench import validate_bench
from testbed.bench.timing import random_octets
from testbed.clock import TimeKind

SECRET = "hex:" + "11" * 16
ELSEWHERE = {"address": "192.0.2.1:4500", "secret": SECRET}
REAL = {"port": "/dev/ttyUSB0"}


@pytest.mark.parametrize(
    ("bench", "kind", "scale"),
    [
        ({}, "virtual", None),
        ({"time": "virtual"}, "virtual", None),
        ({"hse": {"secret": SECRET, "test": True}}, "virtual", None),
        ({"hse": {"secret": SECRET}}, "scaled", 200.0),  # no keys from the seed for a real secret
        ({"hse": {"secret_file": "secret.txt"}}, "scaled", 200.0),
        ({"hse": ELSEWHERE}, "scaled", 20.0),
        ({"time": "scaled"}, "scaled", 200.0),
        ({"time_scale": 50}, "scaled", 50.0),
        ({"time": "scaled", "time_scale": 50}, "scaled", 50.0),
        ({"time_scale": 1}, "real", 1.0),
        ({"time": "real"}, "real", 1.0),
        ({"module": REAL, "hse": ELSEWHERE}, "real", 1.0),
        ({"module": REAL, "hse": ELSEWHERE, "time_scale": 1}, "real", 1.0),
    ],
)
def test_virtual_time_is_taken_where_it_can_be_and_nothing_else_is_said(
    bench: dict[str, Any], kind: str, scale: float | None
) -> None:
    timing = validate_bench(bench).timing
    assert (timing.kind, timing.scale) == (kind, scale)


def test_random_octets_of_virtual_time_come_from_seed_and_purpose() -> None:
    def drawn(seed: int, purpose: str) -> bytes:
        return random_octets(TimeKind.VIRTUAL, seed, purpose)(16)

    assert drawn(1, "hse") == drawn(1, "hse") == bytes.fromhex("fdc71c8fb0df46f2e9e81f589f88db09")
    assert len({drawn(1, "hse"), drawn(2, "hse"), drawn(1, "ue/esp-tunnel")}) == 3


@pytest.mark.parametrize("kind", [TimeKind.REAL, TimeKind.SCALED])
def test_in_any_other_time_they_are_the_operating_systems(kind: TimeKind) -> None:
    assert random_octets(kind, 1, "hse") is os.urandom


def test_rohc_begins_with_a_number_of_the_seeds_in_virtual_time_only() -> None:
    first = validate_bench({"seed": 1}).rohc_settings.first_sn
    assert first == validate_bench({"seed": 1}).rohc_settings.first_sn
    assert first != validate_bench({"seed": 2}).rohc_settings.first_sn
    assert validate_bench({"time": "scaled"}).rohc_settings.first_sn is None
