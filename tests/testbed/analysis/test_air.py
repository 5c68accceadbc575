"""What is modelled of the air: transport blocks by the tables, and the network's own ROHC."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rohc
from firmware_bridge.virtual import COVERAGE_LEVELS, NAS_OVERHEAD_BYTES
from testbed.analysis.air import AirTally, OuterShadow, SocketFlow, npusch_blocks
from testbed.packets import parse_udp_packet

# Worked out by hand from TS 36.213 table 16.5.1.2-2: the largest block of each level (I_TBS 9 with
# twelve subcarriers, 5 and 2 with one), less 40 bits of headers in each.
LARGEST_BITS = (936, 872, 424)


@pytest.mark.parametrize("ecl", range(3))
def test_the_first_octet_that_needs_another_block_is_where_the_table_says(ecl: int) -> None:
    room = (max_bits(ecl) - 40) // 8 - NAS_OVERHEAD_BYTES
    assert npusch_blocks(room)[ecl] == 1
    assert npusch_blocks(room + 1)[ecl] == 2
    assert npusch_blocks(2 * (room + NAS_OVERHEAD_BYTES) - NAS_OVERHEAD_BYTES)[ecl] == 2


def max_bits(ecl: int) -> int:
    from firmware_bridge.virtual.parameters import UPLINK_BLOCK_BITS

    found = max(UPLINK_BLOCK_BITS[COVERAGE_LEVELS[ecl].uplink_mcs])
    assert found == LARGEST_BITS[ecl]
    return found


@given(st.integers(28, 1500))
def test_worse_coverage_never_needs_fewer_blocks(size: int) -> None:
    assert list(npusch_blocks(size)) == sorted(npusch_blocks(size))


@given(st.lists(st.integers(29, 1400), min_size=1, max_size=12))
def test_the_shadow_compresses_what_another_decompressor_restores(sizes: list[int]) -> None:
    shadow = OuterShadow()
    compressor = rohc.Compressor(rohc.Channel(), mode="U", first_sn=0)
    decompressor = rohc.Decompressor(rohc.Channel(), mode="U")
    for number, size in enumerate(sizes, start=1):
        twin = OuterShadow()
        packet = b""
        for _ in range(number):  # the IP-ID counts
            packet = twin._packet(size)
        found = parse_udp_packet(packet)
        assert (len(packet), found.identification, found.destination_port) == (size, number, 4500)
        compressed = compressor.compress(packet)
        assert decompressor.decompress(compressed).packet == packet
        assert shadow.header_bytes(size) == len(compressed) - (size - 28)


def test_a_context_that_lives_on_saves_most_of_the_outer_headers() -> None:
    flow = SocketFlow()
    sizes = [flow.uplink(100, new_connection=True) for _ in range(20)]
    continued, anew = zip(*sizes, strict=True)
    assert continued[-1] <= 4
    assert set(anew) == {continued[0]}
    assert continued[0] > 20


def test_within_one_connection_a_new_context_is_used_as_well() -> None:
    flow = SocketFlow()
    flow.uplink(100, new_connection=True)
    together = [flow.uplink(100, new_connection=False) for _ in range(10)]
    assert all(continued == anew for continued, anew in together)


def test_means_say_that_they_are_modelled() -> None:
    tally = AirTally()
    assert tally.means() is None
    tally.add(100, (27, 27))
    tally.add(100, (3, 27))
    means = tally.means()
    assert means is not None
    zero, one, two = npusch_blocks(100)
    assert means.to_json() == {
        "kind": "modelled",
        "messages": 2,
        "npusch_blocks_by_ecl": [zero, one, two],
        "outer_headers_rohc_continued_bytes": 15,
        "outer_headers_rohc_anew_bytes": 27,
    }
