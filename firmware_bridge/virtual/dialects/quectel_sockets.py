"""Quectel: the UDP sockets, DNS and ping of its TCP/IP commands.

Sources: as in :mod:`firmware_bridge.virtual.dialects.bc66`; ``tcpip`` is the maker's TCP/IP
application note of the family (BC66 V1.0; BC660K-GL V1.1 where that could not be read).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from firmware_bridge.virtual.commands import Arguments, BadArgument
from firmware_bridge.virtual.dialects.nonip import NonIpSession
from firmware_bridge.virtual.dialects.table import Answer, CommandFailed, Prompt

if TYPE_CHECKING:
    from firmware_bridge.virtual.module import VirtualModule

__all__ = [
    "QuectelSockets",
    "Socket",
    "close",
    "configure",
    "look_up",
    "open_socket",
    "ping",
    "read",
    "send",
    "send_hex",
    "state",
]

SOCKETS = 4
"""Connect ids 0 to 3 (renode: NumberOfConnections)."""

MAX_TEXT = 1024
"""Bytes of inline text."""

MAX_HEX = 512
"""Bytes of inline hex."""

MAX_PROMPT = 1024
"""Bytes after the prompt."""

BUFFER = 4096
"""Bytes kept per socket in buffer mode."""

_PARAMETERS_INVALID = 552
_NOT_SUPPORTED = 555
_DNS_FAILED = 565
_NO_CONTEXT = 561
_IN_USE = 563
_SEND_OK_S = 0.050  # renode: SEND OK 50 ms after OK
_CLOSE_OK_S = 0.050  # log 917: CLOSE OK 50 ms after OK
_OPENED_S = 0.120
_DNS_BYTES = 60
_PING_TTL = 255


@dataclass(slots=True)
class Socket:
    """One open socket."""

    handle: int
    """The module's number for the network around."""
    address: str
    """Far end."""
    port: int
    """Far end."""
    local_port: int
    """On the module's own address."""
    direct: bool
    """Data is pushed with the URC; else it waits for QIRD."""
    sent: int = 0
    """Payload bytes accepted so far."""
    buffer: deque[bytes] = field(default_factory=deque)
    """Datagrams waiting for QIRD; the first may be partly read."""

    @property
    def header_bytes(self) -> int:
        """IP and UDP header on the air."""
        return 48 if ":" in self.address else 28

    @property
    def unread(self) -> int:
        """Bytes waiting."""
        return sum(map(len, self.buffer))


class QuectelSockets(NonIpSession):
    """The socket half of an interpreter."""

    context_id: ClassVar[int]
    """The only context id that the socket commands take."""
    buffer_mode: ClassVar[bool]
    """QIRD and access mode 0 are there."""
    options: ClassVar[dict[str, str]]
    """QICFG options that switch one thing, and the attribute that holds it."""
    look_up_as_urc: ClassVar[bool]
    """Whether the answer to QIDNSGIP is a +QIURC line."""

    def __init__(self, module: VirtualModule, rng: random.Random) -> None:
        super().__init__(module, rng)
        self.sockets: dict[int, Socket] = {}
        """Open sockets by connect id."""
        self.opening: set[int] = set()
        """Connect ids whose address is being looked up."""
        self.release_assistance = 0
        """QNBIOTRAI: for every datagram that does not say itself."""
        self.send_hex = False
        """QICFG dataformat, first figure."""
        self.receive_hex = False
        """QICFG dataformat, second figure."""
        self.view_comma = False
        """QICFG viewmode: a comma between length and data in place of a line end."""
        self.show_address = False
        """QICFG showRA: pushed data is shown with where it came from."""
        self.show_length = False
        """QICFG showlength: what is left is told."""

    def sockets_lost(self) -> None:
        """Deep sleep or a reset took them; nothing is said."""
        self.sockets.clear()

    def datagram_arrived(self, handle: int, payload: bytes) -> None:
        """Push it, or buffer it and say so."""
        if self.non_ip_arrived(handle, payload):
            return
        found = [item for item in self.sockets.items() if item[1].handle == handle]
        if not found:
            return  # closed in the meantime
        connect_id, socket = found[0]
        if socket.direct:
            source = f'"{socket.address}",{socket.port},' if self.show_address else ""
            head = f'+QIURC: "recv",{connect_id},{len(payload)},{source}"'.encode()
            self.unsolicited(head + self.shown(payload) + b'"')
        elif socket.unread + len(payload) <= BUFFER:
            socket.buffer.append(payload)
            length = f",{len(payload)}" if self.show_length else ""
            self.unsolicited(f'+QIURC: "recv",{connect_id}{length}')

    def shown(self, payload: bytes) -> bytes:
        """``payload`` as dataformat wants it."""
        return payload.hex().upper().encode() if self.receive_hex else payload

    def socket_of(self, connect_id: int) -> Socket:
        """The open socket with this id.

        Raises:
            CommandFailed: there is none.
        """
        socket = self.sockets.get(connect_id)
        if socket is None:
            raise CommandFailed(_PARAMETERS_INVALID)
        return socket

    def local_port(self) -> int:
        """A free port of the dynamic range."""
        used = {socket.local_port for socket in self.sockets.values()}
        while True:
            port = self._rng.randint(49152, 65535)
            if port not in used:
                return port


def open_socket(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QIOPEN=``: OK, and +QIOPEN when it is decided."""
    arguments.at_most(7)
    arguments.integer(0, session.context_id, session.context_id)
    connect_id = arguments.integer(1, 0, SOCKETS - 1)
    service = arguments.string(2).upper()
    host = arguments.string(3)
    port = arguments.integer(4, 1, 65535)
    local_port = arguments.integer(5, 0, 65535, default=0)
    direct = arguments.integer(6, 0 if session.buffer_mode else 1, 1, default=1) == 1
    if session.without_ip:
        raise CommandFailed(_NO_CONTEXT)
    if connect_id in session.sockets or connect_id in session.opening:
        raise CommandFailed(_IN_USE)
    if service not in ("UDP", "TCP"):
        raise BadArgument(f"no service {service}")

    def report(result: int) -> None:
        session.unsolicited(f"+QIOPEN: {connect_id},{result}")

    def resolved(address: str | None) -> None:
        session.opening.discard(connect_id)
        if not session.alive:
            return
        if address is None:
            report(_DNS_FAILED)
            return
        chosen = local_port or session.local_port()
        handle = session.module.open_socket(address, port, chosen)
        session.sockets[connect_id] = Socket(
            handle=handle, address=address, port=port, local_port=chosen, direct=direct
        )
        report(0)

    def begin() -> None:
        if service == "TCP":
            session.timers.after(_OPENED_S, lambda: report(_NOT_SUPPORTED))
        else:
            session.opening.add(connect_id)
            session.timers.after(_OPENED_S, lambda: session.module.look_up(host, resolved))

    return Answer(then=begin)


def send(session: QuectelSockets, arguments: Arguments) -> Answer | Prompt:
    """``AT+QISEND=``: inline data, or a prompt."""
    connect_id = arguments.integer(0, 0, SOCKETS - 1)
    socket = session.socket_of(connect_id)
    if not arguments.given(1):
        return _ask(session, socket, None)
    length = arguments.integer(1, 0, max(MAX_TEXT, MAX_PROMPT))
    if length == 0:
        arguments.at_most(2)
        return Answer(lines=(f"+QISEND: {socket.sent},{socket.sent},0",))
    if len(arguments) == 2:
        return _ask(session, socket, length)
    data, release = _inline(session, arguments.text_after[1], length, session.send_hex)
    return _accept(session, socket, data, release)


def send_hex(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QISENDEX=``."""
    connect_id = arguments.integer(0, 0, SOCKETS - 1)
    socket = session.socket_of(connect_id)
    length = arguments.integer(1, 1, MAX_HEX)
    data, release = _inline(session, arguments.text_after[1], length, True)
    return _accept(session, socket, data, release)


def _inline(session: QuectelSockets, text: str, length: int, as_hex: bool) -> tuple[bytes, int]:
    """Take ``length`` bytes of data off the end of the command, and the release assistance."""
    characters = 2 * length if as_hex else length
    quoted = text[:1] == '"' and text[characters + 1 : characters + 2] == '"'
    start = 1 if quoted else 0
    data, rest = text[start : start + characters], text[start + characters + start :]
    release = session.release_assistance
    if rest.strip(" "):
        if not rest.startswith(","):
            raise BadArgument("the data is longer than it should be")
        release = Arguments(rest[1:]).integer(0, 0, 2)
    if len(data) != characters:
        raise BadArgument("the data is shorter than it should be")
    if not as_hex:
        return data.encode("latin-1"), release
    if length > MAX_HEX:
        raise BadArgument("too long for hex")
    try:
        return bytes.fromhex(data), release
    except ValueError:
        raise BadArgument("not hex") from None


def _ask(session: QuectelSockets, socket: Socket, length: int | None) -> Prompt:
    return Prompt(
        length=length,
        limit=MAX_PROMPT,
        done=lambda data: _accept(session, socket, data, session.release_assistance),
    )


def _accept(session: QuectelSockets, socket: Socket, data: bytes, release: int) -> Answer:
    """OK for the command, then SEND OK when the stack took it: not that it has left."""
    if not data:
        return Answer()

    def hand_over() -> None:
        taken = session.module.equipment.send(socket.handle, data, socket.header_bytes, release)
        if taken:
            socket.sent += len(data)
        result = "SEND OK" if taken else "SEND FAIL"
        session.timers.after(_SEND_OK_S, lambda: session.unsolicited(result))

    return Answer(then=hand_over)


def read(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QIRD=``: one datagram, or the rest of one."""
    arguments.at_most(2)
    socket = session.socket_of(arguments.integer(0, 0, SOCKETS - 1))
    wanted = arguments.integer(1, 0, MAX_TEXT, default=MAX_TEXT)
    if wanted == 0:
        return Answer(lines=(f"+QIRD: {socket.unread}",))
    if not socket.buffer:
        return Answer(lines=("+QIRD: 0",))
    datagram = socket.buffer.popleft()
    data, rest = datagram[:wanted], datagram[wanted:]
    if rest:
        socket.buffer.appendleft(rest)
    head = f"+QIRD: {len(data)}"
    if session.show_length:
        head += f",{socket.unread}"
    separator = b"," if session.view_comma else b"\r\n"
    return Answer(lines=(head.encode() + separator + session.shown(data),))


def close(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QICLOSE=``: OK, and CLOSE OK."""
    arguments.at_most(1)
    connect_id = arguments.integer(0, 0, SOCKETS - 1)
    socket = session.sockets.pop(connect_id, None)
    if socket is not None:
        session.module.close_socket(socket.handle)

    def say() -> None:
        session.timers.after(_CLOSE_OK_S, lambda: session.unsolicited("CLOSE OK"))

    return Answer(then=say)


def state(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QISTATE``."""
    wanted: set[int] = set(range(SOCKETS))
    if arguments.given(0):
        kind = arguments.integer(0, 0, 1)
        number = arguments.integer(1, 0, SOCKETS - 1)
        wanted = wanted if kind == 0 else {number}
    return Answer(
        lines=tuple(
            f'+QISTATE: {connect_id},"UDP","{socket.address}",{socket.port},{socket.local_port},'
            f"2,{session.context_id},{int(socket.direct)}"
            for connect_id, socket in sorted(session.sockets.items())
            if connect_id in wanted
        )
    )


def configure(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QICFG=``."""
    name = arguments.string(0).lower()
    if name == "dataformat":
        arguments.at_most(3)
        if not arguments.given(1):
            return Answer(
                lines=(f'+QICFG: "dataformat",{int(session.send_hex)},{int(session.receive_hex)}',)
            )
        session.send_hex = arguments.integer(1, 0, 1) == 1
        session.receive_hex = arguments.integer(2, 0, 1) == 1
        return Answer()
    attribute = session.options.get(name)
    if attribute is None:
        raise BadArgument(f"no option {name}")
    arguments.at_most(2)
    if not arguments.given(1):
        return Answer(lines=(f'+QICFG: "{name}",{int(getattr(session, attribute))}',))
    setattr(session, attribute, arguments.integer(1, 0, 1) == 1)
    return Answer()


def look_up(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QIDNSGIP=``: asks over the air."""
    arguments.at_most(2)
    arguments.integer(0, session.context_id, session.context_id)
    host = arguments.string(1)

    def report(address: str | None) -> None:
        prefix = '+QIURC: "dnsgip",' if session.look_up_as_urc else "+QIDNSGIP: "
        if address is None:
            session.unsolicited(f"{prefix}{_DNS_FAILED}")
        else:
            session.unsolicited(f"{prefix}0,1,600")
            session.unsolicited(f'{prefix}"{address}"')

    def begin() -> None:
        asked = session.module.equipment.exchange(
            _DNS_BYTES, lambda _: session.module.look_up(host, report)
        )
        if not asked:
            report(None)

    return Answer(then=begin)


def ping(session: QuectelSockets, arguments: Arguments) -> Answer:
    """``AT+QPING=``: each answer, then a summary."""
    arguments.at_most(5)
    arguments.integer(0, session.context_id, session.context_id)
    host = arguments.string(1)
    arguments.integer(2, 1, 255, default=4)
    count = arguments.integer(3, 1, 10, default=4)
    size = arguments.integer(4, 32, 200, default=32)
    times: list[int] = []

    def summary() -> None:
        mean = round(sum(times) / len(times))
        session.unsolicited(f"+QPING: 0,{count},{len(times)},0,{min(times)},{max(times)},{mean}")

    def one(address: str) -> Callable[[float], None]:
        def answered(seconds: float) -> None:
            times.append(round(seconds * 1000))
            session.unsolicited(f'+QPING: 0,"{address}",{size},{times[-1]},{_PING_TTL}')
            if len(times) < count:
                begin(address)
            else:
                summary()

        return answered

    def begin(address: str | None) -> None:
        if address is None:
            session.unsolicited(f"+QPING: {_DNS_FAILED}")
        elif not session.module.equipment.exchange(size + 28, one(address)):
            session.unsolicited("+QPING: 569")

    return Answer(then=lambda: session.module.look_up(host, begin))
