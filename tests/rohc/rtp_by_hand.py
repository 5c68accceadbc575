"""The RTP flow that is drawn by hand: packets, its IR packet, and a decompressor behind it.

SN 0x0400, timestamp 160 * SN, IP-ID 0x0F00 + SN; TS_STRIDE 160 from the IR packet, TS_OFFSET 0, so
that the scaled timestamp of the context is the SN.
"""

from __future__ import annotations

from by_hand import initial
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, Decompressor
from rohc.decompression.context import DecompressorContext

TAIL = b"\x12\x34v"
"""UDP checksum and payload."""
SSRC = "73737263"
BASE = 0x0400


def rtp(
    gap: int,
    *,
    scaled: int | None = None,
    timestamp: int | None = None,
    marker: int = 0,
    payload_type: int = 96,
    padding: int = 0,
    extension: int = 0,
    csrcs: tuple[int, ...] = (),
    offset: int = 0,
    version: int = 4,
    ttl: int = 64,
    identification: int | None = None,
) -> bytes:
    """The packet `gap` SNs behind the context's.

    Args:
        scaled: how many strides its timestamp is behind the context's; as many as SNs by default.
        timestamp: the timestamp instead.
        offset: by how much the IP-ID offset has grown.
    """
    sn = BASE + gap & 0xFFFF
    if timestamp is None:
        timestamp = 160 * (BASE + (gap if scaled is None else scaled))
    first = 0x80 | padding << 5 | extension << 4 | len(csrcs)
    head = bytes((first, marker << 7 | payload_type)) + sn.to_bytes(2, "big")
    head += (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + bytes.fromhex(SSRC)
    head += b"".join(csrc.to_bytes(4, "big") for csrc in csrcs)
    datagram = udp(head + b"v", destination_port=5004, checksum=0x1234)
    if version == 6:
        return ipv6(datagram, hop_limit=ttl)
    number = 0x0F00 + sn + offset & 0xFFFF if identification is None else identification
    return ipv4(datagram, identification=number, ttl=ttl)


STATIC4 = "40 11 0a000001 c0000207  9c40 138c " + SSRC
STATIC6 = "600000 11 20010db8000a00000000000000000003 20010db8000a00000000000000000020"


def ir(version: int = 4, mode: str = "01", random_id: bool = False) -> bytes:
    """The IR packet of `rtp(0)` with RX, TS_STRIDE 160 and a Mode field."""
    flags = "e0" if random_id else "a0"
    ip = f"00 40 {0x0F00 + BASE:04x} {flags} 00" if version == 4 else "00 40 00"
    # V 2, P 0, RX 1, CC 0; M 0, PT 96; SN; TS; CSRC list without items; X 0, Mode, TIS 0, TSS 1;
    # TS_STRIDE 160 in two octets of self-describing form: 10 00000010100000.
    end = int("000" + "0" + mode + "01", 2)
    rtp_part = f"90 60 {BASE:04x} {160 * BASE:08x} 00 {end:02x} 80a0"
    static = STATIC4 if version == 4 else STATIC6 + "9c40 138c" + SSRC
    return initial(0xFD, 1, f"{static} {ip} 1234 {rtp_part}", b"v")


def decompressor_at(version: int = 4, mode: str = "U") -> Decompressor:
    decompressor = Decompressor(Channel(), mode=mode)
    assert decompressor.decompress(ir(version)).packet == rtp(0, version=version)
    return decompressor


def context_of(decompressor: Decompressor) -> DecompressorContext:
    context = decompressor.context_of(0)
    assert context is not None
    return context
