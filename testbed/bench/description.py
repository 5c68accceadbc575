"""The bench description and its validation.

A description says which module, which HSE, which traffic, which configurations. It comes from a
YAML file, from options, or from both: the file first, then ``TESTBED_*`` environment variables,
then options (the command line merges them and calls `validate_bench`).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

import esp
from esp.suites import EVERY_SUITE
from firmware_bridge.virtual import ModuleSettings
from testbed.bench.configuration import DEFAULT_MATRIX, Compression, Configuration, Security
from testbed.bench.model import Model
from testbed.bench.protection import LifetimeDescription, PolicyField, RecoveryDescription
from testbed.bench.source import Location, YamlSource, read_yaml
from testbed.bench.timing import Timing, random_octets
from testbed.clock import MAX_TIME_SCALE, TimeKind
from testbed.compression import FeedbackWay, RohcMode, RohcSettings
from testbed.errors import UsageError

__all__ = [
    "SCHEMA_VERSION",
    "Bench",
    "HseDescription",
    "ModuleDescription",
    "Pace",
    "PowerSavingDescription",
    "RohcDescription",
    "TrafficDescription",
    "bench_schema",
    "load_bench",
    "validate_bench",
]

SCHEMA_VERSION = 1
"""Version of the bench file's format; a file of another version is refused."""

MIN_SECRET_OCTETS = 16
"""Shorter secrets are refused: they can be searched through."""


def _configuration(value: Any) -> Configuration:
    if isinstance(value, Configuration):
        return value
    if isinstance(value, str):
        return Configuration.parse(value)
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - {"security", "compression", "suite"})
        if unknown:
            raise ValueError(
                f"unknown key {unknown[0]!r} in a configuration: known are security, "
                "compression, suite"
            )
        suite = f"/{value['suite']}" if value.get("suite") is not None else ""
        return Configuration.parse(
            f"{value.get('compression', 'none')}+{value.get('security', 'none')}{suite}"
        )
    raise ValueError(
        f"a configuration is a name ({', '.join(Configuration.known_names())}) "
        "or a mapping of security, suite and compression"
    )


_CONFIGURATION_SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"type": "string", "enum": Configuration.known_names()},
        {
            "type": "string",
            "pattern": "^(rohc\\+)?esp-tunnel/.+$|^esp-transport/.+$",
            "description": "ESP with one of the suites of its table",
        },
        {
            "type": "object",
            "properties": {
                "security": {"type": "string", "enum": [one.value for one in Security]},
                "suite": {"type": "string", "enum": list(esp.SUITES)},
                "compression": {"type": "string", "enum": [one.value for one in Compression]},
            },
            "additionalProperties": False,
        },
    ]
}

_MATRIX_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": _CONFIGURATION_SCHEMA,
    "minItems": 1,
    "uniqueItems": True,
    "default": [configuration.name for configuration in DEFAULT_MATRIX],
}

ConfigurationField = Annotated[
    Configuration,
    BeforeValidator(_configuration),
    PlainSerializer(lambda configuration: configuration.name, return_type=str),
]


class PowerSavingDescription(Model):
    """What the module asks the network for."""

    psm: bool = True
    """Ask for power saving mode (AT+CPSMS)."""
    active_time_s: float = Field(default=4.0, ge=0, le=11160)
    """T3324: how long the module stays reachable after it is released, in seconds."""
    periodic_tau_s: float = Field(default=86400.0, ge=2, le=35712000)
    """T3412 extended: period of the tracking area update, in seconds."""
    edrx_cycle_s: float | None = Field(default=None, gt=0, le=10485.76)
    """eDRX cycle to ask for, in seconds; none asks for no eDRX."""


class ModuleDescription(Model):
    """The NB-IoT module: which family, on which port, and how it is set up."""

    family: str = "bc66"
    """The module's family; `testbed run --help` lists those there are."""
    port: str = "virtual:bc66"
    """``/dev/ttyUSB0``, ``rfc2217://host:port``, ``socket://host:port`` or ``virtual:FAMILY``."""
    baudrate: int = Field(default=115200, ge=300, le=4_000_000)
    """Line speed in bit/s; a virtual module ignores it."""
    apn: str | None = Field(default=None, max_length=99)
    """Access point name; none keeps what the module has."""
    attach_timeout_s: float = Field(default=180.0, gt=0, le=3600)
    """How long the module may take to register, in seconds."""
    power_saving: PowerSavingDescription = PowerSavingDescription()
    """PSM and eDRX."""
    release_assistance: Literal["none", "after-uplink", "after-downlink"] = "after-downlink"
    """What each message tells the network: nothing, no more data at all, or one answer expected."""
    max_payload: int | None = Field(default=None, ge=1, le=1500)
    """Largest UDP payload the module's socket takes, in octets; none uses the family's figure."""
    virtual: ModuleSettings | None = None
    """Settings of a virtual module: coverage, network timers, loss; only with a virtual port."""

    @property
    def is_virtual(self) -> bool:
        """True when the port is a virtual module."""
        return self.port.startswith("virtual:")

    @model_validator(mode="after")
    def _port_and_family_agree(self) -> ModuleDescription:
        if self.is_virtual:
            named = self.port.removeprefix("virtual:")
            if named != self.family:
                raise ValueError(
                    f"port {self.port!r} is a virtual {named or '(nothing)'}, the family is "
                    f"{self.family!r}: name the same family twice"
                )
        elif self.virtual is not None:
            raise ValueError(
                f"'virtual' settings with the real port {self.port!r}: remove them, "
                f"or use port: virtual:{self.family}"
            )
        return self


_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d+")


def _host_port(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(
        r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d+", value
    ):
        raise ValueError(f"{value!r} is not HOST:PORT (an IPv6 address stands in brackets)")
    port = int(value.rpartition(":")[2])
    if not 0 < port < 65536:
        raise ValueError(f"port {port} is not between 1 and 65535")
    return value


class HseDescription(Model):
    """The Home Security Endpoint: where it listens and what it shares with this UE."""

    address: Annotated[str | None, BeforeValidator(_host_port)] = None
    """``HOST:PORT`` of its ESP port; none starts one for the run, on this machine."""
    rohc_port: int | None = Field(default=None, ge=1, le=65535)
    """Its port for ROHC without security; none means the ESP port plus 1."""
    plain_port: int | None = Field(default=None, ge=1, le=65535)
    """Its port for datagrams without anything; none means the ESP port plus 2."""
    secret: SecretStr | None = None
    """The shared secret, at least 16 octets as text, or ``hex:`` and hexadecimal digits."""
    secret_file: Path | None = None
    """A file that holds the secret in the same form, on one line."""
    test: bool = False
    """The secret is a test secret: derived keys may be written into the run directory."""

    @model_validator(mode="after")
    def _one_secret(self) -> HseDescription:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("both 'secret' and 'secret_file': keep one of the two")
        return self

    @property
    def host(self) -> str | None:
        """The host of `address`, without brackets."""
        return None if self.address is None else self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int | None:
        """The ESP port of `address`."""
        return None if self.address is None else int(self.address.rpartition(":")[2])


class Pace(StrEnum):
    """When the next message is sent."""

    ASAP = "asap"
    """As soon as the module is idle again after the last one."""
    CAPTURE = "capture"
    """At the times of the traffic source, or as soon as possible when late."""


def _address(value: Any) -> Any:
    if value is None:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None


class TrafficDescription(Model):
    """Where the messages come from."""

    capture: Path | None = None
    """A pcap or pcapng file of the device's own traffic; none generates thermostat readings."""
    device: Annotated[str | None, BeforeValidator(_address)] = None
    """The device's IP address in the capture; none takes whoever sent most UDP packets."""
    messages: int | None = Field(default=None, ge=1, le=10_000_000)
    """How many messages each configuration sends; none: 20 generated ones, or the whole capture."""
    pace: Pace = Pace.ASAP
    """When the next message is sent."""


class RohcDescription(Model):
    """How headers are compressed, where the configuration compresses them."""

    mode: RohcMode = RohcMode.OPTIMISTIC
    """``U`` without feedback, ``O`` or ``R`` with it (RFC 3095 section 4.4)."""
    feedback: FeedbackWay = FeedbackWay.PIGGYBACK
    """On the next packet the other way, or in a packet of its own (``stand-alone``)."""
    optimistic_repeats: int | None = Field(default=None, ge=1, le=15)
    """How many packets in a row carry a change; none takes the codec's default."""
    integrity: str | None = None
    """Inside ESP: transform of the ROHC ICV (RFC 5858 section 4.2); none has no such check."""
    icv_bytes: int | None = Field(default=None, ge=1, le=32)
    """Octets of it in each packet; none takes the transform's own."""

    @model_validator(mode="after")
    def _integrity_is_known(self) -> RohcDescription:
        _ = self.settings
        return self

    @property
    def settings(self) -> RohcSettings:
        """The settings as both ends of a channel take them."""
        return RohcSettings(
            mode=self.mode,
            feedback=self.feedback,
            optimistic_repeats=self.optimistic_repeats,
            integrity=self.integrity,
            icv_bytes=self.icv_bytes,
        )


class Bench(Model):
    """A bench and what is run on it."""

    schema_version: Literal[1] = 1
    """Version of this format."""
    name: str = Field(default="bench", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    """The bench's name, as metrics label it."""
    identity: str = Field(default="ue-1", min_length=1, max_length=64)
    """Who this UE is to the HSE."""
    module: ModuleDescription = ModuleDescription()
    """The module under test."""
    hse: HseDescription = HseDescription()
    """The other end of the security association."""
    traffic: TrafficDescription = TrafficDescription()
    """What is sent."""
    rohc: RohcDescription = RohcDescription()
    """Mode and feedback of ROHC; an HSE elsewhere has to be given the same."""
    matrix: Annotated[tuple[ConfigurationField, ...], WithJsonSchema(_MATRIX_SCHEMA)] = (
        DEFAULT_MATRIX
    )
    """The configurations that are measured, one after the other."""
    policy: PolicyField = EVERY_SUITE
    """Which suites may be used here; a configuration with another one is refused."""
    lifetime: LifetimeDescription = LifetimeDescription()
    """How long a security association may be used."""
    recovery: RecoveryDescription = RecoveryDescription()
    """When the UE sets up a new one by itself."""
    answer_timeout_s: float = Field(default=40.0, gt=0, le=3600)
    """How long an answer may take before the message counts as lost, in seconds."""
    time: TimeKind | None = None
    """``virtual`` (the clock jumps), ``scaled`` or ``real``. None takes virtual time where all of
    the bench is inside the run, else scaled time for a virtual module and real time for a real
    one."""
    time_scale: float | None = Field(default=None, gt=0, le=MAX_TIME_SCALE)
    """Module seconds per real second, at most; only for virtual modules. 1 is real time. The
    default in scaled time is 200, and 20 with an HSE that the run did not start itself."""
    seed: int = Field(default=1, ge=0, le=2**63 - 1)
    """Seed of the generated traffic and of the virtual module's radio; in virtual time also of
    keys, nonces and SPIs."""

    @model_validator(mode="after")
    def _consistent(self) -> Bench:
        names = [configuration.name for configuration in self.matrix]
        if not names:
            raise ValueError("the matrix is empty: name at least one configuration")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"configuration {name!r} stands twice in the matrix")
        for configuration in self.matrix:
            suite = configuration.esp_suite
            if suite is not None and not self.policy.allows(suite):
                raise ValueError(
                    f"configuration {configuration.name!r}: suite {suite.name} is not allowed by "
                    f"the policy {self.policy.name!r}; allowed are "
                    f"{', '.join(sorted(self.policy.allowed))}"
                )
        _ = self.timing
        if not self.module.is_virtual and self.hse.address is None:
            raise ValueError(
                f"the real module on {self.module.port!r} cannot reach an HSE that only this "
                "machine sees: run `testbed hse` where the module's network reaches it, and "
                "give its address (hse: address, or --hse HOST:PORT)"
            )
        return self

    @property
    def timing(self) -> Timing:
        """What the description says about time."""
        hse = self.hse
        return Timing(
            wanted=self.time,
            wanted_scale=self.time_scale,
            port=self.module.port,
            virtual_module=self.module.is_virtual,
            own_hse=hse.address is None,
            real_secret=not hse.test and (hse.secret is not None or hse.secret_file is not None),
        )

    def random(self, purpose: str) -> Callable[[int], bytes]:
        """A source of random octets for one purpose; in virtual time it comes from the seed."""
        return random_octets(self.timing.kind, self.seed, purpose)

    @property
    def rohc_settings(self) -> RohcSettings:
        """Settings of ROHC at both ends; in virtual time the first sequence number is known."""
        if self.timing.kind is not TimeKind.VIRTUAL:
            return self.rohc.settings
        first_sn = int.from_bytes(self.random("rohc")(2), "big")
        return replace(self.rohc.settings, first_sn=first_sn)


def bench_schema() -> dict[str, Any]:
    """The JSON Schema of a bench description, for editors."""
    schema = Bench.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "BEST testbed bench description"
    return schema


def load_bench(path: Path, overrides: Mapping[str, Any] | None = None) -> Bench:
    """Read a bench description.

    Args:
        path: the YAML file. Relative paths in it are relative to its folder.
        overrides: values that beat the file's, nested as in the file.

    Raises:
        UsageError: unreadable, no YAML, or against the format; names the file, the line, the
            mistake and what is allowed.
    """
    source = read_yaml(path)
    if source.data is None:
        raise UsageError(f"{path}: the file is empty", hint="See docs/bench.md for an example.")
    if not isinstance(source.data, dict):
        raise UsageError(
            f"{path}:1: a bench description is a mapping of keys to values",
            hint=f"Known keys: {', '.join(Bench.model_fields)}.",
        )
    data = _merged(source.data, overrides or {})
    bench = validate_bench(data, source=source)
    traffic, hse = bench.traffic, bench.hse
    if traffic.capture is not None and _from_file(source.data, overrides, "traffic", "capture"):
        traffic = traffic.model_copy(update={"capture": path.parent / traffic.capture})
    if hse.secret_file is not None and _from_file(source.data, overrides, "hse", "secret_file"):
        hse = hse.model_copy(update={"secret_file": path.parent / hse.secret_file})
    return bench.model_copy(update={"traffic": traffic, "hse": hse})


def validate_bench(data: Mapping[str, Any], *, source: YamlSource | None = None) -> Bench:
    """Validate a description that is already a mapping.

    Args:
        data: nested as in the YAML file.
        source: the file it came from, for the lines of mistakes; none when it came from options.

    Raises:
        UsageError: names where, the mistake and what is allowed.
    """
    try:
        return Bench.model_validate(data)
    except ValidationError as error:
        raise _usage_error(error, source) from None


def _usage_error(error: ValidationError, source: YamlSource | None) -> UsageError:
    sentences = []
    hint: str | None = None
    for detail in error.errors(include_url=False, include_input=False):
        location: Location = tuple(detail["loc"])
        kind = detail["type"]
        dotted = ".".join(str(part) for part in location)
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            allowed = _allowed_keys(location[:-1])
            sentence = f"unknown key {dotted!r}"
            hint = hint or (f"Known keys here: {', '.join(allowed)}." if allowed else None)
        elif kind == "value_error":
            reason = detail["ctx"]["error"]
            sentence = f"{dotted}: {reason}" if dotted else str(reason)
        else:
            message = detail["msg"]
            sentence = f"{dotted}: {message[0].lower()}{message[1:]}"
        if source is not None:
            line = source.line(location)
            where = f"{source.path}:{line}" if line is not None else str(source.path)
            sentence = f"{where}: {sentence}"
        sentences.append(sentence)
    return UsageError("\n".join(sentences), hint=hint)


def _allowed_keys(location: Location) -> list[str]:
    """The keys that may stand at this place of a description."""
    schema = Bench.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        for option in [node, *node.get("anyOf", []), *node.get("allOf", [])]:
            reference = option.get("$ref")
            if reference is not None:
                found: dict[str, Any] = definitions[reference.rpartition("/")[2]]
                return found
        return node

    node: dict[str, Any] = schema
    for part in location:
        if not isinstance(part, str):
            return []
        node = resolve(node.get("properties", {}).get(part, {}))
    return list(node.get("properties", {}))


def _merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def _from_file(data: Mapping[str, Any], overrides: Mapping[str, Any] | None, *path: str) -> bool:
    """Whether a value is the file's own, and not an override's."""
    return _stands_in(data, *path) and not _stands_in(overrides, *path)


def _stands_in(data: Mapping[str, Any] | None, *path: str) -> bool:
    node: Any = data
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def schema_text() -> str:
    """The JSON Schema as it is published, in one stable form."""
    return json.dumps(bench_schema(), indent=2, sort_keys=True) + "\n"
