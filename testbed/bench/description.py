"""The bench description: which module, which HSE, which traffic, which configurations.

How it is read from a file and from options is in `testbed.bench.loading`.
"""

from __future__ import annotations

import ipaddress
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
    WithJsonSchema,
    model_validator,
)

import esp
from esp.suites import EVERY_SUITE
from testbed.bench.aka import AkaDescription, Keys, UsimKind, UsimWay
from testbed.bench.campaign import CampaignDescription
from testbed.bench.configuration import DEFAULT_MATRIX, Compression, Configuration, Security
from testbed.bench.model import Model
from testbed.bench.module import ModuleDescription, PdpType
from testbed.bench.protection import (
    EspDescription,
    LifetimeDescription,
    PolicyField,
    RecoveryDescription,
)
from testbed.bench.timing import Timing, random_octets
from testbed.clock import MAX_TIME_SCALE, TimeKind
from testbed.compression import FeedbackWay, RohcMode, RohcSettings

__all__ = [
    "SCHEMA_VERSION",
    "Bench",
    "HseDescription",
    "Pace",
    "RohcDescription",
    "TrafficDescription",
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
    mrru: int = Field(default=0, ge=0, le=0xFFFF)
    """Inside ESP: up to how many octets a ROHC packet may go in segments (RFC 5858 section 4.3)
    where it is too large for the module's socket; 0 for no segments."""

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
            mrru=self.mrru,
        )


_NON_IP_NOTE = (
    "non-ip: no IP and no UDP header on the air; the network wraps each packet in UDP towards the "
    "HSE, behind the air and in no figure (TS 23.401 section 4.3.17.8.3.3.2)."
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
    keys: Keys = Keys.SECRET
    """Where keys come from: the secret shared with the HSE, or AKA through a USIM."""
    aka: AkaDescription = AkaDescription()
    """With ``keys: aka``: whose USIM, and how it is reached."""
    traffic: TrafficDescription = TrafficDescription()
    """What is sent."""
    rohc: RohcDescription = RohcDescription()
    """Mode and feedback of ROHC; an HSE elsewhere has to be given the same."""
    matrix: Annotated[tuple[ConfigurationField, ...], WithJsonSchema(_MATRIX_SCHEMA)] = (
        DEFAULT_MATRIX
    )
    """The configurations that are measured, one after the other."""
    campaign: CampaignDescription | None = None
    """Factors beside the matrix, and blocks; none measures each configuration once, in order."""
    policy: PolicyField = EVERY_SUITE
    """Which suites may be used here; a configuration with another one is refused."""
    esp: EspDescription = EspDescription()
    """How ESP is used: sequence numbers, replay window, padding."""
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
            if (
                self.esp.pad_to is not None
                and configuration.security is not Security.NONE
                and configuration.compression is not Compression.NONE
            ):
                raise ValueError(
                    f"configuration {configuration.name!r} with esp: pad_to: a ROHC packet does "
                    "not state its length, so it can't be padded (RFC 4303 section 2.7); measure "
                    "the two in two runs"
                )
            suite = configuration.esp_suite
            if suite is not None and not self.policy.allows(suite):
                raise ValueError(
                    f"configuration {configuration.name!r}: suite {suite.name} is not allowed by "
                    f"the policy {self.policy.name!r}; allowed are "
                    f"{', '.join(sorted(self.policy.allowed))}"
                )
        _ = self.timing
        self._check_aka()
        self._check_non_ip()
        coverage = self.campaign is not None and self.campaign.factors.coverage
        if coverage and not self.module.is_virtual:
            raise ValueError(
                "campaign: coverage is a factor of virtual modules; the real one on "
                f"{self.module.port!r} stands where it stands, and its level is in the journal"
            )
        if not self.module.is_virtual and self.hse.address is None:
            raise ValueError(
                f"the real module on {self.module.port!r} cannot reach an HSE that only this "
                "machine sees: run `testbed hse` where the module's network reaches it, and "
                "give its address (hse: address, or --hse HOST:PORT)"
            )
        return self

    @property
    def pdp_types(self) -> tuple[PdpType, ...]:
        """What the PDN connections of a run carry, each type once."""
        factor = () if self.campaign is None else self.campaign.factors.pdp_type
        return factor or (self.module.pdp_type,)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run's figures must know, in the order of the matrix."""
        notes = [one.note for one in self.matrix if one.note is not None]
        if PdpType.NON_IP in self.pdp_types:
            notes.append(_NON_IP_NOTE)
        return tuple(notes)

    def _check_non_ip(self) -> None:
        module = self.module
        if PdpType.NON_IP not in self.pdp_types:
            return
        if self.esp.keepalive_s is not None:
            raise ValueError(
                "esp: keepalive_s with pdp_type: non-ip: there is no NAT between the module and "
                "the network's tunnel, so nothing has to be kept alive; measure the two in two runs"
            )
        for pdp_type in self.pdp_types:
            if module.apn_of(pdp_type) is None:
                raise ValueError(
                    f"pdp_type: {pdp_type.value} needs the access point name that the operator "
                    "gave for it (module: apn, or non_ip_apn for non-IP data)"
                )

    def _check_aka(self) -> None:
        aka, module = self.aka, self.module
        if self.keys is not Keys.AKA:
            if aka != AkaDescription():
                raise ValueError("settings under 'aka' without keys: aka")
            return
        soft = aka.usim is UsimKind.SOFT
        if soft and aka.path is not UsimWay.AUTO:
            raise ValueError("aka: path is the way to a card in the module, and usim is soft")
        in_the_card = not soft and not module.is_virtual
        if in_the_card and aka.subscribers is not None:
            raise ValueError(
                "aka: subscribers is not needed here, since the card in the module has its own "
                "key: it belongs to `testbed hse`; leave it away"
            )
        inside = module.is_virtual and self.hse.address is None
        if aka.subscribers is None and not inside and not in_the_card:
            raise ValueError(
                f"keys: aka with a {'soft USIM' if soft else 'virtual card'} and an HSE elsewhere: "
                "both have to know the same key; give aka: subscribers, or --subscribers FILE"
            )

    @property
    def makes_subscriber(self) -> bool:
        """Whether a test subscriber is made for the run: card and HSE are both inside it."""
        inside = self.module.is_virtual and self.hse.address is None
        return self.keys is Keys.AKA and self.aka.subscribers is None and inside

    @property
    def timing(self) -> Timing:
        """What the description says about time."""
        hse = self.hse
        if self.keys is Keys.AKA:
            real = self.aka.subscribers is not None and not self.aka.test
        else:
            real = not hse.test and (hse.secret is not None or hse.secret_file is not None)
        return Timing(
            wanted=self.time,
            wanted_scale=self.time_scale,
            port=self.module.port,
            virtual_module=self.module.is_virtual,
            own_hse=hse.address is None,
            real_secret=real,
        )

    def random(self, purpose: str, part: int = 0) -> Callable[[int], bytes]:
        """A source of random octets for one purpose; in virtual time it comes from the seed.

        Args:
            purpose: who draws; each purpose has a sequence of its own.
            part: of a resumed run, from 0: each part has sequences of its own, so that no key
                and no nonce comes again.
        """
        return random_octets(
            self.timing.kind, self.seed, f"{purpose}/part {part}" if part else purpose
        )

    @property
    def rohc_settings(self) -> RohcSettings:
        """Settings of ROHC at both ends; in virtual time the first sequence number is known."""
        if self.timing.kind is not TimeKind.VIRTUAL:
            return self.rohc.settings
        first_sn = int.from_bytes(self.random("rohc")(2), "big")
        return replace(self.rohc.settings, first_sn=first_sn)
