"""One file per module family: what it understands and how it answers.

A dialect is written from the maker's manual and from recordings of the real module, each entry with
its source. It shares nothing with the drivers of :mod:`firmware_bridge.modules`, so that the two
can't agree on the same mistake; a test forbids either to import the other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_bridge.virtual.session import Session

__all__ = ["FAMILIES", "dialect"]

_DIALECTS: dict[str, tuple[str, str]] = {
    "bc66": ("firmware_bridge.virtual.dialects.bc66", "Bc66"),
    "bc95": ("firmware_bridge.virtual.dialects.bc95", "Bc95"),
    "bc660k": ("firmware_bridge.virtual.dialects.bc660k", "Bc660k"),
}

FAMILIES: tuple[str, ...] = tuple(_DIALECTS)
"""Families that a virtual module can play."""


def dialect(family: str) -> type[Session]:
    """The session class of ``family``.

    Raises:
        ValueError: no such family; the message names those there are.
    """
    try:
        module, name = _DIALECTS[family.lower()]
    except KeyError:
        known = ", ".join(FAMILIES)
        raise ValueError(f"there is no virtual module {family!r}; there are: {known}") from None
    found: type[Session] = getattr(importlib.import_module(module), name)
    return found
