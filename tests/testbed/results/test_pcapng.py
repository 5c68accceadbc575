"""The pcapng writer, octet by octet against the format's draft."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.results.capture_reader import CapturedPacket, CaptureReader
from testbed.results.files import WriteFailed
from testbed.results.pcapng import Direction, LinkType, PcapngWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture.pcapng"


def test_the_blocks_of_a_small_file_are_those_of_the_draft(path: Path) -> None:
    with PcapngWriter(path, application="test") as writer:
        writer.add_interface("ue", resolution="us", link_type=LinkType.RAW)
        writer.write_packet(
            0, b"\x45\x01\x02", 0x1_0000_0002 * 1000, comments=["ok"], direction=Direction.OUTBOUND
        )
    expected = [
        "0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff",  # section, little endian, 1.0
        "0400 0400 74657374 0000 0000 28000000",  # shb_userappl, end
        "01000000 28000000 6500 0000 00000000",  # interface: raw IP, no snap length
        "0200 0200 7565 0000 0900 0100 06 000000 0000 0000 28000000",  # if_name, if_tsresol
        "06000000 38000000 00000000",  # enhanced packet of interface 0
        "01000000 02000000",  # upper half of the time in microseconds, then the lower
        "03000000 03000000 450102 00",
        "0100 0200 6f6b 0000 0200 0400 02000000 0000 0000 38000000",  # comment, flags
    ]
    assert path.read_bytes().hex() == "".join(expected).replace(" ", "")


packets = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.binary(max_size=60),
        st.integers(0, 1 << 62),
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=2),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(packets)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, packets: list[tuple[int, bytes, int, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("capture") / "capture.pcapng"
    with PcapngWriter(path, comment="whole file") as writer:
        writer.add_interface("ue", description="UE", comment="here", link_type=LinkType.ETHERNET)
        writer.add_interface("hse", resolution="us")
        for interface, data, time_ns, comments in packets:
            writer.write_packet(interface, data, time_ns, comments=comments)
        assert writer.packets == len(packets)
    reader = CaptureReader(path)
    read = list(reader)
    assert reader.torn is None
    assert len(read) == len(packets)
    for number, (packet, (interface, data, time_ns, comments)) in enumerate(
        zip(read, packets, strict=True), start=1
    ):
        assert packet.number == number
        assert packet.data == data
        assert packet.comments == tuple(comments)
        assert packet.time_ns == (time_ns if interface == 0 else time_ns // 1000 * 1000)
        assert packet.interface.name == ("ue", "hse")[interface]
        assert not packet.cut


def test_an_interface_says_what_it_is(path: Path) -> None:
    with PcapngWriter(path) as writer:
        writer.add_interface("ue", description="the module", comment="reconstructed")
        writer.write_packet(0, b"\x45", 1)
    (packet,) = CaptureReader(path)
    assert packet.interface.link_type == LinkType.RAW
    assert (packet.interface.name, packet.interface.description) == ("ue", "the module")
    assert packet.interface.comment == "reconstructed"
    assert packet.interface.units_per_s == 10**9


def test_a_packet_that_was_cut_says_so(path: Path) -> None:
    with PcapngWriter(path) as writer:
        writer.add_interface("ue")
        writer.write_packet(0, b"\x45", 1, original_bytes=99)
    (packet,) = CaptureReader(path)
    assert packet.cut
    assert packet.original_bytes == 99


def test_a_comment_longer_than_an_option_is_cut_at_a_character(path: Path) -> None:
    with PcapngWriter(path) as writer:
        writer.add_interface("ue")
        writer.write_packet(0, b"\x45", 1, comments=["a" + "ü" * 40_000])
    (packet,) = CaptureReader(path)
    assert packet.comments == ("a" + "ü" * 32_767,)


def test_every_packet_is_in_the_file_when_the_call_returns(path: Path) -> None:
    with PcapngWriter(path) as writer:
        writer.add_interface("ue")
        for number in range(1, 6):
            writer.write_packet(0, b"\x45", number)
            assert len(list(CaptureReader(path))) == number


def test_a_capture_is_never_overwritten(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        PcapngWriter(path)
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize(("interface", "time_ns"), [(1, 0), (-1, 0), (0, -1)])
def test_impossible_packets_are_the_callers_error(path: Path, interface: int, time_ns: int) -> None:
    with PcapngWriter(path) as writer:
        writer.add_interface("ue")
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"interface|1970"):
            writer.write_packet(interface, b"\x45", time_ns)
    assert path.read_bytes() == before


def test_a_closed_capture_takes_no_more(path: Path) -> None:
    writer = PcapngWriter(path)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.add_interface("ue")


def test_a_full_disk_leaves_a_whole_capture(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with PcapngWriter(path) as writer:
        writer.add_interface("ue")
        writer.write_packet(0, b"\x45one", 1)

        def write(descriptor: int, data: bytes) -> int:
            if len(data) < 20:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(descriptor, bytes(data[:20]))

        monkeypatch.setattr(os, "write", write)
        with pytest.raises(WriteFailed):
            writer.write_packet(0, b"\x45two", 2)
        monkeypatch.undo()
        writer.write_packet(0, b"\x45six", 3)
        assert writer.packets == 2
    reader = CaptureReader(path)
    assert [packet.data for packet in reader] == [b"\x45one", b"\x45six"]
    assert reader.torn is None


WRITER = textwrap.dedent(
    """
    import sys
    from testbed.results.pcapng import PcapngWriter
    with PcapngWriter(sys.argv[1]) as writer:
        writer.add_interface("ue")
        for number in range(10**9):
            writer.write_packet(0, number.to_bytes(8, "big") * 20, number, comments=["x" * 300])
            print(number, flush=True)
    """
)


def test_kill_9_leaves_every_packet_that_was_written(path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if int(line) >= 100:
                break
        process.send_signal(signal.SIGKILL)
        said = [100, *(int(line) for line in process.stdout.read().split())]
    read: list[CapturedPacket] = list(CaptureReader(path))
    numbers = [int.from_bytes(packet.data[:8], "big") for packet in read]
    assert numbers == list(range(len(read)))
    assert len(read) - 1 in (said[-1], said[-1] + 1)
