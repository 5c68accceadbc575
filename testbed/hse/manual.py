"""Security associations with configured keys, from a file: for peers that have no key exchange.

RFC 8221 section 3 forbids suites that count (AES-GCM, -CCM, -CTR, -GMAC, ChaCha20) under a key that
was written down: whoever restarts begins to count again, and two packets under one key and number
give plaintext and keys away. So a file holds AES-CBC or NULL with an HMAC, unless it says that it
holds test vectors. Its numbers must survive a restart all the same, or everything that was recorded
would be accepted again: such a file needs durable state, unless its keys are test vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

import esp
from esp import keying
from esp.suites import check_manual_key
from testbed.bench.model import Model
from testbed.bench.secrets import warn_if_shared
from testbed.bench.source import Location, YamlSource, read_yaml
from testbed.errors import UsageError

__all__ = ["ManualAssociations", "read_associations"]

_EXAMPLE = "docs/security.md shows one."


def _octets(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value
    # The text is never shown: it is a key.
    if not isinstance(value, str) or not value.startswith("hex:"):
        raise ValueError("a key is hex: and hexadecimal digits, in quotes")
    try:
        bytes.fromhex(value.removeprefix("hex:"))
    except ValueError:
        raise ValueError("what follows hex: is not an even number of hexadecimal digits") from None
    return value


_Key = Annotated[SecretStr, BeforeValidator(_octets)]
_NO_KEY = SecretStr("hex:")


class _Direction(Model):
    spi: int = Field(ge=256, le=0xFFFF_FFFF)
    key: _Key = _NO_KEY
    salt: _Key = _NO_KEY
    integrity_key: _Key = _NO_KEY

    @property
    def keys(self) -> keying.DirectionKeys:
        def octets(value: SecretStr) -> bytes:
            return bytes.fromhex(value.get_secret_value().removeprefix("hex:"))

        return keying.DirectionKeys(
            spi=self.spi,
            key=octets(self.key),
            salt=octets(self.salt),
            integrity_key=octets(self.integrity_key),
            rohc_key=b"",
        )


class _Association(Model):
    identity: str = Field(min_length=1, max_length=64)
    suite: str
    mode: esp.Mode = esp.Mode.TUNNEL
    esn: bool = False
    inbound: _Direction
    outbound: _Direction
    addresses: tuple[str, ...] = ()


class _File(Model):
    test_vectors: bool = False
    associations: tuple[_Association, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualAssociations:
    """What a file of associations holds."""

    sessions: tuple[keying.Session, ...]
    """One per pair of associations."""
    addresses: dict[str, tuple[IPv4Network | IPv6Network, ...]]
    """Inner source addresses by identity, for those that have any assigned."""
    test_vectors: bool
    """The keys are known to everybody, and nothing has to survive a restart."""


def read_associations(path: Path, allows: Callable[[esp.Suite], bool]) -> ManualAssociations:
    """Read a file of security associations.

    Args:
        path: a YAML file.
        allows: whether a suite may be used here.

    Raises:
        UsageError: unreadable, against the format, keys of wrong sizes, or a suite that may not be
            used here or not with a configured key; names the line, and never a key.
    """
    source = read_yaml(path)
    warn_if_shared(path)
    try:
        file = _File.model_validate(source.data)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _mistake(source, tuple(detail["loc"]), detail["msg"]) from None
    sessions = []
    addresses: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {}
    for number, one in enumerate(file.associations):
        place = ("associations", number)
        try:
            sessions.append(_session(one, allows, test_vectors=file.test_vectors))
            networks = tuple(ip_network(address) for address in one.addresses)
        except (esp.LocalError, ValueError) as error:
            raise _mistake(source, place, str(error)) from None
        if networks:
            addresses[one.identity] = (*addresses.get(one.identity, ()), *networks)
    spis = [one.inbound.spi for one in sessions]
    for number, spi in enumerate(spis):
        if spi in spis[:number]:
            raise _mistake(source, ("associations", number), f"inbound SPI {spi} is taken")
    return ManualAssociations(
        sessions=tuple(sessions), addresses=addresses, test_vectors=file.test_vectors
    )


def _session(
    one: _Association, allows: Callable[[esp.Suite], bool], *, test_vectors: bool
) -> keying.Session:
    suite = check_manual_key(esp.suite(one.suite), test_vectors=test_vectors)
    if not allows(suite):
        raise ValueError(f"suite {suite.name} is not allowed here")
    session = keying.Session(
        identity=one.identity,
        suite=suite,
        mode=one.mode,
        compression=False,
        esn=one.esn,
        inbound=one.inbound.keys,
        outbound=one.outbound.keys,
    )
    session.inbound_association()  # its keys are of the right sizes
    session.outbound_association()
    return session


def _mistake(source: YamlSource, place: Location, what: str) -> UsageError:
    line = source.line(place)
    where = f"{source.path}:{line}" if line is not None else str(source.path)
    dotted = ".".join(str(part) for part in place)
    return UsageError(f"{where}: {dotted + ': ' if dotted else ''}{what}", hint=_EXAMPLE)
