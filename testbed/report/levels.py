"""How the levels of a campaign's factors are written, in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["FACTORS", "cell_labels", "levels_text", "short_level"]

FACTORS: Final = {
    "payload": "payload",
    "payload_bytes": "size",
    "release_assistance": "RAI",
    "power_saving": "saving",
    "coverage": "ECL",
    "pdp_type": "PDP",
}
"""Short headings of the factors."""


def short_level(level: object) -> str:
    """A factor's level in a narrow column: ``down`` for ``after-downlink``, a file's name alone."""
    return str(level).removeprefix("after-").removesuffix("link").rpartition("/")[2]


def levels_text(levels: Mapping[str, object]) -> str:
    """All of a cell's levels: ``ECL 1, RAI down``; empty where nothing is varied."""
    return ", ".join(
        f"{heading} {short_level(levels[name])}"
        for name, heading in FACTORS.items()
        if levels.get(name) is not None
    )


def cell_labels(cells: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """How a campaign's cells are called on the page: ``esp-tunnel, RAI down, ECL 1``.

    Args:
        cells: as the run's record has them.
    """
    return {
        cell["name"]: ", ".join(
            part for part in (str(cell["configuration"]), levels_text(cell)) if part
        )
        for cell in cells or ()
    }
