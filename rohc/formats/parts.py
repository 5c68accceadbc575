"""Static and dynamic parts of each header in IR and IR-DYN packets (RFC 3095 section 5.7.7).

The lists that end a dynamic part (extension headers, CSRC) are not in the figures; section 5.8.6
draws them and `rohc.encoding.lists` reads them.
"""

from __future__ import annotations

from rohc.formats.figure import Figure

__all__ = [
    "ESP_DYNAMIC",
    "ESP_STATIC",
    "IPV4_DYNAMIC",
    "IPV4_STATIC",
    "IPV6_DYNAMIC",
    "IPV6_STATIC",
    "IP_DYNAMIC_END",
    "RTP_DYNAMIC",
    "RTP_DYNAMIC_EXTENSION",
    "RTP_STATIC",
    "UDP_DYNAMIC",
    "UDP_LITE_DYNAMIC",
    "UDP_STATIC",
]

IPV6_STATIC = Figure(
    "IPv6 static part",
    "RFC 3095 5.7.7.3",
    """
    +---+---+---+---+---+---+---+---+
    |  Version      |Flow Label     |   1 octet
    +---+---+---+---+---+---+---+---+
    /          Flow Label           /   2 octets
    +---+---+---+---+---+---+---+---+
    |          Next Header          |   1 octet
    +---+---+---+---+---+---+---+---+
    /        Source Address         /   16 octets
    +---+---+---+---+---+---+---+---+
    /      Destination Address      /   16 octets
    +---+---+---+---+---+---+---+---+
    """,
)

IPV6_DYNAMIC = Figure(
    "IPv6 dynamic part",
    "RFC 3095 5.7.7.3",
    """
    +---+---+---+---+---+---+---+---+
    |         Traffic Class         |   1 octet
    +---+---+---+---+---+---+---+---+
    |           Hop Limit           |   1 octet
    +---+---+---+---+---+---+---+---+
    """,
)

IPV4_STATIC = Figure(
    "IPv4 static part",
    "RFC 3095 5.7.7.4",
    """
    +---+---+---+---+---+---+---+---+
    |  Version      | 0   0   0   0 |
    +---+---+---+---+---+---+---+---+
    |           Protocol            |
    +---+---+---+---+---+---+---+---+
    /        Source Address         /   4 octets
    +---+---+---+---+---+---+---+---+
    /      Destination Address      /   4 octets
    +---+---+---+---+---+---+---+---+
    """,
)
"""Version is 4 (6 in the IPv6 part); RFC 3843 section 3.1 sets its first bit (0xC, 0xE) to end the
static chain of profile 0x0004 at that header."""

IPV4_DYNAMIC = Figure(
    "IPv4 dynamic part",
    "RFC 3095 5.7.7.4, RFC 3843 3.3",
    """
    +---+---+---+---+---+---+---+---+
    |        Type of Service        |
    +---+---+---+---+---+---+---+---+
    |         Time to Live          |
    +---+---+---+---+---+---+---+---+
    /        Identification         /   2 octets
    +---+---+---+---+---+---+---+---+
    | DF|RND|NBO|SID| 0   0   0   0 |
    +---+---+---+---+---+---+---+---+
    """,
)

UDP_STATIC = Figure(
    "UDP static part",
    "RFC 3095 5.7.7.5",
    """
    +---+---+---+---+---+---+---+---+
    /          Source Port          /   2 octets
    +---+---+---+---+---+---+---+---+
    /       Destination Port        /   2 octets
    +---+---+---+---+---+---+---+---+
    """,
)

UDP_DYNAMIC = Figure(
    "UDP dynamic part",
    "RFC 3095 5.7.7.5",
    """
    +---+---+---+---+---+---+---+---+
    /           Checksum            /   2 octets
    +---+---+---+---+---+---+---+---+
    """,
)

UDP_LITE_DYNAMIC = Figure(
    "UDP-Lite dynamic part",
    "RFC 4019 5.2.1",
    """
    +---+---+---+---+---+---+---+---+
    /       Checksum Coverage       /   2 octets
    +---+---+---+---+---+---+---+---+
    /           Checksum            /   2 octets
    +---+---+---+---+---+---+---+---+
    """,
)

IP_DYNAMIC_END = Figure(
    "SN",
    "RFC 3095 5.11.1, RFC 3843 3.5, RFC 4019 5.2.1",
    """
    +---+---+---+---+---+---+---+---+
    /              SN               /   2 octets
    +---+---+---+---+---+---+---+---+
    """,
)
"""The compressor's own sequence number, at the end of the dynamic chain of 0x0002, 4 and 8."""

RTP_STATIC = Figure(
    "RTP static part",
    "RFC 3095 5.7.7.6",
    """
    +---+---+---+---+---+---+---+---+
    /             SSRC              /   4 octets
    +---+---+---+---+---+---+---+---+
    """,
)

RTP_DYNAMIC = Figure(
    "RTP dynamic part",
    "RFC 3095 5.7.7.6",
    """
    +---+---+---+---+---+---+---+---+
    |  V    | P | RX|      CC       |  (RX is NOT the RTP X bit)
    +---+---+---+---+---+---+---+---+
    | M |            PT             |
    +---+---+---+---+---+---+---+---+
    /      RTP Sequence Number      /  2 octets
    +---+---+---+---+---+---+---+---+
    /   RTP Timestamp (absolute)    /  4 octets
    +---+---+---+---+---+---+---+---+
    """,
)

RTP_DYNAMIC_EXTENSION = Figure(
    "RTP dynamic part, RX = 1",
    "RFC 3095 5.7.7.6",
    """
    +---+---+---+---+---+---+---+---+
    | Reserved  | X |  Mode |TIS|TSS|
    +---+---+---+---+---+---+---+---+
    """,
)

ESP_STATIC = Figure(
    "ESP static part",
    "RFC 3095 5.7.7.7",
    """
    +---+---+---+---+---+---+---+---+
    /              SPI              /   4 octets
    +---+---+---+---+---+---+---+---+
    """,
)

ESP_DYNAMIC = Figure(
    "ESP dynamic part",
    "RFC 3095 5.7.7.7",
    """
    +---+---+---+---+---+---+---+---+
    /       Sequence Number         /   4 octets
    +---+---+---+---+---+---+---+---+
    """,
)
