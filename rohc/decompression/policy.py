"""What feedback a decompressor gives, and how its states and modes move.

    event                                      feedback
    IR verified                                ACK, at most one per `IR_ACK_INTERVAL` repetitions
    IR-DYN or UOR-2 that changed the context   ACK (RFC 3095 5.4.2.2, optional in O-mode)
    R-mode: any packet with a 7- or 8-bit CRC  ACK (5.5.2.2)
    a mode transition is due or under way      ACK with Mode and CRC option (5.6)
    a packet fails                             NACK from the `NACK_AFTER`th on, at most one per
                                               `NACK_INTERVAL` packets (5.3.2.2.3, 5.7.6)
    updates fail in Static Context, or there
    is no context                              STATIC-NACK, limited likewise

In U-mode (`Decompressor(mode="U")`) nothing is ever sent. An ACK that carries no news about the
mode is a FEEDBACK-1 where its 8 bits of SN are enough.
"""

from __future__ import annotations

from rohc.channel import Mode
from rohc.decompression.context import DecompressorContext, State, Transition
from rohc.feedback import write_feedback_1, write_feedback_2
from rohc.formats.feedback import AckType, Option
from rohc.headers.chain import Headers

__all__ = ["Policy", "differs"]

IR_ACK_INTERVAL = 4
NACK_AFTER = 1
NACK_INTERVAL = 4
STATIC_AFTER = 2
"""k_1: consecutive failures after which Full Context becomes Static Context."""
NO_CONTEXT_AFTER = 3
"""k_2: further failures of updates after which Static Context becomes No Context."""
NO_CONTEXT_AFTER_UNIDIRECTIONAL = 12
"""The same where no feedback is given. Then nothing is gained by asking for IR packets, and those
updates that fail for a change that was missed end with the next one that tells it."""
TRANSITION_TRIES = 8
"""Packets that ask for a mode before the decompressor takes the compressor's silence for a no."""


class Policy:
    """The feedback logic of one decompressor.

    Args:
        mode: the highest mode that contexts may move to.
        large: whether the channel has large CIDs.
        clock_resolution_ms: what the CLOCK option tells for RTP flows; 0 for no such option.
    """

    def __init__(self, mode: Mode, large: bool, clock_resolution_ms: int) -> None:
        self.clock_resolution_ms = clock_resolution_ms
        self.mode = mode
        self.large = large
        self._no_context_after = (
            NO_CONTEXT_AFTER_UNIDIRECTIONAL if mode == Mode.UNIDIRECTIONAL else NO_CONTEXT_AFTER
        )
        self._silent: dict[int, int] = {}

    def verified(
        self, context: DecompressorContext, name: str, changed: bool, signalled: int, sn_bits: int
    ) -> bytes:
        """A packet was decompressed.

        Args:
            context: its context, already up to date.
            name: the packet type.
            changed: it gave the context other content than before.
            signalled: its Mode field, or -1 when it has none.
            sn_bits: how many bits of SN it carried.
        """
        if context.quiet:
            context.quiet -= 1
        if self.mode == Mode.UNIDIRECTIONAL or context.headers is None:
            return b""
        type_0_or_1 = name[:3] in ("UO-", "R-0", "R-1")
        self._move(context, signalled, type_0_or_1)
        if context.mode != self.mode and context.transition == Transition.DONE:
            return self._ask(context)
        if context.transition == Transition.INITIATED:
            return self._ask_again(context)
        if context.transition == Transition.PENDING and not type_0_or_1:
            return self._acknowledge(context, protect=True)
        if context.mode == Mode.RELIABLE:
            if type_0_or_1 and not name.startswith("R-0-CRC"):
                return b""
            return self._acknowledge(context, protect=False, sn_bits=sn_bits)
        if name == "IR":
            context.acked = True
            context.repeated += 1
            if context.repeated % IR_ACK_INTERVAL == 1 or changed:
                return self._acknowledge(context, protect=True)
            return b""
        if changed and not type_0_or_1:
            return self._acknowledge(context, protect=False)
        return b""

    def _move(self, context: DecompressorContext, signalled: int, type_0_or_1: bool) -> None:
        """D_MODE and D_TRANS after a packet (RFC 3095 5.6, RFC 4815 3.1, RFC 3843 3.4)."""
        if context.transition == Transition.INITIATED and signalled == self.mode:
            context.mode = self.mode
            context.transition = Transition.PENDING
            context.steady = None
        elif context.transition == Transition.INITIATED and signalled == 0:
            context.declined = True
            context.transition = Transition.DONE
        elif context.transition == Transition.PENDING and type_0_or_1:
            context.transition = Transition.DONE

    def _ask(self, context: DecompressorContext) -> bytes:
        """Begin a mode transition, unless the compressor has declined it."""
        if context.declined:
            return b""
        if context.mode == Mode.UNIDIRECTIONAL and self.mode == Mode.OPTIMISTIC:
            # RFC 3095 section 5.6.2: the decompressor works in O-mode at once.
            context.mode = Mode.OPTIMISTIC
            context.acked = True
            context.repeated = 1
            return self._acknowledge(context, protect=True)
        context.transition = Transition.INITIATED
        context.steady = None
        context.tries = 0
        return self._ask_again(context)

    def _ask_again(self, context: DecompressorContext) -> bytes:
        context.tries += 1
        if context.tries > TRANSITION_TRIES:
            context.declined = True
            context.transition = Transition.DONE
            return b""
        return self._acknowledge(context, protect=True)

    def _acknowledge(
        self, context: DecompressorContext, *, protect: bool, sn_bits: int = 8
    ) -> bytes:
        headers = context.headers
        if headers is None:
            return b""
        options: tuple[tuple[Option, int], ...] = ()
        if protect and headers.has_rtp and self.clock_resolution_ms:
            options = ((Option.CLOCK, self.clock_resolution_ms),)
        if not protect and sn_bits <= 8:
            return write_feedback_1(context.cid, self.large, headers.sn)
        return write_feedback_2(
            context.cid,
            self.large,
            ack_type=AckType.ACK,
            mode=int(self.mode),
            sn=headers.sn,
            sn_bits=sn_bits if sn_bits > 12 else 12,
            options=options,
            protect=protect,
        )

    # Failures -----------------------------------------------------------------------------

    def failed(self, context: DecompressorContext, update: bool) -> bytes:
        """A packet of a context was refused.

        Args:
            context: the context; its state and counters move.
            update: the packet carries a 7- or 8-bit CRC.
        """
        context.failures += 1
        if context.state == State.FULL_CONTEXT and context.failures >= STATIC_AFTER:
            context.state = State.STATIC_CONTEXT
            context.steady = None
            context.updates_failed = 0
        elif context.state == State.STATIC_CONTEXT and update:
            context.updates_failed += 1
            if context.updates_failed >= self._no_context_after:
                context.state = State.NO_CONTEXT
        if context.quiet:
            context.quiet -= 1
            return b""
        if self.mode == Mode.UNIDIRECTIONAL or context.failures < NACK_AFTER:
            return b""
        context.quiet = NACK_INTERVAL
        headers = context.headers
        valid = headers is not None and context.state != State.NO_CONTEXT
        return write_feedback_2(
            context.cid,
            self.large,
            ack_type=AckType.NACK if valid else AckType.STATIC_NACK,
            mode=int(context.mode if context.mode > Mode.UNIDIRECTIONAL else self.mode),
            sn=headers.sn if headers is not None else 0,
            options=() if valid else ((Option.SN_NOT_VALID, 0),),
            protect=True,
        )

    def without_context(self, cid: int) -> bytes:
        """A packet came for a CID that has no context."""
        count = self._silent.get(cid, 0)
        self._silent[cid] = (count + 1) % NACK_INTERVAL
        if self.mode == Mode.UNIDIRECTIONAL or count:
            return b""
        return write_feedback_2(
            cid,
            self.large,
            ack_type=AckType.STATIC_NACK,
            mode=int(self.mode),
            sn=0,
            options=((Option.SN_NOT_VALID, 0),),
            protect=True,
        )


def differs(old: Headers | None, new: Headers) -> bool:
    """Whether the content of a context changed, sequence numbers and what follows them apart."""
    if old is None or len(old.levels) != len(new.levels):
        return True
    for mine, theirs in zip(old.levels, new.levels, strict=True):
        if (
            mine.tos != theirs.tos
            or mine.ttl != theirs.ttl
            or mine.df != theirs.df
            or mine.rnd != theirs.rnd
            or mine.nbo != theirs.nbo
            or mine.sid != theirs.sid
            or mine.extensions != theirs.extensions
        ):
            return True
    return (
        old.checksum_present != new.checksum_present
        or old.cfp != new.cfp
        or old.ts_stride != new.ts_stride
        or old.ts_offset != new.ts_offset
        or old.time_stride != new.time_stride
        or old.payload_type != new.payload_type
        or old.padding != new.padding
        or old.extension != new.extension
        or old.csrcs != new.csrcs
    )
