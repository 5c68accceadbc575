"""The fixtures. Everything of the testbed is imported when the first of them is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed.pytest_plugin.hooks import SETTINGS, VERDICTS, Settings

if TYPE_CHECKING:
    from testbed.bench import Bench
    from testbed.campaign.lab import Hse
    from testbed.pytest_plugin.campaigns import Campaign
    from testbed.pytest_plugin.lab import Lab
    from testbed.pytest_plugin.loop import Handle
    from testbed.pytest_plugin.measuring import Measurer

__all__ = ["_lab", "bench", "campaign", "hse", "measure", "module"]


@pytest.fixture(scope="session")
def _lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """What the session holds of a bench; the parameter is the bench file."""
    settings: Settings = request.config.stash[SETTINGS]
    path: Path | None = getattr(request, "param", None)
    if path is None:
        pytest.skip("needs a bench: pytest --bench bench.yaml")
    from testbed.pytest_plugin.lab import Lab

    lab = Lab(
        path,
        virtual=settings.virtual,
        runs=settings.runs,
        baseline=settings.reference(path),
    )
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def bench(_lab: Lab) -> Bench:
    """The bench description."""
    return _lab.bench


@pytest.fixture
def module(_lab: Lab) -> Handle:
    """The module: a driver (`firmware_bridge.Module`), attached.

    It stays attached from test to test; sockets that a test has opened are closed, and a module
    that a test left detached or rebooted is brought back, before the next test that asks for it.
    """
    return _lab.module()


@pytest.fixture
def hse(_lab: Lab) -> Hse:
    """The HSE: where the module finds it (``hse.addresses``); ``hse.server`` is one of our own."""
    return _lab.hse()


@pytest.fixture
def campaign(_lab: Lab, request: pytest.FixtureRequest) -> Campaign:
    """Runs the bench's campaign, or one with changes: ``campaign(matrix=["none"])``."""
    from testbed.pytest_plugin.campaigns import Campaign

    return Campaign(_lab, request.node.stash[VERDICTS])


@pytest.fixture
def measure(_lab: Lab, request: pytest.FixtureRequest) -> Measurer | Any:
    """Repeats something: ``measure(action, n=30).assert_at_most("2 s")``."""
    from testbed.pytest_plugin.measuring import Measurer

    return Measurer(_lab.loop, request.node.stash[VERDICTS])
