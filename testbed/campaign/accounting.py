"""Whether what a record counts is what the capture holds, asked after every message of every run.

Layers are counted where they are made, in the stack; sizes are taken where packets are written into
the capture. The two have nothing in common but the packet, so that an octet which is counted twice,
or not at all, shows at once and not in somebody's conclusions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from testbed.analysis.bytes import LayerBytes
from testbed.campaign.observers import InFlight
from testbed.errors import TestbedError
from testbed.results import SessionRecord, Stage
from testbed.ue.messages import KEEPALIVE_BYTES, Exchange

__all__ = ["BytesDisagree", "check_exchange", "check_keepalive", "check_session"]


class BytesDisagree(TestbedError):
    """What was counted is not what went over the network."""

    def __init__(self, what: str, counted: Sequence[int], captured: Sequence[int]) -> None:
        super().__init__(
            f"{what}: the layers sum to {_octets(counted)}, the capture has {_octets(captured)}",
            hint=(
                "The figures of this run can't be trusted from there on. This is a mistake of the "
                "testbed's: keep the run directory, and report it."
            ),
        )


def check_exchange(exchange: Exchange, seen: InFlight, what: str) -> None:
    """See that a message's layers sum to its packets, both ways.

    Args:
        exchange: over.
        seen: what the capture got meanwhile.
        what: names the message.

    Raises:
        BytesDisagree: they do not.
    """
    sent, layers = exchange.uplink_packets, exchange.uplink_bytes
    up = [*sent, *[KEEPALIVE_BYTES.total] * len(exchange.keepalives)]
    if up != seen.sent:
        raise BytesDisagree(f"{what}, uplink", up, seen.sent)
    if Stage.AT_WRITTEN in exchange.stages and layers is not None and layers.total != sum(sent):
        raise BytesDisagree(f"{what}, uplink", [layers.total], seen.sent)
    down = [layers.total for _, layers in exchange.feedback_received]
    if exchange.downlink_bytes is not None:
        answer = exchange.downlink_packets
        if seen.received[-1:] != answer[-1:] or exchange.downlink_bytes.total != sum(answer):
            raise BytesDisagree(f"{what}, downlink", answer, seen.received[-len(answer) :])
        down += answer
    others = Counter(seen.received)
    others.subtract(down)
    # Late answers and forgeries are in the capture and in no layer: they are counted as strays.
    if min(others.values(), default=0) < 0 or others.total() != exchange.strays:
        raise BytesDisagree(f"{what}, downlink", down, seen.received)


def check_keepalive(layers: LayerBytes, seen: InFlight, what: str) -> None:
    """See that a keepalive's layers sum to its packet.

    Raises:
        BytesDisagree: they do not.
    """
    if seen.sent != [layers.total]:
        raise BytesDisagree(what, [layers.total], seen.sent)


def check_session(record: SessionRecord, seen: InFlight, what: str) -> None:
    """See that a key exchange's octets are those of its packets, both ways.

    Raises:
        BytesDisagree: they are not.
    """
    if record.bytes_up != sum(seen.sent):
        raise BytesDisagree(f"{what}, uplink", [record.bytes_up], seen.sent)
    if record.bytes_down != sum(seen.received):
        raise BytesDisagree(f"{what}, downlink", [record.bytes_down], seen.received)


def _octets(sizes: Sequence[int]) -> str:
    return (" + ".join(map(str, sizes)) or "0") + " octets"
