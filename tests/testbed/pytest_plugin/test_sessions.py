"""The plugin, from outside: what a session's tests end in, and what its reports say."""

from __future__ import annotations

import os
import pty
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testbed.pytest_plugin.conftest import ROOT, Session

Run = Callable[..., Session]

BENCH = """
name: desk
module: {port: "virtual:bc66"}
matrix: [esp-tunnel]
campaign: {blocks: 12, messages_per_cell: 4}
"""
NO_ASYNCIO = ("-p", "no:asyncio")
EXAMPLE = ROOT / "docs" / "examples" / "regression"


def test_the_example_has_a_pass_a_failure_and_an_inconclusive_test(
    session: Run, tmp_path: Path
) -> None:
    for name in ("bench.yaml", "test_regression.py"):
        shutil.copy(EXAMPLE / name, tmp_path)
    done = session("--bench", "bench.yaml", *NO_ASYNCIO)
    assert done.outcomes() == {
        "test_the_limits_of_the_bench_file_are_kept[desk]": "PASSED",
        "test_esp_with_rohc_fits_into_80_octets[desk]": "FAILED",
        "test_999_of_1000_messages_arrive[desk]": "INCONCLUSIVE",
        "test_an_answer_comes_back_within_two_seconds[desk]": "PASSED",
        "test_the_module_tells_its_coverage_level[desk]": "PASSED",
        "test_what_only_a_bc95_can_do[desk]": "SKIPPED",
    }
    assert done.code == 1
    assert "bench desk: virtual bc66, in virtual time: figures are modelled" in done.out
    assert "1 failed, 3 passed, 1 skipped, 1 inconclusive" in done.out
    kept = done.properties("test_the_limits_of_the_bench_file_are_kept[desk]")
    assert (kept["origin"], kept["bench"], kept["module"]) == ("virtual", "desk", "bc66")
    assert kept["rohc+esp-tunnel uplink_bytes"].startswith("91.58 B (")
    assert kept["rohc+esp-tunnel energy"].endswith("n = 48, estimated by state-nb1-1")
    assert kept["esp-tunnel: latency_p95 <= 12 s"].startswith("pass: ")
    (failure,) = done.case("test_esp_with_rohc_fits_into_80_octets[desk]").iter("failure")
    assert "uplink_bytes <= 80 B: fail: 91.58 B" in failure.get("message", "")
    open_case = done.case("test_999_of_1000_messages_arrive[desk]")
    (skipped,) = open_case.iter("skipped")
    assert skipped.get("message", "").startswith("inconclusive: esp-tunnel: delivery >= 99.9 %")
    assert "need about n = " in skipped.get("message", "")
    runs = list((tmp_path / "runs").iterdir())
    assert len(runs) == 1, "one campaign serves the tests of a session"
    assert (runs[0] / "report.html").exists()
    assert kept["run"] == f"runs/{runs[0].name}"


def test_without_a_bench_nothing_is_imported_and_its_tests_are_skipped(session: Run) -> None:
    tests = """
import sys

def test_needs_one(module):
    raise AssertionError

def test_needs_none():
    heavy = {"numpy", "scipy", "pydantic", "firmware_bridge", "esp", "rohc", "asyncio"}
    assert not heavy & set(sys.modules)
    assert not [name for name in sys.modules if name.startswith("testbed.bench")]
"""
    done = session(*NO_ASYNCIO, "-p", "no:anyio", "-p", "no:xdist", test_a_py=tests)
    assert done.outcomes() == {"test_needs_one": "SKIPPED", "test_needs_none": "PASSED"}
    assert done.code == 0
    assert "needs a bench: pytest --bench bench.yaml" in done.out
    assert "figures are modelled" not in done.out


def test_inconclusive_can_be_made_a_failure(session: Run) -> None:
    tests = """
def test_open(measure):
    values = iter([1.0, 3.0, 1.2, 2.9, 2.0])
    measure(values.__next__, n=5, unit="J", name="charge").assert_at_most("2 J")

def test_warned(measure):
    values = iter([2.1, 2.0, 0.5, 2.2, 2.1, 2.3, 2.0, 2.2, 0.6, 2.1, 2.4, 2.2])
    measure(lambda: next(values), n=12, unit="J", name="charge").assert_at_most("1 J")

def test_broken_after_open(measure):
    values = iter([1.0, 3.0, 1.2, 2.9, 2.0])
    measure(values.__next__, n=5, unit="J", name="charge").assert_at_most("2 J")
    assert False, "a failure beats what could not be decided"
"""
    done = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "--inconclusive=fail",
        bench_yaml=BENCH, test_a_py=tests,
    )  # fmt: skip
    assert done.outcomes() == {
        "test_open[desk]": "FAILED",
        "test_warned[desk]": "PASSED",
        "test_broken_after_open[desk]": "FAILED",
    }
    assert "WARN test_a.py::test_warned[desk]: charge: median <= 1 J: " in done.out
    assert done.code == 1
    (failure,) = done.case("test_open[desk]").iter("failure")
    assert "inconclusive: charge: median <= 2 J" in failure.get("message", "")
    assert done.properties("test_open[desk]")["charge median"].startswith("2 J (")
    (other,) = done.case("test_broken_after_open[desk]").iter("failure")
    assert "a failure beats" in other.get("message", "")
    only_open = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "-k", "test_open", bench_yaml=BENCH, test_a_py=tests
    )
    assert only_open.outcomes() == {"test_open[desk]": "INCONCLUSIVE"}
    assert only_open.code == 0


REAL = """
name: shelf
module: {port: PORT}
hse: {address: "127.0.0.1:4500", secret: "hex:000102030405060708090a0b0c0d0e0f"}
matrix: [none]
"""


def test_a_fault_of_the_lab_is_an_error_with_the_next_step(session: Run, tmp_path: Path) -> None:
    tests = """
from firmware_bridge import PortBusy

def test_needs_the_port(module):
    raise AssertionError

def test_needs_nothing():
    pass
"""
    missing = session(
        *NO_ASYNCIO, "--bench", "bench.yaml",
        bench_yaml=REAL.replace("PORT", "/dev/no-such-port"), test_a_py=tests,
    )  # fmt: skip
    assert missing.outcomes() == {
        "test_needs_the_port[shelf]": "ERROR", "test_needs_nothing": "PASSED"
    }  # fmt: skip
    assert "real bc66 on /dev/no-such-port, HSE at 127.0.0.1:4500" in missing.out
    (error,) = missing.case("test_needs_the_port[shelf]").iter("error")
    assert "lab fault: port /dev/no-such-port does not exist" in (error.text or "")
    assert "next: " in (error.text or "")
    assert missing.properties("test_needs_the_port[shelf]")["origin"] == "real"


def test_a_busy_port_is_named_with_its_holder_and_a_virtual_module_takes_its_place(
    session: Run, tmp_path: Path
) -> None:
    tests = """
def test_port(module):
    assert module.identify()
"""
    master, slave = pty.openpty()
    port = os.ttyname(slave)
    lock = Path("/run/lock") / f"LCK..{Path(port).name}"
    if not os.access(lock.parent, os.W_OK):
        pytest.skip("/run/lock cannot be written here")
    lock.write_text(f"{os.getpid():>10}\n")
    try:
        bench = REAL.replace("PORT", port)
        busy = session(*NO_ASYNCIO, "--bench", "bench.yaml", bench_yaml=bench, test_a_py=tests)
        virtual = session(
            *NO_ASYNCIO, "--bench", "bench.yaml", "--bench-virtual",
            bench_yaml=bench, test_a_py=tests,
        )  # fmt: skip
        assert lock.exists(), "somebody else's lock was taken away"
    finally:
        lock.unlink(missing_ok=True)
        os.close(master)
        os.close(slave)
    assert busy.outcomes() == {"test_port[shelf]": "ERROR"}
    (error,) = busy.case("test_port[shelf]").iter("error")
    assert f"port {port} is in use by" in (error.text or "")
    assert f"(pid {os.getpid()})" in (error.text or "")
    assert virtual.outcomes() == {"test_port[shelf]": "PASSED"}
    assert "bench shelf: virtual bc66, in virtual time" in virtual.out


def test_a_fault_in_the_middle_of_a_test_is_an_error_too(session: Run) -> None:
    tests = """
import pytest
from firmware_bridge import ModuleError, PortBusy

def test_lost(module):
    raise PortBusy("/dev/ttyUSB0", "minicom (pid 812)")

def test_expected(module):
    with pytest.raises(ModuleError):
        module.open_udp("no-such-name.invalid", 4500)

def test_wrong_question(campaign):
    campaign(matrix=["esp-tunnel/no-such-suite"])
"""
    done = session(*NO_ASYNCIO, "--bench", "bench.yaml", bench_yaml=BENCH, test_a_py=tests)
    assert done.outcomes() == {
        "test_lost[desk]": "ERROR",
        "test_expected[desk]": "PASSED",
        "test_wrong_question[desk]": "ERROR",
    }
    assert done.code == 1
    (error,) = done.case("test_lost[desk]").iter("error")
    assert "next: stop minicom (pid 812) first" in (error.text or "")
    assert "usage: " in done.out and "no-such-suite" in done.out


def test_each_test_runs_on_each_bench_whose_module_it_is_for(session: Run) -> None:
    tests = """
import pytest

def test_any(bench, module):
    assert module.identify() and module.family == bench.module.family

@pytest.mark.modules("bc95")
def test_bc95(module):
    assert module.family == "bc95"
"""
    other = BENCH.replace("desk", "attic").replace("bc66", 'bc95", family: "bc95')
    done = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "--bench", "other.yaml",
        bench_yaml=BENCH, other_yaml=other, test_a_py=tests,
    )  # fmt: skip
    assert done.outcomes() == {
        "test_any[desk]": "PASSED",
        "test_any[attic]": "PASSED",
        "test_bc95[desk]": "SKIPPED",
        "test_bc95[attic]": "PASSED",
    }
    unknown = session(
        *NO_ASYNCIO, "--bench", "bench.yaml",
        bench_yaml=BENCH, test_a_py=tests.replace('"bc95")\ndef', '"bc9")\ndef'),
    )  # fmt: skip
    assert unknown.code != 0
    assert "there is no module family 'bc9'; there are " in unknown.out


def test_mistakes_are_told_before_anything_runs(session: Run) -> None:
    tests = "def test_any(module): pass\n"
    wrong = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", bench_yaml=BENCH + "matrx: [none]\n", test_a_py=tests
    )
    assert wrong.code == 4
    assert "matrx" in wrong.out and "bench.yaml:" in wrong.out and "next: " in wrong.out
    lacking = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "--baseline", "home", bench_yaml=BENCH,
        test_a_py=tests,
    )  # fmt: skip
    assert lacking.code == 4
    assert "'home' is neither a run directory nor a baseline" in lacking.out


def test_a_campaign_is_held_against_a_baseline(session: Run, tmp_path: Path) -> None:
    tests = """
def test_bytes(campaign):
    campaign().assert_limits({"uplink_bytes": {"regression": "5 %"}})
"""
    none = session(*NO_ASYNCIO, "--bench", "bench.yaml", bench_yaml=BENCH, test_a_py=tests)
    assert none.outcomes() == {"test_bytes[desk]": "SKIPPED"}
    assert "not judged: esp-tunnel: uplink_bytes" in none.out
    (run,) = (tmp_path / "runs").iterdir()
    same = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "--baseline", str(run),
        bench_yaml=BENCH, test_a_py=tests,
    )  # fmt: skip
    assert same.outcomes() == {"test_bytes[desk]": "PASSED"}
    worse = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "--baseline", str(run),
        bench_yaml=BENCH,
        test_a_py=tests.replace("campaign()", "campaign(esp={'pad_to': 200})"),
    )  # fmt: skip
    assert worse.outcomes() == {"test_bytes[desk]": "FAILED"}


ASYNCHRONOUS = """
import asyncio

async def test_awaits(module, hse, measure, campaign):
    report, identity = await asyncio.gather(module.radio(), module.identify())
    assert report.ecl == 0 and identity.model
    async with await module.open_udp(hse.addresses.host, hse.addresses.plain_port) as socket:

        async def exchange():
            await socket.send(b"ping")
            await socket.receive(timeout_s=40)

        (await measure(exchange, n=12)).assert_at_most("5 s")
    assert len((await campaign()).arm("esp-tunnel")) == 48
"""
PLAIN = """
import pytest

def test_waits(module, hse, measure):
    socket = module.open_udp(hse.addresses.host, hse.addresses.plain_port)

    async def exchange():
        await socket.send(b"ping")
        assert (await socket.receive(timeout_s=40)).data == b"ping"

    found = measure(exchange, n=12)
    assert 0.1 < found.median.low <= found.median.value <= found.median.high < 5
    module.detach()

def test_finds_the_module_as_it_should_be(module, campaign, hse):
    assert module.registration().registered
    for _ in range(20):  # the sockets of the test before are closed: there is room for more
        module.open_udp(hse.addresses.host, hse.addresses.plain_port).close()
    assert len(campaign(matrix=["none"]).arm("none")) == 48
    with pytest.raises(Exception):
        campaign(matrix=["none"]).arm("esp-tunnel")

def test_has_the_module_after_a_campaign(module):
    assert module.address()
    module.reset()

def test_and_after_a_reset(module):
    assert module.registration().registered
"""


def test_fixtures_serve_plain_tests_where_pytest_asyncio_is_not(session: Run) -> None:
    done = session(*NO_ASYNCIO, "--bench", "bench.yaml", bench_yaml=BENCH, test_a_py=PLAIN)
    assert set(done.outcomes().values()) == {"PASSED"}, done.out
    assert done.code == 0


def test_fixtures_serve_asynchronous_tests_and_plain_ones_beside_them(session: Run) -> None:
    ini = (
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
        "testbed_bench = bench.yaml\n"
    )
    done = session(bench_yaml=BENCH, pytest_ini=ini, test_a_py=PLAIN, test_b_py=ASYNCHRONOUS)
    assert set(done.outcomes().values()) == {"PASSED"}, done.out
    assert len(done.outcomes()) == 5 and done.code == 0


def test_under_xdist_the_tests_of_a_bench_go_to_one_worker(session: Run, tmp_path: Path) -> None:
    tests = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(4))
def test_any(module, number):
    with Path("workers").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")

def test_open(measure):
    measure(iter([1.0, 3.0, 1.2, 2.9, 2.0]).__next__, n=5, unit="J").assert_at_most("2 J")
"""
    done = session(
        *NO_ASYNCIO, "--bench", "bench.yaml", "-n", "2",
        bench_yaml=BENCH, test_a_py=tests,
    )  # fmt: skip
    assert done.code == 0, done.out
    assert "4 passed, 1 inconclusive" in done.out
    assert len(set((tmp_path / "workers").read_text().split())) == 1
