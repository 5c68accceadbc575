"""The pytest plugin: regression runs on a bench's modules as ordinary tests.

``pytest --bench bench.yaml`` gives tests the fixtures `bench`, `module`, `hse`, `campaign` and
`measure`; see docs/regression.md. Without ``--bench`` (or ``testbed_bench`` in the ini file) the
plugin does nothing but skip tests that ask for them: nothing of the testbed is imported.

On the shelves:

- ``hooks.py``      options, parametrization, outcomes, what reports say
- ``fixtures.py``   the fixtures
- ``outcomes.py``   what a test ends in beside pass and fail: inconclusive, a fault of the lab
- ``lab.py``        what a session holds: the module, the HSE, the lock on the port
- ``loop.py``       the lab's event loop, in a thread, for plain and for asynchronous tests
- ``campaigns.py``  campaigns run by tests, and their results
- ``measuring.py``  something repeated, and its figures

Only the first three are imported when pytest starts, and they import no more than pytest.
"""

from testbed.pytest_plugin.fixtures import _lab, bench, campaign, hse, measure, module
from testbed.pytest_plugin.hooks import (
    pytest_addoption,
    pytest_configure,
    pytest_generate_tests,
    pytest_report_header,
    pytest_report_teststatus,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_terminal_summary,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "_lab",
    "bench",
    "campaign",
    "hse",
    "measure",
    "module",
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
