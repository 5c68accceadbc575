"""Figures: the RFC's drawings as formats."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rohc.errors import MalformedPacket
from rohc.formats import base, extensions, parts, sets
from rohc.formats.compressed import Compressed, read_extension_3, write_extension_3
from rohc.formats.figure import Figure

ALL_FIGURES = [
    figure
    for module in (base, extensions, parts)
    for figure in vars(module).values()
    if isinstance(figure, Figure)
]
ALL_FORMATS = sorted(
    {form for group in vars(sets).values() if isinstance(group, tuple) for form in group},
    key=lambda form: (form.name, form.octets),
)


@pytest.mark.parametrize(
    ("figure", "values", "octets"),
    [
        # 0 | 1010 | 101
        (base.UO_0, (0b1010, 0b101), "55"),
        # 10 | 111111 || 00001 | 010
        (base.UO_1_PLAIN, (0x3F, 1, 2), "bf0a"),
        # 110 | 10101 || 1 | 1111111
        (base.UOR_2_PLAIN, (0b10101, 1, 0x7F), "d5ff"),
        # 110 | TS 10110 || TS 1 | M 0 | SN 111111 || X 0 | CRC 0000001
        (base.UOR_2, (0b101101, 0, 0x3F, 0, 1), "d6bf01"),
        # 10 | T 0 | ID 10001 || X 1 | SN 0011 | CRC 100
        (base.UO_1_ID, (0b10001, 1, 3, 4), "919c"),
        # 01 | SN 100000 || SN 1 | CRC 1010101
        (base.R_0_CRC, (0b1000001, 0x55), "60d5"),
        # 01 | SN 111 | IP-ID 101 || IP-ID 00000011
        (extensions.EXTENSION_1_PLAIN, (7, 0b10100000011), "7d03"),
        (parts.IPV4_STATIC, (4, 17, 0x0A000001, 0x0A000002), "40110a0000010a000002"),
        (parts.IPV4_DYNAMIC, (0, 64, 0x1234, 1, 0, 1, 0), "00401234a0"),
        (parts.IPV6_DYNAMIC, (0x48, 255), "48ff"),
        (parts.UDP_STATIC, (5683, 40000), "16339c40"),
    ],
)
def test_a_figure_gives_the_octets_worked_out_by_hand(
    figure: Figure, values: tuple[int, ...], octets: str
) -> None:
    assert figure.pack(*values).hex() == octets
    assert figure.unpack(bytes.fromhex("ff" + octets), 1) == values


@pytest.mark.parametrize("figure", ALL_FIGURES, ids=lambda figure: figure.name + figure.section)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_each_figure_gives_back_its_values(figure: Figure, data: st.DataObject) -> None:
    values = tuple(
        data.draw(st.integers(0, (1 << width) - 1), label=field)
        for field, width in zip(figure.fields, figure.widths, strict=True)
    )
    octets = figure.pack(*values)
    assert len(octets) == figure.octets
    assert figure.unpack(octets, 0) == values
    assert figure.named(values) == dict(zip(figure.fields, values, strict=True))


@pytest.mark.parametrize("figure", ALL_FIGURES, ids=lambda figure: figure.name + figure.section)
def test_a_figure_cut_short_is_malformed(figure: Figure) -> None:
    with pytest.raises(MalformedPacket, match="ends inside"):
        figure.unpack(bytes(figure.octets - 1), 0)


@pytest.mark.parametrize("form", ALL_FORMATS, ids=lambda form: f"{form.name}-{form.octets}")
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_each_compressed_format_gives_back_its_values(
    form: Compressed, data: st.DataObject
) -> None:
    values = {
        field: data.draw(st.integers(0, (1 << width) - 1), label=field)
        for field, width in form.widths.items()
    }
    if "X" in values:
        values["X"] = int(form.extension is not None)
    octets = form.pack(values)
    assert len(octets) == form.octets
    assert form.unpack(octets, 0) == values


@pytest.mark.parametrize(
    ("form", "field", "bits"),
    [
        (sets.UO_0, "SN", 4),
        (sets.UO_1_PLAIN, "IP-ID", 6),
        (sets.UOR_2_PLAIN[1], "SN", 8),
        (sets.UOR_2_PLAIN[2], "IP-ID", 11),
        (sets.UOR_2_PLAIN[3], "IP-ID2", 11),
        (sets.UOR_2_ID[3], "IP-ID", 16),
        (sets.UOR_2_ID[3], "TS", 8),
        (sets.UOR_2_RTP[3], "TS", 25),
        (sets.UO_0, "TS", 0),
    ],
)
def test_an_extension_adds_its_bits_below_those_of_the_base_header(
    form: Compressed, field: str, bits: int
) -> None:
    assert form.bits(field) == bits


def test_extension_3_has_its_fields_in_the_order_of_section_5_7_5() -> None:
    octets = write_extension_3(
        True,
        {"Mode": 1, "DF": 1, "NBO": 1, "ip": 1},
        {"TTL": b"\x3f", "SN": b"\x99", "IP-ID": b"\x01\x02", "TOS": b"\x48", "TOS2": b"\x11"},
    )
    # ip2 is announced by the caller's flags only: without it TOS2 would have no flags octet.
    assert octets.hex() == "ee" + "e4" + "99" + "48" + "3f" + "0102" + "11"
    octets = write_extension_3(True, {"Mode": 1, "ip2": 1, "RND2": 1}, {"TOS2": b"\x11"})
    assert octets.hex() == "c9" + "82" + "11"
    extension, behind = read_extension_3(octets + b"rest", 0, True, {})
    assert behind == 3
    assert extension.values == {"TOS2": 0x11}
    assert extension.flags["RND2"] == 1
    assert extension.flags["Mode"] == 1


def test_extension_3_of_rtp_announces_the_outer_flags_in_the_inner_ones() -> None:
    octets = write_extension_3(False, {"ip2": 1, "Tsc": 1}, {"TTL2": b"\x40"})
    assert octets.hex() == "ca" + "01" + "40" + "40"
    extension, behind = read_extension_3(octets, 0, False, {})
    assert (extension.values, behind) == ({"TTL2": 0x40}, 4)


@pytest.mark.parametrize("octets", ["", "e2", "e280", "c280", "c9", "c4", "c240"])
def test_an_extension_3_cut_short_is_malformed(octets: str) -> None:
    with pytest.raises(MalformedPacket):
        read_extension_3(bytes.fromhex(octets), 0, True, {})


@pytest.mark.parametrize("text", ["| 1   0 |", "/ Address /  many octets", "| SN |\n| SN |"])
def test_a_drawing_that_is_no_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="octets"):
        Figure("wrong", "none", text)
