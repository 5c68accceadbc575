"""What a user may write as a port, and what is said when it is not there."""

import os
from pathlib import Path

import pytest

from firmware_bridge import PortBusy, PortMissing, PortUnreachable
from firmware_bridge.line import PortInfo, available_ports
from firmware_bridge.line.address import PortKind, parse_address
from firmware_bridge.line.holders import holder_of, lock_file_holder

PORTS = [
    PortInfo(device="/dev/ttyUSB0", description="CP2102", usb="usb:10c4:ea60:0001"),
    PortInfo(device="/dev/ttyUSB1", description="CP2102", usb="usb:10c4:ea60:0002"),
    PortInfo(device="/dev/ttyS0"),
]


@pytest.mark.parametrize(
    ("written", "target", "kind"),
    [
        ("socket://10.0.0.1:4000", "socket://10.0.0.1:4000", PortKind.SOCKET),
        ("rfc2217://lab:4000?timeout=5", "rfc2217://lab:4000?timeout=5", PortKind.THREADED),
        ("loop://", "loop://", PortKind.THREADED),
        ("usb:10C4:EA60:0002", "/dev/ttyUSB1", PortKind.DEVICE),
        ("usb:10c4:ea60", "/dev/ttyUSB0", PortKind.DEVICE),
        (" /dev/null ", "/dev/null", PortKind.DEVICE),
    ],
)
def test_an_address_is_understood(written: str, target: str, kind: PortKind) -> None:
    parsed = parse_address(written, lambda: PORTS)
    assert (parsed.target, parsed.kind, parsed.written) == (target, kind, written)


@pytest.mark.parametrize("written", ["", "  ", "http://x", "usb:10c4", "usb:zzzz:ea60"])
def test_an_address_of_no_known_form_is_a_value_error(written: str) -> None:
    with pytest.raises(ValueError, match="port address"):
        parse_address(written, lambda: PORTS)


def test_a_missing_port_lists_those_that_exist() -> None:
    with pytest.raises(PortMissing) as caught:
        parse_address("/dev/ttyUSB9", lambda: PORTS)
    assert caught.value.existing == ("/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyS0")
    assert "/dev/ttyUSB1" in str(caught.value)
    assert caught.value.hint


def test_a_missing_usb_identity_lists_the_identities_that_exist() -> None:
    with pytest.raises(PortMissing) as caught:
        parse_address("usb:10c4:ea60:9999", lambda: PORTS)
    assert "usb:10c4:ea60:0002" in caught.value.existing


def test_no_port_at_all_is_said_so_and_the_virtual_module_is_offered() -> None:
    error = PortMissing("/dev/ttyUSB0")
    assert "none" in str(error)
    assert "virtual:bc66" in error.hint


def test_the_ports_of_this_machine_are_sorted_records() -> None:
    ports = available_ports()
    assert ports == sorted(ports, key=lambda port: port.device)
    assert all(port.usb == "" or port.usb.startswith("usb:") for port in ports)


def test_errors_name_the_holder_and_the_next_step() -> None:
    assert "minicom (pid 812)" in str(PortBusy("/dev/ttyUSB0", "minicom (pid 812)"))
    assert "fuser" in PortBusy("/dev/ttyUSB0").hint
    assert "ign_set_control" in PortUnreachable("rfc2217://x:1", "no answer").hint


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_process_that_has_a_device_open_is_found() -> None:
    master, slave = os.openpty()
    try:
        assert f"(pid {os.getpid()})" in holder_of(os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)


def test_nobody_holds_a_device_that_does_not_exist() -> None:
    assert holder_of("/dev/does-not-exist") == ""


@pytest.mark.parametrize(
    ("content", "found"), [("{parent}\n", True), ("   99999999\n", False), ("minicom\n", False)]
)
def test_a_lock_file_counts_only_while_its_process_lives(
    tmp_path: Path, content: str, found: bool
) -> None:
    (tmp_path / "LCK..ttyUSB0").write_text(content.format(parent=os.getppid()))
    holder = lock_file_holder("/dev/ttyUSB0", folders=(tmp_path,))
    assert (f"(pid {os.getppid()})" in holder) is found


def test_our_own_lock_file_does_not_lock_us_out(tmp_path: Path) -> None:
    (tmp_path / "LCK..ttyUSB0").write_text(str(os.getpid()))
    assert lock_file_holder("/dev/ttyUSB0", folders=(tmp_path,)) == ""
