"""The shared corpus of malformed and mutated packets."""

from __future__ import annotations

import copy
import json
import time
from collections import Counter
from typing import Any

import pytest
from rohc_packets import SHARED, known

from rohc import Channel, Decompressor, RohcError

CORPUS = SHARED / "vectors" / "rohc" / "malformed"
LIMIT_S = 1.0
V1_PROFILES = (0, 1, 2, 3, 4, 7, 8)


def corpus(name: str) -> list[dict[str, Any]]:
    path = CORPUS / name
    if not path.exists():
        pytest.skip(f"the shared corpus {name} is not beside the checkout")
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def decompressor_of(stream: dict[str, Any]) -> Decompressor:
    return Decompressor(
        Channel(
            max_cid=stream["max_cid"],
            large_cids=stream["cid_type"] == "large",
            profiles=V1_PROFILES,
        ),
        mode=stream.get("mode", "U"),
    )


def feed(decompressor: Decompressor, octets: bytes) -> str:
    """What one packet does: "OK", or the error; a rejected one leaves no trace."""
    if not octets:
        with pytest.raises(RohcError):
            decompressor.decompress(octets)
        return "empty"
    before = known(decompressor)
    begin = time.perf_counter()
    try:
        decompressor.decompress(octets)
        outcome = "OK"
    except RohcError as error:
        outcome = type(error).__name__
        assert known(decompressor) == before
    assert time.perf_counter() - begin < LIMIT_S
    return outcome


def test_the_tree_corpus_raises_nothing_but_errors_of_this_package() -> None:
    outcomes: Counter[str] = Counter()
    for stream in corpus("tree.jsonl"):
        decompressor = decompressor_of(stream)
        for packet in stream["packets"]:
            outcomes[feed(decompressor, bytes.fromhex(packet["rohc"]))] += 1
    print(dict(outcomes))  # noqa: T201
    assert sum(outcomes.values()) > 100


@pytest.mark.parametrize("name", ["mutated-open.jsonl", "edge.jsonl"])
def test_mutated_packets_raise_nothing_but_errors_of_this_package(name: str) -> None:
    outcomes: Counter[tuple[str, bool]] = Counter()
    for stream in corpus(name):
        if stream.get("rohc_version", 1) != 1:
            continue
        prepared = decompressor_of(stream)
        for octets in stream["prefix"]:
            feed(prepared, bytes.fromhex(octets))
        for mutation in stream["mutations"]:
            decompressor = copy.deepcopy(prepared)
            outcome = feed(decompressor, bytes.fromhex(mutation["rohc"]))
            outcomes[(mutation["status"], outcome == "OK")] += 1
    print(dict(outcomes))  # noqa: T201
    assert sum(outcomes.values()) > 100
