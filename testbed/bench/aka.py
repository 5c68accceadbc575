"""The part of a bench description that says where keys come from: a secret, or AKA and whose USIM.

With AKA the HSE needs authentication vectors, and the UE a USIM:

===================  =============================  =============================================
module, ``usim``     the card's K                   who else knows it
===================  =============================  =============================================
virtual, module      of ``subscribers``, or made    the HSE that the run starts, from the same
                     for the run                    place; an HSE elsewhere has its own file
any, soft            of ``subscribers``             the same
real, module         in the card                    the HSE elsewhere, or its source of vectors
===================  =============================  =============================================
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from testbed.bench.model import Model

__all__ = ["AkaDescription", "Keys", "UsimKind", "UsimWay", "aka_notes"]


class Keys(StrEnum):
    """Where the keys between UE and HSE come from."""

    SECRET = "secret"
    """A configured secret: the hello, two messages."""
    AKA = "aka"
    """AKA through a USIM: four messages."""


class UsimKind(StrEnum):
    """Whose USIM answers."""

    MODULE = "module"
    """The card in the module, through its serial line."""
    SOFT = "soft"
    """Software on this computer: no octet and no second of a serial line; labelled so."""


class UsimWay(StrEnum):
    """How the card in a module is reached."""

    AUTO = "auto"
    """A logical channel if there is one, else AT+CSIM."""
    CSIM = "csim"
    """AT+CSIM on the basic channel."""
    CGLA = "cgla"
    """AT+CGLA on a logical channel (AT+CCHO)."""


class AkaDescription(Model):
    """AKA: whose USIM, how it is reached, and who knows its key."""

    usim: UsimKind = UsimKind.MODULE
    """The card in the module, or software in its place (``soft``)."""
    path: UsimWay = UsimWay.AUTO
    """The way to the card in the module; ``testbed module probe --usim`` says which there are."""
    subscribers: Path | None = None
    """Subscriber file (docs/subscribers.md) with the bench's ``identity``, for the owner's eyes
    only; none makes a test subscriber where module and HSE are inside the run."""
    test: bool = False
    """The file's subscribers are test subscribers: derived keys may be written into the run
    directory."""
    check_separation: bool = True
    """Whether the UE refuses vectors whose AMF says that they are for attaching to EPS."""


def aka_notes(keys: Keys, aka: AkaDescription, *, made: bool) -> list[str]:
    """What a reader of a run must know about its USIM.

    Args:
        keys: where keys come from.
        aka: whose USIM.
        made: the subscriber was made for the run.
    """
    if keys is not Keys.AKA:
        return []
    notes = []
    if aka.usim is UsimKind.SOFT:
        notes.append(
            "Soft USIM: software on this computer answered in the card's place. Key exchanges hold "
            "no octet and no second of the module's line to a card."
        )
    if made:
        notes.append("Test subscriber (test: true): the USIM's key was made for this run.")
    return notes
