"""What can go wrong between the host and a module.

    ModuleError                    the root; every one has a `hint`, the next step
     ├─ PortError                  the line itself
     │   ├─ PortMissing            no such port; lists the ports that exist
     │   ├─ PortBusy               somebody else holds it; says who, where that can be found
     │   ├─ PortUnreachable        rfc2217:// or socket:// server does not answer, or refuses
     │   └─ LineLost               the port vanished while it was open (USB unplugged, server gone)
     ├─ ModuleTimeout              an answer did not come in time (also a TimeoutError)
     │   └─ ModuleSilent           not one byte came: off, asleep, wrong baud rate, not a module
     ├─ ModuleRebooted             a boot banner came in the middle of a command
     ├─ CommandFailed              the module answered ERROR, +CME ERROR, SEND FAIL, ...
     ├─ UnexpectedAnswer           the module answered something that can't be read
     ├─ SimNotReady                no SIM, PIN needed, SIM broken
     ├─ UsimError                  the USIM does not authenticate
     │   ├─ UsimUnreachable        no command of this module leads to it
     │   ├─ UsimBusy               the card stayed busy
     │   └─ UsimRefused            the card answered a status word that is a refusal
     ├─ Detached                   the operation needs a registered module
     │   └─ RegistrationDenied     the network refused the module
     ├─ SocketLost                 the module no longer has this socket
     ├─ PayloadTooLarge            more octets than the module's socket takes (also a ValueError)
     ├─ NotSupported               this family or firmware can't do it
     └─ UnknownFamily              no driver of that name (also a LookupError)

Local mistakes of the caller (a port number of 70,000, a negative time) are plain `ValueError`.

No error shows an identity whole, nor an APDU's body: sentences and attributes are masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firmware_bridge.masking import carries_apdu, mask_digits, mask_secrets

__all__ = [
    "CommandFailed",
    "Detached",
    "LineLost",
    "ModuleError",
    "ModuleRebooted",
    "ModuleSilent",
    "ModuleTimeout",
    "NotSupported",
    "PayloadTooLarge",
    "PortBusy",
    "PortError",
    "PortMissing",
    "PortUnreachable",
    "RegistrationDenied",
    "SimNotReady",
    "SocketLost",
    "UnexpectedAnswer",
    "UnknownFamily",
    "UsimBusy",
    "UsimError",
    "UsimRefused",
    "UsimUnreachable",
]


class ModuleError(Exception):
    """Root of everything that `firmware_bridge` raises about ports and modules.

    `str()` is one sentence of what happened, with nothing secret in it; `hint` is one sentence of
    what to do next, "" if there is nothing better than to read the sentence.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(mask_secrets(message))
        self.hint = hint


class PortError(ModuleError):
    """The line could not be opened, or was lost. `address` is the port as the caller wrote it."""

    def __init__(self, message: str, *, address: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.address = address


class PortMissing(PortError):
    """There is no such port. `existing` lists the addresses of those that exist."""

    def __init__(self, address: str, existing: Sequence[str] = ()) -> None:
        self.existing = tuple(existing)
        there = ", ".join(self.existing) if self.existing else "none"
        super().__init__(
            f"port {address} does not exist (serial ports found: {there})",
            address=address,
            hint="plug the module in, or name one of the ports found"
            if self.existing
            else "plug the module in, or use virtual:bc66 to work without hardware",
        )


class PortBusy(PortError):
    """Somebody else has the port open. `holder` says who (`minicom (pid 812)`), "" if unknown."""

    def __init__(self, address: str, holder: str = "") -> None:
        self.holder = holder
        super().__init__(
            f"port {address} is in use by {holder or 'another program'}",
            address=address,
            hint=f"stop {holder} first" if holder else f"find the program with: fuser -v {address}",
        )


class PortUnreachable(PortError):
    """A port on the network (rfc2217://, socket://) could not be opened. `reason` says why."""

    def __init__(self, address: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"port {address} can't be opened: {reason}",
            address=address,
            hint="check that the serial server runs at that host and port; ser2net in front of a "
            "pty needs rfc2217://HOST:PORT?ign_set_control",
        )


class LineLost(PortError):
    """The port went away while it was open. `reason` is the system's word for it, "" if none."""

    def __init__(self, address: str, reason: str = "") -> None:
        self.reason = mask_secrets(reason)
        super().__init__(
            f"port {address} vanished" + (f" ({reason})" if reason else ""),
            address=address,
            hint="check the cable and the module's supply; the port may come back under a new name",
        )


class ModuleTimeout(ModuleError, TimeoutError):
    """No final result within the command's time. `command`, `waited_s`, `seen` (lines so far)."""

    def __init__(
        self, command: str, waited_s: float, *, seen: Sequence[str] = (), hint: str = ""
    ) -> None:
        self.command = mask_secrets(command)
        self.waited_s = waited_s
        self.seen = tuple(_told(command, line) for line in seen)
        got = f"; it said {' | '.join(self.seen)}" if self.seen else ""
        super().__init__(
            f"no final answer to {self.command} within {round(waited_s, 1):g} s{got}", hint=hint
        )


class ModuleSilent(ModuleTimeout):
    """Not one byte came back."""

    def __init__(self, command: str, waited_s: float, *, address: str = "") -> None:
        super().__init__(
            command,
            waited_s,
            hint="check power, cable, TX/RX and the baud rate; a module in deep sleep may need "
            "its wake-up pin (PSM_EINT, PWRKEY)",
        )
        self.address = address
        where = f" on {address}" if address else ""
        self.args = (
            f"the module{where} is silent: no answer to {self.command} within "
            f"{round(waited_s, 1):g} s",
        )


class ModuleRebooted(ModuleError):
    """A boot banner came while a command was outstanding, which therefore has no answer.

    `command` is that command, `banner` the line that gave the reboot away.
    """

    def __init__(self, command: str, banner: str) -> None:
        self.command = mask_secrets(command)
        self.banner = banner
        super().__init__(
            f"the module rebooted during {command} ({banner!r})",
            hint="its sockets and settings are gone: call start() and attach() again; repeated "
            "reboots under load point to the supply",
        )


class CommandFailed(ModuleError):
    """The module refused a command.

    `command`; `code`: number of +CME/+CMS ERROR or of the socket result, None for a plain ERROR;
    `text`: the line as it came.
    """

    def __init__(
        self, command: str, text: str, code: int | None = None, *, meaning: str = "", hint: str = ""
    ) -> None:
        self.command = mask_secrets(command)
        self.text = mask_secrets(text)
        self.code = code
        self.meaning = meaning
        said = f" ({meaning})" if meaning else ""
        super().__init__(f"the module answered {text}{said} to {command}", hint=hint)


class UnexpectedAnswer(ModuleError):
    """The answer came but can't be read. `command`, `answer`."""

    def __init__(self, command: str, answer: str, expected: str) -> None:
        self.command = mask_secrets(command)
        self.answer = _told(command, answer)
        super().__init__(
            f"the answer to {self.command} can't be read: {self.answer!r}, expected {expected}",
            hint="record the exchange with the AT log: this firmware speaks differently",
        )


class SimNotReady(ModuleError):
    """The SIM can't be used. `state`: what AT+CPIN? said."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(
            f"the SIM is not ready: {state}",
            hint="take the SIM's PIN off"
            if state.startswith(("SIM PIN", "SIM PUK", "PH-"))
            else "insert a SIM, and check its contacts",
        )


class UsimError(ModuleError):
    """The USIM does not authenticate."""


class UsimUnreachable(UsimError):
    """No command of this module leads to the USIM. `reasons`: path -> why it does not."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = {path: mask_secrets(reason) for path, reason in reasons.items()}
        told = "; ".join(f"{path}: {reason}" for path, reason in self.reasons.items())
        super().__init__(
            "the USIM can't be reached through this module" + (f" ({told})" if told else ""),
            hint="use a soft USIM, or a firmware that has AT+CCHO and AT+CGLA, or AT+CSIM",
        )


class UsimBusy(UsimError):
    """The card stayed busy. `waited_s`: how long it was asked again."""

    def __init__(self, waited_s: float) -> None:
        self.waited_s = waited_s
        super().__init__(
            f"the USIM was busy for {round(waited_s, 1):g} s",
            hint="wait until the module has booted and attached, then try again",
        )


class UsimRefused(UsimError):
    """The card answered a status word that is a refusal. `sw`: it, 16 bits; `asked`: for what."""

    def __init__(self, sw: int, asked: str, *, meaning: str = "", hint: str = "") -> None:
        self.sw = sw
        self.asked = asked
        self.meaning = meaning
        said = f" ({meaning})" if meaning else ""
        super().__init__(f"the USIM refused {asked}: {sw:04X}{said}", hint=hint)


class Detached(ModuleError):
    """The module is not registered, or has no address."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(
            message, hint=hint or "call attach() first; check antenna, band and coverage"
        )


class RegistrationDenied(Detached):
    """The network refused the module. `cause`: EMM cause (TS 24.301 9.9.3.9), None if not told."""

    def __init__(self, cause: int | None = None) -> None:
        self.cause = cause
        super().__init__(
            "the network denied the registration"
            + (f" (EMM cause {cause})" if cause is not None else ""),
            hint="check the subscription: NB-IoT enabled, right APN, roaming allowed",
        )


class SocketLost(ModuleError):
    """The module no longer has this socket. `socket_id`, `reason`."""

    def __init__(self, socket_id: int, reason: str) -> None:
        self.socket_id = socket_id
        self.reason = reason
        super().__init__(
            f"socket {socket_id} is gone: {reason}", hint="open a new one with open_udp()"
        )


class PayloadTooLarge(ModuleError, ValueError):
    """More octets than the socket takes. `size` and `limit` in octets."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"a payload of {size} octets is larger than the module's socket takes ({limit})",
            hint="send less, or raise max_payload if this firmware is known to take more",
        )


class NotSupported(ModuleError):
    """The family, or its firmware, can't do it. `family`, `operation`."""

    def __init__(self, family: str, operation: str, reason: str = "") -> None:
        self.family = family
        self.operation = operation
        self.reason = reason
        super().__init__(
            f"{family} does not support {operation}" + (f": {reason}" if reason else ""),
            hint="leave this setting out, or choose a family or firmware that has it",
        )


class UnknownFamily(ModuleError, LookupError):
    """There is no driver of that name. `family`, `known`."""

    def __init__(self, family: str, known: Sequence[str]) -> None:
        self.family = family
        self.known = tuple(known)
        super().__init__(
            f"no driver for module family {family!r}",
            hint=f"known families: {', '.join(self.known)}",
        )


def _told(command: str, line: str) -> str:
    """A line of the answer to `command`, as an error may show it."""
    return mask_digits(line) if carries_apdu(command) else mask_secrets(line)
