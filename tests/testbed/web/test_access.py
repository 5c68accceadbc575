"""Where a door may listen, and what it takes to open it to a network."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.errors import ExitCode, UsageError
from testbed.web.access import Access, is_loopback, open_access

TOKEN = "0123456789abcdef0123456789abcdef"
Private = Callable[..., Path]
Certificate = Callable[..., tuple[Path, Path]]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_a_loopback_address_is_open_to_this_computer(address: str) -> None:
    assert is_loopback(address)
    assert open_access(address).warning is None


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "bench.example", "127.1.evil"])
def test_any_other_address_needs_a_token_and_tls(
    address: str, private: Private, certificate: Certificate
) -> None:
    assert not is_loopback(address)
    with pytest.raises(UsageError, match="open to the network, without a token and TLS") as raised:
        open_access(address)
    assert raised.value.exit_code is ExitCode.USAGE
    assert "--token-file" in (raised.value.hint or "")
    token_file = private("token", TOKEN)
    with pytest.raises(UsageError, match=r"without TLS$"):
        open_access(address, token_file=token_file)
    cert, key = certificate()
    with pytest.raises(UsageError, match=r"without a token$"):
        open_access(address, certificate=cert, key=key)
    access = open_access(address, token_file=token_file, certificate=cert, key=key)
    assert access.scheme == "https"
    assert access.warning is None


def test_a_trusted_network_is_warned_about(private: Private) -> None:
    access = open_access("0.0.0.0", trusted_network=True)
    assert access.warning == "0.0.0.0 is open to the network, without a token and TLS"
    token_file = private("token", TOKEN)
    access = open_access("0.0.0.0", token_file=token_file, trusted_network=True)
    assert access.warning == "0.0.0.0 is open to the network, without TLS"


def test_a_token_that_others_may_read_is_refused(private: Private) -> None:
    with pytest.raises(UsageError, match="others than its owner may use it") as raised:
        open_access(token_file=private("token", TOKEN, 0o640))
    assert TOKEN not in str(raised.value) + str(raised.value.hint)


@pytest.mark.parametrize("text", ["", "short", "fifteen-letters", "has a space in it, too", "\x00"])
def test_a_token_that_is_none_is_refused(text: str, private: Private) -> None:
    with pytest.raises(UsageError, match="token file"):
        open_access(token_file=private("token", text))


def test_only_the_token_is_the_token_and_it_is_in_no_repr(private: Private) -> None:
    access = open_access(token_file=private("token", TOKEN + "\n"))
    assert access.admits(TOKEN)
    for wrong in ("", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "ä", "\udcff"):
        assert not access.admits(wrong)
    assert TOKEN not in repr(access)


def test_without_a_token_everybody_who_gets_there_is_let_in() -> None:
    assert Access().admits("anything")


def test_a_key_that_others_may_read_is_refused(certificate: Certificate) -> None:
    cert, key = certificate()
    key.chmod(0o644)
    with pytest.raises(UsageError, match=r"TLS key .* others than its owner"):
        open_access(certificate=cert, key=key)


def test_a_key_with_a_passphrase_is_refused_instead_of_asking_for_it(
    certificate: Certificate,
) -> None:
    cert, key = certificate(password=b"secret")
    with pytest.raises(UsageError, match="no certificate and its key: the key has a passphrase"):
        open_access(certificate=cert, key=key)


def test_what_is_no_certificate_is_refused(private: Private, certificate: Certificate) -> None:
    _, key = certificate()
    with pytest.raises(UsageError, match="no certificate and its key"):
        open_access(certificate=private("other", "nothing"), key=key)
    with pytest.raises(UsageError, match="--tls-key without --tls-cert"):
        open_access(key=key)


def test_certificate_and_key_may_share_a_file(private: Private, certificate: Certificate) -> None:
    cert, key = certificate()
    both = private("both.pem", cert.read_text() + key.read_text())
    assert open_access(certificate=both).scheme == "https"
