"""pppd's ``chat`` dials to CONNECT, and so does our AT engine: line mode ends at the same octet.

None of the virtual families has a dial-up data mode (neither BC66 nor BC660K nor BC95 knows ``ATD``
or PPP), so the module here is a script. What follows CONNECT is PPP's first LCP frame, with line
ends, ``OK`` and ``CONNECT`` in it, cut in every way.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import shutil
import tty
from collections.abc import Iterator

import pytest

from firmware_bridge import open_port
from firmware_bridge.at import AtEngine, Command

pytestmark = pytest.mark.peer

LCP = b"~\xff}#\xc0!}!\r\nOK\r\n\r\nCONNECT\r\n+CSCON: 1\r\n}&\x00~"
CONNECT = b"\r\nCONNECT 150000000\r\n"
DIAL = "ATD*99***1#"


def need_chat() -> str:
    path = shutil.which("chat", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("chat (the Debian package ppp) is required here and missing")
        pytest.skip("chat is not installed")
    return path


def seven_bits(data: bytes) -> bytes:
    return bytes(octet & 0x7F for octet in data)


class DialUp:
    """A module that can be dialled: lines until CONNECT, then octets, echoed, until ``+++``."""

    def __init__(self, cuts: tuple[int, ...]) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.heard = b""
        self.data = b""
        self.connected = False
        self._cuts = cuts
        self._tasks: list[asyncio.Task[None]] = []
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        data = os.read(self.master, 4096)
        if self.connected:
            self.data += data
            if self.data.endswith(b"+++"):
                self.connected = False
                os.write(self.master, b"\r\nOK\r\n")
            return
        self.heard += data
        while b"\r" in self.heard and not self.connected:
            line, _, self.heard = self.heard.partition(b"\r")
            os.write(self.master, line + b"\r")  # echo
            if line.strip() == DIAL.encode():
                self.connected = True
                self._tasks.append(asyncio.ensure_future(self._connect()))
            else:
                os.write(self.master, b"\r\nOK\r\n")

    async def _connect(self) -> None:
        whole = CONNECT + LCP
        begin = 0
        for end in (*self._cuts, len(whole)):
            os.write(self.master, whole[begin:end])
            begin = end
            await asyncio.sleep(0.01)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)

    def unread(self, count: int) -> Iterator[bytes]:
        """What a client has left on the line, until `count` octets were seen or none comes."""
        while count > 0 and select.select([self.slave], [], [], 0.5)[0]:
            piece = os.read(self.slave, count)
            count -= len(piece)
            yield piece


CUTS = [
    (),
    (len(CONNECT),),
    (len(CONNECT) - 1,),  # between CR and LF
    (len(CONNECT) - 2,),
    (len(CONNECT) + 1,),
    tuple(range(1, len(CONNECT) + len(LCP))),
]


@pytest.mark.parametrize("cuts", CUTS, ids=lambda cuts: f"{len(cuts)} cuts at {cuts[:1]}")
async def test_chat_and_the_engine_leave_line_mode_at_the_same_octet(cuts: tuple[int, ...]) -> None:
    chat = need_chat()
    dialled = DialUp(cuts)
    try:
        script = f"{chat} -t 5 '' AT OK '{DIAL}' CONNECT < {dialled.path} > {dialled.path}"
        process = await asyncio.create_subprocess_exec("sh", "-c", script)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        await asyncio.gather(*dialled._tasks)
        left = b"".join(dialled.unread(len(CONNECT) + len(LCP)))
    finally:
        dialled.close()
    # chat stops at the word and leaves the rest of its line to pppd; then come PPP's octets.
    rest_of_line, _, after_chat = left.partition(b"\r\n")
    assert rest_of_line == b" 150000000"

    dialled = DialUp(cuts)
    line = await open_port(dialled.path)
    try:
        data: list[bytes] = []
        engine = AtEngine(line, on_data=lambda event: data.append(event.data))
        await engine.execute(Command(text="AT"))
        dial = Command(text=DIAL, success=re.compile("CONNECT"), data_mode=True)
        assert (await engine.execute(dial)).final == "CONNECT 150000000"
        await asyncio.gather(*dialled._tasks)
        await asyncio.sleep(0.05)
        after_engine = b"".join(data)
        assert after_engine == LCP
        # chat sets ISTRIP: what came while it lived has lost its eighth bit, but no octet.
        assert seven_bits(after_chat) == seven_bits(LCP)

        # Octets go out as they are; +++ brings lines back, and the next command has its answer.
        engine.write_raw(b"\x00\r\nAT\r+++")
        await asyncio.sleep(0.1)
        assert dialled.data == b"\x00\r\nAT\r+++"
        assert b"".join(data) == LCP + b"\r\nOK\r\n"
        engine.leave_data_mode()
        assert (await engine.execute(Command(text="AT"))).echoed
    finally:
        await line.close()
        dialled.close()
