"""Which compressed formats each family of profiles has, in order of size.

The RTP family has three sets: with the T bit, when some IPv4 header has an IP-ID that is not random
(RND = 0), and without it, when none has. The plain family has one.
"""

from __future__ import annotations

from rohc.formats import base, extensions
from rohc.formats.compressed import Compressed
from rohc.formats.figure import Figure

__all__ = [
    "PLAIN_R",
    "PLAIN_UO",
    "RTP_R_WITHOUT_T",
    "RTP_R_WITH_T",
    "RTP_UO_WITHOUT_T",
    "RTP_UO_WITH_T",
    "R_0",
    "R_0_CRC",
    "R_1_ID",
    "R_1_PLAIN",
    "R_1_RTP",
    "R_1_TS",
    "UOR_2_ID",
    "UOR_2_PLAIN",
    "UOR_2_RTP",
    "UOR_2_TS",
    "UO_0",
    "UO_1_ID",
    "UO_1_PLAIN",
    "UO_1_RTP",
    "UO_1_TS",
]


def _family(base_figure: Figure, plus_t: str, minus_t: str) -> tuple[Compressed, ...]:
    """A base header alone and with extensions 0, 1 and 2."""
    return (
        Compressed(base_figure),
        Compressed(base_figure, extensions.EXTENSION_0, plus_t, minus_t),
        Compressed(base_figure, extensions.EXTENSION_1, plus_t, minus_t),
        Compressed(base_figure, extensions.EXTENSION_2, plus_t, minus_t),
    )


UO_0 = Compressed(base.UO_0)
UO_1_PLAIN = Compressed(base.UO_1_PLAIN)
UO_1_RTP = Compressed(base.UO_1)
UO_1_TS = Compressed(base.UO_1_TS)
UO_1_ID = _family(base.UO_1_ID, "IP-ID", "TS")
UOR_2_RTP = _family(base.UOR_2, "TS", "TS")
UOR_2_TS = _family(base.UOR_2_TS, "TS", "IP-ID")
UOR_2_ID = _family(base.UOR_2_ID, "IP-ID", "TS")
R_0 = Compressed(base.R_0)
R_0_CRC = Compressed(base.R_0_CRC)
R_1_RTP = _family(base.R_1, "TS", "TS")
R_1_TS = _family(base.R_1_TS, "TS", "IP-ID")
R_1_ID = _family(base.R_1_ID, "IP-ID", "TS")
R_1_PLAIN = (
    Compressed(base.R_1_PLAIN),
    Compressed(base.R_1_PLAIN, extensions.EXTENSION_0_PLAIN),
    Compressed(base.R_1_PLAIN, extensions.EXTENSION_1_PLAIN),
    Compressed(base.R_1_PLAIN, extensions.EXTENSION_2_PLAIN),
)
UOR_2_PLAIN = (
    Compressed(base.UOR_2_PLAIN),
    Compressed(base.UOR_2_PLAIN, extensions.EXTENSION_0_PLAIN),
    Compressed(base.UOR_2_PLAIN, extensions.EXTENSION_1_PLAIN),
    Compressed(base.UOR_2_PLAIN, extensions.EXTENSION_2_PLAIN),
)

PLAIN_UO = (UO_0, UO_1_PLAIN, *UOR_2_PLAIN)
RTP_UO_WITHOUT_T = (UO_0, UO_1_RTP, *UOR_2_RTP)
RTP_UO_WITH_T = (
    UO_0,
    UO_1_ID[0],
    UO_1_TS,
    UO_1_ID[1],
    UOR_2_ID[0],
    UOR_2_TS[0],
    UO_1_ID[2],
    UOR_2_ID[1],
    UOR_2_TS[1],
    UO_1_ID[3],
    UOR_2_ID[2],
    UOR_2_TS[2],
    UOR_2_ID[3],
    UOR_2_TS[3],
)

# R-1 formats carry no CRC, so that the peer's references do not move with them; a compressor that
# moves them with UOR-2 instead needs fewer packets with changes. The decompressor knows R-1.
PLAIN_R = (R_0, R_0_CRC, *UOR_2_PLAIN)
RTP_R_WITHOUT_T = (R_0, R_0_CRC, *UOR_2_RTP)
RTP_R_WITH_T = (
    R_0,
    R_0_CRC,
    UOR_2_ID[0],
    UOR_2_TS[0],
    UOR_2_ID[1],
    UOR_2_TS[1],
    UOR_2_ID[2],
    UOR_2_TS[2],
    UOR_2_ID[3],
    UOR_2_TS[3],
)
