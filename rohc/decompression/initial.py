"""IR and IR-DYN packets at the decompressor (RFC 3095 sections 5.2.3, 5.2.4 and 5.7.7)."""

from __future__ import annotations

from rohc.decompression.context import DecompressorContext, State
from rohc.encoding.crc import CRC8
from rohc.encoding.lists import ListState
from rohc.errors import CrcFailure, MalformedPacket
from rohc.headers.chain import Headers, Transport
from rohc.profiles.spec import Spec

__all__ = ["Initial", "ahead_by", "behind_by", "read_ir", "read_ir_dyn", "verify_crc8"]

_FIXED_OCTETS = 3
"""Type, profile and CRC."""


class Initial:
    """What an IR or IR-DYN packet says.

    Attributes:
        headers: the headers with all fields that it gives.
        lists: the list states after it.
        dynamic: whether a dynamic chain was there.
        mode: the Mode field, 0 when it was not there.
        at: the offset of the payload behind the type octet's offset.
    """

    __slots__ = ("at", "dynamic", "headers", "lists", "mode")

    def __init__(self, headers: Headers, lists: list[ListState], at: int) -> None:
        self.headers = headers
        self.lists = lists
        self.at = at
        self.dynamic = False
        self.mode = 0


def verify_crc8(framed: bytes, header_octets: int, cid_octets: int) -> None:
    """Check the 8-bit CRC over a whole header with its CID octets (section 5.9.1, RFC 4815 2.2).

    Args:
        framed: the packet with its Add-CID octet (but that of CID 0) and without padding.
        header_octets: the size of the header without CID octets; 2 for profile 0x0000, whose CRC
            ends before the CRC field (section 5.10.1).
        cid_octets: how many octets the CID takes.

    Raises:
        CrcFailure: it does not match.
    """
    place = 2 + cid_octets
    state = CRC8.update(CRC8.initial, framed[:place])
    if header_octets > 2:
        state = CRC8.update(state, b"\x00")
        state = CRC8.update(state, framed[place + 1 : header_octets + cid_octets])
    if state != framed[place]:
        raise CrcFailure("the CRC of the IR or IR-DYN packet does not match")


def read_ir(
    body: bytes, spec: Spec, known: Headers | None, known_lists: list[ListState]
) -> Initial:
    """The content of an IR packet.

    Args:
        body: the packet from its type octet on, without CID octets.
        spec: the profile that it names.
        known: the context's headers when it already has this profile; what the IR packet does not
            carry stays (RFC 4815 section 6.3).
        known_lists: the context's list states, not changed.

    Raises:
        MalformedPacket: the chains are cut short or do not fit the profile.
    """
    headers, at = spec.read_static_chain(body, _FIXED_OCTETS)
    lists = _lists_for(headers, spec, known_lists)
    if known is not None:
        headers.ts_stride = known.ts_stride
        headers.time_stride = known.time_stride
        if spec.write_static_chain(known) == spec.write_static_chain(headers):
            headers.cfp = known.cfp
    initial = Initial(headers, lists, at)
    if body[0] & 1 or not spec.has_rtp:
        _read_dynamic(body, at, spec, initial)
    return initial


def read_ir_dyn(body: bytes, spec: Spec, known: Headers, known_lists: list[ListState]) -> Initial:
    """The content of an IR-DYN packet, whose static part is the context's.

    Raises:
        MalformedPacket: the chain is cut short, or the static part does not fit the profile.
    """
    headers = known.copy()
    if spec.transport != headers.transport:
        if spec.transport != Transport.NONE:
            raise MalformedPacket("the context's static chain has no header of this profile")
        headers.transport = Transport.NONE
    if spec.has_rtp and not headers.has_rtp:
        raise MalformedPacket("the context's static chain has no RTP header")
    headers.has_rtp = spec.has_rtp
    if not spec.has_rtp:
        headers.csrcs = ()
    initial = Initial(headers, _lists_for(headers, spec, known_lists), _FIXED_OCTETS)
    _read_dynamic(body, _FIXED_OCTETS, spec, initial)
    return initial


def _read_dynamic(body: bytes, at: int, spec: Spec, initial: Initial) -> None:
    headers = initial.headers
    behind, initial.mode = spec.read_dynamic_chain(body, at, headers, initial.lists)
    initial.dynamic = True
    initial.at = behind
    headers.checksum_present = headers.checksum != 0
    if headers.transport == Transport.UDP_LITE:
        length = len(body) - behind + headers.transport_octets
        # RFC 4019 section 5.2.2.
        headers.coverage_kept = headers.coverage
        headers.cfi = headers.coverage == length
        headers.cfp = headers.cfp or not headers.cfi


def _lists_for(headers: Headers, spec: Spec, known: list[ListState]) -> list[ListState]:
    count = len(headers.levels) + (1 if spec.has_rtp else 0)
    lists = [state.copy() for state in known]
    while len(lists) < count:
        lists.append(ListState())
    if spec.has_rtp and len(known) > count:
        lists[count - 1] = lists[-1]
    return lists[:count]


def behind_by(context: DecompressorContext | None, spec: Spec, initial: Initial) -> int:
    """How far behind the newest packet an IR or IR-DYN packet is, 0 when it is not late."""
    if context is None or context.headers is None or not initial.dynamic:
        return 0
    if not spec.own_sn:
        # The source's own numbers may go back; then this is no late packet.
        return 0
    if context.state != State.FULL_CONTEXT or context.failures:
        return 0
    behind = (context.headers.sn - initial.headers.sn) & spec.sn_mask
    if not context.is_missing(behind):
        return 0
    static = spec.write_static_chain(initial.headers)
    return behind if static == spec.write_static_chain(context.headers) else 0


def ahead_by(context: DecompressorContext, headers: Headers) -> int:
    """How many SNs an IR or IR-DYN packet is in front, 0 when it begins another flow."""
    old, spec = context.headers, context.spec
    if old is None or spec is None or context.state != State.FULL_CONTEXT:
        return 0
    if len(old.levels) != len(headers.levels):
        return 0
    if spec.write_static_chain(old) != spec.write_static_chain(headers):
        return 0
    return (headers.sn - old.sn) & spec.sn_mask
