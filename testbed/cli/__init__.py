"""The command line: one file per command, errors printed as one sentence and a next step.

``main`` is the console script. On the shelves: ``run.py``, ``report.py``, ``hse.py``, ``module.py``
and ``rohc.py`` with their helpers beside them, and ``shared.py`` with what they all use.
"""

from testbed.cli.shared import main

__all__ = ["main"]
