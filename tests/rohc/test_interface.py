"""The public interface, and arguments out of range."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import rohc
from rohc import Channel, Compressor, Decompressed, Decompressor, RohcError, RohcUsageError
from rohc.errors import RohcError as ErrorsRoot

PUBLIC = {
    "Channel",
    "Choice",
    "Compressor",
    "CrcFailure",
    "Decompressed",
    "Decompressor",
    "Explanation",
    "MalformedPacket",
    "Mode",
    "NoContext",
    "Profile",
    "RohcError",
    "RohcUsageError",
    "UnsupportedProfile",
}


def parameters(function: Any) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    }


def test_the_public_names_are_these() -> None:
    assert set(rohc.__all__) >= PUBLIC
    for name in rohc.__all__:
        assert getattr(rohc, name) is not None


def test_a_channel_takes_the_parameters_of_the_design() -> None:
    empty = inspect.Parameter.empty
    assert parameters(Channel) == {
        "max_cid": 15,
        "large_cids": False,
        "profiles": (0, 1, 2, 3, 4, 7, 8),
        "mrru": 0,
    }
    assert empty not in parameters(Channel).values()


def test_a_compressor_takes_the_parameters_of_the_design() -> None:
    taken = parameters(Compressor)
    assert taken["mode"] == "O"
    assert taken["rtp_ports"] == frozenset()
    assert taken["reordering_expected"] is False
    assert isinstance(taken["optimistic_repeats"], int)
    assert parameters(Compressor.compress) == {"packet": inspect.Parameter.empty, "now": None}
    assert parameters(Compressor.compress_segments)["now"] is None
    assert list(parameters(Compressor.deliver_feedback)) == ["data"]
    assert list(parameters(Compressor.queue_feedback)) == ["data"]


def test_a_decompressor_takes_the_parameters_of_the_design() -> None:
    assert parameters(Decompressor)["mode"] == "O"
    taken = parameters(Decompressor.decompress)
    assert list(taken) == ["data", "now", "late_by"]
    assert (taken["now"], taken["late_by"]) == (None, None)
    assert Decompressed._fields == (
        "packet",
        "feedback",
        "feedback_received",
        "packet_type",
        "cid",
        "profile",
        "header_bytes",
    )


def test_every_error_has_one_root_and_a_hint() -> None:
    for name in ("MalformedPacket", "NoContext", "CrcFailure", "UnsupportedProfile"):
        kind = getattr(rohc, name)
        assert issubclass(kind, RohcError)
        assert kind("what", hint="next").hint == "next"
    assert ErrorsRoot is RohcError
    assert issubclass(RohcUsageError, ValueError)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_cid": 16}, "0 to 15"),
        ({"max_cid": -1}, "0 to 15"),
        ({"max_cid": 16384, "large_cids": True}, "0 to 16383"),
        ({"profiles": (6,)}, "0x0006"),
        ({"profiles": ()}, "at least one"),
        ({"mrru": -1}, "0 to 65535"),
    ],
)
def test_a_channel_out_of_range_names_the_range(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(RohcUsageError, match=words):
        Channel(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "X"}, '"U", "O" or "R"'),
        ({"optimistic_repeats": 0}, "1 to 15"),
        ({"optimistic_repeats": 16}, "1 to 15"),
        ({"ir_refresh_packets": -1}, "0 .never. or more"),
        ({"fo_refresh_s": -0.5}, "0 .never. or more"),
        ({"first_sn": 65536}, "0 to 65535"),
        ({"rtp_ports": (70000,)}, "0 to 65535"),
    ],
)
def test_a_compressor_argument_out_of_range_names_the_range(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(RohcUsageError, match=words):
        Compressor(Channel(), **arguments)


def test_an_unknown_decompressor_mode_is_refused() -> None:
    with pytest.raises(RohcUsageError, match="mode"):
        Decompressor(Channel(), mode="x")


def test_profiles_may_be_given_as_numbers_or_names() -> None:
    channel = Channel(profiles=(2, rohc.Profile.UNCOMPRESSED, 2))
    assert channel.profiles == (rohc.Profile.UNCOMPRESSED, rohc.Profile.UDP)
    assert channel.allows(2)
    assert not channel.allows(1)


# DESIGN: everything by keyword but the channel, and nothing that a caller does not expect ---------


@pytest.mark.parametrize("kind", [Compressor, Decompressor])
def test_all_settings_but_the_channel_are_keywords(kind: Any) -> None:
    given = inspect.signature(kind).parameters
    assert next(iter(given)) == "channel"
    for name, parameter in given.items():
        if name != "channel":
            assert parameter.kind == inspect.Parameter.KEYWORD_ONLY
            assert parameter.default is not inspect.Parameter.empty


@pytest.mark.parametrize(
    ("kind", "methods"),
    [
        (
            Compressor,
            {"compress", "compress_segments", "deliver_feedback", "queue_feedback", "last"},
        ),
        (Decompressor, {"decompress", "context_of"}),
    ],
)
def test_the_doors_have_these_methods(kind: type, methods: set[str]) -> None:
    assert {name for name in vars(kind) if not name.startswith("_")} == methods


@pytest.mark.parametrize(
    ("profile", "number"),
    [
        ("UNCOMPRESSED", 0),
        ("RTP", 1),
        ("UDP", 2),
        ("ESP", 3),
        ("IP", 4),
        ("UDP_LITE_RTP", 7),
        ("UDP_LITE", 8),
    ],
)
def test_profiles_have_their_registered_numbers(profile: str, number: int) -> None:
    assert rohc.Profile[profile] == number
    assert isinstance(rohc.Profile[profile], int)


def test_explain_takes_octets_and_perhaps_a_decompressor() -> None:
    taken = parameters(rohc.explain)
    assert list(taken)[:2] == ["data", "context"]
    assert taken["context"] is None


def test_what_was_chosen_is_told_with_its_reason() -> None:
    compressor = Compressor(Channel())
    assert compressor.last is None
    compressor.compress(b"\x00no ip")
    assert compressor.last is not None
    assert compressor.last._fields == ("packet_type", "cid", "profile", "header_bytes", "why")
    assert compressor.last.why


def test_a_result_without_packet_says_so() -> None:
    result = Decompressor(Channel()).decompress(b"\xf1\x07")
    assert result == Decompressed(None, b"", b"\xf1\x07", "feedback", -1, -1, 0)


def test_errors_say_which_context_and_carry_feedback_both_ways() -> None:
    with pytest.raises(rohc.NoContext) as caught:
        Decompressor(Channel()).decompress(b"\xf1\x07\xe5\x01\x02\x03")
    assert caught.value.cid == 5
    assert caught.value.feedback_received == b"\xf1\x07"
    assert caught.value.feedback
    assert RohcError("what").hint == ""
