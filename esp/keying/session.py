"""What a finished key exchange gives: the session, seen from one side."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from esp.inbound import InboundAssociation
from esp.keying.kdf import (
    DerivationSettings,
    Direction,
    DirectionKeys,
    KeyAgreement,
    SessionBinding,
    derive_direction,
)
from esp.keying.messages import Offer
from esp.keying.rohc_channel import RohcChannel
from esp.layout import Mode
from esp.lifetime import Lifetime, Usage
from esp.outbound import OutboundAssociation
from esp.rohc_parameters import RohcIcv, rohc_key_bytes
from esp.selectors import TrafficSelectors
from esp.suites import Suite

__all__ = ["Session", "derive_session"]

_UNUSED = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A pair of SAs with fresh keys. No key shows in its repr."""

    identity: str = field(repr=False)
    """Identity of the UE; may be an IMSI, and is not shown."""
    suite: Suite
    """Suite of both directions."""
    mode: Mode
    """Transport or tunnel."""
    compression: bool
    """Whether ROHC runs inside the tunnel."""
    esn: bool = False
    """Whether sequence numbers of both directions have 64 bits."""
    inbound: DirectionKeys
    """What this side receives with; its SPI was chosen here."""
    outbound: DirectionKeys
    """What this side sends with; its SPI was chosen by the peer."""
    key_agreement: KeyAgreement = KeyAgreement.HELLO
    """How the keys came about."""
    rohc: RohcChannel | None = None
    """The ROHC channel as negotiated; None without compression, and where both sides take theirs
    from their configuration, as with the hello."""

    def inbound_association(
        self,
        *,
        replay_window: int = 64,
        sequence: int = 0,
        selectors: TrafficSelectors | None = None,
        lifetime: Lifetime | None = None,
        used: Usage = _UNUSED,
    ) -> InboundAssociation:
        """The receiving end. Make it once: a second one would accept the same packets again.

        ``sequence`` is what a store says was accepted before; 0 for fresh keys.
        ``used`` is what counts towards the lifetime already.
        ``selectors`` are what the peer may send, in tunnel mode: its own address, for example.
        """
        keys = self.inbound
        return InboundAssociation(
            keys.spi,
            self.suite,
            keys.key,
            keys.salt,
            self.mode,
            integrity_key=keys.integrity_key,
            esn=self.esn,
            replay_window=replay_window,
            sequence=sequence,
            selectors=selectors,
            lifetime=lifetime,
            used=used,
            rohc=self.compression,
            tfc=True,
        )

    def rohc_icvs(
        self, integrity: str = "hmac-sha2-256-128", icv_bytes: int | None = None
    ) -> tuple[RohcIcv, RohcIcv]:
        """The ROHC ICVs of what goes out and of what comes in, for a CompressedTunnel.

        Whether they are used, with which transform and how long, stands in :attr:`rohc`, or is
        configuration, the same on both sides: the hello does not negotiate it. Raises
        InvalidParameter.
        """
        size = rohc_key_bytes(integrity)
        outbound, inbound = (
            RohcIcv(key=keys.rohc_key[:size], integrity=integrity, icv_bytes=icv_bytes)
            for keys in (self.outbound, self.inbound)
        )
        return outbound, inbound

    def outbound_association(
        self,
        *,
        sequence: int = 0,
        lifetime: Lifetime | None = None,
        used: Usage = _UNUSED,
        reserve: Callable[[int], int] | None = None,
        reserve_bytes: Callable[[int], int] | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> OutboundAssociation:
        """The sending end. Make it once: a second one would use the same numbers again.

        ``sequence``, ``used``, ``reserve`` and ``reserve_bytes`` are those of a store, when the SA
        is to survive a restart.
        ``random`` is the source of IVs that must be unpredictable (AES-CBC).
        """
        keys = self.outbound
        return OutboundAssociation(
            keys.spi,
            self.suite,
            keys.key,
            keys.salt,
            self.mode,
            integrity_key=keys.integrity_key,
            esn=self.esn,
            sequence=sequence,
            lifetime=lifetime,
            used=used,
            reserve=reserve,
            reserve_bytes=reserve_bytes,
            random=random,
        )


def derive_session(
    secret: bytes,
    binding: SessionBinding,
    offer: Offer,
    *,
    at_ue: bool,
    settings: DerivationSettings,
) -> Session:
    """The session of one side, from the secret and what both sides said."""
    uplink = derive_direction(secret, binding, offer.suite, Direction.UPLINK, settings)
    downlink = derive_direction(secret, binding, offer.suite, Direction.DOWNLINK, settings)
    return Session(
        identity=binding.identity,
        suite=offer.suite,
        mode=offer.mode,
        compression=offer.compression,
        esn=offer.esn,
        inbound=downlink if at_ue else uplink,
        outbound=uplink if at_ue else downlink,
        key_agreement=binding.key_agreement,
        rohc=RohcChannel.decode(binding.rohc) if binding.rohc else None,
    )
