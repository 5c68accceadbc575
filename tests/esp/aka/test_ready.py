"""Ready vectors: read from lines, used once each, whatever happens to file and process."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from aka_cases import IDENTITY, Memory, card, centre, present
from hypothesis import given
from hypothesis import strategies as st

from esp.aka import (
    AkaSuccess,
    AuthenticationVector,
    ReadyVectors,
    UsedVectors,
    VectorSource,
    parse_ready_vectors,
    parse_vector,
)
from esp.errors import (
    InvalidParameter,
    NoVector,
    Reason,
    ResynchronisationFailed,
    UnknownIdentity,
)
from esp.store import SequenceStore
from esp.store_file import open_store


def record(vector: AuthenticationVector, identity: str = IDENTITY) -> dict[str, str]:
    return {
        "identity": identity,
        "rand": vector.rand.hex(),
        "autn": vector.autn.hex(),
        "xres": vector.xres.hex(),
        "ck": vector.ck.hex(),
        "ik": vector.ik.hex(),
    }


HOME = centre(random=random.Random(1).randbytes)
VECTORS = [HOME.vector(IDENTITY) for _ in range(4)]
TEXT = "".join(json.dumps(record(vector)) + "\n" for vector in VECTORS)


def source(store: SequenceStore | None = None, text: str = TEXT) -> ReadyVectors:
    return ReadyVectors(parse_ready_vectors(text), UsedVectors(store))


def test_vectors_come_in_the_order_of_their_lines_and_then_no_more() -> None:
    ready: VectorSource = source()
    assert [ready.vector(IDENTITY) for _ in VECTORS] == VECTORS
    for _ in range(2):
        with pytest.raises(NoVector, match="all ready vectors") as caught:
            ready.vector(IDENTITY)
        assert caught.value.reason is Reason.NO_VECTOR
        assert caught.value.hint


def test_a_card_accepts_them_one_after_the_other() -> None:
    ready, usim = source(), card()
    for _ in VECTORS:
        assert isinstance(present(usim, ready.vector(IDENTITY)), AkaSuccess)


def test_each_subscriber_has_vectors_of_its_own() -> None:
    lines = [json.dumps(record(vector, str(n % 2))) for n, vector in enumerate(VECTORS)]
    ready = source(text="\n\n".join(lines))
    assert ready.vector("1") == VECTORS[1]
    assert ready.vector("0") == VECTORS[0]
    assert ready.vector("1") == VECTORS[3]
    with pytest.raises(UnknownIdentity) as caught:
        ready.vector("2")
    assert caught.value.hint


def test_a_vector_is_marked_before_it_is_given_out() -> None:
    log = Memory()
    ready = source(SequenceStore(log))
    for count, vector in enumerate(VECTORS, 1):
        assert ready.vector(IDENTITY) == vector
        assert log.syncs == count
        left = source(SequenceStore(Memory(), log.durable))
        if count < len(VECTORS):
            assert left.vector(IDENTITY) == VECTORS[count]
        else:
            with pytest.raises(NoVector):
                left.vector(IDENTITY)


def test_without_the_store_a_restart_would_use_them_again() -> None:
    assert source().vector(IDENTITY) == source().vector(IDENTITY)


@given(order=st.permutations(range(4)), used=st.integers(0, 4))
def test_a_file_that_was_sorted_or_cut_brings_nothing_back(order: list[int], used: int) -> None:
    store = SequenceStore(Memory())
    first = source(store)
    given_out = [first.vector(IDENTITY) for _ in range(used)]
    lines = TEXT.splitlines()
    again = source(store, "\n".join(lines[n] for n in order))
    rest = [again.vector(IDENTITY) for _ in range(4 - used)]
    assert rest == [VECTORS[n] for n in order if VECTORS[n] not in given_out]
    with pytest.raises(NoVector):
        again.vector(IDENTITY)


def test_two_sources_over_one_store_do_not_give_the_same() -> None:
    store = SequenceStore(Memory())
    one, other = source(store), source(store)
    assert [one.vector(IDENTITY), other.vector(IDENTITY)] == VECTORS[:2]


def test_the_mark_is_in_a_file_that_shows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "used"
    store, log = open_store(path)
    source(store).vector(IDENTITY)
    log.close()
    written = path.read_bytes()
    assert len(written) == 32
    for value in (VECTORS[0].rand, VECTORS[0].autn, VECTORS[0].xres, VECTORS[0].ck):
        assert value[:4] not in written
    store, log = open_store(path)
    assert source(store).vector(IDENTITY) == VECTORS[1]
    log.close()


def test_when_the_mark_can_not_be_written_the_vector_stays() -> None:
    log = Memory()
    ready = source(SequenceStore(log))
    log.fail = True
    with pytest.raises(NoVector, match="No space left"):
        ready.vector(IDENTITY)
    log.fail = False
    assert ready.vector(IDENTITY) == VECTORS[0]


def test_who_does_not_know_k_can_not_resynchronise() -> None:
    ready = source()
    with pytest.raises(ResynchronisationFailed) as caught:
        ready.resynchronise(IDENTITY, VECTORS[0].rand, bytes(14))
    assert "knows its K" in caught.value.hint
    assert ready.vector(IDENTITY) == VECTORS[0]
    with pytest.raises(UnknownIdentity):
        ready.resynchronise("nobody", VECTORS[0].rand, bytes(14))


def test_keys_that_are_not_known_are_not_looked_at() -> None:
    assert parse_vector(record(VECTORS[0]) | {"comment": 7}) == VECTORS[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"identity": None}, "line 2: 'identity' is missing"),
        ({"identity": 1010000000001}, "line 2: 'identity' is missing or no text"),
        ({"identity": ""}, "line 2: 'identity'"),
        ({"rand": None}, "line 2: 'rand' is missing"),
        ({"rand": "12345678"}, "line 2: RAND has 4 octets, not 16"),
        ({"autn": "ab" * 15 + "a"}, "line 2: 'autn' is not an even number"),
        ({"xres": "xy" * 8}, "line 2: 'xres' is not an even number"),
        ({"xres": "ab" * 17}, "line 2: XRES has 17 octets"),
        ({"ck": 12}, "line 2: 'ck' is missing or no text"),
        ({"ik": ["ab"]}, "line 2: 'ik' is missing or no text"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_without_its_value(
    change: dict[str, Any], expected: str
) -> None:
    lines = TEXT.splitlines()
    lines[1] = json.dumps(record(VECTORS[1]) | change)
    with pytest.raises(InvalidParameter, match=expected) as caught:
        parse_ready_vectors("\n".join(lines))
    for value in change.values():
        if value:
            assert str(value) not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("line", ["canary", "[", '{"rand": "canary"', "[" * 100_000, "\0"])
def test_what_is_not_json_is_told_with_its_line_only(line: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^line 5 is not JSON$") as caught:
        parse_ready_vectors(TEXT + line)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("line", ["7", "[]", "null", '"canary"'])
def test_json_that_is_no_object_is_no_vector(line: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^line 5: a vector is a JSON object$"):
        parse_ready_vectors(TEXT + line)


def test_the_same_vector_twice_is_a_mistake_in_the_file() -> None:
    with pytest.raises(InvalidParameter, match="line 6 holds the vector of line 2 once more"):
        parse_ready_vectors(TEXT + "\n" + TEXT.splitlines()[1])


def test_an_empty_file_knows_nobody() -> None:
    assert parse_ready_vectors("") == parse_ready_vectors("\n \n") == []
    with pytest.raises(UnknownIdentity):
        source(text="").vector(IDENTITY)
