"""Encoding methods: RFC 3095 section 4.5 and 5.9, RFC 4815 section 2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rohc.encoding import sdvl, wlsb
from rohc.encoding.crc import CRC3, CRC7, CRC8, Crc, fcs32
from rohc.encoding.ip_id import Behaviour, behaviour_between, offset_of, swapped
from rohc.encoding.lists import ListState, csrc_length, read_list, write_generic
from rohc.errors import MalformedPacket, RohcUsageError
from rohc.headers.extension import item_octets


def bit_by_bit(data: bytes, bits: int, polynomial: int) -> int:
    """The algorithm of RFC 4815 appendix A."""
    crc = (1 << bits) - 1
    for octet in data:
        for _ in range(8):
            if (crc & 1) ^ (octet & 1):
                crc = (crc >> 1) ^ polynomial
            else:
                crc >>= 1
            octet >>= 1
    return crc


@pytest.mark.parametrize(
    ("crc", "bits", "polynomial"), [(CRC3, 3, 0x6), (CRC7, 7, 0x79), (CRC8, 8, 0xE0)]
)
@given(data=st.binary(max_size=60))
def test_rfc4815_2_1_each_crc_is_the_bitwise_algorithm(
    crc: Crc, bits: int, polynomial: int, data: bytes
) -> None:
    assert crc.of(data) == bit_by_bit(data, bits, polynomial)


@given(data=st.binary(max_size=40), split=st.integers(0, 40))
def test_a_crc_state_can_be_kept_and_continued(data: bytes, split: int) -> None:
    state = CRC7.update(CRC7.initial, data[:split])
    assert CRC7.update(state, data[split:]) == CRC7.of(data)


@given(words=st.lists(st.integers(0, 0xFFFF), max_size=12))
def test_the_pair_table_takes_two_octets_at_once(words: list[int]) -> None:
    pairs = CRC3.pairs()
    state = CRC3.initial
    for word in words:
        state = pairs[word ^ state << 8]
    assert state == CRC3.of(b"".join(word.to_bytes(2, "big") for word in words))


def test_fcs32_is_the_one_of_rfc_1662() -> None:
    # RFC 1662 appendix C.3: a frame with its FCS leaves the "good" state 0xDEBB20E3.
    data = b"123456789"
    state = 0xFFFFFFFF
    for octet in data + fcs32(data):
        state ^= octet
        for _ in range(8):
            state = (state >> 1) ^ 0xEDB88320 if state & 1 else state >> 1
    assert state == 0xDEBB20E3


@given(
    reference=st.integers(0, 0xFFFF),
    k=st.integers(1, 15),
    p=st.integers(-1, 200),
    step=st.integers(0, 0xFFFF),
)
def test_wlsb_restores_each_value_of_the_interpretation_interval(
    reference: int, k: int, p: int, step: int
) -> None:
    value = (reference - p + step % (1 << k)) & 0xFFFF
    assert wlsb.lies_within(reference, value, k, p, 0xFFFF)
    assert wlsb.decode(reference, value & ((1 << k) - 1), k, p, 0xFFFF) == value


@given(reference=st.integers(0, 0xFFFF), value=st.integers(0, 0xFFFF), k=st.integers(0, 15))
def test_wlsb_decodes_wrongly_exactly_outside_the_interval(
    reference: int, value: int, k: int
) -> None:
    decoded = wlsb.decode(reference, value & ((1 << k) - 1), k, 0, 0xFFFF)
    assert (decoded == value) == wlsb.lies_within(reference, value, k, 0, 0xFFFF)


@pytest.mark.parametrize(("k", "p"), [(1, 1), (4, 1), (5, 0), (6, 1), (9, 15), (14, 511)])
def test_the_rtp_sequence_number_leaves_room_for_reordering(k: int, p: int) -> None:
    assert wlsb.rtp_shift(k) == p


@given(values=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=20), k=st.integers(1, 15))
def test_bits_that_suffice_for_a_window_suffice_for_each_candidate(
    values: list[int], k: int
) -> None:
    window = wlsb.Window(4, 0xFFFF)
    for number, value in enumerate(values):
        window.add(number, value)
    kept = values[-4:]
    new = (values[-1] + 3) & 0xFFFF
    every = all(wlsb.lies_within(value, new, k, 0, 0xFFFF) for value in kept)
    assert window.suffices(new, k, 0) == every
    assert window.agrees(kept[-1]) == (len(set(kept)) == 1)


def test_an_acknowledged_value_ends_the_older_ones() -> None:
    window = wlsb.Window(4, 0xFFFF)
    for number in (0, 2, 4, 6):
        window.add(number, 100 * number)
    window.acknowledge(5, 0xFFFF)
    assert window.values == [400, 600]
    window.acknowledge(1, 0xFFFF)
    assert window.values == [400, 600]
    window.acknowledge(900, 0xFFFF)
    assert window.values == [600]


def test_an_empty_window_needs_the_whole_value() -> None:
    window = wlsb.Window(4, 0xFFFF)
    assert not window.suffices(5, 15, 0)
    assert not window.agrees(5)
    window.add(1, 5)
    window.clear()
    assert not window.agrees(5)


@given(value=st.integers(0, sdvl.MAXIMUM))
def test_a_self_describing_value_comes_back(value: int) -> None:
    octets = sdvl.encode(value)
    assert sdvl.decode(b"\xaa" + octets + b"\x55", 1) == (value, 1 + len(octets))


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8080"),
        (16383, "bfff"),
        (16384, "c04000"),
        (2097151, "dfffff"),
        (2097152, "e0200000"),
        (536870911, "ffffffff"),
    ],
)
def test_self_describing_values_have_the_sizes_of_section_4_5_6(value: int, octets: str) -> None:
    assert sdvl.encode(value).hex() == octets


@pytest.mark.parametrize("octets", ["", "80", "c000", "e00000"])
def test_a_self_describing_value_cut_short_is_malformed(octets: str) -> None:
    with pytest.raises(MalformedPacket):
        sdvl.decode(bytes.fromhex(octets), 0)


@pytest.mark.parametrize("value", [-1, sdvl.MAXIMUM + 1])
def test_a_self_describing_value_out_of_range_names_the_range(value: int) -> None:
    with pytest.raises(RohcUsageError, match="536870911"):
        sdvl.encode(value)


@pytest.mark.parametrize("bits", [7, 14, 21, 29])
def test_a_chosen_number_of_bits_is_kept(bits: int) -> None:
    octets = sdvl.encode_bits(0x12345678, bits)
    value, got, behind = sdvl.decode_bits(octets, 0)
    assert (value, got, behind) == (0x12345678 & ((1 << bits) - 1), bits, len(octets))


def test_only_the_four_sizes_of_section_4_5_6_exist() -> None:
    with pytest.raises(RohcUsageError, match="7, 14, 21 or 29"):
        sdvl.encode_bits(1, 8)


@pytest.mark.parametrize(
    ("previous", "current", "behaviour"),
    [
        (10, 11, Behaviour.SEQUENTIAL),
        (0xFFFF, 3, Behaviour.SEQUENTIAL),
        (0x0100, 0x0200, Behaviour.SWAPPED),
        (7, 7, Behaviour.CONSTANT),
        (0, 0, Behaviour.CONSTANT),
        (0x1234, 0x8765, Behaviour.RANDOM),
    ],
)
def test_the_behaviour_of_an_ip_id_is_recognised(
    previous: int, current: int, behaviour: Behaviour
) -> None:
    assert behaviour_between(previous, current) == behaviour


@given(identification=st.integers(0, 0xFFFF), sn=st.integers(0, 0xFFFF))
def test_an_ip_id_in_either_byte_order_is_sn_plus_offset(identification: int, sn: int) -> None:
    assert (sn + offset_of(identification, sn, True)) & 0xFFFF == identification
    assert swapped((sn + offset_of(identification, sn, False)) & 0xFFFF) == identification


# Lists ---------------------------------------------------------------------------------------


@given(items=st.lists(st.binary(min_size=4, max_size=4), max_size=15))
def test_a_generic_list_comes_back(items: list[bytes]) -> None:
    state = ListState()
    octets = write_generic(tuple(items))
    assert read_list(octets, 0, state, csrc_length) == (tuple(items), len(octets))


A, B, C, D = (bytes((letter,)) * 4 for letter in b"ABCD")


def lists_with_reference() -> ListState:
    """The list A, B, C with generation 7: ET 0, GP, 3 items of index 0 to 2 with 4-bit XI."""
    state = ListState()
    octets = bytes.fromhex("23 07 89 a0") + A + B + C
    assert read_list(octets, 0, state, csrc_length)[0] == (A, B, C)
    return state


@pytest.mark.parametrize(
    ("name", "octets", "result"),
    [
        # ET 0, two known indices and no items
        ("generic by index", bytes.fromhex("02 20"), (C, A)),
        # ET 1, XI 1 = new index 3; reference 7; mask 0 0100000: behind the first
        ("insertion", bytes.fromhex("4b 07 20") + D, (A, D, B, C)),
        # ET 1, PS = 1: XI octet with X = 1, index 3
        ("insertion, wide", bytes.fromhex("50 07 20 83") + D, (A, D, B, C)),
        # ET 2, count 3; reference 7; mask 0 0100000
        ("removal", bytes.fromhex("83 07 20"), (A, C)),
        # ET 2 with a mask of 15 bits
        ("removal, long mask", bytes.fromhex("83 07 a000"), (A, C)),
        # ET 3: remove the first, insert D in front of what is left
        ("removal and insertion", bytes.fromhex("cb 07 40 40") + D, (D, B, C)),
        # ET 3: remove the first, insert index 0 (known) and index 3 (new) at the end
        ("two insertions", bytes.fromhex("c0 07 40 18 b0") + D, (B, C, A, D)),
    ],
)
def test_each_encoding_type_of_section_5_8_6(
    name: str, octets: bytes, result: tuple[bytes, ...]
) -> None:
    state = lists_with_reference()
    assert read_list(octets + b"rest", 0, state, csrc_length) == (result, len(octets)), name
    assert state.current == result


def test_rfc4815_5_3_items_behind_a_short_mask_stay() -> None:
    state = ListState()
    items = tuple(bytes((n,)) * 4 for n in range(9))
    marks = bytes(0x80 | n for n in range(9))
    read_list(bytes((0x39, 5)) + marks + b"".join(items), 0, state, csrc_length)
    removed = read_list(bytes((0x89, 5, 0x01)), 0, state, csrc_length)[0]
    assert removed == items[:6] + items[7:]


def test_rfc4815_5_7_a_reference_to_an_empty_list_is_malformed() -> None:
    state = ListState()
    read_list(bytes((0x20, 9)), 0, state, csrc_length)
    with pytest.raises(MalformedPacket, match="reference"):
        read_list(bytes((0x48, 9, 0x40)) + A, 0, state, csrc_length)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("unknown index", "01 50"),
        ("unknown reference", "83 08 20"),
        ("other number of items", "84 07 20"),
        ("no mask", "83 07"),
        ("half a mask", "83 07 a0"),
        ("no generation", "20"),
        ("item cut short", "01 80 41 41"),
        ("no XI", "02"),
        ("empty", ""),
    ],
)
def test_a_bad_list_is_malformed(name: str, octets: str) -> None:
    with pytest.raises(MalformedPacket):
        read_list(bytes.fromhex(octets), 0, lists_with_reference(), csrc_length)


@pytest.mark.parametrize(
    ("item", "length"),
    [("00 00 0102030405 06", 8), ("3c 01" + "00" * 14, 16), ("33 04" + "00" * 22, 24)],
)
def test_an_extension_header_item_tells_its_length(item: str, length: int) -> None:
    assert item_octets(bytes.fromhex(item), 0) == length


def test_an_item_of_another_type_is_malformed() -> None:
    with pytest.raises(MalformedPacket, match="type 17"):
        item_octets(bytes.fromhex("1100000000000000"), 0)
