"""The part of a bench description that says how ESP may be used: suites, lifetimes, recovery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

import esp
from esp.suites import EVERY_SUITE, RFC8221_POLICY, SuitePolicy
from testbed.association import EspSettings
from testbed.bench.model import Model

__all__ = [
    "POLICIES",
    "EspDescription",
    "LifetimeDescription",
    "PolicyField",
    "RecoveryDescription",
    "allowed_suites",
]

POLICIES: dict[str, SuitePolicy] = {"every-suite": EVERY_SUITE, "rfc8221": RFC8221_POLICY}
"""Policies that go by a name."""


def allowed_suites(names: list[str], policy: str) -> SuitePolicy:
    """A policy that allows these suites.

    Args:
        names: of ESP's table; at least one.
        policy: what it is called in messages.

    Raises:
        ValueError: none, or one that is not in the table.
    """
    if not names:
        raise ValueError("a policy allows one suite at least")
    unknown = [name for name in names if name not in esp.SUITES]
    if unknown:
        raise ValueError(f"unknown suite {unknown[0]!r}: known are {', '.join(esp.SUITES)}")
    return SuitePolicy(name=policy, allowed=frozenset(names))


def _policy(value: Any) -> SuitePolicy:
    if isinstance(value, SuitePolicy):
        return value
    if isinstance(value, str):
        known = POLICIES.get(value.strip().lower())
        if known is not None:
            return known
        raise ValueError(
            f"unknown policy {value!r}: known are {', '.join(POLICIES)}, or give a list of suites"
        )
    name = "this bench"
    if isinstance(value, Mapping) and set(value) == {"name", "allowed"}:
        name, value = value["name"], value["allowed"]
    if (
        isinstance(name, str)
        and isinstance(value, list)
        and all(isinstance(one, str) for one in value)
    ):
        return allowed_suites(value, name)
    raise ValueError(
        f"a policy is one of {', '.join(POLICIES)}, a list of suites, or a mapping with the keys "
        "name and allowed"
    )


def _plain(policy: SuitePolicy) -> str | dict[str, Any]:
    for name, known in POLICIES.items():
        if policy == known:
            return name
    return {"name": policy.name, "allowed": sorted(policy.allowed)}


_SUITES_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "enum": list(esp.SUITES)},
    "minItems": 1,
}

PolicyField = Annotated[
    SuitePolicy,
    BeforeValidator(_policy),
    PlainSerializer(_plain),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "string", "enum": list(POLICIES)},
                _SUITES_SCHEMA,
                {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "allowed": _SUITES_SCHEMA},
                    "required": ["name", "allowed"],
                    "additionalProperties": False,
                },
            ],
            "default": "every-suite",
        }
    ),
]
"""A :class:`~esp.suites.SuitePolicy` by name, as a list of suites, or as ``{name, allowed}``."""


class EspDescription(Model):
    """How ESP is used, at the UE and at the HSE that the run starts itself."""

    esn: bool = False
    """Sequence numbers of 64 bits (RFC 4303 section 2.2.1), agreed on in the key exchange; the
    upper half is not sent, so it costs no octets."""
    replay_window: int = Field(default=64, ge=32, le=4096)
    """Packets that may come late and still be accepted, at each end."""
    pad_to: int | None = Field(default=None, ge=1, le=65535)
    """ESP's payload is filled up to so many octets, which hides lengths (RFC 4303 section 2.7);
    longer payloads go as they are. Not with compression: a ROHC packet does not state its length.
    """
    keepalive_s: float | None = Field(default=None, ge=1, le=86400)
    """A NAT keepalive (RFC 3948 section 4) when the UE has sent nothing else for so many seconds;
    none, the default, sends none: each one wakes the module, which defeats power saving."""

    @property
    def settings(self) -> EspSettings:
        """The settings as both ends take them."""
        return EspSettings(
            esn=self.esn,
            replay_window=self.replay_window,
            pad_to=self.pad_to or 0,
            keepalive_s=self.keepalive_s,
        )


class LifetimeDescription(Model):
    """How long a security association may be used, at both ends; none is no limit.

    At a *soft* limit the UE sets up a replacement before its next message; at a *hard* one the
    association ends, and neither end uses it any more (RFC 4301 section 4.4.2.1).
    """

    soft_bytes: int | None = Field(default=None, ge=1)
    """Payload octets in one direction."""
    hard_bytes: int | None = Field(default=None, ge=1)
    """The same."""
    soft_packets: int | None = Field(default=None, ge=1)
    """Packets in one direction."""
    hard_packets: int | None = Field(default=None, ge=1)
    """The same."""
    soft_s: float | None = Field(default=None, gt=0)
    """Seconds since the association was set up."""
    hard_s: float | None = Field(default=None, gt=0)
    """The same."""

    @model_validator(mode="after")
    def _soft_below_hard(self) -> LifetimeDescription:
        try:
            esp.Lifetime(**self.model_dump())
        except esp.LocalError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def lifetime(self) -> esp.Lifetime | None:
        """The limits as ESP takes them; none when there is none."""
        limits = self.model_dump(exclude_none=True)
        return esp.Lifetime(**limits) if limits else None


class RecoveryDescription(Model):
    """When the UE re-keys by itself, beside lifetimes, and what is done about a failing module."""

    unanswered: int | None = Field(default=3, ge=1)
    """After this many messages in a row without an answer; none: never for that."""
    notice: bool = True
    """After one unanswered message for which the HSE said that it knows no such association."""
    give_up: int = Field(default=3, ge=1)
    """This many re-keyings in a row that the HSE does not answer end the run."""
    module: Literal["continue", "stop"] = "continue"
    """When the module reboots, vanishes, falls silent, loses its SIM or the network: bring it back
    and go on with the next message, or stop the run."""
    attempts: int = Field(default=5, ge=1, le=1000)
    """So often it is opened, started and attached before the run ends."""
    pause_s: float = Field(default=30.0, ge=0, le=3600)
    """Between two such attempts, in seconds."""
