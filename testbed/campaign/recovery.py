"""When a UE re-keys by itself: it is not told to, it notices.

====================  ===========================================================================
reason                what was noticed
====================  ===========================================================================
``unanswered``        as many messages in a row without an answer as the bench says
``unknown-at-hse``    one unanswered message, and the HSE's word that it knows no such association
``address-changed``   the network gave the module another address
``lifetime-soft``     the association's soft lifetime is reached: it may be used, but not for long
``lifetime-hard``     the hard one is: nothing is sent before there are new keys
====================  ===========================================================================

The HSE's word is not authenticated (`testbed.notice`). It counts only for a message that had no
answer, so a forged one costs at most one re-keying per message that an attacker also suppresses.
"""

from __future__ import annotations

import esp
from testbed.bench import RecoveryDescription
from testbed.results.records import Outcome

__all__ = ["Recovery"]

_BY_LIFETIME = {
    esp.LifetimeState.SOFT: "lifetime-soft",
    esp.LifetimeState.HARD: "lifetime-hard",
}


class Recovery:
    """What one session's messages say about its keys.

    Args:
        description: when to re-key, and when to give up.
    """

    def __init__(self, description: RecoveryDescription) -> None:
        self._description = description
        self._since_keying = 0
        self._unknown = self._moved = False
        self._failures = 0
        self.unanswered = 0
        """Messages in a row that were sent and had no answer."""

    def message(self, outcome: Outcome, *, unknown_at_hse: bool = False) -> None:
        """Note how a message ended; one that the module did not send says nothing about keys."""
        if outcome is Outcome.ANSWERED:
            self.unanswered = self._since_keying = 0
            self._unknown = False
        elif outcome is Outcome.LOST:
            self.unanswered += 1
            self._since_keying += 1
            self._unknown = unknown_at_hse

    def reason(self, state: esp.LifetimeState) -> str | None:
        """Why to re-key now, in one word; none when there is no reason.

        Args:
            state: where the session's associations are in their life.
        """
        if state in _BY_LIFETIME:
            return _BY_LIFETIME[state]
        if self._moved:
            return "address-changed"
        if self._unknown and self._description.notice:
            return "unknown-at-hse"
        limit = self._description.unanswered
        if limit is not None and self._since_keying >= limit:
            return "unanswered"
        return None

    def moved(self) -> None:
        """Note that the module has another address: the old one stands inside ESP."""
        self._moved = True

    def keyed(self) -> None:
        """Note that there are new keys."""
        self._since_keying = self._failures = 0
        self._unknown = self._moved = False

    def failed(self) -> bool:
        """Note that the HSE did not answer a re-keying; whether it is time to give up."""
        self._since_keying = 0
        self._unknown = False
        self._failures += 1
        return self._failures >= self._description.give_up
