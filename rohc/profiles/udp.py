"""UDP/IP (profile 0x0002, RFC 3095 section 5.11)."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.headers.chain import Transport
from rohc.profiles.spec import Spec

__all__ = ["UDP"]

UDP = Spec(
    number=Profile.UDP,
    section="RFC 3095 5.11",
    transport=Transport.UDP,
    has_rtp=False,
    own_sn=True,
    sn_mask=0xFFFF,
    levels_max=2,
)
