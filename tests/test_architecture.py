"""Imports go one way: the floor plan of the house, asserted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("testbed", "firmware_bridge", "esp", "rohc", "dashboards")

ALLOWED = {
    "rohc": set(),
    "firmware_bridge": set(),
    "esp": {"rohc"},
    "testbed": {"firmware_bridge", "esp", "rohc"},
    "dashboards": {"testbed"},
}
"""Which of our packages a package may import, besides itself."""

ROHC_DOOR = "esp/rohcoipsec.py"
"""The one module of esp that may import rohc."""

SANS_IO = ("rohc", "esp", "firmware_bridge/at/parser.py", "testbed/hse/gateway.py")
"""Places that take bytes and `now`, and do no I/O of their own."""

IO_MODULES = {"asyncio", "socket", "select", "selectors", "threading", "time", "serial"}


def imports(path: Path) -> set[str]:
    """All absolute module names that a file imports, those inside functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it leads"
            found.add(node.module or "")
    return found


def sources(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    files = sources(package)
    assert files, f"{package} holds no module"
    for path in files:
        ours = {name.partition(".")[0] for name in imports(path)} & set(PACKAGES)
        forbidden = ours - {package} - ALLOWED[package]
        assert not forbidden, f"{path.relative_to(ROOT)} imports {', '.join(sorted(forbidden))}"


def test_esp_enters_rohc_by_one_door() -> None:
    entering = {
        path.relative_to(ROOT).as_posix()
        for path in sources("esp")
        if any(name.partition(".")[0] == "rohc" for name in imports(path))
    }
    assert entering == {ROHC_DOOR}


def test_dashboards_read_the_metric_catalogue_only() -> None:
    for path in sources("dashboards"):
        reached = {name for name in imports(path) if name.startswith("testbed")}
        assert all(name.startswith("testbed.metrics") for name in reached), path


def test_driver_and_virtual_module_share_no_code() -> None:
    for path in sources("firmware_bridge"):
        inside = path.relative_to(ROOT / "firmware_bridge").parts[0]
        names = imports(path)
        if inside == "virtual":
            driver = tuple(f"firmware_bridge.{room}" for room in ("at", "modules", "line", "usim"))
            assert not any(name.startswith(driver) for name in names), path
        elif inside in ("at", "modules", "line", "usim"):
            assert not any(name.startswith("firmware_bridge.virtual") for name in names), path


@pytest.mark.parametrize("place", SANS_IO)
def test_sans_io_rooms_do_no_io(place: str) -> None:
    for path in sources(place):
        touched = {name.partition(".")[0] for name in imports(path)} & IO_MODULES
        assert not touched, f"{path.relative_to(ROOT)} imports {', '.join(sorted(touched))}"


def test_the_check_sees_an_import_inside_a_function(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("def f():\n    import socket\n    from rohc import Channel\n")
    assert imports(path) == {"socket", "rohc"}
