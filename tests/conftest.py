"""What holds for all tests: examples that are the same in every run.

A gate that draws new examples each time fails at random for whoever comes by. Here hypothesis draws
the same ones; with ``TESTBED_RANDOM=1`` it draws new ones, to look for what nobody has found yet.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.load_profile("default" if os.environ.get("TESTBED_RANDOM") == "1" else "same")
