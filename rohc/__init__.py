"""Robust Header Compression: the RFC 3095 family in plain Python, usable alone.

    channel = Channel(max_cid=15)
    compressor, decompressor = Compressor(channel), Decompressor(channel)
    result = decompressor.decompress(compressor.compress(packet))
    compressor.deliver_feedback(result.feedback)

No I/O, thread, clock or global state: octets and `now` go in, octets and records come out.

    RohcError                 root; `hint` is the next step, `cid` the context concerned
      MalformedPacket         the peer sent what no packet format allows
      NoContext               the packet needs a context that is not there
      CrcFailure              decompressed, but not the original
      UnsupportedProfile      a profile that the channel does not allow
      RohcUsageError          the caller's own mistake (also a ValueError)

Rooms: `encoding` (methods of RFC 3095 4.5 and 5.8), `headers` (IP header chains), `formats` (packet
formats, declared as the RFC's figures), `profiles` (one file each), `compression` and
`decompression` (the inside of the two doors).
"""

from rohc.channel import Channel, Mode, Profile
from rohc.compressor import Choice, Compressor
from rohc.decompressor import Decompressed, Decompressor
from rohc.errors import (
    CrcFailure,
    MalformedPacket,
    NoContext,
    RohcError,
    RohcUsageError,
    UnsupportedProfile,
)
from rohc.explain import Explanation, explain

__all__ = [
    "Channel",
    "Choice",
    "Compressor",
    "CrcFailure",
    "Decompressed",
    "Decompressor",
    "Explanation",
    "MalformedPacket",
    "Mode",
    "NoContext",
    "Profile",
    "RohcError",
    "RohcUsageError",
    "UnsupportedProfile",
    "explain",
]
