"""IP only (profile 0x0004, RFC 3843)."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.headers.chain import Transport
from rohc.profiles.spec import Spec

__all__ = ["IP"]

IP = Spec(
    number=Profile.IP,
    section="RFC 3843 3",
    transport=Transport.NONE,
    has_rtp=False,
    own_sn=True,
    sn_mask=0xFFFF,
    levels_max=40,
    static_id=True,
)
