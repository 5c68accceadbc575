"""Whether a UDP flow is RTP, told from its first packets.

RTP has no port of its own. A flow is taken for RTP once `PACKETS` packets in a row have version 2,
an even destination port above 1023, one SSRC that is not zero, one payload type that is not of RTCP
(RFC 5761 section 4), and sequence numbers that follow each other. Until then, and for ever once one
packet was different, it is compressed as UDP.
"""

from __future__ import annotations

__all__ = ["PACKETS", "RtpHeuristic"]

PACKETS = 3
_FLOWS_MAX = 256
_NOT_RTP = -1


class RtpHeuristic:
    """What is known of flows that may be RTP; at most `_FLOWS_MAX` of them."""

    __slots__ = ("_flows",)

    def __init__(self) -> None:
        self._flows: dict[bytes, tuple[int, int, int]] = {}

    def is_rtp(self, key: bytes, port: int, payload: bytes) -> bool:
        """Take another packet of a flow into account.

        Args:
            key: what the flow is known by.
            port: its UDP destination port.
            payload: the UDP payload.
        """
        known = self._flows.get(key)
        if known is not None and known[0] == _NOT_RTP:
            return False
        kind = payload[1] & 0x7F if len(payload) >= 12 else 0
        sequence = int.from_bytes(payload[2:4], "big")
        ssrc = int.from_bytes(payload[8:12], "big")
        fits = (
            len(payload) >= 12
            and payload[0] >> 6 == 2
            and port > 1023
            and not port % 2
            and ssrc != 0
            and not 64 <= kind <= 95
        )
        if fits and known is not None:
            count, last, identity = known
            fits = 0 < (sequence - last) & 0xFFFF < 64 and identity == (ssrc << 8 | kind)
            known = (min(count + 1, PACKETS), sequence, identity)
            if count >= PACKETS:
                # A flow that was recognised stays RTP; its profile copes with what changes.
                self._flows[key] = (count, sequence, ssrc << 8 | kind)
                return True
        elif fits:
            known = (1, sequence, ssrc << 8 | kind)
        if key not in self._flows and len(self._flows) >= _FLOWS_MAX:
            del self._flows[next(iter(self._flows))]
        self._flows[key] = known if fits and known is not None else (_NOT_RTP, 0, 0)
        return fits and known is not None and known[0] >= PACKETS
