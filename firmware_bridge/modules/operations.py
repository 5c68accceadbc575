"""What each operation of the contract sends, so that its status can be told with its sources.

The names are those of `Family.operations`; a family that lacks one can't do it. A family uses those
of an operation's requests that its table has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from firmware_bridge.modules.dialect import Family, Request
from firmware_bridge.modules.records import Status

__all__ = ["OPERATIONS", "Support", "support"]

OPERATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "identify": ("identify", "firmware", "imei", "iccid", "imsi"),
        "attach": ("radio_on", "sim_state", "set_apn", "bands", "choose_operator", "attach"),
        "detach": ("detach", "radio_off"),
        "registration": ("registration", "registration_events", "connection_events", "operator"),
        "radio": ("radio_report", "statistics", "signal"),
        "counters": ("counters", "statistics"),
        "address": ("address", "address_of"),
        "power_saving": ("psm_on", "psm_off", "psm_granted", "edrx_on", "edrx_off", "edrx_granted"),
        "sleep_and_wake": ("sleep_events", "deep_sleep_events"),
        "udp": ("open_udp", "hex_format", "send", "send_binary", "read", "read_binary", "close"),
        "release_assistance": ("send_with_release", "release_assistance"),
        "dns": ("resolve",),
        "ping": ("ping",),
        "non_ip": ("non_ip_context", "non_ip_events", "non_ip_limits", "send_non_ip"),
        "sim_access": ("sim_apdu", "sim_open_channel", "sim_channel_apdu", "sim_close_channel"),
    }
)
"""Operation -> the requests that it may send, in the order in which they matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How one family does one operation."""

    operation: str
    """Its name."""
    status: Status | None
    """How well it is known; None: the family can't do it."""
    requests: tuple[tuple[str, Request], ...]
    """(name, request) of what is sent; each names its source and its own status."""


def support(family: Family) -> tuple[Support, ...]:
    """Every operation of the contract as `family` does it."""
    names = (*OPERATIONS, *(name for name in family.operations if name not in OPERATIONS))
    return tuple(
        Support(
            operation=name,
            status=family.operations.get(name),
            requests=tuple(
                (entry, family.requests[entry])
                for entry in OPERATIONS.get(name, ())
                if entry in family.requests
            )
            if name in family.operations
            else (),
        )
        for name in names
    )
