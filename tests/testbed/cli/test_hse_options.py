"""What ``testbed hse`` refuses before it listens, and what its options do to a run against it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import esp
from testbed.hse.state import HseState
from testbed.packets import build_udp_packet
from tests.testbed.cli.conftest import Done
from tests.testbed.cli.test_hse import serve

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--suite", "aes-gcm-16-129"), "--suite: unknown suite 'aes-gcm-16-129'"),
        (("--rohc-integrity", "crc-32"), "--rohc-integrity: no integrity transform is named"),
        (("--rohc-icv-bytes", "4"), "--rohc-integrity: icv_bytes without integrity"),
        (("--soft-s", "9", "--hard-s", "8"), "the soft lifetime of 9.0 seconds exceeds the hard"),
        (("--ue", "ue-1"), "--ue ue-1: no identity"),
        (("--ue", "=10.0.0.1"), "--ue =10.0.0.1: no identity"),
        (("--ue", "ue-1=here"), "--ue ue-1=here: 'here' does not appear to be"),
        (("--ue", "ue-1=10.0.0.0/24", "--ue", "ue-2=10.0.0.1"), "share addresses"),
        (("--subscribers", "any.yaml"), "both --secret-file and --subscribers"),
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
    first = [one["first_uplink_bytes"]["by_layer"] for one in (row, own)]
    assert [one["rohc_icv"] for one in first] == [4, 0]
    assert first[0]["rohc_header"] == first[1]["rohc_header"]


def test_a_run_with_segments_needs_an_mrru_at_both_ends(
    start: Start, testbed: Callable[..., Done], secret_file: Path, tmp_path: Path
) -> None:
    def run_with(*options: str) -> Done:
        hse = serve(start, "--secret-file", str(secret_file), *options)
        bench = tmp_path / "bench.yaml"
        bench.write_text(
            f"hse: {{address: '{hse['esp']}', secret_file: {secret_file}}}\n"
            "matrix: [rohc+esp-tunnel]\n"
            "module: {max_payload: 60}\n"
            "rohc: {mrru: 300}\n"
            "traffic: {messages: 3}\n"
            "answer_timeout_s: 20\n"
            "time_scale: 50\n"
        )
        return testbed("run", "--bench", str(bench), "--json")

    both = run_with("--rohc-mrru", "300")
    assert both.code == 0, both.err
    assert both.json["configurations"][0]["answered"] == 3
    one = run_with()
    assert one.code == 3
    assert "answered none of the first 3 messages" in one.err


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


def test_an_hse_that_knows_nobody_is_refused(testbed: Callable[..., Done]) -> None:
    done = testbed("hse", "--port", "0")
    assert done.code == 2
    assert "give --secret-file, --subscribers, --vectors or --sa-file" in done.err


def finished(process: subprocess.Popen[str]) -> Any:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    return json.loads(out)


def served(start: Start, *options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    process = start("hse", "--port", "0", "--json", *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return process, json.loads(line)


def test_a_ue_re_keys_when_the_lifetime_at_the_hse_is_over_and_the_hse_tells_of_it(
    start: Start, testbed: Callable[..., Done], secret_file: Path
) -> None:
    process, hse = served(
        start,
        *("--secret-file", str(secret_file), "--state", "state"),
        *("--soft-packets", "2", "--hard-packets", "3"),
    )
    done = testbed(
        *("run", "--hse", hse["esp"], "--secret-file", str(secret_file), "--json"),
        *("-c", "esp-tunnel", "-n", "7", "--time-scale", "50"),
    )
    assert done.code == 0, done.err
    (row,) = done.json["configurations"]
    assert row["session"]["rekey_reasons"] == {"unknown-at-hse": 1} or row["lost"] <= 2
    counts = finished(process)
    assert counts["lifetimes"]["soft"] >= 2
    assert counts["lifetimes"]["hard"] >= 1


SA = """associations:
  - identity: peer
    suite: aes-cbc-128+hmac-sha2-256-128
    inbound: {spi: 4096, key: 'hex:%s', integrity_key: 'hex:%s'}
    outbound: {spi: 8192, key: 'hex:%s', integrity_key: 'hex:%s'}
""" % (("01" * 16, "02" * 32) * 2)


def test_configured_keys_are_served_over_restarts_with_state_only(
    start: Start, testbed: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "sa.yaml").write_text(SA)
    refused = testbed("hse", "--port", "0", "--sa-file", "sa.yaml")
    assert refused.code == 2
    assert "without --state the next one would accept again" in refused.err
    keys = {"key": b"\1" * 16, "integrity_key": b"\2" * 32}
    suite = esp.suite("aes-cbc-128+hmac-sha2-256-128")
    outbound = esp.OutboundAssociation(4096, suite, **keys)
    inbound = esp.InboundAssociation(8192, suite, **keys)
    recorded: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ue:
        ue.bind(("127.0.0.1", 0))
        ue.settimeout(5.0)
        for _ in range(2):
            process, hse = served(start, "--sa-file", "sa.yaml", "--state", "state")
            host, _, port = hse["esp"].rpartition(":")
            for packet in recorded:
                ue.sendto(packet, (host, int(port)))
            for number in range(3):
                inner = build_udp_packet("10.0.0.1", "10.0.0.2", 1, 2, b"%d" % number)
                recorded.append(outbound.protect(inner, esp.NEXT_HEADER_IPV4))
                ue.sendto(recorded[-1], (host, int(port)))
                opened = inbound.unprotect(ue.recv(2048))  # in order, and under new numbers
                assert opened.payload.endswith(b"%d" % number)
            counts = finished(process)
            assert counts["delivered"] == {"esp": 3}
    assert counts["rejected"] == {"esp/replayed": 3}


def test_an_address_given_to_a_ue_is_refused_to_others(
    start: Start, testbed: Callable[..., Done], secret_file: Path, tmp_path: Path
) -> None:
    process, hse = served(
        start, "--secret-file", str(secret_file), "--ue", "owner=2001:db8:be57::/48"
    )
    options = (
        *("run", "--hse", hse["esp"], "--secret-file", str(secret_file), "--json"),
        *("-c", "esp-tunnel", "-n", "2", "--time-scale", "50"),
    )
    assert testbed(*options, "--identity", "owner").code == 0
    other = testbed(*options, "--identity", "other")
    assert [row["answered"] for row in other.json["configurations"]] == [0]
    counts = finished(process)
    assert counts["rejected"] == {"esp/wrong-selector": 2}
