"""The UE's USIM: AUTHENTICATE through whatever module is on the line, or in software.

    contract   Usim: what the card in a module and the soft one offer alike
    apdu       one command to the card and its whole answer, whatever modem is between
    paths      how a module leads to its card: a logical channel, or the basic one
    card       probe_usim, open_usim: the card behind a `Module`
    soft       SoftUsim: an AKA function in place of a card, and labelled so

The records of an answer are `firmware_bridge.aka`'s. Nothing here knows a module family: all goes
through `Module.apdu`, `open_channel` and `close_channel`.
"""

from firmware_bridge.aka import (
    AkaFunction,
    UsimAnswer,
    UsimBootstrapped,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)
from firmware_bridge.usim.card import CardIdentity, UsimProbe, open_usim, probe_usim
from firmware_bridge.usim.contract import Usim, UsimPath
from firmware_bridge.usim.soft import SoftUsim

__all__ = [
    "AkaFunction",
    "CardIdentity",
    "SoftUsim",
    "Usim",
    "UsimAnswer",
    "UsimBootstrapped",
    "UsimMacFailure",
    "UsimPath",
    "UsimProbe",
    "UsimSuccess",
    "UsimSyncFailure",
    "open_usim",
    "probe_usim",
]
