"""``messages.parquet``: one flat row per message, the same figures as the journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.results import JournalReader, MessageRecord, RunDirectory, WriteFailed
from testbed.results.parquet import columns, flat_rows, write_messages

parquet = pytest.importorskip("pyarrow.parquet")

DOCUMENT = Path(__file__).parents[3] / "docs" / "results.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("runs")
    bench = folder / "bench.yaml"
    bench.write_text(
        """
seed: 3
matrix: [none, rohc+esp-tunnel/aes-ccm-8-128]
module: {virtual: {network: {core_loss: 0.12}}}
answer_timeout_s: 8
campaign: {factors: {coverage: [0, 1]}, blocks: 2, messages_per_cell: 3, warm_up: 1}
""",
        encoding="utf-8",
    )
    with pytest.raises(SystemExit) as ended:
        main(["run", "--bench", str(bench), "--runs", str(folder / "runs"), "--json"])
    assert not ended.value.code
    return RunDirectory.latest(folder / "runs")


def test_every_message_of_the_journal_is_a_row_with_its_figures(run: RunDirectory) -> None:
    table = parquet.read_table(run.messages_path).to_pylist()
    messages = [r for r in JournalReader(run.journal_path).typed() if isinstance(r, MessageRecord)]
    assert len(table) == len(messages) == 2 * 2 * 2 * 4
    assert {record.outcome.value for record in messages} == {"answered", "lost"}
    for row, record in zip(table, messages, strict=True):
        assert (row["planned"], row["block"], row["cell"]) == (
            record.planned,
            record.block,
            record.cell,
        )
        assert f"coverage={row['factor_coverage']}" in (record.cell or "")
        assert row["warm_up"] is record.warm_up
        assert (row["outcome"], row["latency_s"]) == (record.outcome, record.latency_s)
        assert record.uplink_bytes is not None
        layers = {f"up_{layer}_bytes": count for layer, count in record.uplink_bytes}
        assert {name: row[name] for name in layers} == layers
        assert row["up_total_bytes"] == sum(layers.values())
        assert record.energy is not None
        assert (row["energy_kind"], row["energy_total_j"]) == ("estimated", record.energy.total_j)
        assert {
            name.removeprefix("stage_").removesuffix("_s"): at
            for name, at in row.items()
            if name.startswith("stage_") and at is not None
        } == record.stages_s
        if record.latency_s is None:
            assert row["transfer_s"] is None
        else:
            whole = (row["connection_setup_s"] or 0.0) + row["transfer_s"]
            assert whole == pytest.approx(record.latency_s, abs=2e-6)
            assert row["clock_error_s"] == 0.0
        assert 1 <= row["modelled_npusch_blocks_ecl0"] <= row["modelled_npusch_blocks_ecl2"]
        assert 0 < row["modelled_outer_rohc_continued_bytes"] <= 28
    suites = {row["configuration"]: row["suite"] for row in table}
    assert suites == {"none": None, "rohc+esp-tunnel/aes-ccm-8-128": "aes-ccm-8-128"}


def test_rows_have_no_column_that_is_not_declared(run: RunDirectory) -> None:
    known = set(columns())
    for row in flat_rows(JournalReader(run.journal_path).typed()):
        assert set(row) <= known


def test_the_file_says_its_version_and_is_the_same_when_made_again(
    run: RunDirectory, tmp_path: Path
) -> None:
    again = tmp_path / "again.parquet"
    assert write_messages(run.journal_path, again) == 32
    assert again.read_bytes() == run.messages_path.read_bytes()
    assert parquet.read_schema(again).metadata == {b"schema_version": b"1"}
    assert list(tmp_path.iterdir()) == [again]


def test_a_disk_that_does_not_take_it_is_told_and_nothing_is_left(
    run: RunDirectory, tmp_path: Path
) -> None:
    target = tmp_path / "missing" / "messages.parquet"
    with pytest.raises(WriteFailed):
        write_messages(run.journal_path, target)
    assert list(tmp_path.iterdir()) == []


def test_the_document_names_every_column() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    patterns = ("stage_", "up_", "down_", "energy_", "radio_", "factor_", "modelled_")
    for name in columns():
        shown = f"`{name}`" in text or any(
            name.startswith(prefix) and f"`{prefix}" in text for prefix in patterns
        )
        assert shown, name


def test_a_run_that_is_interrupted_has_its_table_too(run: RunDirectory, tmp_path: Path) -> None:
    lines = run.journal_path.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = tmp_path / "journal.jsonl"
    cut.write_text("".join(lines[:9]) + '{"kind":"mes', encoding="utf-8")
    found = sum(json.loads(line)["kind"] == "message" for line in lines[:9])
    assert write_messages(cut, tmp_path / "messages.parquet") == found > 0
