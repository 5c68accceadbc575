"""The dashboards against Grafana's own types: `@grafana/schema` from npm, through TypeScript.

Each dashboard is a literal of type ``Dashboard``; each panel's options and field settings are
literals of the types of its kind. A literal may have no field that its type lacks, so that a name
that Grafana does not know is an error. JSON has texts where the types have enums: ``Json`` makes an
enum of texts the union of its texts, and leaves everything else as it is.
"""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dashboards import FILES

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent / "grafana_schema"
CACHE = Path(__file__).parents[2] / "build" / "grafana-schema"
PLACE = "@grafana/schema/dist/esm/raw/composable"
KINDS = {
    "barchart": ("BarChart", "barchart"),
    "bargauge": ("BarGauge", "bargauge"),
    "stat": ("Stat", "stat"),
    "state-timeline": ("StateTimeline", "statetimeline"),
    "table": ("Table", "table"),
    "timeseries": ("TimeSeries", "timeseries"),
}
"""Names of the types by the panel's type."""
WITHOUT_FIELDS = ("bargauge", "stat")
"""Kinds whose fields have no settings of their own."""
JSON = """
type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
"""


@pytest.fixture(scope="module")
def project() -> Path:
    """A folder with the pinned packages, made once per checkout and set of pins."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        _missing("node and npm are not installed")
    pins = (HERE / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(pins).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", "tsconfig.json"):
            shutil.copy(HERE / name, folder)
        if not (folder / "installed").exists():
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if done.returncode:
                _missing(f"npm could not install the pinned packages: {done.stderr.strip()[-300:]}")
            (folder / "installed").touch()
    return folder


def _missing(reason: str) -> None:
    if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def boards() -> dict[str, dict[str, Any]]:
    paths = sorted((FILES / "grafana" / "dashboards").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def source(dashboards: dict[str, dict[str, Any]]) -> str:
    lines = ['import type { Dashboard } from "@grafana/schema";']
    for name, folder in KINDS.values():
        place = f"{PLACE}/{folder}/panelcfg/x/{name}PanelCfg_types.gen"
        lines.append(f'import type * as {name} from "{place}";')
    lines.append(JSON)
    for number, dashboard in enumerate(dashboards.values()):
        lines.append(f"const d{number}: Json<Dashboard> = {json.dumps(dashboard)};")
        for panel in dashboard["panels"]:
            kind, _ = KINDS[panel["type"]]
            stem = f"d{number}p{panel['id']}"
            options = json.dumps(panel["options"])
            lines.append(f"const {stem}o: Json<{kind}.Options> = {options};")
            custom = panel["fieldConfig"]["defaults"]["custom"]
            if panel["type"] in WITHOUT_FIELDS:
                assert custom == {}
            else:
                # What has a default may be left out.
                fields = f"Json<Partial<{kind}.FieldConfig>>"
                lines.append(f"const {stem}f: {fields} = {json.dumps(custom)};")
    return "\n".join(lines) + "\n"


def compiled(project: Path, dashboards: dict[str, dict[str, Any]], tmp_path: Path) -> str:
    """What the compiler says about them; nothing when all is well."""
    shutil.copy(project / "tsconfig.json", tmp_path)
    (tmp_path / "check.ts").write_text(source(dashboards), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(project / "node_modules")
    done = subprocess.run(
        ["node", project / "node_modules" / "typescript" / "bin" / "tsc", "-p", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode == 0) == (done.stdout == ""), done.stdout + done.stderr
    return done.stdout


def test_the_dashboards_are_what_grafana_knows(project: Path, tmp_path: Path) -> None:
    found = boards()
    assert len(found) == 6
    assert compiled(project, found, tmp_path) == ""


def test_the_compiler_finds_what_grafana_does_not_know(project: Path, tmp_path: Path) -> None:
    found = boards()
    wrong = {f"wrong-{number}": copy.deepcopy(found["testbed-overview"]) for number in range(6)}
    timeline = next(
        index
        for index, panel in enumerate(found["testbed-overview"]["panels"])
        if panel["type"] == "state-timeline"
    )
    wrong["wrong-0"]["refresh"] = 5
    wrong["wrong-1"]["auto"] = True
    wrong["wrong-2"]["panels"][0]["titel"] = "Every module"
    wrong["wrong-3"]["panels"][timeline]["options"]["showValue"] = "sometimes"
    wrong["wrong-4"]["panels"][0]["fieldConfig"]["defaults"]["thresholds"]["mode"] = "relative"
    wrong["wrong-5"]["templating"]["list"][0]["type"] = "source"
    said = compiled(project, wrong, tmp_path)
    # An error that is reported where the dashboard begins names it; panels have names of their own.
    for number in range(6):
        assert f"check.ts({_line(wrong, number, timeline)}," in said, (number, said)


def _line(wrong: dict[str, dict[str, Any]], number: int, timeline: int) -> int:
    """The line of the literal that is wrong."""
    lines = source(wrong).splitlines()
    panel = wrong[f"wrong-{number}"]["panels"][timeline]["id"]
    name = f"const d{number}p{panel}o:" if number == 3 else f"const d{number}:"
    return next(index for index, line in enumerate(lines, 1) if line.startswith(name))
