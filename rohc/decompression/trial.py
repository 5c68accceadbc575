"""Repair of a context (RFC 3095 sections 5.3.2.2.4 and 5.3.2.2.5), packet by packet.

A candidate that `repair` finds is on trial until enough packets have confirmed it.
"""

from __future__ import annotations

from rohc.channel import Mode
from rohc.decompression.clock import Clock
from rohc.decompression.context import SEEN_PACKETS, DecompressorContext
from rohc.decompression.received import Received
from rohc.decompression.reconstruct import Candidate
from rohc.decompression.repair import (
    TRIAL_PACKETS,
    Finding,
    decisive,
    find_by_trial,
    trial_is_ambiguous,
)
from rohc.headers.chain import Headers
from rohc.profiles.spec import Spec

__all__ = ["begin_trial", "on_trial"]

DOUBT_PACKETS = 2
"""How many packets with a short CRC are held back after a failure until the next one confirms."""
TRIAL_FAILURES_MAX = 2
"""From this many consecutive failures on no new repair is tried; an update must come."""


def on_trial(
    context: DecompressorContext,
    spec: Spec,
    headers: Headers,
    fields: Received,
    body: bytes,
    clock: Clock,
    now: float | None,
) -> Finding | None:
    """The headers of a packet that confirms a repair for good, or None.

    Args:
        context: the context; the trial that is under way moves on, begins or ends.
        spec: its profile.
        headers: its headers.
        fields: the packet's fields.
        body: the packet.
        clock: when packets came.
        now: the time of arrival in seconds, or None.
    """
    if context.mode == Mode.RELIABLE:
        return None
    if context.trial is None and context.failures >= TRIAL_FAILURES_MAX:
        return None
    wrap_likely = clock.wrap_likely(context.cid, now, fields.bits["SN"])
    candidate = find_by_trial(context, spec, headers, fields, body, wrap_likely)
    if candidate is None:
        context.trial = None
        context.trial_packets = 0
        context.trial_ambiguous = False
        return None
    if context.trial is None:
        context.trial_ambiguous = not wrap_likely
    if trial_is_ambiguous(context, spec, fields, body, candidate):
        context.trial = candidate.updated
        return None
    if candidate.checksum_right and decisive(context, spec):
        return Finding(candidate, SEEN_PACKETS)
    context.trial = candidate.updated
    context.trial_packets += 1
    if context.trial_packets >= TRIAL_PACKETS or fields.kind == 2:
        return Finding(candidate, SEEN_PACKETS)
    return None


def begin_trial(context: DecompressorContext, candidate: Candidate) -> None:
    """Let the next packet confirm one that a short CRC verified after a failure."""
    context.trial = candidate.updated
    context.trial_packets = TRIAL_PACKETS - DOUBT_PACKETS
    context.trial_ambiguous = True
