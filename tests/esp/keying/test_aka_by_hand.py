"""One exchange with AKA, its codes and keys computed by hand from the octets on the wire.

Written from docs/keying.md; nothing of ``esp.keying`` is used for the expected values.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from esp import suite
from esp.aka import AuthenticationVector
from esp.keying import Offer, Session

if TYPE_CHECKING:
    from tests.esp.keying.conftest import World

IDENTITY = b"ue-1"
OFFER = Offer(suite=suite("aes-cbc-256+hmac-sha2-512-256"), compression=True)


def mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def kdf(key: bytes, *parameters: bytes) -> bytes:
    lengths = (one + len(one).to_bytes(2, "big") for one in parameters)
    return mac(key, b"\xff\xfe" + b"".join(lengths))


def k_e2m(vector: AuthenticationVector) -> bytes:
    return kdf(vector.ck + vector.ik, b"best-e2m", b"ck-ik")


def message_key(vector: AuthenticationVector, direction: bytes) -> bytes:
    return kdf(k_e2m(vector), b"best-message", direction, IDENTITY, b"\2")


def test_the_codes_cover_what_the_documentation_says(world: World) -> None:
    ue = world.ue(OFFER)
    handled, confirm = world.until_confirm(ue)
    challenge = handled.reply
    assert challenge is not None
    acknowledgement = world.hse.handle(confirm, 0.0).reply
    vector = world.source.given[0]
    before = ue.request() + challenge
    assert confirm[6:] == mac(message_key(vector, b"\0"), before + confirm[:6] + vector.xres)[:16]
    assert acknowledgement == (
        b"\x24" + ue.request()[1:5] + mac(message_key(vector, b"\1"), before + confirm)[:16]
    )


def test_the_keys_come_from_what_is_on_the_wire(world: World) -> None:
    ue = world.ue(OFFER)
    handled, confirm = world.until_confirm(ue)
    request, challenge = ue.request(), handled.reply
    assert challenge is not None
    made = world.hse.handle(confirm, 0.0)
    assert made.session is not None
    assert made.reply is not None
    mine = ue.handle(made.reply)
    assert isinstance(mine, Session)
    key = k_e2m(world.source.given[0])

    def material(purpose: bytes, direction: bytes, size: int) -> bytes:
        octets = b""
        for number in (1, 2):
            octets += kdf(
                key,
                b"best-esp",
                purpose,
                direction,
                challenge[57:61],
                request[1:5],
                challenge[5:9],
                request[5:21],
                challenge[9:25],
                IDENTITY,
                b"\2",
                challenge[61:72],
                bytes((number,)),
            )
        return octets[:size]

    for keys, direction, spi in (
        (mine.outbound, b"\0", challenge[5:9]),
        (mine.inbound, b"\1", request[1:5]),
        (made.session.inbound, b"\0", challenge[5:9]),
        (made.session.outbound, b"\1", request[1:5]),
    ):
        assert keys.spi.to_bytes(4, "big") == spi
        assert keys.key == material(b"encr", direction, 32)
        assert keys.integrity_key == material(b"integ", direction, 64)
        assert keys.rohc_key == material(b"rohc", direction, 64)
        assert keys.salt == b""
