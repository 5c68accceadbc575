"""The energy of one message, estimated from its stages, its bytes and the coverage.

A meter measures; this estimates, and says so: every figure carries ``kind="estimated"``, the
model's name, and the range that the spread of the published parameters gives.

A message's time falls into states, and each state draws a current at the supply voltage::

    at_written -> rrc_connected     set-up     receiving, and transmitting preamble and signalling
    rrc_connected -> last datagram  transmit   NPUSCH time of the bytes sent
                                    receive    the rest: NPDCCH monitored, NPDSCH received
    last datagram -> released       tail       connected, until the network releases
    released -> next message        sleep      paging during the active time (T3324), then PSM

Before the command is written the module does not know of the message: the host's time until then
is not the module's energy (without that stage set-up counts from the submission).

Where a stage was not observed the model assumes a duration and names it in ``assumed``: with
release assistance (RAI) the network releases at once, without it the inactivity timer runs.

What it leaves out: transport block sizes (bytes cost linearly), HARQ repetitions beyond the
configured ones, scheduling gaps in the transmit state, the host side. The tail and the bytes at
poor coverage decide the result, so a saving in bytes shows at ECL 1 and 2 and hardly at ECL 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from testbed.analysis.parameters import DEFAULT, MODEL, Bound, EnergyParameters

__all__ = ["MODEL", "EnergyEstimate", "EnergySplit", "estimate_energy"]

_LAST_ACTIVITY: Final = (
    "received",
    "hse_answered",
    "hse_received",
    "accepted",
    "at_written",
)
"""Stages that end the exchange, the latest in the message's way first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergySplit:
    """Joules of one message by state."""

    setup_j: float
    """Connection set-up: random access and RRC signalling."""
    transmit_j: float
    """Uplink bytes on the NPUSCH."""
    receive_j: float
    """Waiting for the answer and receiving it."""
    tail_j: float
    """Connected after the last datagram, until the network releases."""
    sleep_j: float
    """Paging and PSM until the next message, as far as the caller gave a time."""

    @property
    def total_j(self) -> float:
        """The sum over the states."""
        return self.setup_j + self.transmit_j + self.receive_j + self.tail_j + self.sleep_j


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEstimate:
    """What one message cost by the model; never a measurement."""

    split: EnergySplit
    """Joules by state, with the parameters' best values."""
    low_j: float
    """The total with every parameter at its low end."""
    high_j: float
    """The total with every parameter at its high end."""
    assumed: tuple[str, ...]
    """Stages and facts that were not observed, so that the model assumed them."""
    model: str = MODEL
    """The name of the model and its version."""

    @property
    def kind(self) -> str:
        """Always ``estimated``."""
        return "estimated"

    @property
    def total_j(self) -> float:
        """The sum over the states in joules."""
        return self.split.total_j

    def to_json(self) -> dict[str, object]:
        """The journal's ``energy`` object: joules rounded to a microjoule."""
        record: dict[str, object] = {
            "kind": self.kind,
            "model": self.model,
            "total_j": round(self.total_j, 6),
        }
        for field in fields(EnergySplit):
            record[field.name] = round(getattr(self.split, field.name), 6)
        record["low_j"] = round(self.low_j, 6)
        record["high_j"] = round(self.high_j, 6)
        record["assumed"] = list(self.assumed)
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Durations:
    """What the stages say, in seconds; None where they say nothing."""

    setup_s: float | None
    """Command written to RRC connection; 0 when the connection stood already."""
    exchange_s: float
    """RRC connection (or command written, when it stood) to the last datagram."""
    tail_s: float | None
    """Last datagram to release, or to the end of the observation."""


def _durations(
    stages_s: Mapping[str, float], already_connected: bool, observed_until_s: float | None
) -> _Durations:
    """Read the three durations off the stages, none of them negative."""
    connected = stages_s.get("rrc_connected")
    told = max(stages_s.get("at_written", 0.0), 0.0)
    setup: float | None = None
    begin = told
    if already_connected:
        setup = 0.0
    elif connected is not None:
        setup = max(connected - told, 0.0)
        begin = max(connected, told)
    last = next((stages_s[name] for name in _LAST_ACTIVITY if name in stages_s), begin)
    if "received" not in stages_s and observed_until_s is not None:
        # Nothing came back: the module listened until the message was given up or the
        # network released, whichever came first.
        last = max(last, min(observed_until_s, stages_s.get("released", observed_until_s)))
    released = stages_s.get("released")
    end = released if released is not None else observed_until_s
    return _Durations(
        setup_s=setup,
        exchange_s=max(last - begin, 0.0),
        tail_s=None if end is None else max(end - last, 0.0),
    )


def estimate_energy(
    stages_s: Mapping[str, float],
    *,
    bytes_up: int,
    bytes_down: int,
    ecl: int | None = 0,
    rai: bool = False,
    already_connected: bool = False,
    observed_until_s: float | None = None,
    sleep_s: float = 0.0,
    active_time_s: float = 0.0,
    parameters: EnergyParameters = DEFAULT,
) -> EnergyEstimate:
    """Estimate the energy of one message.

    Args:
        stages_s: seconds after submission by stage, as in the journal; ``at_written``,
            ``rrc_connected``, ``received`` and ``released`` are used where they are present.
        bytes_up: size of the outer IP packets sent, in bytes.
        bytes_down: size of the outer IP packets received, in bytes.
        ecl: coverage enhancement level 0, 1 or 2; None assumes 0 and says so.
        rai: whether release assistance was given, which shortens an unobserved tail.
        already_connected: the RRC connection stood from the message before: no set-up.
        observed_until_s: seconds after submission when the observation ended (the next
            message, or the time-out); bounds a tail whose end was not seen.
        sleep_s: seconds of idle and sleep that belong to this message.
        active_time_s: how long of these the module stays reachable (T3324).
        parameters: the table of currents and durations.

    Returns:
        The estimate with its split, range and what had to be assumed.

    Raises:
        ValueError: a coverage level, byte count or duration out of range.
    """
    if ecl is not None and ecl not in (0, 1, 2):
        raise ValueError(f"coverage enhancement level {ecl} is not 0, 1 or 2")
    for name, value in (("bytes_up", bytes_up), ("bytes_down", bytes_down)):
        if value < 0:
            raise ValueError(f"{name} is {value}")
    for name, seconds in (("sleep_s", sleep_s), ("active_time_s", active_time_s)):
        if seconds < 0:
            raise ValueError(f"{name} is {seconds} s")

    durations = _durations(stages_s, already_connected, observed_until_s)
    assumed: list[str] = []
    if ecl is None:
        assumed.append("ecl")
    if durations.setup_s is None:
        assumed.append("rrc_connected")
    if durations.tail_s is None:
        assumed.append("released")
    elif "released" not in stages_s and observed_until_s is not None:
        assumed.append("tail-cut-off")

    def split(bound: Bound) -> EnergySplit:
        return _split(
            durations,
            bytes_up=bytes_up,
            bytes_down=bytes_down,
            ecl=ecl or 0,
            rai=rai,
            sleep_s=sleep_s,
            active_time_s=active_time_s,
            parameters=parameters,
            bound=bound,
        )

    return EnergyEstimate(
        split=split(Bound.BEST),
        low_j=split(Bound.LOW).total_j,
        high_j=split(Bound.HIGH).total_j,
        assumed=tuple(assumed),
    )


def _split(
    durations: _Durations,
    *,
    bytes_up: int,
    bytes_down: int,
    ecl: int,
    rai: bool,
    sleep_s: float,
    active_time_s: float,
    parameters: EnergyParameters,
    bound: Bound,
) -> EnergySplit:
    """The joules by state, with every parameter at one end of its range."""
    table = parameters
    volts = table.supply_v.at(bound)
    transmit_a = table.transmit_a.at(bound)
    receive_a = table.receive_a.at(bound)
    connected_a = table.connected_a.at(bound)
    up_s_per_byte = table.npusch_s_per_byte[ecl].at(bound)

    setup_s = durations.setup_s
    if setup_s is None:
        setup_s = table.setup_s[ecl].at(bound)
    signalling_s = 0.0
    if setup_s > 0:
        signalling_s = table.preamble_s[ecl].at(bound)
        signalling_s += table.signalling_bytes.at(bound) * up_s_per_byte
        # The stages are observed: a modelled transmission cannot outlast them.
        signalling_s = min(signalling_s, setup_s)
    setup_c = signalling_s * transmit_a + (setup_s - signalling_s) * receive_a

    transmit_s = bytes_up * up_s_per_byte
    downlink_s = bytes_down * table.npdsch_s_per_byte[ecl].at(bound)
    waiting_s = max(durations.exchange_s - transmit_s - downlink_s, 0.0)

    tail_s = durations.tail_s
    if tail_s is None:
        tail_s = table.release_s.at(bound) if rai else table.inactivity_s.at(bound)

    idle_s = min(sleep_s, active_time_s)
    sleep_c = idle_s * table.idle_a.at(bound) + (sleep_s - idle_s) * table.psm_a.at(bound)

    return EnergySplit(
        setup_j=volts * setup_c,
        transmit_j=volts * transmit_s * transmit_a,
        receive_j=volts * (downlink_s * receive_a + waiting_s * connected_a),
        tail_j=volts * tail_s * connected_a,
        sleep_j=volts * sleep_c,
    )
