"""The command line: one file per command, errors printed as one sentence and a next step.

``main`` is the console script. On the shelves: a file per command, as ``run.py`` or ``hse.py``,
with its helpers beside it, and ``shared.py`` with what they all use.
"""

from testbed.cli.shared import main

__all__ = ["main"]
