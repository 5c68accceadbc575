"""What the decompressor remembers about one CID (RFC 3095 section 6.5.2)."""

from __future__ import annotations

from enum import IntEnum

from rohc.channel import Mode
from rohc.decompression.steady import Steady
from rohc.encoding.ip_id import offset_of, swapped
from rohc.encoding.lists import ListState
from rohc.headers.chain import Headers
from rohc.headers.checksum import TRUSTED
from rohc.profiles.spec import Spec

__all__ = ["SEEN_PACKETS", "DecompressorContext", "State", "Transition"]

SEEN_PACKETS = 32
"""How far behind the newest packet it is known which sequence numbers have arrived."""
_SEEN_MASK = (1 << SEEN_PACKETS) - 1
_HISTORY = 2
BURSTY_MEAN = 3
"""From this many packets per gap on, loss comes in bursts."""
BURSTY_PRIOR = 2
"""So many gaps of one packet are taken for granted before any is seen."""


class State(IntEnum):
    """Decompressor states (RFC 3095 section 5.3.2)."""

    NO_CONTEXT = 0
    STATIC_CONTEXT = 1
    FULL_CONTEXT = 2


class Transition(IntEnum):
    """D_TRANS (RFC 3095 section 5.6.1, RFC 4815 section 3.1)."""

    DONE = 0
    INITIATED = 1
    PENDING = 2


class DecompressorContext:
    """One context.

    Attributes:
        cid: its identifier.
        spec: its profile, or None for profile 0x0000.
        headers: the newest verified headers with the context's control values; None for 0x0000.
        sn_before: the reference SN before the last one ("ref -1", RFC 3095 5.3.2.2.5), or -1.
        history: the headers before, newest last, for packets that come late.
        seen: which SNs have arrived; bit n stands for the SN n behind the newest.
        lists: one state per IP header and, with RTP, one for the CSRC list.
        steady: what the hot path prepared, or None when it must be prepared anew.
        mode, transition: D_MODE and D_TRANS.
        state: the decompressor state.
        failures: consecutive packets that failed.
        trial: headers under repair, which the context takes over once enough packets confirm them.
        trial_packets: how many packets have confirmed the trial.
        trial_ambiguous: the trial began after a failure; its SN may be an interval too low.
        quiet: how many packets must pass before the next NACK.
        acked: whether the present content of the context was acknowledged.
        repeated: IR packets since the content of the context last changed.
        tries, declined: packets that asked for a mode, and whether the answer was no.
        updates_failed: failed updates in Static Context.
        checksum_record: how the flow's UDP checksums have been so far (`checksum.noted`).
        gaps, gap_packets: how many gaps there were in front of verified packets, and how many
            packets they took.
        suspended: an IR packet of a profile that the channel does not have took the CID over.
    """

    __slots__ = (
        "acked",
        "checksum_record",
        "cid",
        "declined",
        "failures",
        "gap_packets",
        "gaps",
        "headers",
        "history",
        "lists",
        "mode",
        "quiet",
        "repeated",
        "seen",
        "sn_before",
        "spec",
        "state",
        "steady",
        "suspended",
        "transition",
        "trial",
        "trial_ambiguous",
        "trial_packets",
        "tries",
        "updates_failed",
    )

    def __init__(self, cid: int, spec: Spec | None) -> None:
        self.cid = cid
        self.spec = spec
        self.headers: Headers | None = None
        self.sn_before = -1
        self.history: list[Headers] = []
        self.seen = 0
        self.lists: list[ListState] = []
        self.steady: Steady | None = None
        self.mode = Mode.UNIDIRECTIONAL
        self.transition = Transition.DONE
        self.state = State.NO_CONTEXT
        self.failures = 0
        self.trial: Headers | None = None
        self.trial_packets = 0
        self.trial_ambiguous = False
        self.checksum_record = 0
        self.gaps = 0
        self.gap_packets = 0
        self.quiet = 0
        self.acked = False
        self.suspended = False
        self.repeated = 0
        self.tries = 0
        self.declined = False
        self.updates_failed = 0

    def leave_steady(self) -> None:
        """Bring `headers` up to the packets that took the hot path."""
        steady, headers = self.steady, self.headers
        if steady is None or headers is None or not steady.packets:
            return
        level = headers.levels[0]
        if level.version == 4 and not level.rnd and not level.sid:
            offset = offset_of(level.identification, headers.sn, bool(level.nbo))
            counter = (steady.sn + offset) & 0xFFFF
            level.identification = counter if level.nbo else swapped(counter)
        headers.sn = steady.sn
        self.sn_before = steady.sn_before
        count = min(steady.packets, SEEN_PACKETS)
        self.seen = (self.seen << count | (1 << count) - 1) & _SEEN_MASK
        steady.packets = 0
        if steady.checksum_present:
            steady.check_at = 1

    def begin(self, headers: Headers, ahead: int) -> None:
        """An IR or IR-DYN packet gave all that there is to know.

        Args:
            headers: what it gave.
            ahead: how many SNs it is in front of the newest of the same flow; 0 for another flow.
        """
        if self.headers is not None and 0 < ahead < SEEN_PACKETS:
            self.accept(headers, ahead)
        else:
            self.headers = headers
            self.history.clear()
            # What was sent before cannot come any more, or is of another flow.
            self.seen = _SEEN_MASK
        self.sn_before = -1
        self.steady = None
        self.state = State.FULL_CONTEXT
        self.settle()

    def accept(self, headers: Headers, ahead: int) -> None:
        """Make verified headers, `ahead` SNs in front of the newest, the reference."""
        old = self.headers
        if 1 < ahead < SEEN_PACKETS:
            self.gaps += 1
            self.gap_packets += ahead - 1
        if old is not None:
            self.sn_before = old.sn
            self.history.append(old)
            if len(self.history) > _HISTORY:
                del self.history[0]
        self.headers = headers
        self.steady = None
        self.seen = (self.seen << ahead | 1) & _SEEN_MASK if ahead < SEEN_PACKETS else 1
        self.state = State.FULL_CONTEXT

    def nothing_missing(self) -> None:
        """What lies behind the newest SN will not come any more."""
        self.seen = _SEEN_MASK
        self.history.clear()

    def accept_late(self, behind: int) -> None:
        """A packet `behind` SNs behind the newest was verified; the reference stays."""
        self.seen |= 1 << behind & _SEEN_MASK

    def move_back(self, headers: Headers) -> None:
        """Take an SN behind the newest for the reference."""
        self.headers = headers
        self.steady = None
        self.nothing_missing()

    def is_missing(self, behind: int) -> bool:
        """Whether the SN `behind` the newest has not arrived, as far as is known."""
        return 0 < behind < SEEN_PACKETS and not self.seen >> behind & 1

    def settle(self) -> None:
        """Nothing is in doubt."""
        self.failures = 0
        self.trial = None
        self.trial_packets = 0
        self.trial_ambiguous = False

    @property
    def trusts_checksum(self) -> bool:
        """Whether a wrong UDP checksum is a sign of wrong headers."""
        return self.checksum_record >= TRUSTED

    @property
    def bursty(self) -> bool:
        """Whether packets are lost in bursts rather than one by one."""
        return self.gap_packets + BURSTY_PRIOR >= BURSTY_MEAN * (self.gaps + BURSTY_PRIOR)

    def before(self, sn: int, mask: int) -> Headers | None:
        """The newest headers that are older than the SN."""
        half = (mask >> 1) + 1
        for headers in reversed(self.history):
            if 0 < (sn - headers.sn) & mask < half:
                return headers
        return None
