"""Wireshark's table of security associations, with which it decrypts a run's capture.

A line per SA and outer IP version, in Wireshark's format for the table ``esp_sa``: protocol,
source, destination, SPI, encryption, key with salt, authentication, authentication key. A combined
mode such as AES-GCM has ``NULL`` for its authentication: Wireshark then checks the ICV by the
cipher.

The file holds keys. It is readable by its owner only, it belongs to test secrets, and whoever has
it reads the capture beside it. Keys appear nowhere else: not in the journal, the manifest or a log.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from types import TracebackType
from typing import Self

from esp import Suite, suite
from testbed.results.files import AppendOnlyFile

__all__ = ["EspSaTable", "decrypt_command"]

# The names by which Wireshark 4 knows the transforms of IANA's IKEv2 registry. AES-CCM, ChaCha20,
# AES-GMAC and implicit IVs are not among them, and one line that it does not know makes it refuse
# the whole table. Where it lacks the authentication only, it decrypts and leaves the ICV unchecked.
_ENCRYPTION = {
    "null": "NULL",
    "3des-cbc": "TripleDES-CBC [RFC2451]",
    "aes-cbc": "AES-CBC [RFC3602]",
    "aes-ctr": "AES-CTR [RFC3686]",
    "aes-gcm-8": "AES-GCM with 8 octet ICV [RFC4106]",
    "aes-gcm-12": "AES-GCM with 12 octet ICV [RFC4106]",
    "aes-gcm-16": "AES-GCM with 16 octet ICV [RFC4106]",
}
_UNCHECKED_96 = "ANY 96 bit authentication [no checking]"
_AUTHENTICATION = {
    "none": "NULL",
    "aes-cmac-96": _UNCHECKED_96,
    "aes-xcbc-96": _UNCHECKED_96,
    "hmac-sha1-96": "HMAC-SHA-1-96 [RFC2404]",
    "hmac-sha2-256-128": "HMAC-SHA-256-128 [RFC4868]",
    "hmac-sha2-384-192": "HMAC-SHA-384-192 [RFC4868]",
    "hmac-sha2-512-256": "HMAC-SHA-512-256 [RFC4868]",
}


class EspSaTable:
    """Writes a run's ``esp_sa``, a line at a time, each at the operating system on return.

    Args:
        path: the file to create with mode 0600; it must not exist.
        resume: go on with the table that a run left behind, if there is one.

    Attributes:
        associations: how many SAs Wireshark can use the table for.
        unsupported: names of the suites that it cannot decrypt.

    Raises:
        FileExistsError: a table is never overwritten.

    """

    def __init__(self, path: str | os.PathLike[str], *, resume: bool = False) -> None:
        self.path = Path(path)
        self._file = AppendOnlyFile(
            self.path, mode=0o600, keep=_size(self.path) if resume else None
        )
        self.associations = 0
        self.unsupported: set[str] = set()

    def add(
        self,
        spi: int,
        transform: Suite | str,
        key: bytes,
        salt: bytes,
        *,
        integrity_key: bytes = b"",
        ip_version: int | None = None,
        source: str = "*",
        destination: str = "*",
    ) -> bool:
        """Add one SA.

        Args:
            spi: its SPI, 1 to 0xFFFFFFFF.
            transform: its suite, or the suite's name.
            key: encryption key.
            salt: the salt that the mode takes besides, or nothing.
            integrity_key: key of a separate integrity transform.
            ip_version: of the outer header; ``None`` writes a line for each version, since
                Wireshark has no word for both.
            source: outer source address; ``*`` for any.
            destination: outer destination address; ``*`` for any.

        Returns:
            Whether Wireshark can use it; if not, the file has a comment in its place.

        Raises:
            ValueError: a key, a salt or the SPI has the wrong size.

        """
        row = suite(transform) if isinstance(transform, str) else transform
        sizes = (len(key), len(salt), len(integrity_key))
        if sizes != (row.key_bytes, row.salt_bytes, row.integrity_key_bytes):
            raise ValueError(
                f"key, salt and integrity key of {row.name} do not have {sizes} octets"
            )
        if not 0 < spi <= 0xFFFF_FFFF:
            raise ValueError(f"SPI {spi} is not 1 to 0xFFFFFFFF")
        encryption = _ENCRYPTION.get(row.encryption)
        authentication = _AUTHENTICATION.get(row.integrity)
        if encryption is None or authentication is None:
            self.unsupported.add(row.name)
            self._write(f"# SPI 0x{spi:08x}: Wireshark cannot decrypt {row.name}\n")
            return False
        columns = (
            source,
            destination,
            f"0x{spi:08x}",
            encryption,
            f"0x{(key + salt).hex()}" if key else "",
            authentication,
            f"0x{integrity_key.hex()}" if integrity_key else "",
        )
        rest = ",".join(f'"{column}"' for column in columns)
        versions = (4, 6) if ip_version is None else (ip_version,)
        self._write("".join(f'"IPv{version}",{rest}\n' for version in versions))
        self.associations += 1
        return True

    def _write(self, line: str) -> None:
        self._file.write(line.encode())

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _size(path: Path) -> int | None:
    """Octets of an existing table's whole lines; ``None`` where there is none to go on with."""
    try:
        return path.read_bytes().rfind(b"\n") + 1
    except FileNotFoundError:
        return None


def decrypt_command(run: str | os.PathLike[str]) -> str:
    """The shell command with which tshark decrypts the capture of a run directory.

    It takes the run directory for tshark's personal configuration, where it looks for ``esp_sa``.
    Sequence numbers are not analysed: each packet is in the file twice, once per side, and would be
    called a repetition.
    """
    path = Path(run)
    return (
        f"WIRESHARK_CONFIG_DIR={shlex.quote(str(path))}"
        f" tshark -r {shlex.quote(str(path / 'capture.pcapng'))}"
        " -o esp.enable_encryption_decode:TRUE -o esp.enable_authentication_check:TRUE"
        " -o esp.do_esp_sequence_analysis:FALSE"
    )
