"""One message sent and its answer awaited: the trace, the bytes, the outcome."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import esp
import rohc
from esp.errors import AssociationEnded, SequenceExhausted
from firmware_bridge import (
    Detached,
    ModuleError,
    ModuleRebooted,
    ModuleTimeout,
    NotSupported,
    PayloadTooLarge,
    PortError,
    SendReceipt,
    SimNotReady,
    SocketLost,
    UnexpectedAnswer,
)
from testbed.analysis.bytes import LayerBytes
from testbed.bench import Security
from testbed.errors import UsageError
from testbed.hse import Passage
from testbed.packets import IPV4_HEADER_BYTES, UDP_HEADER_BYTES, PacketError
from testbed.results.records import Outcome, Stage
from testbed.traffic import Message
from testbed.ue.layers import CompressionInTunnel, FeedbackOnly, Incomplete, Unit, layer_bytes_of
from testbed.ue.session import UeSession
from testbed.ue.trace import Trace

__all__ = [
    "KEEPALIVE_BYTES",
    "Exchange",
    "exchange_message",
    "send_feedback",
    "send_keepalive",
]

KEEPALIVE_BYTES = LayerBytes(
    outer_ip=IPV4_HEADER_BYTES, outer_udp=UDP_HEADER_BYTES, esp_header=len(esp.KEEPALIVE)
)
"""A NAT keepalive by layer: its one octet stands where ESP's header would."""


_logger = logging.getLogger(__name__)

_REASONS: tuple[tuple[type[ModuleError], str], ...] = (
    (PortError, "line-lost"),
    (ModuleRebooted, "module-rebooted"),
    (ModuleTimeout, "module-timeout"),
    (SimNotReady, "sim-lost"),
    (Detached, "network-lost"),
    (UnexpectedAnswer, "unexpected-answer"),
)
"""Reasons that are the module's: short and stable, since they become metric labels."""

_SOCKET_REASONS = {"reboot": "module-rebooted", "line-lost": "line-lost"}
"""Why a socket was lost, where that says more than that it was."""


def _reason(error: ModuleError, otherwise: str) -> str:
    if isinstance(error, SocketLost):
        return _SOCKET_REASONS.get(error.reason, "socket-lost")
    return next((word for kind, word in _REASONS if isinstance(error, kind)), otherwise)


@dataclass(slots=True, kw_only=True)
class Exchange(Trace):
    """What became of one message."""

    message: Message
    """What was sent."""
    outcome: Outcome = Outcome.LOST
    """How it ended."""
    reason: str | None = None
    """Why, unless it was answered: ``no-answer``, ``socket-lost``, ``answer-bad-icv`` ..."""
    uplink_bytes: LayerBytes | None = None
    """The message by layer."""
    downlink_bytes: LayerBytes | None = None
    """The answer by layer."""
    uplink_packets: list[int] = field(default_factory=list)
    """Octets of each packet that was sent; together those of `uplink_bytes`, once all are."""
    downlink_packets: list[int] = field(default_factory=list)
    """Octets of each packet that the answer came in; together those of `downlink_bytes`."""
    uplink_packet: str | None = None
    """ROHC packet type of the message."""
    downlink_packet: str | None = None
    """ROHC packet type of the answer."""
    feedback_received: list[tuple[float, LayerBytes]] = field(default_factory=list)
    """Packets with ROHC feedback and nothing else: when they came, and their octets by layer."""
    keepalives: list[Trace] = field(default_factory=list)
    """NAT keepalives that were sent while the answer was awaited."""
    feedback_due: bytes = b""
    """ROHC feedback that is to be sent to the HSE in a packet of its own."""
    strays: int = 0
    """Datagrams that were no answer to this message: late ones, or refused."""
    error: ModuleError | None = None
    """What the module's driver raised, when the message ended by that."""
    unknown_at_hse: bool = False
    """The HSE said that it does not know the session; anybody can say so."""

    def passed_hse(self, passage: Passage) -> None:
        """Note what the HSE saw, if it is this message."""
        if passage.payload != self.message.payload or passage.received_at < self.submitted_at:
            return
        self.mark(Stage.HSE_RECEIVED, passage.received_at)
        if passage.verified_at is not None:
            self.mark(Stage.HSE_VERIFIED, passage.verified_at)
        if passage.decompressed_at is not None:
            self.mark(Stage.HSE_DECOMPRESSED, passage.decompressed_at)
        if passage.answered_at is not None:
            self.mark(Stage.HSE_ANSWERED, passage.answered_at)

    @property
    def latency_s(self) -> float | None:
        """Submission to delivery, in seconds; ``None`` unless answered."""
        if self.outcome is not Outcome.ANSWERED:
            return None
        return round(self.stages[Stage.DELIVERED] - self.submitted_at, 6)


async def exchange_message(
    session: UeSession, exchange: Exchange, *, answer_timeout_s: float
) -> None:
    """Send a message down the session's stack and await its answer.

    Args:
        session: open.
        exchange: is filled; its `submitted_at` is the loop's time now.
        answer_timeout_s: how long after submission the answer may come, in seconds.

    Raises:
        UsageError: the message does not fit the module's socket; the text gives the figures.
        firmware_bridge.NotSupported: the module can't do what the bench asks for. Whatever else
            goes wrong with it ends the message only, and is its ``error``.
    """
    exchange.mark(Stage.SUBMITTED, exchange.submitted_at)
    if session.lifetime_state() is esp.LifetimeState.HARD:
        exchange.outcome, exchange.reason = Outcome.FAILED, "association-ended"
        return
    try:
        receipts = await _send(session, exchange)
    except NotSupported:
        raise
    except ModuleError as error:
        _logger.info("message %d was not sent: %s", exchange.message.index, error)
        exchange.outcome, exchange.reason = Outcome.FAILED, _reason(error, "send-failed")
        exchange.error = error
        return
    except (AssociationEnded, SequenceExhausted) as error:
        _logger.info("message %d was not sent: %s", exchange.message.index, error)
        exchange.outcome, exchange.reason = Outcome.FAILED, "association-ended"
        return
    exchange.mark(Stage.AT_WRITTEN, receipts[0].written_at)
    exchange.mark(Stage.ACCEPTED, receipts[-1].accepted_at)
    await _await_answer(session, exchange, exchange.submitted_at + answer_timeout_s)


async def send_feedback(session: UeSession, exchange: Exchange) -> Exchange | None:
    """Send the ROHC feedback that a message left, in a packet of its own.

    Returns:
        The sending as an exchange without an answer, whose stages go on filling until the release;
        ``None`` when the module did not send it.
    """
    loop = asyncio.get_running_loop()
    sending = Exchange(message=exchange.message, submitted_at=loop.time())
    sending.mark(Stage.SUBMITTED, sending.submitted_at)
    try:
        await session.ensure_open()
        unit = session.stack.feedback_down(exchange.feedback_due, loop.time())
    except ModuleError as error:
        _logger.info("feedback after message %d was not sent: %s", exchange.message.index, error)
        exchange.error = error
        return None
    except (AssociationEnded, SequenceExhausted):
        return None  # the next message begins with new keys and contexts
    if session.configuration.security is not Security.NONE:
        sending.mark(Stage.PROTECTED, loop.time())
    sending.uplink_bytes = unit.layer_bytes
    try:
        receipt = await session.send(unit.data)
    except ModuleError as error:
        _logger.info("feedback after message %d was not sent: %s", exchange.message.index, error)
        exchange.error = error
        return None
    sending.uplink_packets.append(unit.total_bytes)
    sending.mark(Stage.AT_WRITTEN, receipt.written_at)
    sending.mark(Stage.ACCEPTED, receipt.accepted_at)
    return sending


async def send_keepalive(session: UeSession) -> Trace:
    """Send a NAT keepalive.

    Returns:
        Its stages, which go on filling until the release.

    Raises:
        firmware_bridge.ModuleError: whatever keeps the module from it.
    """
    trace = Trace(submitted_at=asyncio.get_running_loop().time())
    trace.mark(Stage.SUBMITTED, trace.submitted_at)
    receipt = await session.send_keepalive()
    trace.mark(Stage.AT_WRITTEN, receipt.written_at)
    trace.mark(Stage.ACCEPTED, receipt.accepted_at)
    return trace


async def _send(session: UeSession, exchange: Exchange) -> list[SendReceipt]:
    """Take the message down the stack and give it to the module, on a new socket if need be."""
    loop = asyncio.get_running_loop()
    sent: list[Unit] = []
    for again in (True, False):
        await session.ensure_open()
        packet, limit = exchange.message.packet, session.max_payload
        units = [Unit(data=packet, limit=limit, coap=exchange.message.is_coap)]
        for layer in session.stack.layers:
            units = [lower for unit in units for lower in layer.down(unit, loop.time())]
            if layer.down_stage is not None:
                exchange.mark(layer.down_stage, loop.time())
        exchange.uplink_packet = units[0].packet_type
        exchange.uplink_bytes = layer_bytes_of([*sent, *units])
        receipts = []
        try:
            for unit in units:
                receipts.append(await session.send(unit.data, more=unit is not units[-1]))
                sent.append(unit)
                exchange.uplink_packets.append(unit.total_bytes)
            return receipts
        except PayloadTooLarge as error:
            room = session.stack.largest_payload(unit, session.max_payload)
            raise UsageError(
                f"message {exchange.message.index} has {len(exchange.message.payload)} octets, "
                f"{len(unit.data)} as {session.configuration.name}; {session.carrier.title} takes "
                f"{session.max_payload}",
                hint=(
                    f"At most {room} octets of payload fit here: choose another configuration, "
                    f"or shorter messages{_or_segments(session)}."
                    if room
                    else "Nothing fits here: choose another configuration, or less padding."
                ),
            ) from error
        except SocketLost:
            if not again:
                raise
    raise AssertionError("unreachable")


def _or_segments(session: UeSession) -> str:
    """What else there is where messages may go in segments."""
    layers = session.stack.layers
    can = any(isinstance(layer, CompressionInTunnel) for layer in layers)
    return ", or a (larger) rohc: {mrru: N} here and at the HSE" if can else ""


async def _await_answer(session: UeSession, exchange: Exchange, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    refused: str | None = None
    parts: dict[int, Unit] = {}
    while True:
        remaining = deadline - loop.time()
        if remaining <= 0:
            break
        quiet_s = session.keepalive_due - loop.time()
        try:
            if quiet_s <= 0:
                exchange.keepalives.append(await send_keepalive(session))
                continue
            received = await session.receive(min(remaining, quiet_s))
        except ModuleError as error:
            _logger.info("message %d gets no answer: %s", exchange.message.index, error)
            reason = _reason(error, "receive-failed")
            exchange.reason = "unknown-at-hse" if exchange.unknown_at_hse else reason
            exchange.error = error
            return
        except TimeoutError:
            continue
        if session.is_unknown_at_hse(received.data):
            # Not authenticated: the answer may still come, and only when none does it counts.
            exchange.unknown_at_hse = True
            exchange.strays += 1
            continue
        unit = Unit(data=received.data, coap=exchange.message.is_coap)
        try:
            unprotected_at = _climb(session, unit)
        except FeedbackOnly:
            exchange.feedback_received.append((received.at, unit.layer_bytes))
            continue
        except Incomplete:
            parts[unit.segments[0]] = unit
            exchange.strays += 1  # until the others come
            continue
        except esp.RemoteError as error:
            refused = error.reason
        except rohc.RohcError:
            refused = "decompression-failed"
        except PacketError as error:
            refused = f"inner-{error.reason}"
        else:
            # What came before this message answers another one.
            before = [parts[number] for number in unit.segments if number in parts]
            if unit.data == exchange.message.payload and len(before) + 1 >= len(unit.segments):
                exchange.mark(Stage.RECEIVED, received.at)
                if unprotected_at is not None:
                    exchange.mark(Stage.UNPROTECTED, unprotected_at)
                exchange.mark(Stage.DELIVERED, loop.time())
                exchange.outcome = Outcome.ANSWERED
                exchange.downlink_bytes = layer_bytes_of([*before, unit])
                exchange.downlink_packets = [one.total_bytes for one in (*before, unit)]
                exchange.strays -= len(before)
                exchange.downlink_packet = unit.packet_type
                exchange.feedback_due += unit.feedback
                return
        exchange.feedback_due += unit.feedback
        exchange.strays += 1
    if refused is not None:
        exchange.reason = f"answer-{refused}"
    else:
        exchange.reason = "unknown-at-hse" if exchange.unknown_at_hse else "no-answer"


def _climb(session: UeSession, unit: Unit) -> float | None:
    """Take a datagram up the stack; gives when ESP accepted it, if ESP was there."""
    loop = asyncio.get_running_loop()
    unprotected_at = None
    for layer in reversed(session.stack.layers):
        layer.up(unit, loop.time())
        if layer.up_stage is Stage.UNPROTECTED:
            unprotected_at = loop.time()
    return unprotected_at
