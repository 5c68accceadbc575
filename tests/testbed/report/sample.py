"""A small run as it lies on the disk, for the tests of table and page."""

import dataclasses
import random
from pathlib import Path
from typing import Any

from testbed.analysis.bytes import LayerBytes
from testbed.analysis.energy import estimate_energy
from testbed.results import (
    EndRecord,
    EnergyRecord,
    JournalWriter,
    MessageRecord,
    Outcome,
    Record,
    RunRecord,
    RunStatus,
    SessionRecord,
)
from testbed.results.directory import RunDirectory
from testbed.results.manifest import Manifest

CONFIGURATIONS = ("none", "esp-tunnel", "rohc+esp-tunnel")
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>[red]&\"'"

PLAIN = LayerBytes(outer_ip=20, outer_udp=8)
TUNNEL = LayerBytes(
    outer_ip=20,
    outer_udp=8,
    esp_header=8,
    esp_iv=8,
    inner_ip=40,
    inner_udp=8,
    esp_trailer=2,
    esp_icv=16,
)
COMPRESSED = dataclasses.replace(TUNNEL, inner_ip=0, inner_udp=0, rohc_header=3)


def layers(configuration: str, index: int, application: int) -> LayerBytes:
    """A packet by layer, its padding as RFC 4303 asks."""
    shape = {"none": PLAIN, "esp-tunnel": TUNNEL}.get(configuration, COMPRESSED)
    if configuration.startswith("rohc"):
        shape = dataclasses.replace(shape, rohc_header=52 if index == 0 else 3 + (index % 7 == 0))
    shape = dataclasses.replace(shape, application=application)
    if configuration == "none":
        return shape
    padding = -(shape.inner_header + application + 2) % 4
    return dataclasses.replace(shape, esp_padding=padding)


def message(configuration: str, index: int, rng: random.Random, lost: bool) -> MessageRecord:
    """One message with all its stages."""
    up = layers(configuration, index, 27 + index * 5 % 12)
    down = layers(configuration, index, 20)
    connected = 0.9 + rng.lognormvariate(-0.6, 0.5)
    answered = connected + 0.2 + up.total * 0.002 + rng.lognormvariate(-1.2, 0.4)
    stages = {
        "submitted": 0.0,
        "compressed": 0.0003,
        "protected": 0.0008,
        "at_written": 0.021,
        "accepted": 0.049,
        "rrc_connected": connected,
    }
    if not lost:
        stages |= {
            "hse_received": answered - 0.2,
            "hse_verified": answered - 0.1999,
            "hse_decompressed": answered - 0.1998,
            "hse_answered": answered - 0.1995,
            "received": answered,
            "unprotected": answered + 0.0004,
            "delivered": answered + 0.0006,
        }
    stages["released"] = (answered if not lost else 0.0) + 10.0
    estimate = estimate_energy(
        stages, bytes_up=up.total, bytes_down=0 if lost else down.total, observed_until_s=40.0
    )
    compressed = configuration.startswith("rohc")
    return MessageRecord(
        index=index,
        configuration=configuration,
        security=configuration.rpartition("+")[2],
        compression="rohc" if compressed else "none",
        outcome=Outcome.LOST if lost else Outcome.ANSWERED,
        reason="timeout" if lost else None,
        submitted_at_s=index * 20.0,
        stages_s={name: round(value, 6) for name, value in stages.items()},
        latency_s=None if lost else round(stages["delivered"], 6),
        uplink_bytes=up,
        downlink_bytes=None if lost else down,
        energy=EnergyRecord.from_dict(estimate.to_json()),
        uplink_packet=("IR" if index == 0 else "UO-0") if compressed else None,
        radio={"ecl": 0, "rsrp_dbm": -93},
    )


def records(messages: int = 40, status: RunStatus | None = RunStatus.COMPLETE) -> list[Record]:
    """A run of that many messages per configuration, one in twenty of the plain tunnel lost."""
    rng = random.Random(7)
    found: list[Record] = [
        RunRecord(
            testbed_version="0.1.0",
            bench="demo",
            module="bc66",
            origin="virtual",
            configurations=CONFIGURATIONS,
            messages=messages,
            traffic="thermostat-readings.pcapng",
            seed=7,
            time_scale=200.0,
            settings={"answer_timeout_s": 40.0, "rai": 0},
        )
    ]
    for configuration in CONFIGURATIONS[1:]:
        found.append(
            SessionRecord(
                configuration=configuration, setup_s=2.31, bytes_up=192, bytes_down=164, attempts=1
            )
        )
    for index in range(messages):
        for configuration in CONFIGURATIONS:
            lost = configuration == "esp-tunnel" and index % 20 == 19
            found.append(message(configuration, index, rng, lost))
    if status is not None:
        found.append(EndRecord(status=status, counts={"answered": 3 * messages - messages // 20}))
    return found


def manifest(run: str, **more: Any) -> Manifest:
    """A manifest such as a run writes."""
    fields: dict[str, Any] = {
        "started_at": "2026-11-24T06:30:00.000Z",
        "ended_at": "2026-11-24T06:31:12.000Z",
        "status": "complete",
        "command": ("testbed", "run", "--traffic", "thermostat-readings.pcapng"),
        "versions": {"testbed": "0.1.0", "python": "3.11.2"},
        "platform": "Linux",
        "config": {"module": {"family": "bc66", "port": "virtual:bc66"}, "messages": 40},
        "seed": 7,
        "time": {"kind": "scaled", "scale": 200.0},
        "module": {
            "manufacturer": "Quectel",
            "model": "BC66",
            "firmware": "BC66NBR01A10",
            "imei_sha256": "3f1c",
        },
        "radio": {"ecl": 0, "rsrp_dbm": -93, "cell": "022FE6CF"},
        "test_keys": True,
        "decrypt": "tshark -r capture.pcapng -o esp.enable_encryption_decode:TRUE",
        "notes": ("none: the module's own IP and UDP headers carry the payload.",),
    }
    return Manifest(run=run, **(fields | more))


def write_run(
    directory: Path,
    *,
    messages: int = 40,
    status: RunStatus | None = RunStatus.COMPLETE,
    more: dict[str, Any] | None = None,
) -> Path:
    """Write journal, manifest and two raw files into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    with JournalWriter(directory / "journal.jsonl", sync=False) as journal:
        for record in records(messages, status):
            journal.append(record)
    RunDirectory(directory).write_manifest(manifest(directory.name, **(more or {})))
    (directory / "capture.pcapng").write_bytes(b"\x0a\x0d\x0d\x0a" + bytes(60))
    (directory / "esp_sa").write_text('"IPv4","*","*","0x00000001"\n')
    return directory


def campaign_records(
    messages: int = 24, levels: tuple[int, ...] = (0, 1), evil: str = ""
) -> list[Record]:
    """The same configurations at several coverage levels, in randomised blocks of one message."""
    rng = random.Random(11)
    run, *_ = records(messages=0)
    assert isinstance(run, RunRecord)
    names = [f"{name}{evil}" for name in CONFIGURATIONS]
    cells = [
        {"name": f"{name} coverage={level}", "configuration": name, "coverage": level}
        for name in names
        for level in levels
    ]
    found: list[Record] = [
        dataclasses.replace(
            run, configurations=tuple(names), cells=tuple(cells), blocks=messages, messages=messages
        )
    ]
    for block in range(messages):
        order = list(cells)
        rng.shuffle(order)
        for cell in order:
            plain = cell["configuration"].removesuffix(evil) if evil else cell["configuration"]
            lost = plain == "esp-tunnel" and cell["coverage"] == levels[-1] and block % 8 == 7
            record = message(plain, block, rng, lost)
            found.append(
                dataclasses.replace(
                    record,
                    configuration=cell["configuration"],
                    cell=cell["name"],
                    block=block,
                    submitted_at_s=len(found) * 60.0,
                    radio={"ecl": cell["coverage"], "rsrp_dbm": -93},
                )
            )
    found.append(EndRecord(status=RunStatus.COMPLETE, counts={}))
    return found


LIMITS = {
    "latency_median": [{"max": "60 s"}, {"regression": "20 %"}],
    "uplink_bytes": {"max": "100 B"},
    "saved_bytes": {"min": "30 B", "against": "esp-tunnel"},
}


def write_campaign(
    directory: Path, *, limits: dict[str, Any] | None = None, **settings: Any
) -> Path:
    """Write a campaign with limits as a run directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with JournalWriter(directory / "journal.jsonl", sync=False) as journal:
        for record in campaign_records(**settings):
            journal.append(record)
    config = {"campaign": {"limits": LIMITS if limits is None else limits}}
    RunDirectory(directory).write_manifest(manifest(directory.name, config=config))
    return directory
