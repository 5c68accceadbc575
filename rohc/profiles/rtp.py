"""RTP/UDP/IP (profile 0x0001, RFC 3095 section 5.7)."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.headers.chain import Transport
from rohc.profiles.spec import Spec

__all__ = ["RTP"]

RTP = Spec(
    number=Profile.RTP,
    section="RFC 3095 5.7",
    transport=Transport.UDP,
    has_rtp=True,
    own_sn=False,
    sn_mask=0xFFFF,
    levels_max=2,
)
