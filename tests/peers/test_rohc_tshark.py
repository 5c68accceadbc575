"""tshark dissects the ROHC frames that ``testbed rohc compress`` writes, as ``explain`` does."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rohc
from testbed.packets import build_udp_packet
from testbed.results.pcapng import LinkType, PcapngWriter

pytestmark = pytest.mark.peer

THERMOSTAT = Path(__file__).parents[1] / "data" / "traffic" / "thermostat.pcapng"
RTP_PORT = 5004


@pytest.fixture(scope="module")
def tshark() -> str:
    found = shutil.which("tshark")
    if found is None:
        reason = "tshark is not installed"
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def command(*arguments: str) -> Any:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from testbed.cli import main; main()",
            "rohc",
            *arguments,
            "--json",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def fields(tshark: str, capture: Path, *names: str) -> list[list[str]]:
    options = [word for name in names for word in ("-e", name)]
    done = subprocess.run(
        [tshark, "-r", str(capture), "-T", "fields", *options],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def rtp(number: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, 1000 + number, 160 * number, 0xDEADBEEF) + bytes(20)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three flows: UDP over IPv4, RTP over IPv4, RTP over IPv6."""
    path = tmp_path / "mixed.pcapng"
    with PcapngWriter(path) as writer:
        interface = writer.add_interface("lab", link_type=LinkType.RAW)
        for number in range(8):
            four = ("192.0.2.1", "198.51.100.7", 40_000)
            for packet in (
                build_udp_packet(*four, 5683, bytes(9), identification=700 + number, hop_limit=61),
                build_udp_packet(*four, RTP_PORT, rtp(number), identification=800 + number),
                build_udp_packet("2001:db8::1", "2001:db8::2", 40_002, RTP_PORT, rtp(number)),
            ):
                writer.write_packet(interface, packet, (writer.packets + 1) * 10_000_000)
    return path


def first_packets(capture: Path) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """The IR packets of a capture as `explain` names them: index, packet, fields by name."""
    for index, packet in enumerate(command("explain", str(capture))["packets"]):
        if packet["packet_type"] == "IR":
            yield index, packet, {one["name"]: one for one in packet["fields"]}


@pytest.mark.parametrize("mode", ["U", "O", "R"])
def test_every_frame_is_rohc_and_none_is_malformed(
    tshark: str, tmp_path: Path, mixed: Path, mode: str
) -> None:
    for source in (THERMOSTAT, mixed):
        out = tmp_path / f"{source.stem}-{mode}-out.pcapng"
        ports = ("--rtp-port", str(RTP_PORT))
        command("compress", str(source), str(out), "--mode", mode, *ports)
        found = fields(tshark, out, "frame.protocols", "_ws.malformed")
        assert len(found) in (24, 300)
        assert all(protocols.startswith("eth:ethertype:rohc") for protocols, _ in found)
        told = command("explain", str(out))["packets"]
        for packet, (_, malformed) in zip(told, found, strict=True):
            # tshark 4.0 does not dissect extension 3 but in profile 0x0001, and reads past its end.
            if packet["packet_type"] != "UOR-2-EXT-3" or packet["profile"] == rohc.Profile.RTP:
                assert not malformed, packet["octets"]


def test_ir_packets_say_to_tshark_what_they_say_to_explain(
    tshark: str, tmp_path: Path, mixed: Path
) -> None:
    out = tmp_path / "out.pcapng"
    command("compress", str(mixed), str(out), "--rtp-port", str(RTP_PORT))
    names = ("rohc.small_cid", "rohc.profile", "rohc.crc", "rohc.udp_src_port")
    names += ("rohc.udp_dst_port", "rohc.ip.version", "rohc.ipv4_src", "rohc.ipv6.src")
    theirs = fields(tshark, out, *names)
    cids = set()
    for index, packet, named in first_packets(out):
        cid, profile, crc, source, destination, version, ipv4, ipv6 = theirs[index]
        # tshark writes the profile in decimal, the CRC in hex.
        assert (int(cid or "0"), int(profile, 0)) == (packet["cid"], packet["profile"])
        assert int(crc, 0) == named["CRC"]["value"]
        assert named["CRC"]["note"] == "good"
        assert int(source) == named["Source Port"]["value"]
        assert int(destination) == named["Destination Port"]["value"]
        assert int(version, 0) == named["Version"]["value"]
        assert (ipv4 or ipv6) == named["Source Address"]["note"]
        cids.add(packet["cid"])
    assert cids == {0, 1, 2}


def test_dynamic_chains_over_ipv4_say_to_tshark_what_they_say_to_explain(
    tshark: str, tmp_path: Path, mixed: Path
) -> None:
    out = tmp_path / "out.pcapng"
    command("compress", str(mixed), str(out), "--rtp-port", str(RTP_PORT))
    names = ("rohc.rtp.ttl", "rohc.rtp.id", "rohc.rtp.df", "rohc.rtp.rnd", "rohc.rtp.nbo")
    names += ("rohc.dynamic.udp.checksum", "rohc.rtp.ssrc", "rohc.rtp.sn")
    theirs = fields(tshark, out, *names)
    compared = set()
    for index, packet, named in first_packets(out):
        if "Identification" not in named:
            continue
        ttl, identification, df, rnd, nbo, checksum, ssrc, sn = theirs[index]
        assert int(ttl) == named["Time to Live"]["value"]
        assert int(identification, 0) == named["Identification"]["value"]
        flags = [int(flag in ("1", "True")) for flag in (df, rnd, nbo)]
        assert flags == [named[name]["value"] for name in ("DF", "RND", "NBO")]
        if packet["profile"] == rohc.Profile.RTP:
            assert int(ssrc, 0) == named["SSRC"]["value"] == 0xDEADBEEF
            assert int(sn) == 1000 + index // 3
        else:
            assert int(checksum, 0) == named["Checksum"]["value"]
        compared.add(packet["profile"])
    assert compared == {1, 2}


def test_a_wrong_ethertype_is_no_rohc_to_tshark(tshark: str, tmp_path: Path) -> None:
    out, other = tmp_path / "out.pcapng", tmp_path / "other.pcapng"
    command("compress", str(THERMOSTAT), str(out))
    other.write_bytes(out.read_bytes().replace(b"\x22\xf1", b"\x22\xf3"))
    assert not any("rohc" in found for (found,) in fields(tshark, other, "frame.protocols"))
