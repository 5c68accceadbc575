"""``testbed run --pushgateway``: a gateway never costs a run."""

from collections.abc import Callable
from pathlib import Path

from tests.testbed.cli.conftest import Done

Run = Callable[..., Done]


def test_a_gateway_that_is_not_there_costs_a_warning_and_no_run(testbed: Run) -> None:
    done = testbed("run", "-n", "2", "-c", "none", "--pushgateway", "http://127.0.0.1:9")
    assert done.code == 0
    assert "warning: the Pushgateway at http://127.0.0.1:9 did not take" in done.err
    assert "report.html" in done.out


def test_an_address_that_is_none_is_told_before_the_run(testbed: Run) -> None:
    done = testbed("run", "-n", "2", "-c", "none", "--pushgateway", "gateway:9091")
    assert done.code == 2
    assert "is not the address of a Pushgateway" in done.err
    assert not Path("runs").exists()
