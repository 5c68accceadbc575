"""scapy's IPsec as the other end: each opens what the other made."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from esp import SUITES, InboundAssociation, Mode, OutboundAssociation, Suite
from esp.checksum import internet_checksum, recompute_checksum
from esp.datagram import OuterHeader, protect_packet, unprotect_packet

pytestmark = pytest.mark.peer

SPI = 0x2000_0001
OUTER = {
    4: OuterHeader(source=ip_address("192.0.2.1"), destination=ip_address("192.0.2.2")),
    6: OuterHeader(source=ip_address("2001:db8::1"), destination=ip_address("2001:db8::2")),
}
# scapy's name of each construction; its GCM and CCM know the 16-octet ICV only.
ALGORITHMS = {
    "aes-gcm-16": "AES-GCM",
    "aes-ccm-16": "AES-CCM",
    "chacha20-poly1305": "CHACHA20-POLY1305",
    "aes-gmac-16": "AES-NULL-GMAC",
    "aes-cbc": "AES-CBC",
    "aes-ctr": "AES-CTR",
    "null": "NULL",
}
INTEGRITY = {
    "none": "NULL",
    "hmac-sha1-96": "HMAC-SHA1-96",
    "hmac-sha2-256-128": "SHA2-256-128",
    "hmac-sha2-384-192": "SHA2-384-192",
    "hmac-sha2-512-256": "SHA2-512-256",
    "aes-cmac-96": "AES-CMAC-96",
}
SUITES_OF_SCAPY = [
    name
    for name, row in SUITES.items()
    if row.encryption in ALGORITHMS and row.integrity in INTEGRITY
]


@pytest.fixture(scope="module")
def scapy() -> SimpleNamespace:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from scapy.layers import inet, inet6, ipsec
    except ImportError:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("scapy is not installed")
        pytest.skip("scapy is not installed")
    return SimpleNamespace(
        IP=inet.IP,
        UDP=inet.UDP,
        IPv6=inet6.IPv6,
        ESP=ipsec.ESP,
        SecurityAssociation=ipsec.SecurityAssociation,
    )


def keys_of(row: Suite) -> dict[str, bytes]:
    return {
        "key": bytes(range(row.key_bytes)),
        "salt": bytes(range(200, 200 + row.salt_bytes)),
        "integrity_key": bytes(range(100, 100 + row.integrity_key_bytes)),
    }


def peer(
    scapy: SimpleNamespace, row: Suite, mode: Mode, outer: int, *, udp: bool, esn: bool
) -> Any:
    """scapy's security association for the same keys."""
    keys = keys_of(row)
    header = None
    if mode is Mode.TUNNEL:
        ends = OUTER[outer]
        kind = scapy.IP if outer == 4 else scapy.IPv6
        header = kind(src=str(ends.source), dst=str(ends.destination))
    return scapy.SecurityAssociation(
        scapy.ESP,
        spi=SPI,
        seq_num=1,
        crypt_algo=ALGORITHMS[row.encryption],
        crypt_key=keys["key"] + keys["salt"],
        auth_algo=INTEGRITY[row.integrity],
        auth_key=keys["integrity_key"] or None,
        tunnel_header=header,
        nat_t_header=scapy.UDP(sport=4500, dport=4500, chksum=0) if udp else None,
        esn_en=esn,
        esn=0,
    )


def inner(version: int, size: int) -> bytes:
    """A UDP packet with right checksums."""
    payload = bytes(n % 251 for n in range(size))
    segment = b"\x16\x33\x16\x34" + (8 + size).to_bytes(2, "big") + b"\0\0" + payload
    if version == 4:
        head = b"\x45\0" + (28 + size).to_bytes(2, "big") + b"\0\1\x40\0\x40\x11\0\0"
        head += ip_address("10.0.0.1").packed + ip_address("10.0.0.2").packed
        head = head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:]
        return head + recompute_checksum(17, segment, head[12:16], head[16:20])
    head = b"\x60\0\0\0" + (8 + size).to_bytes(2, "big") + b"\x11\x40"
    head += ip_address("fd00::1").packed + ip_address("fd00::2").packed
    return head + recompute_checksum(17, segment, head[8:24], head[24:40])


CELLS = [
    pytest.param(mode, outer, version, udp, esn, id=f"{mode.value}-{outer}-{version}-{udp}-{esn}")
    for mode in Mode
    for outer in (4, 6)
    for version in (4, 6)
    for udp in (False, True)
    for esn in (False, True)
    if (mode is Mode.TUNNEL or outer == version) and not (udp and outer == 6)
]
SIZES = (1, 12, 13, 14, 15, 64)


@pytest.mark.parametrize("name", SUITES_OF_SCAPY)
@pytest.mark.parametrize(("mode", "outer", "version", "udp", "esn"), CELLS)
def test_scapy_opens_what_we_made(
    scapy: SimpleNamespace,
    name: str,
    mode: Mode,
    outer: int,
    version: int,
    udp: bool,
    esn: bool,
) -> None:
    row = SUITES[name]
    outbound = OutboundAssociation(SPI, row, mode=mode, esn=esn, **keys_of(row))
    theirs = peer(scapy, row, mode, outer, udp=udp, esn=esn)
    header = replace(OUTER[outer], udp_ports=(4500, 4500) if udp else None)
    kind = scapy.IP if outer == 4 else scapy.IPv6
    for size in SIZES:
        packet = inner(version, size)
        opened = theirs.decrypt(kind(protect_packet(outbound, packet, header)))
        assert bytes(opened) == packet


@pytest.mark.parametrize("name", SUITES_OF_SCAPY)
@pytest.mark.parametrize(("mode", "outer", "version", "udp", "esn"), CELLS)
def test_we_open_what_scapy_made(
    scapy: SimpleNamespace,
    name: str,
    mode: Mode,
    outer: int,
    version: int,
    udp: bool,
    esn: bool,
) -> None:
    row = SUITES[name]
    inbound = InboundAssociation(SPI, row, mode=mode, esn=esn, **keys_of(row))
    theirs = peer(scapy, row, mode, outer, udp=udp, esn=esn)
    kind = scapy.IP if version == 4 else scapy.IPv6
    for number, size in enumerate(SIZES, 1):
        packet = inner(version, size)
        made = theirs.encrypt(kind(packet))
        restored, opened = unprotect_packet(inbound, bytes(made))
        assert restored == packet
        assert opened.sequence == number
