"""NAT keepalives: what they are good for, when they are sent, what each one leaves behind."""

from __future__ import annotations

import asyncio
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import esp
from firmware_bridge import PowerSaving
from firmware_bridge.virtual import MemoryNetwork
from testbed import clock
from testbed.analysis.summary import summarise_run
from testbed.bench import Bench, validate_bench
from testbed.campaign.lab import open_hse, open_module
from testbed.cli import main
from testbed.hse import HsePort, ServerObserver
from testbed.metrics import RunMetrics
from testbed.packets import parse_udp_packet, swap_endpoints
from testbed.report.table import render_table
from testbed.results import (
    JournalReader,
    KeepaliveRecord,
    MessageRecord,
    Outcome,
    RunDirectory,
)
from testbed.results.capture_reader import CaptureReader
from testbed.traffic import generated_traffic
from testbed.ue.messages import KEEPALIVE_BYTES, Exchange, exchange_message
from testbed.ue.session import UeSession

MESSAGE = generated_traffic(messages=1, seed=3).messages[0]
NAT_TIMEOUT_S, LATE_S = 60.0, 100.0


class Silent:
    """An application that answers nothing."""

    def answer(self, request: object) -> None:
        return None


def bench_with(keepalive_s: float | None, nat_timeout_s: float | None) -> Bench:
    return validate_bench(
        {
            "matrix": ["esp-tunnel"],
            "esp": {"keepalive_s": keepalive_s},
            "module": {
                "power_saving": {"psm": False},
                "virtual": {"network": {"nat_timeout_s": nat_timeout_s}},
            },
        }
    )


def late_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[Exchange, int]:
    """A message whose answer the HSE sends long after it came; and the keepalives the HSE saw."""
    monkeypatch.setattr("testbed.hse.server.EchoApplication", Silent)
    outcome: list[tuple[Exchange, int]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        network = MemoryNetwork()
        async with (
            open_hse(bench, ServerObserver(), network) as hse,
            open_module(bench, network=network) as link,
        ):
            module = link.module
            await module.configure_power_saving(PowerSaving(psm=False))
            await module.attach(apn=None, timeout_s=120.0)
            session = UeSession(
                module,
                bench.matrix[0],
                hse.addresses,
                identity=bench.identity,
                secret=hse.secret,
                module_address=await module.address(),
                local_port=50_000,
                associations=bench.esp.settings,
            )
            await session.open()
            server = hse.server
            assert server is not None

            def answer() -> None:
                assert server._gateway is not None
                (known,) = server._gateway._table._sessions.values()
                inner = swap_endpoints(parse_udp_packet(MESSAGE.packet), MESSAGE.payload)
                packet = known.outbound.protect(inner, esp.NEXT_HEADER_IPV6)
                server._endpoints[HsePort.ESP].send(packet, known.peer)

            loop.call_later(LATE_S, answer)
            exchange = Exchange(message=MESSAGE, submitted_at=loop.time())
            await exchange_message(session, exchange, answer_timeout_s=LATE_S + 40.0)
            outcome.append((exchange, server.snapshot().keepalives))
            await session.close()

    clock.run(run, time_scale=None)
    return outcome[0]


@pytest.mark.parametrize(
    ("keepalive_s", "nat_timeout_s", "arrives"),
    [
        (None, None, True),  # no NAT that forgets: no need
        (None, NAT_TIMEOUT_S, False),
        (25.0, NAT_TIMEOUT_S, True),
        (70.0, NAT_TIMEOUT_S, False),  # too seldom
    ],
)
def test_behind_a_nat_a_late_answer_arrives_with_keepalives_only(
    keepalive_s: float | None,
    nat_timeout_s: float | None,
    arrives: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange, seen = late_answer(bench_with(keepalive_s, nat_timeout_s), monkeypatch)
    assert (exchange.outcome is Outcome.ANSWERED) is arrives
    assert exchange.reason == (None if arrives else "no-answer")
    assert seen == len(exchange.keepalives)
    if keepalive_s is None:
        assert seen == 0
    elif arrives:
        assert seen == math.floor(LATE_S / keepalive_s)


# -- a whole run -----------------------------------------------------------------------------------


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], **more: Any) -> RunDirectory:
    bench = tmp_path / "bench.json"
    settings = {
        "matrix": ["none", "rohc", "esp-tunnel", "rohc+esp-tunnel"],
        "traffic": {"messages": 8, "pace": "capture"},
        **more,
    }
    bench.write_text(json.dumps(settings))
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["run", "--json", "--bench", str(bench)])
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    return RunDirectory.open(json.loads(out)["directory"])


def test_each_keepalive_is_a_traced_and_metered_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    place = run(tmp_path, capsys, esp={"keepalive_s": 20})
    journal = list(JournalReader(place.journal_path).typed())
    found = [one for one in journal if isinstance(one, KeepaliveRecord)]
    messages = [one for one in journal if isinstance(one, MessageRecord)]
    assert all(one.outcome is Outcome.ANSWERED for one in messages)
    assert {one.configuration for one in found} == {"esp-tunnel", "rohc+esp-tunnel"}
    for one in found:
        assert one.uplink_bytes == KEEPALIVE_BYTES
        assert one.uplink_bytes.total == 29
        stages = ["submitted", "at_written", "accepted", "rrc_connected", "released"]
        assert list(one.stages_s) == stages
        assert one.energy is not None
        assert one.energy.transmit_j > 0
    for name in ("esp-tunnel", "rohc+esp-tunnel"):
        times = sorted(
            one.submitted_at_s
            for one in journal
            if isinstance(one, KeepaliveRecord | MessageRecord) and one.configuration == name
        )
        gaps = [after - before for before, after in pairwise(times)]
        assert max(gaps) < 20 + 5  # a key exchange or a release may lie between
    # The capture has each of them on both sides, and nothing came back.
    octets = [packet.data[28:] for packet in CaptureReader(place.capture_path)]
    assert octets.count(b"\xff") == 2 * len(found)
    # Table, report, metrics and the end of the journal count them.
    rows = {row.configuration: row for row in summarise_run(place.path).rows}
    assert rows["none"].keepalives is None
    tunnel = rows["esp-tunnel"].keepalives
    assert tunnel is not None
    mine = [one for one in found if one.configuration == "esp-tunnel"]
    assert (tunnel.packets_up, tunnel.packets_down) == (len(mine), 0)
    assert tunnel.bytes_up == 29 * len(mine)
    assert tunnel.energy_j == pytest.approx(sum(one.energy.total_j for one in mine if one.energy))
    assert "keepalives" in "".join(
        str(cell) for cell in render_table(summarise_run(place.path)).columns[0].cells
    )
    assert "NAT keepalives" in (place.path / "report.html").read_text()
    metrics = RunMetrics()
    for record in journal:
        metrics.observe(record)
    labels = {"security": "esp-tunnel", "compression": "none"}
    assert metrics.value("testbed_keepalive_packets_total", **labels) == len(mine)
    assert metrics.value("testbed_keepalive_bytes_total", **labels) == 29 * len(mine)
    energy = metrics.value("testbed_keepalive_energy_joules_total", **labels, kind="estimated")
    assert energy == pytest.approx(tunnel.energy_j)
    ends = [record for record in JournalReader(place.journal_path) if record["kind"] == "end"]
    assert ends[0]["counts"]["keepalives"] == len(found)


def test_none_is_sent_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    place = run(tmp_path, capsys)
    kinds = {record["kind"] for record in JournalReader(place.journal_path)}
    assert "keepalive" not in kinds
    assert b"\xff" not in [packet.data[28:] for packet in CaptureReader(place.capture_path)]


def test_they_keep_the_module_from_sleeping_and_the_same_seed_gives_the_same_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"esp": {"keepalive_s": 20}, "matrix": ["esp-tunnel"], "seed": 7}
    one, other = (run(tmp_path, capsys, **settings) for _ in range(2))
    assert one.journal_path.read_bytes() == other.journal_path.read_bytes()
    quiet = run(tmp_path, capsys, matrix=["esp-tunnel"], seed=7)

    def joules(place: RunDirectory) -> float:
        return sum(
            record["energy"]["total_j"]
            for record in JournalReader(place.journal_path)
            if record.get("energy")
        )

    assert joules(one) > 1.5 * joules(quiet)
