"""Who may say what through an SA, and what happens to a packet on its way out."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import (
    Action,
    InboundAssociation,
    Mode,
    OutboundAssociation,
    PolicyEntry,
    SecurityPolicyDatabase,
    Selector,
    TrafficSelectors,
    suite,
)
from esp.checksum import internet_checksum
from esp.errors import InvalidParameter, MalformedInner, PacketRejected, Reason, WrongSelector
from esp.ip import upper_layer
from esp.selectors import selected_fields

GCM = suite("aes-gcm-16-128")
UE4, UE6 = ip_network("10.0.0.1/32"), ip_network("fd00::1/128")
UDP = b"\x16\x33\x16\x34\0\x0c\0\0data"


def ipv4(
    source: str = "10.0.0.1",
    destination: str = "10.0.0.2",
    protocol: int = 17,
    payload: bytes = UDP,
    *,
    place: int = 0,
) -> bytes:
    head = b"\x45\0" + (20 + len(payload)).to_bytes(2, "big") + b"\0\1" + place.to_bytes(2, "big")
    head += bytes((64, protocol, 0, 0)) + ip_address(source).packed + ip_address(destination).packed
    return head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:] + payload


def ipv6(
    source: str = "fd00::1",
    destination: str = "fd00::2",
    protocol: int = 17,
    payload: bytes = UDP,
) -> bytes:
    head = b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes((protocol, 64))
    return head + ip_address(source).packed + ip_address(destination).packed + payload


def ends(selectors: TrafficSelectors | None) -> tuple[OutboundAssociation, InboundAssociation]:
    return (
        OutboundAssociation(1000, GCM, bytes(16), bytes(4)),
        InboundAssociation(1000, GCM, bytes(16), bytes(4), selectors=selectors),
    )


MINE4 = TrafficSelectors([Selector(source=UE4)])
MINE6 = TrafficSelectors([Selector(source=UE6)])
BOTH = TrafficSelectors([Selector(source=UE4, protocol=17), Selector(source=UE6, protocol=17)])


@pytest.mark.parametrize("selectors", [MINE4, BOTH])
def test_an_ipv4_device_speaks_for_its_own_address_only(selectors: TrafficSelectors) -> None:
    outbound, inbound = ends(selectors)
    assert inbound.unprotect(outbound.protect(ipv4(), 4)).payload == ipv4()
    for forged in (ipv4("10.0.0.2"), ipv4("0.0.0.0"), ipv4("10.0.0.3", "10.0.0.1")):
        with pytest.raises(WrongSelector) as caught:
            inbound.unprotect(outbound.protect(forged, 4))
        assert caught.value.reason is Reason.WRONG_SELECTOR


@pytest.mark.parametrize("selectors", [MINE6, BOTH])
def test_an_ipv6_device_speaks_for_its_own_address_only(selectors: TrafficSelectors) -> None:
    outbound, inbound = ends(selectors)
    assert inbound.unprotect(outbound.protect(ipv6(), 41)).payload == ipv6()
    for forged in (ipv6("fd00::2"), ipv6("::"), ipv6("fd00::3", "fd00::1")):
        with pytest.raises(WrongSelector):
            inbound.unprotect(outbound.protect(forged, 41))


def test_the_other_ip_version_is_not_meant() -> None:
    outbound, inbound = ends(MINE4)
    with pytest.raises(WrongSelector):
        inbound.unprotect(outbound.protect(ipv6(), 41))
    outbound, inbound = ends(MINE6)
    with pytest.raises(WrongSelector):
        inbound.unprotect(outbound.protect(ipv4(), 4))


def test_another_address_passes_when_the_selector_is_switched_off() -> None:
    outbound, inbound = ends(None)
    assert inbound.unprotect(outbound.protect(ipv4("10.9.9.9"), 4)).payload == ipv4("10.9.9.9")


def test_a_refused_packet_has_used_its_number() -> None:
    outbound, inbound = ends(MINE4)
    packet = outbound.protect(ipv4("10.9.9.9"), 4)
    for reason in (Reason.WRONG_SELECTOR, Reason.REPLAYED):
        with pytest.raises(PacketRejected) as caught:
            inbound.unprotect(packet)
        assert caught.value.reason is reason


def test_selectors_need_a_tunnel() -> None:
    with pytest.raises(InvalidParameter):
        InboundAssociation(1000, GCM, bytes(16), bytes(4), Mode.TRANSPORT, selectors=MINE4)
    with pytest.raises(InvalidParameter):
        TrafficSelectors([])
    with pytest.raises(InvalidParameter):
        Selector(source=UE4, destination=UE6)


@pytest.mark.parametrize(
    ("selector", "packet", "expected"),
    [
        (Selector(), ipv4(), True),
        (Selector(), ipv6(), True),
        (Selector(source=ip_network("10.0.0.0/8")), ipv4(), True),
        (Selector(source=ip_network("10.0.0.0/8")), ipv4("11.0.0.1"), False),
        (Selector(source=ip_network("0.0.0.0/0")), ipv4("11.0.0.1"), True),
        (Selector(source=ip_network("0.0.0.0/0")), ipv6(), False),
        (Selector(destination=ip_network("fd00::/64")), ipv6(), True),
        (Selector(destination=ip_network("fd01::/64")), ipv6(), False),
        (Selector(protocol=17), ipv4(), True),
        (Selector(protocol=6), ipv4(), False),
        (Selector(source_ports=range(5683, 5684)), ipv4(), True),
        (Selector(source_ports=range(5683, 5684), destination_ports=range(0, 10)), ipv4(), False),
        (Selector(destination_ports=range(0, 65536)), ipv4(), True),
        (Selector(destination_ports=range(0, 65536)), ipv4(protocol=1), False),
        (Selector(destination_ports=range(0, 65536)), ipv4(payload=b"\1\2\3"), False),
        (Selector(destination_ports=range(0, 65536)), ipv4(place=0x2000), True),
        (Selector(destination_ports=range(0, 65536)), ipv4(place=0x2001), False),
        (Selector(protocol=17), ipv4(place=0x2001), True),
        (Selector(protocol=17), ipv6(protocol=60, payload=b"\x11\0" + bytes(6) + UDP), True),
        (
            Selector(source_ports=range(5683, 5684)),
            ipv6(protocol=44, payload=b"\x11\0\0\1" + bytes(4) + UDP),
            True,
        ),
        (
            Selector(source_ports=range(5683, 5684)),
            ipv6(protocol=44, payload=b"\x11\0\0\x08" + bytes(4) + UDP),
            False,
        ),
    ],
)
def test_selectors_match_what_they_name(selector: Selector, packet: bytes, expected: bool) -> None:
    assert selector.matches(selected_fields(packet)) is expected
    assert TrafficSelectors([selector]).matches(packet) is expected
    assert TrafficSelectors([Selector(protocol=254), selector]).matches(packet) is expected


def test_a_packet_without_ports_is_not_compared_with_every_port_there_is() -> None:
    """A range that is asked about None tries each of its members."""

    class Ports:
        def __contains__(self, port: object) -> bool:
            raise AssertionError("asked about a packet without ports")

    selector = Selector(destination_ports=Ports())  # type: ignore[arg-type]
    assert not selector.matches(selected_fields(ipv4(protocol=1)))


@settings(deadline=None)
@given(data=st.binary(max_size=80), head=st.sampled_from([b"", ipv4()[:20], ipv6()[:40]]))
def test_random_packets_raise_nothing_but_packet_rejected(data: bytes, head: bytes) -> None:
    for selectors in (MINE4, MINE6, BOTH):
        try:
            assert selectors.require(head + data) == head + data
        except PacketRejected as error:
            assert error.reason in (Reason.WRONG_SELECTOR, Reason.MALFORMED_INNER)


def test_an_extension_header_behind_a_later_fragment_is_not_followed() -> None:
    later = ipv6(protocol=44, payload=b"\x3c\0\0\x08" + bytes(4) + b"\xff\xff")
    assert upper_layer(later).later_fragment
    with pytest.raises(MalformedInner):
        upper_layer(ipv6(protocol=44, payload=b"\x3c\0\0\x01" + bytes(4) + b"\xff\xff"))


# --- the policy database --------------------------------------------------------------------------


def database(*entries: PolicyEntry[str]) -> SecurityPolicyDatabase[str]:
    return SecurityPolicyDatabase(entries)


COAP = PolicyEntry(
    selector=Selector(protocol=17, destination_ports=range(5684, 5685)),
    action=Action.PROTECT,
    target="tunnel",
)
PING: PolicyEntry[str] = PolicyEntry(selector=Selector(protocol=1), action=Action.BYPASS)
REST: PolicyEntry[str] = PolicyEntry(selector=Selector(), action=Action.DISCARD)


def test_the_first_entry_that_matches_decides() -> None:
    policies = database(COAP, PING, REST)
    assert policies.find(ipv4()) is COAP
    assert policies.find(ipv4(protocol=1)) is PING
    assert policies.find(ipv4(protocol=6)) is REST
    assert database(REST, COAP).find(ipv4()) is REST


def test_what_no_entry_names_is_discarded() -> None:
    assert database(COAP).find(ipv4(protocol=1)) is None
    assert database().find(ipv4()) is None


def test_entries_come_and_go() -> None:
    policies = database(COAP)
    policies.append(REST)
    assert len(policies) == 2
    policies.remove(COAP)
    assert policies.find(ipv4()) is REST
    with pytest.raises(InvalidParameter):
        policies.remove(COAP)


def test_protect_names_what_protects_and_nothing_else_does() -> None:
    wrong: list[dict[str, Any]] = [
        {"action": Action.PROTECT},
        {"action": Action.BYPASS, "target": "x"},
        {"action": Action.DISCARD, "target": "x"},
    ]
    for options in wrong:
        with pytest.raises(InvalidParameter):
            PolicyEntry(selector=Selector(), **options)


def test_what_is_no_ip_packet_is_malformed() -> None:
    with pytest.raises(MalformedInner):
        database(REST).find(b"\x45")
    with pytest.raises(MalformedInner):
        MINE4.require(b"")
