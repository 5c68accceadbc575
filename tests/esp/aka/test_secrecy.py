"""Nothing secret shows: not in a repr, an error, a traceback, nor what the store writes."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable

import pytest
from aka_cases import Memory

from esp.aka import (
    PROFILE_2,
    AkaAlgorithm,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    Milenage,
    ReadyVectors,
    Subscriber,
    Tuak,
    UsedVectors,
    Usim,
    parse_ready_vectors,
)
from esp.errors import EspError
from esp.store import SequenceStore

IMSI = "262019876543210"
KEY = b"CANARY of the K!"
VARIANT = b"CANARY of the OP"
NUMBER = b"CANARY"
MAKERS: dict[str, Callable[[], AkaAlgorithm]] = {
    "milenage": lambda: Milenage(k=KEY, op=VARIANT),
    "tuak": lambda: Tuak(k=KEY * 2, top=VARIANT * 2),
}


def shows(text: str, *secrets: bytes) -> list[str]:
    """Which of the secrets a text shows, in any of the forms that Python gives octets."""
    forms = {IMSI, "CANARY"}
    for secret in secrets:
        forms |= {secret.hex(), secret.hex().upper(), repr(secret)[2:-1], repr(list(secret))[1:-1]}
    return [form for form in forms if form in text]


def test_the_search_finds_what_it_looks_for() -> None:
    assert shows(f"{KEY!r}") and shows(KEY.hex(), KEY) and shows(str(list(KEY)), KEY)
    assert shows(f"for {IMSI}") and not shows("Milenage(...)", KEY)


@pytest.mark.parametrize("name", MAKERS)
def test_no_repr_shows_a_secret(name: str) -> None:
    algorithm = MAKERS[name]()
    one = Subscriber(identity=IMSI, algorithm=algorithm, sqn=NUMBER)
    home = AuthenticationCentre([one], store=SequenceStore(Memory()))
    vector = home.vector(IMSI)
    seq, _ = PROFILE_2.split(NUMBER)
    usim = Usim(algorithm, accepted=(seq,) * 32)
    success = usim.authenticate(vector.rand, vector.autn)
    failure = usim.authenticate(vector.rand, vector.autn)
    assert isinstance(success, AkaSuccess)
    assert isinstance(failure, AkaSyncFailure)
    ready = ReadyVectors([(IMSI, vector)], UsedVectors())
    secrets = (KEY, VARIANT, vector.rand, vector.autn, vector.xres, vector.ck, vector.ik)
    secrets += (failure.auts,)
    for thing in (algorithm, one, home, vector, usim, success, failure, ready, [one], {1: vector}):
        for text in (repr(thing), str(thing), f"{thing}"):
            assert shows(text, *secrets) == []


def mistakes() -> dict[str, Callable[[], object]]:
    def line(**changes: str) -> str:
        values = {"rand": KEY.hex(), "autn": KEY.hex(), "xres": "00" * 8, "ck": KEY.hex()}
        return json.dumps({"identity": IMSI, "ik": VARIANT.hex()} | values | changes)

    algorithm = Milenage(k=KEY, op=VARIANT)
    home = AuthenticationCentre([Subscriber(identity="other", algorithm=algorithm)])
    end = Subscriber(identity=IMSI, algorithm=algorithm, sqn=b"\xff" * 6)
    ready = ReadyVectors(parse_ready_vectors(line()), UsedVectors())
    full = Memory()
    full.fail = True
    unwritten = AuthenticationCentre(
        [Subscriber(identity=IMSI, algorithm=algorithm)], store=SequenceStore(full)
    )
    return {
        "long K": lambda: Milenage(k=KEY + b"!", op=VARIANT),
        "long OP": lambda: Milenage(k=KEY, op=VARIANT + b"!"),
        "OP and OPc": lambda: Milenage(k=KEY, op=VARIANT, opc=VARIANT),
        "long TOP": lambda: Tuak(k=KEY, top=VARIANT * 3),
        "long K of TUAK": lambda: Tuak(k=KEY * 3, top=VARIANT * 2),
        "long RAND": lambda: algorithm.f2345(KEY + KEY),
        "long SQN": lambda: algorithm.f1(KEY, NUMBER * 2, b"ab"),
        "long SQN of a subscriber": lambda: Subscriber(
            identity=IMSI, algorithm=algorithm, sqn=NUMBER * 2
        ),
        "the same subscriber twice": lambda: AuthenticationCentre([end, end]),
        "unknown identity": lambda: home.vector(IMSI),
        "unknown identity to synchronise": lambda: home.resynchronise(IMSI, KEY, b"CANARYCANARYCA"),
        "wrong AUTS": lambda: home.resynchronise("other", KEY, b"CANARYCANARYCA"),
        "long AUTS": lambda: home.resynchronise("other", KEY, KEY),
        "last number": lambda: AuthenticationCentre([end]).vector(IMSI),
        "disk full": lambda: unwritten.vector(IMSI),
        "long challenge": lambda: Usim(algorithm).authenticate(KEY, KEY + KEY),
        "ready vectors synchronised": lambda: ready.resynchronise(IMSI, KEY, b"CANARYCANARYCA"),
        "ready vectors twice": lambda: parse_ready_vectors(line() + "\n" + line()),
        "ready vector, digits": lambda: parse_ready_vectors(line(ck="CANARY")),
        "ready vector, size": lambda: parse_ready_vectors(line(ck=(KEY + KEY).hex())),
        "ready vector, JSON": lambda: parse_ready_vectors(line()[:-1]),
        "no ready vector": lambda: [ready.vector(IMSI), ready.vector(IMSI)],
        "no such ready vector": lambda: ready.vector("CANARY"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_no_error_shows_a_secret(name: str) -> None:
    """Neither its text nor its hint, nor a traceback with all its causes (without the source)."""
    with pytest.raises(EspError) as caught:
        mistakes()[name]()
    error = caught.value
    told = "".join(traceback.format_exception_only(error)) + repr(error) + error.hint
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None:
        told += repr(cause)
        cause = cause.__cause__ or cause.__context__
    assert shows(told, KEY, VARIANT, NUMBER) == []


def test_the_store_shows_neither_identity_nor_key_nor_the_name_of_another_key() -> None:
    logs = []
    for maker in MAKERS.values():
        log = Memory()
        home = AuthenticationCentre(
            [Subscriber(identity=IMSI, algorithm=maker())], store=SequenceStore(log)
        )
        home.vector(IMSI)
        assert b"CANARY" not in log.durable
        assert IMSI.encode() not in log.durable
        logs.append(log.durable)
    assert logs[0][1:17] != logs[1][1:17], "the name depends on the key, so it can't be searched"
