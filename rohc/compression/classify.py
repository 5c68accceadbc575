"""Which profile a packet is compressed with."""

from __future__ import annotations

from rohc.channel import Profile
from rohc.compression.heuristic import RtpHeuristic
from rohc.compression.settings import Settings
from rohc.headers.chain import Headers, Transport
from rohc.headers.parse import parse_ip_chain, parse_rtp, parse_transport
from rohc.profiles.registry import spec_of
from rohc.profiles.spec import Spec

__all__ = ["Classifier"]

_WITH_RTP = {Profile.UDP: Profile.RTP, Profile.UDP_LITE: Profile.UDP_LITE_RTP}
_PROFILES = {
    Transport.UDP: Profile.UDP,
    Transport.ESP: Profile.ESP,
    Transport.UDP_LITE: Profile.UDP_LITE,
}


class Classifier:
    """Finds the profile that takes most of a packet for header.

    Args:
        allowed: the channel's profiles.
        settings: the user's choices.
    """

    __slots__ = ("_allowed", "_heuristic", "settings")

    def __init__(self, allowed: frozenset[int], settings: Settings) -> None:
        self._allowed = allowed
        self._heuristic = RtpHeuristic()
        self.settings = settings

    def classify(self, packet: bytes) -> tuple[Headers | None, Spec | None, str]:
        """The headers and the profile that fits them, or the reason why there is none."""
        headers = parse_ip_chain(packet)
        if headers is None:
            return None, None, "no IP header that can be compressed"
        if parse_transport(packet, headers):
            profile = _PROFILES[headers.transport]
            with_rtp = _WITH_RTP.get(profile)
            if (
                with_rtp in self._allowed
                and self._may_be_rtp(packet, headers)
                and len(headers.levels) <= 2
                and parse_rtp(packet, headers)
            ):
                return (
                    headers,
                    spec_of(Profile.RTP if profile == Profile.UDP else Profile.UDP_LITE_RTP),
                    "",
                )
            if profile in self._allowed:
                spec = spec_of(profile)
                if len(headers.levels) <= spec.levels_max:
                    return headers, spec, ""
            headers.transport = Transport.NONE
            headers.size = sum(level.octets for level in headers.levels)
        if Profile.IP in self._allowed:
            # RFC 3843 section 3.1: the chain would go on, but what follows is no header for it.
            last = headers.levels[-1]
            last.ends_chain = last.protocol in (4, 41)
            return headers, spec_of(Profile.IP), ""
        return None, None, "no profile of the channel fits these headers"

    def _may_be_rtp(self, packet: bytes, headers: Headers) -> bool:
        settings = self.settings
        if headers.destination_port in settings.rtp_ports:
            return True
        if not settings.rtp_heuristic:
            return False
        level = headers.levels[-1]
        addresses = level.source << 128 | level.destination
        ports = headers.source_port << 16 | headers.destination_port
        key = (addresses << 32 | ports).to_bytes(36, "big")
        return self._heuristic.is_rtp(key, headers.destination_port, packet[headers.size :])
