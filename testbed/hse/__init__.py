"""The HSE emulator: the Home Security Endpoint that terminates the UE's protection.

``testbed hse`` runs it as a process of its own; ``testbed run`` starts one in its own event loop
when the bench names none. On the shelves:

- ``applications.py``  what answers the messages that come out of the security association
- ``agreement.py``     hello and AKA behind one door
- ``addresses.py``     which inner source address a UE may speak for
- ``events.py``        the gateway's records: replies, passages, counts
- ``gateway.py``       sans-IO: a datagram in, counted events and datagrams out; never raises on
                       what a peer sent
- ``sessions.py``      what the gateway remembers
- ``table.py``         how a session begins, is kept, and ends
- ``manual.py``        associations with configured keys, from a file
- ``state.py``         what of it survives a restart, in a folder
- ``vectors.py``       authentication vectors from a file or a server
- ``sources.py``       which of these sources of vectors an HSE has
- ``endpoint.py``      non-blocking UDP sockets with a bounded drain per wake-up
- ``server.py``        gateway and endpoint together, started and stopped

Three ports: ESP in UDP with the key exchange behind the non-ESP marker, ROHC packets without
security, and plain datagrams.
"""

from testbed.hse.addresses import AddressPlan
from testbed.hse.agreement import AkaService
from testbed.hse.applications import Application, EchoApplication, Request
from testbed.hse.endpoint import Endpoint
from testbed.hse.events import (
    GatewayLimits,
    GatewayObserver,
    GatewaySnapshot,
    HsePort,
    Passage,
    Reply,
)
from testbed.hse.gateway import Gateway
from testbed.hse.server import HseServer, ListenAddresses, ServerObserver, Way

__all__ = [
    "AddressPlan",
    "AkaService",
    "Application",
    "EchoApplication",
    "Endpoint",
    "Gateway",
    "GatewayLimits",
    "GatewayObserver",
    "GatewaySnapshot",
    "HsePort",
    "HseServer",
    "ListenAddresses",
    "Passage",
    "Reply",
    "Request",
    "ServerObserver",
    "Way",
]
