"""Where an HSE's authentication vectors come from: subscribers, a file of vectors, or a server."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from esp.aka import AuthenticationCentre, UsedVectors
from testbed.bench.private import read_token_file
from testbed.bench.subscribers import AkaSubscribers
from testbed.errors import UsageError
from testbed.hse.agreement import AkaService
from testbed.hse.state import HseState
from testbed.hse.vectors import HttpVectorSource, SlowVectorSource, read_ready_vectors

__all__ = ["VectorSources", "holds_usim_keys"]

_LIST_OF_SUBSCRIBERS = re.compile(
    r"""(?:^|[{,\s])["']?subscribers["']?\s*:[ \t]*(?:\[|\#.*$|$)""", re.MULTILINE
)


def holds_usim_keys(path: Path) -> bool:
    """Whether a file is one of subscribers with USIMs, and not one of secrets.

    Told without parsing it: an error about such a file must show nothing of it. One that can't be
    read, or is a pipe that can be read once only, is said to be none; who reads it then says why.
    """
    if not path.is_file():
        return False
    try:
        return _LIST_OF_SUBSCRIBERS.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSources:
    """What was asked for; at most one of the two sources.

    Raises:
        UsageError: both, a token or certificates without a server, or a file of vectors where
            nothing remembers which were used.
    """

    subscribers: AkaSubscribers | None = None
    """Subscribers whose keys this HSE knows."""
    vectors: str | None = None
    """A file of ready vectors, or a server's URL."""
    token_file: Path | None = None
    """Holds the server's token."""
    ca_file: Path | None = None
    """Certificates to trust, in place of the system's."""
    durable: bool = False
    """Whether there is a folder of state."""

    def __post_init__(self) -> None:
        if self.subscribers is not None and self.vectors is not None:
            raise UsageError(
                "both subscribers with USIMs and --vectors: vectors come from one of the two"
            )
        if (self.token_file is not None or self.ca_file is not None) and not self.is_server:
            raise UsageError(
                "--vectors-token and --vectors-ca belong to a server",
                hint="Give --vectors https://HOST/PATH.",
            )
        if self.vectors is not None and not self.is_server and not self.durable:
            raise UsageError(
                f"{self.vectors}: without --state nothing remembers which vectors were used, and "
                "the next start would use them again",
                hint="Give --state DIR.",
            )

    @property
    def is_server(self) -> bool:
        """Whether vectors come from a server."""
        return self.vectors is not None and "://" in self.vectors

    @property
    def any(self) -> bool:
        """Whether there is a source at all."""
        return self.subscribers is not None or self.vectors is not None

    @asynccontextmanager
    async def open(
        self, state: HseState | None
    ) -> AsyncIterator[tuple[AkaService | None, SlowVectorSource | None]]:
        """What the server takes as ``aka`` and ``vectors``.

        Args:
            state: keeps sequence numbers, and which vectors were used; none forgets them.

        Raises:
            UsageError: a file that can't be used, no such URL.
        """
        store = None if state is None else state.store
        async with contextlib.AsyncExitStack() as stack:
            if self.subscribers is not None:
                known = self.subscribers
                centre = AuthenticationCentre(known.subscribers, profile=known.profile, store=store)
                yield AkaService(vectors=centre, knows=known.identities.__contains__), None
            elif self.vectors is None:
                yield None, None
            elif self.is_server:
                token = None if self.token_file is None else read_token_file(self.token_file)
                source = await stack.enter_async_context(
                    HttpVectorSource(
                        self.vectors, token=token, used=UsedVectors(store), ca_file=self.ca_file
                    )
                )
                yield AkaService(), source
            else:
                ready = read_ready_vectors(Path(self.vectors), UsedVectors(store))
                yield AkaService(vectors=ready), None
