"""The messages of the hello as octets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import SUITES, Mode, suite
from esp.errors import InvalidParameter, KeyingRejected, MalformedMessage, Reason
from esp.keying import Offer
from esp.keying.messages import Notice, Request, Response

SPIS = st.integers(256, 0xFFFF_FFFF)
NONCES = st.binary(min_size=16, max_size=16)
PROPOSALS = st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=16).map(tuple)
IDENTITIES = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=32
)
MAC = bytes(range(16))
REQUEST = Request(
    ue_spi=0x0102_0304,
    ue_nonce=bytes(range(16)),
    proposals=(b"\x14\x10\x00\x01", b"\x14\x20\x00\x03"),
    identity="ué",
)
RESPONSE = Response(
    ue_spi=0x0102_0304, hse_spi=0x0506_0708, hse_nonce=bytes(16), proposal=b"\x14\x10\x00\x01"
)


def test_a_request_is_laid_out_as_documented() -> None:
    assert REQUEST.encode().hex() == (
        "1101020304000102030405060708090a0b0c0d0e0f0214100001142000030375c3a9"
    )


def test_a_response_is_laid_out_as_documented() -> None:
    assert RESPONSE.encode().hex() == "120102030405060708" + "00" * 16 + "14100001"


def test_a_notice_is_laid_out_as_documented() -> None:
    notice = Notice(ue_spi=0x0102_0304, nonce_tag=b"abcd", reason=Reason.OFFER_REFUSED)
    assert notice.encode().hex() == "1f010203046162636403"
    assert Notice.decode(notice.encode()) == notice


@settings(deadline=None)
@given(spi=SPIS, nonce=NONCES, proposals=PROPOSALS, identity=IDENTITIES)
def test_requests_come_back(
    spi: int, nonce: bytes, proposals: tuple[bytes, ...], identity: str
) -> None:
    request = Request(ue_spi=spi, ue_nonce=nonce, proposals=proposals, identity=identity)
    data = request.encode()
    assert Request.decode(data + MAC) == (request, data, MAC)


@settings(deadline=None)
@given(ue_spi=SPIS, hse_spi=SPIS, nonce=NONCES, proposal=st.binary(min_size=4, max_size=4))
def test_responses_come_back(ue_spi: int, hse_spi: int, nonce: bytes, proposal: bytes) -> None:
    response = Response(ue_spi=ue_spi, hse_spi=hse_spi, hse_nonce=nonce, proposal=proposal)
    data = response.encode()
    assert Response.decode(data + MAC) == (response, data, MAC)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Request, REQUEST.encode() + MAC),
        (Response, RESPONSE.encode() + MAC),
        (Notice, Notice(ue_spi=300, nonce_tag=b"abcd", reason=Reason.BUSY).encode()),
    ],
)
def test_cut_short_anywhere_or_with_octets_behind_a_message_is_malformed(
    kind: type[Request] | type[Response] | type[Notice], data: bytes
) -> None:
    kind.decode(data)
    for size in range(len(data)):
        with pytest.raises(MalformedMessage):
            kind.decode(data[:size])
    with pytest.raises(MalformedMessage):
        kind.decode(data + b"\0")
    for first in set(range(256)) - {data[0]}:
        with pytest.raises(MalformedMessage):
            kind.decode(bytes((first,)) + data[1:])


@settings(deadline=None)
@given(data=st.binary(max_size=120), first=st.sampled_from([b"", b"\x11", b"\x12", b"\x1f"]))
def test_random_octets_raise_nothing_but_keying_rejected(data: bytes, first: bytes) -> None:
    for kind in (Request, Response, Notice):
        try:
            kind.decode(first + data)
        except KeyingRejected as error:
            assert error.reason in Reason


@pytest.mark.parametrize(
    ("altered", "why"),
    [
        (REQUEST.encode().replace(b"u\xc3\xa9", b"u\xc3\x28"), "the identity is not UTF-8"),
        (REQUEST.encode().replace(b"u\xc3\xa9", b"u\x00\n"), "the identity is not printable"),
        (REQUEST.encode()[:-4] + b"\0", "the identity is empty"),
        (REQUEST.encode()[:1] + b"\0\0\0\xff" + REQUEST.encode()[5:], "the SPI is reserved"),
        (REQUEST.encode()[:21] + b"\0\1x", "no proposals"),
        (REQUEST.encode()[:21] + b"\x11" + bytes(68) + b"\1x", "17 proposals"),
        (REQUEST.encode()[:30] + b"\x81" + b"x" * 129, "129 octets of identity"),
    ],
)
def test_requests_with_impossible_fields_are_malformed(altered: bytes, why: str) -> None:
    with pytest.raises(MalformedMessage):
        Request.decode(altered + MAC)
    assert why


def test_a_response_with_a_reserved_spi_is_malformed() -> None:
    data = RESPONSE.encode()
    with pytest.raises(MalformedMessage):
        Response.decode(data[:5] + b"\0\0\0\xff" + data[9:] + MAC)


def test_a_notice_with_an_unknown_code_is_malformed() -> None:
    for code in (0, 7, 255):
        with pytest.raises(MalformedMessage):
            Notice.decode(b"\x1f" + bytes(8) + bytes((code,)))


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize(
    ("mode", "compression"),
    [(Mode.TRANSPORT, False), (Mode.TUNNEL, False), (Mode.TUNNEL, True)],
)
@pytest.mark.parametrize("esn", [False, True])
def test_offers_come_back_from_four_octets(
    name: str, mode: Mode, compression: bool, esn: bool
) -> None:
    offer = Offer(suite=SUITES[name], mode=mode, compression=compression, esn=esn)
    assert len(offer.encode()) == 4
    assert Offer.decode(offer.encode()) == offer


def test_every_suite_has_a_wire_number_of_its_own() -> None:
    assert len({row.wire_id for row in SUITES.values()}) == len(SUITES)


@pytest.mark.parametrize(
    "proposal",
    [
        b"\0\0\0\1",
        b"\x14\x11\0\1",
        b"\x14\x10\1\1",
        b"\x14\x10\0\x02",
        b"\x14\x10\0\x06",
        b"\x14\x10\0\x09",
    ],
)
def test_an_offer_that_is_not_known_here_is_none(proposal: bytes) -> None:
    assert Offer.decode(proposal) is None


def test_rohc_and_transport_mode_together_are_refused_with_the_reason() -> None:
    with pytest.raises(InvalidParameter, match="RFC 5856"):
        Offer(suite=suite("aes-gcm-16-128"), mode=Mode.TRANSPORT, compression=True)
