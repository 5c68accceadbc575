"""Non-IP data over the control plane: AT+CSODCP and +CRTDCP (TS 27.007 10.1.43, 10.1.44)."""

from __future__ import annotations

from typing import ClassVar

from firmware_bridge.virtual.commands import Arguments, BadArgument
from firmware_bridge.virtual.dialects.simaccess import SimAccessSession
from firmware_bridge.virtual.dialects.table import Answer, CommandFailed

__all__ = ["NonIpSession", "send", "set_reports"]

MAX_PAYLOAD = 950
"""Octets of one packet up (BC660K manual 7.4)."""

_NOT_ALLOWED = 3


class NonIpSession(SimAccessSession):
    """An interpreter with a path for packets without IP."""

    non_ip_form: ClassVar[str]
    """How +CRTDCP is written: ``{cid}``, ``{length}`` and ``{data}`` are filled in."""
    non_ip_reports = 0
    """CRTDCP <reporting>."""
    without_ip = False
    """The default context was set up without IP: there is nothing that a UDP socket could use."""

    def non_ip_context(self) -> int:
        """The context that carries packets without IP.

        Raises:
            CommandFailed: there is none.
        """
        raise CommandFailed(_NOT_ALLOWED)

    def non_ip_arrived(self, handle: int, payload: bytes) -> bool:
        """Report a packet when wanted; False when ``handle`` is not the tunnel."""
        if not self.module.is_tunnel(handle):
            return False
        try:
            cid = self.non_ip_context()
        except CommandFailed:
            return True  # the context was defined anew meanwhile, with IP
        if self.non_ip_reports:
            self.unsolicited(
                self.non_ip_form.format(cid=cid, length=len(payload), data=payload.hex().upper())
            )
        return True


def set_reports(session: NonIpSession, arguments: Arguments) -> Answer:
    """``AT+CRTDCP=``."""
    arguments.at_most(1)
    session.non_ip_reports = arguments.integer(0, 0, 1)
    return Answer()


def send(session: NonIpSession, arguments: Arguments) -> Answer:
    """``AT+CSODCP=``: context, length, data in hex, release assistance, kind of data."""
    arguments.at_most(5)
    cid = arguments.integer(0, 0, 10)
    length = arguments.integer(1, 0, MAX_PAYLOAD)
    try:
        payload = bytes.fromhex(arguments.string(2, default=""))
    except ValueError:
        raise BadArgument("not hex") from None
    release = arguments.integer(3, 0, 2, default=0)
    arguments.integer(4, 0, 1, default=0)
    if len(payload) != length:
        raise BadArgument("not as long as it says")
    if cid != session.non_ip_context() or not session.module.equipment.registered:
        raise CommandFailed(_NOT_ALLOWED)
    tunnel = session.module.tunnel()
    # No IP and no UDP header on the air: that is the point of it.
    if tunnel is None or not session.module.equipment.send(tunnel, payload, 0, release):
        raise CommandFailed(_NOT_ALLOWED)
    return Answer()
