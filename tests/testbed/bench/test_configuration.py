"""Configurations: their names, and what no standard defines."""

from __future__ import annotations

import pytest

from esp import SUITES
from testbed.bench import DEFAULT_MATRIX, DEFAULT_SUITE, Compression, Configuration, Security

NAMES = {
    "none": (Security.NONE, Compression.NONE),
    "rohc": (Security.NONE, Compression.ROHC),
    "esp-transport": (Security.ESP_TRANSPORT, Compression.NONE),
    "esp-tunnel": (Security.ESP_TUNNEL, Compression.NONE),
    "rohc+esp-tunnel": (Security.ESP_TUNNEL, Compression.ROHC),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_and_written_alike(name: str) -> None:
    configuration = Configuration.parse(name)
    assert (configuration.security, configuration.compression) == NAMES[name]
    assert configuration.name == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("esp-tunnel+rohc", "rohc+esp-tunnel"),
        ("ESP-Tunnel", "esp-tunnel"),
        ("none+rohc", "rohc"),
        ("rohc+none", "rohc"),
        ("none+none", "none"),
        (" rohc + esp-tunnel ", "rohc+esp-tunnel"),
    ],
)
def test_parts_may_stand_in_either_order(written: str, meant: str) -> None:
    assert Configuration.parse(written).name == meant


@pytest.mark.parametrize("name", ["", "tls", "esp", "rohc+rohc", "esp-tunnel+esp-transport", "+"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"known are none, rohc, esp-transport, esp-tunnel"):
        Configuration.parse(name)


def test_rohc_under_transport_mode_is_refused_with_its_reason() -> None:
    with pytest.raises(ValueError, match=r"RFC 5856 section 1"):
        Configuration.parse("rohc+esp-transport")


def test_all_other_combinations_are_known_by_name() -> None:
    assert set(Configuration.known_names()) == set(NAMES)


def test_the_default_matrix_shows_what_rohc_saves_under_tunnel_esp() -> None:
    assert [one.name for one in DEFAULT_MATRIX] == ["none", "esp-tunnel", "rohc+esp-tunnel"]


def test_transport_mode_says_what_it_does_to_addresses_and_checksum() -> None:
    note = Configuration.parse("esp-transport").note
    assert note is not None
    assert "RFC 3948 section 3.1.2" in note
    assert "addresses" in note


# -- suites ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", sorted(set(SUITES) - {DEFAULT_SUITE}))
@pytest.mark.parametrize("plain", ["esp-transport", "esp-tunnel", "rohc+esp-tunnel"])
def test_every_suite_of_the_table_may_be_named(plain: str, suite: str) -> None:
    configuration = Configuration.parse(f"{plain}/{suite}")
    assert configuration.name == f"{plain}/{suite}"
    assert configuration.esp_suite is SUITES[suite]
    assert (configuration.security, configuration.compression) == NAMES[plain]
    assert configuration.note == Configuration.parse(plain).note


def test_the_compression_may_stand_behind_a_suite_that_has_a_plus_itself() -> None:
    written = "esp-tunnel/aes-cbc-128+hmac-sha2-256-128+rohc"
    meant = "rohc+esp-tunnel/aes-cbc-128+hmac-sha2-256-128"
    assert Configuration.parse(written).name == meant


def test_the_default_suite_is_the_plain_configuration() -> None:
    assert Configuration.parse(f"esp-tunnel/{DEFAULT_SUITE}") == Configuration.parse("esp-tunnel")
    assert Configuration.parse("esp-tunnel").esp_suite is SUITES[DEFAULT_SUITE]
    assert Configuration.parse("rohc").esp_suite is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("esp-tunnel/des-cbc", r"unknown suite 'des-cbc': known are aes-gcm-16-128"),
        ("esp-tunnel/", r"unknown suite ''"),
        ("esp-tunnel/aes-cbc-128", r"unknown suite 'aes-cbc-128'"),  # no integrity
        ("none/aes-gcm-16-128", r"without ESP"),
        ("rohc/aes-gcm-16-128", r"without ESP"),
        ("rohc+esp-transport/aes-ccm-8-128", r"RFC 5856 section 1"),
    ],
)
def test_a_suite_that_cannot_be_is_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Configuration.parse(name)
