"""Doors to a virtual module: a pseudo-terminal for any program, or memory for this one.

A door runs the module in the running event loop; the loop's clock is the module's time, so a loop
whose clock runs fast makes a module that lives fast. It sleeps until the host writes, a datagram
comes, or the module itself has something to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from firmware_bridge.aka import AkaFunction, NetworkFunction
from firmware_bridge.virtual.actions import LineLost
from firmware_bridge.virtual.current import Energy
from firmware_bridge.virtual.faults import FaultKind
from firmware_bridge.virtual.memory_network import MemoryNetwork, MemoryUdp
from firmware_bridge.virtual.module import VirtualModule
from firmware_bridge.virtual.network import UdpNetwork
from firmware_bridge.virtual.settings import ModuleSettings

__all__ = ["Door", "MemoryDoor", "PtyDoor", "virtual_module_in_memory", "virtual_module_on_pty"]

_NAT_ADDRESS = "127.0.0.1"
"""Where a module's datagrams come from on a network in memory: as on this machine's own."""

_READ = 4096
_UNREAD_LIMIT = 65536
"""Output kept for a host that does not read; what comes then is lost, as on a line without flow
control."""


class Door:
    """A running module. Use one of the two functions that make doors; this is what they share.

    Args:
        family: Dialect, see :class:`~firmware_bridge.virtual.module.VirtualModule`.
        settings: Likewise.
        seed: Likewise.
        network: What its UDP sockets are bound on; this machine's real network by default.
        aka: The USIM's authentication, likewise.
        gba: Likewise.
        attach: The network's side of AKA, its ``network``.
    """

    def __init__(
        self,
        family: str,
        settings: ModuleSettings | None,
        seed: int,
        network: MemoryNetwork | None = None,
        *,
        aka: AkaFunction | None = None,
        gba: AkaFunction | None = None,
        attach: NetworkFunction | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.module = VirtualModule(family, settings, seed, self._loop.time(), aka, gba, attach)
        """The module behind the door."""
        self.network: UdpNetwork | MemoryUdp
        """Its UDP sockets."""
        if network is None:
            self.network = UdpNetwork(self._datagram, self._resolved)
        else:
            self.network = MemoryUdp(network, _NAT_ADDRESS, self._datagram, self._resolved)
        self._timer: asyncio.TimerHandle | None = None
        self._when: float | None = None

    @property
    def now(self) -> float:
        """The module's time."""
        return self._loop.time()

    def energy(self) -> Energy:
        """Energy the module has taken from its supply so far."""
        energy = self.module.energy(self.now)
        self._settle()
        return energy

    def silence(self, duration_s: float) -> None:
        """Fault: the module neither hears nor answers for a while."""
        self.module.silence(duration_s, self.now)
        self._settle()

    def garble(self, chunks: int) -> None:
        """Fault: the next pieces of output are random bytes."""
        self.module.garble(chunks, self.now)
        self._settle()

    def reboot(self) -> None:
        """Fault: the module restarts by itself."""
        self.module.reboot(self.now)
        self._settle()

    def fail(self, kind: FaultKind, duration_s: float = 0.0) -> None:
        """Let something go wrong now."""
        self.module.fail(kind, duration_s, self.now)
        self._settle()

    def stand(self, rsrp_dbm: float) -> None:
        """Put the module where its cell is heard so well, -150 to -40 dBm in the mean."""
        self.module.stand(rsrp_dbm, self.now)
        self._settle()

    def tunnel_to(self, address: str, port: int) -> None:
        """Let the network carry non-IP data to this far end from now on."""
        self.module.tunnel_to(address, port, self.now)
        self._settle()

    def wake_pin(self) -> None:
        """A falling edge on the module's wake-up pin."""
        self.module.wake_pin(self.now)
        self._settle()

    def close(self) -> None:
        """Switch everything off."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.network.close()

    def _hear(self, data: bytes) -> None:
        self.module.write(data, self._loop.time())
        self._settle()

    def _datagram(self, socket: int, payload: bytes) -> None:
        self.module.datagram(socket, payload, self._loop.time())
        self._settle()

    def _resolved(self, token: int, address: str | None) -> None:
        self.module.resolved(token, address, self._loop.time())
        self._settle()

    def _due(self) -> None:
        self._timer = None
        # The loop may be a clock resolution early; the module's own time decides what is due.
        self.module.advance(max(self._loop.time(), self._when or 0.0))
        self._settle()

    def _settle(self) -> None:
        """Hand out what the module has to give, and set the alarm for what it will do next."""
        for action in self.module.take_actions():
            if isinstance(action, LineLost):
                self._lose(action.duration_s)
            else:
                self.network.perform(action)
        output = self.module.take_output()
        if output:
            self._say(output)
        when = self.module.next_timer()
        if self._timer is not None and when == self._when:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._when = when
            self._timer = self._loop.call_at(when, self._due)

    def _say(self, data: bytes) -> None:
        raise NotImplementedError

    def _lose(self, duration_s: float) -> None:
        """The device disappears for so long."""


class PtyDoor(Door):
    """The module on a pseudo-terminal.

    Args:
        family: Dialect.
        settings: Likewise.
        seed: Likewise.
        link: A symbolic link to keep on the device, whatever its name is at the moment: what the
            folder ``/dev/serial/by-id`` is for real devices.

    Raises:
        OSError: this system has no pseudo-terminals, or none left.
    """

    def __init__(
        self,
        family: str,
        settings: ModuleSettings | None,
        seed: int,
        link: Path | None = None,
        *,
        aka: AkaFunction | None = None,
        gba: AkaFunction | None = None,
        attach: NetworkFunction | None = None,
    ) -> None:
        super().__init__(family, settings, seed, aka=aka, gba=gba, attach=attach)
        self._link = link
        self._unread = bytearray()
        self._back: asyncio.TimerHandle | None = None
        self._master = self._slave = -1
        self.path = ""
        """Device to open, ``/dev/pts/N``; empty while it has vanished."""
        self._appear()
        self._settle()

    def close(self) -> None:
        """Switch the module off and remove the device."""
        super().close()
        if self._back is not None:
            self._back.cancel()
        self._disappear()

    def _appear(self) -> None:
        try:
            import pty
            import tty
        except ImportError:
            raise OSError("pseudo-terminals need a POSIX system") from None

        self._back = None
        self._master, self._slave = pty.openpty()
        # The slave stays open: else the master reads an error whenever no client has it open.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._loop.add_reader(self._master, self._readable)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.path)

    def _disappear(self) -> None:
        if self._master < 0:
            return
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        self._unread.clear()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self.path = ""
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def _lose(self, duration_s: float) -> None:
        """A client that has it open reads the end of file, as when a USB plug is pulled."""
        self._disappear()
        self._back = self._loop.call_later(duration_s, self._appear)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, _READ)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            self._hear(self.module.heard_at(data, self._speed()))

    def _speed(self) -> int:
        """What the client has set; the master shows the slave's settings."""
        if not self.module.settings.line.strict_baudrate:
            return 0
        import termios

        code = termios.tcgetattr(self._master)[5]
        names = (name for name in vars(termios) if name[:1] == "B" and name[1:].isdigit())
        return next((int(name[1:]) for name in names if getattr(termios, name) == code), 0)

    def _say(self, data: bytes) -> None:
        if self._master < 0:
            return
        data = self.module.heard_at(data, self._speed())
        room = _UNREAD_LIMIT - len(self._unread)
        waiting = bool(self._unread)
        self._unread += data[:room]
        if not waiting:
            self._flush()

    def _flush(self) -> None:
        try:
            written = os.write(self._master, self._unread)
        except (BlockingIOError, InterruptedError):
            written = 0
        del self._unread[:written]
        if self._unread:
            self._loop.add_writer(self._master, self._flush)
        else:
            self._loop.remove_writer(self._master)


class MemoryDoor(Door):
    """The module in this process: bytes in by :meth:`write`, out to a function."""

    def __init__(
        self,
        family: str,
        settings: ModuleSettings | None,
        seed: int,
        network: MemoryNetwork | None = None,
        *,
        aka: AkaFunction | None = None,
        gba: AkaFunction | None = None,
        attach: NetworkFunction | None = None,
    ) -> None:
        super().__init__(family, settings, seed, network, aka=aka, gba=gba, attach=attach)
        self._receiver: Callable[[bytes], None] | None = None
        self._unplugged: Callable[[], None] | None = None
        self._back_at = float("-inf")
        self._settle()

    def connect(
        self, receiver: Callable[[bytes], None], unplugged: Callable[[], None] | None = None
    ) -> None:
        """From now on ``receiver`` gets what the module sends; before, it was lost.

        ``unplugged`` is called when the module vanishes from the line; connect anew to what comes
        back.
        """
        self._receiver = receiver
        self._unplugged = unplugged

    @property
    def present(self) -> bool:
        """Whether the module can be connected to: not while it has vanished."""
        return self._loop.time() >= self._back_at

    def disconnect(self) -> None:
        """Nobody listens any more."""
        self._receiver = self._unplugged = None

    def _lose(self, duration_s: float) -> None:
        """A line that was told of it is over, as when a USB plug is pulled."""
        self._back_at = self._loop.time() + duration_s
        if self._unplugged is not None:
            unplugged = self._unplugged
            self.disconnect()
            unplugged()

    def write(self, data: bytes) -> None:
        """The host writes ``data``."""
        self._hear(data)

    def _say(self, data: bytes) -> None:
        if self._receiver is not None:
            self._receiver(data)


@asynccontextmanager
async def virtual_module_on_pty(
    family: str = "bc66",
    *,
    settings: ModuleSettings | None = None,
    seed: int = 0,
    link: Path | None = None,
    aka: AkaFunction | None = None,
    gba: AkaFunction | None = None,
    attach: NetworkFunction | None = None,
) -> AsyncIterator[PtyDoor]:
    """A virtual module on a pseudo-terminal, for as long as the context lasts.

    With ``link``, a symbolic link of that name points to the device, also after it has vanished
    and come back under another name.

    ``door.path`` is what a serial program opens, any number of times; ``door.module`` is the
    module. Its time is the running loop's.

    Raises:
        ValueError: no such family.
        OSError: no pseudo-terminal to be had.
    """
    door = PtyDoor(family, settings, seed, link, aka=aka, gba=gba, attach=attach)
    with contextlib.closing(door):
        yield door


@asynccontextmanager
async def virtual_module_in_memory(
    family: str = "bc66",
    *,
    settings: ModuleSettings | None = None,
    seed: int = 0,
    network: MemoryNetwork | None = None,
    aka: AkaFunction | None = None,
    gba: AkaFunction | None = None,
    attach: NetworkFunction | None = None,
) -> AsyncIterator[MemoryDoor]:
    """A virtual module without a device, for as long as the context lasts.

    With ``network``, its datagrams go to who has bound their destination there, and nowhere else.

    Raises:
        ValueError: no such family.
    """
    door = MemoryDoor(family, settings, seed, network, aka=aka, gba=gba, attach=attach)
    with contextlib.closing(door):
        yield door
