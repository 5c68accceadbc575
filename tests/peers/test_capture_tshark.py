"""tshark reads and decrypts our captures; we read what Wireshark's own tools write."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from esp import SUITES, Mode, OutboundAssociation
from testbed.packets import build_udp_packet, parse_udp_packet
from testbed.results.capture import HSE_RECONSTRUCTED, UE_RECONSTRUCTED, RunCapture
from testbed.results.capture_reader import CaptureReader
from testbed.results.directory import RunDirectory
from testbed.results.esp_sa import EspSaTable
from testbed.results.links import ip_packet
from testbed.results.pcapng import Direction, LinkType, PcapngWriter
from testbed.traffic import capture_traffic
from testbed.traffic.generator import conversation, write_capture

SAMPLE = Path(__file__).parents[1] / "data" / "traffic" / "thermostat.pcapng"
START_NS = 1_767_225_600_000_000_000

UE, HSE = ("10.20.0.2", 41_000), ("198.51.100.7", 34_500)
UE6, HSE6 = ("2001:db8:1::2", 41_000), ("2001:db8:2::7", 34_500)
SIDES = pytest.mark.parametrize(("ue", "hse"), [(UE, HSE), (UE6, HSE6)], ids=["IPv4", "IPv6"])


def missing(*programs: str) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


@pytest.fixture(autouse=True)
def tools() -> None:
    if absent := missing("tshark", "editcap", "mergecap", "text2pcap"):
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail(f"required, and not installed: {', '.join(absent)}")
        pytest.skip(f"not installed: {', '.join(absent)} (Debian: tshark)")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
    )


def fields(path: Path, *names: str, options: tuple[str, ...] = (), **env: str) -> list[list[str]]:
    """What tshark says about each packet of a capture."""
    wanted = [argument for name in names for argument in ("-e", name)]
    form = ("-T", "fields", "-E", "separator=\t", "-E", "aggregator=|")
    done = run("tshark", "-r", str(path), "-n", *options, *form, *wanted, **env)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


pytestmark = pytest.mark.peer


@SIDES
def test_tshark_agrees_on_every_field_of_a_run_capture(
    tmp_path: Path, ue: tuple[str, int], hse: tuple[str, int]
) -> None:
    path = tmp_path / "capture.pcapng"
    with RunCapture(path, hse_port=34_500, start_ns=START_NS, comment="of a test") as capture:
        for number in range(4):
            up = b"\xff" + bytes(10 * number)
            capture.ue_packet(up, ue, hse, uplink=True, at=number, note=f"message {number}")
            capture.hse_packet(up, ue, hse, uplink=True, at=number + 0.000_000_001)
            capture.hse_packet(b"\xff", hse, ue, uplink=False, at=number + 0.5)
            capture.ue_packet(b"\xff", hse, ue, uplink=False, at=number + 0.75)
    version = "ip" if ":" not in ue[0] else "ipv6"
    checks = ("-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    rows = fields(
        path,
        "frame.time_epoch",
        "frame.interface_name",
        "frame.interface_description",
        "frame.comment",
        "frame.len",
        f"{version}.src",
        f"{version}.dst",
        "udp.srcport",
        "udp.dstport",
        "udp.checksum.status",
        "ip.checksum.status",
        "frame.packet_flags_direction",
        options=checks,
    )
    assert len(rows) == 16
    headers = 28 if version == "ip" else 48
    for number, row in enumerate(rows):
        message, step = divmod(number, 4)
        (
            time,
            name,
            description,
            comment,
            size,
            source,
            destination,
            sport,
            dport,
            udp,
            ip,
            way,
        ) = row
        assert int(time.replace(".", "")) == START_NS + message * 10**9 + (
            0, 1, 500_000_000, 750_000_000
        )[step]  # fmt: skip
        assert name == ("ue", "hse", "hse", "ue")[step]
        assert description.startswith(name.upper())
        assert comment.split("|")[0] == (UE_RECONSTRUCTED if name == "ue" else HSE_RECONSTRUCTED)
        assert step or comment.endswith(f"|message {message}")
        assert int(size) == headers + 1 + (10 * message if step < 2 else 0)
        assert (source, destination) == ((ue[0], hse[0]) if step < 2 else (hse[0], ue[0]))
        assert (sport, dport) == (("41000", "4500") if step < 2 else ("4500", "41000"))
        assert udp == "1"
        assert ip == ("1" if version == "ip" else "")
        assert int(way, 0) == (2, 1, 2, 1)[step]


UNCHECKED = ("aes-cmac-96", "aes-xcbc-96")
"""Integrity transforms that Wireshark does not check; it decrypts all the same."""


def test_tshark_decrypts_a_run_directory_with_the_command_of_its_manifest(tmp_path: Path) -> None:
    run_directory = RunDirectory.create(tmp_path / "runs of today")
    inner = build_udp_packet(
        "2001:db8::3", "2001:db8::20", 37_024, 5683, bytes.fromhex("52451566d159")
    )
    sides = [(4, UE, HSE), (6, UE6, HSE6)]
    supported: dict[int, str] = {}
    with (
        EspSaTable(run_directory.esp_sa_path) as table,
        RunCapture(run_directory.capture_path, hse_port=34_500, start_ns=START_NS) as capture,
    ):
        for number, (name, row) in enumerate(SUITES.items()):
            key, salt = bytes(range(row.key_bytes)), bytes(range(row.salt_bytes))
            integrity_key = bytes(range(row.integrity_key_bytes))
            for version, ue, hse in sides:
                spi = 0x1000 * version + number
                if table.add(spi, row, key, salt, integrity_key=integrity_key, ip_version=version):
                    supported[spi] = name
                outbound = OutboundAssociation(
                    spi, row, key, salt, Mode.TUNNEL, integrity_key=integrity_key
                )
                one, two = outbound.protect(inner, 41), outbound.protect(inner, 41)
                capture.ue_packet(one, ue, hse, uplink=True, at=number)
                capture.hse_packet(one, ue, hse, uplink=True, at=number)
                capture.ue_packet(two, ue, hse, uplink=True, at=number)
                flipped = two[:-1] + bytes([two[-1] ^ 1])
                capture.hse_packet(flipped, ue, hse, uplink=True, at=number)
    assert {name for name in SUITES if name.startswith("aes-gcm-16-1")} <= set(supported.values())
    assert table.unsupported == set(SUITES) - set(supported.values())

    columns = ["esp.spi", "esp.sequence", "esp.icv_good", "esp.icv_bad", "ipv6.src", "coap.mid"]
    wanted = " ".join(f"-e {column}" for column in [*columns, "_ws.expert.message"])
    done = run("sh", "-c", f"{run_directory.decrypt_command} -n -T fields {wanted}")
    assert done.returncode == 0, done.stderr
    assert "esp_sa" not in done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == 4 * len(sides) * len(SUITES)
    assert not any("Sequence" in row[6] for row in rows)
    by_spi: dict[int, list[list[str]]] = {}
    for row in rows:
        by_spi.setdefault(int(row[0], 0), []).append(row)
    for spi, name in supported.items():
        four = by_spi[spi]
        assert [row[1] for row in four] == ["1", "1", "2", "2"], name
        for row in four[:3]:
            assert "2001:db8::3" in row[4].split(","), name
            assert row[5] == str(0x1566), name
        if SUITES[name].integrity in UNCHECKED:
            continue
        assert [row[2] for row in four] == ["1", "1", "1", "0"], name
        assert [row[3] for row in four] == ["0", "0", "0", "1"], name


def test_a_table_with_a_suite_unknown_to_wireshark_still_decrypts_the_others(
    tmp_path: Path,
) -> None:
    row = SUITES["aes-gcm-16-128"]
    outbound = OutboundAssociation(0x1000, row, bytes(16), b"salt", Mode.TUNNEL)
    (tmp_path / "esp_sa").write_text("# SPI 0x00000999: Wireshark cannot decrypt aes-ccm-16-128\n")
    other = tmp_path / "other"
    with EspSaTable(other) as table:
        table.add(0x1000, row, bytes(16), b"salt")
    with (tmp_path / "esp_sa").open("a") as file:
        file.write(other.read_text())
    with RunCapture(tmp_path / "capture.pcapng", hse_port=34_500) as capture:
        capture.ue_packet(outbound.protect(b"", 59), UE, HSE, uplink=True, at=0)
    rows = fields(
        tmp_path / "capture.pcapng",
        "esp.icv_good",
        options=(
            "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"
        ),
        WIRESHARK_CONFIG_DIR=str(tmp_path),
    )  # fmt: skip
    assert rows == [["1"]]


def test_tshark_reads_a_capture_that_was_torn_as_far_as_we_do(tmp_path: Path) -> None:
    path = tmp_path / "torn.pcapng"
    content = SAMPLE.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 5])
    reader = CaptureReader(path)
    ours = [packet.number for packet in reader]
    done = run("tshark", "-r", str(path), "-n", "-T", "fields", "-e", "frame.number")
    assert [int(number) for number in done.stdout.split()] == ours
    assert reader.torn is not None
    assert "cut short" in done.stderr


def test_tshark_reads_a_capture_that_was_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "resumed.pcapng"
    for start_ns in (START_NS, START_NS + 10**12):
        with RunCapture(path, hse_port=34_500, start_ns=start_ns, resume=True) as capture:
            capture.ue_packet(b"\xff", UE, HSE, uplink=True, at=0)
            capture.hse_packet(b"\xff", UE, HSE, uplink=True, at=1)
    rows = fields(path, "frame.time_epoch", "frame.interface_name", "frame.section_number")
    assert [row[1:] for row in rows] == [["ue", "1"], ["hse", "1"], ["ue", "2"], ["hse", "2"]]
    times = [int(row[0].replace(".", "")) for row in rows]
    assert times == [packet.time_ns for packet in CaptureReader(path)]


def test_tshark_finds_nothing_wrong_with_generated_traffic(tmp_path: Path) -> None:
    for ip_version in (4, 6):
        for profile in ("thermostat", "meter"):
            path = tmp_path / f"{profile}{ip_version}.pcapng"
            packets = islice(conversation(profile, seed=3, ip_version=ip_version), 400)
            write_capture(path, packets, start_ns=START_NS)
            rows = fields(
                path,
                "_ws.malformed",
                "_ws.expert.message",
                "udp.checksum.status",
                "coap.version",
                "coap.type",
                "coap.code",
                "coap.opt.ctype",
                options=("-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"),
            )
            assert len(rows) == 400
            assert {row[1] for row in rows} <= {"", "Retransmitted"}
            assert {(row[0], row[2], row[3]) for row in rows} == {("", "1", "1")}
            kinds = {(row[4], row[5], row[6]) for row in rows}
            assert ("1", "69", "application/vnd.oma.lwm2m+tlv") in kinds
            assert ("2", "0", "") in kinds


def test_tshark_reads_the_values_of_generated_notifications(tmp_path: Path) -> None:
    path = tmp_path / "thermostat.pcapng"
    packets = [packet for packet in islice(conversation(seed=1), 60) if packet.uplink]
    write_capture(path, packets, start_ns=START_NS)
    rows = fields(path, "coap.mid", "coap.token", "udp.payload", "lwm2mtlv.value.double")
    assert len(rows) == len(packets)
    doubles = 0
    for row, packet in zip(rows, packets, strict=True):
        payload = parse_udp_packet(packet.packet).payload
        assert row[0] == str(int.from_bytes(payload[2:4], "big"))
        assert bytes.fromhex(row[1].replace(":", "")) == payload[4 : 4 + (payload[0] & 15)]
        assert bytes.fromhex(row[2]) == payload
        if row[3]:
            doubles += 1
            assert float(row[3]) == pytest.approx(struct.unpack("!d", payload[-8:])[0], rel=1e-6)
    assert doubles > 40


def ours(path: Path) -> list[tuple[int | None, bytes, int]]:
    reader = CaptureReader(path)
    packets = [(packet.time_ns, packet.data, packet.original_bytes) for packet in reader]
    assert reader.torn is None
    return packets


@pytest.mark.parametrize(("form", "unit_ns"), [("pcap", 1000), ("nsecpcap", 1), ("pcapng", 1)])
def test_we_read_what_editcap_writes(tmp_path: Path, form: str, unit_ns: int) -> None:
    source, path = tmp_path / "source.pcapng", tmp_path / f"x.{form}"
    with PcapngWriter(source) as writer:
        writer.add_interface("eth0", link_type=LinkType.ETHERNET)
        for number in range(20):
            frame = bytes(12) + b"\x08\x00" + bytes(30 + number)
            writer.write_packet(0, frame, START_NS + number * 1_000_000_001)
    assert run("editcap", "-F", form, str(source), str(path)).returncode == 0
    expected = [((time or 0) // unit_ns * unit_ns, data, size) for time, data, size in ours(source)]
    assert ours(path) == expected


def test_we_read_cut_packets_as_editcap_cuts_them(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    assert run("editcap", "-s", "60", str(SAMPLE), str(path)).returncode == 0
    cut = list(CaptureReader(path))
    assert [packet.data for packet in cut] == [data[:60] for _, data, _ in ours(SAMPLE)]
    assert any(packet.cut for packet in cut)


def test_we_read_comments_and_interfaces_as_mergecap_joins_them(tmp_path: Path) -> None:
    raw, path = tmp_path / "raw.pcapng", tmp_path / "merged.pcapng"
    with RunCapture(raw, hse_port=34_500, start_ns=START_NS) as capture:
        capture.ue_packet(b"x", UE, HSE, uplink=True, at=0.5, note="message 0")
    assert run("mergecap", "-w", str(path), str(SAMPLE), str(raw)).returncode == 0
    merged = list(CaptureReader(path))
    assert len(merged) == 301
    (commented,) = [packet for packet in merged if packet.comments]
    assert commented.comments == (UE_RECONSTRUCTED, "message 0")
    assert commented.interface.name == "ue"
    assert {packet.interface.link_type for packet in merged} == {LinkType.RAW, LinkType.ETHERNET}


def headers_as_captured(link: int, packet: bytes) -> bytes:
    """A link header as a capture of this kind has it."""
    six = packet[0] >> 4 == 6
    ethertype = b"\x86\xdd" if six else b"\x08\x00"
    headers: dict[int, Callable[[], bytes]] = {
        LinkType.NULL: lambda: struct.pack("<I", 30 if six else 2),
        LinkType.ETHERNET: lambda: bytes(12) + b"\x81\x00\x00\x07" + ethertype,
        LinkType.RAW_BSD: lambda: b"",
        LinkType.RAW_OPENBSD: lambda: b"",
        LinkType.RAW: lambda: b"",
        LinkType.LOOP: lambda: struct.pack(">I", 24 if six else 2),
        LinkType.LINUX_SLL: lambda: struct.pack("!HHH8s", 0, 1, 6, b"") + ethertype,
        LinkType.IPV4: lambda: b"",
        LinkType.IPV6: lambda: b"",
        LinkType.LINUX_SLL2: lambda: ethertype + struct.pack("!HIHBB8s", 0, 3, 1, 0, 6, b""),
    }
    return headers[link]()


WITH_IP = [link for link in LinkType if link is not LinkType.USER0]
"""Links whose frames hold an IP packet; what a user-defined one holds, only its user knows."""


@pytest.mark.parametrize("link", WITH_IP, ids=lambda link: link.name)
def test_we_find_the_packet_where_tshark_does(tmp_path: Path, link: LinkType) -> None:
    path = tmp_path / "link.pcapng"
    packets = {
        4: build_udp_packet("10.0.0.1", "10.0.0.2", 1000, 2000, b"reading"),
        6: build_udp_packet("2001:db8::1", "2001:db8::2", 1000, 2000, b"reading"),
    }
    versions = [4] if link is LinkType.IPV4 else [6] if link is LinkType.IPV6 else [4, 6]
    with PcapngWriter(path) as writer:
        writer.add_interface("any", link_type=link)
        for version in versions:
            frame = headers_as_captured(link, packets[version]) + packets[version]
            writer.write_packet(0, frame, START_NS, direction=Direction.INBOUND)
    rows = fields(path, "udp.payload", "ip.version", "ipv6.version")
    assert [bytes.fromhex(row[0]) for row in rows] == [b"reading"] * len(versions)
    found = [ip_packet(packet.interface.link_type, packet.data) for packet in CaptureReader(path)]
    assert found == [packets[version] for version in versions]


def test_the_device_of_the_sample_is_the_end_that_tshark_counts_most(tmp_path: Path) -> None:
    rows = fields(SAMPLE, "ipv6.src", "udp.payload")
    senders = [row[0] for row in rows]
    busiest = max(set(senders), key=senders.count)
    traffic = capture_traffic(SAMPLE)
    assert traffic.device == busiest
    payloads = [bytes.fromhex(row[1]) for row in rows if row[0] == busiest]
    assert [message.payload for message in traffic.messages] == payloads
