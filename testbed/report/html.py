"""HTML that cannot be broken out of: every text is escaped unless it was built here.

A module's answer to ``ATI`` or a capture's file name is hostile input. `element` escapes whatever
is not `Html` already, and only `element`, `join` and `raw` make `Html`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["Html", "element", "join", "json_block", "raw"]

_VOID: Final = frozenset({"br", "hr", "meta", "img", "input", "link", "wbr"})
_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")


class Html(str):
    """Text that is HTML already; `str` operations on it give plain text again."""

    __slots__ = ()


def raw(text: str) -> Html:
    """Take a text as HTML: for constants of this package only, never for data."""
    return Html(text)


def join(parts: Iterable[object], separator: str = "") -> Html:
    """The parts one after the other, escaped where they are not `Html`; None is left out."""
    return Html(separator.join(_escaped(part) for part in parts if part is not None))


def element(name: str, /, *children: object, **attributes: str | bool | None) -> Html:
    """An element with its children and attributes.

    Args:
        name: the tag's name.
        children: `Html` as it is, anything else as escaped text; None is left out.
        attributes: values are escaped; True gives the name alone, None and False nothing.
            ``class_`` stands for ``class``, and ``_`` in a name for ``-``.

    Raises:
        ValueError: a tag or attribute name that is none, or an event handler.
    """
    parts = [name]
    for given, value in attributes.items():
        attribute = given.rstrip("_").replace("_", "-")
        if not _NAME.fullmatch(attribute) or attribute.startswith("on"):
            raise ValueError(f"{given!r} is no attribute for this page")
        if value is True:
            parts.append(attribute)
        elif value is not None and value is not False:
            parts.append(f'{attribute}="{html.escape(value, quote=True)}"')
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no element")
    opening = f"<{' '.join(parts)}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{join(children)}</{name}>")


def json_block(identifier: str, value: object) -> Html:
    """Data for the page's script, in a block that the browser does not run.

    ``<``, ``>`` and ``&`` are written as JSON escapes, so that no text in it ends the block.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    name = html.escape(identifier, quote=True)
    return Html(f'<script type="application/json" id="{name}">{text}</script>')


def _escaped(part: object) -> str:
    return part if isinstance(part, Html) else html.escape(str(part), quote=True)
