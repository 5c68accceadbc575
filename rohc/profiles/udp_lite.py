"""UDP-Lite/IP and RTP/UDP-Lite/IP (profiles 0x0008 and 0x0007, RFC 4019 section 5)."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.headers.chain import Transport
from rohc.profiles.spec import Spec

__all__ = ["UDP_LITE", "UDP_LITE_RTP"]

UDP_LITE = Spec(
    number=Profile.UDP_LITE,
    section="RFC 4019 5",
    transport=Transport.UDP_LITE,
    has_rtp=False,
    own_sn=True,
    sn_mask=0xFFFF,
    levels_max=40,
    static_id=True,
)

UDP_LITE_RTP = Spec(
    number=Profile.UDP_LITE_RTP,
    section="RFC 4019 5",
    transport=Transport.UDP_LITE,
    has_rtp=True,
    own_sn=False,
    sn_mask=0xFFFF,
    levels_max=40,
    static_id=True,
)
