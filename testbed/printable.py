"""Text from outside, before it goes to a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: object) -> str:
    """A text with nothing in it that a terminal obeys.

    A module's answer, or a page's, may hold control sequences, or marks that turn the direction of
    writing: each such character becomes a question mark. Line ends stay.
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "?" for letter in str(text)
    )
