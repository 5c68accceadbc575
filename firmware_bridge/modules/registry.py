"""Which families have a driver, by name; the driver is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from firmware_bridge.errors import UnknownFamily

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.modules.contract import Module, ModuleOptions

__all__ = ["FAMILIES", "driver", "families", "open_module"]

FAMILIES: dict[str, str] = {
    "bc66": "firmware_bridge.modules.bc66:Bc66",
    "bc95": "firmware_bridge.modules.bc95:Bc95",
    "bc660k": "firmware_bridge.modules.bc660k:Bc660k",
}
"""Family name -> module:class of its driver."""

ENTRY_POINT_GROUP = "bestbed.modules"
"""Other distributions add a family by an entry point of this group."""


def families() -> dict[str, str]:
    """All families: ours, and those that installed distributions add. Ours win."""
    found = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    return found | FAMILIES


def driver(family: str) -> type[Module]:
    """The driver class of `family`. Raises `UnknownFamily`."""
    name = family.strip().lower()
    known = FAMILIES.get(name) or families().get(name)
    if known is None:
        raise UnknownFamily(family, sorted(families()))
    module, _, attribute = known.partition(":")
    found: type[Module] = getattr(import_module(module), attribute)
    return found


async def open_module(
    family: str,
    address: str,
    *,
    baudrate: int | None = None,
    log: AtLog | None = None,
    options: ModuleOptions | None = None,
) -> Module:
    """Open the port at `address` and make the driver of `family` on it; it is not started yet.

    `baudrate` None takes the family's own. Raises `PortError` and its children.
    """
    from firmware_bridge.line import open_port

    cls = driver(family)
    line = await open_port(address, baudrate=baudrate or cls.default_baudrate)
    return cls(line, log=log, options=options)
