"""``messages.parquet``: a run's messages as a flat table, one row each, for DuckDB, pandas, polars.

Made from the journal when a run ends, whole or interrupted, and it can be made again at any time.
Units stand in the columns' names. What is modelled begins with ``modelled_``; energy says by
``energy_kind`` whether it is. ``docs/results.md`` has every column.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.analysis.air import SocketFlow, npusch_blocks
from testbed.analysis.bytes import LAYERS
from testbed.analysis.waterfall import connection_setup, one_way
from testbed.bench.configuration import Configuration
from testbed.results.files import WriteFailed
from testbed.results.journal import JournalReader
from testbed.results.records import (
    STAGES,
    EnergyRecord,
    MessageRecord,
    Record,
    ResumedRecord,
    RunRecord,
    Stage,
)

if TYPE_CHECKING:
    import pyarrow

__all__ = ["PARQUET_SCHEMA_VERSION", "columns", "flat_rows", "write_messages"]

PARQUET_SCHEMA_VERSION = 1
"""Stands in the file's metadata as ``schema_version``."""

_BATCH = 10_000
_TEXT, _WHOLE, _REAL, _TRUTH = "string", "int64", "float64", "bool"
_ENERGY = ("total_j", "setup_j", "transmit_j", "receive_j", "tail_j", "sleep_j", "low_j", "high_j")
_RADIO = {
    "ecl": _WHOLE,
    "rsrp_dbm": _REAL,
    "rsrq_db": _REAL,
    "rssi_dbm": _REAL,
    "sinr_db": _REAL,
    "tx_power_dbm": _REAL,
    "cell": _TEXT,
    "tac": _TEXT,
    "pci": _WHOLE,
    "earfcn": _WHOLE,
    "band": _WHOLE,
}
_FACTORS = {
    "payload": _TEXT,
    "payload_bytes": _WHOLE,
    "release_assistance": _TEXT,
    "power_saving": _TEXT,
    "coverage": _WHOLE,
    "pdp_type": _TEXT,
}


def columns() -> dict[str, str]:
    """Name and type of each column, in their order."""
    found = {
        "bench": _TEXT,
        "module": _TEXT,
        "origin": _TEXT,
        "planned": _WHOLE,
        "part": _WHOLE,
        "block": _WHOLE,
        "cell": _TEXT,
        "configuration": _TEXT,
        "security": _TEXT,
        "suite": _TEXT,
        "compression": _TEXT,
    }
    found |= {f"factor_{name}": kind for name, kind in _FACTORS.items()}
    found |= {
        "message": _WHOLE,
        "warm_up": _TRUTH,
        "outcome": _TEXT,
        "reason": _TEXT,
        "submitted_at_s": _REAL,
        "latency_s": _REAL,
        "connection_setup_s": _REAL,
        "transfer_s": _REAL,
        "one_way_up_s": _REAL,
        "one_way_down_s": _REAL,
        "clock_error_s": _REAL,
    }
    found |= {f"stage_{stage}_s": _REAL for stage in STAGES}
    for way in ("up", "down"):
        found |= {f"{way}_{layer}_bytes": _WHOLE for layer in LAYERS}
        found |= {f"{way}_total_bytes": _WHOLE, f"{way}_rohc_packet": _TEXT}
    found |= {"energy_kind": _TEXT, "energy_model": _TEXT}
    found |= {f"energy_{name}": _REAL for name in _ENERGY}
    found |= {f"radio_{name}": kind for name, kind in _RADIO.items()}
    found |= {f"modelled_npusch_blocks_ecl{level}": _WHOLE for level in range(3)}
    return found | {
        "modelled_outer_rohc_continued_bytes": _WHOLE,
        "modelled_outer_rohc_anew_bytes": _WHOLE,
    }


def flat_rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """The rows of a journal's messages; a column that has no value in a row is absent.

    Args:
        records: in the journal's order.
    """
    run = RunRecord()
    levels: dict[str, Mapping[str, Any]] = {}
    flows: dict[str, SocketFlow] = {}
    part = 0
    for record in records:
        match record:
            case RunRecord():
                run = record
                levels = {cell["name"]: cell for cell in run.cells or ()}
            case ResumedRecord():
                part = record.part
                flows.clear()
            case MessageRecord():
                row: dict[str, Any] = {
                    "bench": run.bench,
                    "module": run.module,
                    "origin": run.origin,
                    "part": part,
                }
                level = levels.get(record.cell or "", {})
                row |= {f"factor_{name}": level[name] for name in _FACTORS if name in level}
                yield row | _message(record) | _modelled(record, flows)


def _message(record: MessageRecord) -> dict[str, Any]:
    latency, setup = record.latency_s, connection_setup(record.stages_s)
    up, down = one_way(record.stages_s)
    row: dict[str, Any] = {
        "planned": record.planned,
        "block": record.block,
        "cell": record.cell or record.configuration,
        "configuration": record.configuration,
        "security": record.security,
        "suite": _suite(record.configuration),
        "compression": record.compression,
        "message": record.index,
        "warm_up": record.warm_up,
        "outcome": record.outcome.value,
        "reason": record.reason,
        "submitted_at_s": record.submitted_at_s,
        "latency_s": latency,
        "connection_setup_s": _rounded(setup),
        "transfer_s": None if latency is None else round(latency - (setup or 0.0), 6),
        "one_way_up_s": _rounded(up),
        "one_way_down_s": _rounded(down),
        "clock_error_s": None if up is None and down is None else 0.0,
    }
    row |= {f"stage_{stage}_s": seconds for stage, seconds in record.stages_s.items()}
    ways = (
        ("up", record.uplink_bytes, record.uplink_packet),
        ("down", record.downlink_bytes, record.downlink_packet),
    )
    for way, layers, packet in ways:
        if layers is not None:
            row |= {f"{way}_{layer}_bytes": count for layer, count in layers}
            row |= {f"{way}_total_bytes": layers.total, f"{way}_rohc_packet": packet}
    if record.energy is not None:
        row |= _energy(record.energy)
    radio = record.radio or {}
    return row | {
        f"radio_{name}": str(radio[name]) if kind == _TEXT else radio[name]
        for name, kind in _RADIO.items()
        if name in radio
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


@cache
def _suite(configuration: str) -> str | None:
    row = Configuration.parse(configuration).esp_suite
    return None if row is None else row.name


def _energy(energy: EnergyRecord) -> dict[str, Any]:
    row: dict[str, Any] = {"energy_kind": energy.kind, "energy_model": energy.model}
    return row | {f"energy_{name}": getattr(energy, name) for name in _ENERGY}


def _modelled(record: MessageRecord, flows: dict[str, SocketFlow]) -> dict[str, Any]:
    if record.uplink_bytes is None or Stage.AT_WRITTEN not in record.stages_s:
        return {}
    size = record.uplink_bytes.total
    continued = anew = 0
    if record.uplink_bytes.outer_ip:  # else non-IP data, which have no outer headers
        flow = flows.setdefault(record.configuration, SocketFlow())
        continued, anew = flow.uplink(size, new_connection=Stage.RRC_CONNECTED in record.stages_s)
    row: dict[str, Any] = {
        f"modelled_npusch_blocks_ecl{level}": blocks
        for level, blocks in enumerate(npusch_blocks(size))
    }
    return row | {
        "modelled_outer_rohc_continued_bytes": continued,
        "modelled_outer_rohc_anew_bytes": anew,
    }


def write_messages(journal: str | os.PathLike[str], path: str | os.PathLike[str]) -> int:
    """Write the table of a journal's messages, the old one being replaced in one step.

    Args:
        journal: the ``journal.jsonl``.
        path: the file to write.

    Returns:
        How many rows it has.

    Raises:
        JournalError: the journal cannot be read.
        WriteFailed: the disk is full or gone; the old table stands.
    """
    import pyarrow
    from pyarrow import parquet

    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    version = {"schema_version": str(PARQUET_SCHEMA_VERSION)}
    kinds = columns()
    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(kind)) for name, kind in kinds.items()], metadata=version
    )
    rows = 0
    try:
        with parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for batch in _batches(flat_rows(JournalReader(journal).typed()), schema):
                writer.write_batch(batch)
                rows += batch.num_rows
        temporary.replace(target)
    except OSError as error:
        raise WriteFailed(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def _batches(
    rows: Iterable[dict[str, Any]], schema: pyarrow.Schema
) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow

    waiting: list[dict[str, Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == _BATCH:
            yield pyarrow.RecordBatch.from_pylist(waiting, schema=schema)
            waiting = []
    if waiting:
        yield pyarrow.RecordBatch.from_pylist(waiting, schema=schema)
