"""CoAP messages and LwM2M values, octet by octet."""

import struct

import pytest

from testbed.traffic.coap import (
    Code,
    ContentFormat,
    OptionNumber,
    Type,
    cbor,
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
