"""The example of docs/regression.md, tried as a new user would: with an installed wheel, elsewhere.

``python tests/try_regression.py PYTHON DIRECTORY``: ``PYTHON`` has the wheel and pytest, the
directory holds the example's files. Its JUnit report is read by junitparser.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Properties, Skipped  # type: ignore[import-untyped]

EXPECTED = {
    "test_the_limits_of_the_bench_file_are_kept[desk]": "passed",
    "test_esp_with_rohc_fits_into_80_octets[desk]": "failed: rohc+esp-tunnel: uplink_bytes <= 80 B",
    "test_999_of_1000_messages_arrive[desk]": "skipped: inconclusive: esp-tunnel: delivery >=",
    "test_an_answer_comes_back_within_two_seconds[desk]": "passed",
    "test_the_module_tells_its_coverage_level[desk]": "passed",
    "test_what_only_a_bc95_can_do[desk]": "skipped: is for bc95",
}
"""Each test with the beginning of its outcome."""


def outcomes(report: Path) -> dict[str, str]:
    """What a viewer shows of each test."""
    found = {}
    for suite in JUnitXml.fromfile(str(report)):
        for case in suite:
            words = {Failure: "failed", Error: "error", Skipped: "skipped"}
            said = [f"{words[type(one)]}: {one.message}" for one in case.result]
            found[case.name] = " ".join(said) or "passed"
            kept = case.child(Properties)
            origins = [one.value for one in kept or () if one.name == "origin"]
            assert origins == ["virtual"] or "is for bc95" in found[case.name], case.name
    return found


def main(python: str, directory: Path) -> int:
    """Run the example; 0 when every outcome is the expected one."""
    report = directory / "junit.xml"
    command = [python, "-m", "pytest", "--bench", "bench.yaml", f"--junitxml={report}"]
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    sys.stdout.write(done.stdout[-3000:] + done.stderr[-3000:])
    assert done.returncode == 1, f"pytest ended with {done.returncode}"
    found = {name: said.replace("Failed: ", "") for name, said in outcomes(report).items()}
    assert found.keys() == EXPECTED.keys(), found
    for name, beginning in EXPECTED.items():
        assert found[name].startswith(beginning), (name, found[name])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
