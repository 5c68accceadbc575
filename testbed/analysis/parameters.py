"""The parameters of the energy estimate: one table, each row with its source and its spread.

``low`` and ``high`` are the ends of what is published, not a confidence interval: they say how
far the estimate can be wrong because modules and networks differ. A bench that has a meter
measures instead; a bench that knows its own module replaces rows with `dataclasses.replace`.

NPUSCH and NPDSCH times per byte follow from the transport block sizes of TS 36.213 (tables
16.5.1.2-2 and 16.4.1.5.1-1) and the resource unit lengths of TS 36.211 table 10.1.2.3-1
(15 kHz: 8 ms with one tone, 4 ms with three; NPDSCH: 1 ms), times the repetitions:

===  ============================================  ======================================
ECL  uplink                                        downlink
===  ============================================  ======================================
0    I_TBS 9, 936 bit in 6 RU, 3 tones: 0.205 ms   I_TBS 9, 616 bit in 4 ms: 0.052 ms
1    I_TBS 3, 568 bit in 10 RU, 1 tone, 8 times:   I_TBS 3, 568 bit in 10 ms, 8 times:
     9.0 ms                                        1.13 ms
2    I_TBS 2, 424 bit in 10 RU, 1 tone, 16 times:  I_TBS 2, 424 bit in 10 ms, 16 times:
     24 ms                                         3.0 ms
===  ============================================  ======================================

Against measurements (D. Robinson, Stellenbosch 2019): about 0.07 mJ a byte at ECL 0 and 6 mJ a byte
at ECL 1, where this table gives 0.11 mJ and 4.9 mJ; 200 B at ECL 2 in 1.0 s and 0.72 J (good SNR)
to 5.5 s and 3.9 J (bad), where this table gives 4.8 s and 2.6 J.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final

__all__ = ["DEFAULT", "MODEL", "Bound", "EnergyParameters", "Parameter"]

MODEL: Final = "state-nb1-1"
"""The name that stands in the journal; the last figure counts changes of this table or model."""


class Bound(Enum):
    """Which value of a parameter to take."""

    LOW = "low"
    BEST = "best"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One figure of the model.

    Raises:
        ValueError: low, best and high are not in this order, or negative.
    """

    best: float
    """The value used for the estimate, in the unit given."""
    low: float
    """The low end of what is published."""
    high: float
    """The high end of what is published."""
    unit: str
    """The unit: V, A, s, s/B or B."""
    source: str
    """Where the value and its spread come from."""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.best <= self.high:
            raise ValueError(f"{self.low} <= {self.best} <= {self.high} does not hold")

    def at(self, bound: Bound) -> float:
        """The value at one end of the range, or the best one."""
        match bound:
            case Bound.LOW:
                return self.low
            case Bound.HIGH:
                return self.high
            case Bound.BEST:
                return self.best


PerLevel = tuple[Parameter, Parameter, Parameter]
"""One parameter for each coverage enhancement level 0, 1, 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyParameters:
    """The table of the model."""

    supply_v: Parameter
    """Supply voltage."""
    transmit_a: Parameter
    """Drawn while transmitting at 23 dBm."""
    receive_a: Parameter
    """Drawn while receiving."""
    connected_a: Parameter
    """Mean while connected and waiting (NPDCCH monitoring with connected-mode DRX)."""
    idle_a: Parameter
    """Mean while registered and reachable (paging)."""
    psm_a: Parameter
    """Drawn in power saving mode."""
    preamble_s: PerLevel
    """Random access preamble, with its repetitions."""
    signalling_bytes: Parameter
    """Uplink RRC signalling of one connection."""
    setup_s: PerLevel
    """Random access to RRC connection, where it was not observed."""
    npusch_s_per_byte: PerLevel
    """Uplink time per byte, with its repetitions."""
    npdsch_s_per_byte: PerLevel
    """Downlink time per byte, with its repetitions."""
    release_s: Parameter
    """Last datagram to release when release assistance was given and release was not seen."""
    inactivity_s: Parameter
    """Last datagram to release otherwise: the network's inactivity timer."""

    def rows(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its name; levels as ``name[ecl]``."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Parameter):
                yield field.name, value
            else:
                for level, parameter in enumerate(value):
                    yield f"{field.name}[{level}]", parameter


def _current(best_ma: float, low_ma: float, high_ma: float, source: str) -> Parameter:
    return Parameter(
        best=best_ma / 1e3, low=low_ma / 1e3, high=high_ma / 1e3, unit="A", source=source
    )


def _per_byte(
    bits: int, milliseconds: float, repetitions: int, spread: int, source: str
) -> Parameter:
    """Time per byte of a transport block; ``spread``: repetitions halved or doubled so often."""
    best = milliseconds / 1e3 * repetitions / (bits / 8)
    return Parameter(
        best=best, low=best / 2**spread, high=best * 2**spread, unit="s/B", source=source
    )


_UPLINK = "TS 36.213 table 16.5.1.2-2 with TS 36.211 table 10.1.2.3-1; networks choose: x/÷ "
_DOWNLINK = "TS 36.213 table 16.4.1.5.1-1; networks choose: x/÷ "

DEFAULT: Final = EnergyParameters(
    supply_v=Parameter(
        best=3.3,
        low=3.3,
        high=3.3,
        unit="V",
        source="a set voltage: the figures for the BC95 class are at 3.3 V",
    ),
    transmit_a=_current(
        165.0,
        110.0,
        220.0,
        "3GPP TR 45.820 section 5.4: 545 mW at 23 dBm; high: 220 mA, said of the BC95 class and "
        "not verified; low: less power than the maximum",
    ),
    receive_a=_current(
        46.0,
        27.0,
        74.0,
        "BC95 class 151.8 mW at 3.3 V (LoRaWAN-NBIoTEnergyModels, measured parameters); "
        "low: TR 45.820 90 mW; high: DRX peaks 66-74 mA (Robinson, Stellenbosch 2019)",
    ),
    connected_a=_current(
        30.6,
        6.0,
        46.0,
        "nRF9160 with a 12 s inactivity timer, with and without RAI: (395 - 28.15) mC / 12 s "
        "(Rostad, NTNU 2020); low: idle; high: receiving all the time",
    ),
    idle_a=_current(
        6.0,
        0.9,
        6.0,
        "BC95 class 19.8 mW at 3.3 V (LoRaWAN-NBIoTEnergyModels); low: TR 45.820 3 mW",
    ),
    psm_a=_current(
        0.0040,
        0.0008,
        0.0042,
        "Quectel hardware designs: BC65 4 uA; low: BC660K-GL 0.8 uA; high: BC950N-N1 4.2 uA",
    ),
    preamble_s=(
        Parameter(
            best=0.0056,
            low=0.0056,
            high=0.0112,
            unit="s",
            source="TS 36.211 10.1.6: format 0, 5.6 ms, once",
        ),
        Parameter(
            best=0.0448, low=0.0112, high=0.0896, unit="s", source="TS 36.211 10.1.6: 8 repetitions"
        ),
        Parameter(
            best=0.179, low=0.0448, high=0.358, unit="s", source="TS 36.211 10.1.6: 32 repetitions"
        ),
    ),
    signalling_bytes=Parameter(
        best=50,
        low=27,
        high=80,
        unit="B",
        source="RRC request 7, set-up complete 20, security 13, reconfiguration 10 "
        "(Andres-Maldonado et al. 2017); low: control plane optimisation",
    ),
    setup_s=(
        Parameter(
            best=1.5,
            low=0.3,
            high=2.0,
            unit="s",
            source="assumed: most of the mean delay of 1.8-2.0 s (Robinson 2019, ECL 0)",
        ),
        Parameter(
            best=2.5,
            low=1.0,
            high=3.8,
            unit="s",
            source="assumed: most of the mean delay of 2.5-3.8 s (Robinson 2019, ECL 1)",
        ),
        Parameter(
            best=5.0,
            low=1.0,
            high=10.0,
            unit="s",
            source="assumed: sending 200 B took 1.0-5.5 s (Robinson 2019, ECL 2)",
        ),
    ),
    npusch_s_per_byte=(
        _per_byte(936, 6 * 4, 1, 1, _UPLINK + "2"),
        _per_byte(568, 10 * 8, 8, 1, _UPLINK + "2"),
        _per_byte(424, 10 * 8, 16, 2, _UPLINK + "4"),
    ),
    npdsch_s_per_byte=(
        _per_byte(616, 4, 1, 1, _DOWNLINK + "2"),
        _per_byte(568, 10, 8, 1, _DOWNLINK + "2"),
        _per_byte(424, 10, 16, 2, _DOWNLINK + "4"),
    ),
    release_s=Parameter(
        best=0.5,
        low=0.1,
        high=2.0,
        unit="s",
        source="a network that honours RAI releases after its scheduler's next turn; assumed",
    ),
    inactivity_s=Parameter(
        best=10.0,
        low=5.0,
        high=20.0,
        unit="s",
        source="inactivity timers of 10 s (LoRaWAN-NBIoTEnergyModels) and 12 s (Rostad 2020)",
    ),
)
"""A Quectel BC66/BC95 class module at full power, by published figures."""
