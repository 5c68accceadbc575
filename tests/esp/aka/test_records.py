"""Records of AKA: sizes, and that nothing in them shows."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from esp.aka import (
    ATTACH_INDICES,
    HSE_INDICES,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationVector,
    Milenage,
    Subscriber,
    Tuak,
    separation_bit,
)
from esp.aka.records import check_size, xor
from esp.errors import InvalidParameter

VECTOR: dict[str, bytes] = {
    "rand": bytes(16),
    "autn": bytes(16),
    "xres": bytes(8),
    "ck": bytes(16),
    "ik": bytes(16),
}


@pytest.mark.parametrize("name", VECTOR)
@pytest.mark.parametrize("size", [0, 3, 17])
def test_a_vector_of_other_sizes_is_refused_by_the_name_of_the_field(name: str, size: int) -> None:
    with pytest.raises(InvalidParameter, match=f"^{name.upper()} has {size} octets") as caught:
        AuthenticationVector(**(VECTOR | {name: bytes(size)}))
    assert caught.value.hint


@pytest.mark.parametrize("size", range(4, 17))
def test_res_has_four_to_sixteen_octets(size: int) -> None:
    assert len(AuthenticationVector(**(VECTOR | {"xres": bytes(size)})).xres) == size


def test_a_vector_does_not_change() -> None:
    vector = AuthenticationVector(**VECTOR)
    with pytest.raises(FrozenInstanceError):
        vector.rand = bytes(16)  # type: ignore[misc]


def test_the_separation_bit_is_the_first_of_amf() -> None:
    assert separation_bit(bytes.fromhex("8000"))
    assert separation_bit(bytes.fromhex("ffff"))
    assert not separation_bit(bytes.fromhex("7fff"))
    assert not separation_bit(bytes.fromhex("0080"))
    with pytest.raises(InvalidParameter):
        separation_bit(b"")


def test_attaching_and_the_hse_have_no_index_in_common() -> None:
    assert not set(ATTACH_INDICES) & set(HSE_INDICES)
    assert set(ATTACH_INDICES) | set(HSE_INDICES) == set(range(32))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amf": b"\0"}, "AMF has 1 octets, not 2"),
        ({"sqn": bytes(8)}, "SQN has 8 octets, not 6"),
        ({"algorithm": Tuak(k=bytes(16), top=bytes(32), mac_bits=128)}, "MAC has 16 octets, not 8"),
        ({"algorithm": Tuak(k=bytes(16), top=bytes(32), res_bits=256)}, "RES has 32 octets"),
        ({"algorithm": Tuak(k=bytes(16), top=bytes(32), ck_bits=256)}, "CK has 32 octets, not 16"),
        ({"algorithm": Tuak(k=bytes(16), top=bytes(32), ik_bits=256)}, "IK has 32 octets, not 16"),
    ],
)
def test_a_subscriber_that_no_usim_could_serve_is_refused(
    changes: dict[str, Any], expected: str
) -> None:
    known: dict[str, Any] = {"identity": "x", "algorithm": Milenage(k=bytes(16), op=bytes(16))}
    Subscriber(**known)
    with pytest.raises(InvalidParameter, match=expected):
        Subscriber(**(known | changes))


def test_a_size_error_names_all_that_would_do() -> None:
    assert check_size("X", b"ab", 1, 2) == b"ab"
    with pytest.raises(InvalidParameter, match="X has 3 octets, not 1 or 2"):
        check_size("X", b"abc", 1, 2)


def test_exclusive_or_needs_two_of_one_size() -> None:
    assert xor(b"\x0f\xf0", b"\xff\x00") == b"\xf0\xf0"
    with pytest.raises(ValueError, match="shorter"):
        xor(b"a", b"")


def test_kc_is_the_exclusive_or_of_the_halves_of_both_keys() -> None:
    halves = [bytes((n,) * 8) for n in (1, 2, 4, 8)]
    answer = AkaSuccess(res=bytes(4), ck=halves[0] + halves[1], ik=halves[2] + halves[3])
    assert answer.kc == bytes((15,) * 8)


def test_answers_are_told_apart_by_their_class_and_compared_by_value() -> None:
    assert AkaSyncFailure(auts=bytes(14)) == AkaSyncFailure(auts=bytes(14))
    assert AkaSyncFailure(auts=bytes(14)) != AkaSyncFailure(auts=bytes(13) + b"\1")
