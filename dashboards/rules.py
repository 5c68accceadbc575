"""Recording and alert rules, from the same catalogue as the dashboards.

Every rule keeps ``origin``, and ``kind`` where there is one: real modules are never reckoned
together with virtual ones, nor measured energy with estimated. An alert's text says where to look.
"""

from __future__ import annotations

from typing import Any, Final

from dashboards.queries import ARM, RUN, increase, mean, quantile, rate, select, share, total

__all__ = ["RULES"]

_ARM: Final = (*RUN, *ARM)
_KIND: Final = (*_ARM, "kind")
_WINDOW: Final = "30m"

_BENCH: Final = "{{ $labels.bench }} ({{ $labels.module }}, {{ $labels.origin }})"


def _record(name: str, expression: str) -> dict[str, Any]:
    return {"record": f"testbed:{name}", "expr": expression}


def _alert(
    name: str, expression: str, wait: str, severity: str, summary: str, description: str
) -> dict[str, Any]:
    return {
        "alert": f"Testbed{name}",
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description},
    }


_APPLICATION: Final = total(
    rate(select("message_bytes_total", direction="uplink", layer="application"), _WINDOW), *_ARM
)

_RECORDED: Final = (
    _record(
        "message_energy_joules:mean30m",
        mean(
            rate(select("message_energy_joules", "sum"), _WINDOW),
            rate(select("message_energy_joules", "count"), _WINDOW),
            *_KIND,
        ),
    ),
    _record(
        "application_byte_energy_joules:mean30m",
        f"{total(rate(select('message_energy_joules', 'sum'), _WINDOW), *_KIND)}"
        f" / on ({', '.join(_ARM)}) group_left () {_APPLICATION}",
    ),
    _record(
        "message_uplink_bytes:mean30m",
        mean(
            rate(select("message_bytes_total", direction="uplink"), _WINDOW),
            rate(select("message_packets_total", direction="uplink"), _WINDOW),
            *_ARM,
        ),
    ),
    _record(
        "message_latency_seconds:p95_30m",
        quantile(0.95, rate(select("message_latency_seconds", "bucket"), _WINDOW), *_ARM),
    ),
    _record(
        "messages_unanswered:share30m",
        share(
            rate(select("messages_total", outcome="!=answered"), _WINDOW),
            rate(select("messages_total"), _WINDOW),
            *_ARM,
        ),
    ),
    _record(
        "hse_rejected:share30m",
        share(
            rate(select("hse_rejected_total"), _WINDOW),
            rate(select("hse_datagrams_total"), _WINDOW),
            "job",
            "instance",
        ),
    ),
)

_ALERTS: Final = (
    _alert(
        "TargetDown",
        'up{job=~"testbed-hse|testbed-gateway"} == 0',
        "2m",
        "critical",
        "{{ $labels.instance }} can't be scraped",
        "An HSE or the Pushgateway of the bench does not answer. Runs come and go, and are not "
        "watched by this rule.",
    ),
    _alert(
        "ModuleNotRegistered",
        f"max by ({', '.join((*RUN, 'instance'))}) ({select('module_registered')}) == 0"
        f" unless on ({', '.join((*RUN, 'instance'))})"
        f" max by ({', '.join((*RUN, 'instance'))}) ({select('module_state', phase='ended')}) == 1",
        "10m",
        "warning",
        f"{_BENCH} has no network",
        "The module has not been attached for ten minutes. Look at its signal on the overview, at "
        "its SIM and its antenna; testbed module shell asks it directly.",
    ),
    _alert(
        "RunStalled",
        f"time() - max by ({', '.join((*RUN, 'instance'))})"
        f" ({select('module_last_message_timestamp_seconds')}) > 1800"
        f" and on ({', '.join((*RUN, 'instance'))})"
        f" max by ({', '.join((*RUN, 'instance'))}) ({select('run_complete')}) == 0",
        "5m",
        "warning",
        f"{_BENCH} has sent nothing for half an hour",
        "A run goes on without messages. With pace: capture that may be as captured; otherwise "
        "its journal's last lines say what it waits for.",
    ),
    _alert(
        "MessagesUnanswered",
        "testbed:messages_unanswered:share30m > 0.1",
        "15m",
        "warning",
        f"{_BENCH}: many messages without an answer",
        "{{ $value | humanizePercentage }} under {{ $labels.security }} "
        "{{ $labels.compression }}. The overview has the reasons.",
    ),
    _alert(
        "ModuleFaults",
        f"{total(increase(select('module_faults_total'), '1h'), *RUN)} > 3",
        "0m",
        "warning",
        f"{_BENCH}: its module fails again and again",
        "More than three faults within an hour; the overview has their kinds.",
    ),
    _alert(
        "HseRejects",
        "testbed:hse_rejected:share30m > 0.05",
        "15m",
        "warning",
        "The HSE {{ $labels.instance }} refuses many datagrams",
        "{{ $value | humanizePercentage }} of what it reads. The HSE dashboard has the reasons; "
        "docs/security.md says what each means.",
    ),
    _alert(
        "SuiteFailed",
        f"max by ({', '.join(RUN)}) ({select('suite_grade', grade='fail')}) == 1",
        "0m",
        "critical",
        f"{_BENCH}: a limit was broken",
        "The suite's latest run failed. Its report says which limit, and by how much.",
    ),
    _alert(
        "SuiteInconclusive",
        f"max by ({', '.join(RUN)}) ({select('suite_grade', grade='inconclusive')}) == 1",
        "3d",
        "warning",
        f"{_BENCH}: nothing was decided for three days",
        "Its runs are too short or too noisy for its limits: the report says how many messages "
        "would decide.",
    ),
    _alert(
        "SuiteStale",
        f"time() - max by ({', '.join(RUN)}) ({select('suite_last_run_timestamp_seconds')})"
        " > 129600",
        "0m",
        "warning",
        f"{_BENCH}: no complete run for 36 hours",
        "A nightly run did not start, did not end, or could not push its figures.",
    ),
)

RULES: Final[dict[str, Any]] = {
    "groups": [
        {"name": "testbed-recording", "rules": list(_RECORDED)},
        {"name": "testbed-alerts", "rules": list(_ALERTS)},
    ]
}
"""The rules file."""
