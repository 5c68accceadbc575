"""Collectors as the text that Prometheus reads, quickly.

The library writes every series anew at each scrape, labels sorted and escaped: for the thousand
series of a campaign that is milliseconds, every few seconds, for each module. Of these a message
changes thirty. A collector that keeps the text of the others says so by a method ``expose``; each
series is still written by the library, so that the bytes are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

__all__ = ["Collector", "Encoder", "encoded", "exposition"]

Encoder = Callable[[Any], bytes]
"""Writes whatever has a method ``collect`` in one of the formats; the library's."""

_END: Final = b"# EOF\n"


class Collector(Protocol):
    """What a registry collects from."""

    def describe(self) -> Iterable[Family]:
        """The families' names."""

    def collect(self) -> Iterable[Family]:
        """The families with their samples."""


class _One:
    """A family as a registry."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return (self._family,)


def encoded(encode: Encoder, family: Family) -> bytes:
    """One family as text, without the end of the whole."""
    return encode(_One(family)).removesuffix(_END)


def exposition(collectors: Iterable[Collector], accept: str) -> tuple[bytes, str]:
    """What a scraper is answered.

    Args:
        collectors: what to export, in this order.
        accept: the header of that name: which formats the scraper reads.

    Returns:
        The text, and its content type.
    """
    encode, content_type = choose_encoder(accept)
    parts = []
    for collector in collectors:
        expose = getattr(collector, "expose", None)
        text = encode(collector) if expose is None else expose(encode, content_type)
        parts.append(text.removesuffix(_END))
    if content_type.startswith("application/openmetrics-text"):
        parts.append(_END)
    return b"".join(parts), content_type
