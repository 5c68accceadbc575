"""The parameters of ROHC inside a tunnel as octets (RFC 5857), and the second ICV."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp.errors import InvalidParameter, MalformedMessage
from esp.integrity import INTEGRITY_TRANSFORMS, integrity_function
from esp.rohc_parameters import RohcIcv, RohcParameters, rohc_key_bytes

FULL = RohcParameters(max_cid=300, profiles=(0, 2, 4), integrity=(12, 0), icv_bytes=4, mrru=1500)


def test_attributes_are_type_and_value_with_the_format_bit_set() -> None:
    assert FULL.encode().hex(" ", 4) == (
        "8001012c 80020000 80020002 80020004 8003000c 80030000 80040004 800505dc"
    )
    assert RohcParameters().encode().hex(" ", 4) == "8001000f 80020000 80020002 80030000"


def test_large_cids_follow_from_max_cid() -> None:
    assert FULL.large_cids
    assert not RohcParameters(max_cid=15).large_cids
    assert RohcParameters(max_cid=16).large_cids


@settings(deadline=None)
@given(
    max_cid=st.integers(0, 16383),
    profiles=st.lists(st.integers(0, 255), min_size=1, max_size=6, unique=True),
    version=st.sampled_from([0, 1]),
    integrity=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=4),
    icv_bytes=st.none() | st.integers(0, 32),
    mrru=st.integers(0, 0xFFFF),
)
def test_parameters_come_back(
    max_cid: int,
    profiles: list[int],
    version: int,
    integrity: list[int],
    icv_bytes: int | None,
    mrru: int,
) -> None:
    parameters = RohcParameters(
        max_cid=max_cid,
        profiles=tuple(version << 8 | one for one in profiles),
        integrity=tuple(integrity),
        icv_bytes=icv_bytes,
        mrru=mrru,
    )
    assert RohcParameters.decode(parameters.encode()) == parameters


def test_unknown_attributes_are_ignored_in_either_format() -> None:
    short, long = bytes.fromhex("80630001"), bytes.fromhex("00630003aabbcc")
    assert RohcParameters.decode(short + FULL.encode() + long) == FULL


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "nothing"),
        ("8001", "cut short"),
        ("8002000080030000", "no MAX_CID"),
        ("8001000f8001000f8002000080030000", "two MAX_CID"),
        ("8001000f80030000", "no profile"),
        ("8001000f80020002", "no integrity"),
        ("8001000f80020002800201028003000c", "two versions of one profile"),
        ("8001ffff8002000080030000", "MAX_CID too large"),
        ("8001000f8002000080030000800400048004 0004", "two ICV lengths"),
        ("8001000f80020000800300008005000180050001", "two MRRU"),
        ("00010002000f8002000080030000", "MAX_CID in the long format"),
        ("8001000f800200008003000000630009aa", "a long attribute cut short"),
    ],
)
def test_what_is_no_valid_set_of_attributes_is_malformed(data: str, why: str) -> None:
    with pytest.raises(MalformedMessage):
        RohcParameters.decode(bytes.fromhex(data))
    assert why


@settings(deadline=None)
@given(data=st.binary(max_size=40))
def test_random_octets_raise_nothing_but_malformed_message(data: bytes) -> None:
    for prefix in (b"", RohcParameters().encode()):
        try:
            assert RohcParameters.decode(prefix + data).profiles
        except MalformedMessage as error:
            assert str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"max_cid": -1},
        {"max_cid": 16384},
        {"profiles": ()},
        {"profiles": (0x0002, 0x0102)},
        {"profiles": (0x10000,)},
        {"integrity": ()},
        {"integrity": (-1,)},
        {"icv_bytes": -1},
        {"mrru": 0x10000},
    ],
)
def test_parameters_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        RohcParameters(**options)


# --- the ICV -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INTEGRITY_TRANSFORMS)
def test_the_icv_is_the_first_octets_of_the_transform(name: str) -> None:
    key = bytes(range(rohc_key_bytes(name)))
    whole = integrity_function(name, key)(b"packet")
    assert RohcIcv(key=key, integrity=name).compute(b"packet") == whole
    for size in range(1, len(whole) + 1):
        icv = RohcIcv(key=key, integrity=name, icv_bytes=size)
        assert icv.size == size
        assert icv.compute(b"packet") == whole[:size]
    for size in (0, -1, len(whole) + 1):
        with pytest.raises(InvalidParameter):
            RohcIcv(key=key, integrity=name, icv_bytes=size)
    with pytest.raises(InvalidParameter):
        RohcIcv(key=key + b"x", integrity=name)


def test_an_unknown_transform_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidParameter) as caught:
        RohcIcv(key=bytes(16), integrity="crc-32")
    assert "aes-cmac-96" in caught.value.hint


def test_the_icv_key_never_shows() -> None:
    icv = RohcIcv(key=b"CANARY-CANARY-16", integrity="aes-cmac-96")
    assert "CANARY" not in repr(icv)
    assert icv.key.hex() not in str(icv)
