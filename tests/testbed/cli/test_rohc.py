"""``testbed rohc``: explain, compress, decompress, stats."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rohc
from testbed.cli.rohc_files import ETHERTYPE_ROHC, packet_of_hex, rohc_frame
from testbed.cli.rohc_traffic import flow_of
from testbed.packets import build_udp_packet
from testbed.results.capture_reader import CaptureReader
from testbed.results.links import ip_packet
from testbed.results.pcapng import LinkType, PcapngWriter
from tests.testbed.cli.conftest import Done

Run = Callable[..., Done]

DATA = Path(__file__).parents[2] / "data"
THERMOSTAT = DATA / "traffic" / "thermostat.pcapng"
DEVICE = "2001:db8:be57::2ea"
USAGE, LIMIT = 2, 1


def ip_packets(path: Path) -> list[tuple[int | None, bytes]]:
    found = [
        (one.time_ns, ip_packet(one.interface.link_type, one.data)) for one in CaptureReader(path)
    ]
    return [(time, packet) for time, packet in found if isinstance(packet, bytes)]


def flow(count: int, port: int = 5683) -> list[bytes]:
    """Packets of one IPv4/UDP flow, its IP-ID counting."""
    return [
        build_udp_packet(
            "192.0.2.1", "198.51.100.7", 40_000, port, bytes([n, 0x55]), identification=100 + n
        )
        for n in range(count)
    ]


def compressed(packets: list[bytes]) -> list[bytes]:
    compressor = rohc.Compressor(rohc.Channel(), mode="U", first_sn=0, optimistic_repeats=4)
    return [compressor.compress(packet) for packet in packets]


def capture(path: Path, frames: list[bytes], link: int = LinkType.ETHERNET, name: str = "x") -> str:
    with PcapngWriter(path) as writer:
        interface = writer.add_interface(name, link_type=link)
        for number, frame in enumerate(frames):
            writer.write_packet(interface, frame, number * 10**9)
    return str(path)


def types(done: Done) -> list[str]:
    assert done.code == 0, done.err
    return [packet["packet_type"] for packet in done.json["packets"]]


# explain --------------------------------------------------------------------------------------


def streams() -> list[Any]:
    lines = (DATA / "rohc" / "udp-u-mode.jsonl").read_text().splitlines()
    return [pytest.param(json.loads(line), id=json.loads(line)["name"]) for line in lines]


@pytest.mark.parametrize("stream", streams())
def test_hand_made_packets_are_named_and_decompressed(testbed: Run, stream: Any) -> None:
    words = [packet["rohc"] for packet in stream["packets"]]
    channel = ["--large-cids"] if stream["cid_type"] == "large" else []
    limit = ["--max-cid", str(stream["max_cid"])]
    done = testbed("rohc", "explain", "--json", *channel, *limit, *words)
    assert types(done) == [packet["type"] for packet in stream["packets"]]
    told = done.json["packets"]
    assert [one["packet"] for one in told] == [packet["ip"] for packet in stream["packets"]]
    assert [one["octets"] for one in told] == words


def test_a_uo_0_shows_its_sequence_number_and_what_it_decompressed_to(testbed: Run) -> None:
    packets = flow(6)
    done = testbed("rohc", "explain", *(one.hex() for one in compressed(packets)))
    assert done.code == 0
    last = done.out.split("packet 6:")[1]
    assert "UO-0, profile 0x0002, CID 0" in last
    assert "4 bits; SN 5" in last
    assert "CRC" in last and "good" in last
    assert "decompressed: UDP 192.0.2.1:40000 > 198.51.100.7:5683, 30 octets" in last
    assert f"headers: 28 octets from 3: {packets[5][:28].hex()}" in last


def test_octets_that_are_given_one_by_one_are_one_packet(testbed: Run) -> None:
    (packet,) = compressed(flow(1))
    spaced = packet.hex(" ")
    assert types(testbed("rohc", "explain", "--json", *spaced.split())) == ["IR"]
    assert types(testbed("rohc", "explain", "--json", spaced)) == ["IR"]
    assert types(testbed("rohc", "explain", "--json", "0x" + packet.hex())) == ["IR"]


def test_feedback_is_told_from_a_packet(testbed: Run) -> None:
    done = testbed("rohc", "explain", "f1", "20")
    assert "feedback, no CID" in done.out
    assert "ACK (FEEDBACK-1), SN ...32" in done.out


def test_a_packet_that_cannot_be_decompressed_is_explained_all_the_same(testbed: Run) -> None:
    good = compressed(flow(6))
    broken = [*good[:5], bytes([good[5][0] ^ 1]) + good[5][1:]]
    done = testbed("rohc", "explain", "--json", *(one.hex() for one in broken))
    assert types(done)[-1] == "UO-0"
    last = done.json["packets"][-1]
    assert last["error"]["kind"] == "CrcFailure"
    assert last["packet"] is None
    crc = next(one for one in last["fields"] if one["name"] == "CRC")
    assert crc["note"] == "does not match"


def test_a_text_file_holds_a_packet_per_line(testbed: Run, tmp_path: Path) -> None:
    lines = [one.hex(" ") for one in compressed(flow(3))]
    text = tmp_path / "packets.txt"
    text.write_text(f"# a flow\r\n{lines[0]}  # IR\r\n\r\n{lines[1]}\n{lines[2]}")
    done = testbed("rohc", "explain", "--json", str(text))
    assert types(done) == ["IR", "IR", "IR"]
    assert [packet["number"] for packet in done.json["packets"]] == [2, 4, 5]


def test_lines_come_from_standard_input(testbed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (packet,) = compressed(flow(1))
    monkeypatch.setattr("sys.stdin", io.StringIO(packet.hex() + "\n"))
    assert types(testbed("rohc", "explain", "--json", "-")) == ["IR"]


def vlan(packet: bytes) -> bytes:
    frame = rohc_frame(packet)
    return frame[:12] + bytes.fromhex("81000007") + frame[12:]


def cooked(packet: bytes) -> bytes:
    return struct.pack("!HHH8sH", 4, 1, 6, bytes(8), ETHERTYPE_ROHC) + packet


def cooked_2(packet: bytes) -> bytes:
    return struct.pack("!HHIHBB8s", ETHERTYPE_ROHC, 0, 1, 1, 4, 6, bytes(8)) + packet


def over_udp(packet: bytes) -> bytes:
    return build_udp_packet("192.0.2.7", "192.0.2.8", 30_000, 4501, packet)


@pytest.mark.parametrize(
    ("link", "frame", "options"),
    [
        pytest.param(LinkType.ETHERNET, rohc_frame, [], id="ethernet"),
        pytest.param(LinkType.ETHERNET, vlan, [], id="vlan"),
        pytest.param(LinkType.LINUX_SLL, cooked, [], id="sll"),
        pytest.param(LinkType.LINUX_SLL2, cooked_2, [], id="sll2"),
        pytest.param(147, bytes, [], id="user-0"),
        pytest.param(162, bytes, [], id="user-15"),
        pytest.param(LinkType.RAW, over_udp, ["--udp-port", "4501"], id="udp"),
    ],
)
def test_rohc_is_found_in_a_capture(
    testbed: Run, tmp_path: Path, link: int, frame: Callable[[bytes], bytes], options: list[str]
) -> None:
    packets = flow(5)
    made = [frame(packet) for packet in compressed(packets)]
    path = capture(tmp_path / "a.pcapng", made, link)
    done = testbed("rohc", "explain", "--json", path, *options)
    assert types(done) == ["IR", "IR", "IR", "IR", "UO-0"]
    assert [one["packet"] for one in done.json["packets"]] == [one.hex() for one in packets]
    back = testbed("rohc", "decompress", path, "back.pcapng", *options)
    assert back.code == 0
    assert [packet for _, packet in ip_packets(tmp_path / "back.pcapng")] == packets


def test_each_direction_has_contexts_of_its_own(testbed: Run, tmp_path: Path) -> None:
    one, other = flow(5), flow(5, port=7)
    there = [over_udp(packet) for packet in compressed(one)]
    back = [
        build_udp_packet("192.0.2.8", "192.0.2.7", 4501, 30_000, packet)
        for packet in compressed(other)
    ]
    mixed = [frame for pair in zip(there, back, strict=True) for frame in pair]
    path = capture(tmp_path / "a.pcapng", mixed, LinkType.RAW)
    done = testbed("rohc", "decompress", path, "b.pcapng", "--udp-port", "4501")
    assert done.code == 0, done.out
    wanted = [packet for pair in zip(one, other, strict=True) for packet in pair]
    assert [packet for _, packet in ip_packets(tmp_path / "b.pcapng")] == wanted


def test_nothing_from_a_file_reaches_the_terminal_as_a_command(
    testbed: Run, tmp_path: Path
) -> None:
    frames = [rohc_frame(packet) for packet in compressed(flow(1))]
    path = capture(tmp_path / "a.pcapng", frames, name="\x1b[31m[bold]:x:\x07")
    done = testbed("rohc", "explain", path)
    assert done.code == 0
    assert "?[31m[bold]:x:?" in done.out
    text = tmp_path / "bad.txt"
    text.write_text("\x1b[31mred\n")
    refused = testbed("rohc", "explain", str(text))
    assert "\x1b" not in refused.err + done.out


def test_an_address_is_shown_as_it_is(testbed: Run, tmp_path: Path) -> None:
    packet = build_udp_packet("2001:db8:a::1", "2001:db8:a::2", 1, 2, b"x")
    path = capture(tmp_path / "a.pcapng", [packet], LinkType.RAW)
    assert "UDP [2001:db8:a::1]:1 > [2001:db8:a::2]:2" in testbed("rohc", "stats", path).out


# compress and decompress ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["U", "O", "R"])
@pytest.mark.parametrize(
    "channel",
    [[], ["--large-cids", "--max-cid", "200"], ["--max-cid", "0"], ["--profiles", "0,4"]],
    ids=" ".join,
)
def test_a_capture_comes_back_octet_by_octet(
    testbed: Run, tmp_path: Path, mode: str, channel: list[str]
) -> None:
    there = testbed("rohc", "compress", str(THERMOSTAT), "a.pcapng", "--mode", mode, *channel)
    assert there.code == 0, there.err
    assert "300 of 300 octet by octet the same" in there.out
    back = testbed("rohc", "decompress", "a.pcapng", "b.pcapng", *channel)
    assert back.code == 0, back.out
    assert ip_packets(tmp_path / "b.pcapng") == ip_packets(THERMOSTAT)


def test_the_frames_are_ethernet_with_the_ethertype_of_rohc(testbed: Run, tmp_path: Path) -> None:
    testbed("rohc", "compress", str(THERMOSTAT), "a.pcapng")
    found = list(CaptureReader(tmp_path / "a.pcapng"))
    assert {one.interface.link_type for one in found} == {LinkType.ETHERNET}
    assert {one.data[12:14] for one in found} == {b"\x22\xf1"}
    assert [one.time_ns for one in found] == [one.time_ns for one in CaptureReader(THERMOSTAT)]


def test_the_summary_agrees_with_the_file(testbed: Run, tmp_path: Path) -> None:
    done = testbed("rohc", "compress", str(THERMOSTAT), "a.pcapng", "--mode", "O", "--json")
    summary = done.json
    octets = sum(len(one.data) - 14 for one in CaptureReader(tmp_path / "a.pcapng"))
    packets = [packet for _, packet in ip_packets(THERMOSTAT)]
    assert summary["octets"] == {"before": sum(map(len, packets)), "after": octets}
    saved = summary["header_octets"]["before"] - summary["header_octets"]["after"]
    assert saved == summary["octets"]["before"] - summary["octets"]["after"]
    assert summary["header_octets"]["before"] == 48 * len(packets)
    assert sum(one["packets"] for one in summary["packet_types"].values()) == len(packets)
    assert summary["feedback"]["packets"] > 0
    assert summary["failures"] == {"kinds": {}, "packets": []}


def test_feedback_is_delivered_in_o_mode_and_not_in_u_mode(testbed: Run) -> None:
    counts = {}
    for mode in ("U", "O"):
        done = testbed(
            *("rohc", "compress", str(THERMOSTAT), f"{mode}.pcapng", "--mode", mode, "--json")
        )
        counts[mode] = done.json
    assert counts["U"]["feedback"]["octets"] == 0 < counts["O"]["feedback"]["octets"]
    irs = {mode: one["packet_types"]["IR"]["packets"] for mode, one in counts.items()}
    assert irs["U"] > irs["O"]


def test_the_same_capture_gives_the_same_file_twice(testbed: Run, tmp_path: Path) -> None:
    for name in ("a.pcapng", "b.pcapng"):
        testbed("rohc", "compress", str(THERMOSTAT), name, "--mode", "O")
    assert (tmp_path / "a.pcapng").read_bytes() == (tmp_path / "b.pcapng").read_bytes()


@pytest.mark.parametrize(
    ("options", "name", "more"),
    [
        (["--optimistic-repeats", "1"], "IR", False),
        (["--optimistic-repeats", "9"], "IR", True),
        (["--ir-refresh", "10"], "IR", True),
        (["--ir-refresh-s", "600"], "IR", True),
        (["--fo-refresh", "10"], "IR-DYN", True),
        (["--fo-refresh-s", "600"], "IR-DYN", True),
        (["--fo-refresh", "0"], "IR-DYN", False),
        (["--device", DEVICE], "IR", False),
        (["--profiles", "0"], "Normal", True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_reaches_the_compressor(
    testbed: Run, options: list[str], name: str, more: bool
) -> None:
    counts = []
    for extra in ([], options):
        done = testbed(
            *("rohc", "compress", str(THERMOSTAT), "a.pcapng", "--force", "--json"), *extra
        )
        assert done.code == 0, done.err
        counts.append(done.json["packet_types"].get(name, {"packets": 0})["packets"])
    assert (counts[1] > counts[0]) is more
    assert counts[1] != counts[0]


@pytest.mark.parametrize("command", ["compress", "stats"])
@pytest.mark.parametrize(
    ("options", "profile"),
    [([], "0x0002"), (["--rtp-port", "5004"], "0x0001"), (["--rtp-heuristic"], "0x0001")],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_rtp_is_recognised_where_that_is_asked_for(
    testbed: Run, tmp_path: Path, command: str, options: list[str], profile: str
) -> None:
    packets = [
        build_udp_packet(
            *("192.0.2.1", "198.51.100.7", 40_000, 5004),
            struct.pack("!BBHII", 0x80, 96, 1000 + n, 160 * n, 0xDEADBEEF) + bytes(20),
            identification=n,
        )
        for n in range(40)
    ]
    words = [capture(tmp_path / "rtp.pcapng", packets, LinkType.RAW)]
    words += ["a.pcapng"] if command == "compress" else ["--mode", "U"]
    done = testbed("rohc", command, *words, *options, "--json")
    assert done.code == 0, done.err
    counts = done.json if command == "compress" else done.json["total"][0]
    assert max(counts["profiles"], key=counts["profiles"].get) == profile


def test_talk_spurts_cost_less_with_the_clock_and_come_back(testbed: Run, tmp_path: Path) -> None:
    path = tmp_path / "voice.pcapng"
    packets: list[bytes] = []
    with PcapngWriter(path) as writer:
        interface = writer.add_interface("voice", link_type=LinkType.RAW)
        for number in range(200):
            ticks = number + 157 * (number // 20)  # of 20 ms; silence after each 20 packets
            head = struct.pack("!BBHII", 0x80, 96, 1000 + number, 160 * ticks, 0xDEADBEEF)
            packets.append(
                build_udp_packet(
                    *("192.0.2.1", "198.51.100.7", 40_000, 5004),
                    head + bytes(20),
                    identification=number,
                )
            )
            writer.write_packet(interface, packets[-1], ticks * 20_000_000)
    headers = []
    for extra in ([], ["--time-stride-ms", "20"]):
        options = ["--mode", "O", "--rtp-port", "5004", "--force", "--json", *extra]
        done = testbed("rohc", "compress", str(path), "a.pcapng", *options)
        assert done.code == 0, done.out
        headers.append(done.json["header_octets"]["after"])
        assert testbed("rohc", "decompress", "a.pcapng", "b.pcapng", "--force").code == 0
        assert [packet for _, packet in ip_packets(tmp_path / "b.pcapng")] == packets
    assert headers[1] < headers[0]


def test_the_first_sequence_number_can_be_chosen(testbed: Run) -> None:
    testbed("rohc", "compress", str(THERMOSTAT), "a.pcapng", "--first-sn", "4660")
    (first,) = testbed("rohc", "explain", "a.pcapng", "-n", "1", "--json").json["packets"]
    assert {one["name"]: one["value"] for one in first["fields"]}["SN"] == 4660


def test_segments_need_the_mrru_on_both_sides(testbed: Run, tmp_path: Path) -> None:
    channel = ["--mrru", "1600"]
    options = [*channel, "--segment-octets", "40"]
    there = testbed("rohc", "compress", str(THERMOSTAT), "a.pcapng", *options)
    assert "300 of 300" in there.out
    sizes = [len(one.data) - 14 for one in CaptureReader(tmp_path / "a.pcapng")]
    assert max(sizes) == 40 and len(sizes) > 300
    assert testbed("rohc", "decompress", "a.pcapng", "b.pcapng", *channel).code == 0
    assert ip_packets(tmp_path / "b.pcapng") == ip_packets(THERMOSTAT)
    without = testbed("rohc", "decompress", "a.pcapng", "c.pcapng", "--json")
    assert without.code == LIMIT
    assert without.json["failures"]["kinds"]["MalformedPacket"] > 0


def test_packets_that_fail_are_counted_by_kind_and_listed(testbed: Run, tmp_path: Path) -> None:
    made = compressed(flow(8))
    made[5] = bytes([made[5][0] ^ 1]) + made[5][1:]
    path = capture(tmp_path / "a.pcapng", [rohc_frame(one) for one in [made[7], *made]])
    done = testbed("rohc", "decompress", path, "b.pcapng")
    assert done.code == LIMIT
    assert "packets not decompressed:" in done.out
    assert "packet 1: NoContext: no context has CID 0" in done.out
    assert "packet 7: CrcFailure" in done.out
    told = testbed("rohc", "decompress", path, "c.pcapng", "--json")
    assert told.code == LIMIT
    failures = told.json["failures"]
    assert failures["kinds"]["NoContext"] == 1
    assert failures["kinds"]["CrcFailure"] >= 1
    assert [one["number"] for one in failures["packets"]][:2] == [1, 7]
    assert len(ip_packets(tmp_path / "c.pcapng")) == told.json["packets"]


def test_more_failures_than_are_listed_are_counted(testbed: Run, tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcapng", [rohc_frame(b"\x00\x00\x00")] * 25)
    done = testbed("rohc", "decompress", path, "b.pcapng")
    assert done.code == LIMIT
    assert "25 packets not decompressed: 25 NoContext" in done.out
    assert "and 15 more; --json names them all" in done.out


def test_a_packet_that_no_profile_carries_is_told(testbed: Run) -> None:
    options = ("rohc", "compress", str(THERMOSTAT), "a.pcapng", "--profiles", "1")
    done = testbed(*options)
    assert done.code == LIMIT
    assert "300 packets not compressed as they should be: 300 UnsupportedProfile" in done.out


def test_a_packet_that_does_not_come_back_is_told(
    testbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = rohc.Decompressor.decompress

    def forges(self: rohc.Decompressor, *arguments: Any) -> rohc.Decompressed:
        result = honest(self, *arguments)
        assert result.packet is not None
        return result._replace(packet=result.packet[:-1] + b"\x00")

    monkeypatch.setattr(rohc.Decompressor, "decompress", forges)
    for command in (["compress", str(THERMOSTAT), "a.pcapng"], ["stats", str(THERMOSTAT)]):
        done = testbed("rohc", *command)
        assert done.code == LIMIT
        assert "NotRestored" in done.out


def test_feedback_alone_and_other_traffic_lose_nothing(testbed: Run, tmp_path: Path) -> None:
    packets = flow(5)
    frames = [rohc_frame(one) for one in compressed(packets)]
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    path = capture(tmp_path / "a.pcapng", [arp, rohc_frame(b"\xf1\x20"), *frames])
    done = testbed("rohc", "decompress", path, "b.pcapng", "--json")
    assert done.code == 0
    assert done.json["packets"] == 5
    assert done.json["without_packet"] == {"feedback": 1}
    assert done.json["feedback_received_octets"] == 2
    assert done.json["skipped"] == {"not-rohc": 1}


def test_a_torn_capture_is_used_up_to_the_tear(testbed: Run, tmp_path: Path) -> None:
    whole = THERMOSTAT.read_bytes()
    (tmp_path / "torn.pcapng").write_bytes(whole[: len(whole) // 2])
    done = testbed("rohc", "compress", "torn.pcapng", "a.pcapng")
    assert done.code == 0
    assert "the capture is torn: the file ends inside a record" in done.out


def test_a_file_is_replaced_only_when_that_is_asked_for(testbed: Run, tmp_path: Path) -> None:
    target = tmp_path / "a.pcapng"
    target.write_text("mine")
    options = ("rohc", "compress", str(THERMOSTAT), "a.pcapng")
    refused = testbed(*options)
    assert refused.code == USAGE
    assert "a.pcapng exists already" in refused.err
    assert target.read_text() == "mine"
    assert testbed(*options, "--force").code == 0
    same = testbed("rohc", "decompress", "a.pcapng", "a.pcapng", "--force")
    assert same.code == USAGE
    assert len(list(CaptureReader(target))) == 300


# stats ----------------------------------------------------------------------------------------


def test_stats_tell_each_flow_in_each_mode(testbed: Run) -> None:
    done = testbed("rohc", "stats", str(THERMOSTAT), "--json")
    assert done.code == 0
    up, down = done.json["flows"]
    assert (up["source"], up["source_port"]) == (DEVICE, 62302)
    assert (down["destination"], down["destination_port"]) == (DEVICE, 62302)
    u, o = up["trials"]
    assert (u["mode"], o["mode"]) == ("U", "O")
    for trial in (u, o):
        assert trial["packets"] == 276
        assert trial["header_octets"]["before"] == 276 * 48
        assert trial["profiles"] == {"0x0002": 276}
        assert trial["not_restored"] == 0
        assert len(trial["first_packets"]) == 5
    assert u["feedback"] == {"packets": 0, "octets": 0}
    assert o["feedback"]["octets"] > 0
    assert o["header_octets"]["after"] < u["header_octets"]["after"] < 276 * 5
    assert [one["packets"] for one in done.json["total"]] == [300, 300]


def test_stats_agree_with_compress(testbed: Run) -> None:
    for mode in ("U", "O", "R"):
        whole = testbed("rohc", "stats", str(THERMOSTAT), "--mode", mode, "--json").json["total"][0]
        made = testbed(
            *("rohc", "compress", str(THERMOSTAT), "a.pcapng", "--force", "--json"),
            *("--mode", mode),
        ).json
        for name in ("octets", "header_octets", "packet_types", "feedback"):
            assert whole[name] == made[name]


def test_stats_try_each_number_of_repeats(testbed: Run) -> None:
    options = ("--mode", "U", "--optimistic-repeats", "1", "--optimistic-repeats", "6")
    done = testbed("rohc", "stats", str(THERMOSTAT), *options, "--device", DEVICE, "--json")
    (up,) = done.json["flows"]
    once, six = up["trials"]
    assert (once["optimistic_repeats"], six["optimistic_repeats"]) == (1, 6)
    assert (once["packet_types"]["IR"]["packets"], six["packet_types"]["IR"]["packets"]) == (1, 6)
    assert done.json["skipped"] == {"other-sender": 24}
    table = testbed("rohc", "stats", str(THERMOSTAT), *options)
    assert "U-mode, repeats 1" in table.out
    assert "all 2 flows" in table.out


def ipv6_fragment(offset: int) -> bytes:
    whole = build_udp_packet("2001:db8::1", "2001:db8::2", 5, 6, b"data")
    head = bytearray(whole[:40])
    head[6] = 44
    head[4:6] = (8 + len(whole) - 40).to_bytes(2, "big")
    return bytes(head) + bytes([17, 0]) + (offset << 3).to_bytes(2, "big") + bytes(4) + whole[40:]


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (flow(1)[0], "UDP 192.0.2.1:40000 > 198.51.100.7:5683"),
        (ipv6_fragment(0), "UDP [2001:db8::1]:5 > [2001:db8::2]:6"),
        (ipv6_fragment(8), "UDP 2001:db8::1 > 2001:db8::2"),
        (bytes.fromhex("45000014000000004032000001020304 05060708"), "ESP 1.2.3.4 > 5.6.7.8"),
        (
            bytes.fromhex("4500001400000000406300000102030405060708"),
            "protocol 99 1.2.3.4 > 5.6.7.8",
        ),
        (bytes.fromhex("4500001400000000401100000102030405060708"), "UDP 1.2.3.4 > 5.6.7.8"),
        (b"\x45\x00", "not IP ? > ?"),
        (b"", "not IP ? > ?"),
    ],
)
def test_a_flow_is_named_by_its_ends(packet: bytes, text: str) -> None:
    assert str(flow_of(packet)) == text


# mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("fd02", b"\xfd\x02"),
        ("fd 02", b"\xfd\x02"),
        ("FD:02-5c,00", b"\xfd\x02\x5c\x00"),
        ("0xfd 0x02", b"\xfd\x02"),
        ("fd0", None),
        ("", None),
        ("fg", None),
        ("٣٣", None),
    ],
)
def test_hex_is_read_as_people_write_it(text: str, octets: bytes | None) -> None:
    assert packet_of_hex(text) == octets


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["frobnicate"], "No such command"),
        (["explain"], "Missing argument"),
        (["explain", "zz"], "zz is neither hex octets nor a file"),
        (["explain", "fd0"], "fd0 has an odd number of hex digits"),
        (["explain", "fd02", "folder"], "folder is a directory"),
        (["explain", "fd02", "empty.txt"], "empty.txt is a file; a file is given alone"),
        (["explain", "empty.txt"], "empty.txt holds no packet"),
        (["explain", "words.txt"], "words.txt, line 2 is no packet in hex: hello"),
        (["explain", str(THERMOSTAT)], "holds no ROHC packet: 300 not-rohc"),
        (["explain", str(THERMOSTAT), "--udp-port", "9"], "on UDP port 9: 300 other-udp-port"),
        (["explain", "fd02", "--max-cid", "16"], "max_cid is 0 to 15 with small CIDs, not 16"),
        (["explain", "fd02", "--profiles", "2,x"], "'x' is no profile number"),
        (["explain", "fd02", "--profiles", "9"], "profile 0x0009 is not one of"),
        (["explain", "fd02", "--limit", "0"], "greater than or equal to 1"),
        (["compress", "missing.pcapng", "a"], "there is no capture missing.pcapng"),
        (["compress", "words.txt", "a"], "neither pcap nor pcapng"),
        (["compress", str(THERMOSTAT), "no/a"], "no/a cannot be written"),
        (["compress", str(THERMOSTAT), "a", "--mode", "X"], "not one of 'U', 'O', 'R'"),
        (["compress", str(THERMOSTAT), "a", "--device", "me"], "'me' is no IP address"),
        (["compress", str(THERMOSTAT), "a", "--device", "::9"], "300 other-sender"),
        (["compress", str(THERMOSTAT), "a", "--optimistic-repeats", "0"], "is 1 to 15, not 0"),
        (["compress", str(THERMOSTAT), "a", "--first-sn", "-1"], "first_sn is 0 to 65535"),
        (["compress", str(THERMOSTAT), "a", "--ir-refresh-s", "nan"], "not nan"),
        (["compress", str(THERMOSTAT), "a", "--segment-octets", "40"], "allows segments"),
        (["compress", str(THERMOSTAT), "a", "--rtp-port", "70000"], "not 70000"),
        (["decompress", "missing.pcapng", "a"], "missing.pcapng is neither hex octets nor a file"),
        (["decompress", str(THERMOSTAT), "a"], "holds no ROHC packet"),
        (["stats", "folder"], "folder is no file"),
        (["stats", str(THERMOSTAT), "--optimistic-repeats", "99"], "is 1 to 15, not 99"),
    ],
    ids=lambda value: (
        " ".join(Path(word).name for word in value) if isinstance(value, list) else ""
    ),
)
def test_a_mistake_is_named_with_the_next_step(
    testbed: Run, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "words.txt").write_text("fd02\nhello\n")
    done = testbed("rohc", *arguments)
    assert done.code == USAGE, done.err
    assert "Traceback" not in done.err
    assert expected in " ".join(done.err.split())
    assert not (tmp_path / "a").exists()


def test_octets_of_any_kind_are_explained_without_a_traceback(testbed: Run) -> None:
    words = [bytes([first, *range(20)]).hex() for first in range(256)]
    for channel in ([], ["--large-cids", "--max-cid", "16383"]):
        done = testbed("rohc", "explain", *channel, *compressed_words(), *words)
        assert done.code == 0
        assert done.err == ""
        assert "packet 261:" in done.out


def compressed_words() -> list[str]:
    return [one.hex() for one in compressed(flow(5))]
