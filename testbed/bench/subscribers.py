"""The subscriber file of AKA: who has which key, as the authentication centre is to know it.

It holds keys, so it is refused when anybody but its owner may read it, and no error shows what
stands in it: where and what kind of mistake, never the value. ``docs/subscribers.md`` says how to
write one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from esp.aka import (
    ATTACH_INDICES,
    HSE_INDICES,
    Milenage,
    SequenceProfile,
    Subscriber,
    Tuak,
)
from testbed.bench.mistakes import usage_error
from testbed.bench.model import Model
from testbed.bench.private import read_private_text
from testbed.bench.source import YamlSource, parse_yaml
from testbed.errors import UsageError

__all__ = ["AkaSubscribers", "read_aka_subscribers", "subscribers_schema"]

_HINT = "docs/subscribers.md shows a subscriber file."


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaSubscribers:
    """What a subscriber file says; keys and identities don't show in its repr."""

    subscribers: tuple[Subscriber, ...]
    """In the order of the file."""
    profile: SequenceProfile
    """How SEQ and IND share a sequence number."""

    @property
    def identities(self) -> frozenset[str]:
        """Who they are."""
        return frozenset(one.identity for one in self.subscribers)


def _octets(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("hex:"):
        raise ValueError("not of the form hex:0011... with an even number of hexadecimal digits")
    try:
        return bytes.fromhex(value.removeprefix("hex:"))
    except ValueError:
        raise ValueError("what follows hex: is not an even number of hexadecimal digits") from None


Octets = Annotated[
    bytes,
    BeforeValidator(_octets),
    WithJsonSchema({"type": "string", "pattern": "^hex:([0-9A-Fa-f]{2})+$"}),
]
Indices = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]

_SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "milenage": {"k": (16,), "op": (16,), "opc": (16,)},
    "tuak": {"k": (16, 32), "top": (32,), "topc": (32,)},
}
"""Octets of each key by algorithm; a key that is not there is not for this algorithm."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text: put quotes around it, it looks like a number")
    if not value.isprintable() or not 1 <= len(value.encode()) <= 128:
        raise ValueError("not 1 to 128 octets of printable text")
    return value


class _Entry(Model):
    """One subscriber of the file."""

    identity: Annotated[
        str,
        BeforeValidator(_text),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128}),
    ]
    """What the UE calls itself: its IMSI in quotes, or any other name."""
    algorithm: Literal["milenage", "tuak"] = "milenage"
    """The functions f1 to f5* of its USIM."""
    k: Octets
    """The subscriber's key: 16 octets, for TUAK also 32."""
    op: Octets | None = None
    """MILENAGE: the operator's variant, 16 octets; either this or opc."""
    opc: Octets | None = None
    """MILENAGE: OP encrypted under K, 16 octets."""
    top: Octets | None = None
    """TUAK: the operator's variant, 32 octets; either this or topc."""
    topc: Octets | None = None
    """TUAK: what becomes of TOP under K, 32 octets."""
    res_bits: Literal[32, 64, 128] | None = None
    """TUAK: bits of RES; absent: 64."""
    keccak_iterations: Annotated[int, Field(ge=1, le=1000)] | None = None
    """TUAK: how often the permutation is applied; absent: once."""
    amf: Octets = bytes(2)
    """Authentication management field, 2 octets; its first bit is set by what a vector is for."""
    sqn: Octets = bytes(6)
    """Where sequence numbers start, 6 octets; without effect once the centre has stored others."""
    hse_ind: Indices = (HSE_INDICES[0], HSE_INDICES[-1])
    """First and last IND of vectors for the HSE."""
    attach_ind: Indices = (ATTACH_INDICES[0], ATTACH_INDICES[-1])
    """First and last IND of vectors for attaching: what the operator's own centre uses."""

    def __repr__(self) -> str:
        return "_Entry(...)"

    @field_validator("k", "op", "opc", "top", "topc", "res_bits", "keccak_iterations")
    @classmethod
    def _belongs_to_the_algorithm(cls, value: Any, info: ValidationInfo) -> Any:
        algorithm = info.data.get("algorithm")
        if value is None or algorithm is None or info.field_name is None:
            return value
        if not isinstance(value, bytes):
            if algorithm != "tuak":
                raise ValueError(f"{algorithm} has no such setting")
            return value
        sizes = _SIZES[algorithm].get(info.field_name)
        if sizes is None:
            known = ", ".join(_SIZES[algorithm])
            raise ValueError(f"{algorithm} has no such key: it takes {known}")
        if len(value) not in sizes:
            wanted = " or ".join(map(str, sizes))
            raise ValueError(f"{len(value)} octets, not the {wanted} of {algorithm}")
        return value

    @field_validator("amf", "sqn")
    @classmethod
    def _has_its_size(cls, value: bytes, info: ValidationInfo) -> bytes:
        wanted = 2 if info.field_name == "amf" else 6
        if len(value) != wanted:
            raise ValueError(f"{len(value)} octets, not {wanted}")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> _Entry:
        names = ("op", "opc") if self.algorithm == "milenage" else ("top", "topc")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"{self.algorithm} takes either {names[0]} or {names[1]}")
        for name in ("hse_ind", "attach_ind"):
            first, last = getattr(self, name)
            if first > last:
                raise ValueError(f"{name}: the first IND is above the last")
        if self.hse_ind[0] <= self.attach_ind[1] and self.attach_ind[0] <= self.hse_ind[1]:
            raise ValueError(
                "hse_ind and attach_ind overlap: attaching and the HSE would make each other's "
                "sequence numbers stale"
            )
        return self

    def subscriber(self) -> Subscriber:
        """What the authentication centre takes."""
        return Subscriber(
            identity=self.identity,
            algorithm=self._functions(),
            amf=self.amf,
            sqn=self.sqn,
            hse_indices=range(self.hse_ind[0], self.hse_ind[1] + 1),
            attach_indices=range(self.attach_ind[0], self.attach_ind[1] + 1),
        )

    def _functions(self) -> Milenage | Tuak:
        if self.algorithm == "milenage":
            return Milenage(k=self.k, op=self.op, opc=self.opc)
        return Tuak(
            k=self.k,
            top=self.top,
            topc=self.topc,
            res_bits=self.res_bits or 64,
            keccak_iterations=self.keccak_iterations or 1,
        )


class _File(Model):
    """A subscriber file."""

    schema_version: Literal[1] = 1
    """Version of the file's format."""
    ind_bits: int = Field(default=5, ge=1, le=16)
    """Bits of IND at the end of each sequence number, the same in all USIMs of this file."""
    subscribers: list[_Entry] = Field(min_length=1)
    """One entry each."""


def subscribers_schema() -> dict[str, Any]:
    """The JSON Schema of a subscriber file, for editors."""
    schema = _File.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "BEST testbed subscribers"
    return schema


def read_aka_subscribers(path: Path) -> AkaSubscribers:
    """Read a subscriber file.

    Args:
        path: a regular file that its owner alone, who is this process's user, may use.

    Raises:
        UsageError: open to others, unreadable, no YAML or against the format; names the file, the
            line and the mistake, and no value.
    """
    text = read_private_text(path, what="subscriber file")
    source = parse_yaml(path, text, confidential=True)
    if not isinstance(source.data, dict):
        raise UsageError(
            f"{path}:1: a subscriber file has the key 'subscribers' with a list of them", hint=_HINT
        )
    try:
        file = _File.model_validate(source.data)
    except ValidationError as error:
        mistake = usage_error(error, source, _File)
        raise UsageError(mistake.message, hint=mistake.hint or _HINT) from None
    mistakes = [*_repeated(file, source), *_outside(file, source)]
    if mistakes:
        raise UsageError("\n".join(mistakes), hint=_HINT)
    return AkaSubscribers(
        subscribers=tuple(entry.subscriber() for entry in file.subscribers),
        profile=SequenceProfile(ind_bits=file.ind_bits),
    )


def _repeated(file: _File, source: YamlSource) -> Iterator[str]:
    seen: dict[str, int | None] = {}
    for number, entry in enumerate(file.subscribers):
        line = source.line(("subscribers", number, "identity"))
        if entry.identity in seen:
            yield f"{source.path}:{line}: the identity of line {seen[entry.identity]} once more"
        seen.setdefault(entry.identity, line)


def _outside(file: _File, source: YamlSource) -> Iterator[str]:
    last = (1 << file.ind_bits) - 1
    for number, entry in enumerate(file.subscribers):
        for name in ("hse_ind", "attach_ind"):
            if getattr(entry, name)[1] > last:
                line = source.line(("subscribers", number, name))
                bits = file.ind_bits
                yield f"{source.path}:{line}: {name}: with {bits} bits the last IND is {last}"
