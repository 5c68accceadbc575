"""Where the payloads of a run come from: the packets that a device sends.

A source gives a :class:`Traffic`: messages with their times, and what a person should know about
them. On the shelves:

- ``message``    a message and a device's traffic, whatever its source
- ``capture``    the messages of a device from a capture of its own traffic (pcap, pcapng)
- ``generator``  meters and thermostats that do not exist, from a seed
- ``coap``       CoAP and LwM2M as far as the generator writes them
"""

from testbed.traffic.capture import NoUsablePacket, capture_traffic
from testbed.traffic.generator import PROFILES, generated_traffic
from testbed.traffic.message import Message, Traffic

__all__ = [
    "PROFILES",
    "Message",
    "NoUsablePacket",
    "Traffic",
    "capture_traffic",
    "generated_traffic",
]
