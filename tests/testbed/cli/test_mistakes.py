"""One mistake of each kind: a sentence, a next step, the right exit code, no traceback."""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.packets import build_udp_packet
from testbed.results.pcapng import LinkType, PcapngWriter
from tests.testbed.cli.conftest import Done

Run = Callable[..., Done]
USAGE, LAB = 2, 3


def refused(done: Done, code: int, *expected: str) -> None:
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    text = " ".join(done.err.split())
    assert "error: " in text
    assert "next: " in text
    for part in expected:
        assert part in text
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["frobnicate"], "No such command"),
        (["run", "--frobnicate"], "No such option"),
        (["run", "-n", "0"], "greater than or equal to 1"),
        (["run", "--time-scale", "5000"], "less than or equal to 1000"),
        (["run", "-c", "esp-magic"], "unknown configuration 'esp-magic'"),
        (["run", "-c", "rohc+esp-transport"], "RFC 5856 section 1"),
        (["run", "--module", "bc99"], "'bc99'"),
        (["run", "--port", "/dev/ttyUSB0"], "cannot reach an HSE that only this machine sees"),
        (["run", "--hse", "192.0.2.1:4500"], "needs the secret shared with the HSE"),
        (["run", "--hse", "nowhere"], "is not HOST:PORT"),
        (["run", "--bench", "missing.yaml"], "No such file"),
        (["run", "--traffic", "missing.pcapng"], "missing.pcapng"),
        (["run", "--secret-file", "missing.txt"], "secret file missing.txt"),
        (["report"], "there is no run in runs"),
        (["report", "."], "not the directory of a run"),
        (["hse"], "give --secret-file, --subscribers, --vectors or --sa-file"),
        (["hse", "--subscribers", "missing.yaml"], "missing.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_named(testbed: Run, arguments: list[str], expected: str) -> None:
    done = testbed(*arguments)
    assert done.code == USAGE, done.err
    assert "Traceback" not in done.err
    assert expected in " ".join(done.err.split())


def test_an_unknown_key_is_named_with_its_line(testbed: Run, tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("module:\n  famly: bc66\n")
    refused(
        testbed("run", "--bench", "bench.yaml"),
        USAGE,
        "bench.yaml:2: unknown key 'module.famly'",
        "Known keys here: family, port",
    )


def test_a_missing_port_is_named_with_those_there_are(testbed: Run, secret_file: Path) -> None:
    done = testbed(
        *("run", "--port", "/dev/ttyNONE7", "--hse", "127.0.0.1:4500"),
        *("--secret-file", str(secret_file)),
    )
    refused(done, LAB, "/dev/ttyNONE7 does not exist", "found")


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port on which nobody ever answers."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.mark.slow
def test_a_silent_module_is_named(testbed: Run, secret_file: Path, silent_port: str) -> None:
    done = testbed(
        *("run", "--port", silent_port, "--hse", "127.0.0.1:4500"),
        *("--secret-file", str(secret_file)),
    )
    refused(done, LAB, "silent", silent_port)


def test_a_busy_port_is_named(testbed: Run, secret_file: Path, silent_port: str) -> None:
    import fcntl
    import termios

    held = os.open(silent_port, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(held, fcntl.LOCK_EX)
    fcntl.ioctl(held, termios.TIOCEXCL)
    try:
        done = testbed(
            *("run", "--port", silent_port, "--hse", "127.0.0.1:4500"),
            *("--secret-file", str(secret_file)),
        )
    finally:
        fcntl.ioctl(held, termios.TIOCNXCL)
        os.close(held)
    refused(done, LAB, silent_port, "in use")


@pytest.mark.parametrize("name", ["none", "esp-tunnel"])
def test_an_unreachable_hse_is_named(testbed: Run, secret_file: Path, name: str) -> None:
    done = testbed(
        *("run", "--hse", "127.0.0.1:9", "--secret-file", str(secret_file)),
        *("-c", name, "--time-scale", "200"),
    )
    refused(done, LAB, "the HSE at 127.0.0.1:", "Is `testbed hse` running there")


def test_a_wrong_secret_is_named_and_never_shown(testbed: Run, start: Run, tmp_path: Path) -> None:
    from tests.testbed.cli.test_hse import serve

    (tmp_path / "right.txt").write_text("hex:" + "11" * 16)
    (tmp_path / "wrong.txt").write_text("hex:" + "22" * 16)
    hse = serve(start, "--secret-file", "right.txt")
    done = testbed(
        *("run", "--hse", hse["esp"], "--secret-file", "wrong.txt", "-c", "esp-tunnel"),
        *("--time-scale", "100"),
    )
    refused(done, USAGE, "refuses 'ue-1'", "authentication-failed", "same secret")
    assert "2222" not in done.err


def written(tmp_path: Path, *packets: bytes) -> str:
    path = tmp_path / "made.pcapng"
    with PcapngWriter(path) as writer:
        interface = writer.add_interface("made", link_type=LinkType.RAW)
        for number, packet in enumerate(packets):
            writer.write_packet(interface, packet, number * 1_000_000_000)
    return str(path)


def test_a_capture_with_no_usable_packet_says_what_it_holds(testbed: Run, tmp_path: Path) -> None:
    packet = bytearray(build_udp_packet("10.0.0.1", "10.0.0.2", 5, 6, b"payload"))
    packet[9] = 6  # TCP
    done = testbed("run", "--traffic", written(tmp_path, bytes(packet), bytes(packet)))
    refused(done, USAGE, "no usable packet", "2 not-udp")


def test_what_is_no_capture_is_named(testbed: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a capture at all\n")
    refused(testbed("run", "--traffic", "notes.txt"), USAGE, "notes.txt is neither pcap nor pcapng")


@pytest.mark.parametrize(("name", "room"), [("none", 512), ("esp-tunnel", 450)])
def test_a_payload_larger_than_the_modules_socket_takes_is_refused_with_the_figure(
    testbed: Run, tmp_path: Path, name: str, room: int
) -> None:
    def capture(size: int) -> str:
        return written(tmp_path, build_udp_packet("10.0.0.1", "10.0.0.2", 5, 6, bytes(size)))

    done = testbed("run", "--traffic", capture(room), "-c", name, "--json")
    assert done.code == 0, done.err
    assert done.json["configurations"][0]["answered"] == 1
    Path(tmp_path / "made.pcapng").unlink()
    done = testbed("run", "--traffic", capture(room + 1), "-c", name)
    refused(done, USAGE, f"message 0 has {room + 1} octets", "takes 512", f"At most {room} octets")


def test_no_command_shows_the_help_alone(testbed: Run) -> None:
    done = testbed()
    assert done.code == USAGE
    assert "Commands" in done.out
    assert done.err == ""


def test_an_address_is_no_emoji(testbed: Run) -> None:
    done = testbed("run", "--traffic", "2001:a:b::1")
    assert "2001:a:b::1" in done.err


def test_text_from_outside_cannot_command_the_terminal(testbed: Run) -> None:
    done = testbed("run", "--traffic", "evil\x1b[31m[bold]name")
    assert done.code == USAGE
    assert "\x1b[31m" not in done.err
    assert "[bold]name" in done.err
