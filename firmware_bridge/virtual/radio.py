"""The air between module and cell: how well it is heard, and how long blocks take on it.

:class:`Channel` knows the coverage at any moment (a seeded slow variation around a mean, and random
shadowing where it is asked for: functions of time alone) and turns *so many bytes* into a list of
:class:`Segment`: what the radio does, one after the other, for how long. The state machine plays
the segments; the current meter hears what each one draws. Sizes and repetitions are those of
TS 36.211, 36.213 and the cell's settings; see :mod:`firmware_bridge.virtual.parameters`.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from firmware_bridge.virtual.blocks import Block, downlink_blocks, uplink_blocks
from firmware_bridge.virtual.parameters import (
    RESOURCE_UNIT_S,
    UPLINK_BLOCK_BITS,
    UPLINK_RESOURCE_UNITS,
    CoverageLevel,
)
from firmware_bridge.virtual.settings import NetworkSettings, RadioSettings

__all__ = ["Activity", "Channel", "Segment", "Signal", "Transfer"]

_GRANT_TO_UPLINK_S = 0.008  # k0 of format N0, shortest (TS 36.213 table 16.5.1-1)
_GRANT_TO_DOWNLINK_S = 0.004  # n+5 (TS 36.213 16.4.1)
_DOWNLINK_TO_ACK_S = 0.012  # HARQ-ACK delay (TS 36.213 16.4.2)
_AFTER_UPLINK_S = 0.003  # no NPDCCH monitoring after NPUSCH (TS 36.213 16.6)
_ACK_S = 0.002  # NPUSCH format 2 resource unit, one subcarrier of 15 kHz (TS 36.211 10.1.2.3)
_PREAMBLE_S = 0.0056  # NPRACH preamble format 0, one repetition (TS 36.211 10.1.6)
_MESSAGE_3_BITS = 88  # Msg3 of NB-IoT (TS 36.213 16.3.3)
_MESSAGE_4_BYTES = 20  # RRCConnectionSetup-NB with the contention resolution identity
_RESPONSE_TO_MESSAGE_3_S = 0.012  # k0 of the random access response grant (TS 36.213 16.3.3)
_MAX_TRANSMISSIONS = 8
_POWER_P0_DBM = -105.0  # NPUSCH open loop target per subcarrier, alpha 1 (TS 36.213 16.2.1.1)
_MAX_POWER_DBM = 23.0  # power class 3
_MIN_POWER_DBM = -40.0


class Activity(enum.Enum):
    """What the radio does, as the current meter sees it."""

    ASLEEP = "asleep"
    """Nothing; the processor may be running."""
    WAITING = "waiting"
    """Between two actions of one exchange: synthesiser and processor on, receiver off."""
    RECEIVING = "receiving"
    """Receiver on."""
    TRANSMITTING = "transmitting"
    """Transmitter on."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One thing the radio does: for how long, and with which output power when it transmits."""

    duration_s: float
    activity: Activity
    power_dbm: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One message across the air."""

    segments: tuple[Segment, ...]
    """What the radio does, in order."""
    blocks: int
    """Transport blocks the message was cut into."""
    transmissions: int
    """Blocks sent, repeated ones counted again."""
    delivered: bool
    """False: a block was given up after eight transmissions."""

    @property
    def duration_s(self) -> float:
        """The sum over the segments."""
        return sum(segment.duration_s for segment in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """The coverage at one moment."""

    rsrp_dbm: float
    """Reference signal power."""
    sinr_db: float
    """Signal to noise and interference."""
    rsrq_db: float
    """RSRP over the power of the whole carrier (12 subcarriers)."""
    rssi_dbm: float
    """Power of the whole carrier."""
    ecl: int
    """Coverage enhancement level: 0, 1 or 2."""
    power_dbm: float
    """Output power that a transmission would take now."""
    in_coverage: bool
    """There is a cell."""


class Channel:
    """Coverage and block timing for one module.

    Args:
        radio: Where the module stands.
        network: The cell's reference power.
        seed: Of the variation's phases, of block losses and waits for the next opportunity.
        origin: Time of switching on, seconds; outages count from it.
    """

    def __init__(
        self, radio: RadioSettings, network: NetworkSettings, seed: int, origin: float
    ) -> None:
        self._radio = radio
        self._reference_dbm = network.reference_power_dbm
        self._rng = random.Random(f"{seed}/radio")
        phases = random.Random(f"{seed}/coverage")
        self._origin = origin
        self._outages = list(radio.outages_s)
        self._shadows = (
            _Shadows(radio.shadowing_db, radio.shadowing_time_s, f"{seed}/shadowing")
            if radio.shadowing_db
            else None
        )
        self._waves = [
            (share, 2 * math.pi / (radio.variation_period_s * part), phases.uniform(0, 2 * math.pi))
            for share, part in ((0.5, 1.0), (0.3, 0.41), (0.2, 0.17))
        ]

    def lose(self, now: float, duration_s: float) -> None:
        """There is no cell for ``duration_s`` from ``now`` on."""
        since = now - self._origin
        self._outages = [outage for outage in self._outages if outage[1] > since]
        self._outages.append((since, since + duration_s))

    def stand(self, rsrp_dbm: float) -> None:
        """From now on the module stands where the cell is heard so well, in the mean."""
        self._radio = replace(self._radio, rsrp_dbm=rsrp_dbm)

    def signal(self, now: float) -> Signal:
        """The coverage at ``now`` (seconds)."""
        radio = self._radio
        since = now - self._origin
        rsrp = radio.rsrp_dbm + radio.rsrp_variation_db * sum(
            share * math.sin(omega * since + phase) for share, omega, phase in self._waves
        )
        if self._shadows is not None:
            rsrp += self._shadows.at(since)
        sinr = min(30.0, max(-20.0, rsrp - radio.noise_dbm))
        # One resource block of 12 subcarriers; two of them carry reference signals, the noise is in
        # all of them. At 10 dB this gives the -5 dB of the recorded trace.
        rsrq = -10 * math.log10(2 + 12 / 10 ** (sinr / 10))
        first, second = radio.ecl_thresholds_dbm
        ecl = 0 if rsrp >= first else 1 if rsrp >= second else 2
        out = any(start <= since < end for start, end in self._outages)
        return Signal(
            rsrp_dbm=rsrp,
            sinr_db=sinr,
            rsrq_db=rsrq,
            rssi_dbm=rsrp - rsrq,
            ecl=ecl,
            power_dbm=self._power(rsrp, ecl),
            in_coverage=not out and rsrp >= radio.lowest_rsrp_dbm,
        )

    def _power(self, rsrp_dbm: float, ecl: int) -> float:
        """Open loop power control; full power when repeating (TS 36.213 16.2.1.1)."""
        if self._radio.coverage_levels[ecl].uplink_repetitions > 2:
            return _MAX_POWER_DBM
        wanted = _POWER_P0_DBM + self._reference_dbm - rsrp_dbm
        return min(_MAX_POWER_DBM, max(_MIN_POWER_DBM, wanted))

    def uplink(self, now: float, size_bytes: int) -> Transfer:
        """Send ``size_bytes``: for each block wait for a grant, transmit, and again if lost."""
        signal = self.signal(now)
        level = self._radio.coverage_levels[signal.ecl]
        return self._transfer(
            uplink_blocks(size_bytes, level),
            level,
            lambda block: (
                *self._grant(level),
                Segment(_GRANT_TO_UPLINK_S, Activity.WAITING),
                Segment(block.duration_s, Activity.TRANSMITTING, signal.power_dbm),
                Segment(_AFTER_UPLINK_S, Activity.WAITING),
            ),
        )

    def downlink(self, now: float, size_bytes: int) -> Transfer:
        """Receive ``size_bytes``: for each block a grant, the block, its acknowledgement."""
        signal = self.signal(now)
        level = self._radio.coverage_levels[signal.ecl]
        return self._transfer(
            downlink_blocks(size_bytes, level),
            level,
            lambda block: (
                *self._grant(level),
                Segment(_GRANT_TO_DOWNLINK_S, Activity.WAITING),
                Segment(block.duration_s, Activity.RECEIVING),
                Segment(_DOWNLINK_TO_ACK_S, Activity.WAITING),
                Segment(_ACK_S * level.uplink_repetitions, Activity.TRANSMITTING, signal.power_dbm),
            ),
        )

    def random_access(self, now: float, resynchronise_s: float, network_s: float) -> Transfer:
        """From asleep to a connection: synchronise, preamble, its response, Msg3, Msg4.

        Args:
            now: Seconds; decides the coverage level.
            resynchronise_s: Receiver time to find the cell again (longer after PSM).
            network_s: From Msg3 to the scheduling of Msg4.
        """
        asked = self.scheduling_request(now)
        message_4 = self.downlink(now, _MESSAGE_4_BYTES)
        return Transfer(
            segments=(
                Segment(resynchronise_s, Activity.RECEIVING),
                *asked.segments,
                Segment(network_s, Activity.RECEIVING),
                *message_4.segments,
            ),
            blocks=asked.blocks + message_4.blocks,
            transmissions=asked.transmissions + message_4.transmissions,
            delivered=self.signal(now).in_coverage,
        )

    def scheduling_request(self, now: float) -> Transfer:
        """Preamble, response, Msg3 with the buffer status.

        Release 13 has no scheduling request channel: a connected module with new data goes through
        this too (TS 36.321 5.4.4).
        """
        signal = self.signal(now)
        level = self._radio.coverage_levels[signal.ecl]
        row = UPLINK_BLOCK_BITS[level.uplink_mcs]
        units = next(
            units
            for units, bits in zip(UPLINK_RESOURCE_UNITS, row, strict=False)
            if bits >= _MESSAGE_3_BITS
        )
        unit_s = RESOURCE_UNIT_S[level.uplink_subcarriers] * level.uplink_repetitions
        power = signal.power_dbm
        return Transfer(
            segments=(
                Segment(self._rng.uniform(0, level.preamble_period_s), Activity.WAITING),
                Segment(_PREAMBLE_S * level.preamble_repetitions, Activity.TRANSMITTING, power),
                *self._grant(level),
                Segment(_GRANT_TO_DOWNLINK_S, Activity.WAITING),
                Segment(0.001 * 4 * level.downlink_repetitions, Activity.RECEIVING),
                Segment(_RESPONSE_TO_MESSAGE_3_S, Activity.WAITING),
                Segment(unit_s * units, Activity.TRANSMITTING, power),
                Segment(_AFTER_UPLINK_S, Activity.WAITING),
            ),
            blocks=2,
            transmissions=2,
            delivered=signal.in_coverage,
        )

    def _grant(self, level: CoverageLevel) -> tuple[Segment, ...]:
        """Wait for the next search space, receive the control message."""
        wait_s = self._rng.uniform(0, level.control_period_s)
        return (
            Segment(wait_s, Activity.RECEIVING),
            Segment(0.001 * level.control_repetitions, Activity.RECEIVING),
        )

    def _transfer(
        self, blocks: list[Block], level: CoverageLevel, one: Callable[[Block], tuple[Segment, ...]]
    ) -> Transfer:
        segments: list[Segment] = []
        transmissions = 0
        delivered = True
        for block in blocks:
            for attempt in range(1, _MAX_TRANSMISSIONS + 1):
                segments.extend(one(block))
                transmissions += 1
                if self._rng.random() >= level.block_loss:
                    break
                if attempt == _MAX_TRANSMISSIONS:
                    delivered = False
            if not delivered:
                break
        return Transfer(
            segments=tuple(segments),
            blocks=len(blocks),
            transmissions=transmissions,
            delivered=delivered,
        )


class _Shadows:
    """Shadowing as a first-order autoregressive process on a grid of time.

    A value depends on the seed and the time alone, not on when it was asked for before.
    """

    _STEPS = 10  # per correlation time

    def __init__(self, deviation_db: float, time_s: float, seed: str) -> None:
        self._deviation_db = deviation_db
        self._step_s = time_s / self._STEPS
        self._keep = math.exp(-1 / self._STEPS)
        self._renew = math.sqrt(1 - self._keep**2)
        self._seed = seed
        self._start()

    def _start(self) -> None:
        self._rng = random.Random(self._seed)
        self._place = 0
        self._value = self._rng.gauss(0, 1)

    def at(self, since_s: float) -> float:
        """The shadow in dB so long after switching on."""
        place = max(int(since_s / self._step_s), 0)
        if place < self._place:
            self._start()
        while self._place < place:
            self._value = self._keep * self._value + self._renew * self._rng.gauss(0, 1)
            self._place += 1
        return self._deviation_db * self._value
