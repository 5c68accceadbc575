"""Octets of a session set-up, as docs/keying.md shows them.

    python -m pytest -s tests/esp/keying/test_setup_bytes.py

prints the rows; the test holds the page to them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from esp import suite
from esp.aka import AuthenticationCentre
from esp.keying import AkaInitiator, Initiator, Limits, Offer, Responder

if TYPE_CHECKING:
    from tests.esp.keying.conftest import World

PAGE = Path(__file__).parents[3] / "docs" / "keying.md"
IMSI = "001010000000001"
PLAIN = Offer(suite=suite("aes-gcm-16-128"))
ROHC = Offer(suite=suite("aes-gcm-16-128"), compression=True)
OUTER = 20 + 8 + 4
"""IPv4, UDP and the non-ESP marker in front of each message."""


def row(name: str, sizes: list[int]) -> str:
    up, down = sum(sizes[0::2]), sum(sizes[1::2])
    messages = " + ".join(map(str, sizes))
    whole = sum(sizes) + OUTER * len(sizes)
    return f"| {name} | {messages} | {up} | {down} | {sum(sizes)} | {whole} |"


def hello_row() -> str:
    initiator = Initiator(IMSI, bytes(16), PLAIN)
    reply = Responder({IMSI: bytes(16)}.get, lambda: 256).handle(initiator.request(), 0.0).reply
    assert reply is not None
    return row("hello", [len(initiator.request()), len(reply)])


def aka_row(name: str, world: World, offer: Offer) -> str:
    ue = AkaInitiator(IMSI, offer)
    sizes: list[int] = []
    data: bytes | None = ue.request()
    while data is not None:
        reply = world.hse.handle(data, 0.0).reply
        assert reply is not None
        sizes += [len(data), len(reply)]
        data = world.said(ue, reply, IMSI)
    assert ue.session is not None
    return row(name, sizes)


def forgetful(world: World) -> World:
    """A centre that has forgotten its numbers."""
    world.agree(identity=IMSI)
    world.source.centre = AuthenticationCentre(world.subscribers, random=world.chance.randbytes)
    return world


def test_the_page_shows_the_octets_of_a_session_set_up(new_world: Callable[..., World]) -> None:
    rows = [
        hello_row(),
        aka_row("AKA", new_world(IMSI), PLAIN),
        aka_row("AKA, with a ROHC channel", new_world(IMSI), ROHC),
        aka_row("AKA, synchronisation failure first", forgetful(new_world(IMSI)), PLAIN),
    ]
    sys.stdout.write("\n".join(rows) + "\n")
    page = PAGE.read_text(encoding="utf-8")
    for line in rows:
        assert line in page


@pytest.mark.parametrize("offer", [PLAIN, ROHC])
def test_a_challenge_is_less_than_twice_its_request(
    new_world: Callable[..., World], offer: Offer
) -> None:
    """What a stranger can make an HSE send to somebody else, headers included."""
    world = new_world(IMSI, "u", limits=Limits())
    for identity in (IMSI, "u"):
        request = AkaInitiator(identity, offer).request()
        reply = world.hse.handle(request, 0.0).reply
        assert reply is not None
        assert len(reply) + OUTER < 1.6 * (len(request) + OUTER)
