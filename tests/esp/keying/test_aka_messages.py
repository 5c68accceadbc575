"""The messages of the exchange with AKA as octets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp.errors import InvalidParameter, KeyingRejected, MalformedMessage
from esp.keying import RohcChannel
from esp.keying.aka_messages import (
    AkaAcknowledgement,
    AkaChallenge,
    AkaConfirm,
    AkaRequest,
    Result,
)

CHANNEL = RohcChannel(mode="R", profiles=(0, 2, 0x104), integrity="hmac-sha1-96", icv_bytes=4)
CHANNEL_HEX = "000f0000" + "030204" + "0005" + "0010"
REQUEST = AkaRequest(
    ue_spi=0x0102_0304,
    ue_nonce=bytes(range(16)),
    proposals=(b"\x14\x10\x00\x01", b"\x14\x20\x00\x03"),
    rohc=CHANNEL,
    identity="ué",
)
PLAIN = replace(REQUEST, proposals=(b"\x14\x10\x00\x01",), rohc=None)
CHALLENGE = AkaChallenge(
    ue_spi=0x0102_0304,
    hse_spi=0x0506_0708,
    hse_nonce=b"n" * 16,
    rand=b"r" * 16,
    autn=b"a" * 16,
    proposal=b"\x14\x20\x00\x03",
    rohc=CHANNEL,
)
CONFIRM = AkaConfirm(hse_spi=0x0506_0708, result=Result.ANSWERED, body=b"m" * 16)

LAID_OUT = [
    (
        "request",
        REQUEST,
        "2101020304000102030405060708090a0b0c0d0e0f021410000114200003" + CHANNEL_HEX + "0375c3a9",
    ),
    ("without ROHC", PLAIN, "2101020304000102030405060708090a0b0c0d0e0f01141000010375c3a9"),
    (
        "challenge",
        CHALLENGE,
        "220102030405060708" + "6e" * 16 + "72" * 16 + "61" * 16 + "14200003" + CHANNEL_HEX,
    ),
    (
        "challenge without ROHC",
        replace(CHALLENGE, proposal=b"\x14\x10\x00\x01", rohc=None),
        "220102030405060708" + "6e" * 16 + "72" * 16 + "61" * 16 + "14100001",
    ),
    ("confirm", CONFIRM, "230506070801" + "6d" * 16),
    (
        "confirm with request",
        replace(CONFIRM, request=b"the request"),
        "230506070881" + "6d" * 16 + b"the request".hex(),
    ),
    (
        "synchronisation failure",
        AkaConfirm(hse_spi=256, result=Result.SYNCHRONISATION_FAILURE, body=b"s" * 14),
        "230000010002" + "73" * 14,
    ),
    (
        "challenge refused",
        AkaConfirm(hse_spi=256, result=Result.CHALLENGE_REFUSED),
        "230000010003",
    ),
    (
        "USIM unavailable",
        AkaConfirm(hse_spi=256, result=Result.USIM_UNAVAILABLE),
        "230000010004",
    ),
    (
        "acknowledgement",
        AkaAcknowledgement(ue_spi=0x0102_0304, mac=b"k" * 16),
        "2401020304" + "6b" * 16,
    ),
]


@pytest.mark.parametrize(("name", "message", "octets"), LAID_OUT, ids=[row[0] for row in LAID_OUT])
def test_messages_are_laid_out_as_documented(name: str, message: AkaRequest, octets: str) -> None:
    assert message.encode().hex() == octets
    assert type(message).decode(bytes.fromhex(octets)) == message


@pytest.mark.parametrize("row", LAID_OUT, ids=[row[0] for row in LAID_OUT])
def test_cut_short_anywhere_or_of_another_type_a_message_is_malformed(
    row: tuple[str, AkaRequest, str],
) -> None:
    name, message, octets = row
    kind, data = type(message), bytes.fromhex(octets)
    for size in range(len(data)):
        if name == "confirm with request" and size > 22:
            continue  # what is left of the request is the request's to judge
        with pytest.raises(MalformedMessage):
            kind.decode(data[:size])
    if name != "confirm with request":
        with pytest.raises(MalformedMessage):
            kind.decode(data + b"\0")
    for first in set(range(256)) - {data[0]}:
        with pytest.raises(MalformedMessage):
            kind.decode(bytes((first,)) + data[1:])


NONCES = st.binary(min_size=16, max_size=16)
SPIS = st.integers(256, 0xFFFF_FFFF)
PROPOSALS = st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=16).map(tuple)
IDENTITIES = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=32
)
CHANNELS = st.builds(
    RohcChannel,
    max_cid=st.integers(0, 16383),
    mrru=st.integers(0, 0xFFFF),
    mode=st.sampled_from("UOR"),
    profiles=st.sets(st.integers(0, 15), min_size=1).flatmap(
        lambda low: st.sets(st.sampled_from(sorted(low))).map(
            lambda second: tuple(sorted({one | 0x100 * (one in second) for one in low}))
        )
    ),
    integrity=st.just("hmac-sha2-512-256"),
    icv_bytes=st.none() | st.integers(1, 32),
) | st.builds(RohcChannel, mode=st.sampled_from("UOR"), integrity=st.none())


def has_rohc(proposals: tuple[bytes, ...]) -> bool:
    return any(one[3] & 2 for one in proposals)


@settings(deadline=None)
@given(spi=SPIS, nonce=NONCES, proposals=PROPOSALS, identity=IDENTITIES, channel=CHANNELS)
def test_requests_come_back(
    spi: int, nonce: bytes, proposals: tuple[bytes, ...], identity: str, channel: RohcChannel
) -> None:
    request = AkaRequest(
        ue_spi=spi,
        ue_nonce=nonce,
        proposals=proposals,
        rohc=channel if has_rohc(proposals) else None,
        identity=identity,
    )
    assert AkaRequest.decode(request.encode()) == request


@settings(deadline=None)
@given(ue=SPIS, hse=SPIS, octets=st.lists(NONCES, min_size=3, max_size=3), channel=CHANNELS)
def test_challenges_come_back(ue: int, hse: int, octets: list[bytes], channel: RohcChannel) -> None:
    for proposal, rohc in ((b"\x14\x10\x00\x03", channel), (b"\x14\x10\x00\x05", None)):
        challenge = AkaChallenge(
            ue_spi=ue,
            hse_spi=hse,
            hse_nonce=octets[0],
            rand=octets[1],
            autn=octets[2],
            proposal=proposal,
            rohc=rohc,
        )
        assert AkaChallenge.decode(challenge.encode()) == challenge


@settings(deadline=None)
@given(spi=SPIS, result=st.sampled_from(Result), body=NONCES, request=st.binary(max_size=60))
def test_confirms_come_back(spi: int, result: Result, body: bytes, request: bytes) -> None:
    size = {Result.ANSWERED: 16, Result.SYNCHRONISATION_FAILURE: 14}.get(result, 0)
    confirm = AkaConfirm(hse_spi=spi, result=result, body=body[:size], request=request)
    assert AkaConfirm.decode(confirm.encode()) == confirm
    assert confirm.alone == AkaConfirm(hse_spi=spi, result=result, body=body[:size])
    assert confirm.alone.encode()[:6] == confirm.head == confirm.alone.head


@settings(deadline=None)
@given(data=st.binary(max_size=140), first=st.sampled_from([b"", b"\x21", b"\x22", b"\x23"]))
def test_random_octets_raise_nothing_but_keying_rejected(data: bytes, first: bytes) -> None:
    for kind in (AkaRequest, AkaChallenge, AkaConfirm, AkaAcknowledgement):
        try:
            kind.decode(first + data)
        except KeyingRejected as error:
            assert isinstance(error, MalformedMessage)


def changed(data: bytes, at: int, octets: bytes) -> bytes:
    return data[:at] + octets + data[at + len(octets) :]


@pytest.mark.parametrize(
    ("decode", "data", "why"),
    [
        (AkaRequest.decode, changed(PLAIN.encode(), 1, b"\0\0\0\xff"), "the SPI is reserved"),
        (AkaRequest.decode, PLAIN.encode()[:21] + b"\0\1x", "no proposals"),
        (AkaRequest.decode, PLAIN.encode()[:21] + b"\x11" + bytes(68) + b"\1x", "17 proposals"),
        (AkaRequest.decode, PLAIN.encode()[:26] + b"\x81" + b"x" * 129, "identity too long"),
        (AkaRequest.decode, PLAIN.encode()[:26] + b"\0", "no identity"),
        (AkaRequest.decode, PLAIN.encode()[:26] + b"\1\n", "an identity that can't be printed"),
        (AkaRequest.decode, PLAIN.encode()[:26] + b"\1\xff", "an identity that is no UTF-8"),
        (AkaRequest.decode, changed(REQUEST.encode(), 34, b"\0"), "mode 0"),
        (AkaRequest.decode, changed(REQUEST.encode(), 34, b"\4"), "mode 4"),
        (AkaRequest.decode, changed(REQUEST.encode(), 35, b"\x63"), "an unknown transform"),
        (AkaRequest.decode, changed(REQUEST.encode(), 35, b"\0"), "an ICV without transform"),
        (AkaRequest.decode, changed(REQUEST.encode(), 37, bytes(4)), "no profile"),
        (AkaRequest.decode, changed(REQUEST.encode(), 37, b"\0\4\0\4"), "a profile twice"),
        (AkaRequest.decode, changed(REQUEST.encode(), 30, b"\x40\0"), "MAX_CID 16384"),
        (AkaChallenge.decode, changed(CHALLENGE.encode(), 5, b"\0\0\0\xff"), "a reserved SPI"),
        (AkaConfirm.decode, changed(CONFIRM.encode(), 1, b"\0\0\0\xff"), "a reserved SPI"),
        (AkaConfirm.decode, b"\x23\0\0\1\0\0", "result 0"),
        (AkaConfirm.decode, b"\x23\0\0\1\0\5", "result 5"),
        (AkaConfirm.decode, b"\x23\0\0\1\0\x83", "promises a request"),
    ],
)
def test_impossible_fields_are_malformed(
    decode: Callable[[bytes], object], data: bytes, why: str
) -> None:
    with pytest.raises(MalformedMessage):
        decode(data)
    assert why


@pytest.mark.parametrize("identity", ["", "x" * 129, "line\nbreak", "\ud800"])
def test_an_identity_that_cannot_be_sent_is_refused(identity: str) -> None:
    with pytest.raises(InvalidParameter):
        replace(PLAIN, identity=identity).encode()


def test_no_message_shows_identity_challenge_or_code() -> None:
    text = f"{REQUEST!r} {CHALLENGE!r} {CONFIRM!r} {AkaAcknowledgement(ue_spi=256, mac=b'k' * 16)}"
    for secret in ("ué", "rrrr", "aaaa", "mmmm", "kkkk"):
        assert secret not in text
