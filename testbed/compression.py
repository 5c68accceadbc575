"""How ROHC is used between UE and HSE: the same settings at both ends of a channel.

Inside ESP a second integrity check may go with each packet, over the packet before compression
(RFC 5858 section 4.2): ESP's own ICV says that the ROHC packet arrived as it was sent, not that it
was decompressed to what had been compressed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import esp
import rohc
from esp import keying
from esp.rohc_parameters import RohcIcv, rohc_key_bytes
from esp.rohcoipsec import CompressedTunnel

__all__ = ["FeedbackWay", "RohcMode", "RohcSettings"]


class RohcMode(StrEnum):
    """The highest mode that contexts may move to (RFC 3095 section 4.4)."""

    UNIDIRECTIONAL = "U"
    """No feedback: the compressor refreshes contexts by itself."""
    OPTIMISTIC = "O"
    """Feedback where it saves: a first acknowledgement, and errors."""
    RELIABLE = "R"
    """Feedback for each update."""


class FeedbackWay(StrEnum):
    """How feedback travels back (RFC 5795 section 5.2.4)."""

    PIGGYBACK = "piggyback"
    """On the next packet the other way; what reports an error and finds none goes at once."""
    STAND_ALONE = "stand-alone"
    """In a packet of its own, at once: a whole ESP packet, and for the device a transmission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RohcSettings:
    """Settings of a ROHC channel and its feedback."""

    mode: RohcMode = RohcMode.OPTIMISTIC
    """The highest mode of both decompressors."""
    feedback: FeedbackWay = FeedbackWay.PIGGYBACK
    """How feedback travels back."""
    optimistic_repeats: int | None = None
    """How many packets in a row carry a change, 1 to 15; none takes the codec's default."""
    integrity: str | None = None
    """Inside ESP: integrity transform of the ROHC ICV, such as ``hmac-sha2-256-128``; none has no
    such check."""
    icv_bytes: int | None = None
    """Its octets in each packet; none takes the transform's own."""
    mrru: int = 0
    """Inside ESP: the largest ROHC packet that may go in segments, in octets, CRC and ICV included
    (RFC 5858 section 4.3): what is too large for the module's socket then takes several. 0 for no
    segments."""
    max_cid: int = rohc.Channel().max_cid
    """MAX_CID of both channels (RFC 5795 section 5.1.2)."""
    profiles: tuple[int, ...] = tuple(map(int, rohc.Channel().profiles))
    """Profiles of both channels."""
    first_sn: int | None = None
    """First sequence number of a flow where the compressor makes it; none draws one at random, as
    RFC 3095 section 5.11.1 wants it."""

    def __post_init__(self) -> None:
        if self.integrity is None:
            if self.icv_bytes is not None:
                raise ValueError("icv_bytes without integrity: name the transform too")
        else:
            try:
                size = rohc_key_bytes(self.integrity)
                RohcIcv(key=bytes(size), integrity=self.integrity, icv_bytes=self.icv_bytes)
            except esp.LocalError as error:
                raise ValueError(f"{error} {error.hint or ''}".strip()) from None
        if self.optimistic_repeats is not None and not 1 <= self.optimistic_repeats <= 15:
            raise ValueError(f"optimistic_repeats {self.optimistic_repeats}: give 1 to 15")
        if not 0 <= self.mrru <= 0xFFFF:
            raise ValueError(f"mrru {self.mrru}: give 0 to 65535")

    @property
    def icv_size(self) -> int:
        """Octets of the ROHC ICV in each packet inside ESP, 0 without one."""
        if self.integrity is None:
            return 0
        key = bytes(rohc_key_bytes(self.integrity))
        return RohcIcv(key=key, integrity=self.integrity, icv_bytes=self.icv_bytes).size

    @property
    def channel(self) -> keying.RohcChannel:
        """What one end offers, or can do, where the key exchange negotiates it."""
        return keying.RohcChannel(
            max_cid=self.max_cid,
            mrru=self.mrru,
            mode=self.mode.value,
            profiles=tuple(sorted(self.profiles)),
            integrity=self.integrity,
            icv_bytes=self.icv_bytes,
        )

    def agreed(self, channel: keying.RohcChannel | None) -> RohcSettings:
        """The settings with what the key exchange agreed on; as they are where it says nothing."""
        if channel is None:
            return self
        return replace(
            self,
            mode=RohcMode(channel.mode),
            max_cid=channel.max_cid,
            mrru=channel.mrru,
            profiles=channel.profiles,
            integrity=channel.integrity,
            icv_bytes=channel.icv_bytes,
        )

    def ends(self) -> tuple[rohc.Compressor, rohc.Decompressor]:
        """The compressor and the decompressor of one end of a pair of channels."""
        channel = rohc.Channel(
            max_cid=self.max_cid, large_cids=self.max_cid > 15, profiles=self.profiles
        )
        mode, first_sn = self.mode.value, self.first_sn
        if self.optimistic_repeats is None:
            compressor = rohc.Compressor(channel, mode=mode, first_sn=first_sn)
        else:
            compressor = rohc.Compressor(
                channel,
                mode=mode,
                first_sn=first_sn,
                optimistic_repeats=self.optimistic_repeats,
            )
        return compressor, rohc.Decompressor(channel, mode=self.mode.value)

    def tunnel(
        self,
        keys: keying.Session,
        outbound: esp.OutboundAssociation,
        inbound: esp.InboundAssociation,
        compressor: rohc.Compressor,
        decompressor: rohc.Decompressor,
    ) -> CompressedTunnel:
        """One end of a session's tunnel over :meth:`ends`; feedback is left to its caller."""
        ours: RohcIcv | None = None
        theirs: RohcIcv | None = None
        if self.integrity is not None:
            ours, theirs = keys.rohc_icvs(self.integrity, self.icv_bytes)
        return CompressedTunnel(
            outbound,
            inbound,
            compressor,
            decompressor,
            piggyback=False,
            outbound_icv=ours,
            inbound_icv=theirs,
            outbound_mrru=self.mrru,
            inbound_mrru=self.mrru,
        )
