"""The table of sessions: how one begins, how it is kept, how it ends.

=============  ==================================================================================
it begins      with a key exchange, half open: its first packet proves that the peer holds the
               keys, and ends the sessions that it replaces; or with a configured key, see
               `testbed.hse.manual`
it is kept     in `testbed.hse.state`, where there is one: its keys with the first packet, what
               it has learned, its numbers and octets
it ends        replaced by a newer one, crowded out, or at its hard lifetime: what it had learned
               is free again, and what was kept of it is forgotten. Not so a configured key's
               numbers: the key is there again after a restart
=============  ==================================================================================
"""

from __future__ import annotations

import logging
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice

import esp
from esp import keying
from testbed.association import EspSettings
from testbed.compression import RohcSettings
from testbed.hse.addresses import AddressBook, AddressPlan, SourceBinding
from testbed.hse.events import SocketAddress
from testbed.hse.sessions import Counts, Session
from testbed.hse.state import HseState

__all__ = ["SessionTable"]

_logger = logging.getLogger(__name__)

_CURRENT = (esp.LifetimeState.CURRENT, esp.LifetimeState.CURRENT)


class SessionTable:
    """Sessions by inbound SPI, the one unused for longest first.

    Args:
        database: where inbound associations are found.
        responder: of the key exchanges.
        admits: whether a session from before a restart may go on.
        limit: how many sessions are kept that a packet has proven; the key exchange bounds others.
        counts: where exchanges and ends are counted.
        rohc: settings of all ROHC channels.
        addresses: the addresses that are assigned.
        share_addresses: several identities may use one address that was learned.
        lifetime: limits on the associations of both directions.
        associations: their replay window.
        state: what survives a restart.
        random: source of IVs.
    """

    def __init__(
        self,
        database: esp.SecurityAssociationDatabase[Session],
        responder: keying.KeyAgreements,
        *,
        admits: Callable[[keying.Session], bool],
        limit: int,
        counts: Counts,
        rohc: RohcSettings,
        addresses: AddressPlan,
        share_addresses: bool = False,
        lifetime: esp.Lifetime | None = None,
        associations: EspSettings,
        state: HseState | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._responder = responder
        self._admits = admits
        self._limit = limit
        self._counts = counts
        self._rohc = rohc
        self._addresses = addresses
        self._book = AddressBook(addresses, shared=share_addresses)
        self._lifetime = lifetime
        self._associations = associations
        self._state = state
        self._random = random
        self._sessions: OrderedDict[int, Session] = OrderedDict()
        # Those that have an end in seconds, the first to reach it first: all live equally long.
        self._by_end: OrderedDict[int, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def channels(self) -> int:
        """Sessions that compress."""
        return sum(1 for session in self._sessions.values() if session.tunnel is not None)

    # -- beginnings --------------------------------------------------------------------------

    def restore(self, now: float) -> None:
        """Take up the sessions that were in use when the HSE stopped, the oldest first.

        One whose UE or suite is not admitted any more, or whose time is over, ends.
        """
        if self._state is None:
            return
        for kept in sorted(self._state.load(), key=lambda one: -one.age_s):
            if not self._admits(kept.keys):
                _logger.info("SPI 0x%08x is not admitted any more", kept.keys.inbound.spi)
                self._forget_durably(kept.keys)
                continue
            self._responder.adopt(kept.keys)
            session = self._add(kept.keys, now - kept.age_s, sources=kept.sources)
            session.proven = True
        self.expire_due(now)
        self._crowd_out()  # a kill may have left one that was being replaced

    def adopt(self, keys: keying.Session) -> None:
        """Take up a session with configured keys.

        It has no lifetime, since nobody can re-key it, and is never crowded out.

        Raises:
            esp.LocalError: its SPI is taken.
        """
        self._add(keys, 0.0, manual=True).proven = True

    def begin(self, keys: keying.Session, peer: SocketAddress, now: float) -> None:
        """A key exchange gave keys: perhaps to who played a recording, so nobody has to go yet."""
        self._counts.exchanges += 1
        self.expire_due(now)
        self._add(keys, now, peer)

    def _add(
        self,
        keys: keying.Session,
        begun_at: float,
        peer: SocketAddress = ("", 0),
        *,
        sources: Iterable[bytes] = (),
        manual: bool = False,
    ) -> Session:
        state, window = self._state, self._associations.replay_window
        lifetime = None if manual else self._lifetime
        in_tunnel = keys.mode is esp.Mode.TUNNEL
        selectors = self._addresses.selectors(keys.identity) if in_tunnel else None
        if state is None:
            outbound = keys.outbound_association(lifetime=lifetime, random=self._random)
            inbound = keys.inbound_association(
                replay_window=window, selectors=selectors, lifetime=lifetime
            )
        else:
            outbound = state.outbound(keys, lifetime, self._random)
            inbound = state.inbound(
                keys, replay_window=window, selectors=selectors, lifetime=lifetime
            )
        learns = in_tunnel and selectors is None
        hard_s = None if lifetime is None else lifetime.hard_s
        rohc = self._rohc.agreed(keys.rohc)
        session = Session(
            spi=keys.inbound.spi,
            keys=keys,
            outbound=outbound,
            tunnel=(
                rohc.tunnel(keys, outbound, inbound, *rohc.ends()) if keys.compression else None
            ),
            peer=peer,
            sources=SourceBinding(self._book, keys.identity, sources) if learns else None,
            begun_at=begun_at,
            ends_at=math.inf if hard_s is None else begun_at + hard_s,
            manual=manual,
            highest=inbound.window.top,
        )
        self._database.add(inbound, session)
        self._sessions[keys.inbound.spi] = session
        if session.ends_at < math.inf:
            self._by_end[keys.inbound.spi] = session
        return session

    # -- life --------------------------------------------------------------------------------

    def use(self, session: Session, inbound: esp.InboundAssociation, now: float) -> None:
        """An authentic packet came over a session; raises OSError when it can't be kept."""
        spi = session.spi
        if not session.proven:
            self.keep(session, now)
            session.proven = True
            self.forget(self._responder.confirm(spi))
            self._crowd_out(session)
        self._sessions.move_to_end(spi)
        if self._lifetime is not None and not session.soft:
            self._note_age(session, inbound, now)

    def _crowd_out(self, newest: Session | None = None) -> None:
        """Keep to the limit: of the proven sessions the one unused for longest goes first."""
        excess = len(self._sessions) - self._responder.half_open - self._limit
        if excess <= 0:
            return
        others = (
            spi
            for spi, one in self._sessions.items()
            if one.proven and not one.manual and one is not newest
        )
        for spi in list(islice(others, excess)):
            self.end(spi)

    def keep(self, session: Session, now: float) -> None:
        """Make a session, and what it has learned, durable; raises OSError when that fails.

        One that has ended is not kept: its numbers are forgotten, and it must not come back.
        """
        current = self._sessions.get(session.spi) is session
        if self._state is not None and not session.manual and current:
            learned = () if session.sources is None else session.sources.learned
            self._state.keep(session.keys, now - session.begun_at, learned)

    def _note_age(self, session: Session, inbound: esp.InboundAssociation, now: float) -> None:
        """Tell once that a session has reached its soft lifetime: it is the UE that re-keys."""
        age_s = now - session.begun_at
        states = (inbound.lifetime_state(age_s), session.outbound.lifetime_state(age_s))
        if states != _CURRENT:
            session.soft = True
            self._counts.lifetimes["soft"] += 1
            _logger.info("SPI 0x%08x has reached its soft lifetime", inbound.spi)

    # -- ends --------------------------------------------------------------------------------

    def expire(self, spi: int) -> None:
        """A session has reached its hard lifetime."""
        if spi in self._sessions:
            self._counts.lifetimes["hard"] += 1
            _logger.info("SPI 0x%08x has reached its hard lifetime", spi)
            self.end(spi)

    def expire_due(self, now: float) -> None:
        """End the sessions whose lifetime in seconds is over, though no packet came to tell."""
        while self._by_end:
            spi, session = next(iter(self._by_end.items()))
            if session.ends_at > now:
                break
            self.expire(spi)

    def end(self, spi: int) -> None:
        """End a session for good."""
        self._responder.release(spi)
        session = self._sessions.get(spi)
        if session is not None:
            self.forget((session.keys,))

    def forget(self, ended: Iterable[keying.Session]) -> None:
        """Drop sessions that the key exchange knows no more."""
        for keys in ended:
            session = self._sessions.pop(keys.inbound.spi, None)
            self._by_end.pop(keys.inbound.spi, None)
            self._database.remove(keys.inbound.spi)
            if session is None:
                continue
            session.outbound.end()  # no number may be used that nobody remembers
            if session.sources is not None:
                session.sources.release()
            if not session.manual:
                self._forget_durably(keys)

    def _forget_durably(self, keys: keying.Session) -> None:
        """Its end does not wait for the disk: what is left there comes back with its numbers."""
        if self._state is None:
            return
        try:
            self._state.forget(keys)
        except (OSError, esp.LocalError) as error:
            _logger.warning("SPI 0x%08x could not be forgotten: %s", keys.inbound.spi, error)
