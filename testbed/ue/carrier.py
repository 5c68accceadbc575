"""What carries a session's packets between the module and the HSE.

==========  =====================================================================================
carrier     on the air
==========  =====================================================================================
`UdpWay`    the module's own UDP and IP header around each packet
`NonIpWay`  the packet alone, over a non-IP PDN connection; the network wraps it in UDP and IP
            behind the air, from a port of its own towards one port of the HSE (TS 23.401
            4.3.17.8.3.3.2, and TS 33.163 for BEST): the HSE sees UDP as it always does
==========  =====================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from firmware_bridge import DatagramSocket, Module
from testbed.analysis.bytes import Layer
from testbed.bench import PdpType
from testbed.ue.layers import MODULE_HEADERS

__all__ = ["Carrier", "NonIpWay", "UdpWay"]


class Carrier(ABC):
    """A way from the module to the HSE and back."""

    pdp_type: ClassVar[PdpType]
    """The PDN connection that it needs."""
    title: ClassVar[str]
    """What takes the packets, for people."""
    outer: ClassVar[Mapping[Layer, int]]
    """Octets of the headers around each packet on the air."""
    address_per_socket: ClassVar[bool]
    """Whether a socket that is opened again may have another address to the HSE, as behind a NAT;
    else only a new PDN connection has."""

    @abstractmethod
    async def open(self, module: Module, host: str, port: int) -> DatagramSocket:
        """Open the way to a port of the HSE.

        Raises:
            firmware_bridge.NotSupported: the module has no such way.
            firmware_bridge.ModuleError: whatever else keeps it from that.
        """


class UdpWay(Carrier):
    """The module's UDP socket.

    Args:
        local_port: the module's own port, 1 to 65535.
    """

    pdp_type = PdpType.IP
    title = "the module's socket"
    outer = MODULE_HEADERS
    address_per_socket = True

    def __init__(self, local_port: int) -> None:
        self._local_port = local_port

    async def open(self, module: Module, host: str, port: int) -> DatagramSocket:
        """See `Carrier.open`."""
        return await module.open_udp(host, port, self._local_port)


class NonIpWay(Carrier):
    """Non-IP data delivery (NIDD).

    Args:
        provision: tells the network where the tunnel's far end is; an operator's network was told
            beforehand.
    """

    pdp_type = PdpType.NON_IP
    title = "the module's way for non-IP data"
    outer: ClassVar[Mapping[Layer, int]] = {}
    address_per_socket = False

    def __init__(self, provision: Callable[[str, int], None]) -> None:
        self._provision = provision

    async def open(self, module: Module, host: str, port: int) -> DatagramSocket:
        """See `Carrier.open`."""
        self._provision(host, port)
        return await module.open_non_ip()
