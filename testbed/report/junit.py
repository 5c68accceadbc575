"""Judgements as JUnit XML, for the viewers that every CI system has.

One test case per limit and configuration. What is inconclusive, or was not judged, is ``skipped``
with its reason: it neither passed nor failed. A warning passes and says so in ``system-out``.
A run that a fault of the lab ended has one test case, which is an ``error``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from testbed.analysis.verdicts import Grade, Judgement

__all__ = ["fault_xml", "junit_xml"]

# What XML 1.0 cannot hold, escaped or not (section 2.2).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(name: str, judgements: Sequence[Judgement], *, timestamp: str | None = None) -> str:
    """The text of a JUnit report.

    Args:
        name: of the suite, such as ``testbed compare``.
        judgements: one test case each.
        timestamp: when it was judged, ISO 8601 without a zone; None leaves it out.
    """
    grades = [judgement.grade for judgement in judgements]
    skipped = sum(grade in (Grade.INCONCLUSIVE, Grade.NOT_JUDGED) for grade in grades)
    counts = {
        "tests": str(len(judgements)),
        "failures": str(grades.count(Grade.FAIL)),
        "errors": "0",
        "skipped": str(skipped),
    }
    suites = ElementTree.Element("testsuites", counts)
    stamp = {} if timestamp is None else {"timestamp": timestamp}
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": _text(name), **counts, "time": "0", **stamp}
    )
    for judgement in judgements:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": _text(judgement.configuration),
                "name": _text(judgement.limit.text),
                "time": "0",
            },
        )
        said = _text(f"{judgement.grade}: {judgement.reason}")
        match judgement.grade:
            case Grade.FAIL:
                kind = {"message": said, "type": "limit"}
                ElementTree.SubElement(case, "failure", kind).text = said
            case Grade.INCONCLUSIVE | Grade.NOT_JUDGED:
                ElementTree.SubElement(case, "skipped", {"message": said})
            case _:
                ElementTree.SubElement(case, "system-out").text = said
    return _written(suites)


def fault_xml(name: str, message: str, hint: str | None, *, timestamp: str) -> str:
    """The report of a run that a fault of the lab ended before there was anything to judge.

    Args:
        name: of the suite.
        message: what happened.
        hint: the next step.
        timestamp: when, as of `junit_xml`.
    """
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    suites = ElementTree.Element("testsuites", counts)
    stamped = {"name": _text(name), **counts, "time": "0", "timestamp": timestamp}
    suite = ElementTree.SubElement(suites, "testsuite", stamped)
    named = {"classname": "run", "name": "the run gets to its end", "time": "0"}
    case = ElementTree.SubElement(suite, "testcase", named)
    error = ElementTree.SubElement(case, "error", {"message": _text(message), "type": "lab"})
    error.text = _text(f"{message}\nnext: {hint}" if hint else message)
    return _written(suites)


def _written(suites: ElementTree.Element) -> str:
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _text(value: str) -> str:
    return _FORBIDDEN.sub("?", value)
