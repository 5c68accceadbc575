"""The messages of a run's cells: from their sources, at their sizes, as many as the plan sends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from testbed.bench import Bench
from testbed.campaign.plan import Cell, Plan, plan_campaign, plan_matrix
from testbed.errors import UsageError
from testbed.packets import build_udp_packet, parse_udp_packet
from testbed.traffic import PROFILES, Message, Traffic, capture_traffic, generated_traffic

__all__ = ["GENERATED_MESSAGES", "Payloads", "load_payloads"]

GENERATED_MESSAGES = 20
"""How many messages each configuration sends when neither a number nor a capture is given."""

_REPEAT_PAUSE_S = 60.0
"""Between the last message of a source and its first one, when the source is gone through again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payloads:
    """A plan, and the messages that it sends."""

    plan: Plan
    description: str
    """Where the messages come from, for journal and report."""
    sources: Mapping[tuple[str | None, int | None], Sequence[Message]] = field(repr=False)
    """The messages of each source at each size."""
    settings: str = ""
    """What tells the settings that the messages are sent with from others."""
    notes: tuple[str, ...] = ()
    """What a person should know about the sources."""

    @classmethod
    def of(cls, bench: Bench, messages: Sequence[Message], description: str) -> Payloads:
        """The same messages for each configuration of the matrix."""
        return cls(
            plan=plan_matrix(bench, len(messages)),
            description=description,
            sources={(None, None): messages},
            settings=_settings(bench),
        )

    def message(self, cell: Cell, index: int) -> Message:
        """One message that a cell sends; a source that is too short begins again.

        Args:
            cell: of the plan.
            index: of a planned message.
        """
        messages = self.sources[cell.payload, cell.payload_bytes]
        again, place = divmod(index, len(messages))
        if not again:
            return messages[place]
        period_s = messages[-1].time_s - messages[0].time_s + _REPEAT_PAUSE_S
        message = messages[place]
        return replace(message, index=index, time_s=message.time_s + again * period_s)

    @property
    def digest(self) -> str:
        """What tells the plan, its messages and settings from others: 16 hexadecimal digits."""
        total = hashlib.sha256((self.plan.digest + self.settings).encode())
        for (source, size), messages in self.sources.items():
            total.update(f"{source}/{size}/{len(messages)}".encode())
            for message in messages:
                total.update(message.packet)
        return total.hexdigest()[:16]


def load_payloads(bench: Bench) -> Payloads:
    """The plan of a bench, and its messages.

    Raises:
        UsageError: a source is no capture and no generated device, or holds no message.
    """
    campaign = bench.campaign
    if campaign is None:
        traffic = _bench_traffic(bench, bench.traffic.messages or GENERATED_MESSAGES)
        payloads = Payloads.of(bench, traffic.messages, traffic.description)
        return replace(payloads, notes=traffic.notes)
    plan = plan_campaign(bench, campaign)
    names: tuple[str | None, ...] = tuple(dict.fromkeys(cell.payload for cell in plan.cells))
    found = {name: _source(bench, name, plan.source_messages) for name in names}
    sources = {
        (cell.payload, cell.payload_bytes): _sized(
            found[cell.payload].messages, cell.payload_bytes, bench.seed
        )
        for cell in plan.cells
    }
    notes = [note for traffic in found.values() for note in traffic.notes]
    for traffic in found.values():
        if len(traffic.messages) < plan.source_messages:
            notes.append(
                f"{traffic.description} has {len(traffic.messages)} messages, the plan sends "
                f"{plan.source_messages}: it is gone through again."
            )
    notes += [f"not measured: {one.cell.name}: {one.reason}" for one in plan.excluded]
    return Payloads(
        plan=plan,
        description=", ".join(traffic.description for traffic in found.values()),
        sources=sources,
        settings=_settings(bench),
        notes=tuple(notes),
    )


def _settings(bench: Bench) -> str:
    """All of a description that figures depend on; where things are does not count."""
    where: dict[str, Any] = {
        "hse": True,
        "time": True,
        "time_scale": True,
        "recovery": True,
        "traffic": {"capture"},
        "module": {"port", "baudrate", "attach_timeout_s"},
        "campaign": {"limits": True, "budget": True, "factors": {"payload"}},
    }
    return bench.model_dump_json(exclude=where)


def _bench_traffic(bench: Bench, generated: int) -> Traffic:
    description = bench.traffic
    if description.capture is not None:
        return capture_traffic(
            description.capture, device=description.device, limit=description.messages
        )
    return generated_traffic(messages=generated, seed=bench.seed, identity=bench.identity)


def _source(bench: Bench, name: str | None, wanted: int) -> Traffic:
    if name is None:
        return _bench_traffic(bench, min(wanted, bench.traffic.messages or wanted))
    if name in PROFILES:
        return generated_traffic(name, messages=wanted, seed=bench.seed, identity=bench.identity)
    if not Path(name).exists():
        raise UsageError(
            f"campaign: payload {name!r} is no generated device and no file",
            hint=f"Generated devices are {', '.join(PROFILES)}; else give a capture's path.",
        )
    return capture_traffic(name, limit=wanted)


def _sized(messages: Sequence[Message], size: int | None, seed: int) -> Sequence[Message]:
    """The messages cut to a size, or filled up with octets of the seed."""
    if size is None:
        return messages
    octets: Callable[[int], bytes] = Random(f"{seed}/payload/{size}").randbytes

    def sized(message: Message) -> Message:
        payload = message.payload[:size]
        payload += octets(size - len(payload))
        was = parse_udp_packet(message.packet)
        packet = build_udp_packet(
            was.source,
            was.destination,
            was.source_port,
            was.destination_port,
            payload,
            hop_limit=was.hop_limit,
            traffic_class=was.traffic_class,
            identification=was.identification,
            flow_label=was.flow_label,
        )
        return Message.of(message.index, message.time_s, parse_udp_packet(packet))

    return [sized(message) for message in messages]
