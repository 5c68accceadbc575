"""The subscriber file of AKA: what it says, whom it is refused for, and what errors don't show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from esp.aka import (
    ATTACH_INDICES,
    HSE_INDICES,
    AkaSuccess,
    AuthenticationCentre,
    Milenage,
    SequenceProfile,
    Tuak,
    Usim,
)
from testbed.bench.subscribers import read_aka_subscribers, subscribers_schema
from testbed.errors import UsageError

DATA = Path(__file__).parents[2] / "data" / "aka"
K = "hex:" + b"CANARY of the K!".hex()
OP = "hex:" + b"CANARY of the OP".hex()
TOP = "hex:" + (b"CANARY of the OP" * 2).hex()

EXAMPLE = f"""\
schema_version: 1
subscribers:
  - identity: "001010000000001"
    algorithm: milenage
    k: {K}
    op: {OP}
  - identity: meter-18
    algorithm: tuak
    k: {K}{K[4:]}
    topc: {TOP}
    res_bits: 128
    keccak_iterations: 2
    amf: hex:1234
    sqn: hex:000000000100
    hse_ind: [8, 11]
    attach_ind: [0, 7]
"""


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "subscribers.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def entry(**changes: Any) -> str:
    """A file of one subscriber, with keys changed or (None) left out."""
    known = {"identity": "ue", "k": K, "op": OP} | changes
    kept = {name: value for name, value in known.items() if value is not None}
    return yaml.safe_dump({"subscribers": [kept]}, sort_keys=False)


def refused(folder: Path, text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_aka_subscribers(written(folder, text))
    error = caught.value
    told = f"{error} {error.hint} {error!r}"
    assert error.__cause__ is None or "CANARY" not in repr(error.__cause__)
    assert error.hint
    for secret in ("CANARY", K[4:], K[4:20], OP[4:20]):
        assert secret not in told
    return error


def test_subscribers_are_read(tmp_path: Path) -> None:
    known = read_aka_subscribers(written(tmp_path, EXAMPLE))
    assert known.profile == SequenceProfile()
    first, second = known.subscribers
    assert (first.identity, first.amf, first.sqn) == ("001010000000001", bytes(2), bytes(6))
    assert (first.hse_indices, first.attach_indices) == (HSE_INDICES, ATTACH_INDICES)
    assert (second.identity, second.amf.hex(), second.sqn.hex()) == (
        "meter-18",
        "1234",
        "000000000100",
    )
    assert (second.hse_indices, second.attach_indices) == (range(8, 12), range(8))
    expected = (
        Milenage(k=b"CANARY of the K!", op=b"CANARY of the OP"),
        Tuak(
            k=b"CANARY of the K!" * 2,
            topc=b"CANARY of the OP" * 2,
            res_bits=128,
            keccak_iterations=2,
        ),
    )
    for one, algorithm in zip(known.subscribers, expected, strict=True):
        assert one.algorithm.f2345(bytes(16)) == algorithm.f2345(bytes(16))


def test_what_was_read_works_with_a_card(tmp_path: Path) -> None:
    known = read_aka_subscribers(written(tmp_path, EXAMPLE))
    home = AuthenticationCentre(known.subscribers, profile=known.profile)
    for one in known.subscribers:
        vector = home.vector(one.identity)
        answer = Usim(one.algorithm).authenticate(vector.rand, vector.autn)
        assert isinstance(answer, AkaSuccess)


def test_the_published_sets_can_be_written_as_subscribers(tmp_path: Path) -> None:
    sets = json.loads((DATA / "milenage_testsets.json").read_text())
    entries = [
        {"identity": str(number), "k": f"hex:{one['K']}", name: f"hex:{one[key]}"}
        for number, one in enumerate(sets)
        for name, key in [("op", "OP") if number % 2 else ("opc", "OPc")]
    ]
    path = written(tmp_path, yaml.safe_dump({"subscribers": entries}))
    for one, known in zip(sets, read_aka_subscribers(path).subscribers, strict=True):
        assert known.algorithm.f2345(bytes.fromhex(one["RAND"]))[0].hex() == one["RES"]


def test_nothing_of_it_shows(tmp_path: Path) -> None:
    known = read_aka_subscribers(written(tmp_path, EXAMPLE))
    for text in (repr(known), str(known), repr(known.subscribers[0])):
        for secret in ("CANARY", K[4:], OP[4:], "001010000000001", "meter-18"):
            assert secret not in text


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match="others than its owner"):
        read_aka_subscribers(written(tmp_path, EXAMPLE, mode))


@pytest.mark.parametrize(
    ("changes", "line", "expected"),
    [
        ({"identity": None}, 2, "identity: field required"),
        ({"identity": 1010000000001}, 2, "identity: not a text: put quotes around it"),
        ({"identity": ""}, 2, "identity: not 1 to 128 octets"),
        ({"identity": "x" * 129}, 2, "identity: not 1 to 128 octets"),
        ({"identity": "CANARY\n"}, 2, "identity: not 1 to 128 octets"),
        ({"algorithm": "CANARY"}, 5, "algorithm: input should be 'milenage' or 'tuak'"),
        ({"k": None}, 2, "k: field required"),
        ({"k": K.removeprefix("hex:")}, 3, "k: not of the form hex:0011"),
        ({"k": K[:-1]}, 3, "k: what follows hex: is not an even number"),
        ({"k": K[:-2]}, 3, "k: 15 octets, not the 16 of milenage"),
        ({"k": K + "00"}, 3, "k: 17 octets, not the 16 of milenage"),
        ({"k": 12}, 3, "k: not of the form hex:"),
        ({"op": OP[:-2]}, 4, "op: 15 octets, not the 16"),
        ({"op": None}, 2, "milenage takes either op or opc"),
        ({"opc": OP}, 2, "milenage takes either op or opc"),
        ({"top": TOP}, 5, "top: milenage has no such key: it takes k, op, opc"),
        ({"res_bits": 64}, 5, "res_bits: milenage has no such setting"),
        ({"amf": "hex:00"}, 5, "amf: 1 octets, not 2"),
        ({"sqn": "hex:00000000"}, 5, "sqn: 4 octets, not 6"),
        ({"hse_ind": [31, 16]}, 2, "hse_ind: the first IND is above the last"),
        ({"hse_ind": [15, 31]}, 2, "hse_ind and attach_ind overlap"),
        ({"attach_ind": [0, 16]}, 2, "hse_ind and attach_ind overlap"),
        ({"hse_ind": [16, 32]}, 5, "hse_ind: with 5 bits the last IND is 31"),
        ({"hse_ind": [16]}, 5, "field required"),
        ({"attach_ind": [-1, 3]}, 6, "greater than or equal to 0"),
        ({"CANARY": K}, 5, "unknown key"),
        ({12: K}, 2, ""),
    ],
)
def test_a_mistake_is_told_with_its_line_and_without_its_value(
    tmp_path: Path, changes: dict[Any, Any], line: int, expected: str
) -> None:
    known = {"identity": "ue", "k": K, "op": OP} | changes
    kept = {name: value for name, value in known.items() if value is not None}
    error = refused(tmp_path, yaml.safe_dump({"subscribers": [kept]}, sort_keys=False))
    where = tmp_path / "subscribers.yaml"
    assert any(
        told.startswith(f"{where}:{line}: ") and expected in told
        for told in str(error).splitlines()
    ), str(error)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"k": K + "00" * 8}, "k: 24 octets, not the 16 or 32 of tuak"),
        ({"op": OP}, "op: tuak has no such key: it takes k, top, topc"),
        ({"top": OP}, "top: 16 octets, not the 32 of tuak"),
        ({"top": None}, "tuak takes either top or topc"),
        ({"topc": TOP}, "tuak takes either top or topc"),
        ({"res_bits": 256}, "res_bits: input should be 32, 64 or 128"),
        ({"keccak_iterations": 0}, "keccak_iterations: input should be greater than"),
    ],
)
def test_mistakes_with_tuak(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    known = {"algorithm": "tuak", "op": None, "top": TOP} | changes
    assert expected in str(refused(tmp_path, entry(**known)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: a subscriber file has the key 'subscribers'"),
        (f"- {K}\n", ":1: a subscriber file has the key 'subscribers'"),
        ("subscribers: []\n", ":1: subscribers: list should have at least 1 item"),
        ("subscribers: CANARY\n", ":1: subscribers: input should be a valid list"),
        (f"subscribers:\n  - {K}\n", ":2: subscribers.0: input should be"),
        (f"CANARY: {K}\nsubscribers: [{{identity: x, k: {K}, op: {OP}}}]\n", ":1: unknown key"),
        (f"subscribers:\n  - {{identity: x, k {K}, op: {OP}}}\n", ":2: unknown key"),
        ("schema_version: 2\nsubscribers: []\n", ":1: schema_version: input should be 1"),
        (f"subscribers:\n\t- {K}\n", ":2: not valid YAML"),
        (f"subscribers:\n  - k: *{K[4:]}\n", ":2: not valid YAML"),
        (f"subscribers:\n  - k: !{K[4:]} x\n", ":2: not valid YAML"),
        (f"subscribers:\n  - k: '{K}\n", "not valid YAML"),
        ("subscribers:\n  - k: 2001-99-99\n", "not valid YAML"),
        (f"subscribers:\n  - {K[4:]}: 1\n    {K[4:]}: 2\n", ":3: a key stands here again"),
    ],
)
def test_a_file_of_another_form_is_refused_without_being_shown(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in str(refused(tmp_path, text))


def test_one_identity_stands_for_one_subscriber(tmp_path: Path) -> None:
    one = yaml.safe_load(entry())["subscribers"][0]
    text = yaml.safe_dump(
        {"subscribers": [one, one | {"identity": "b"}, dict(one)]}, sort_keys=False
    )
    assert ":8: the identity of line 2 once more" in str(refused(tmp_path, text))


def test_fewer_bits_of_ind_need_smaller_ranges(tmp_path: Path) -> None:
    assert "with 4 bits the last IND is 15" in str(refused(tmp_path, "ind_bits: 4\n" + entry()))
    text = "ind_bits: 1\n" + entry(hse_ind=[1, 1], attach_ind=[0, 0])
    known = read_aka_subscribers(written(tmp_path, text))
    assert known.profile.ind_bits == 1
    assert known.subscribers[0].hse_indices == range(1, 2)
    AuthenticationCentre(known.subscribers, profile=known.profile).vector("ue")


def test_the_schema_knows_each_key_and_says_what_it_is_for() -> None:
    schema = subscribers_schema()
    properties = schema["$defs"]["_Entry"]["properties"]
    assert set(properties) == {
        *("identity", "algorithm", "k", "op", "opc", "top", "topc", "res_bits"),
        *("keccak_iterations", "amf", "sqn", "hse_ind", "attach_ind"),
    }
    assert properties["k"]["pattern"] == "^hex:([0-9A-Fa-f]{2})+$"
    assert schema["$schema"].startswith("https://json-schema.org/")
    json.dumps(schema)


def test_the_page_about_it_shows_a_file_that_is_accepted(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "subscribers.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    known = read_aka_subscribers(written(tmp_path, text))
    assert len(known.subscribers) == 2
