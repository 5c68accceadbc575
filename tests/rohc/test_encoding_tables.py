"""Encoding methods as tables worked out by hand: W-LSB, IP-ID offsets, SDVL, CRCs and lists.

`test_encoding.py` has the properties that hold for all values; here stand the values that a reader
of RFC 3095 sections 4.5, 5.8 and 5.9 works out on paper.
"""

from __future__ import annotations

import pytest
from by_hand import crc, crc_order
from hypothesis import given
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, udp

from rohc import Compressor, MalformedPacket, RohcUsageError
from rohc.channel import Channel, Profile
from rohc.encoding import sdvl, wlsb
from rohc.encoding.crc import CRC3, CRC7, CRC8, fcs32
from rohc.encoding.ip_id import Behaviour, behaviour_between, offset_of, swapped
from rohc.encoding.lists import ListState, csrc_length, read_list, write_generic
from rohc.encoding.wlsb import Window
from rohc.headers.coverage import in_crc_order
from rohc.headers.extension import item_octets
from rohc.headers.parse import parse_ip_chain, parse_rtp, parse_transport
from rohc.profiles.registry import spec_of

M16, M32 = 0xFFFF, 0xFFFFFFFF

# W-LSB: f(v_ref, k) = [v_ref - p, v_ref + (2^k - 1) - p] (4.5.1) --------------------------------


@pytest.mark.parametrize(
    ("name", "reference", "k", "p", "mask", "lowest", "highest"),
    [
        ("p = 0: nothing behind the reference", 100, 4, 0, M16, 100, 115),
        ("p = -1: the SN that never repeats", 100, 4, -1, M16, 101, 116),
        ("p = 1: one behind", 100, 4, 1, M16, 99, 114),
        ("p = 2^k - 1: nothing ahead", 100, 4, 15, M16, 85, 100),
        ("p in the middle", 100, 4, 7, M16, 93, 108),
        ("the upper end wraps around", 0xFFF8, 4, 0, M16, 0xFFF8, 0x0007),
        ("the lower end wraps around", 3, 4, 7, M16, 0xFFFC, 0x000B),
        ("p = -1 at the very end", 0xFFFF, 4, -1, M16, 0, 15),
        ("32 bits wrap around", 0xFFFFFFF8, 5, 0, M32, 0xFFFFFFF8, 23),
        ("k = 0: one value", 100, 0, 0, M16, 100, 100),
        ("k = 16: every value", 100, 16, 0, M16, 100, 99),
        ("k = 16 with p", 100, 16, 7, M16, 93, 92),
    ],
)
def test_the_interval_has_these_ends(
    name: str, reference: int, k: int, p: int, mask: int, lowest: int, highest: int
) -> None:
    for value in (lowest, highest):
        assert wlsb.lies_within(reference, value, k, p, mask)
        assert wlsb.decode(reference, value & ((1 << k) - 1), k, p, mask) == value
    if k < 16:
        below, above = (lowest - 1) & mask, (highest + 1) & mask
        assert not wlsb.lies_within(reference, below, k, p, mask)
        assert not wlsb.lies_within(reference, above, k, p, mask)
        # What lies outside is decoded as its like inside.
        if k:
            assert wlsb.decode(reference, below & ((1 << k) - 1), k, p, mask) == highest
            assert wlsb.decode(reference, above & ((1 << k) - 1), k, p, mask) == lowest


@pytest.mark.parametrize("reference", [0, 1, 7, 8, 0x7FFF, 0x8000, 0xFFF0, 0xFFFF])
@pytest.mark.parametrize("p", [-1, 0, 1, 3, 7, 15])
def test_every_value_of_a_four_bit_interval_comes_back(reference: int, p: int) -> None:
    interval = [(reference - p + step) & M16 for step in range(16)]
    assert len({value & 15 for value in interval}) == 16
    for value in interval:
        assert wlsb.decode(reference, value & 15, 4, p, M16) == value


@pytest.mark.parametrize(
    ("k", "p"), [(4, 1), (5, 0), (6, 1), (7, 3), (8, 7), (9, 15), (11, 63), (13, 255), (16, 2047)]
)
def test_section_5_7_the_p_of_an_rtp_sequence_number(k: int, p: int) -> None:
    assert wlsb.rtp_shift(k) == p
    assert spec_of(Profile.RTP).sn_shift(k) == p
    assert spec_of(Profile.ESP).sn_shift(k) == p
    assert spec_of(Profile.UDP_LITE_RTP).sn_shift(k) == p


@pytest.mark.parametrize("profile", [Profile.UDP, Profile.IP, Profile.UDP_LITE])
@pytest.mark.parametrize("k", [4, 5, 8, 13])
def test_section_5_11_the_p_of_the_compressors_own_number(profile: Profile, k: int) -> None:
    assert spec_of(profile).sn_shift(k) == -1


@pytest.mark.parametrize(
    ("name", "references", "value", "p", "bits"),
    [
        # the smallest k that suffices for each reference of the window
        ("one reference, the next value", [10], 11, 0, 1),
        ("two references", [10, 11], 12, 0, 2),
        ("four references", [8, 9, 10, 11], 12, 0, 3),
        ("a jump", [10, 11, 12], 40, 0, 5),
        ("a value behind the newest, p = 1", [10, 12], 11, 1, 2),
        ("around the wrap", [0xFFFE, 0xFFFF], 2, 0, 3),
        ("far behind needs the whole number", [10], 9, 0, 16),
        ("p = -1 saves the reference itself", [0], 16, -1, 4),
    ],
)
def test_a_window_needs_as_many_bits_as_its_worst_candidate(
    name: str, references: list[int], value: int, p: int, bits: int
) -> None:
    window = Window(8, M16)
    for number, reference in enumerate(references):
        window.add(number, reference)
    needed = next(k for k in range(17) if window.suffices(value, k, p))
    assert needed == bits
    for reference in references:
        assert wlsb.decode(reference, value & ((1 << bits) - 1), bits, p, M16) == value


@pytest.mark.parametrize(
    ("acknowledged", "left"),
    [
        # packets 10, 12, 15 and 16 gave references
        (9, [100, 120, 150, 160]),
        (10, [100, 120, 150, 160]),
        (11, [100, 120, 150, 160]),
        (12, [120, 150, 160]),
        (14, [120, 150, 160]),
        (15, [150, 160]),
        (16, [160]),
        (20, [160]),
    ],
)
def test_an_ack_drops_what_the_peer_cannot_have_any_more(
    acknowledged: int, left: list[int]
) -> None:
    window = Window(8, M16)
    for number in (10, 12, 15, 16):
        window.add(number, 10 * number)
    window.acknowledge(acknowledged, M16)
    assert window.values == left


def test_a_full_window_forgets_its_oldest() -> None:
    window = Window(3, M16)
    for number in range(5):
        window.add(number, 7 * number)
    assert (window.values, window.numbers) == ([14, 21, 28], [2, 3, 4])
    assert window.agrees(28) is False
    window.clear()
    assert not window.suffices(1, 16, 0)
    assert not window.agrees(1)


# Offset IP-ID (4.5.5) ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identification", "sn", "nbo", "offset"),
    [
        (0x1234, 0x0034, True, 0x1200),
        (0x0000, 0x0001, True, 0xFFFF),
        (0x3412, 0x0034, False, 0x1200),
        (0x0100, 0x0001, False, 0x0000),
        (0xFFFF, 0xFFFF, True, 0),
    ],
)
def test_the_offset_is_the_id_less_the_sn(
    identification: int, sn: int, nbo: bool, offset: int
) -> None:
    assert offset_of(identification, sn, nbo) == offset


@pytest.mark.parametrize(
    ("before", "after", "behaviour"),
    [
        (5, 6, Behaviour.SEQUENTIAL),
        (5, 69, Behaviour.SEQUENTIAL),
        (0xFFFF, 0, Behaviour.SEQUENTIAL),
        (5, 5, Behaviour.CONSTANT),
        (0, 0, Behaviour.CONSTANT),
        (0x0500, 0x0600, Behaviour.SWAPPED),
        (0xFF00, 0x0001, Behaviour.SWAPPED),
        (5, 70, Behaviour.RANDOM),
        (6, 5, Behaviour.RANDOM),
        (0x1234, 0xBEEF, Behaviour.RANDOM),
    ],
)
def test_how_an_ip_id_follows_another(before: int, after: int, behaviour: Behaviour) -> None:
    assert behaviour_between(before, after) == behaviour


@given(st.integers(0, M16))
def test_swapping_twice_is_nothing(value: int) -> None:
    assert swapped(swapped(value)) == value
    assert swapped(value) == int.from_bytes(value.to_bytes(2, "little"), "big")


# Self-describing variable-length values (4.5.6) -------------------------------------------------

SDVL = [
    # value, octets, bits
    (0, "00", 7),
    (1, "01", 7),
    (0x7F, "7f", 7),
    (0x80, "8080", 14),
    (0xA0, "80a0", 14),
    (0x3FFF, "bfff", 14),
    (0x4000, "c04000", 21),
    (0x1FFFFF, "dfffff", 21),
    (0x200000, "e0200000", 29),
    (0x1FFFFFFF, "ffffffff", 29),
]


@pytest.mark.parametrize(("value", "octets", "bits"), SDVL)
def test_each_size_of_a_self_describing_value(value: int, octets: str, bits: int) -> None:
    data = bytes.fromhex(octets)
    assert sdvl.encode(value) == data
    assert sdvl.encode_bits(value, bits) == data
    assert sdvl.decode_bits(b"\xff" + data + b"rest", 1) == (value, bits, 1 + len(data))
    for short in range(len(data)):
        with pytest.raises(MalformedPacket):
            sdvl.decode(data[:short], 0)


@pytest.mark.parametrize(
    ("octets", "value"), [("8001", 1), ("c00001", 1), ("e0000001", 1), ("80ff", 0xFF)]
)
def test_a_longer_form_than_needed_is_read_too(octets: str, value: int) -> None:
    assert sdvl.decode(bytes.fromhex(octets), 0)[0] == value


@pytest.mark.parametrize("bits", [0, 8, 15, 32])
def test_only_the_four_sizes_can_be_written(bits: int) -> None:
    with pytest.raises(RohcUsageError, match="7, 14, 21 or 29"):
        sdvl.encode_bits(1, bits)


# CRCs (5.9, RFC 4815 section 2.1) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "crc3", "crc7", "crc8"),
    [
        # worked out with the bitwise algorithm of `by_hand`, itself RFC 4815 appendix A
        (b"", 0x7, 0x7F, 0xFF),
        (b"123456789", 0x6, 0x53, 0xD0),
    ],
)
def test_the_check_values_of_the_crc_catalogues(
    text: bytes, crc3: int, crc7: int, crc8: int
) -> None:
    # CRC-3/ROHC, CRC-7/ROHC and CRC-8/ROHC in the usual catalogues of CRCs
    assert (crc(3, text), crc(7, text), crc(8, text)) == (crc3, crc7, crc8)
    assert (CRC3.of(text), CRC7.of(text), CRC8.of(text)) == (crc3, crc7, crc8)


def test_the_check_value_of_fcs_32() -> None:
    # CRC-32/ISO-HDLC: 0xcbf43926, least significant octet first
    assert fcs32(b"123456789").hex() == "2639f4cb"


@given(st.binary(max_size=60))
def test_tables_give_what_the_bits_give(octets: bytes) -> None:
    for table in (CRC3, CRC7, CRC8):
        assert table.of(octets) == crc(table.bits, octets)


@pytest.mark.parametrize(("width", "table"), [(3, CRC3), (7, CRC7), (8, CRC8)])
@pytest.mark.parametrize("octets", [20, 28, 48])
def test_every_single_flipped_bit_changes_the_crc(width: int, table, octets: int) -> None:  # type: ignore[no-untyped-def]
    header = bytes(range(octets))
    for place in range(octets):
        for bit in range(8):
            damaged = bytearray(header)
            damaged[place] ^= 1 << bit
            assert table.of(damaged) != table.of(header)


RTP_HEAD = bytes.fromhex("b2e01234 0000a000 deadbeef 00000001 00000002")
COVERED = [
    ("IPv4/UDP", ipv4(udp(b"x")), False, 28),
    ("IPv6/UDP", ipv6(udp(b"x")), False, 48),
    ("IPv4/ESP", ipv4(bytes(range(12)), protocol=50), False, 28),
    ("IPv4/UDP-Lite", ipv4(udp(b""), protocol=136), False, 28),
    ("IPv4 in IPv6/UDP", ipv6(ipv4(udp(b"x")), next_header=4), False, 68),
    ("IPv6 in IPv4/UDP", ipv4(ipv6(udp(b"x")), protocol=41), False, 68),
    ("IPv4/UDP/RTP with two CSRCs", ipv4(udp(RTP_HEAD + b"v")), True, 48),
]


@pytest.mark.parametrize(
    ("name", "packet", "rtp", "octets"), COVERED, ids=[row[0] for row in COVERED]
)
def test_5_9_2_the_header_crc_covers_every_octet_once_static_ones_first(
    name: str, packet: bytes, rtp: bool, octets: int
) -> None:
    headers = parse_ip_chain(packet)
    assert headers is not None
    parse_transport(packet, headers)
    if rtp:
        assert parse_rtp(packet, headers)
    assert headers.size == octets
    static, dynamic = in_crc_order(headers, packet[:octets])
    assert static + dynamic == crc_order(packet, rtp=rtp)
    assert sorted(static + dynamic) == sorted(packet[:octets])


# Lists (5.8.6) ----------------------------------------------------------------------------------

A, B, C, D, E = (bytes((letter,)) * 4 for letter in b"ABCDE")


def with_reference(*items: bytes, generation: int = 7) -> ListState:
    """A state whose reference list has these items, of index 0 and up."""
    state = ListState()
    marks = bytes(0x80 | index for index in range(len(items)))
    head = bytes((0x30 | len(items), generation))
    assert read_list(head + marks + b"".join(items), 0, state, csrc_length)[0] == items
    return state


TYPE_0 = [
    # ET 00, GP 0, PS, CC; XI fields; items
    ("nothing", "00", (), ()),
    ("one item, 4-bit XI and 4 bits of padding", "01 80 41414141", (), (A,)),
    ("two items", "02 89 41414141 42424242", (), (A, B)),
    ("three items", "03 89 a0 41414141 42424242 43434343", (), (A, B, C)),
    ("8-bit XI", "11 85 41414141", (), (A,)),
    ("8-bit XI, two items", "12 ff 80 41414141 42424242", (), (A, B)),
    ("known items by their index", "02 10", (A, B), (B, A)),
    ("one known and one new", "02 1a 43434343", (A, B), (B, C)),
    ("an item twice", "02 11", (A, B), (B, B)),
    ("an index told anew", "01 90 45454545", (A, B), (E,)),
]


@pytest.mark.parametrize(
    ("name", "octets", "known", "items"), TYPE_0, ids=[row[0] for row in TYPE_0]
)
def test_5_8_6_1_encoding_type_0(
    name: str, octets: str, known: tuple[bytes, ...], items: tuple[bytes, ...]
) -> None:
    state = with_reference(*known) if known else ListState()
    data = bytes.fromhex(octets)
    assert read_list(data + b"!", 0, state, csrc_length) == (items, len(data))
    for short in range(len(data)):
        with pytest.raises(MalformedPacket):
            fresh = with_reference(*known) if known else ListState()
            read_list(data[:short], 0, fresh, csrc_length)


AGAINST = [
    # the reference is A B C with generation 7
    # ET 01: GP 0 PS 0 XI 1; ref_id; mask; further XI; items
    ("insertion in front", "4b 07 40 44444444", (D, A, B, C)),
    ("insertion at the end", "4b 07 08 44444444", (A, B, C, D)),
    ("insertion of a known item", "40 07 20", (A, A, B, C)),
    ("two insertions, 4-bit XI", "4b 07 48 c0 44444444 45454545", (D, A, B, E, C)),
    ("insertion with a mask of 15 bits", "4b 07 a000 44444444", (A, D, B, C)),
    ("insertion, 8-bit XI", "50 07 40 83 44444444", (D, A, B, C)),
    ("insertion of nothing", "40 07 00", (A, B, C)),
    # ET 10: count; ref_id; mask
    ("removal of the first", "83 07 40", (B, C)),
    ("removal of the last", "83 07 10", (A, B)),
    ("removal of all", "83 07 70", ()),
    ("removal of none", "83 07 00", (A, B, C)),
    ("removal with a mask of 15 bits", "83 07 9000", (A, B)),
    # ET 11: XI 1; ref_id; removal mask; insertion mask; items
    ("replacement of the middle", "cb 07 20 20 44444444", (A, D, C)),
    ("replacement of all by one", "cb 07 70 40 44444444", (D,)),
    ("replacement by a known item", "c2 07 40 40", (C, B, C)),
]


@pytest.mark.parametrize(("name", "octets", "items"), AGAINST, ids=[row[0] for row in AGAINST])
def test_5_8_6_2_to_4_encoding_types_1_to_3(
    name: str, octets: str, items: tuple[bytes, ...]
) -> None:
    data = bytes.fromhex(octets)
    state = with_reference(A, B, C)
    assert read_list(data + b"!", 0, state, csrc_length) == (items, len(data))
    for short in range(len(data)):
        with pytest.raises(MalformedPacket):
            read_list(data[:short], 0, with_reference(A, B, C), csrc_length)


def test_5_8_1_1_the_translation_table_learns_from_every_type() -> None:
    state = with_reference(A, B, C)
    read_list(bytes.fromhex("4b 07 40 44444444"), 0, state, csrc_length)
    assert state.table == {0: A, 1: B, 2: C, 3: D}
    # Index 3 may now be named without its item.
    assert read_list(bytes.fromhex("01 30"), 0, state, csrc_length)[0] == (D,)


def test_5_8_2_a_reference_older_than_the_one_named_is_dropped() -> None:
    state = with_reference(A, B, generation=1)
    read_list(bytes.fromhex("21 02 80") + C, 0, state, csrc_length)
    read_list(bytes.fromhex("21 03 80") + D, 0, state, csrc_length)
    assert list(state.references) == [1, 2, 3]
    read_list(bytes.fromhex("81 02 00"), 0, state, csrc_length)
    assert list(state.references) == [2, 3]


def test_references_do_not_pile_up() -> None:
    state = ListState()
    for generation in range(200):
        read_list(bytes((0x21, generation, 0x80)) + A, 0, state, csrc_length)
    assert list(state.references) == [196, 197, 198, 199]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 15])
def test_a_list_that_is_written_is_read_again(count: int) -> None:
    items = tuple(bytes((n, n, n, n)) for n in range(count))
    data = write_generic(items)
    assert read_list(data, 0, ListState(), csrc_length) == (items, len(data))
    assert data[0] >> 4 == (1 if count > 8 else 0)


EXTENSION_ITEMS = [
    # name, item in hex, its octets
    ("hop-by-hop options, 8 octets", "00 00 0502 0000 0100", 8),
    ("routing, 24 octets", "2b 02" + "00" * 22, 24),
    ("destination options, 16 octets", "3c 01" + "00" * 14, 16),
    ("mobility", "87 00" + "00" * 6, 8),
    ("AH without data counts at least 12 octets", "33 01" + "00" * 10, 12),
    ("AH with a 12-octet ICV", "33 04" + "00" * 22, 24),
    ("GRE without options", "2f 00", 2),
    ("GRE with checksum", "2f 80 1234", 4),
    ("GRE with key and sequence number", "2f 30" + "00" * 8, 10),
    ("GRE with all", "2f b0" + "00" * 10, 12),
    ("minimal encapsulation", "37 00" + "00" * 6, 8),
    ("minimal encapsulation with a source", "37 80" + "00" * 10, 12),
]


@pytest.mark.parametrize(
    ("name", "item", "octets"), EXTENSION_ITEMS, ids=[row[0] for row in EXTENSION_ITEMS]
)
def test_5_8_4_each_extension_header_item_tells_its_length(
    name: str, item: str, octets: int
) -> None:
    data = bytes.fromhex(item)
    assert len(data) == octets
    assert item_octets(b"\xff" + data, 1) == octets
    listed = b"\x01\x80" + data
    assert read_list(listed, 0, ListState(), item_octets) == ((data,), len(listed))
    with pytest.raises(MalformedPacket):
        read_list(listed[:-1], 0, ListState(), item_octets)


@pytest.mark.parametrize("kind", [1, 4, 6, 17, 41, 44, 50, 58, 59, 136, 255])
def test_5_4_other_types_are_no_items(kind: int) -> None:
    with pytest.raises(MalformedPacket, match=f"type {kind} "):
        item_octets(bytes((kind, 0)) + bytes(30), 0)


def test_5_8_2_esp_null_is_not_compressed_as_an_extension_header() -> None:
    # RFC 4815 5.5: the outer ESP header is a regular one, in profile 0x0003.
    inner = (1 << 32 | 5).to_bytes(8, "big") + b"null"
    packet = ipv6((2 << 32 | 9).to_bytes(8, "big") + inner, next_header=50)
    compressor = Compressor(Channel(), mode="U")
    sent = compressor.compress(packet)
    assert compressor.last is not None
    assert compressor.last.profile == 3
    assert sent.endswith(inner)
