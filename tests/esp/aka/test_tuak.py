"""TUAK against the published sets, and what keeps its functions apart."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from esp.aka import Tuak
from esp.errors import InvalidParameter

DATA = Path(__file__).parents[2] / "data" / "aka" / "tuak_testsets.json"
SETS: list[dict[str, Any]] = json.loads(DATA.read_text())
K, TOP, RAND = bytes(range(16)), bytes(range(32)), bytes(range(16, 32))


def octets(test_set: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(test_set[name])


def tuak(test_set: dict[str, Any], **variant: bytes) -> Tuak:
    sizes = test_set["lengths_bits"]
    return Tuak(
        k=octets(test_set, "K"),
        mac_bits=sizes["MAC"],
        res_bits=sizes["RES"],
        ck_bits=sizes["CK"],
        ik_bits=sizes["IK"],
        keccak_iterations=test_set["keccak_iterations"],
        **variant,
    )


@pytest.mark.parametrize("test_set", SETS, ids=lambda test_set: test_set["name"][-10:])
def test_a_published_set_comes_out(test_set: dict[str, Any]) -> None:
    rand, sqn, amf = (octets(test_set, name) for name in ("RAND", "SQN", "AMF"))
    from_top = tuak(test_set, top=octets(test_set, "TOP"))
    assert from_top.topc == octets(test_set, "TOPc")
    for one in (from_top, tuak(test_set, topc=octets(test_set, "TOPc"))):
        assert one.f1(rand, sqn, amf) == octets(test_set, "MAC_A")
        assert one.f1_star(rand, sqn, amf) == octets(test_set, "MAC_S")
        assert one.f5_star(rand) == octets(test_set, "AK_star")
        assert one.f2345(rand) == tuple(
            octets(test_set, name) for name in ("RES", "CK", "IK", "AK")
        )


def test_all_six_sets_are_there_and_hold_every_size() -> None:
    assert len(SETS) == 6
    sizes = [test_set["lengths_bits"] for test_set in SETS]
    assert {one["K"] for one in sizes} == {128, 256}
    assert {one["MAC"] for one in sizes} == {64, 128, 256}
    assert {one["RES"] for one in sizes} == {32, 64, 128, 256}
    assert {one["CK"] for one in sizes} == {one["IK"] for one in sizes} == {128, 256}
    assert {test_set["keccak_iterations"] for test_set in SETS} == {1, 2}


def test_a_result_of_another_size_is_another_result_and_no_prefix_of_it() -> None:
    """The sizes stand in INSTANCE, so that a short MAC gives nothing of a long one away."""
    macs = [Tuak(k=K, top=TOP, mac_bits=bits).f1(RAND, bytes(6), bytes(2)) for bits in (64, 256)]
    assert not macs[1].startswith(macs[0])
    assert not macs[1].endswith(macs[0])
    results = set()
    for res, ck, ik in itertools.product((32, 64, 128, 256), (128, 256), (128, 256)):
        answer = Tuak(k=K, top=TOP, res_bits=res, ck_bits=ck, ik_bits=ik).f2345(RAND)
        assert [len(part) * 8 for part in answer] == [res, ck, ik, 48]
        results.add(answer[3])
    assert len(results) == 16


def test_a_short_key_is_not_a_long_one_with_zeros_behind() -> None:
    topc = bytes(32)
    short, long = Tuak(k=K, topc=topc), Tuak(k=K.rjust(32, b"\0"), topc=topc)
    assert short.f2345(RAND) != long.f2345(RAND)
    assert short.f5_star(RAND) != long.f5_star(RAND)
    assert short.f1(RAND, bytes(6), bytes(2)) != long.f1(RAND, bytes(6), bytes(2))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"k": bytes(24), "top": TOP}, "K of TUAK has 24 octets, not 16 or 32"),
        ({"k": K, "top": bytes(16)}, "TOP has 16 octets, not 32"),
        ({"k": K, "topc": bytes(33)}, "TOPc has 33 octets, not 32"),
        ({"k": K}, "either TOP or TOPc"),
        ({"k": K, "top": TOP, "topc": TOP}, "either TOP or TOPc"),
        ({"k": K, "top": TOP, "mac_bits": 32}, "MAC of TUAK has 32 bits; there are 64, 128, 256"),
        ({"k": K, "top": TOP, "res_bits": 48}, "RES of TUAK has 48 bits"),
        ({"k": K, "top": TOP, "ck_bits": 64}, "CK of TUAK has 64 bits; there are 128, 256"),
        ({"k": K, "top": TOP, "ik_bits": 512}, "IK of TUAK has 512 bits"),
        ({"k": K, "top": TOP, "keccak_iterations": 0}, "at least once"),
    ],
)
def test_wrong_sizes_say_which_and_what_it_should_be(
    arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidParameter, match=expected):
        Tuak(**arguments)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_challenge_of_another_size_is_refused(size: int) -> None:
    one = Tuak(k=K, top=TOP)
    for call in (
        lambda: one.f1(bytes(size), bytes(6), bytes(2)),
        lambda: one.f1_star(bytes(size), bytes(6), bytes(2)),
        lambda: one.f2345(bytes(size)),
        lambda: one.f5_star(bytes(size)),
    ):
        with pytest.raises(InvalidParameter, match=f"RAND has {size} octets, not 16"):
            call()
    with pytest.raises(InvalidParameter, match="SQN has 7 octets, not 6"):
        one.f1(RAND, bytes(7), bytes(2))
    with pytest.raises(InvalidParameter, match="AMF has 1 octets, not 2"):
        one.f1(RAND, bytes(6), bytes(1))
