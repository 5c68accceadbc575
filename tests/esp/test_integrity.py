"""Integrity functions against the vectors of their RFCs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp.errors import InvalidParameter
from esp.integrity import integrity_function

TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
COUNTING = bytes(range(64))
CMAC_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
XCBC_KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("name", "key", "data", "expected"),
    [
        # RFC 4493 section 4, cut to 96 bits
        ("aes-cmac-96", CMAC_KEY, b"", "bb1d6929e95937287fa37d12"),
        ("aes-cmac-96", CMAC_KEY, TEXT[:16], "070a16b46b4d4144f79bdd9d"),
        ("aes-cmac-96", CMAC_KEY, TEXT[:40], "dfa66747de9ae63030ca3261"),
        ("aes-cmac-96", CMAC_KEY, TEXT, "51f0bebf7e3b9d92fc497417"),
        # RFC 3566 section 4.6
        ("aes-xcbc-96", XCBC_KEY, b"", "75f0251d528ac01c4573dfd5"),
        ("aes-xcbc-96", XCBC_KEY, COUNTING[:3], "5b376580ae2f19afe7219cee"),
        ("aes-xcbc-96", XCBC_KEY, COUNTING[:16], "d2a246fa349b68a79998a439"),
        # RFC 4231 test case 1, cut as RFC 4868 says
        (
            "hmac-sha2-256-128",
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b",
        ),
        (
            "hmac-sha2-384-192",
            b"\x0b" * 20,
            b"Hi There",
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6",
        ),
        (
            "hmac-sha2-512-256",
            b"\x0b" * 20,
            b"Hi There",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde",
        ),
        # RFC 2202 test case 1
        ("hmac-sha1-96", b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6"),
    ],
)
def test_published_values_come_out(name: str, key: bytes, data: bytes, expected: str) -> None:
    assert integrity_function(name, key)(data).hex() == expected


@settings(deadline=None)
@given(data=st.binary(max_size=70), other=st.binary(max_size=70))
def test_xcbc_tells_messages_apart_at_block_boundaries(data: bytes, other: bytes) -> None:
    icv = integrity_function("aes-xcbc-96", XCBC_KEY)
    assert (icv(data) == icv(other)) == (data == other)
    padded = (data + b"\x80").ljust(-(-(len(data) + 1) // 16) * 16, b"\0")
    assert icv(padded) != icv(data)


def test_a_name_that_no_code_makes_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        integrity_function("hmac-md5-96", bytes(16))
