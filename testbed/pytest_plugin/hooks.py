"""What pytest asks a plugin: options, which tests run on which bench, outcomes, reports."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from testbed.pytest_plugin.outcomes import Verdicts, lab_fault

if TYPE_CHECKING:
    from testbed.analysis.measurements import Measurements
    from testbed.bench import Bench

__all__ = [
    "SETTINGS",
    "VERDICTS",
    "Settings",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_report_header",
    "pytest_report_teststatus",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
]

_FIXTURES: Final = frozenset({"bench", "module", "hse", "campaign", "measure"})
_INCONCLUSIVE: Final = "inconclusive"


@dataclass(slots=True)
class Settings:
    """What was asked of the plugin."""

    benches: dict[Path, Bench] = field(default_factory=dict)
    """The benches by their files."""
    virtual: bool = False
    """With virtual modules in place of real ones."""
    runs: Path = Path("runs")
    """Folder of run directories."""
    baseline: str | None = None
    """Baseline's name, or a run directory; ``{bench}`` stands for the bench's name."""
    baselines: Path = Path("baselines")
    """Folder of baselines."""

    def reference(self, path: Path) -> Measurements | None:
        """What regressions of a bench are held against.

        Raises:
            UsageError: there is no such thing.
        """
        if self.baseline is None:
            return None
        from testbed.results.baselines import Baselines, read_measurements

        name = self.baseline.replace("{bench}", self.benches[path].name)
        return read_measurements(name, Baselines(self.baselines))[0]


SETTINGS: Final = pytest.StashKey[Settings]()
VERDICTS: Final = pytest.StashKey[Verdicts]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("testbed", "NB-IoT testbed")
    group.addoption(
        "--bench",
        action="append",
        default=[],
        metavar="FILE",
        help="Bench description (YAML) to run tests on; may be repeated, once for each module.",
    )
    group.addoption(
        "--bench-virtual",
        action="store_true",
        help="Use a virtual module of the bench's family, and an HSE of the run, without hardware.",
    )
    group.addoption(
        "--bench-runs",
        default=None,
        metavar="DIR",
        help="Folder of the campaigns' run directories (TESTBED_RUNS, or runs).",
    )
    group.addoption(
        "--baseline",
        default=None,
        metavar="NAME",
        help="What regressions are held against (TESTBED_BASELINE): a baseline or a run directory; "
        "{bench} stands for the bench's name.",
    )
    group.addoption(
        "--baselines",
        default=None,
        metavar="DIR",
        help="Folder of baselines (TESTBED_BASELINES, or baselines).",
    )
    group.addoption(
        "--inconclusive",
        choices=("skip", "fail"),
        default="skip",
        help="What a test is that could not be decided: skipped with the reason (default), or "
        "failed.",
    )
    parser.addini("testbed_bench", "Bench descriptions, as --bench.", type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Read the benches; nothing but the marker is done where there is none."""
    config.addinivalue_line(
        "markers", "modules(*families): runs on benches whose module is of one of these families."
    )
    settings = config.stash[SETTINGS] = Settings()
    given: list[str | Path] = config.getoption("--bench") or config.getini("testbed_bench")
    if not given:
        return
    environ = os.environ
    settings.virtual = config.getoption("--bench-virtual")
    settings.runs = Path(config.getoption("--bench-runs") or environ.get("TESTBED_RUNS", "runs"))
    settings.baseline = config.getoption("--baseline") or environ.get("TESTBED_BASELINE")
    settings.baselines = Path(
        config.getoption("--baselines") or environ.get("TESTBED_BASELINES", "baselines")
    )
    from testbed.errors import TestbedError
    from testbed.pytest_plugin.lab import read_bench

    try:
        for path in (config.invocation_params.dir / one for one in given):
            settings.benches[path] = read_bench(path, virtual=settings.virtual)
        for path in settings.benches:
            settings.reference(path)  # a wrong name is told now, not after an hour
    except TestbedError as error:
        raise _usage_error(error.message, error.hint) from None
    names = [bench.name for bench in settings.benches.values()]
    for name in names:
        if names.count(name) > 1:
            raise _usage_error(f"two benches are called {name!r}", "Give each a name: of its own.")


def _usage_error(message: str, hint: str | None) -> pytest.UsageError:
    return pytest.UsageError(f"{message}\nnext: {hint}" if hint else message)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under xdist all tests of a bench go to one worker: its port is one process's at a time.

    The other tests are spread as by ``--dist load``, whatever ``--dist`` says.
    """
    names = [bench.name for bench in config.stash[SETTINGS].benches.values()]
    if not names:
        return None
    from xdist.scheduler import LoadScopeScheduling

    # A test's parameters stand in brackets, with dashes between them.
    benches = {name: re.compile(rf"[\[-]{re.escape(name)}[\]-]") for name in names}

    class ByBench(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            found = (name for name, pattern in benches.items() if pattern.search(nodeid))
            return next(found, nodeid)

    return ByBench(config, log)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say on what tests run, and whether anything is measured."""
    settings = config.stash[SETTINGS]
    lines = []
    for bench in settings.benches.values():
        if bench.module.is_virtual:
            how = f"in {bench.timing.kind} time: figures are modelled, nothing is measured"
            lines.append(f"bench {bench.name}: virtual {bench.module.family}, {how}")
        else:
            where = f"HSE at {bench.hse.address}"
            lines.append(
                f"bench {bench.name}: real {bench.module.family} on {bench.module.port}, {where}"
            )
    if lines and settings.baseline is not None:
        lines.append(f"baseline: {settings.baseline}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a bench runs on each, if the module is of a family that it names."""
    settings = metafunc.config.stash[SETTINGS]
    if "_lab" not in metafunc.fixturenames or not settings.benches:
        return
    wanted = _families(metafunc.definition)
    parameters = []
    for path, bench in settings.benches.items():
        marks: list[Any] = []
        family = bench.module.family
        if wanted and family not in wanted:
            reason = f"is for {', '.join(wanted)}; the module of bench {bench.name} is a {family}"
            marks.append(pytest.mark.skip(reason=reason))
        parameters.append(pytest.param(path, id=bench.name, marks=marks))
    metafunc.parametrize("_lab", parameters, indirect=True, scope="session")


def _families(definition: pytest.Item) -> list[str]:
    """What the nearest marker names."""
    marker = definition.get_closest_marker("modules")
    if marker is None:
        return []
    if marker.kwargs or not marker.args or not all(isinstance(one, str) for one in marker.args):
        raise pytest.UsageError(
            f"{definition.nodeid}: modules() names families, such as modules('bc66', 'bc95')"
        )
    from firmware_bridge import FAMILIES

    for name in marker.args:
        if name not in FAMILIES:
            raise pytest.UsageError(
                f"{definition.nodeid}: there is no module family {name!r}; "
                f"there are {', '.join(FAMILIES)}"
            )
    return list(marker.args)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say in a test's properties on what it runs."""
    callspec = getattr(item, "callspec", None)
    path = None if callspec is None else callspec.params.get("_lab")
    if path is None:
        return
    bench = item.config.stash[SETTINGS].benches[path]
    verdicts = item.stash[VERDICTS] = Verdicts(item)
    verdicts.tell("bench", bench.name)
    verdicts.tell("module", bench.module.family)
    verdicts.tell("origin", "virtual" if bench.module.is_virtual else "real")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """See at a test's end whether its limits were decided."""
    result = yield
    verdicts = item.stash.get(VERDICTS, None)
    if verdicts is not None:
        verdicts.conclude()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell inconclusive tests and faults of the lab from failures."""
    report = yield
    if call.excinfo is None or VERDICTS not in item.stash:
        return report
    error = call.excinfo.value
    if call.when == "call" and item.stash[VERDICTS].inconclusive:
        report.__dict__["testbed"] = _INCONCLUSIVE
        if item.config.getoption("--inconclusive") == "fail":
            report.outcome, report.longrepr = "failed", str(error)
        return report
    told = lab_fault(error)
    if told is not None and report.failed:
        report.longrepr = told
        if report.when == "call":
            report.when = "setup"  # pytest's word for "an error, no failure", in JUnit reports too
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, Any] | None:
    """An outcome of its own for what could not be decided."""
    if report.skipped and getattr(report, "testbed", None) == _INCONCLUSIVE:
        return _INCONCLUSIVE, "I", ("INCONCLUSIVE", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was not decided, and what passed with a warning."""
    stats: Mapping[str, Sequence[Any]] = terminalreporter.stats
    lines = []
    for report in stats.get(_INCONCLUSIVE, ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        lines.append(f"INCONCLUSIVE {report.nodeid}: {str(reason).removeprefix('Skipped: ')}")
    for report in stats.get("passed", ()):
        for name, value in report.user_properties:
            if str(value).startswith("warn: "):
                lines.append(f"WARN {report.nodeid}: {name}: {value.removeprefix('warn: ')}")
    if lines:
        terminalreporter.section("verdicts that are no plain pass or fail")
        for line in lines:
            terminalreporter.write_line(line)
