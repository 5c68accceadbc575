"""What an interrupted run left behind, and whether one can go on with it.

The journal says what was done, the manifest how. A run goes on with the first message of the plan
that is not in the journal. It has a new module, new sessions and new keys, as after a power cut:
nothing of the part before is used again, neither key nor sequence number.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.bench import Bench, load_bench, validate_bench
from testbed.bench.aka import aka_notes
from testbed.bench.loading import merged
from testbed.bench.timing import TEST_KEYS_NOTE
from testbed.campaign.payloads import Payloads
from testbed.clock import TimeKind
from testbed.errors import UsageError
from testbed.results import (
    EndRecord,
    JournalMissing,
    JournalReader,
    MessageRecord,
    NotARunDirectory,
    RunDirectory,
    RunRecord,
    RunStatus,
    start_manifest,
)
from testbed.results.manifest import REDACTED
from testbed.traffic import PROFILES

__all__ = [
    "begin_manifest",
    "check_resumable",
    "interrupted_bench",
    "open_interrupted",
    "written_description",
]


def open_interrupted(path: Path) -> tuple[RunDirectory, bool]:
    """The directory of an interrupted run, and whether anything stands in its journal.

    Raises:
        UsageError: it is not the directory of a run.
    """
    run = RunDirectory(path.parent if path.is_file() else path)
    if not run.manifest_path.is_file():
        raise NotARunDirectory(
            path,
            f"{path} is not the directory of a run",
            hint="Give the directory that the run has named; it holds manifest.json.",
        )
    try:
        next(iter(JournalReader(run.journal_path)))
    except JournalMissing:
        run.journal_path.unlink(missing_ok=True)  # torn before its first record was whole
        return run, False
    return run, True


def written_description(bench: Bench) -> dict[str, Any]:
    """A description as a manifest holds it: with paths that hold wherever it is read again."""
    config = bench.model_dump(mode="json")
    for section, name in (
        ("traffic", "capture"),
        ("hse", "secret_file"),
        ("aka", "subscribers"),
    ):
        if config[section][name] is not None:
            config[section][name] = str(Path(config[section][name]).absolute())
    if bench.campaign is not None:
        config["campaign"]["factors"]["payload"] = [
            name if name in PROFILES else str(Path(name).absolute())
            for name in bench.campaign.factors.payload
        ]
    return config


def begin_manifest(
    bench: Bench, payloads: Payloads, directory: RunDirectory, *, resume: bool = False
) -> None:
    """Write the manifest of a run that begins, or that goes on.

    Args:
        bench: its description.
        payloads: its plan and messages.
        directory: where it is written.
        resume: the manifest that is there tells of the parts before.
    """
    timing = bench.timing
    notes = [*payloads.notes, *bench.notes]
    if timing.kind is TimeKind.VIRTUAL:
        notes.append(TEST_KEYS_NOTE)
    notes += aka_notes(bench.keys, bench.aka, made=bench.makes_subscriber)
    manifest = start_manifest(
        directory.name,
        config=written_description(bench),
        seed=bench.seed,
        time_kind=timing.kind,
        time_scale=timing.scale,
        notes=tuple(notes),
    )
    if resume:
        manifest = directory.read_manifest().resumed(manifest)
    directory.write_manifest(manifest)


def interrupted_bench(
    run: RunDirectory, bench_file: Path | None, given: Mapping[str, Any]
) -> Bench:
    """The description that a run was started with.

    Args:
        run: its directory.
        bench_file: the description's file, in place of the copy in the manifest.
        given: values that beat either, nested as in the file.

    Raises:
        UsageError: the manifest's copy lacks the secret, which is not written down.
    """
    if bench_file is not None:
        return load_bench(bench_file, given)
    config = _without_numbers(run.read_manifest().config)
    if "identity" not in config and "identity" not in given:
        raise UsageError(
            f"{run.manifest_path} does not hold the identity that the run was started with",
            hint="Give it again: --bench FILE, or --identity NAME.",
        )
    hse = dict(config.get("hse") or {})
    if hse.get("secret") == REDACTED:
        del hse["secret"]
        if not {"secret", "secret_file"} & set(given.get("hse") or {}):
            raise UsageError(
                f"{run.manifest_path} does not hold the secret that the run was started with",
                hint="Give it again: --bench FILE, or --secret-file FILE.",
            )
    if "secret_file" in (given.get("hse") or {}):
        hse.pop("secret", None)
    return validate_bench(merged(config | {"hse": hse}, given))


def _without_numbers(config: Any) -> Any:
    """A description without what is not written down of it: numbers of subscriber and module.

    A virtual module has others then, which nothing depends on.
    """
    if not isinstance(config, Mapping):
        return config
    return {
        name: _without_numbers(value)
        for name, value in config.items()
        if not (value == REDACTED and name in ("identity", "imsi", "iccid", "imei"))
    }


def check_resumable(run: RunDirectory, payloads: Payloads) -> None:
    """See that a run's journal is one of this plan, and not at its end.

    Raises:
        UsageError: the run is complete, or its plan is another one; it can't be gone on with.
        JournalError: the journal cannot be read.
    """
    end: EndRecord | None = None
    planned: list[int | None] = []
    for record in JournalReader(run.journal_path).typed():
        match record:
            case RunRecord():
                if record.plan != payloads.digest:
                    raise UsageError(
                        f"{run.path} was begun with another plan or other messages",
                        hint="Resume it with the description and the captures that it began with.",
                    )
            case MessageRecord():
                planned.append(record.planned)
                end = None
            case EndRecord():
                end = record
    if planned != list(range(len(planned))):
        raise UsageError(
            f"{run.journal_path} does not hold the first messages of its plan, each once",
            hint="The file was changed after the run; restore it.",
        )
    if end is not None and end.status is RunStatus.COMPLETE:
        raise UsageError(
            f"{run.path} is complete: there is nothing to go on with",
            hint=f"Look at it: testbed report {run.path}",
        )
