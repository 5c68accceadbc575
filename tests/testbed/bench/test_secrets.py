"""Secrets from files: the forms they have, and that no error shows one."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from testbed.bench.secrets import parse_secret, read_secret_file, read_subscribers
from testbed.errors import UsageError


def test_hexadecimal_and_text_are_read() -> None:
    assert parse_secret("hex:" + "ab" * 16, where="here") == b"\xab" * 16
    assert parse_secret("sixteen letters!", where="here") == b"sixteen letters!"


@pytest.mark.parametrize("text", ["hex:abc", "hex:zz", "hex:", "canary", "hex:" + "ab" * 15])
def test_what_is_no_secret_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_secret(text, where="here")
    assert "here" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "abab" not in str(caught.value)


def test_a_secret_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hex:" + "01" * 16 + "\n")
    path.chmod(0o600)
    assert read_secret_file(path) == b"\x01" * 16


def test_a_file_that_others_can_read_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    path.write_text("hex:" + "01" * 16)
    path.chmod(0o644)
    read_secret_file(path)
    assert "chmod 600" in caplog.text
    path.chmod(0o600)
    caplog.clear()
    read_secret_file(path)
    assert caplog.text == ""


def test_a_missing_secret_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_secret_file(tmp_path / "none")
    assert caught.value.hint is not None
    assert "openssl rand" in caught.value.hint


def test_a_subscriber_file_maps_identities_to_secrets(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text(f"ue-1: hex:{'01' * 16}\nue-2: hex:{'02' * 16}\n")
    known = read_subscribers(path)
    assert known.secrets == {"ue-1": b"\x01" * 16, "ue-2": b"\x02" * 16}
    assert known.addresses == {}
    assert "\\x01" not in repr(known)


def test_a_subscriber_may_have_addresses_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text(
        f"ue-1: {{secret: 'hex:{'01' * 16}', addresses: [10.0.0.1, '2001:db8::/64']}}\n"
        f"ue-2: hex:{'02' * 16}\n"
    )
    known = read_subscribers(path)
    assert set(known.secrets) == {"ue-1", "ue-2"}
    assert known.addresses == {"ue-1": (ip_network("10.0.0.1"), ip_network("2001:db8::/64"))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "maps each UE's identity"),
        ("[a, b]\n", "maps each UE's identity"),
        (f"ue-1: hex:{'01' * 16}\n17: hex:{'02' * 16}\n", ":2: identity and secret are texts"),
        (f"ue-1: hex:{'01' * 16}\nue-2: short\n", ":2: the secret has 5 octets"),
        ("ue-1: {addresses: [10.0.0.1]}\n", ":1: identity and secret are texts"),
        (f"ue-1: {{secret: 'hex:{'01' * 16}', address: 10.0.0.1}}\n", "unknown key 'address'"),
        (f"ue-1: {{secret: 'hex:{'01' * 16}', addresses: 7}}\n", "addresses is a list"),
        (f"ue-1: {{secret: 'hex:{'01' * 16}', addresses: [10.0.0.256]}}\n", "10.0.0.256"),
        (f"ue-1: {{secret: 'hex:{'01' * 16}', addresses: [10.0.0.1/8]}}\n", "host bits set"),
    ],
)
def test_a_wrong_subscriber_file_is_named_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=expected):
        read_subscribers(path)
