"""``testbed rohc``: packets explained, captures compressed and decompressed, savings told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

import rohc
from testbed.cli.rohc_files import (
    FoundPacket,
    IpPackets,
    RohcPackets,
    create_capture,
    rohc_frame,
)
from testbed.cli.rohc_show import (
    explanation_json,
    print_explanation,
    print_failures,
    print_leftovers,
    print_sizes,
    print_trials,
    print_types,
    say,
)
from testbed.cli.rohc_traffic import Contexts, Failures, Pair, Tally, Trial, flow_of
from testbed.cli.shared import app, print_json
from testbed.compression import RohcMode
from testbed.errors import UsageError
from testbed.results.pcapng import LinkType

__all__ = ["compress", "decompress", "explain", "stats"]

commands = typer.Typer(
    name="rohc",
    help="Robust Header Compression: explain packets, compress and decompress captures, and tell "
    "what it would save.",
    add_completion=False,
    rich_markup_mode="rich",
)
app.add_typer(commands)


LargeCids = Annotated[
    bool, typer.Option("--large-cids", help="CIDs of 1 or 2 octets in place of Add-CID octets.")
]
MaxCid = Annotated[
    int, typer.Option("--max-cid", help="MAX_CID, the highest CID: to 15, or 16383 if large.")
]
Profiles = Annotated[
    str, typer.Option("--profiles", help="PROFILES: numbers with commas between, such as 0,2,0x4.")
]
Mrru = Annotated[int, typer.Option("--mrru", help="MRRU in octets; 0: nothing is segmented.")]
UdpPort = Annotated[
    int | None,
    typer.Option("--udp-port", min=1, max=65535, help="Take UDP payloads of this port as ROHC."),
]
Device = Annotated[str | None, typer.Option(help="Take only packets that this address sent.")]
RtpPorts = Annotated[
    list[int] | None,
    typer.Option("--rtp-port", help="UDP destination port of RTP, may be repeated."),
]
RtpHeuristic = Annotated[
    bool,
    typer.Option("--rtp-heuristic", help="Take flows for RTP whose first packets look like it."),
]
TimeStride = Annotated[
    int,
    typer.Option(
        "--time-stride-ms",
        help="Time of one RTP timestamp stride, for timer-based compression in O and R; 0: none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")]
IrRefresh = Annotated[
    int, typer.Option("--ir-refresh", help="U-mode: an IR every so many packets; 0: never.")
]
FoRefresh = Annotated[
    int, typer.Option("--fo-refresh", help="U-mode: an IR-DYN every so many packets; 0: never.")
]
Reordering = Annotated[
    bool, typer.Option("--reordering-expected", help="Avoid the packets that reordering breaks.")
]
StaticIpId = Annotated[
    bool, typer.Option("--static-ip-id", help="Tell a constant IP-ID in profiles 1 to 3, too.")
]

ALL_PROFILES = ",".join(str(int(profile)) for profile in rohc.Profile)


@commands.command()
def explain(
    packets: Annotated[
        list[str],
        typer.Argument(
            metavar="HEX...|FILE",
            help="Packets as hex words, or one capture, or one text file with a packet per line; "
            "- reads such lines from standard input.",
        ),
    ],
    udp_port: UdpPort = None,
    large_cids: LargeCids = False,
    max_cid: MaxCid = 15,
    profiles: Profiles = ALL_PROFILES,
    mrru: Mrru = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many packets.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Name every field of ROHC packets, in the order in which they were sent.

    A decompressor goes along, so that a packet of a known context shows its sequence number,
    whether its CRC is right, and the packet that comes out. It follows packets of any mode.
    """
    source = RohcPackets(packets, udp_port=udp_port)
    contexts = Contexts(_channel(large_cids, max_cid, profiles, mrru))
    told: list[dict[str, Any]] = []
    count = 0
    for found in islice(source, limit):
        count += 1
        decompressor = contexts.of(found.direction)
        # Before it is decompressed: that changes the context that explains it.
        explanation = rohc.explain(found.data, decompressor)
        result: rohc.Decompressed | None = None
        error: rohc.RohcError | None = None
        try:
            result = decompressor.decompress(found.data, found.now)
        except rohc.RohcError as failure:
            error = failure
        if json_output:
            told.append(explanation_json(found, explanation, result, error))
        else:
            print_explanation(found, explanation, result, error)
    if not count:
        raise source.nothing()
    if json_output:
        print_json({"packets": told, "skipped": dict(source.skipped), "torn": source.torn})
    else:
        print_leftovers(source.skipped, source.torn)


@commands.command()
def compress(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Capture with IP packets.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Capture to write (pcapng).")],
    mode: Annotated[
        RohcMode,
        typer.Option(
            "--mode",
            help="U: no feedback. O, R: a local decompressor's feedback comes before the next "
            "packet.",
        ),
    ] = RohcMode.UNIDIRECTIONAL,
    device: Device = None,
    large_cids: LargeCids = False,
    max_cid: MaxCid = 15,
    profiles: Profiles = ALL_PROFILES,
    repeats: Annotated[
        int | None,
        typer.Option("--optimistic-repeats", help="Packets in a row that carry a change; 1 to 15."),
    ] = None,
    ir_refresh: IrRefresh = 500,
    fo_refresh: FoRefresh = 50,
    ir_refresh_s: Annotated[
        float, typer.Option("--ir-refresh-s", help="The same in seconds of the capture.")
    ] = 0.0,
    fo_refresh_s: Annotated[
        float, typer.Option("--fo-refresh-s", help="The same in seconds of the capture.")
    ] = 0.0,
    rtp_ports: RtpPorts = None,
    rtp_heuristic: RtpHeuristic = False,
    time_stride_ms: TimeStride = 0,
    reordering: Reordering = False,
    static_ip_id: StaticIpId = False,
    first_sn: Annotated[
        int,
        typer.Option("--first-sn", help="First SN of a flow; a live channel draws it at random."),
    ] = 0,
    mrru: Mrru = 0,
    segment_octets: Annotated[
        int, typer.Option("--segment-octets", help="Segment larger ROHC packets; needs --mrru.")
    ] = 0,
    force: Force = False,
    json_output: Json = False,
) -> int:
    """Compress the IP packets of a capture to ROHC frames (EtherType 0x22F1), with their times.

    Every packet is decompressed again at once and compared. Exit code 1 when one did not come back,
    or when no profile of the channel could carry one.
    """
    if segment_octets and not mrru:
        raise UsageError(
            "--segment-octets needs a channel that allows segments",
            hint="give --mrru as well, such as --mrru 1600",
        )
    _finite("--ir-refresh-s", ir_refresh_s)
    _finite("--fo-refresh-s", fo_refresh_s)
    pair = Pair(
        _channel(large_cids, max_cid, profiles, mrru),
        mode=mode.value,
        segment_octets=segment_octets,
        **_repeats(repeats),
        ir_refresh_packets=ir_refresh,
        fo_refresh_packets=fo_refresh,
        ir_refresh_s=ir_refresh_s,
        fo_refresh_s=fo_refresh_s,
        rtp_ports=frozenset(rtp_ports or ()),
        rtp_heuristic=rtp_heuristic,
        time_stride_ms=time_stride_ms,
        reordering_expected=reordering,
        static_ip_id=static_ip_id,
        first_sn=first_sn,
    )
    found = IpPackets(source, device=_address(device))
    packets = _at_least_one(found)
    tally, failures = Tally(), Failures()
    with create_capture(target, [str(source)], force=force) as capture:
        interface = capture.add_interface(
            "rohc", description=f"ROHC, {mode}-mode", link_type=LinkType.ETHERNET
        )
        last_ns = 0
        for packet in packets:
            last_ns = last_ns if packet.time_ns is None else max(packet.time_ns, 0)
            try:
                sent = pair.send(packet.data, packet.now)
            except rohc.UnsupportedProfile as error:
                failures.add(packet.number, error)
                continue
            tally.add(len(packet.data), sent)
            if not sent.restored:
                failures.note(packet.number, "NotRestored", "it did not come back as it was")
            for octets in sent.packets:
                capture.write_packet(interface, rohc_frame(octets), last_ns)
    if json_output:
        print_json(
            {"mode": mode.value, "file": str(target), **tally.to_json()}
            | {"failures": failures.to_json()}
            | {"skipped": dict(found.skipped), "torn": found.torn}
        )
    else:
        print_types(f"{mode}-mode, by packet type", tally)
        print_sizes(tally.octets_before, tally.octets_after, "IP packets", "ROHC packets")
        print_sizes(tally.header_before, tally.header_after, "headers", "compressed headers")
        if mode is not RohcMode.UNIDIRECTIONAL:
            say(f"feedback: {tally.feedback_packets} packets, {tally.feedback_octets} octets")
        restored = tally.packets - tally.not_restored
        say(f"decompressed again: {restored} of {tally.packets} octet by octet the same")
        print_leftovers(found.skipped, found.torn)
        print_failures(failures, "not compressed as they should be")
        say(f"written: {target}")
    return failures.exit_code


@commands.command()
def decompress(
    source: Annotated[
        str,
        typer.Argument(metavar="IN", help="Capture with ROHC packets, or text with a hex per line"),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Capture to write (pcapng).")],
    udp_port: UdpPort = None,
    large_cids: LargeCids = False,
    max_cid: MaxCid = 15,
    profiles: Profiles = ALL_PROFILES,
    mrru: Mrru = 0,
    force: Force = False,
    json_output: Json = False,
) -> int:
    """Decompress the ROHC packets of a capture to IP packets (raw IP link type), with their times.

    Exit code 1 when a packet failed; failures are counted by kind and listed.
    """
    found = RohcPackets([source], udp_port=udp_port)
    contexts = Contexts(_channel(large_cids, max_cid, profiles, mrru))
    packets = _at_least_one(found)
    tally, failures = Tally(), Failures()
    others: Counter[str] = Counter()
    feedback_octets = octets_read = 0
    with create_capture(target, [source], force=force) as capture:
        interface = capture.add_interface("decompressed", description="what ROHC packets held")
        last_ns = 0
        for packet in packets:
            last_ns = last_ns if packet.time_ns is None else max(packet.time_ns, 0)
            try:
                result = contexts.of(packet.direction).decompress(packet.data, packet.now)
            except rohc.RohcError as error:
                feedback_octets += len(error.feedback_received)
                failures.add(packet.number, error)
                continue
            feedback_octets += len(result.feedback_received)
            octets_read += len(packet.data) - len(result.feedback_received)
            if result.packet is None:
                others[result.packet_type] += 1
                continue
            tally.count(
                result.packet_type,
                result.profile,
                octets=(len(result.packet), 0),
                headers=(0, result.header_bytes),
            )
            capture.write_packet(interface, result.packet, last_ns)
    if json_output:
        counts = tally.to_json()
        print_json(
            {
                "file": str(target),
                "packets": tally.packets,
                "octets": {"before": octets_read, "after": tally.octets_before},
                "packet_types": counts["packet_types"],
                "profiles": counts["profiles"],
                "without_packet": dict(others),
                "feedback_received_octets": feedback_octets,
                "failures": failures.to_json(),
                "skipped": dict(found.skipped),
                "torn": found.torn,
            }
        )
    else:
        print_types("decompressed, by packet type", tally)
        say(f"ROHC packets: {octets_read} octets, IP packets: {tally.octets_before} octets")
        if feedback_octets:
            say(f"feedback for the other direction: {feedback_octets} octets")
        for name, count in others.items():
            say(f"without a packet: {count} {name}")
        print_leftovers(found.skipped, found.torn)
        print_failures(failures, "not decompressed")
        say(f"written: {target}")
    return failures.exit_code


@commands.command()
def stats(
    source: Annotated[Path, typer.Argument(metavar="CAPTURE", help="Capture with IP packets.")],
    device: Device = None,
    modes: Annotated[
        list[RohcMode] | None,
        typer.Option("--mode", help="A mode to try, may be repeated; default: U and O."),
    ] = None,
    repeats: Annotated[
        list[int] | None,
        typer.Option(
            "--optimistic-repeats", help="A number to try, may be repeated; default: the package's."
        ),
    ] = None,
    large_cids: LargeCids = False,
    max_cid: MaxCid = 15,
    profiles: Profiles = ALL_PROFILES,
    ir_refresh: IrRefresh = 500,
    fo_refresh: FoRefresh = 50,
    rtp_ports: RtpPorts = None,
    rtp_heuristic: RtpHeuristic = False,
    time_stride_ms: TimeStride = 0,
    reordering: Reordering = False,
    static_ip_id: StaticIpId = False,
    json_output: Json = False,
) -> int:
    """Tell what ROHC would do to the IP packets of a capture, flow by flow.

    Nothing is written. Every packet is decompressed again and compared; exit code 1 when one did
    not come back or could not be carried.
    """
    channel = _channel(large_cids, max_cid, profiles, 0)
    found = IpPackets(source, device=_address(device))
    tried: list[int | None] = [*dict.fromkeys(repeats)] if repeats else [None]
    trials = [
        Trial(
            mode.value,
            number,
            Pair(
                channel,
                mode=mode.value,
                **_repeats(number),
                ir_refresh_packets=ir_refresh,
                fo_refresh_packets=fo_refresh,
                rtp_ports=frozenset(rtp_ports or ()),
                rtp_heuristic=rtp_heuristic,
                time_stride_ms=time_stride_ms,
                reordering_expected=reordering,
                static_ip_id=static_ip_id,
                first_sn=0,
            ),
        )
        for mode in dict.fromkeys(modes or [RohcMode.UNIDIRECTIONAL, RohcMode.OPTIMISTIC])
        for number in tried
    ]
    for packet in _at_least_one(found):
        flow = flow_of(packet.data)
        for trial in trials:
            trial.send(flow, packet)
    flows = list(trials[0].flows)
    if json_output:
        print_json(
            {
                "flows": [
                    asdict(flow) | {"trials": [one.to_json(one.flows[flow]) for one in trials]}
                    for flow in flows
                ],
                "total": [one.to_json(one.total) for one in trials],
                "failures": [one.failures.to_json() for one in trials],
                "skipped": dict(found.skipped),
                "torn": found.torn,
            }
        )
    else:
        for flow in flows:
            print_trials(str(flow), {trial.name: trial.flows[flow] for trial in trials})
        if len(flows) > 1:
            total = {trial.name: trial.total for trial in trials}
            print_trials(f"all {len(flows)} flows", total, first=False)
        print_leftovers(found.skipped, found.torn)
        for trial in trials:
            print_failures(trial.failures, f"{trial.name}: not compressed as they should be")
    return max(trial.failures.exit_code for trial in trials)


# Options ------------------------------------------------------------------------------------------


def _channel(large_cids: bool, max_cid: int, profiles: str, mrru: int) -> rohc.Channel:
    numbers: list[int] = []
    for word in profiles.split(","):
        try:
            numbers.append(int(word.strip(), 0))
        except ValueError:
            raise UsageError(
                f"--profiles: {word.strip()!r} is no profile number",
                hint=f"numbers with commas between, such as {ALL_PROFILES} or 0x0000,0x0002",
            ) from None
    return rohc.Channel(max_cid=max_cid, large_cids=large_cids, profiles=numbers, mrru=mrru)


def _repeats(number: int | None) -> dict[str, int]:
    return {} if number is None else {"optimistic_repeats": number}


def _finite(option: str, value: float) -> None:
    if not math.isfinite(value):
        raise UsageError(f"{option} is a number of seconds, not {value}", hint="0 switches it off")


def _address(device: str | None) -> bytes | None:
    if device is None:
        return None
    try:
        return ip_address(device.strip("[] ")).packed
    except ValueError:
        raise UsageError(
            f"{device!r} is no IP address", hint="name the device by its IPv4 or IPv6 address"
        ) from None


def _at_least_one(source: IpPackets | RohcPackets) -> Iterator[FoundPacket]:
    """The packets of a source, looked for before anything is written.

    Raises:
        UsageError: there is none.

    """
    packets = iter(source)
    first = next(packets, None)
    if first is None:
        raise source.nothing()

    def all_of_them() -> Iterator[FoundPacket]:
        yield first
        yield from packets

    return all_of_them()
