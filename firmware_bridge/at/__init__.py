"""AT commands: what a dialect looks like, a parser without I/O, and the engine under asyncio.

    syntax   Command, FollowUp, BodyRule, UrcRule, Syntax: what the parser is told
    events   Echo, Text, Prompt, Body, Final, Urc, Noise, Data: what it tells
    parser   Digester: (bytes, outstanding command) -> events; no I/O, no clock
    exchange Response: what a command brought
    engine   AtEngine: command queue, time-outs, resynchronisation, follow-up results
    log      AtLog: every byte both ways with its time; transcripts with identities masked
    replay   a line that plays a transcript back; recording new ones
    fields   splitting the fields of an answer

Nothing here knows a particular command or family: those stand in `modules/`.
"""

from firmware_bridge.at.engine import AtEngine
from firmware_bridge.at.events import (
    Body,
    Data,
    Echo,
    Event,
    Final,
    Noise,
    NoiseReason,
    Prompt,
    Text,
    Urc,
)
from firmware_bridge.at.exchange import Response
from firmware_bridge.at.fields import split_fields, unquote
from firmware_bridge.at.log import AtLog, Direction, Entry
from firmware_bridge.at.parser import Digester
from firmware_bridge.at.replay import ReplayLine, as_vector
from firmware_bridge.at.syntax import BodyRule, Command, FollowUp, Marker, Syntax, UrcRule

__all__ = [
    "AtEngine",
    "AtLog",
    "Body",
    "BodyRule",
    "Command",
    "Data",
    "Digester",
    "Direction",
    "Echo",
    "Entry",
    "Event",
    "Final",
    "FollowUp",
    "Marker",
    "Noise",
    "NoiseReason",
    "Prompt",
    "ReplayLine",
    "Response",
    "Syntax",
    "Text",
    "Urc",
    "UrcRule",
    "as_vector",
    "split_fields",
    "unquote",
]
