"""CoAP messages and LwM2M values, octet by octet."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.coap import (
    Code,
    ContentFormat,
    OptionNumber,
    Type,
    cbor,
    coap_header_bytes,
    coap_message,
    tlv,
    uint,
)


def test_a_notification_is_written_as_a_leshan_server_gets_it() -> None:
    message = coap_message(
        Type.NON,
        Code.CONTENT,
        0x1566,
        bytes.fromhex("d159"),
        [(OptionNumber.OBSERVE, uint(307)), (OptionNumber.CONTENT_FORMAT, uint(ContentFormat.TLV))],
        tlv(5700, 37.45),
    )
    assert (
        message.hex() == "52451566d159620133622d16ffe816440840" + struct.pack("!d", 37.45)[1:].hex()
    )


@pytest.mark.parametrize(
    ("number", "octets"), [(0, ""), (1, "01"), (255, "ff"), (256, "0100"), (0xFFFFFF, "ffffff")]
)
def test_an_options_number_takes_as_few_octets_as_it_can(number: int, octets: str) -> None:
    assert uint(number).hex() == octets


@pytest.mark.parametrize(
    ("options", "octets"),
    [
        ([(1, b"")], "10"),
        ([(12, b"a")], "c161"),
        ([(13, b"a")], "d10061"),
        ([(268, b"a")], "d1ff61"),
        ([(269, b"a")], "e1000061"),
        ([(1000, b"a")], "e102db61"),
        ([(1, b"a" * 13)], "1d00" + "61" * 13),
        ([(1, b"a" * 269)], "1e0000" + "61" * 269),
        ([(11, b"rd"), (11, b"x")], "b272640178"),
    ],
)
def test_options_are_written_as_deltas_with_their_extensions(
    options: list[tuple[int, bytes]], octets: str
) -> None:
    assert coap_message(Type.CON, Code.GET, 1, options=options).hex() == "40010001" + octets


def test_an_empty_acknowledgement_has_four_octets() -> None:
    assert coap_message(Type.ACK, Code.EMPTY, 0xABCD).hex() == "6000abcd"


@pytest.mark.parametrize(
    ("resource", "value", "octets"),
    [
        (9, 93, "c1095d"),
        (9, -1, "c109ff"),
        (9, 200, "c20900c8"),
        (9, 70_000, "c40900011170"),
        (9, 1 << 40, "c809080000010000000000"),
        (5700, 1, "e1164401"),
        (5700, 1.0, "e81644083ff0000000000000"),
        (255, 1, "c1ff01"),
        (256, 1, "e1010001"),
    ],
)
def test_a_resource_is_written_in_tlv(resource: int, value: float, octets: str) -> None:
    assert tlv(resource, value).hex() == octets


def test_a_float_is_written_in_cbor() -> None:
    assert cbor(37.6).hex() == "fb4042cccccccccccd"


# -- what of a message is CoAP's -------------------------------------------------------------------

PAYLOAD = b"\x01payload"
HEADERS = [
    ("header and token", coap_message(Type.NON, Code.CONTENT, 7, b"ab"), b""),
    (
        "payload after the marker",
        coap_message(Type.NON, Code.CONTENT, 7, b"ab", [], PAYLOAD),
        PAYLOAD,
    ),
    (
        "short options",
        coap_message(Type.CON, Code.POST, 1, b"", [(11, b"rd"), (11, b"abc")], PAYLOAD),
        PAYLOAD,
    ),
    (
        "extended deltas and lengths",
        coap_message(Type.CON, Code.POST, 1, b"t", [(20, b"x" * 13), (400, b"y" * 300)], PAYLOAD),
        PAYLOAD,
    ),
    ("an empty message", coap_message(Type.ACK, Code.EMPTY, 9), b""),
]


@pytest.mark.parametrize(
    ("message", "payload"), [row[1:] for row in HEADERS], ids=[r[0] for r in HEADERS]
)
def test_coaps_own_octets_end_where_the_payload_begins(message: bytes, payload: bytes) -> None:
    assert coap_header_bytes(message) == len(message) - len(payload)


NO_COAP = [
    ("nothing", b""),
    ("three octets", b"\x40\x01\x00"),
    ("another version", b"\x80\x45\x00\x01"),
    ("a token of nine octets", b"\x49\x45\x00\x01" + bytes(9)),
    ("a token that is cut off", b"\x44\x45\x00\x01ab"),
    ("a reserved code class", b"\x40\x25\x00\x01"),
    ("a marker and no payload", b"\x40\x45\x00\x01\xff"),
    ("a reserved option length", b"\x40\x45\x00\x01\x1f"),
    ("an option that is cut off", b"\x40\x45\x00\x01\x15ab"),
    ("an extension that is cut off", b"\x40\x45\x00\x01\xd0"),
]


@pytest.mark.parametrize("message", [row[1] for row in NO_COAP], ids=[row[0] for row in NO_COAP])
def test_what_is_no_whole_coap_message_has_no_octets_of_coap(message: bytes) -> None:
    assert coap_header_bytes(message) == 0


@given(st.binary(max_size=80))
def test_any_octets_are_divided_without_an_error(message: bytes) -> None:
    assert 0 <= coap_header_bytes(message) <= len(message)
