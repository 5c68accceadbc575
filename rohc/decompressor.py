"""The decompressor's door: ROHC packets in, original packets and feedback out."""

from __future__ import annotations

from typing import NamedTuple

from rohc import framing
from rohc.channel import Channel, Mode, Profile, mode_of
from rohc.decompression.clock import Clock
from rohc.decompression.context import DecompressorContext, State, Transition
from rohc.decompression.hot import look_at_checksum, prepare
from rohc.decompression.initial import (
    Initial,
    ahead_by,
    behind_by,
    read_ir,
    read_ir_dyn,
    verify_crc8,
)
from rohc.decompression.policy import Policy, differs
from rohc.decompression.received import take_apart
from rohc.decompression.reconstruct import moved_by_sn
from rohc.decompression.repair import Finding, decisive, find, find_reliably
from rohc.decompression.trial import begin_trial, on_trial
from rohc.errors import (
    CrcFailure,
    MalformedPacket,
    NoContext,
    RohcError,
    RohcUsageError,
    UnsupportedProfile,
)
from rohc.feedback import write_feedback_1
from rohc.formats.base import CCE_NAMES
from rohc.headers.build import build_headers
from rohc.headers.chain import Transport
from rohc.headers.checksum import HELD_COST, noted, right_in
from rohc.profiles.registry import spec_of
from rohc.profiles.spec import Spec
from rohc.segments import Reassembly, is_segment

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
        clock_resolution_ms: how fine the clock behind `now` is, 1 to 255 milliseconds; told to the
            compressor, which may then compress RTP timestamps with the clock (RFC 3095 4.5.4).
            0 when `now` is not given with every packet.

    Raises:
        RohcUsageError: an unknown mode.
    """

    def __init__(self, channel: Channel, *, mode: str = "O", clock_resolution_ms: int = 0) -> None:
        if not 0 <= clock_resolution_ms <= 255:
            raise RohcUsageError(
                f"clock_resolution_ms is 0 (no clock) to 255, not {clock_resolution_ms}"
            )
        self.channel = channel
        self.mode = mode_of(mode)
        self._large = channel.large_cids
        self._max_cid = channel.max_cid
        self._allowed = frozenset(int(profile) for profile in channel.profiles)
        self._unsupported: set[int] = set()
        self._reassembly = Reassembly(channel.mrru)
        self._clock = Clock()
        self._policy = Policy(self.mode, self._large, clock_resolution_ms)
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
        made = None if late_by or self._reassembly.under_way else self._hot(data, now)
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
        if elements and at + 1 < end and data[at] == framing.ADD_CID and not self._large:
            # RFC 4815 section 2.2: no CRC covers the Add-CID octet of CID 0.
            at += 1
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

    def context_of(self, cid: int) -> DecompressorContext | None:
        """The context of a CID for whoever explains packets; not to be changed."""
        context = self._contexts.get(cid)
        if context is not None:
            self._leave_steady(context)
        return context

    def _leave_steady(self, context: DecompressorContext) -> None:
        """Bring the context and the clock up to the packets that took the hot path."""
        steady = context.steady
        if steady is not None and steady.packets:
            if steady.arrived_at is not None:
                packets = steady.packets
                self._clock.arrived(context.cid, steady.arrived_at, packets, packets)
                steady.arrived_at = None
            context.leave_steady()

    def _hot(self, data: bytes, now: float | None) -> Decompressed | None:
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
        if now is not None:
            steady.arrived_at = now
        if steady.packets >= steady.check_at:
            look_at_checksum(context, steady, packet)
        header_bytes = at + steady.tail_octets
        return Decompressed(packet, b"", b"", "UO-0", cid, 2, header_bytes)

    def _decompress_header(
        self, framed: bytes, received: bytes, now: float | None, late_by: int | None
    ) -> Decompressed:
        """Steps 5 to 12 of RFC 3095 section 5.2.6, on a packet without padding and feedback."""
        if is_segment(framed):
            unit = self._reassembly.take(framed)
            if unit is None:
                return Decompressed(None, b"", received, "segment", -1, -1, 1)
            framed = unit
        else:
            self._reassembly.abort()
        cid, octets, body = framing.split_cid(framed, self._large)
        if cid > self._max_cid:
            raise MalformedPacket(f"CID {cid} is above MAX_CID {self._max_cid}")
        context = self._contexts.get(cid)
        if context is not None:
            self._leave_steady(context)
        first = body[0]
        if first & 0xFE == framing.IR:
            return self._ir(framed, body, cid, octets, received, now)
        if first == framing.IR_DYN:
            return self._ir_dyn(framed, body, cid, octets, received, now)
        if context is None:
            if cid in self._unsupported:
                raise UnsupportedProfile(
                    f"CID {cid} belongs to a profile that the channel does not have", cid=cid
                )
            error = NoContext(f"no context has CID {cid}", cid=cid)
            error.feedback = self._policy.without_context(cid)
            raise error
        if context.spec is None:
            if first >= 0xE0:
                raise MalformedPacket(f"no Normal packet begins with 0x{first:02x}", cid=cid)
            return Decompressed(body, b"", received, "Normal", cid, 0, octets)
        return self._compressed(context, context.spec, body, octets, received, now, late_by)

    def _profile(self, body: bytes) -> Profile:
        if len(body) < 3:
            raise MalformedPacket("the packet ends before its CRC")
        number = body[1]
        if number not in self._allowed:
            raise UnsupportedProfile(f"profile 0x{number:02x} is not among the channel's profiles")
        return Profile(number)

    def _ir(
        self, framed: bytes, body: bytes, cid: int, octets: int, received: bytes, now: float | None
    ) -> Decompressed:
        context = self._contexts.get(cid)
        try:
            profile = self._profile(body)
        except UnsupportedProfile:
            self._note_unsupported(cid, context)
            raise
        if profile == Profile.UNCOMPRESSED:
            verify_crc8(framed, 2, octets)
            self._unsupported.discard(cid)
            if context is None or context.spec is not None:
                self._contexts[cid] = DecompressorContext(cid, None)
                self._contexts[cid].state = State.FULL_CONTEXT
            packet = body[3:] or None
            feedback = b""
            if self.mode != Mode.UNIDIRECTIONAL:
                # RFC 3095 section 5.10.4
                feedback = write_feedback_1(cid, self._large, 0)
            return Decompressed(packet, feedback, received, "IR", cid, 0, 3 + octets)
        spec = spec_of(profile)
        same = context is not None and context.spec is spec
        known = context.headers if context is not None and same else None
        lists = context.lists if context is not None and same else []
        initial = read_ir(body, spec, known, lists)
        try:
            verify_crc8(framed, initial.at, octets)
        except CrcFailure as error:
            if context is not None:
                error.feedback = self._policy.failed(context, update=True)
            raise
        self._unsupported.discard(cid)
        late = behind_by(context, spec, initial) if same else 0
        if context is not None and late:
            return self._late_result(context, initial, body, octets, received, "IR", late)
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
        return self._initialised(context, initial, body, octets, received, "IR", now)

    def _ir_dyn(
        self, framed: bytes, body: bytes, cid: int, octets: int, received: bytes, now: float | None
    ) -> Decompressed:
        profile = self._profile(body)
        context = self._contexts.get(cid)
        if context is None or context.headers is None or profile == Profile.UNCOMPRESSED:
            error: RohcError = NoContext(
                f"IR-DYN for CID {cid}, which has no static context", cid=cid
            )
            error.feedback = self._policy.without_context(cid)
            raise error
        spec = spec_of(profile)
        initial = read_ir_dyn(body, spec, context.headers, context.lists)
        try:
            verify_crc8(framed, initial.at, octets)
        except CrcFailure as failure:
            failure.feedback = self._policy.failed(context, update=True)
            raise
        if context.state == State.NO_CONTEXT:
            error = NoContext(f"the static context of CID {cid} is lost", cid=cid)
            error.feedback = self._policy.failed(context, update=False)
            raise error
        late = behind_by(context, spec, initial) if context.spec is spec else 0
        if late:
            return self._late_result(context, initial, body, octets, received, "IR-DYN", late)
        if context.spec is not spec:
            # RFC 4815 section 7.2.2: another profile starts in its initial mode.
            context.mode = Mode.UNIDIRECTIONAL
            context.transition = Transition.DONE
        context.spec = spec
        return self._initialised(context, initial, body, octets, received, "IR-DYN", now)

    def _note_unsupported(self, cid: int, context: DecompressorContext | None) -> None:
        """What follows on the CID belongs to a flow that cannot be decompressed here.

        A context that has the CID stays, but packets with a short CRC no longer count for it: 1 in
        8 of the other flow's packets would pass.
        """
        if context is None:
            if cid <= self._max_cid:
                self._unsupported.add(cid)
        elif context.state == State.FULL_CONTEXT and context.spec is not None:
            context.leave_steady()
            context.steady = None
            context.state = State.STATIC_CONTEXT
            context.suspended = True

    def _late_result(
        self,
        context: DecompressorContext,
        initial: Initial,
        body: bytes,
        octets: int,
        received: bytes,
        name: str,
        behind: int,
    ) -> Decompressed:
        """Deliver a late IR or IR-DYN packet; what it says is older than the context."""
        context.accept_late(behind)
        payload = body[initial.at :]
        packet = build_headers(initial.headers, len(payload)) + payload
        number = 0 if context.spec is None else int(context.spec.number)
        return Decompressed(packet, b"", received, name, context.cid, number, initial.at + octets)

    def _initialised(
        self,
        context: DecompressorContext,
        initial: Initial,
        body: bytes,
        octets: int,
        received: bytes,
        name: str,
        now: float | None,
    ) -> Decompressed:
        if now is not None:
            self._clock.arrived(context.cid, now, 1)
        headers = initial.headers
        payload = body[initial.at :]
        raw = build_headers(headers, len(payload))
        headers.size = len(raw)
        changed = context.failures > 0 or differs(context.headers, headers)
        if changed:
            context.repeated = 0
        context.begin(headers, ahead_by(context, headers))
        context.suspended = False
        right = right_in(headers, raw, payload)
        if right is not None:
            context.checksum_record = noted(context.checksum_record, right)
        context.lists = initial.lists
        if context.spec is not None and name == "IR-DYN":
            prepare(context, context.spec, raw)
        signalled = initial.mode if initial.mode else -1
        feedback = self._policy.verified(context, name, changed, signalled, 16)
        number = 0 if context.spec is None else int(context.spec.number)
        return Decompressed(
            raw + payload, feedback, received, name, context.cid, number, initial.at + octets
        )

    # Packet types 0, 1 and 2 --------------------------------------------------------------

    def _compressed(
        self,
        context: DecompressorContext,
        spec: Spec,
        body: bytes,
        octets: int,
        received: bytes,
        now: float | None,
        late_by: int | None,
    ) -> Decompressed:
        headers = context.headers
        cid = context.cid
        if headers is None or context.state == State.NO_CONTEXT:
            error: RohcError = NoContext(f"the context of CID {cid} is lost", cid=cid)
            error.feedback = self._policy.failed(context, update=False)
            raise error
        cce = 0
        if 0xF8 < body[0] < framing.IR and spec.transport == Transport.UDP_LITE and len(body) > 1:
            cce = body[0] & 3
            octets += 1
            body = body[1:]
        fields = take_apart(body, spec, context.mode, headers, context.lists)
        fields.cce = cce
        fields.elapsed_s = self._clock.elapsed_s(cid, now)
        if cce:
            fields.name += f"-{CCE_NAMES[cce]}"
        if cce > 1 and fields.crc is None:
            raise MalformedPacket("CCE(ON) and CCE(OFF) do not extend R-0 and R-1", cid=cid)
        if context.state == State.STATIC_CONTEXT and fields.kind < 2:
            if context.suspended:
                raise UnsupportedProfile(
                    f"CID {cid} was taken over by a profile that the channel does not have",
                    cid=cid,
                )
            error = NoContext(f"the context of CID {cid} has no dynamic part", cid=cid)
            error.feedback = self._policy.failed(context, update=False)
            raise error
        under_way = context.trial is not None
        finding: Finding | None = None
        if context.mode == Mode.RELIABLE:
            finding = find_reliably(context, spec, headers, fields, body)
        elif context.trial is None:
            finding = find(context, spec, headers, fields, body, late_by)
        if finding is None:
            finding = on_trial(context, spec, headers, fields, body, self._clock, now)
        if finding is None and under_way and context.trial is not None:
            raise CrcFailure(f"{fields.name} is held back until a repair is confirmed", cid=cid)
        if finding is None or finding.doubtful:
            error = CrcFailure(f"the CRC of {fields.name} does not match", cid=cid)
            error.feedback = self._policy.failed(context, update=fields.kind == 2)
            raise error
        candidate = finding.candidate
        right = candidate.checksum_right
        proven = right is True and decisive(context, spec)
        # In R-mode nothing is in doubt, and nothing repaired (RFC 3095 section 5.5.2.1).
        suspected = context.mode != Mode.RELIABLE and (finding.ahead != 1 or context.failures > 0)
        if right is False and suspected and context.trusts_checksum:
            context.checksum_record -= HELD_COST
            error = CrcFailure(
                f"{fields.name} is held back: its UDP checksum is wrong behind a gap", cid=cid
            )
            error.feedback = self._policy.failed(context, update=fields.kind == 2)
            raise error
        changed = False
        if fields.crc is None:
            # RFC 3095 sections 5.7.1 and 5.7.2: update nothing.
            pass
        elif finding.ahead > 0:
            if context.failures and fields.kind < 2 and context.trial is None and not proven:
                begin_trial(context, candidate)
                error = CrcFailure(f"{fields.name} is held back after a failure", cid=cid)
                raise error
            changed = context.failures > 0 or differs(headers, candidate.updated)
            if now is not None:
                self._clock.arrived(cid, now, finding.ahead)
            context.accept(candidate.updated, finding.ahead)
            if finding.rebased:
                context.nothing_missing()
            context.settle()
            if fields.lists is not None:
                context.lists = fields.lists
            if fields.kind == 0:
                prepare(context, spec, candidate.raw)
        else:
            context.accept_late(-finding.ahead)
            if not spec.own_sn:
                # Late, or the source went back: the compressor's references are with this packet.
                context.move_back(moved_by_sn(candidate.headers, headers))
        context.suspended = False
        if right is not None:
            context.checksum_record = noted(context.checksum_record, right)
        extension = fields.extension
        signalled = -1 if extension is None else extension.flags.get("Mode", -1)
        feedback = self._policy.verified(
            context, fields.name, changed, signalled, fields.bits["SN"]
        )
        packet = candidate.raw + body[candidate.at :]
        return Decompressed(
            packet,
            feedback,
            received,
            fields.name,
            cid,
            int(spec.number),
            candidate.at + octets,
        )
