"""ROHC packets drawn by hand, and CRCs worked out without the package under test.

`draw` makes octets of a drawing as the RFC's figures have them:

    draw("0 sn:0101 crc:3", over=packet)      UO-0 with the CRC-3 over the headers of `packet`
    draw("110 sn:00011 x:1 crc:7", over=packet) + b"..."

A word is bits, or a name and bits; `crc:3` and `crc:7` stand for the CRC over the original headers,
`x` and hex digits for whole octets. `initial` makes IR and IR-DYN packets with their CRC-8.
"""

from __future__ import annotations

from rohc import Channel, Compressor, Decompressor

POLYNOMIALS = {3: 0x6, 7: 0x79, 8: 0xE0}
"""RFC 4815 appendix A."""
UDP, ESP, UDP_LITE = 17, 50, 136


def crc(width: int, octets: bytes) -> int:
    """A CRC of RFC 3095 section 5.9, one bit at a time (RFC 4815 appendix A)."""
    register = (1 << width) - 1
    for octet in octets:
        for place in range(8):
            low = (register ^ octet >> place) & 1
            register >>= 1
            if low:
                register ^= POLYNOMIALS[width]
    return register


def crc_order(packet: bytes, rtp: bool = False, levels: int = 2, last: bool = False) -> bytes:
    """The octets that a header CRC covers, static ones first (section 5.9.2).

    Args:
        packet: the original packet: one or two IP headers without extension headers.
        rtp: an RTP header follows UDP or UDP-Lite.
        levels: how many IP headers there are at most.
        last: the headers end with the last IP header (profile 0x0004).
    """
    static, dynamic, at = b"", b"", 0
    protocol = 4 if packet[0] >> 4 == 4 else 41
    while protocol in (4, 41) and levels:
        levels -= 1
        header = packet[at:]
        if header[0] >> 4 == 4:
            static += header[0:2] + header[6:10] + header[12:20]
            dynamic += header[2:6] + header[10:12]
            protocol, at = header[9], at + 20
        else:
            static += header[0:4] + header[6:40]
            dynamic += header[4:6]
            protocol, at = header[6], at + 40
    if protocol in (UDP, ESP, UDP_LITE) and not last:
        static += packet[at : at + 4]
        dynamic += packet[at + 4 : at + 8]
        at += 8
        if rtp:
            static += packet[at : at + 1] + packet[at + 8 : at + 12 + 4 * (packet[at] & 0x0F)]
            dynamic += packet[at + 1 : at + 8]
    return static + dynamic


def draw(text: str, over: bytes = b"", *, rtp: bool = False, last: bool = False) -> bytes:
    """The octets of a drawing.

    Args:
        text: words of bits, named or not, CRCs and octets.
        over: the original packet, over whose headers the CRC goes.
        rtp: it has an RTP header.
        last: its headers end with the last IP header.
    """
    bits = ""
    for word in text.split():
        if word.startswith("x") and ":" not in word:
            octets = bytes.fromhex(word[1:])
            bits += "".join(f"{octet:08b}" for octet in octets)
            continue
        name, _, value = word.rpartition(":")
        if name == "crc":
            width = int(value)
            value = f"{crc(width, crc_order(over, rtp=rtp, last=last)):0{width}b}"
        assert value
        assert set(value) <= {"0", "1"}, word
        bits += value
    assert len(bits) % 8 == 0, f"{text!r} has {len(bits)} bits"
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def initial(
    kind: int,
    profile: int,
    chains: str,
    payload: bytes = b"",
    *,
    cid: str = "",
    large: bool = False,
) -> bytes:
    """An IR (0xFC, 0xFD) or IR-DYN (0xF8) packet with its CRC-8.

    Args:
        kind: the packet type octet.
        profile: the profile octet.
        chains: the static and dynamic chains in hex; words may stand apart.
        payload: what follows.
        cid: the CID's octets in hex: an Add-CID octet, or a large CID.
        large: the CID stands behind the type octet.
    """
    octets = bytes.fromhex(chains)
    front = bytes((kind,))
    cids = bytes.fromhex(cid)
    head = front + cids if large else cids + front
    zeroed = head + bytes((profile, 0)) + octets
    return head + bytes((profile, crc(8, zeroed))) + octets + payload


class Hand:
    """A decompressor and a compressor that stand where a hand-made IR packet left them.

    Args:
        original: the first packet of the flow.
        ir: its IR packet, which both must agree on.
        mode: the highest mode of both.
        settings: what the compressor is given besides.
    """

    def __init__(self, original: bytes, ir: bytes, mode: str = "U", **settings: object) -> None:
        channel = Channel()
        self.decompressor = Decompressor(channel, mode=mode)
        given = {
            "optimistic_repeats": 1,
            "ir_refresh_packets": 0,
            "fo_refresh_packets": 0,
            **settings,
        }
        self.compressor = Compressor(channel, mode=mode, **given)  # type: ignore[arg-type]
        assert self.compressor.compress(original) == ir
        assert self.decompressor.decompress(ir).packet == original

    def down(self, octets: bytes, original: bytes, name: str) -> None:
        """The decompressor restores `original` of hand-made octets, as a packet of this type."""
        result = self.decompressor.decompress(octets)
        assert result.packet == original
        assert result.packet_type == name

    def up(self, original: bytes, octets: bytes, name: str) -> None:
        """The compressor makes these very octets of `original`."""
        assert self.compressor.compress(original).hex(" ") == octets.hex(" ")
        assert self.compressor.last is not None
        assert self.compressor.last.packet_type == name

    def both(self, original: bytes, octets: bytes, name: str) -> None:
        """Either direction."""
        self.up(original, octets, name)
        self.down(octets, original, name)
