"""What ``testbed hse`` refuses before it listens, and what its options do to a run against it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.hse.state import HseState
from tests.testbed.cli.conftest import Done
from tests.testbed.cli.test_hse import serve

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--suite", "aes-gcm-16-129"), "--suite: unknown suite 'aes-gcm-16-129'"),
        (("--rohc-integrity", "crc-32"), "--rohc-integrity: no integrity transform is named"),
        (("--rohc-icv-bytes", "4"), "--rohc-integrity: icv_bytes without integrity"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    testbed: Callable[..., Done], secret_file: Path, options: tuple[str, ...], said: str
) -> None:
    done = testbed("hse", "--port", "0", "--secret-file", str(secret_file), *options)
    assert done.code == 2
    assert said in done.err


def test_addresses_of_two_subscribers_that_overlap_are_refused(
    testbed: Callable[..., Done], tmp_path: Path
) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text(
        f"ue-1: {{secret: 'hex:{'01' * 16}', addresses: [10.0.0.0/24]}}\n"
        f"ue-2: {{secret: 'hex:{'02' * 16}', addresses: [10.0.0.9]}}\n"
    )
    done = testbed("hse", "--port", "0", "--subscribers", str(path))
    assert done.code == 2
    assert "share addresses" in done.err


def test_state_in_use_is_refused(
    testbed: Callable[..., Done], tmp_path: Path, secret_file: Path
) -> None:
    state = HseState(tmp_path / "state")
    done = testbed(
        *("hse", "--port", "0", "--secret-file", str(secret_file)),
        *("--state", str(tmp_path / "state")),
    )
    state.close()
    assert done.code == 3
    assert "in use by another process" in done.err


def test_a_run_with_a_suite_that_the_hse_does_not_allow_is_told_so(
    start: Start, testbed: Callable[..., Done], secret_file: Path
) -> None:
    hse = serve(start, "--secret-file", str(secret_file), "--suite", "aes-ccm-8-128")
    options = (
        *("run", "--hse", hse["esp"], "--secret-file", str(secret_file)),
        *("-n", "2", "--time-scale", "50", "--json"),
    )
    refused = testbed(*options, "-c", "esp-tunnel")
    assert refused.code == 2
    assert "offer-refused" in refused.err
    allowed = testbed(*options, "-c", "esp-tunnel/aes-ccm-8-128")
    assert allowed.code == 0, allowed.err
    (row,) = allowed.json["configurations"]
    assert (row["configuration"], row["answered"]) == ("esp-tunnel/aes-ccm-8-128", 2)


def test_a_run_with_the_rohc_icv_needs_it_at_both_ends(
    start: Start, testbed: Callable[..., Done], secret_file: Path, tmp_path: Path
) -> None:
    icv = ("--rohc-integrity", "hmac-sha2-256-128", "--rohc-icv-bytes", "4")
    hse = serve(start, "--secret-file", str(secret_file), *icv)
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        f"hse: {{address: '{hse['esp']}', secret_file: {secret_file}}}\n"
        "matrix: [rohc+esp-tunnel]\n"
        "rohc: {integrity: hmac-sha2-256-128, icv_bytes: 4}\n"
        "traffic: {messages: 4}\n"
        "time_scale: 50\n"
    )
    with_it = testbed("run", "--bench", str(bench), "--json")
    assert with_it.code == 0, with_it.err
    (row,) = with_it.json["configurations"]
    assert row["answered"] == 4
    own = testbed("run", "-c", "rohc+esp-tunnel", "-n", "4", "--json").json["configurations"][0]
    first = [one["first_uplink_bytes"]["by_layer"]["rohc_header"] for one in (row, own)]
    assert first[0] == first[1] + 4


def test_a_policy_of_the_bench_is_named_with_the_suite_it_forbids(
    testbed: Callable[..., Done], tmp_path: Path
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        "matrix:\n  - esp-tunnel/null+hmac-sha1-96\n"
        "policy: {name: region 7, allowed: [aes-gcm-16-128]}\n"
    )
    done = testbed("run", "--bench", str(bench))
    assert done.code == 2
    assert "suite null+hmac-sha1-96 is not allowed by the policy 'region 7'" in done.err
