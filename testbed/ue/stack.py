"""Which layers a configuration consists of."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import esp
from esp import keying
from testbed.analysis.bytes import Layer
from testbed.association import EspSettings
from testbed.bench import Compression as CompressionKind
from testbed.bench import Configuration, Security
from testbed.compression import FeedbackWay, RohcSettings
from testbed.ue.layers import (
    MODULE_HEADERS,
    Compression,
    CompressionInTunnel,
    InnerDatagrams,
    InnerPackets,
    ModuleDatagrams,
    Payloads,
    Protection,
    StackLayer,
    Unit,
)

__all__ = ["UeStack", "build_stack"]


@dataclass(frozen=True, slots=True)
class UeStack:
    """The layers of one configuration, from the application down to the module."""

    layers: tuple[StackLayer, ...]
    """In the order in which a message passes them on its way down."""

    def down(self, packet: bytes, now: float) -> Unit:
        """Take a packet of the device down to what the module's socket sends, whatever its size."""
        (unit,) = self.pieces(packet, now)
        return unit

    def pieces(self, packet: bytes, now: float, limit: int = 0) -> list[Unit]:
        """The same for a socket that takes so many octets: several, where a layer can do that."""
        units = [Unit(data=packet, limit=limit)]
        for layer in self.layers:
            units = [lower for unit in units for lower in layer.down(unit, now)]
        return units

    def up(self, datagram: bytes, now: float) -> Unit:
        """Take a datagram of the module's socket up to the application's payload."""
        unit = Unit(data=datagram)
        for layer in reversed(self.layers):
            layer.up(unit, now)
        return unit

    def carried(self, outer: Mapping[Layer, int]) -> UeStack:
        """The same layers, with other headers of the carrier's around each packet."""
        return UeStack((*self.layers[:-1], ModuleDatagrams(outer)))

    @property
    def protection(self) -> Protection | None:
        """The layer of ESP, if there is one."""
        return next((layer for layer in self.layers if isinstance(layer, Protection)), None)

    def feedback_down(self, feedback: bytes, now: float) -> Unit:
        """What the module's socket sends to carry ROHC feedback and nothing else."""
        unit = Unit(
            data=feedback,
            next_header=esp.NEXT_HEADER_ROHC,
            counts={Layer.ROHC_HEADER: len(feedback)},
        )
        below = False
        for layer in self.layers:
            if below:
                layer.down(unit, now)
            below = below or isinstance(layer, Compression)
        return unit

    def largest_payload(self, unit: Unit, limit: int) -> int:
        """The largest application payload that fits where this packet did not.

        Args:
            unit: a packet that went down the stack.
            limit: octets that the module's socket takes.

        Returns:
            Octets of payload whose packet, with headers as large as this one's, has at most
            ``limit`` octets; 0 when not even the headers fit.
        """
        counts = unit.counts
        inner = counts.get(Layer.INNER_IP, 0) + counts.get(Layer.INNER_UDP, 0)
        inner += counts.get(Layer.ROHC_HEADER, 0) + counts.get(Layer.ROHC_ICV, 0)
        protection = self.protection

        def size(payload: int) -> int:
            packet = inner + payload
            return packet if protection is None else protection.packet_bytes(packet)

        payload = limit
        while payload > 0 and size(payload) > limit:
            payload -= 1
        return payload


def build_stack(
    configuration: Configuration,
    module_address: str,
    hse_address: str,
    keys: keying.Session | None,
    settings: RohcSettings | None = None,
    lifetime: esp.Lifetime | None = None,
    associations: EspSettings | None = None,
    random: Callable[[int], bytes] = os.urandom,
    *,
    outer: Mapping[Layer, int] = MODULE_HEADERS,
) -> UeStack:
    """The layers of a configuration.

    Args:
        configuration: security and compression.
        module_address: the module's address, for transport mode's checksum.
        hse_address: the HSE's address, likewise.
        keys: the session's keys; needed with ESP.
        settings: of ROHC, where the configuration compresses.
        lifetime: limits on the session's associations.
        associations: their replay window and padding.
        random: source of the IVs that must be unpredictable (AES-CBC).
        outer: octets of the headers that the carrier puts around each packet.

    Raises:
        ValueError: ESP without keys.
    """
    layers: list[StackLayer] = []
    settings = (settings or RohcSettings()).agreed(None if keys is None else keys.rohc)
    associations = associations or EspSettings()
    piggyback = settings.feedback is FeedbackWay.PIGGYBACK
    compressed = configuration.compression is CompressionKind.ROHC
    if configuration.security is Security.NONE:
        if compressed:
            layers += [InnerPackets(), Compression(*settings.ends(), piggyback=piggyback)]
        else:
            layers.append(Payloads())
    else:
        if keys is None:
            raise ValueError(f"configuration {configuration.name} needs a session's keys")
        outbound = keys.outbound_association(lifetime=lifetime, random=random)
        inbound = keys.inbound_association(
            replay_window=associations.replay_window, lifetime=lifetime
        )
        if configuration.security is Security.ESP_TRANSPORT:
            layers.append(InnerDatagrams(module_address, hse_address))
        else:
            layers.append(InnerPackets())
        if compressed:
            ends = settings.ends()
            tunnel = settings.tunnel(keys, outbound, inbound, *ends)
            layers.append(
                CompressionInTunnel(tunnel, *ends, piggyback=piggyback, icv_bytes=settings.icv_size)
            )
        layers.append(Protection(outbound, inbound, keys.suite, associations))
    layers.append(ModuleDatagrams(outer))
    return UeStack(tuple(layers))
