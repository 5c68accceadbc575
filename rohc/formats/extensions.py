"""Extensions 0 to 3 of compressed headers (RFC 3095 sections 5.7.5 and 5.11.4).

The bits of a field in an extension are less significant than its bits in the base header (4.5.7).
In the profiles with RTP, +T and -T are TS or IP-ID, as the T bit of the base header says. The other
profiles have formats of their own, here with the ending PLAIN.

Extension 3 is a row of flags, then the fields that the flags announce. `EXTENSION_3` and
`EXTENSION_3_PLAIN` hold that order.
"""

from __future__ import annotations

from rohc.formats.figure import Figure

__all__ = [
    "EXTENSION_0",
    "EXTENSION_0_PLAIN",
    "EXTENSION_1",
    "EXTENSION_1_PLAIN",
    "EXTENSION_2",
    "EXTENSION_2_PLAIN",
    "EXTENSION_3",
    "EXTENSION_3_FLAGS",
    "EXTENSION_3_FLAGS_PLAIN",
    "INNER_IP_FLAGS",
    "INNER_IP_FLAGS_PLAIN",
    "OUTER_IP_FLAGS",
    "RTP_FLAGS",
    "RTP_PAYLOAD_TYPE",
    "Item",
]

EXTENSION_0 = Figure(
    "Extension 0",
    "RFC 3095 5.7.5",
    """
    +---+---+---+---+---+---+---+---+
    | 0   0 |    SN     |    +T     |
    +---+---+---+---+---+---+---+---+
    """,
)

EXTENSION_1 = Figure(
    "Extension 1",
    "RFC 3095 5.7.5",
    """
    +---+---+---+---+---+---+---+---+
    | 0   1 |    SN     |    +T     |
    +---+---+---+---+---+---+---+---+
    |              -T               |
    +---+---+---+---+---+---+---+---+
    """,
)

EXTENSION_2 = Figure(
    "Extension 2",
    "RFC 3095 5.7.5",
    """
    +---+---+---+---+---+---+---+---+
    | 1   0 |    SN     |    +T     |
    +---+---+---+---+---+---+---+---+
    |              +T               |
    +---+---+---+---+---+---+---+---+
    |              -T               |
    +---+---+---+---+---+---+---+---+
    """,
)

EXTENSION_0_PLAIN = Figure(
    "Extension 0",
    "RFC 3095 5.11.4",
    """
    +---+---+---+---+---+---+---+---+
    | 0   0 |    SN     |   IP-ID   |
    +---+---+---+---+---+---+---+---+
    """,
)

EXTENSION_1_PLAIN = Figure(
    "Extension 1",
    "RFC 3095 5.11.4",
    """
    +---+---+---+---+---+---+---+---+
    | 0   1 |    SN     |   IP-ID   |
    +---+---+---+---+---+---+---+---+
    |             IP-ID             |
    +---+---+---+---+---+---+---+---+
    """,
)

EXTENSION_2_PLAIN = Figure(
    "Extension 2",
    "RFC 3095 5.11.4",
    """
    +---+---+---+---+---+---+---+---+
    | 1   0 |    SN     |   IP-ID2  |
    +---+---+---+---+---+---+---+---+
    |            IP-ID2             |
    +---+---+---+---+---+---+---+---+
    |             IP-ID             |
    +---+---+---+---+---+---+---+---+
    """,
)

EXTENSION_3_FLAGS = Figure(
    "Extension 3",
    "RFC 3095 5.7.5",
    """
    +-----+-----+-----+-----+-----+-----+-----+-----+
    |  1     1  |  S  |R-TS | Tsc |  I  | ip  | rtp |            (FLAGS)
    +-----+-----+-----+-----+-----+-----+-----+-----+
    """,
)

EXTENSION_3_FLAGS_PLAIN = Figure(
    "Extension 3",
    "RFC 3095 5.11.4",
    """
    +-----+-----+-----+-----+-----+-----+-----+-----+
    |  1     1  |  S  |   Mode    |  I  | ip  | ip2 |
    +-----+-----+-----+-----+-----+-----+-----+-----+
    """,
)

INNER_IP_FLAGS = Figure(
    "Inner IP header flags",
    "RFC 3095 5.7.5",
    """
    ..... ..... ..... ..... ..... ..... ..... .....
    | TOS | TTL | DF  | PR  | IPX | NBO | RND | ip2 |  if ip = 1
    ..... ..... ..... ..... ..... ..... ..... .....
    """,
)

INNER_IP_FLAGS_PLAIN = Figure(
    "Inner IP header flags",
    "RFC 3095 5.11.4",
    """
    ..... ..... ..... ..... ..... ..... ..... .....
    | TOS | TTL | DF  | PR  | IPX | NBO | RND | res |  if ip = 1
    ..... ..... ..... ..... ..... ..... ..... .....
    """,
)

OUTER_IP_FLAGS = Figure(
    "Outer IP header flags",
    "RFC 3095 5.7.5",
    """
    ..... ..... ..... ..... ..... ..... ..... .....
    | TOS2| TTL2| DF2 | PR2 |IPX2 |NBO2 |RND2 |  I2 |  if ip2 = 1
    ..... ..... ..... ..... ..... ..... ..... .....
    """,
)

RTP_FLAGS = Figure(
    "RTP header flags",
    "RFC 3095 5.7.5",
    """
    ..... ..... ..... ..... ..... ..... ..... .....
    |   Mode    |R-PT |  M  | R-X |CSRC | TSS | TIS |  if rtp = 1
    ..... ..... ..... ..... ..... ..... ..... .....
    """,
)

RTP_PAYLOAD_TYPE = Figure(
    "RTP payload type",
    "RFC 3095 5.7.5",
    """
    ..... ..... ..... ..... ..... ..... ..... .....
    | R-P |             RTP PT                      |  if R-PT = 1
    ..... ..... ..... ..... ..... ..... ..... .....
    """,
)


class Item:
    """One row of extension 3 behind the flags.

    Args:
        name: the field.
        flag: the flag that announces it.
        octets: its size; 0 for a self-describing length (4.5.6), -1 for a compressed list (5.8).
    """

    __slots__ = ("flag", "name", "octets")

    def __init__(self, name: str, flag: str, octets: int) -> None:
        self.name = name
        self.flag = flag
        self.octets = octets


SELF_DESCRIBING = 0
LIST = -1

EXTENSION_3 = (
    Item("SN", "S", 1),
    Item("TS", "R-TS", SELF_DESCRIBING),
    # Inner IP header fields
    Item("TOS", "TOS", 1),
    Item("TTL", "TTL", 1),
    Item("PR", "PR", 1),
    Item("IPX", "IPX", LIST),
    Item("IP-ID", "I", 2),
    # Outer IP header fields
    Item("TOS2", "TOS2", 1),
    Item("TTL2", "TTL2", 1),
    Item("PR2", "PR2", 1),
    Item("IPX2", "IPX2", LIST),
    Item("IP-ID2", "I2", 2),
    # RTP header flags and fields; the flags octet itself stands before them
    Item("RTP PT", "R-PT", 1),
    Item("CSRC", "CSRC", LIST),
    Item("TS_STRIDE", "TSS", SELF_DESCRIBING),
    Item("TIME_STRIDE", "TIS", SELF_DESCRIBING),
)
"""What follows the flags of extension 3, in order (RFC 3095 5.7.5). Plain profiles (5.11.4) have
the same order without TS and without the RTP rows."""
