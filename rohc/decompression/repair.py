"""Which SN a compressed header has, and which headers it gives, when packets are lost or late.

The interpretation interval gives one SN. Where the CRC refuses it, or a packet may be late, other
SNs with the same least significant bits are candidates (RFC 3095 sections 5.3.2.2.3 to 5.3.2.2.5):

    late         an SN behind the newest that has not arrived yet; decompressed with the headers
                 that were valid then, it leaves the reference where it is
    wrapped      the SN one interval further on: more packets were lost than the bits can tell
    reference    the SN that the reference before the last one gives: the last one was wrong

Where the flow's UDP checksums have been right so far they rank the candidates. With RTP the
checksum covers the SN: the candidate that it verifies is the one, without any trial.

A late candidate whose number is known to be missing needs no further proof when the interval's own
SN is refused. Candidates of the other two kinds are on trial: the context moves only after
`TRIAL_PACKETS` packets in a row have confirmed them, and only the last of these is delivered.
"""

from __future__ import annotations

from rohc.channel import Mode
from rohc.decompression.context import SEEN_PACKETS, DecompressorContext
from rohc.decompression.received import Received
from rohc.decompression.reconstruct import Candidate, attempt, decode_sn
from rohc.encoding.crc import CRC3
from rohc.errors import MalformedPacket
from rohc.headers.chain import Headers
from rohc.headers.checksum import right_in
from rohc.profiles.spec import Spec

__all__ = [
    "Finding",
    "decisive",
    "find",
    "find_by_trial",
    "find_reliably",
    "trial_is_ambiguous",
]

TRIAL_PACKETS = 3
"""RFC 3095 section 5.3.2.2.4 e: two packets are discarded, the third is delivered."""
SUSPECTED_GAP = 6
"""From a jump of the SN this wide on, a packet with a 3-bit CRC is refused when the SN one interval
further on verifies too: after so long a burst of loss the one is hardly likelier than the other."""
SUSPECTED_GAP_BURSTY = 2
"""The same where loss comes in bursts."""
AMBIGUOUS_INTERVALS = 2
"""How far on an SN may be that a trial which began after a failure must not be taken for."""
WRAPS_MAX = 3
"""How many intervals further on an SN is looked for where the UDP checksum decides."""
LATE_MAX = 16
"""How far behind the newest a packet may be and still be looked for, without `late_by`."""


class Finding:
    """A candidate that its CRC verifies.

    Attributes:
        candidate: the headers.
        ahead: how many SNs in front of the newest; 0 or less when it is late.
        doubtful: another candidate is as good.
        rebased: the SN went back at its source; nothing in front of it is missing.
    """

    __slots__ = ("ahead", "candidate", "doubtful", "rebased")

    def __init__(
        self,
        candidate: Candidate,
        ahead: int,
        doubtful: bool = False,
        rebased: bool = False,
    ) -> None:
        self.candidate = candidate
        self.ahead = ahead
        self.doubtful = doubtful
        self.rebased = rebased


def find(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    received: Received,
    body: bytes,
    late_by: int | None,
) -> Finding | None:
    """The headers of a packet without going on trial, or None when the CRC refuses all.

    Args:
        context: the context, not changed.
        spec: its profile.
        headers: its headers.
        received: the packet's fields.
        body: the packet.
        late_by: how far behind the newest it is, when a lower layer knows.
    """
    found = _find(context, spec, headers, received, body, late_by)
    if found is not None and found.candidate.checksum_right:
        found.doubtful = found.doubtful and not decisive(context, spec)
    elif decisive(context, spec):
        return _find_by_checksum(context, spec, headers, received, body) or found
    return found


def decisive(context: DecompressorContext, spec: Spec) -> bool:
    """Whether the UDP checksum decides between SNs: it covers them, and has been right so far."""
    return spec.has_rtp and context.trusts_checksum


def _find_by_checksum(
    context: DecompressorContext, spec: Spec, headers: Headers, received: Received, body: bytes
) -> Finding | None:
    """The SN among all candidates for which both the CRC and the UDP checksum are right."""
    mask = spec.sn_mask
    step = 1 << received.bits["SN"]
    own = decode_sn(received, spec, headers.sn)
    numbers = [own + times * step for times in range(WRAPS_MAX + 1)]
    numbers.append(own - step)
    if context.sn_before >= 0:
        numbers.append(decode_sn(received, spec, context.sn_before))
    for number in numbers:
        sn = number & mask
        behind = (headers.sn - sn) & mask
        if context.is_missing(behind):
            late = _find_late(context, spec, headers, received, body, behind)
            if late is not None and late.candidate.checksum_right:
                return late
        found = _verified(context, spec, headers, received, body, sn)
        if found is not None and found.checksum_right:
            ahead = (sn - headers.sn) & mask
            back = not ahead or ahead > mask >> 1
            return Finding(found, SEEN_PACKETS if back else ahead, rebased=back)
    return None


def _find(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    received: Received,
    body: bytes,
    late_by: int | None,
) -> Finding | None:
    mask = spec.sn_mask
    half = (mask >> 1) + 1
    sn = decode_sn(received, spec, headers.sn)
    ahead = (sn - headers.sn) & mask
    if not ahead or ahead >= half:
        # RTP and ESP: the interval itself reaches behind the reference.
        behind = (headers.sn - sn) & mask
        if context.is_missing(behind):
            return _find_late(context, spec, headers, received, body, behind)
        # The source itself went back, or repeats a number; the compressor's references go along.
        back = _verified(context, spec, headers, received, body, sn)
        return None if back is None else Finding(back, SEEN_PACKETS, rebased=True)
    k = received.bits["SN"]
    behind = (1 << k) - ahead if k < 16 else SEEN_PACKETS
    may_be_late = context.is_missing(behind)
    if late_by is None:
        may_be_late = may_be_late and behind <= LATE_MAX and behind < ahead
    else:
        may_be_late = may_be_late and late_by > 0 and behind <= late_by
    late = _find_late(context, spec, headers, received, body, behind) if may_be_late else None
    if late is not None and late_by is not None:
        return late
    if late_by:
        # A lower layer says that something newer has arrived, which this one is then behind of.
        other = _verified(context, spec, headers, received, body, sn)
        if other is None or ahead > (1 << k) // 2:
            return None
        return Finding(other, ahead)
    found = _verified(context, spec, headers, received, body, sn)
    if found is None:
        return late
    if late is None:
        doubtful = False
        if ahead >= (SUSPECTED_GAP_BURSTY if context.bursty else SUSPECTED_GAP):
            doubtful = _wraps_as_well(context, spec, headers, received, body, found)
        return Finding(found, ahead, doubtful)
    if behind > 1 and found.raw == late.candidate.raw:
        return Finding(found, ahead)
    # Both pass: a packet that changed places with its successor is the likelier one.
    return Finding(late.candidate, late.ahead, doubtful=behind > 1)


def _wraps_as_well(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    received: Received,
    body: bytes,
    found: Candidate,
    intervals: int = 1,
) -> bool:
    """Whether a short CRC verifies an SN up to so many intervals further on too."""
    k = received.bits["SN"]
    if k > 5 or received.crc is not CRC3 or context.mode == Mode.RELIABLE:
        return False
    for times in range(1, intervals + 1):
        wrapped = (found.headers.sn + (times << k)) & spec.sn_mask
        other = _verified(context, spec, headers, received, body, wrapped)
        if other is not None and other.raw != found.raw:
            return True
    return False


def find_reliably(
    context: DecompressorContext, spec: Spec, headers: Headers, received: Received, body: bytes
) -> Finding | None:
    """The headers of a packet in R-mode, where nothing is repaired (RFC 3095 section 5.5.2.1)."""
    sn = decode_sn(received, spec, headers.sn)
    found = _verified(context, spec, headers, received, body, sn)
    return None if found is None else Finding(found, max((sn - headers.sn) & spec.sn_mask, 1))


def _find_late(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    received: Received,
    body: bytes,
    behind: int,
) -> Finding | None:
    sn = (headers.sn - behind) & spec.sn_mask
    older = context.before(sn, spec.sn_mask)
    for reference in (older, headers):
        if reference is None:
            continue
        found = _verified(context, spec, reference, received, body, sn)
        if found is not None:
            return Finding(found, -behind)
    return None


def _verified(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    received: Received,
    body: bytes,
    sn: int,
) -> Candidate | None:
    try:
        candidate = attempt(received, body, spec, headers, context.lists, sn)
    except MalformedPacket:
        if headers is context.headers:
            raise
        return None
    if not candidate.verifies(received):
        return None
    if spec.checksummed:
        payload = body[candidate.at :]
        candidate.checksum_right = right_in(candidate.headers, candidate.raw, payload)
    return candidate


def trial_is_ambiguous(
    context: DecompressorContext, spec: Spec, received: Received, body: bytes, found: Candidate
) -> bool:
    """Whether a packet that confirms the trial would confirm another one as well."""
    trial = context.trial
    if trial is None or not context.trial_ambiguous:
        return False
    return _wraps_as_well(context, spec, trial, received, body, found, AMBIGUOUS_INTERVALS)


def find_by_trial(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    received: Received,
    body: bytes,
    wrap_likely: bool,
) -> Candidate | None:
    """A candidate for a repair of the context, or None.

    With a trial under way the packet must confirm it; otherwise one is begun. An SN one interval
    further on is tried only when the clock says that so many packets can have been lost: a wrong
    SN or a stale field that passes a 3-bit CRC once passes it for some packets in a row, so that
    confirmations prove little.
    """
    mask = spec.sn_mask
    if context.trial is not None:
        sn = decode_sn(received, spec, context.trial.sn)
        found = _verified(context, spec, context.trial, received, body, sn)
        if found is not None and found.checksum_right is False and context.trusts_checksum:
            return None
        return found
    sn = decode_sn(received, spec, headers.sn)
    if wrap_likely:
        wrapped = (sn + (1 << received.bits["SN"])) & mask
        found = _verified(context, spec, headers, received, body, wrapped)
        if found is not None:
            return found
    if context.sn_before < 0:
        return None
    again = decode_sn(received, spec, context.sn_before)
    if again == sn:
        return None
    return _verified(context, spec, headers, received, body, again)
