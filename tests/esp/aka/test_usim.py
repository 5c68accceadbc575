"""The card's side: what it accepts, what it answers, and what changes by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aka_cases import ALGORITHMS, IDENTITY, OPC, K, card, centre, present, subscriber
from hypothesis import given
from hypothesis import strategies as st

from esp.aka import (
    AkaAlgorithm,
    AkaMacFailure,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    Milenage,
    SequenceProfile,
    Tuak,
    Usim,
)
from esp.errors import InvalidParameter

DATA = Path(__file__).parents[2] / "data" / "aka" / "usim_authenticate_example.json"
EXAMPLE = json.loads(DATA.read_text())
WHOLE = SequenceProfile(ind_bits=0)
"""SQN is all SEQ: with five bits of IND the example's SQN of 1 would be a SEQ of 0."""


def example(name: str) -> bytes:
    return bytes.fromhex(EXAMPLE[name])


def example_card(accepted: int = 0) -> Usim:
    algorithm = Milenage(k=example("K"), opc=example("OPc"))
    return Usim(algorithm, profile=WHOLE, accepted=(accepted,))


def test_the_published_exchange_comes_out() -> None:
    command = example("command_apdu")
    assert command[5:22] == b"\x10" + example("RAND")
    answer = example_card().authenticate(command[6:22], command[23:39])
    assert isinstance(answer, AkaSuccess)
    fields = (answer.res, answer.ck, answer.ik, answer.kc)
    body = b"\xdb" + b"".join(bytes((len(one),)) + one for one in fields)
    assert body + b"\x90\x00" == example("response_apdu")


def test_the_computed_synchronisation_failure_comes_out() -> None:
    expected = EXAMPLE["sync_failure_example"]
    usim = example_card(accepted=int(expected["SQN_MS"], 16))
    answer = usim.authenticate(example("RAND"), example("AUTN"))
    assert answer == AkaSyncFailure(auts=bytes.fromhex(expected["AUTS"]))


def test_the_centre_makes_the_published_vector() -> None:
    one = subscriber(
        algorithm=Milenage(k=example("K"), opc=example("OPc")),
        hse_indices=range(1),
        attach_indices=range(1),
    )
    home = AuthenticationCentre(
        [one], profile=WHOLE, random=lambda size: example("RAND"), hse_separation_bit=True
    )
    vector = home.vector(IDENTITY)
    assert (vector.rand, vector.autn) == (example("RAND"), example("AUTN"))


@pytest.mark.parametrize("make", ALGORITHMS.values(), ids=list(ALGORITHMS))
def test_with_every_algorithm_centre_and_card_agree(make: Callable[[], AkaAlgorithm]) -> None:
    home, usim = AuthenticationCentre([subscriber(algorithm=make())]), Usim(make())
    for _ in range(3):
        assert isinstance(present(usim, home.vector(IDENTITY)), AkaSuccess)


def test_the_same_challenge_twice_is_a_synchronisation_failure() -> None:
    vector, usim = centre().vector(IDENTITY), card()
    assert isinstance(present(usim, vector), AkaSuccess)
    before = usim.accepted
    for _ in range(2):
        assert isinstance(present(usim, vector), AkaSyncFailure)
    assert usim.accepted == before


def test_a_card_that_kept_its_array_does_not_take_a_challenge_again_and_a_fresh_one_does() -> None:
    vector, usim = centre().vector(IDENTITY), card()
    present(usim, vector)
    assert isinstance(present(card(accepted=usim.accepted), vector), AkaSyncFailure)
    assert isinstance(present(card(), vector), AkaSuccess)


@given(bit=st.integers(0, 255))
def test_no_bit_of_a_challenge_can_be_changed(bit: int) -> None:
    """A change of any bit of RAND or AUTN is a MAC failure, never a question of freshness."""
    vector, usim = centre(random=bytes).vector(IDENTITY), card()
    whole = int.from_bytes(vector.rand + vector.autn, "big") ^ (1 << bit)
    changed = whole.to_bytes(32, "big")
    assert usim.authenticate(changed[:16], changed[16:]) == AkaMacFailure()
    assert usim.accepted == card().accepted


def test_without_the_mac_check_a_changed_challenge_would_be_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vector, usim = centre().vector(IDENTITY), card()
    changed = vector.autn[:-1] + bytes((vector.autn[-1] ^ 1,))
    monkeypatch.setattr("esp.aka.usim.hmac.compare_digest", lambda one, other: True)
    assert isinstance(usim.authenticate(vector.rand, changed), AkaSuccess)


@pytest.mark.parametrize(
    "algorithm",
    [
        Milenage(k=OPC, opc=OPC),
        Milenage(k=K, opc=K),
        Milenage(k=K, op=OPC),
        Milenage(k=K, opc=OPC, rotations=(64, 0, 32, 64, 95)[::-1]),
        Tuak(k=K, topc=OPC * 2),
    ],
)
def test_a_card_with_other_keys_says_mac_failure(algorithm: AkaAlgorithm) -> None:
    usim = Usim(algorithm)
    assert present(usim, centre().vector(IDENTITY)) == AkaMacFailure()


@pytest.mark.parametrize(("rand", "autn"), [(15, 16), (17, 16), (16, 15), (16, 17), (0, 0)])
def test_a_challenge_of_another_size_is_refused(rand: int, autn: int) -> None:
    with pytest.raises(InvalidParameter, match="octets, not 16"):
        card().authenticate(bytes(rand), bytes(autn))


def test_a_card_whose_mac_does_not_fit_into_autn_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="MAC has 16 octets, not 8"):
        Usim(Tuak(k=K, topc=OPC * 2, mac_bits=128))
