"""tshark as a judge: it decrypts our packets with an esp_sa table and checks each ICV."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from esp import SUITES, Mode, OutboundAssociation, Suite
from esp.checksum import internet_checksum
from esp.datagram import OuterHeader, protect_packet

pytestmark = pytest.mark.peer

OUTER = {
    4: OuterHeader(source=ip_address("192.0.2.1"), destination=ip_address("192.0.2.2")),
    6: OuterHeader(source=ip_address("2001:db8::1"), destination=ip_address("2001:db8::2")),
}
# Wireshark's words in esp_sa; what its version 4.0 has no word for can't be judged by it.
ENCRYPTION = {
    "aes-gcm-16": "AES-GCM with 16 octet ICV [RFC4106]",
    "aes-gcm-12": "AES-GCM with 12 octet ICV [RFC4106]",
    "aes-gcm-8": "AES-GCM with 8 octet ICV [RFC4106]",
    "aes-cbc": "AES-CBC [RFC3602]",
    "aes-ctr": "AES-CTR [RFC3686]",
    "null": "NULL",
}
INTEGRITY = {
    "none": "NULL",
    "hmac-sha1-96": "HMAC-SHA-1-96 [RFC2404]",
    "hmac-sha2-256-128": "HMAC-SHA-256-128 [RFC4868]",
    "hmac-sha2-384-192": "HMAC-SHA-384-192 [RFC4868]",
    "hmac-sha2-512-256": "HMAC-SHA-512-256 [RFC4868]",
}
PACKETS = 20
SUITES_OF_TSHARK = [
    name
    for name, row in SUITES.items()
    if row.encryption in ENCRYPTION and row.integrity in INTEGRITY
]


@pytest.fixture(scope="module")
def tshark() -> str:
    path = shutil.which("tshark")
    if path is None:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("tshark is not installed")
        pytest.skip("tshark is not installed")
    return path


def pcap(path: Path, packets: list[bytes]) -> None:
    """A classic pcap of raw IP packets (LINKTYPE_RAW)."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number, packet in enumerate(packets):
            file.write(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)


def inner(number: int) -> bytes:
    """A UDP packet on a port that no dissector claims."""
    payload = b"reading %3d" % number
    head = b"\x45\0" + (28 + len(payload)).to_bytes(2, "big") + b"\0\1\x40\0\x40\x11\0\0"
    head += ip_address("10.0.0.1").packed + ip_address("10.0.0.2").packed
    head = head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:]
    return head + b"\xe0\0\xe0\1" + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload


def judge(tshark: str, folder: Path, packets: list[bytes], table: list[str]) -> list[list[str]]:
    """One line per packet: SPI, ICV good, ICV bad, UDP payload in hex."""
    config = folder / "config" / "wireshark"
    config.mkdir(parents=True)
    (config / "esp_sa").write_text("\n".join(table) + "\n")
    pcap(folder / "packets.pcap", packets)
    fields = ("esp.spi", "esp.icv_good", "esp.icv_bad", "udp.payload")
    command = [tshark, "-r", str(folder / "packets.pcap"), "-T", "fields", "-E", "separator=;"]
    command += ["-o", "esp.enable_encryption_decode:TRUE"]
    command += ["-o", "esp.enable_authentication_check:TRUE"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder)},
    )
    return [line.split(";") for line in done.stdout.splitlines()]


def keys_of(row: Suite, seed: int) -> dict[str, bytes]:
    return {
        "key": bytes((n * 7 + seed) % 256 for n in range(row.key_bytes)),
        "salt": bytes((n * 5 + seed) % 256 for n in range(row.salt_bytes)),
        "integrity_key": bytes((n * 3 + seed) % 256 for n in range(row.integrity_key_bytes)),
    }


def table_row(row: Suite, spi: int, outer: int, keys: dict[str, bytes]) -> str:
    """One line of esp_sa."""
    encryption = ENCRYPTION[row.encryption]
    key = (keys["key"] + keys["salt"]).hex()
    integrity = INTEGRITY[row.integrity]
    cells = (
        f"IPv{outer}",
        "*",
        "*",
        f"0x{spi:08x}",
        encryption,
        f"0x{key}" if key else "",
        integrity,
        f"0x{keys['integrity_key'].hex()}" if keys["integrity_key"] else "",
    )
    return ",".join(f'"{cell}"' for cell in cells)


def test_tshark_finds_every_icv_good_and_every_payload(tshark: str, tmp_path: Path) -> None:
    packets, table, expected = [], [], []
    spi = 0x3000_0000
    for name in SUITES_OF_TSHARK:
        for mode in Mode:
            for outer, ports in ((4, None), (4, (4500, 4500)), (6, None)):
                if mode is Mode.TRANSPORT and outer == 6:
                    continue
                spi += 1
                row = SUITES[name]
                keys = keys_of(row, spi % 251)
                association = OutboundAssociation(spi, row, mode=mode, **keys)
                table.append(table_row(row, spi, outer, keys))
                header = replace(OUTER[outer], udp_ports=ports)
                for number in range(PACKETS):
                    packets.append(protect_packet(association, inner(number), header))
                    expected.append((f"0x{spi:08x}", (b"reading %3d" % number).hex()))
    lines = judge(tshark, tmp_path, packets, table)
    assert len(lines) == len(packets)
    for line, (wanted_spi, payload) in zip(lines, expected, strict=True):
        assert line[0] == wanted_spi
        assert line[1] in ("1", "True")
        assert line[2] in ("", "0", "False")
        assert line[3].split(",")[-1] == payload


def test_tshark_would_have_noticed_a_wrong_icv(tshark: str, tmp_path: Path) -> None:
    row = SUITES["aes-gcm-16-128"]
    keys = keys_of(row, 1)
    association = OutboundAssociation(0x3000_0000, row, mode=Mode.TUNNEL, **keys)
    packet = bytearray(protect_packet(association, inner(1), OUTER[4]))
    packet[-1] ^= 1
    lines = judge(tshark, tmp_path, [bytes(packet)], [table_row(row, 0x3000_0000, 4, keys)])
    assert lines[0][1] not in ("1", "True")
