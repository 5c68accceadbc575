"""The decompressor's door: ROHC packets in, original packets and feedback out."""

from __future__ import annotations

from typing import NamedTuple

from rohc import framing
from rohc.channel import Channel, Mode, Profile, mode_of
from rohc.decompression.context import DecompressorContext, State
from rohc.decompression.initial import Initial, read_ir, read_ir_dyn, verify_crc8
from rohc.decompression.received import take_apart
from rohc.decompression.reconstruct import attempt, decode_sn
from rohc.decompression.steady import Steady4, Steady6
from rohc.errors import (
    CrcFailure,
    MalformedPacket,
    NoContext,
    RohcError,
    RohcUsageError,
    UnsupportedProfile,
)
from rohc.headers.build import build_headers
from rohc.profiles.registry import spec_of
from rohc.profiles.spec import Spec

__all__ = ["Decompressed", "Decompressor"]


class Decompressed(NamedTuple):
    """What one ROHC packet gave.

    Attributes:
        packet: the original IP packet, or None for feedback alone, for a segment that is not the
            last, and for an IR packet without dynamic chain.
        feedback: feedback to send to the peer's compressor (`Compressor.deliver_feedback`), b"" if
            there is none.
        feedback_received: feedback elements that rode in front, for the local compressor.
        packet_type: the packet type's name in the RFC, such as "UO-0" or "IR-DYN".
        cid: the context identifier, or -1 when the packet had none.
        profile: the context's profile, or -1 when there is none.
        header_bytes: octets of the packet that are neither feedback, padding nor payload.
    """

    packet: bytes | None
    feedback: bytes
    feedback_received: bytes
    packet_type: str
    cid: int
    profile: int
    header_bytes: int


class Decompressor:
    """Restores the packets that a `Compressor` on the same channel made.

    Args:
        channel: the channel's parameters, the same as the compressor's.
        mode: the highest mode that contexts may move to: "U", "O" or "R". With "U" no feedback is
            ever given.

    Raises:
        RohcUsageError: an unknown mode.
    """

    def __init__(self, channel: Channel, *, mode: str = "O") -> None:
        self.channel = channel
        self.mode = mode_of(mode)
        self._large = channel.large_cids
        self._max_cid = channel.max_cid
        self._allowed = frozenset(int(profile) for profile in channel.profiles)
        self._contexts: dict[int, DecompressorContext] = {}

    def decompress(
        self, data: bytes, now: float | None = None, late_by: int | None = None
    ) -> Decompressed:
        """The original packet of one ROHC packet.

        Args:
            data: one ROHC packet as `Compressor.compress` gave it: padding, feedback, then header
                and payload.
            now: the time of arrival in seconds, on any clock; None means that no timer runs.
            late_by: how many packets behind the newest one this is, when a lower layer with
                sequence numbers knows (RFC 5856 section 6.1.1); 0 for the newest.

        Raises:
            RohcUsageError: `data` is empty.
            MalformedPacket: no format allows these octets.
            NoContext: the context it needs is not there.
            CrcFailure: the CRC says that decompression failed.
            UnsupportedProfile: an IR packet names a profile that the channel does not have.
        """
        if not data:
            raise RohcUsageError("an empty packet cannot be decompressed")
        made = self._hot(data) if late_by is None else None
        if made is not None:
            return made
        at = 0
        end = len(data)
        while at < end and data[at] == framing.PADDING:
            at += 1
        elements: list[bytes] = []
        while at < end and data[at] & 0xF8 == framing.FEEDBACK:
            element, at = framing.read_feedback_element(data, at)
            elements.append(element)
        received = b"".join(elements)
        if at == end:
            if not received:
                raise MalformedPacket("the packet is nothing but padding")
            return Decompressed(None, b"", received, "feedback", -1, -1, 0)
        try:
            return self._decompress_header(data[at:] if at else data, received, now, late_by)
        except RohcError as error:
            error.feedback_received = received
            raise

    def _hot(self, data: bytes) -> Decompressed | None:
        """A UO-0 of a settled UDP flow, or None when this is something else."""
        first = data[0]
        cid = 0
        at = 1
        if self._large:
            if first >= 0x80 or len(data) < 3 or data[1] >= 0x80:
                return None
            cid = data[1]
            at = 2
        elif first >= 0x80:
            if first & 0xF0 != framing.ADD_CID or len(data) < 2 or data[1] >= 0x80:
                return None
            cid = first & 0x0F
            first = data[1]
            at = 2
        context = self._contexts.get(cid)
        if context is None or context.steady is None:
            return None
        steady = context.steady
        packet = steady.decompress(first, data, at)
        if packet is None:
            return None
        header_bytes = at + steady.tail_octets
        return Decompressed(packet, b"", b"", "UO-0", cid, 2, header_bytes)

    def _decompress_header(
        self, framed: bytes, received: bytes, now: float | None, late_by: int | None
    ) -> Decompressed:
        """Steps 5 to 12 of RFC 3095 section 5.2.6, on a packet without padding and feedback."""
        if framed[0] & 0xFE == framing.SEGMENT:
            raise MalformedPacket(
                "a segment on a channel without segmentation", hint="set the channel's mrru"
            )
        cid, octets, body = self._split_cid(framed)
        if cid > self._max_cid:
            raise MalformedPacket(f"CID {cid} is above MAX_CID {self._max_cid}")
        context = self._contexts.get(cid)
        if context is not None:
            context.leave_steady()
        first = body[0]
        if first & 0xFE == framing.IR:
            return self._ir(framed, body, cid, octets, received)
        if first == framing.IR_DYN:
            return self._ir_dyn(framed, body, cid, octets, received)
        if context is None:
            raise NoContext(f"no context has CID {cid}", cid=cid)
        if context.spec is None:
            if first >= 0xE0:
                raise MalformedPacket(f"no Normal packet begins with 0x{first:02x}", cid=cid)
            return Decompressed(body, b"", received, "Normal", cid, 0, octets)
        return self._compressed(context, context.spec, body, octets, received)

    def _split_cid(self, framed: bytes) -> tuple[int, int, bytes]:
        """The CID, how many octets it takes, and the packet without them."""
        first = framed[0]
        if not self._large:
            if first & 0xF0 != framing.ADD_CID:
                return 0, 0, framed
            if len(framed) < 2:
                raise MalformedPacket("the packet ends behind its Add-CID octet")
            second = framed[1]
            if second & 0xF0 == framing.ADD_CID or second & 0xF8 == framing.FEEDBACK:
                raise MalformedPacket("an Add-CID octet stands before no header")
            return first & 0x0F, 1, framed[1:]
        if first & 0xF0 == framing.ADD_CID:
            raise MalformedPacket("an Add-CID octet on a channel with large CIDs")
        cid, octets = framing.read_large_cid(framed, 1)
        return cid, octets, framed[:1] + framed[1 + octets :]

    # IR and IR-DYN ------------------------------------------------------------------------

    def _profile(self, body: bytes) -> Profile:
        if len(body) < 3:
            raise MalformedPacket("the packet ends before its CRC")
        number = body[1]
        if number not in self._allowed:
            raise UnsupportedProfile(f"profile 0x{number:02x} is not among the channel's profiles")
        return Profile(number)

    def _ir(
        self, framed: bytes, body: bytes, cid: int, octets: int, received: bytes
    ) -> Decompressed:
        profile = self._profile(body)
        context = self._contexts.get(cid)
        if profile == Profile.UNCOMPRESSED:
            verify_crc8(framed, 2, octets)
            if context is None or context.spec is not None:
                self._contexts[cid] = DecompressorContext(cid, None)
                self._contexts[cid].state = State.FULL_CONTEXT
            packet = body[3:] or None
            return Decompressed(packet, b"", received, "IR", cid, 0, 3 + octets)
        spec = spec_of(profile)
        same = context is not None and context.spec is spec
        known = context.headers if context is not None and same else None
        lists = context.lists if context is not None and same else []
        initial = read_ir(body, spec, known, lists)
        verify_crc8(framed, initial.at, octets)
        if context is None or not same:
            context = DecompressorContext(cid, spec)
            self._contexts[cid] = context
        if not initial.dynamic:
            # RFC 4815 section 6.3: only the static part is updated.
            context.state = max(context.state, State.STATIC_CONTEXT)
            context.headers = initial.headers
            context.lists = initial.lists
            context.steady = None
            context.state = State.STATIC_CONTEXT
            return Decompressed(None, b"", received, "IR", cid, profile, initial.at + octets)
        return self._initialised(context, initial, body, octets, received, "IR")

    def _ir_dyn(
        self, framed: bytes, body: bytes, cid: int, octets: int, received: bytes
    ) -> Decompressed:
        profile = self._profile(body)
        context = self._contexts.get(cid)
        if context is None or context.headers is None or profile == Profile.UNCOMPRESSED:
            raise NoContext(f"IR-DYN for CID {cid}, which has no static context", cid=cid)
        spec = spec_of(profile)
        initial = read_ir_dyn(body, spec, context.headers, context.lists)
        verify_crc8(framed, initial.at, octets)
        context.spec = spec
        return self._initialised(context, initial, body, octets, received, "IR-DYN")

    def _initialised(
        self,
        context: DecompressorContext,
        initial: Initial,
        body: bytes,
        octets: int,
        received: bytes,
        name: str,
    ) -> Decompressed:
        headers = initial.headers
        payload = body[initial.at :]
        raw = build_headers(headers, len(payload))
        headers.size = len(raw)
        context.accept(headers)
        context.lists = initial.lists
        return self._result(context, raw + payload, received, name, initial.at + octets)

    # Packet types 0, 1 and 2 --------------------------------------------------------------

    def _compressed(
        self,
        context: DecompressorContext,
        spec: Spec,
        body: bytes,
        octets: int,
        received: bytes,
    ) -> Decompressed:
        headers = context.headers
        if headers is None or context.state == State.NO_CONTEXT:
            raise NoContext(f"the context of CID {context.cid} is lost", cid=context.cid)
        fields = take_apart(body, spec, context.mode, headers, context.lists)
        if context.state == State.STATIC_CONTEXT and fields.kind < 2:
            raise NoContext(
                f"the context of CID {context.cid} has no dynamic part", cid=context.cid
            )
        candidate = attempt(
            fields, body, spec, headers, context.lists, decode_sn(fields, spec, headers.sn)
        )
        if not candidate.verifies(fields):
            raise CrcFailure(f"the CRC of {fields.name} does not match", cid=context.cid)
        context.accept(candidate.updated)
        if fields.lists is not None:
            context.lists = fields.lists
        if fields.kind == 0:
            self._prepare_steady(context, spec, candidate.raw)
        packet = candidate.raw + body[candidate.at :]
        return self._result(context, packet, received, fields.name, candidate.at + octets)

    def _prepare_steady(self, context: DecompressorContext, spec: Spec, raw: bytes) -> None:
        """Let the next packets of a settled UDP flow take the hot path."""
        headers = context.headers
        if (
            headers is None
            or spec.number != Profile.UDP
            or context.mode == Mode.RELIABLE
            or len(headers.levels) > 1
            or headers.levels[0].extensions
        ):
            return
        if headers.levels[0].version == 4:
            context.steady = Steady4(headers, raw, context.sn_before)
        else:
            context.steady = Steady6(headers, raw, context.sn_before)

    def _result(
        self,
        context: DecompressorContext,
        packet: bytes,
        received: bytes,
        name: str,
        header_bytes: int,
    ) -> Decompressed:
        spec = context.spec
        number = 0 if spec is None else int(spec.number)
        return Decompressed(packet, b"", received, name, context.cid, number, header_bytes)
