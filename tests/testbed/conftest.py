"""What the tests of the testbed's rooms share: UEs that talk to an HSE without a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import esp
from esp import keying
from testbed.bench import Configuration
from testbed.compression import RohcSettings
from testbed.hse import HsePort
from testbed.ue.stack import UeStack, build_stack

SECRET = bytes(range(16))
UE_ADDRESS = ("192.0.2.7", 40000)


@dataclass(frozen=True)
class Device:
    """A UE without a module: its stack, and the port of the HSE that it talks to."""

    configuration: Configuration
    port: HsePort
    stack: UeStack
    keys: keying.Session | None


def port_of(configuration: Configuration) -> HsePort:
    if configuration.security.value != "none":
        return HsePort.ESP
    return HsePort.PLAIN if configuration.name == "none" else HsePort.ROHC


def initiator(
    configuration: Configuration, identity: str = "ue-1", secret: bytes = SECRET
) -> keying.Initiator:
    mode = esp.Mode.TRANSPORT if configuration.security == "esp-transport" else esp.Mode.TUNNEL
    suite = configuration.esp_suite
    assert suite is not None
    return keying.Initiator(
        identity,
        secret,
        keying.Offer(
            suite=suite,
            mode=mode,
            compression=configuration.compression.value == "rohc",
        ),
    )


Exchange = Callable[[HsePort, bytes], bytes]
"""Sends a datagram to the HSE and gives its one answer."""


def device_with(
    configuration: Configuration,
    keys: keying.Session | None,
    settings: RohcSettings | None = None,
) -> Device:
    """A UE whose key exchange is done, if it needs one."""
    stack = build_stack(configuration, "10.0.0.1", "10.0.0.2", keys, settings)
    return Device(configuration, port_of(configuration), stack, keys)


def make_device(
    name: str,
    exchange: Exchange,
    identity: str = "ue-1",
    settings: RohcSettings | None = None,
) -> Device:
    """A UE with a session, its key exchange done over ``exchange``."""
    configuration = Configuration.parse(name)
    keys = None
    if port_of(configuration) is HsePort.ESP:
        one = initiator(configuration, identity)
        answer = exchange(HsePort.ESP, esp.add_marker(one.request()))
        keys = one.response(esp.remove_marker(answer))
    return device_with(configuration, keys, settings)
