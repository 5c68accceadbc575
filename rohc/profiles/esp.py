"""ESP/IP (profile 0x0003, RFC 3095 section 5.12)."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.headers.chain import Transport
from rohc.profiles.spec import Spec

__all__ = ["ESP"]

ESP = Spec(
    number=Profile.ESP,
    section="RFC 3095 5.12",
    transport=Transport.ESP,
    has_rtp=False,
    own_sn=False,
    sn_mask=0xFFFFFFFF,
    levels_max=2,
)
