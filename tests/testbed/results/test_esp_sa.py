"""Wireshark's table of security associations."""

import stat
from pathlib import Path

import pytest

from esp import Suite, suite
from testbed.results.esp_sa import EspSaTable, decrypt_command

KEY, SALT = bytes(range(16)), b"salt"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "esp_sa"


def test_a_gcm_association_has_its_salt_with_the_key_and_null_authentication(path: Path) -> None:
    with EspSaTable(path) as table:
        assert table.add(0xC0FFEE, "aes-gcm-16-128", KEY, SALT, ip_version=4)
        assert table.associations == 1
    assert path.read_text() == (
        '"IPv4","*","*","0x00c0ffee","AES-GCM with 16 octet ICV [RFC4106]",'
        '"0x000102030405060708090a0b0c0d0e0f73616c74","NULL",""\n'
    )


def test_addresses_and_the_outer_version_can_be_told(path: Path) -> None:
    with EspSaTable(path) as table:
        table.add(
            1, suite("aes-gcm-8-256"), KEY * 2, SALT, ip_version=6, source="2001:db8::1"
        )  # fmt: skip
    assert path.read_text().startswith(
        '"IPv6","2001:db8::1","*","0x00000001","AES-GCM with 8 octet'
    )


def test_without_an_outer_version_there_is_a_line_for_each(path: Path) -> None:
    with EspSaTable(path) as table:
        table.add(1, "aes-gcm-16-128", KEY, SALT)
        assert table.associations == 1
    four, six = path.read_text().splitlines()
    assert four.startswith('"IPv4",')
    assert six == four.replace("IPv4", "IPv6")


def test_only_the_owner_may_read_the_keys(path: Path) -> None:
    EspSaTable(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_is_in_the_file_when_the_call_returns(path: Path) -> None:
    table = EspSaTable(path)
    for number in (1, 2, 3):
        table.add(number, "aes-gcm-16-128", KEY, SALT, ip_version=4)
        assert len(path.read_text().splitlines()) == number
    table.close()
    table.close()


def test_a_table_is_never_overwritten(path: Path) -> None:
    EspSaTable(path).close()
    with pytest.raises(FileExistsError):
        EspSaTable(path)
    assert path.exists()


def test_a_run_that_resumes_goes_on_in_the_same_table(path: Path) -> None:
    for spi in (1, 2):
        with EspSaTable(path, resume=True) as table:
            table.add(spi, "aes-gcm-16-128", KEY, SALT, ip_version=6)
        with path.open("a") as file:
            file.write('"IPv4","*","*","0x000')
    lines = path.read_text().splitlines()
    assert [line.split(",")[3] for line in lines] == ['"0x00000001"', '"0x00000002"', '"0x000']
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_suite_that_wireshark_does_not_know_is_a_comment_and_said(path: Path) -> None:
    known = suite("aes-gcm-16-128")
    unknown = Suite(
        name="chacha20-poly1305",
        construction=known.construction,
        encryption="chacha20-poly1305",
        encryption_id=28,
        key_bytes=32,
        salt_bytes=4,
        iv_bytes=8,
        icv_bytes=16,
        rfc8221="SHOULD",
        source="RFC 7634",
    )
    with EspSaTable(path) as table:
        assert not table.add(7, unknown, KEY * 2, SALT)
        assert table.unsupported == {"chacha20-poly1305"}
        assert table.associations == 0
    text = path.read_text()
    assert text == "# SPI 0x00000007: Wireshark cannot decrypt chacha20-poly1305\n"
    assert KEY.hex() not in text


@pytest.mark.parametrize(
    ("spi", "key", "salt", "integrity"),
    [
        (1, KEY[:15], SALT, b""),
        (1, KEY, b"", b""),
        (1, KEY, SALT, b"x"),
        (0, KEY, SALT, b""),
        (1 << 32, KEY, SALT, b""),
    ],
)
def test_wrong_sizes_are_refused_without_showing_the_key(
    path: Path, spi: int, key: bytes, salt: bytes, integrity: bytes
) -> None:
    with EspSaTable(path) as table, pytest.raises(ValueError, match=r"octets|SPI") as caught:
        table.add(spi, "aes-gcm-16-128", key, salt, integrity_key=integrity)
    assert key.hex() not in str(caught.value)
    assert repr(key) not in str(caught.value)
    assert path.read_bytes() == b""


def test_the_command_that_decrypts_survives_a_path_with_blanks() -> None:
    command = decrypt_command("runs/my first run")
    assert command.startswith("WIRESHARK_CONFIG_DIR='runs/my first run' tshark -r ")
    assert "'runs/my first run/capture.pcapng'" in command
