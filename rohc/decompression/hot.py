"""When the decompressor's hot path may be taken, and what is noted on it now and then."""

from __future__ import annotations

from rohc.channel import Mode, Profile
from rohc.decompression.context import DecompressorContext, Transition
from rohc.decompression.steady import CHECK_INTERVAL, Steady, Steady4, Steady6
from rohc.headers.checksum import noted, right_in_packet
from rohc.profiles.spec import Spec

__all__ = ["look_at_checksum", "prepare"]


def prepare(context: DecompressorContext, spec: Spec, raw: bytes) -> None:
    """Let the next packets of a settled UDP flow take the hot path."""
    headers = context.headers
    if (
        headers is None
        or spec.number != Profile.UDP
        or context.mode == Mode.RELIABLE
        # RFC 3095 section 5.6.1: every packet is answered until the transition is done.
        or context.transition != Transition.DONE
        or len(headers.levels) > 1
        or headers.levels[0].extensions
    ):
        return
    if headers.levels[0].version == 4:
        context.steady = Steady4(headers, raw, context.sn_before)
    else:
        context.steady = Steady6(headers, raw, context.sn_before)


def look_at_checksum(context: DecompressorContext, steady: Steady, packet: bytes) -> None:
    """Keep the record of the flow's UDP checksums on the hot path, now and then."""
    right = right_in_packet(packet)
    if right is not None:
        context.checksum_record = noted(context.checksum_record, right)
    settled = right is None or context.trusts_checksum or context.checksum_record < 0
    steady.check_at = steady.packets + (CHECK_INTERVAL if settled else 1)
