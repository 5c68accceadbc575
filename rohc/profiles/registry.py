"""The profiles with compressed headers, by number."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.profiles.esp import ESP
from rohc.profiles.ip import IP
from rohc.profiles.rtp import RTP
from rohc.profiles.spec import Spec
from rohc.profiles.udp import UDP
from rohc.profiles.udp_lite import UDP_LITE, UDP_LITE_RTP

__all__ = ["spec_of"]

_SPECS: dict[int, Spec] = {
    int(spec.number): spec for spec in (RTP, UDP, ESP, IP, UDP_LITE_RTP, UDP_LITE)
}


def spec_of(profile: Profile) -> Spec:
    """The profile's spec; profile 0x0000 has none, because it compresses no header."""
    return _SPECS[int(profile)]
