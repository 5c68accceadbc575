"""Flows whose sequence numbers are the source's own, from sources that leap, repeat and go back.

No packet is lost. To a decompressor a number that goes back looks like a packet that came late, and
a leap like a burst of loss; the compressor knows better, and says what leaves no doubt.
"""

from __future__ import annotations

import pytest
from rohc_packets import ipv4, udp, udp_checksum

from rohc import Channel, Compressor, Decompressor


def esp(sn: int, *, ttl: int = 64, spi: int = 7, identification: int = 1) -> bytes:
    body = (spi << 32 | sn).to_bytes(8, "big") + b"secret"
    return ipv4(body, protocol=50, ttl=ttl, identification=identification)


def rtp(sn: int, csrcs: int = 0, ttl: int = 64, damage: int = 0) -> bytes:
    head = bytes((0x80 | csrcs, 0)) + sn.to_bytes(2, "big") + (160 * sn).to_bytes(4, "big")
    head += b"ssrc" + b"".join(bytes((9, 9, 9, number)) for number in range(csrcs))
    packet = ipv4(udp(head + b"voice", destination_port=5004), identification=sn, ttl=ttl)
    checksum = udp_checksum(packet) ^ damage
    return packet[:26] + checksum.to_bytes(2, "big") + packet[28:]


class Ends:
    """A compressor and a decompressor; feedback arrives at once."""

    def __init__(self, mode: str = "O", **settings: int) -> None:
        self.compressor = Compressor(Channel(), mode=mode, rtp_ports={5004}, **settings)
        self.decompressor = Decompressor(Channel(), mode=mode)
        self.types: list[str] = []

    def carry(self, packet: bytes) -> None:
        result = self.decompressor.decompress(self.compressor.compress(packet))
        assert result.packet == packet
        self.types.append(result.packet_type)
        self.compressor.deliver_feedback(result.feedback)


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("spi", range(3))
def test_an_older_number_is_not_restored_with_the_older_time_to_live(mode: str, spi: int) -> None:
    # A CRC of 3 bits takes one of eight for the other.
    for ttl in range(255):
        ends = Ends(mode, optimistic_repeats=2)
        for sn in range(97, 102):
            ends.carry(esp(sn, spi=spi, identification=sn))
        for sn in (103, 102, 104):
            ends.carry(esp(sn, spi=spi, ttl=ttl, identification=sn))


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("leap", [*range(2, 40), 63, 64, 127, 128, 255, 256, 4096, 4097, 40000])
def test_a_leap_is_not_taken_for_a_burst_of_loss(mode: str, leap: int) -> None:
    for spi in range(8):
        ends = Ends(mode)
        sn = 90
        for number in range(40):
            sn += leap if number > 9 and number % 3 == 0 else 1
            ends.carry(esp(sn, spi=spi, identification=sn & 0xFFFF))


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("back", [0, 1, 2, 30, 300])
def test_what_a_packet_tells_that_looks_late_is_kept(mode: str, back: int) -> None:
    ends = Ends(mode, optimistic_repeats=1)
    for sn in (*range(500, 511), 513):
        ends.carry(esp(sn))
    ends.carry(esp(513 - back, ttl=9))
    for sn in range(514 - back, 520 - back):
        ends.carry(esp(sn, ttl=9))


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("repeats", [1, 4])
def test_a_repeated_number_may_bring_other_csrcs(mode: str, repeats: int) -> None:
    ends = Ends(mode, optimistic_repeats=repeats)
    for sn in range(10):
        ends.carry(rtp(sn))
    for csrcs in (1, 1, 3, 0, 2):
        ends.carry(rtp(9, csrcs))
    for sn in (10, 13, 12, 12, 14, 15, 16):
        ends.carry(rtp(sn, 2 if sn > 12 else 1))


@pytest.mark.parametrize("mode", "UOR")
def test_a_wrong_checksum_behind_a_leap_is_the_sources_own(mode: str) -> None:
    ends = Ends(mode)
    for sn in range(20):
        ends.carry(rtp(sn))
    ends.carry(rtp(25, damage=0x0100))
    ends.carry(rtp(26))
    ends.carry(rtp(27, damage=0x0100))
    ends.carry(rtp(36, damage=0x0100))
    assert ends.types[20] == ends.types[23] == "IR-DYN"


def test_a_leap_costs_one_octet_and_a_step_back_an_ir_dyn_packet() -> None:
    ends = Ends()
    for sn in (*range(10), 14, 13, 15):
        ends.carry(esp(sn, identification=sn))
    assert ends.types[9:] == ["UO-0", "UOR-2", "IR-DYN", "UOR-2"]
