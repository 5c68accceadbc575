"""The ROHC channel that the exchange with AKA negotiates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from esp.errors import InvalidParameter, MalformedMessage
from esp.keying import RohcChannel
from esp.rohc_parameters import RohcParameters

CHANNEL = RohcChannel()


def test_the_default_has_eleven_octets() -> None:
    assert CHANNEL.encode().hex() == "000f0000020000019f0000"
    assert RohcChannel.decode(CHANNEL.encode()) == CHANNEL


@pytest.mark.parametrize(
    "changes",
    [
        {"max_cid": 16383},
        {"mrru": 1500},
        {"mode": "U"},
        {"mode": "R"},
        {"profiles": (0,)},
        {"profiles": (0, 6, 0x101, 0x102, 0x10F)},
        {"integrity": "hmac-sha2-256-128"},
        {"integrity": "aes-cmac-96", "icv_bytes": 1},
    ],
)
def test_each_value_comes_back(changes: dict[str, Any]) -> None:
    channel = replace(CHANNEL, **changes)
    assert RohcChannel.decode(channel.encode()) == channel
    assert channel.encode() != CHANNEL.encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"max_cid": -1},
        {"max_cid": 16384},
        {"mrru": 0x1_0000},
        {"mode": "X"},
        {"profiles": ()},
        {"profiles": (0x10,)},
        {"profiles": (0x200,)},
        {"profiles": (2, 0x102)},
        {"profiles": (2, 0)},
        {"profiles": (0, 0)},
        {"integrity": "crc32"},
        {"icv_bytes": 4},
        {"integrity": "hmac-sha1-96", "icv_bytes": 13},
        {"integrity": "hmac-sha1-96", "icv_bytes": 0},
    ],
)
def test_what_no_channel_has_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        replace(CHANNEL, **changes)


@pytest.mark.parametrize("size", [0, 10, 12])
def test_another_size_is_malformed(size: int) -> None:
    with pytest.raises(MalformedMessage):
        RohcChannel.decode(bytes(size))


def test_it_says_the_same_in_the_words_of_rfc_5857() -> None:
    channel = RohcChannel(max_cid=20, mrru=900, integrity="hmac-sha1-96", icv_bytes=4)
    assert channel.parameters() == RohcParameters(
        max_cid=20, profiles=(0, 1, 2, 3, 4, 7, 8), integrity=(2,), icv_bytes=4, mrru=900
    )
    assert CHANNEL.parameters().integrity == (0,)


def test_two_ends_meet_at_what_both_can_do() -> None:
    ours = RohcChannel(max_cid=100, mrru=0, mode="R", profiles=(0, 1, 2))
    theirs = RohcChannel(
        max_cid=15, mrru=600, mode="O", profiles=(0, 2, 0x103), integrity="aes-xcbc-96"
    )
    met = ours.meet(theirs)
    assert met == RohcChannel(
        max_cid=15, mrru=0, mode="O", profiles=(0, 2), integrity="aes-xcbc-96"
    )
    assert met is not None
    assert met.within(theirs)
    assert ours.meet(RohcChannel(profiles=(3,))) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"max_cid": 16},
        {"mrru": 1},
        {"mode": "R"},
        {"profiles": (0, 1, 2, 3, 4, 6)},
        {"integrity": "hmac-sha1-96"},
    ],
)
def test_what_was_not_offered_is_not_within_the_offer(changes: dict[str, Any]) -> None:
    assert CHANNEL.within(CHANNEL)
    assert not replace(CHANNEL, **changes).within(CHANNEL)


def test_an_icv_that_was_offered_cannot_be_left_out_or_shortened() -> None:
    offered = RohcChannel(integrity="hmac-sha1-96", icv_bytes=4)
    for changes in ({"integrity": None, "icv_bytes": None}, {"icv_bytes": 1}):
        assert not replace(offered, **changes).within(offered)
