"""JUnit reports, held against the structure that viewers rely on."""

from __future__ import annotations

from xml.etree import ElementTree

from testbed.analysis.limits import LimitsDescription
from testbed.analysis.verdicts import Judgement, judge
from testbed.report.junit import fault_xml, junit_xml
from tests.junit_structure import check
from tests.testbed.analysis.journals import measurements


def judgements(name: str = "esp-tunnel") -> tuple[Judgement, ...]:
    limits = LimitsDescription.model_validate(
        {
            "uplink_bytes": [
                {"max": "90 B", "configuration": name},
                {"max": "140 B", "configuration": name},
            ],
            "delivery": {"min": "99.99 %", "configuration": name},
            "latency_median": {"regression": "5 %", "configuration": name},
        }
    ).limits()
    return judge(measurements(latencies_s={name: 1.0}, sizes={name: 136}, messages=60), limits)


def test_a_report_has_the_structure_that_viewers_read() -> None:
    text = junit_xml("nightly", judgements(), timestamp="2026-05-01T12:00:00")
    root = ElementTree.fromstring(text)
    check(root)
    suite = root[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "0",
        "skipped": "2",
    }
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "latency_median worse by <= 5 %": ["skipped"],
        "delivery >= 99.99 %": ["skipped"],
        "uplink_bytes <= 90 B": ["failure"],
        "uplink_bytes <= 140 B": ["system-out"],
    }
    failure = suite.find("testcase/failure")
    assert failure is not None and "fail: 136 B" in (failure.get("message") or "")


def test_the_check_of_the_structure_bites() -> None:
    root = ElementTree.fromstring(junit_xml("nightly", judgements()))
    del root[0].attrib["tests"]
    try:
        check(root)
    except AssertionError:
        return
    raise AssertionError("a suite without its number of tests was accepted")


def test_what_xml_cannot_hold_is_replaced() -> None:
    text = junit_xml("a\x00b\ud800 <&>", judgements("esp\x1b[31m"))
    root = ElementTree.fromstring(text)
    assert root[0].get("name") == "a?b? <&>"
    assert root[0][0].get("classname") == "esp?[31m"


def test_nothing_judged_is_an_empty_suite() -> None:
    root = ElementTree.fromstring(junit_xml("nightly", ()))
    check(root)
    assert root[0].get("tests") == "0" and len(root[0]) == 0


def test_a_fault_of_the_lab_is_one_error_with_the_next_step() -> None:
    text = fault_xml("nightly", "port <x> is gone", "plug it in", timestamp="2026-05-01T12:00:00")
    root = ElementTree.fromstring(text)
    check(root)
    (error,) = root.iter("error")
    assert error.get("message") == "port <x> is gone"
    assert error.text == "port <x> is gone\nnext: plug it in"
    assert (root[0].get("errors"), root[0].get("failures")) == ("1", "0")
