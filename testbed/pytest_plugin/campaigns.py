"""Campaigns run by tests, and their results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from testbed import clock
from testbed.analysis import statistics
from testbed.analysis.comparison import obstacles
from testbed.analysis.limits import Limit, LimitsDescription, show
from testbed.analysis.measurements import Arm, Measurements
from testbed.analysis.measures import MEASURES
from testbed.analysis.samples import sample
from testbed.analysis.statistics import Estimate
from testbed.analysis.verdicts import Judgement, judge
from testbed.bench import Bench
from testbed.campaign import load_payloads, run_bench
from testbed.campaign.resuming import begin_manifest
from testbed.errors import UsageError
from testbed.pytest_plugin.lab import Lab
from testbed.pytest_plugin.outcomes import Verdicts
from testbed.report.page import write_report
from testbed.results import RunDirectory
from testbed.results.baselines import measured

__all__ = ["Campaign", "Results", "shown"]


def shown(figure: Estimate, unit: str) -> str:
    """A figure with its unit, its interval and how many messages it rests on."""
    least = "at least " if figure.censored else ""
    interval = f"{show(figure.low, unit)} to {show(figure.high, unit)}"
    return f"{least}{show(figure.value, unit)} ({interval}), n = {figure.n}"


class Results:
    """What a campaign measured.

    Args:
        directory: of its run.
        bench: the description that it was run by.
        baseline: what regressions are held against.
    """

    def __init__(
        self, directory: RunDirectory, bench: Bench, baseline: Measurements | None
    ) -> None:
        self.directory = directory
        self.bench = bench
        self.baseline = baseline
        self._verdicts: Verdicts | None = None

    def __repr__(self) -> str:
        return f"<results of {self.directory.path}>"

    def seen_by(self, verdicts: Verdicts) -> Results:
        """The same results, whose verdicts another test takes."""
        other = Results(self.directory, self.bench, self.baseline)
        other.__dict__ |= {"measurements": self.measurements, "_verdicts": verdicts}
        return other

    @cached_property
    def measurements(self) -> Measurements:
        """The values in columns, one arm per configuration or cell."""
        return measured(self.directory)

    def arm(self, configuration: str) -> Arm:
        """The messages of one configuration, or cell.

        Raises:
            UsageError: nothing was measured for it.
        """
        arm = self.measurements.arm(configuration)
        if arm is None:
            known = ", ".join(one.name for one in self.measurements.arms)
            raise UsageError(
                f"{self.directory.path} has no message of {configuration!r}",
                hint=f"There are: {known}.",
            )
        return arm

    def figure(self, measure: str, configuration: str) -> Estimate | None:
        """A figure with its 95 % interval; None where nothing was measured for it.

        Args:
            measure: such as ``latency_p95``; docs/statistics.md has the table.
            configuration: or cell.

        Raises:
            UsageError: there is no such figure, or configuration.
        """
        arm, kind = self.arm(configuration), MEASURES.get(measure)
        if kind is None or kind.saving:
            known = ", ".join(name for name, one in MEASURES.items() if not one.saving)
            raise UsageError(f"{measure!r} is no figure of a configuration", hint=f"Known: {known}")
        timeout_s = self.measurements.conditions.answer_timeout_s
        values = sample(arm, kind, timeout_s=timeout_s)
        return statistics.estimate(values, kind.statistic) if len(values) else None

    def judge(
        self, limits: Mapping[str, Any] | None = None, *, changed: Collection[str] = ()
    ) -> tuple[Judgement, ...]:
        """Hold the campaign against its limits.

        Args:
            limits: as under ``limits`` in a bench file; None: those of the bench file.
            changed: what differs from the baseline on purpose, such as ``firmware``.

        Raises:
            UsageError: a limit is none.
        """
        run, baseline = self.measurements, self.baseline
        problems = () if baseline is None else tuple(obstacles(baseline, run, changed))
        return judge(run, self._limits(limits), baseline=baseline, problems=problems)

    def assert_limits(
        self, limits: Mapping[str, Any] | None = None, *, changed: Collection[str] = ()
    ) -> None:
        """Fail the test when a limit is broken; see `judge` for the arguments.

        Where none is broken and one is inconclusive, the test is inconclusive at its end.

        Raises:
            UsageError: there is no limit.
        """
        __tracebackhide__ = True
        judgements = self.judge(limits, changed=changed)
        if not judgements:
            raise UsageError(
                "there is no limit to assert",
                hint="Give some, or write them in the bench file, under campaign: limits.",
            )
        assert self._verdicts is not None
        self._verdicts.check(judgements)

    def _limits(self, limits: Mapping[str, Any] | None) -> tuple[Limit, ...]:
        if limits is None:
            campaign = self.bench.campaign
            return () if campaign is None else campaign.limits.limits()
        try:
            found = LimitsDescription.model_validate(limits)
        except ValidationError as error:
            said = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one.get('ctx', {}).get('error', one['msg'])}"
                for one in error.errors(include_url=False, include_input=False)
            )
            raise UsageError(f"limits: {said}", hint="See docs/statistics.md.") from None
        arms = self.measurements.arms
        known = [*(arm.name for arm in arms), *(arm.configuration for arm in arms)]
        try:
            found.check_configurations((*dict.fromkeys((*known, *self.measurements.missing)),))
        except ValueError as error:
            raise UsageError(str(error), hint="Name a configuration, or one cell.") from None
        return found.limits()


class Campaign:
    """Runs campaigns on the session's bench, for one test.

    Args:
        lab: the bench.
        verdicts: the test's.
    """

    def __init__(self, lab: Lab, verdicts: Verdicts) -> None:
        self._lab = lab
        self._verdicts = verdicts

    def __call__(self, *, fresh: bool = False, **changes: Any) -> Any:
        """Run the bench's campaign, or give what it measured before in this session.

        Args:
            fresh: run it again, though it was run with these changes.
            changes: values in place of those of the bench file, nested as in it:
                ``campaign(matrix=["none"], traffic={"messages": 50})``.

        Returns:
            `Results`; to be awaited in an asynchronous test.

        Raises:
            UsageError: a change is wrong.
            LabFault: the lab is at fault.
            firmware_bridge.ModuleError: the module's share of that.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._results(fresh, changes)
        return asyncio.to_thread(self._results, fresh, changes)

    def _results(self, fresh: bool, changes: Mapping[str, Any]) -> Results:
        key = json.dumps(changes, sort_keys=True, default=str)
        results = None if fresh else self._lab.campaigns.get(key)
        if results is None:
            results = self._lab.campaigns[key] = self._run(self._lab.changed(changes))
        self._tell(results)
        seen: Results = results.seen_by(self._verdicts)
        return seen

    def _run(self, bench: Bench) -> Results:
        lab = self._lab
        port = lab.bench.module.port
        if bench.module.port != port:
            raise UsageError(
                f"a campaign of this session runs on {port}, not on {bench.module.port}",
                hint="Describe the other module in a bench file of its own: --bench once for each.",
            )
        payloads = load_payloads(bench)
        lab.release()
        directory = RunDirectory.create(lab.runs)
        self._verdicts.tell("run", str(directory.path))  # also where a fault ends it
        begin_manifest(bench, payloads, directory)
        # A loop of its own, as of `testbed run`: virtual time begins at 0, and repeats itself.
        clock.run(lambda: run_bench(bench, payloads, directory), time_scale=bench.timing.scale)
        write_report(directory.path)
        return Results(directory, bench, lab.baseline)

    def _tell(self, results: Results) -> None:
        """Give the test the campaign's figures as properties."""
        self._verdicts.tell("run", str(results.directory.path))
        for arm in results.measurements.arms:
            for name, measure in MEASURES.items():
                figure = None if measure.saving else results.figure(name, arm.name)
                if figure is None:
                    continue
                sources = ", ".join(" by ".join(source) for source in arm.sources)
                source = f", {sources}" if measure.sourced else ""
                self._verdicts.tell(f"{arm.name} {name}", shown(figure, measure.unit) + source)
