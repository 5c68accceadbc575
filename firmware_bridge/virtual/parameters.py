"""Figures of the air and of the module, each with its source: the one file to argue with.

Nothing in here is code. A figure marked *assumed* has no published source that could be read; it is
chosen so that the published results beside it come out (see ``tests/firmware_bridge/virtual``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = [
    "ATTACH_SIGNALLING",
    "BC66_CURRENTS",
    "COVERAGE_LEVELS",
    "CURRENT_SOURCES",
    "DETACH_SIGNALLING",
    "DOWNLINK_BLOCK_BITS",
    "FAMILY_CURRENTS",
    "NAS_OVERHEAD_BYTES",
    "PAGING_S",
    "RELEASE_BYTES",
    "RESOURCE_UNIT_S",
    "RESYNCHRONISE_IDLE_S",
    "RESYNCHRONISE_SLEEP_S",
    "SETUP_COMPLETE_BYTES",
    "SUBFRAMES",
    "TRACKING_AREA_SIGNALLING",
    "UPLINK_BLOCK_BITS",
    "UPLINK_RESOURCE_UNITS",
    "CoverageLevel",
    "Currents",
]

UPLINK_RESOURCE_UNITS = (1, 2, 3, 4, 5, 6, 8, 10)
"""Resource units of one NPUSCH block (TS 36.213 table 16.5.1.1-2)."""

UPLINK_BLOCK_BITS: tuple[tuple[int, ...], ...] = (
    (16, 32, 56, 88, 120, 152, 208, 256),
    (24, 56, 88, 144, 176, 208, 256, 344),
    (32, 72, 144, 176, 208, 256, 328, 424),
    (40, 104, 176, 208, 256, 328, 440, 568),
    (56, 120, 208, 256, 328, 408, 552, 680),
    (72, 144, 224, 328, 424, 504, 680, 872),
    (88, 176, 256, 392, 504, 600, 808, 1000),
    (104, 224, 328, 472, 584, 712, 1000),
    (120, 256, 392, 536, 680, 808),
    (136, 296, 456, 616, 776, 936),
    (144, 328, 504, 680, 872, 1000),
    (176, 376, 584, 776, 1000),
    (208, 440, 680, 1000),
)
"""NPUSCH transport block sizes, bits: row I_TBS, column by resource units; category NB1, at most
1000 bits (TS 36.213 release 13, table 16.5.1.2-2)."""

SUBFRAMES = (1, 2, 3, 4, 5, 6, 8, 10)
"""Subframes of one NPDSCH block (TS 36.213 table 16.4.1.3-1)."""

DOWNLINK_BLOCK_BITS: tuple[tuple[int, ...], ...] = (
    (16, 32, 56, 88, 120, 152, 208, 256),
    (24, 56, 88, 144, 176, 208, 256, 344),
    (32, 72, 144, 176, 208, 256, 328, 424),
    (40, 104, 176, 208, 256, 328, 440, 568),
    (56, 120, 208, 256, 328, 408, 552, 680),
    (72, 144, 224, 328, 424, 504, 680),
    (88, 176, 256, 392, 504, 600),
    (104, 224, 328, 472, 584, 680),
    (120, 256, 392, 536, 680),
    (136, 296, 456, 616),
    (144, 328, 504, 680),
    (176, 376, 584),
    (208, 440, 680),
)
"""NPDSCH transport block sizes, bits: row I_TBS, column by subframes; category NB1, at most 680
bits (TS 36.213 release 13, table 16.4.1.5.1-1)."""

RESOURCE_UNIT_S: dict[int, float] = {1: 0.008, 3: 0.004, 6: 0.002, 12: 0.001}
"""How long a resource unit lasts at 15 kHz, by number of subcarriers (TS 36.211 table
10.1.2.3-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLevel:
    """What the cell schedules for a module in one coverage enhancement level."""

    preamble_repetitions: int
    """NPRACH repetitions, each 5.6 ms (TS 36.211 10.1.6, preamble format 0)."""
    preamble_period_s: float
    """NPRACH periodicity (TS 36.331 nprach-Periodicity): one of 40 ms to 2.56 s."""
    control_repetitions: int
    """NPDCCH repetitions of one message; one subframe each."""
    control_period_s: float
    """NPDCCH search space period T = Rmax * G (TS 36.213 16.6)."""
    uplink_subcarriers: int
    """NPUSCH subcarriers of 15 kHz: 1, 3, 6 or 12."""
    uplink_mcs: int
    """I_TBS of NPUSCH."""
    uplink_repetitions: int
    """NPUSCH repetitions: 1 to 128 (TS 36.213 table 16.5.1.1-3)."""
    downlink_mcs: int
    """I_TBS of NPDSCH."""
    downlink_repetitions: int
    """NPDSCH repetitions: 1 to 2048 (TS 36.213 table 16.4.1.3-2)."""
    block_loss: float
    """Share of transport blocks that need another transmission (0 to 1)."""


COVERAGE_LEVELS: tuple[CoverageLevel, CoverageLevel, CoverageLevel] = (
    CoverageLevel(
        preamble_repetitions=2,
        preamble_period_s=0.160,
        control_repetitions=2,
        control_period_s=0.032,
        uplink_subcarriers=12,
        uplink_mcs=9,
        uplink_repetitions=1,
        downlink_mcs=9,
        downlink_repetitions=1,
        block_loss=0.05,
    ),
    CoverageLevel(
        preamble_repetitions=8,
        preamble_period_s=0.320,
        control_repetitions=16,
        control_period_s=0.064,
        uplink_subcarriers=1,
        uplink_mcs=5,
        uplink_repetitions=8,
        downlink_mcs=4,
        downlink_repetitions=8,
        block_loss=0.10,
    ),
    CoverageLevel(
        preamble_repetitions=32,
        preamble_period_s=0.640,
        control_repetitions=64,
        control_period_s=0.256,
        uplink_subcarriers=1,
        uplink_mcs=2,
        uplink_repetitions=32,
        downlink_mcs=1,
        downlink_repetitions=32,
        block_loss=0.10,
    ),
)
"""Normal, robust and extreme coverage (144, 154 and 164 dB coupling loss). The ranges are the
standard's; which values a cell picks is its operator's: these are *assumed*, with a block loss
target of 10 % (TR 45.820 7.A), so that mean delay and joules per byte come out in the range
measured on live Ericsson cells (dan-leo/masters, appendix: 1.8 to 2.0 s at ECL 0, 2.5 to 3.8 s at
ECL 1; of the order of 0.07 mJ a byte at ECL 0, 6 mJ a byte at ECL 1)."""

NAS_OVERHEAD_BYTES = 14
"""Around a user packet on the control plane: RRC transfer 2, NAS security header 6, ESM DATA
TRANSPORT header and container length 6 (TS 24.301 8.3.25, TS 36.331 6.2.2)."""

SETUP_COMPLETE_BYTES = 24
"""RRCConnectionSetupComplete-NB with a control plane service request (TS 24.301 8.2.33)."""

RELEASE_BYTES = 8
"""RRCConnectionRelease-NB."""

RESYNCHRONISE_IDLE_S = 0.16
"""NPSS/NSSS and a master information block from a cell that was heard seconds ago (*assumed*;
one NPBCH block is 80 ms, TS 36.211 10.2.4)."""

RESYNCHRONISE_SLEEP_S = 0.70
"""The same after power saving mode, where the clock has drifted: synchronisation, master
information (640 ms, TS 36.211 10.2.4) and the check of system information (*assumed*)."""

PAGING_S = 0.02
"""Receiver time of one paging occasion with its warm-up (*assumed*)."""

ATTACH_SIGNALLING: tuple[tuple[str, int], ...] = (
    ("up", 90),
    ("down", 40),
    ("up", 20),
    ("down", 25),
    ("up", 25),
    ("down", 110),
    ("up", 20),
)
"""Attach with PDN connectivity: request, authentication, security mode, accept, complete, with
sizes in bytes (TS 24.301 5.5.1; sizes *assumed* from its information elements)."""

TRACKING_AREA_SIGNALLING: tuple[tuple[str, int], ...] = (("up", 45), ("down", 45), ("up", 12))
"""Tracking area update: request, accept, complete (TS 24.301 5.5.3)."""

DETACH_SIGNALLING: tuple[tuple[str, int], ...] = (("up", 25), ("down", 12))
"""Detach: request, accept (TS 24.301 5.5.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Currents:
    """Supply current by what the module is doing, amperes at the supply pin."""

    off_a: float
    """Switched off."""
    deep_sleep_a: float
    """PSM with the processor down; the serial line is deaf."""
    light_sleep_a: float
    """Idle between paging occasions, processor asleep."""
    awake_a: float
    """Processor and serial line running, radio off."""
    receive_a: float
    """Receiver on."""
    transmit_a: tuple[tuple[float, float], ...]
    """(output power dBm, current) points, ascending; linear between, flat outside."""


BC66_CURRENTS = Currents(
    off_a=0.0,
    deep_sleep_a=3.5e-6,
    light_sleep_a=0.25e-3,
    awake_a=6.0e-3,
    receive_a=46.0e-3,
    transmit_a=((0.0, 0.070), (10.0, 0.100), (23.0, 0.220)),
)
"""A module of the BC66 class at 3.3 V."""

FAMILY_CURRENTS: dict[str, Currents] = {
    "bc66": BC66_CURRENTS,
    "bc660k": replace(BC66_CURRENTS, deep_sleep_a=0.8e-6),
    "bc95": replace(BC66_CURRENTS, deep_sleep_a=3.0e-6),
}
"""By family: deep sleep is 0.8 uA for a BC660K-GL (Quectel hardware design) and 9.9 uW at 3.3 V for
the BC95 class (peteryej/LoRaWAN-NBIoTEnergyModels); the rest as for the BC66."""

CURRENT_SOURCES: dict[str, str] = {
    "off_a": "definition",
    "deep_sleep_a": "Quectel BC66 product specification: 3.5 uA in PSM (3.5 to 4.2 uA across the "
    "family: BC65 4, BC950N 4.2, BC660K-GL 0.8)",
    "light_sleep_a": "assumed, between the awake figure and deep sleep; SARA-N210 without PSM is "
    "'a few mA' with the paging included",
    "awake_a": "BC95 class at 3.3 V, idle 19.8 mW (peteryej/LoRaWAN-NBIoTEnergyModels)",
    "receive_a": "BC95 class at 3.3 V, receive 151.8 mW (same); cDRX peaks of 66 to 74 mA in "
    "D. Robinson's thesis include the processor",
    "transmit_a": "220 mA at 23 dBm (Quectel BC95 data sheet); lower powers assumed, between the "
    "nRF9160's 35 to 45 mA means at one third duty and that point",
}
"""Where each field of :data:`BC66_CURRENTS` comes from."""
