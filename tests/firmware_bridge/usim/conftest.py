"""Fixtures of these tests: `scripted` (the helper module of the AT tests)."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def scripted() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "firmware_bridge_scripted", Path(__file__).parents[1] / "at" / "scripted.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
