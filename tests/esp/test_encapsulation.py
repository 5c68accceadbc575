"""What arrives on port 4500 (RFC 3948 section 2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import KEEPALIVE, NON_ESP_MARKER, DatagramKind, add_marker, classify, remove_marker
from esp.errors import NotEsp, Reason


@pytest.mark.parametrize(
    ("datagram", "kind"),
    [
        (b"", DatagramKind.TOO_SHORT),
        (b"\xff", DatagramKind.KEEPALIVE),
        (b"\xfe", DatagramKind.TOO_SHORT),
        (b"\xff\xff", DatagramKind.TOO_SHORT),
        (b"\0\0\0", DatagramKind.TOO_SHORT),
        (b"\0\0\0\0", DatagramKind.MESSAGE),
        (b"\0\0\0\0hello", DatagramKind.MESSAGE),
        (b"\0\0\0\1", DatagramKind.ESP),
        (b"\xff\xff\xff\xff", DatagramKind.ESP),
        (b"\x12\x34\x56\x78" + bytes(40), DatagramKind.ESP),
    ],
)
def test_datagrams_are_told_apart_by_their_first_octets(
    datagram: bytes, kind: DatagramKind
) -> None:
    assert classify(datagram) is kind


@settings(deadline=None)
@given(message=st.binary(max_size=80))
def test_a_marked_message_is_a_message_and_comes_back(message: bytes) -> None:
    datagram = add_marker(message)
    assert datagram[:4] == NON_ESP_MARKER
    assert classify(datagram) is DatagramKind.MESSAGE
    assert remove_marker(datagram) == message


@settings(deadline=None)
@given(datagram=st.binary(max_size=20))
def test_the_marker_is_taken_off_only_where_it_is(datagram: bytes) -> None:
    if classify(datagram) is DatagramKind.MESSAGE:
        assert add_marker(remove_marker(datagram)) == datagram
    else:
        with pytest.raises(NotEsp) as caught:
            remove_marker(datagram)
        assert caught.value.reason is Reason.NOT_ESP


def test_the_keepalive_is_one_octet() -> None:
    assert classify(KEEPALIVE) is DatagramKind.KEEPALIVE
    assert len(KEEPALIVE) == 1
