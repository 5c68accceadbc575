"""``testbed module`` against virtual modules, scripted ones, and a terminal of our own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge import FAMILIES, PortInfo
from firmware_bridge.at.log import read_transcript
from testbed.cli import module as cli
from testbed.cli.module_show import families_markdown, plain
from tests.testbed.cli.conftest import COMMAND, Done

Run = Callable[..., Done]
Start = Callable[..., "subprocess.Popen[str]"]
UNPLUGGED = b"the port is gone"
IMEI, ICCID = "866818030000002", "89882390000000000013"


@pytest.fixture
def module(start: Start) -> Callable[..., str]:
    """Serve a virtual module and give its path."""

    def serve(*arguments: str) -> str:
        process = start("module", "virtual", *arguments)
        assert process.stdout is not None
        path = process.stdout.readline().strip()
        assert path.startswith("/dev/"), process.communicate()[1]
        return path

    return serve


@pytest.fixture
def scripted() -> Iterator[Callable[[dict[str, bytes]], str]]:
    """A module on a pty that answers from a table, ERROR to all else; gives its path."""
    masters: list[int] = []
    threads: list[threading.Thread] = []
    stop = threading.Event()

    def serve(answers: dict[str, bytes]) -> str:
        master, slave = pty.openpty()
        tty.setraw(slave)
        masters.extend((master, slave))

        def answer() -> None:
            waiting = b""
            while not stop.is_set():
                if not select.select([master], [], [], 0.05)[0]:
                    continue
                waiting += os.read(master, 4096)
                *commands, waiting = waiting.split(b"\r")
                for command in commands:
                    reply = answers.get(command.decode("latin-1").strip(), b"\r\nERROR\r\n")
                    if reply == UNPLUGGED:
                        os.close(master)
                        masters.remove(master)
                        return
                    os.write(master, reply)

        threads.append(threading.Thread(target=answer, daemon=True))
        threads[-1].start()
        return os.ttyname(slave)

    yield serve
    stop.set()
    for thread in threads:
        thread.join()
    for descriptor in masters:
        os.close(descriptor)


def piped(port: str, text: str, *options: str, cwd: Path) -> Done:
    """The shell with its commands from a pipe."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "module", "shell", port, *options],
        input=text,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def marked(out: str) -> list[str]:
    """The shell's lines without their times."""
    return [re.sub(r"^ *\d+\.\d{3} ", "", line) for line in out.splitlines()]


# -- list and families -----------------------------------------------------------------------------


def test_ports_are_listed_with_identity_and_holder(
    testbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [
        PortInfo(device="/dev/ttyUSB0", description="CP2102N", usb="usb:10c4:ea60:0001"),
        PortInfo(device="/dev/ttyUSB1", description="evil\x1b]0;title\x07[bold]"),
    ]
    monkeypatch.setattr(cli, "available_ports", lambda: ports)
    monkeypatch.setattr(cli, "holder_of", lambda port: "minicom (pid 812)" * port.endswith("1"))
    done = testbed("module", "list", "--json")
    assert done.code == 0
    assert [(port["port"], port["usb"], port["holder"]) for port in done.json["ports"]] == [
        ("/dev/ttyUSB0", "usb:10c4:ea60:0001", ""),
        ("/dev/ttyUSB1", "", "minicom (pid 812)"),
    ]
    done = testbed("module", "list")
    assert "minicom (pid 812)" in done.out
    assert "evil?]0;title?[bold]" in done.out
    assert "\x1b]" not in done.out


def test_no_port_is_opened_unless_asked(testbed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("a port was opened")

    monkeypatch.setattr(cli, "opened", refuse)
    monkeypatch.setattr(cli, "available_ports", lambda: [PortInfo(device="/dev/ttyUSB0")])
    assert testbed("module", "list").code == 0
    with pytest.raises(AssertionError, match="was opened"):
        cli.commands(["list", "--probe"], standalone_mode=False)


def test_a_machine_without_ports_says_what_to_do(
    testbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "available_ports", list)
    done = testbed("module", "list")
    assert done.code == 0
    assert "testbed module virtual bc66" in done.out


def test_families_of_ports_are_told_when_they_are_asked(
    testbed: Run, module: Callable[..., str]
) -> None:
    paths = [module(family) for family in ("bc66", "bc660k", "bc95")]
    done = testbed("module", "list", "--probe", "--json", *paths, "/dev/ttyNONE7")
    assert done.code == 0
    ports = done.json["ports"]
    assert [port["family"] for port in ports] == ["bc66", "bc660k", "bc95", None]
    assert all(f"pid {os.getpid()}" not in port["holder"] for port in ports)
    assert "python" in ports[0]["holder"]
    assert "/dev/ttyNONE7 does not exist" in ports[3]["said"]


def test_families_are_told_with_status_and_source(testbed: Run) -> None:
    done = testbed("module", "list", "--families", "--json")
    told = {family["family"]: family for family in done.json["families"]}
    assert set(told) == set(FAMILIES)
    states = {"field-logged", "documented", "unproven", "cannot"}
    for family in told.values():
        assert family["max_payload_source"]
        for name, operation in family["operations"].items():
            assert operation["status"] in states
            assert (operation["status"] == "cannot") == (not operation["commands"]), name
            assert all(command["source"] for command in operation["commands"])
    assert told["bc95"]["operations"]["dns"]["status"] == "cannot"
    assert told["bc66"]["operations"]["udp"]["commands"][0]["text"].startswith("AT+QIOPEN=")
    shown = testbed("module", "list", "--families").out
    for word in ("bc66", "bc660k", "bc95", *states, "AT+NSOSTF="):
        assert word in shown


def test_the_page_shows_the_table_of_the_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "modules.md").read_text(encoding="utf-8")
    table = page.partition("<!-- families: begin -->\n")[2].partition("<!-- families: end -->")[0]
    assert table == families_markdown(cli._known_families())


# -- virtual ---------------------------------------------------------------------------------------


def test_a_virtual_module_keeps_its_link_until_it_is_stopped(start: Start, tmp_path: Path) -> None:
    process = start("module", "virtual", "bc95", "--scale", "20", "--link", "tty", "--json")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    link = tmp_path / "tty"
    assert (told["family"], told["link"]) == ("bc95", "tty")
    assert str(link.readlink()) == told["port"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Ctrl-C ends it" in err
    assert not link.is_symlink()


def test_a_file_is_never_replaced_by_a_link(testbed: Run, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    done = testbed("module", "virtual", "bc66", "--link", "notes")
    assert done.code == 2
    assert "notes exists and is no symbolic link" in done.err
    assert (tmp_path / "notes").read_text() == "mine"


def test_the_signal_is_the_one_that_was_asked_for(testbed: Run, module: Callable[..., str]) -> None:
    done = testbed("module", "probe", module("bc66", "--rsrp", "-118", "--scale", "20"), "--json")
    assert done.code == 0, done.err
    assert done.json["radio"]["rsrp_dbm"] == pytest.approx(-118, abs=3) or (
        done.json["registration"]["state"] == "searching"
    )


# -- probe -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
def test_a_probe_tells_how_a_module_stands(
    testbed: Run, module: Callable[..., str], tmp_path: Path, family: str
) -> None:
    path = module(family, "--scale", "20")
    setup = 'AT+CFUN=1\nAT+CPSMS=1,,,"00100001","00000101"\nAT+CEREG=5\n'
    assert piped(path, setup, cwd=tmp_path).code == 0
    deadline = time.monotonic() + 20
    while True:
        done = testbed("module", "probe", path, "--json")
        assert done.code == 0, done.err
        if done.json["address"] or time.monotonic() > deadline:
            break
    told = done.json
    assert told["family"] == family
    assert told["registration"]["state"] == "home"
    assert told["operator"] == "00101"
    assert told["radio"]["rsrp_dbm"] == pytest.approx(-92, abs=4)
    assert told["power_saving"]["active_time_s"] == 10
    assert told["power_saving"]["periodic_tau_s"] == 3600
    assert (told["identity"]["imei"], told["identity"]["iccid"]) == (
        "866818000000000",
        "89882300000000000000",
    )
    assert told["unanswered"] == {}
    shown = testbed("module", "probe", path, "--show-identities")
    assert "T3324 10 s, T3412 1 h" in shown.out
    assert IMEI in shown.out
    assert ICCID in shown.out
    assert IMEI not in testbed("module", "probe", path).out


@pytest.mark.parametrize(
    ("family", "path", "shown"),
    [
        ("bc66", "basic", "USIM          the basic channel (AT+CSIM)"),
        ("bc660k", "channel", "USIM          a logical channel (AT+CCHO, AT+CGLA)"),
        ("bc95", None, "USIM          no way leads to it; a soft USIM can stand in"),
    ],
)
def test_a_probe_finds_the_way_to_the_usim_and_masks_its_identity(
    testbed: Run, module: Callable[..., str], family: str, path: str | None, shown: str
) -> None:
    port = module(family, "--scale", "20")
    told = testbed("module", "probe", port, "--usim", "--json").json
    assert told["usim"]["path"] == path
    assert told["usim"]["imsi"] == ("001010000000000" if path else "")
    done = testbed("module", "probe", port, "--usim")
    assert shown in done.out
    assert ("no logical channel: the module answered ERROR" in done.out) == (path != "channel")
    assert "001010000000001" not in done.out
    assert testbed("module", "probe", port, "--json").json["usim"] is None
    if path:
        whole = testbed("module", "probe", port, "--usim", "--show-identities").out
        assert "IMSI          001010000000001" in whole


def test_a_probe_without_a_card_says_so_of_the_usim(
    testbed: Run, scripted: Callable[[dict[str, bytes]], str]
) -> None:
    ok = b"\r\nOK\r\n"
    path = scripted(
        {
            **{"AT": ok, "ATE0": ok, "ATI": b"\r\nQuectel_BC66\r\n" + ok},
            'AT+CCHO="A0000000871002"': b"\r\n+CME ERROR: 10\r\n",
        }
    )
    done = testbed("module", "probe", path, "--usim")
    assert done.code == 0, done.err
    assert "USIM          not told: the SIM is not ready: SIM not inserted" in done.out


def test_a_module_of_no_known_family_is_told_with_what_it_says(
    testbed: Run, scripted: Callable[[dict[str, bytes]], str]
) -> None:
    path = scripted(
        {"AT": b"\r\nOK\r\n", "ATI": b"\r\nACME \x1b[31m[bold]modem[/bold] 7\r\n\r\nOK\r\n"}
    )
    done = testbed("module", "probe", path)
    assert done.code == 3
    assert "of no known family" in done.err
    assert "[bold]modem[/bold] 7" in done.err
    assert "next: " in done.err
    assert "\x1b[31m" not in done.err
    assert "Traceback" not in done.err


def test_a_hostile_identity_cannot_command_the_terminal(
    testbed: Run, scripted: Callable[[dict[str, bytes]], str]
) -> None:
    ok = b"\r\nOK\r\n"
    about = b"\r\nQuectel_Ltd\r\nQuectel_BC66\x1b]0;owned\x07[red]x[/]\r\nRevision: \x9b2J\r\n" + ok
    path = scripted(
        {"AT": ok, "ATE0": ok, "ATI": about, "AT+CEREG?": b"\r\n+CEREG: 0,7777\r\n" + ok}
    )
    done = testbed("module", "probe", path)
    assert done.code == 0, done.err
    assert "Quectel_BC66?]0;owned?[red]x[/]" in done.out
    assert not {"\x1b]", "\x07", "\x9b"} & set(done.out)
    assert "not told: the answer to AT+CEREG? can't be read" in done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["probe", "/dev/ttyNONE7"], 3, "/dev/ttyNONE7 does not exist"),
        (["probe", "virtual:bc99"], 2, "no virtual module 'bc99'"),
        (["probe", "magic://x"], 2, "unknown scheme magic://"),
        (["probe", "usb:nonsense"], 2, "expected usb:VID:PID"),
        (["probe", "socket://127.0.0.1:1"], 3, "connection refused"),
        (["virtual", "bc99"], 2, "no virtual module 'bc99'"),
        (["virtual", "bc66", "--scale", "0"], 2, "--scale 0"),
        (["virtual", "bc66", "--rsrp", "10"], 2, "rsrp_dbm 10"),
        (["virtual", "bc66", "--link", "nowhere/tty"], 3, "nowhere"),
        (["shell", "virtual:bc66", "--family", "bc99"], 2, "'bc99'"),
        (["shell", "virtual:bc66", "--log", "."], 2, ". exists"),
        (["record", "virtual:bc66", "nowhere/out.txt"], 2, "there is no folder nowhere"),
        (["record", "virtual:bc66", "out.txt", "--commands", "none.txt"], 2, "none.txt"),
        (["record", "virtual:bc66", "."], 2, ". exists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_named(
    testbed: Run, arguments: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        done = testbed("module", *arguments)
    assert done.code == code, done.err
    assert said in " ".join(done.err.split())
    assert "next: " in done.err
    assert "Traceback" not in done.err


# -- shell -----------------------------------------------------------------------------------------


def test_a_piped_shell_prints_answers_and_what_they_mean(
    module: Callable[..., str], tmp_path: Path
) -> None:
    text = (
        "# a comment, and an empty line\n\nAT+CMEE=1\nAT+CFUN=1\n"
        'AT+CPSMS=1,,,"00100001","00000101"\nAT+CEREG=5\nAT+CEREG?\nAT+FOO\n'
        'AT+QIOPEN=1,0,"UDP","127.0.0.1",9\nAT+QISEND=0,3\nA\\x42C\nATI\n'
    )
    done = piped(module("bc66", "--scale", "50"), text, cwd=tmp_path)
    assert done.code == 0, done.err
    lines = marked(done.out)
    assert lines[:4] == ["> AT+CMEE=1", "< OK", "> AT+CFUN=1", "< OK"]
    assert '> AT+CPSMS=1,,,"00100001","00000101"  # PSM on, T3412 1 h, T3324 10 s' in lines
    assert any(re.match(r"< \+CEREG: 5,[12],.*  # (searching|home)", line) for line in lines)
    opened = lines.index('> AT+QIOPEN=1,0,"UDP","127.0.0.1",9')
    assert lines[opened + 1 : opened + 3] == ["< OK", "< +QIOPEN: 0,0  # socket 0 is open"]
    assert any(line.startswith("< >") for line in lines)
    assert "> ABC" in lines
    assert "< SEND OK" in lines
    assert "< Quectel_BC66" in lines
    assert "Traceback" not in done.err


def test_the_numbers_of_errors_are_explained(
    scripted: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    port = scripted(
        {
            "AT+CGATT=1": b"\r\n+CME ERROR: 30\r\n",
            'AT+QIOPEN=1,0,"UDP","a",9': b"\r\nOK\r\n\r\n+QIOPEN: 0,565\r\n",
            "AT+QISEND=0,1": b"\r\n+CME ERROR: 570\r\n",
            "AT+CEREG?": b"\r\n+CEREG: 5,3,,,,0,15\r\n\r\nOK\r\n",
        }
    )
    text = 'AT+CGATT=1\nAT+QIOPEN=1,0,"UDP","a",9\nAT+QISEND=0,1\nAT+CEREG?\n'
    done = piped(port, text, "--family", "bc66", cwd=tmp_path)
    assert done.code == 0, done.err
    assert [line for line in marked(done.out) if "#" in line] == [
        "< +CME ERROR: 30  # no network service",
        "< +QIOPEN: 0,565  # DNS failed",
        "< +CME ERROR: 570  # PDP context broken down",
        "< +CEREG: 5,3,,,,0,15  # denied, EMM cause 15",
    ]


def test_a_shell_shows_what_comes_unasked_and_keeps_a_masked_log(
    module: Callable[..., str], tmp_path: Path
) -> None:
    port = module("bc660k", "--scale", "20")
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "module", "shell", port, "--log", "log.txt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    impatience = threading.Timer(30, process.kill)
    impatience.start()
    process.stdin.write("AT+CFUN=0\nAT+CEREG=5\nAT+CSCON=1\nAT+CGSN=1\nAT+CPIN=1234\nAT+CFUN=1\n")
    process.stdin.flush()
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "! +CEREG: 1" in line:
            break
    impatience.cancel()
    assert re.search(r"! \+CEREG: 1,.*# home, cell [0-9A-F]+ in area 33C2", seen[-1])
    assert any("! +CSCON: 1  # radio connected" in line for line in seen)
    process.communicate(timeout=20)
    assert process.returncode == 0
    log = (tmp_path / "log.txt").read_text()
    assert log.startswith("# family: bc660k\n# kind: virtual\n")
    assert IMEI not in log
    assert "< +CGSN: 866818000000000" in log
    assert "> AT+CPIN=0000" in log
    assert (">", "AT+CFUN=1") in [(way.value, data.decode()) for way, data in read_transcript(log)]


@pytest.mark.parametrize("text", ["AT+QUIET\nATI\n", "AT→\nATI\n"], ids=["silent", "no octet"])
def test_a_piped_shell_stops_at_what_it_cannot_do(
    scripted: Callable[[dict[str, bytes]], str], tmp_path: Path, text: str
) -> None:
    port = scripted({"AT+QUIET": b"", "ATI": b"\r\nsomething\r\n\r\nOK\r\n"})
    options = ("--family", "bc66", "--timeout", "0.3")
    done = piped(port, text, *options, cwd=tmp_path)
    assert done.code == (3 if "QUIET" in text else 2)
    assert "ATI" not in done.out
    assert "next: " in done.err
    assert "Traceback" not in done.err


def test_a_hostile_line_cannot_command_the_terminal(
    scripted: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    port = scripted({"ATI": b"\r\nA\x1b[2J\x9bB [bold]C[/bold]\r\n\x07\xff\r\nOK\r\n"})
    done = piped(port, "ATI\n", "--family", "bc95", cwd=tmp_path)
    assert done.code == 0, done.err
    assert marked(done.out) == [
        "> ATI",
        "< A?[2J?B [bold]C[/bold]",
        "? \\x07\\xFF  # garbage",
        "< OK",
    ]


def test_a_shell_ends_when_nobody_reads_it_any_more(
    scripted: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    port = scripted({"ATI": b"\r\nhere\r\n\r\nOK\r\n"})
    command = f'"{sys.executable}" -c "$0" module shell {port} --family bc66 | head -n 2'
    done = subprocess.run(
        ["sh", "-c", command, COMMAND],
        input="ATI\n" * 2000,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
    )
    assert marked(done.stdout) == ["> ATI", "< here"]
    assert "Traceback" not in done.stderr


class Screen:
    """The shell on a pseudo-terminal: what a person types and sees."""

    def __init__(self, port: str, cwd: Path, *options: str) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:  # pragma: no cover - the other process
            os.chdir(cwd)
            os.environ.update(TERM="xterm", COLUMNS="200", XDG_STATE_HOME=str(cwd / "state"))
            arguments = [sys.executable, "-c", COMMAND, "module", "shell", port, *options]
            os.execv(sys.executable, arguments)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def wait_for(self, pattern: str, timeout_s: float = 20.0) -> str:
        """Read until the pattern is on the screen; gives what was up to there, and forgets it."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = re.search(pattern, self.seen)
            if found:
                before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
                return before
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.terminal], [], [], left)[0]:
                with contextlib.suppress(OSError):  # EIO: the shell is gone
                    self.seen += os.read(self.terminal, 4096).decode("utf-8", "replace")

    def end(self) -> int:
        self.wait_for("AT> ")
        self.type("\x04")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.terminal)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.terminal], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.terminal, 4096).decode("utf-8", "replace")
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"Ctrl-D does not end it: {self.seen!r}")


def test_a_person_types_at_a_terminal(module: Callable[..., str], tmp_path: Path) -> None:
    screen = Screen(module("bc66", "--scale", "20"), tmp_path)
    screen.wait_for("Quectel BC66.*Ctrl-D ends")
    screen.wait_for("AT> ")
    screen.type("AT+CFUN=0\r")
    screen.wait_for("< OK")
    screen.type("AT+CEREG=5\r")
    screen.wait_for("< OK")
    screen.type("AT+CPIN=1234\r")
    screen.wait_for("< (OK|ERROR|.CME)")
    screen.type("AT+CFUN=1\r")
    screen.wait_for("AT> ")
    screen.type("AT+CG")  # a line begun stays in front of the person when something comes
    shown = screen.wait_for(r"! \+CEREG: 1,.*# home")
    assert "\r\x1b[K" in shown
    screen.wait_for(r"AT> AT\+CG")
    screen.type("MM\r")
    screen.wait_for("Quectel_BC66")
    screen.type("\x1b[A\r")  # the line before, from the history
    screen.wait_for("Quectel_BC66")
    assert screen.end() == 0
    history = (tmp_path / "state" / "testbed" / "module_history").read_text()
    assert "AT+CGMM" in history
    assert "1234" not in history
    assert (tmp_path / "state" / "testbed" / "module_history").stat().st_mode & 0o077 == 0


def test_ctrl_c_gives_a_command_up_and_not_the_terminal(
    scripted: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    ok = b"\r\nOK\r\n"
    port = scripted(
        {"AT+SLOW": b"", "AT+CFUN?": b"\r\n+CFUN: 1\r\n" + ok, "ATI": b"\r\nhere\r\n" + ok}
    )
    screen = Screen(port, tmp_path, "--family", "bc66")
    screen.wait_for("AT> ")
    screen.type("AT+SLOW\r")
    time.sleep(0.3)
    screen.type("\x03")
    screen.wait_for("given up")
    screen.wait_for("AT> ")
    screen.type("ATI\r")
    screen.wait_for(r"> AT\+CFUN\?")  # the engine finds its place first
    screen.wait_for("< here")
    assert screen.end() == 0


# -- record ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
def test_a_record_is_a_vector_without_identities(
    testbed: Run, module: Callable[..., str], tmp_path: Path, family: str
) -> None:
    done = testbed("module", "record", module(family), "out.txt", "--linger", "0", "--note", "a\nb")
    assert done.code == 0, done.err
    text = (tmp_path / "out.txt").read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head[:3] == [f"# family: {family}", "# kind: virtual", "# source: testbed module record"]
    assert head[-1] == "# note: a b"
    steps = [(way.value, data.decode()) for way, data in read_transcript(text)]
    assert [data for way, data in steps if way == ">"] == list(cli.QUESTIONS)
    assert sum(data in ("OK", "ERROR") or "ERROR:" in data for _, data in steps) >= len(
        cli.QUESTIONS
    )
    assert IMEI not in text
    assert ICCID not in text
    again = testbed("module", "record", "virtual:bc66", "out.txt")
    assert again.code == 2
    assert "out.txt exists" in again.err
    assert "--force" in again.err


def test_a_record_takes_commands_and_payloads_from_a_file(
    testbed: Run, module: Callable[..., str], tmp_path: Path
) -> None:
    port = module("bc66", "--scale", "50")
    (tmp_path / "commands.txt").write_text(
        '# a session\nAT+CFUN=1\nAT+QIOPEN=1,0,"UDP","127.0.0.1",9\nAT+QISEND=0,4\n\\x00OK\\x0D\n'
        "AT+CGSN=1\n"
    )
    deadline = time.monotonic() + 20
    while "+CEREG: 0,1" not in piped(port, "AT+CEREG?\n", cwd=tmp_path).out:
        assert time.monotonic() < deadline
    options = ("--commands", "commands.txt", "--linger", "0", "--source", "a desk")
    done = testbed("module", "record", port, "out.txt", *options)
    assert done.code == 0, done.err
    text = (tmp_path / "out.txt").read_text()
    assert "# source: a desk\n" in text
    steps = [(way.value, data) for way, data in read_transcript(text)]
    sent = [data for way, data in steps if way == ">"]
    assert sent[2:5] == [b"AT+QISEND=0,4", b"\x00OK", b"AT+CGSN=1"]
    assert ("<", b"SEND OK") in steps


def test_what_was_recorded_until_a_fault_is_kept(
    testbed: Run, scripted: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    (tmp_path / "commands.txt").write_text("ATI\nAT+QRST=1\nATI\n")
    port = scripted({"ATI": b"\r\nhere\r\n\r\nOK\r\n", "AT+QRST=1": UNPLUGGED})
    options = ("--commands", "commands.txt", "--family", "bc66", "--linger", "0")
    done = testbed("module", "record", port, "out.txt", *options)
    assert done.code == 3
    assert "Traceback" not in done.err
    text = (tmp_path / "out.txt").read_text()
    assert text.endswith("> ATI\n< here\n< OK\n> AT+QRST=1\n")
    assert f"# note: ended early: port {port} vanished" in text


def test_a_command_that_is_never_answered_does_not_end_a_record(
    testbed: Run, scripted: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    ok = b"\r\nOK\r\n"
    (tmp_path / "commands.txt").write_text("AT+DEAF\nATI\n")
    marker = b"\r\n+CFUN: 1\r\n"
    port = scripted({"ATI": b"\r\nhere\r\n" + ok, "AT+DEAF": b"", "AT+CFUN?": marker + ok})
    options = ("--commands", "commands.txt", "--family", "bc66", "--linger", "0")
    done = testbed("module", "record", port, "out.txt", "--timeout", "0.2", *options)
    assert done.code == 0
    assert "warning: the module on" in done.err
    sent = [line for line in (tmp_path / "out.txt").read_text().splitlines() if line[0] == ">"]
    assert sent == ["> AT+DEAF", "> AT+CFUN?", "> ATI"]  # the engine finds its place between


def test_plain_text_has_nothing_that_a_terminal_obeys() -> None:
    assert plain("a\x1b[31m\u202eb\n\x9b\u2028c") == "a?[31m?b???c"
