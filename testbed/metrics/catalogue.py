"""The metric catalogue: every metric that the testbed exports, once.

Rules, after the Prometheus naming practices: the prefix ``testbed_``; base units in the name
(seconds, bytes, joules); ``_total`` on counters; labels few and bounded. Run ids and message
numbers never are labels: they travel as exemplars, or in ``testbed_run_info``.

No panel, rule or baseline mixes origins (``real``, ``virtual``) or energy kinds (``measured``,
``estimated``): that is what those labels are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "CATALOGUE",
    "ENERGY_BUCKETS_J",
    "LATENCY_BUCKETS_S",
    "RECOVERY_BUCKETS_S",
    "Metric",
    "MetricType",
    "markdown",
    "metric",
]

PREFIX: Final = "testbed_"
"""What every name begins with."""

LATENCY_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
"""Upper bounds in seconds: NB-IoT answers within a second or within a minute."""

RECOVERY_BUCKETS_S: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper bounds in seconds: a reboot takes a few, a pause between two attempts half a minute."""

ENERGY_BUCKETS_J: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Upper bounds in joules: a message costs a tenth of a joule to tens of joules."""


class MetricType(StrEnum):
    """A metric's type in the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of the catalogue."""

    name: str
    """The name as exported and queried, ``_total`` and ``_info`` included."""
    type: MetricType
    """Counter, gauge, histogram or info."""
    unit: str
    """The base unit, or what is counted; histograms and byte or joule counters name it."""
    labels: tuple[str, ...]
    """Label names, in the order in which values are given."""
    help: str
    """One or two sentences: what is counted, and what is not."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, without the last, which is infinite."""


LABELS: Final[dict[str, str]] = {
    "bench": "name of the bench",
    "module": "family of the module, such as `bc66`",
    "origin": "`real` or `virtual`; never mixed",
    "security": "`none`, `esp-transport` or `esp-tunnel`",
    "compression": "`none` or `rohc`",
    "carrier": "what carries the packets: `udp`, or `non-ip` data",
    "ecl": "coverage enhancement level `0`, `1`, `2`, or `unknown`",
    "payload": "where the payloads come from",
    "outcome": "`answered`, `lost` (no answer before the time-out) or `failed` (not sent)",
    "fault": "what went wrong with the module: `line-lost`, `rebooted`, `sim-lost`, "
    "`network-lost`, `silent`, `garbage`, `flood` or `refused`",
    "reason": "short and stable; at most 32 of them, then `other`",
    "usim": "the way to the USIM: `csim`, `cgla`, or `soft` where software stood in for it",
    "direction": "`uplink` or `downlink`",
    "layer": "a byte layer of the packet, in the journal's names",
    "packet_type": "a ROHC packet type; at most 32 of them, then `other`",
    "kind": "`measured` or `estimated`; never mixed",
    "state": "`setup`, `transmit`, `receive`, `tail` or `sleep`",
    "phase": "`starting`, `attaching`, `idle`, `connected`, `asleep`, `recovering` or `ended`",
    "port": "a port of the HSE: `esp`, `rohc` or `plain`",
    "run": "id of the run, in `testbed_run_info` and exemplars only",
    "version": "version of the testbed",
    "seed": "the run's seed",
    "limit": "`soft` or `hard`",
    "arm": "a configuration, or a campaign's cell; at most 100 of them, then `other`",
    "grade": "`pass`, `warn`, `fail`, `inconclusive` or `not-judged`",
    "measure": "a figure that a limit can be about, such as `latency_median`",
    "statistic": "`median` or `p95`",
    "estimate": "`value`, or an end of its 95 % interval: `low`, `high`",
}
"""Every label with the values it may have."""

_RUN: Final = ("bench", "module", "origin")
_MESSAGE: Final = (*_RUN, "security", "compression", "carrier", "ecl", "payload")
_SESSION: Final = (*_RUN, "security", "compression", "carrier", "payload")
_ARM: Final = (*_RUN, "security", "compression", "arm")


def _counter(name: str, unit: str, labels: tuple[str, ...], text: str) -> Metric:
    return Metric(
        name=f"{PREFIX}{name}_total",
        type=MetricType.COUNTER,
        unit=unit,
        labels=labels,
        help=text,
    )


def _gauge(name: str, unit: str, labels: tuple[str, ...], text: str) -> Metric:
    return Metric(
        name=f"{PREFIX}{name}", type=MetricType.GAUGE, unit=unit, labels=labels, help=text
    )


def _histogram(
    name: str, unit: str, labels: tuple[str, ...], buckets: tuple[float, ...], text: str
) -> Metric:
    return Metric(
        name=f"{PREFIX}{name}",
        type=MetricType.HISTOGRAM,
        unit=unit,
        labels=labels,
        help=text,
        buckets=buckets,
    )


CATALOGUE: Final[tuple[Metric, ...]] = (
    Metric(
        name=f"{PREFIX}run_info",
        type=MetricType.INFO,
        unit="",
        labels=(*_RUN, "run", "version", "payload", "seed"),
        help="The run that is being exported; always 1.",
    ),
    _gauge(
        "run_planned_messages",
        "messages",
        _RUN,
        "Messages that the run is to send, over all its configurations.",
    ),
    _gauge(
        "run_time_scale_ratio",
        "ratio",
        _RUN,
        "Seconds of module time per real second; 1 on real modules. Durations are module time.",
    ),
    _gauge("run_complete", "boolean", _RUN, "1 once the run came to its end, 0 before."),
    _counter(
        "messages",
        "messages",
        (*_MESSAGE, "outcome"),
        "Messages by how they ended.",
    ),
    _counter(
        "warm_up_messages",
        "messages",
        _RUN,
        "Messages that only warmed a campaign's cell up; no other metric counts them.",
    ),
    _counter(
        "messages_unanswered",
        "messages",
        (*_MESSAGE, "reason"),
        "Messages without an answer by reason, lost and failed together.",
    ),
    _histogram(
        "message_latency_seconds",
        "seconds",
        _MESSAGE,
        LATENCY_BUCKETS_S,
        "Submission to delivery of the answer, in module time. A message without an answer counts "
        "in the infinite bucket, so that quantiles do not improve by losing messages; it adds its "
        "time-out to the sum.",
    ),
    _counter(
        "message_packets",
        "packets",
        (*_MESSAGE, "direction"),
        "Outer IP packets of messages; key exchanges are not among them.",
    ),
    _counter(
        "message_bytes",
        "bytes",
        (*_MESSAGE, "direction", "layer"),
        "Bytes of messages' outer IP packets by layer; the layers sum to the packets' sizes.",
    ),
    _counter(
        "rohc_packets",
        "packets",
        (*_MESSAGE, "direction", "packet_type"),
        "ROHC packets of messages by packet type.",
    ),
    _histogram(
        "message_energy_joules",
        "joules",
        (*_MESSAGE, "kind"),
        ENERGY_BUCKETS_J,
        "Energy of a message, answered or not.",
    ),
    _counter(
        "message_state_energy_joules",
        "joules",
        (*_MESSAGE, "kind", "state"),
        "Energy of messages by what the module was doing.",
    ),
    _counter(
        "sessions",
        "sessions",
        _SESSION,
        "Sessions set up with the HSE: key exchanges that gave keys.",
    ),
    _counter(
        "session_attempts",
        "requests",
        _SESSION,
        "Requests sent to set sessions up, retransmissions included.",
    ),
    _counter(
        "session_bytes",
        "bytes",
        (*_SESSION, "direction"),
        "Bytes of key exchanges, outer headers included.",
    ),
    _counter(
        "session_rekeyings",
        "exchanges",
        (*_SESSION, "reason"),
        "Key exchanges that the UE began to replace its keys, by reason, failed ones included.",
    ),
    _counter(
        "session_energy_joules",
        "joules",
        (*_SESSION, "kind"),
        "Energy of key exchanges, where it is known.",
    ),
    _histogram(
        "session_setup_seconds",
        "seconds",
        _SESSION,
        LATENCY_BUCKETS_S,
        "First request to keys in place, in module time.",
    ),
    _counter(
        "session_failures",
        "exchanges",
        (*_SESSION, "reason"),
        "Key exchanges that gave no keys, by reason.",
    ),
    _counter(
        "session_resynchronisations",
        "answers",
        (*_SESSION, "usim"),
        "Challenges that the USIM answered with a synchronisation failure.",
    ),
    _histogram(
        "session_usim_seconds",
        "seconds",
        (*_SESSION, "usim"),
        LATENCY_BUCKETS_S,
        "Time that the USIM took in a key exchange with AKA, the module's line included, in module "
        "time.",
    ),
    _counter(
        "feedback_packets",
        "packets",
        (*_SESSION, "direction"),
        "Packets that carried ROHC feedback and nothing else.",
    ),
    _counter(
        "feedback_bytes",
        "bytes",
        (*_SESSION, "direction"),
        "Bytes of packets that carried ROHC feedback and nothing else, outer headers included.",
    ),
    _counter(
        "feedback_energy_joules",
        "joules",
        (*_SESSION, "kind"),
        "Energy of packets that the UE sent with ROHC feedback and nothing else.",
    ),
    _counter(
        "keepalive_packets",
        "packets",
        _SESSION,
        "NAT keepalives that the UE sent (RFC 3948 section 4).",
    ),
    _counter(
        "keepalive_bytes",
        "bytes",
        _SESSION,
        "Bytes of NAT keepalives, outer headers included.",
    ),
    _counter(
        "keepalive_energy_joules",
        "joules",
        (*_SESSION, "kind"),
        "Energy of NAT keepalives, but for those sent while an answer was awaited.",
    ),
    _gauge(
        "module_state",
        "boolean",
        (*_RUN, "phase"),
        "1 for what the module is doing now, 0 for everything else.",
    ),
    _gauge(
        "module_registered",
        "boolean",
        _RUN,
        "1 while the module is attached to the network, as far as is known.",
    ),
    _gauge(
        "module_last_message_timestamp_seconds",
        "seconds",
        _RUN,
        "When the module's latest message ended, in Unix time.",
    ),
    _counter(
        "module_faults",
        "faults",
        (*_RUN, "fault"),
        "What went wrong with the module, by what was noticed.",
    ),
    _histogram(
        "module_recovery_seconds",
        "seconds",
        (*_RUN, "fault"),
        RECOVERY_BUCKETS_S,
        "From a fault noticed to the module attached again, in module time. A module that did not "
        "come back is among the faults only.",
    ),
    _gauge(
        "module_ecl",
        "level",
        _RUN,
        "Coverage enhancement level in the module's latest radio report.",
    ),
    _gauge(
        "module_rsrp_dbm",
        "dBm",
        _RUN,
        "Reference signal received power in the module's latest radio report.",
    ),
    _counter("hse_datagrams", "datagrams", ("port",), "Datagrams that the HSE read."),
    _counter(
        "hse_received_bytes", "bytes", ("port",), "Octets of the UDP payloads that the HSE read."
    ),
    _counter(
        "hse_delivered", "messages", ("port",), "Messages that reached the HSE's application."
    ),
    _counter("hse_answered", "messages", ("port",), "Answers that the HSE gave back."),
    _counter(
        "hse_feedback",
        "packets",
        ("port",),
        "Packets that the HSE sent with ROHC feedback and nothing else.",
    ),
    _counter(
        "hse_rohc_repairs",
        "repairs",
        ("port",),
        "ROHC channels that gave a packet again after they had refused one or more.",
    ),
    _counter(
        "hse_rejected",
        "datagrams",
        ("port", "reason"),
        "Datagrams that the HSE refused, by reason; none of them reached the application.",
    ),
    _counter(
        "hse_notices",
        "datagrams",
        (),
        "Notices that the HSE sent to peers whose association it does not know.",
    ),
    _counter(
        "hse_keepalives", "datagrams", (), "NAT keepalives that the HSE saw (RFC 3948 section 2.3)."
    ),
    _counter(
        "hse_lifetimes",
        "sessions",
        ("limit",),
        "Sessions at the HSE that reached their soft or their hard lifetime.",
    ),
    _counter("hse_key_exchanges", "exchanges", (), "Key exchanges that gave the HSE a session."),
    _gauge("hse_sessions", "sessions", (), "Sessions alive at the HSE."),
    _gauge(
        "hse_security_associations",
        "associations",
        (),
        "Inbound security associations alive at the HSE.",
    ),
    _gauge(
        "hse_rohc_contexts",
        "channels",
        (),
        "ROHC channels alive at the HSE, one each way per session that compresses.",
    ),
    Metric(
        name=f"{PREFIX}suite_run_info",
        type=MetricType.INFO,
        unit="",
        labels=(*_RUN, "run", "version", "seed"),
        help="The suite's latest complete run; always 1.",
    ),
    _gauge(
        "suite_last_run_timestamp_seconds",
        "seconds",
        _RUN,
        "When the suite's latest complete run ended, in Unix time.",
    ),
    _gauge(
        "suite_last_success_timestamp_seconds",
        "seconds",
        _RUN,
        "When the suite's latest complete run without a failed or undecided limit ended, in Unix "
        "time; later runs leave it as it is until one succeeds.",
    ),
    _gauge(
        "suite_grade", "boolean", (*_RUN, "grade"), "1 for the grade of the suite's latest run."
    ),
    _gauge(
        "suite_limits",
        "limits",
        (*_RUN, "grade"),
        "Limits of the suite's latest run by what became of them.",
    ),
    _gauge(
        "suite_messages",
        "messages",
        (*_ARM, "outcome"),
        "Messages of the suite's latest run; `lost` and `failed` count as `lost`.",
    ),
    _gauge(
        "suite_latency_seconds",
        "seconds",
        (*_ARM, "statistic", "estimate"),
        "Latency in the suite's latest run, messages without an answer as slower than the "
        "time-out.",
    ),
    _gauge(
        "suite_uplink_bytes",
        "bytes",
        (*_ARM, "estimate"),
        "Mean size of an uplink packet in the suite's latest run, outer IP header included.",
    ),
    _gauge(
        "suite_energy_joules",
        "joules",
        (*_ARM, "kind", "estimate"),
        "Mean energy of a message in the suite's latest run.",
    ),
    _gauge(
        "suite_regression_ratio",
        "ratio",
        (*_ARM, "measure", "estimate"),
        "A figure of the suite's latest run over its baseline's, turned so that above 1 is worse.",
    ),
)
"""All metrics, in the order in which they are exported and documented."""

_BY_NAME: Final = {entry.name: entry for entry in CATALOGUE}


def metric(name: str) -> Metric:
    """The metric of that name.

    Args:
        name: the exported name, such as ``testbed_messages_total``.

    Raises:
        KeyError: the catalogue has no such metric.
    """
    return _BY_NAME[name]


def markdown() -> str:
    """The catalogue as the tables of ``docs/metrics.md``."""
    lines = ["| metric | type | unit | labels | what it says |", "|---|---|---|---|---|"]
    for entry in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in entry.labels) or "none"
        text = entry.help
        if entry.buckets:
            text += f" Buckets: {', '.join(f'{bound:g}' for bound in entry.buckets)}."
        lines.append(
            f"| `{entry.name}` | {entry.type} | {entry.unit or 'none'} | {labels} | {text} |"
        )
    lines += ["", "| label | values |", "|---|---|"]
    lines += [f"| `{label}` | {text} |" for label, text in LABELS.items()]
    return "\n".join(lines) + "\n"
