"""Suites, lifetimes and recovery in a bench description."""

from __future__ import annotations

from typing import Any

import pytest

import esp
from esp.suites import EVERY_SUITE, RFC8221_POLICY
from testbed.bench import validate_bench
from testbed.errors import UsageError


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        validate_bench(data)
    return str(caught.value)


def test_every_suite_is_allowed_when_nothing_is_said() -> None:
    bench = validate_bench(
        {"matrix": ["esp-tunnel/aes-ccm-8-128", "esp-transport/null+aes-cmac-96"]}
    )
    assert bench.policy == EVERY_SUITE
    assert [one.name for one in bench.matrix] == [
        "esp-tunnel/aes-ccm-8-128",
        "esp-transport/null+aes-cmac-96",
    ]


def test_a_configuration_may_be_written_as_a_mapping_with_its_suite() -> None:
    one = {"security": "esp-tunnel", "suite": "chacha20-poly1305", "compression": "rohc"}
    (configuration,) = validate_bench({"matrix": [one]}).matrix
    assert configuration.name == "rohc+esp-tunnel/chacha20-poly1305"


@pytest.mark.parametrize(
    "policy",
    [["aes-gcm-16-128"], {"name": "customer 7", "allowed": ["aes-gcm-16-128"]}, "rfc8221"],
)
def test_a_suite_that_the_policy_forbids_is_refused_by_name(policy: Any) -> None:
    text = refused({"policy": policy, "matrix": ["none", "esp-tunnel/aes-cbc-128+aes-cmac-96"]})
    assert "suite aes-cbc-128+aes-cmac-96 is not allowed by the policy" in text
    assert "allowed are aes-" in text
    assert validate_bench({"policy": policy}).matrix  # the default suite is allowed by all three


def test_the_default_suite_is_refused_where_the_policy_lacks_it() -> None:
    text = refused({"policy": ["aes-ccm-8-128"]})
    assert "configuration 'esp-tunnel': suite aes-gcm-16-128 is not allowed" in text


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("rfc9999", "known are every-suite, rfc8221"),
        (["aes-gcm-16-129"], "unknown suite 'aes-gcm-16-129'"),
        ([], "one suite at least"),
        ({"allowed": ["aes-gcm-16-128"]}, "the keys name and allowed"),
        (7, "a policy is one of"),
    ],
)
def test_a_policy_that_is_none_is_refused(policy: Any, reason: str) -> None:
    assert reason in refused({"policy": policy})


@pytest.mark.parametrize("policy", ["every-suite", "rfc8221", ["aes-gcm-16-128"]])
def test_a_policy_is_written_as_it_can_be_read(policy: Any) -> None:
    bench = validate_bench({"policy": policy})
    again = validate_bench({"policy": bench.model_dump(mode="json")["policy"]})
    assert again.policy == bench.policy
    assert (bench.policy is RFC8221_POLICY) == (policy == "rfc8221")


def test_lifetimes_are_those_of_esp() -> None:
    bench = validate_bench(
        {"lifetime": {"soft_packets": 900, "hard_packets": 1000, "hard_s": 3600}}
    )
    assert bench.lifetime.lifetime == esp.Lifetime(soft_packets=900, hard_packets=1000, hard_s=3600)
    assert validate_bench({}).lifetime.lifetime is None


def test_a_soft_lifetime_above_the_hard_one_is_refused() -> None:
    assert "exceeds the hard one" in refused({"lifetime": {"soft_s": 10, "hard_s": 5}})


def test_recovery_is_on_and_can_be_switched_off() -> None:
    assert validate_bench({}).recovery.unanswered == 3
    off = validate_bench({"recovery": {"unanswered": None, "notice": False}}).recovery
    assert (off.unanswered, off.notice) == (None, False)
    assert "greater than or equal to 1" in refused({"recovery": {"unanswered": 0}})
