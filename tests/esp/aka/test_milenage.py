"""MILENAGE against the published sets, and against its own equations written out once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from esp.aka import MILENAGE_CONSTANTS, MILENAGE_ROTATIONS, Milenage
from esp.errors import InvalidParameter, LocalError

DATA = Path(__file__).parents[2] / "data" / "aka" / "milenage_testsets.json"
SETS: list[dict[str, str]] = json.loads(DATA.read_text())
K = bytes(range(16))
RAND = bytes(range(16, 32))


def octets(test_set: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(test_set[name])


@pytest.mark.parametrize("test_set", SETS, ids=lambda test_set: test_set["name"][-10:])
def test_a_published_set_comes_out(test_set: dict[str, str]) -> None:
    rand, sqn, amf = (octets(test_set, name) for name in ("RAND", "SQN", "AMF"))
    from_op = Milenage(k=octets(test_set, "K"), op=octets(test_set, "OP"))
    assert from_op.opc == octets(test_set, "OPc")
    for milenage in (from_op, Milenage(k=octets(test_set, "K"), opc=octets(test_set, "OPc"))):
        assert milenage.f1(rand, sqn, amf) == octets(test_set, "MAC_A")
        assert milenage.f1_star(rand, sqn, amf) == octets(test_set, "MAC_S")
        assert milenage.f5_star(rand) == octets(test_set, "AK_star")
        assert milenage.f2345(rand) == tuple(
            octets(test_set, name) for name in ("RES", "CK", "IK", "AK")
        )


def test_all_six_sets_are_there() -> None:
    assert len(SETS) == 6


def test_the_order_of_calls_does_not_matter() -> None:
    """One encryptor serves all calls, so nothing may stay in it."""
    first = Milenage(k=K, opc=RAND)
    expected = first.f2345(RAND)
    for _ in range(3):
        first.f1(RAND, bytes(6), bytes(2))
        first.f5_star(K)
        assert first.f2345(RAND) == expected


def bits(block: bytes) -> str:
    return "".join(f"{octet:08b}" for octet in block)


@given(
    opc=st.binary(min_size=16, max_size=16),
    constants=st.lists(st.binary(min_size=16, max_size=16), min_size=5, max_size=5, unique=True),
    rotations=st.lists(st.integers(0, 127), min_size=5, max_size=5),
)
def test_other_constants_and_rotations_of_any_bits_do_what_the_equations_say(
    opc: bytes, constants: list[bytes], rotations: list[int]
) -> None:
    milenage = Milenage(k=K, opc=opc, constants=constants, rotations=rotations)
    aes = Cipher(AES(K), ECB())

    def xored(*blocks: str) -> str:
        return "".join(str(sum(map(int, column)) % 2) for column in zip(*blocks, strict=True))

    def encrypted(block: str) -> str:
        return bits(aes.encryptor().update(int(block, 2).to_bytes(16, "big")))

    def rot(block: str, amount: int) -> str:
        return block[amount:] + block[:amount]

    variant, c = bits(opc), [bits(one) for one in constants]
    temp = encrypted(xored(bits(RAND), variant))
    out = {
        i: xored(
            encrypted(xored(rot(xored(temp, variant), rotations[i - 1]), c[i - 1])),
            variant,
        )
        for i in (2, 3, 4, 5)
    }
    in1 = bits((b"SQNSQN" + b"AM") * 2)
    out1 = xored(encrypted(xored(temp, rot(xored(in1, variant), rotations[0]), c[0])), variant)
    res, ck, ik, ak = milenage.f2345(RAND)
    assert bits(milenage.f1(RAND, b"SQNSQN", b"AM")) == out1[:64]
    assert bits(milenage.f1_star(RAND, b"SQNSQN", b"AM")) == out1[64:]
    assert (bits(ak), bits(res)) == (out[2][:48], out[2][64:])
    assert (bits(ck), bits(ik)) == (out[3], out[4])
    assert bits(milenage.f5_star(RAND)) == out[5][:48]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"k": bytes(15), "op": bytes(16)}, "K of MILENAGE has 15 octets, not 16"),
        ({"k": bytes(32), "op": bytes(16)}, "K of MILENAGE has 32 octets"),
        ({"k": K, "op": bytes(17)}, "OP has 17 octets, not 16"),
        ({"k": K, "opc": b""}, "OPc has 0 octets, not 16"),
        ({"k": K}, "either OP or OPc"),
        ({"k": K, "op": bytes(16), "opc": bytes(16)}, "either OP or OPc"),
        ({"k": K, "op": K, "constants": MILENAGE_CONSTANTS[:4]}, "five constants"),
        ({"k": K, "op": K, "rotations": (0,) * 6}, "five rotations"),
        ({"k": K, "op": K, "rotations": (0, 1, 2, 3, 128)}, "r5 of MILENAGE is 128"),
        ({"k": K, "op": K, "rotations": (-1, 1, 2, 3, 4)}, "r1 of MILENAGE is -1"),
        ({"k": K, "op": K, "constants": (*MILENAGE_CONSTANTS[:4], b"c")}, "c5 of MILENAGE has 1"),
    ],
)
def test_wrong_sizes_say_which_and_what_it_should_be(
    arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidParameter, match=expected) as caught:
        Milenage(**arguments)
    assert isinstance(caught.value, LocalError)


def test_two_functions_that_would_be_the_same_are_refused() -> None:
    constants = (*MILENAGE_CONSTANTS[:4], MILENAGE_CONSTANTS[1])
    Milenage(k=K, op=K, constants=constants)  # the rotations still tell them apart
    rotations = (*MILENAGE_ROTATIONS[:4], MILENAGE_ROTATIONS[1])
    with pytest.raises(InvalidParameter, match="same constant and rotation"):
        Milenage(k=K, op=K, constants=constants, rotations=rotations)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_challenge_of_another_size_is_refused(size: int) -> None:
    milenage = Milenage(k=K, op=K)
    for call in (
        lambda: milenage.f1(bytes(size), bytes(6), bytes(2)),
        lambda: milenage.f1_star(bytes(size), bytes(6), bytes(2)),
        lambda: milenage.f2345(bytes(size)),
        lambda: milenage.f5_star(bytes(size)),
    ):
        with pytest.raises(InvalidParameter, match=f"RAND has {size} octets, not 16"):
            call()
    with pytest.raises(InvalidParameter, match="SQN has 5 octets, not 6"):
        milenage.f1(RAND, bytes(5), bytes(2))
    with pytest.raises(InvalidParameter, match="AMF has 3 octets, not 2"):
        milenage.f1(RAND, bytes(6), bytes(3))
