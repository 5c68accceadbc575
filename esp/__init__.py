"""IPsec ESP as TS 33.210 profiles it, usable alone.

The room's shelves::

    suites           the table of cryptographic suites
    transforms       how a packet's octets are made and opened, per construction
    integrity        the integrity transforms that stand beside an encryption transform
    layout           what every packet shares: modes, numbers, padding, sizes
    outbound         the sending end of an SA: protect
    inbound          the receiving end: unprotect
    lifetime         soft and hard limits on octets, packets and seconds
    replay           the anti-replay window
    database         inbound SAs by SPI
    selectors        what an SA may carry, and the security policy database
    ip               IP headers as far as IPsec must understand them
    datagram         whole IP packets: tunnel and transport mode, IPv4 and IPv6
    encapsulation    ESP in UDP and its neighbours on port 4500 (RFC 3948)
    checksum         inner checksums of transport mode behind a NAT
    rohc_parameters  what two ends agree on for that (RFC 5857), and the second ICV
    store            numbers that survive a restart; store_file keeps them in a file
    rohcoipsec       header compression inside a tunnel (RFC 5858): the one door to the rohc package
    keying           where the keys of a session come from
    aka              authentication and key agreement: MILENAGE, TUAK, centre and USIM
    errors           the tree of exceptions and the registry of reasons

No socket, thread, clock or logger lives here, and no file but in ``store_file``: octets and the
time go in, octets and records come out. Everything that a remote party can cause is an
:class:`~esp.errors.RemoteError` with a ``reason``; everything else is the caller's
:class:`~esp.errors.LocalError`.
"""

from esp.database import Entry, SecurityAssociationDatabase
from esp.encapsulation import (
    KEEPALIVE,
    NON_ESP_MARKER,
    UDP_ENCAPSULATION_PORT,
    DatagramKind,
    add_marker,
    classify,
    remove_marker,
)
from esp.errors import EspError, LocalError, Reason, RemoteError
from esp.inbound import InboundAssociation, Unprotected
from esp.layout import (
    NEXT_HEADER_IPV4,
    NEXT_HEADER_IPV6,
    NEXT_HEADER_NONE,
    NEXT_HEADER_ROHC,
    NEXT_HEADER_UDP,
    EspParts,
    Mode,
    esp_parts,
)
from esp.lifetime import Lifetime, LifetimeState, Usage
from esp.outbound import OutboundAssociation
from esp.replay import ReplayWindow
from esp.selectors import (
    Action,
    PolicyEntry,
    SecurityPolicyDatabase,
    Selector,
    TrafficSelectors,
)
from esp.suites import SUITES, Suite, suite

__all__ = [
    "KEEPALIVE",
    "NEXT_HEADER_IPV4",
    "NEXT_HEADER_IPV6",
    "NEXT_HEADER_NONE",
    "NEXT_HEADER_ROHC",
    "NEXT_HEADER_UDP",
    "NON_ESP_MARKER",
    "SUITES",
    "UDP_ENCAPSULATION_PORT",
    "Action",
    "DatagramKind",
    "Entry",
    "EspError",
    "EspParts",
    "InboundAssociation",
    "Lifetime",
    "LifetimeState",
    "LocalError",
    "Mode",
    "OutboundAssociation",
    "PolicyEntry",
    "Reason",
    "RemoteError",
    "ReplayWindow",
    "SecurityAssociationDatabase",
    "SecurityPolicyDatabase",
    "Selector",
    "Suite",
    "TrafficSelectors",
    "Unprotected",
    "Usage",
    "add_marker",
    "classify",
    "esp_parts",
    "remove_marker",
    "suite",
]
