"""The UE's side of a key exchange, hello or AKA: what to send, and what to make of what comes.

Sending, waiting and counting are `testbed.ue.session`'s, the same for both. Nothing that comes ends
an exchange but keys: anybody can send anything. So what went wrong is told when the waits are over,
by the first of these that is so:

=========================  =====================================================================
``usim-busy``              the card stayed busy, though it was asked in each wait
``challenge-refused``      the USIM says that the challenge is not its home network's
``refused-REASON``         the HSE says so, in a notice that anybody can forge
``synchronisation-failure``  the USIM's answer brought no other challenge
``challenge-unfit``        a challenge came that this UE does not take
``no-answer``              nothing came that says why
=========================  =====================================================================

A USIM that can't be reached, or refuses the command, ends it at once: asking again changes nothing.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from esp import keying
from esp.aka import AkaMacFailure, AkaSuccess, AkaSyncFailure
from esp.errors import KeyingRejected, PeerRefused, Reason, RemoteError
from firmware_bridge import (
    CommandFailed,
    Module,
    UnexpectedAnswer,
    UsimBusy,
    UsimError,
    UsimRefused,
)
from testbed.ue.usim import UeUsim

__all__ = [
    "AkaExchange",
    "Failure",
    "HelloExchange",
    "KeyExchange",
    "Outgoing",
    "UsimFailed",
    "message_name",
    "usim_failure",
]

_NAMES = {
    0x11: "request",
    0x12: "response",
    0x1F: "notice",
    0x21: "request",
    0x22: "challenge",
    0x23: "confirm",
    0x24: "acknowledgement",
}


def message_name(message: bytes) -> str:
    """What a message of a key exchange is called; ``other`` for what is none."""
    return _NAMES.get(message[0] if message else 0, "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send."""

    data: bytes = field(repr=False)
    """It, without the non-ESP marker."""
    last: bool = False
    """The UE sends nothing more when its answer is the one hoped for."""
    progress: bool = False
    """The exchange got further by it: the waits begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why no keys came of it."""

    reason: str
    """In one word, for journal and metrics."""
    said: str = ""
    """The sentence that follows the HSE's name; empty when nothing came at all."""
    hint: str = ""
    """The next step."""
    configuration: bool = False
    """It is a mistake in somebody's configuration, not the lab's fault."""


class UsimFailed(Exception):
    """The USIM can't do its part, and asking again would change nothing.

    Attributes:
        failure: why.
        answer: what the HSE is told; none when it was told nothing yet.
    """

    def __init__(self, failure: Failure, answer: bytes | None = None) -> None:
        super().__init__(failure.said)
        self.failure = failure
        self.answer = answer


class KeyExchange(ABC):
    """One run of a key exchange."""

    kind: ClassVar[keying.KeyAgreement]
    marks: dict[str, float]
    """Loop time of its own stages."""
    resynchronisations = 0
    """How often the USIM reported a synchronisation failure."""
    usim: str | None = None
    """How the USIM is reached; none without one."""
    usim_s: float | None = None
    """How long it took, all together, in seconds; none without one."""

    @abstractmethod
    async def begin(self) -> None:
        """See that all is there before anything is sent. Raises UsimFailed, ModuleError."""

    @abstractmethod
    def outgoing(self) -> Outgoing:
        """What to send at first, and again whenever nothing came."""

    @abstractmethod
    async def take(self, message: bytes) -> keying.Session | Outgoing | None:
        """Take what came: keys, something to send, or nothing of use.

        Raises:
            UsimFailed: the USIM can't do its part.
            firmware_bridge.ModuleError: the module does not do its part.
        """

    @abstractmethod
    def failure(self) -> Failure:
        """Why it came to nothing, when the waits are over."""


class HelloExchange(KeyExchange):
    """Keys from a configured secret: request and response.

    Args:
        initiator: of the hello.
        who: what the UE is called in errors.
    """

    kind = keying.KeyAgreement.HELLO

    def __init__(self, initiator: keying.Initiator, who: str) -> None:
        self._initiator = initiator
        self._who = who
        self._hint = ""
        self.marks = {}

    async def begin(self) -> None:
        """See `KeyExchange.begin`."""

    def outgoing(self) -> Outgoing:
        """See `KeyExchange.outgoing`."""
        return Outgoing(data=self._initiator.request(), last=True)

    async def take(self, message: bytes) -> keying.Session | None:
        """See `KeyExchange.take`."""
        try:
            return self._initiator.response(message)
        except PeerRefused as error:
            self._hint = error.hint  # a notice that anybody can forge: of use only at the end
        except RemoteError:
            pass  # anybody can send anything: wait for a response that verifies
        return None

    def failure(self) -> Failure:
        """See `KeyExchange.failure`."""
        refused = _told(self._initiator.refusal, self._hint, self._who)
        return refused or Failure(reason="no-answer")


class AkaExchange(KeyExchange):
    """Keys from AKA: request, challenge, confirm, acknowledgement.

    Args:
        initiator: of the exchange with AKA.
        usim: answers the challenges.
        module: the driver that speaks with the module now.
    """

    kind = keying.KeyAgreement.AKA

    def __init__(self, initiator: keying.AkaInitiator, usim: UeUsim, module: Module) -> None:
        self._initiator = initiator
        self._card = usim
        self._module = module
        self._spent_before_s = usim.spent_s
        self._hint = ""
        self._busy: UsimBusy | None = None
        self._unfit: KeyingRejected | None = None
        self.marks = {}

    async def begin(self) -> None:
        """See `KeyExchange.begin`."""
        try:
            await self._card.open(self._module)
        except UsimError as error:
            raise UsimFailed(usim_failure(error)) from error
        finally:
            self._account()

    def outgoing(self) -> Outgoing:
        """See `KeyExchange.outgoing`."""
        data = self._initiator.resend()
        return Outgoing(data=data, last=message_name(data) == "confirm")

    async def take(self, message: bytes) -> keying.Session | Outgoing | None:
        """See `KeyExchange.take`."""
        try:
            taken = self._initiator.handle(message)
        except PeerRefused as error:
            self._hint = error.hint
            return None
        except KeyingRejected as error:
            if message_name(message) == "challenge":
                self._unfit = error
            return None
        if isinstance(taken, keying.Session):
            return taken
        if isinstance(taken, keying.Reply):
            return Outgoing(data=taken.data, last=True)
        return await self._challenged(taken)

    async def _challenged(self, challenge: keying.Challenge) -> Outgoing:
        loop = asyncio.get_running_loop()
        self.marks.setdefault("challenged", loop.time())
        try:
            answer = await self._card.authenticate(self._module, challenge.rand, challenge.autn)
        except UsimBusy as error:
            self._busy = error
            return Outgoing(data=self._initiator.answer(challenge, None))
        except (UsimError, CommandFailed, UnexpectedAnswer) as error:
            told = self._initiator.answer(challenge, None)
            raise UsimFailed(usim_failure(error), told) from error
        finally:
            self._account()
        self._busy = None
        if isinstance(answer, AkaSyncFailure):
            self.resynchronisations += 1
        succeeded = isinstance(answer, AkaSuccess)
        if succeeded:
            self.marks["authenticated"] = loop.time()
        data = self._initiator.answer(challenge, answer)
        return Outgoing(data=data, last=succeeded, progress=not isinstance(answer, AkaMacFailure))

    def _account(self) -> None:
        self.usim = self._card.path or None
        self.usim_s = round(self._card.spent_s - self._spent_before_s, 6)

    def failure(self) -> Failure:
        """See `KeyExchange.failure`."""
        if self._busy is not None:
            return usim_failure(self._busy)
        last = self._initiator.failure
        if last is Reason.CHALLENGE_REFUSED:
            return Failure(
                reason=last.value,
                said="sent a challenge that the USIM refuses: it is not its home network's",
                hint="Do the USIM and the HSE's source of vectors have the same K, OPc and "
                "algorithm?",
                configuration=True,
            )
        refused = _told(self._initiator.refusal, self._hint, "this UE")
        if refused is not None:
            return refused
        if last is Reason.SYNCHRONISATION_FAILURE:
            return Failure(
                reason=last.value,
                said="sent no other challenge after the USIM's synchronisation failure",
                hint="Can the HSE's source of vectors resynchronise? Ready vectors can't be.",
            )
        if self._unfit is not None:
            return Failure(
                reason="challenge-unfit",
                said=f"sent a challenge that is of no use here: {self._unfit}",
                hint=f"{self._unfit.hint or 'Are both sides configured alike?'}",
                configuration=True,
            )
        return Failure(reason="no-answer")


def _told(refusal: Reason | None, hint: str, who: str) -> Failure | None:
    if refusal is None:
        return None
    return Failure(
        reason=f"refused-{refusal}",
        said=f"refuses {who}: {refusal}",
        hint=hint,
        configuration=True,
    )


def usim_failure(error: UsimError | CommandFailed | UnexpectedAnswer) -> Failure:
    """What is told of a USIM that does not do its part."""
    kinds = ((UsimBusy, "usim-busy"), (UsimRefused, "usim-refused"))
    reason = next((word for kind, word in kinds if isinstance(error, kind)), "usim-unreachable")
    if isinstance(error, CommandFailed | UnexpectedAnswer):
        reason = "usim-refused"
    hint = error.hint
    if reason == "usim-unreachable":
        hint = (
            "See which way there is: testbed module probe --usim. Without one: aka: {usim: soft}, "
            "or a firmware with AT+CCHO and AT+CGLA, or AT+CSIM."
        )
    return Failure(reason=reason, said=str(error), hint=hint)
