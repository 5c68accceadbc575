"""The blocks that the page's sections are built from."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.report.html import Html, element

__all__ = ["cells", "section", "table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table of texts that scrolls sideways where it is wider than the page."""
    return element(
        "div",
        element(
            "table",
            element("thead", cells("th", head)),
            element("tbody", *(cells("td", row) for row in rows)),
            class_="left",
        ),
        class_="scroll",
    )


def cells(name: str, texts: Sequence[str]) -> Html:
    """A row of ``th`` or ``td`` cells."""
    return element("tr", *(element(name, text) for text in texts))


def section(heading: str, *children: object) -> Html:
    """One card of the page, under its heading."""
    return element("section", element("h2", heading), *children)
