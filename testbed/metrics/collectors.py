"""What is exported: the journal's records as they come, and the HSE's counters as they stand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from prometheus_client.metrics_core import Metric as Family

from testbed.analysis.bytes import LayerBytes
from testbed.metrics.catalogue import CATALOGUE, LATENCY_BUCKETS_S
from testbed.metrics.exposition import Encoder
from testbed.metrics.series import Bounded, SeriesSet
from testbed.results.records import (
    EndRecord,
    EnergyRecord,
    FaultRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Record,
    RunRecord,
    RunStatus,
    SessionRecord,
    record_from_dict,
)

__all__ = ["HseCounters", "HseMetrics", "RunMetrics", "run_labels"]

_HSE_PREFIX: Final = "testbed_hse_"
_SUITE_PREFIX: Final = "testbed_suite_"
_STATES: Final = ("setup", "transmit", "receive", "tail", "sleep")
_PHASES: Final = ("starting", "attaching", "idle", "connected", "asleep", "recovering", "ended")
_REGISTERED: Final = ("idle", "connected", "asleep")
_UNKNOWN: Final = "unknown"
_USIMS: Final = ("csim", "cgla", "soft")


class RunMetrics:
    """A run's metrics, fed with the records of its journal in their order.

    It is a collector: register it with a `MetricsServer` or a ``CollectorRegistry`` of its own.

    Args:
        run_id: names the run in exemplars and in ``testbed_run_info``; never a label elsewhere.
        wall_clock: gives Unix time, in seconds: when the latest message ended.
    """

    def __init__(self, run_id: str = "", *, wall_clock: Callable[[], float] = time.time) -> None:
        self._run_id = run_id
        self._wall_clock = wall_clock
        self._series = SeriesSet(
            entry.name
            for entry in CATALOGUE
            if not entry.name.startswith((_HSE_PREFIX, _SUITE_PREFIX))
        )
        self._reasons = Bounded()
        self._packet_types = Bounded()
        self._faults = Bounded()
        self._rekeyings = Bounded()
        self._failures = Bounded()
        self._timeout_s = LATENCY_BUCKETS_S[-1]
        self._run = run_labels(RunRecord())
        self._carriers: dict[str, str] = {}

    def observe(self, record: Record | Mapping[str, Any]) -> None:
        """Count one record of the journal.

        Args:
            record: a record, or the dictionary of a journal's line; unknown kinds are ignored.

        Raises:
            RecordError: a dictionary that is not the record its kind says.
        """
        known = record_from_dict(record) if isinstance(record, Mapping) else record
        with self._series.lock:
            match known:
                case MessageRecord(warm_up=True):
                    self._series.add("testbed_warm_up_messages_total", self._run)
                    self._ended()
                case MessageRecord():
                    self._message(known)
                    self._ended()
                case SessionRecord():
                    self._session(known)
                case FeedbackRecord():
                    self._feedback(known)
                case KeepaliveRecord():
                    self._keepalive(known)
                case FaultRecord():
                    self._fault(known)
                case RunRecord():
                    self._start(known)
                case EndRecord(status=status):
                    complete = status is RunStatus.COMPLETE
                    self._series.set("testbed_run_complete", self._run, float(complete))

    def phase(self, phase: str) -> None:
        """Say what the module is doing now.

        Args:
            phase: one of the catalogue's values of that label.

        Raises:
            ValueError: it is none of them.
        """
        if phase not in _PHASES:
            raise ValueError(f"{phase!r} is none of {', '.join(_PHASES)}")
        series = self._series
        with series.lock:
            for one in _PHASES:
                series.set("testbed_module_state", self._run | {"phase": one}, float(one == phase))
            series.set("testbed_module_registered", self._run, float(phase in _REGISTERED))

    def describe(self) -> Iterable[Family]:
        """The families' names, for the registry."""
        return self._series.describe()

    def collect(self) -> Iterable[Family]:
        """One consistent snapshot."""
        return self._series.collect()

    def expose(self, encode: Encoder, format_name: str) -> bytes:
        """See `SeriesSet.expose`."""
        return self._series.expose(encode, format_name)

    def value(self, name: str, **labels: str) -> float:
        """A counter's or gauge's value; labels that are not given are the run's own."""
        return self._series.value(name, self._run | labels)

    def _start(self, record: RunRecord) -> None:
        self._run = run_labels(record)
        self._carriers = {
            cell["name"]: _CARRIERS.get(cell["pdp_type"], _UNKNOWN)
            for cell in record.cells or ()
            if "pdp_type" in cell
        }
        timeout_s = record.settings.get("answer_timeout_s")
        if isinstance(timeout_s, int | float):
            self._timeout_s = float(timeout_s)
        details = {
            "run": self._run_id,
            "version": record.testbed_version,
            "seed": str(record.seed),
        }
        planned = record.messages * len(record.cells or record.configurations)
        self._series.set("testbed_run_info", self._run | details, 1.0)
        self._series.set("testbed_run_planned_messages", self._run, planned)
        if record.time_scale is not None:
            self._series.set("testbed_run_time_scale_ratio", self._run, record.time_scale)
        self._series.set("testbed_run_complete", self._run, 0.0)

    def _ended(self) -> None:
        """A message is over."""
        self._series.set(
            "testbed_module_last_message_timestamp_seconds", self._run, self._wall_clock()
        )

    def _message(self, record: MessageRecord) -> None:
        radio = record.radio or {}
        labels = self._run | {
            "security": record.security,
            "compression": record.compression,
            "carrier": self._carrier(record.cell),
            "ecl": _level(radio.get("ecl")),
        }
        exemplar = {"run": self._run_id, "message": f"{record.configuration}/{record.index}"}
        series = self._series
        series.add("testbed_messages_total", labels | {"outcome": record.outcome.value})
        if record.latency_s is None:
            reason = self._reasons(record.reason or record.outcome.value)
            series.add("testbed_messages_unanswered_total", labels | {"reason": reason})
        series.observe(
            "testbed_message_latency_seconds",
            labels,
            self._timeout_s if record.latency_s is None else record.latency_s,
            beyond=record.latency_s is None,
            exemplar=exemplar,
        )
        for direction, layers, packet_type in (
            ("uplink", record.uplink_bytes, record.uplink_packet),
            ("downlink", record.downlink_bytes, record.downlink_packet),
        ):
            self._packet(labels | {"direction": direction}, layers, packet_type)
        if record.energy is not None:
            self._energy(labels | {"kind": record.energy.kind}, record.energy, exemplar)
        for name in ("ecl", "rsrp_dbm"):
            value = radio.get(name)
            if isinstance(value, int | float):
                series.set(f"testbed_module_{name}", self._run, float(value))

    def _packet(
        self, labels: Mapping[str, str], layers: LayerBytes | None, packet_type: str | None
    ) -> None:
        if layers is not None:
            self._series.add("testbed_message_packets_total", labels)
            for layer, count in layers:
                if count:
                    self._series.add(
                        "testbed_message_bytes_total", {**labels, "layer": layer.value}, count
                    )
        if packet_type is not None:
            self._series.add(
                "testbed_rohc_packets_total",
                {**labels, "packet_type": self._packet_types(packet_type)},
            )

    def _energy(
        self, labels: Mapping[str, str], energy: EnergyRecord, exemplar: Mapping[str, str]
    ) -> None:
        self._series.observe(
            "testbed_message_energy_joules", labels, energy.total_j, exemplar=exemplar
        )
        for state in _STATES:
            self._series.add(
                "testbed_message_state_energy_joules_total",
                {**labels, "state": state},
                getattr(energy, f"{state}_j"),
            )

    def _session(self, record: SessionRecord) -> None:
        labels = self._arm(record)
        series = self._series
        if record.failure is None:
            series.add("testbed_sessions_total", labels)
        series.add("testbed_session_attempts_total", labels, record.attempts)
        for direction, count in (("uplink", record.bytes_up), ("downlink", record.bytes_down)):
            series.add("testbed_session_bytes_total", labels | {"direction": direction}, count)
        if record.failure is None:
            series.observe("testbed_session_setup_seconds", labels, record.setup_s)
        if record.reason is not None:
            reason = self._rekeyings(record.reason)
            series.add("testbed_session_rekeyings_total", labels | {"reason": reason})
        if record.failure is not None:
            failure = self._failures(record.failure)
            series.add("testbed_session_failures_total", labels | {"reason": failure})
        if record.usim is not None:
            usim = labels | {"usim": record.usim if record.usim in _USIMS else _UNKNOWN}
            times = record.resynchronisations or 0
            series.add("testbed_session_resynchronisations_total", usim, times)
            if record.usim_s is not None:
                series.observe("testbed_session_usim_seconds", usim, record.usim_s)
        self._extra_energy("testbed_session_energy_joules_total", labels, record.energy)

    def _feedback(self, record: FeedbackRecord) -> None:
        for direction, layers in (
            ("uplink", record.uplink_bytes),
            ("downlink", record.downlink_bytes),
        ):
            if layers is not None:
                labels = self._arm(record) | {"direction": direction}
                self._series.add("testbed_feedback_packets_total", labels)
                self._series.add("testbed_feedback_bytes_total", labels, layers.total)
        self._extra_energy("testbed_feedback_energy_joules_total", self._arm(record), record.energy)

    def _extra_energy(
        self, name: str, labels: Mapping[str, str], energy: EnergyRecord | None
    ) -> None:
        """Energy of what is no message."""
        if energy is not None:
            self._series.add(name, {**labels, "kind": energy.kind}, energy.total_j)

    def _fault(self, record: FaultRecord) -> None:
        labels = self._run | {"fault": self._faults(record.fault)}
        self._series.add("testbed_module_faults_total", labels)
        if record.recovered_s is not None:
            self._series.observe("testbed_module_recovery_seconds", labels, record.recovered_s)

    def _keepalive(self, record: KeepaliveRecord) -> None:
        labels = self._arm(record)
        self._series.add("testbed_keepalive_packets_total", labels)
        self._series.add("testbed_keepalive_bytes_total", labels, record.uplink_bytes.total)
        self._extra_energy("testbed_keepalive_energy_joules_total", labels, record.energy)

    def _arm(self, record: SessionRecord | FeedbackRecord | KeepaliveRecord) -> dict[str, str]:
        """The labels of a configuration, read off its name, and its carrier; no suite."""
        compression, _, security = record.configuration.partition("/")[0].rpartition("+")
        if record.configuration == "rohc":
            compression, security = "rohc", "none"
        return self._run | {
            "security": security,
            "compression": compression or "none",
            "carrier": self._carrier(record.cell),
        }

    def _carrier(self, cell: str | None) -> str:
        """What carried a campaign's cell, where that is a factor; else the run's own."""
        return self._carriers.get(cell or "", self._run["carrier"])


_CARRIERS = {"ip": "udp", "non-ip": "non-ip"}
"""A carrier's label by the type of the PDN connection."""


def run_labels(record: RunRecord) -> dict[str, str]:
    """The labels that are the same for all of a run."""
    return {
        "bench": record.bench or "default",
        "module": record.module or _UNKNOWN,
        "origin": record.origin,
        "carrier": str(record.settings.get("carrier", "udp")),
        "payload": record.traffic or _UNKNOWN,
    }


def _level(value: object) -> str:
    """A coverage enhancement level as a label."""
    return str(value) if value in (0, 1, 2) and not isinstance(value, bool) else _UNKNOWN


class HseCounters(Protocol):
    """What the HSE has counted so far; `testbed.hse.gateway.GatewaySnapshot` is one."""

    @property
    def datagrams(self) -> Mapping[str, int]:
        """Datagrams read, by port."""

    @property
    def bytes_received(self) -> Mapping[str, int]:
        """Octets of their payloads, by port."""

    @property
    def delivered(self) -> Mapping[str, int]:
        """Messages that reached the application, by port."""

    @property
    def answered(self) -> Mapping[str, int]:
        """Answers given back, by port."""

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        """Datagrams refused, by port and reason."""

    @property
    def feedback(self) -> Mapping[str, int]:
        """Packets sent with ROHC feedback and nothing else, by port."""

    @property
    def repairs(self) -> Mapping[str, int]:
        """ROHC channels that gave a packet again after they had refused one, by port."""

    @property
    def lifetimes(self) -> Mapping[str, int]:
        """Sessions that reached their soft or hard lifetime."""

    @property
    def notices(self) -> int:
        """Notices sent that an association is not known."""

    @property
    def keepalives(self) -> int:
        """NAT keepalives seen."""

    @property
    def exchanges(self) -> int:
        """Key exchanges that gave a session."""

    @property
    def sessions(self) -> int:
        """Sessions alive now."""

    @property
    def security_associations(self) -> int:
        """Inbound security associations alive now."""

    @property
    def rohc_contexts(self) -> int:
        """ROHC channels alive now."""


class HseMetrics:
    """The HSE's counters as metrics, read anew at each scrape.

    Args:
        snapshot: gives the counters. It is called in the thread that answers the scrape, while
            the HSE goes on in its own: when a dictionary changes under it (``RuntimeError``) it
            is asked again, and after a few times the scrape gets the counters of the last one.
    """

    def __init__(self, snapshot: Callable[[], HseCounters]) -> None:
        self._snapshot = snapshot
        self._reasons = Bounded()
        self._last: HseCounters | None = None

    def describe(self) -> Iterable[Family]:
        """The families' names, for the registry."""
        return self._empty().describe()

    def collect(self) -> Iterable[Family]:
        """The counters as they stand."""
        series = self._empty()
        counters = self._counters()
        if counters is None:
            return series.collect()
        by_port = {
            "datagrams": counters.datagrams,
            "received_bytes": counters.bytes_received,
            "delivered": counters.delivered,
            "answered": counters.answered,
            "feedback": counters.feedback,
            "rohc_repairs": {"esp": 0, "rohc": 0, **counters.repairs},
        }
        for name, counts in by_port.items():
            for port, count in counts.items():
                series.add(f"{_HSE_PREFIX}{name}_total", {"port": str(port)}, count)
        for (port, reason), count in counters.rejected.items():
            labels = {"port": str(port), "reason": self._reasons(reason)}
            series.add(f"{_HSE_PREFIX}rejected_total", labels, count)
        for limit, count in counters.lifetimes.items():
            series.add(f"{_HSE_PREFIX}lifetimes_total", {"limit": limit}, count)
        series.add(f"{_HSE_PREFIX}notices_total", {}, counters.notices)
        series.add(f"{_HSE_PREFIX}keepalives_total", {}, counters.keepalives)
        series.add(f"{_HSE_PREFIX}key_exchanges_total", {}, counters.exchanges)
        series.set(f"{_HSE_PREFIX}sessions", {}, counters.sessions)
        series.set(f"{_HSE_PREFIX}security_associations", {}, counters.security_associations)
        series.set(f"{_HSE_PREFIX}rohc_contexts", {}, counters.rohc_contexts)
        return series.collect()

    def _counters(self) -> HseCounters | None:
        for _ in range(5):
            try:
                self._last = self._snapshot()
            except RuntimeError:
                continue
            break
        return self._last

    @staticmethod
    def _empty() -> SeriesSet:
        return SeriesSet(entry.name for entry in CATALOGUE if entry.name.startswith(_HSE_PREFIX))
