"""The structure of JUnit reports that viewers rely on, in our own words.

After the schema of Jenkins' xUnit plugin (junit-10.xsd), and the properties of a test case that
pytest's family ``xunit1`` adds.
"""

from __future__ import annotations

from xml.etree import ElementTree

__all__ = ["SCHEMA", "check"]

SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled", "skipped"},
                   {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors"},
                  {"skipped", "time", "timestamp", "hostname", "id", "package"},
                  {"testcase", "properties", "system-out", "system-err"}),
    "testcase": ({"name", "classname"}, {"time", "status", "assertions"},
                 {"skipped", "error", "failure", "properties", "system-out", "system-err"}),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "failure": (set(), {"message", "type"}, set()),
    "error": (set(), {"message", "type"}, set()),
    "skipped": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
    "system-err": (set(), set(), set()),
}  # fmt: skip
"""Elements with their required and optional attributes and their children."""


def check(element: ElementTree.Element) -> None:
    """The element and all below it are as the schema says."""
    required, optional, children = SCHEMA[element.tag]
    assert required <= set(element.attrib) <= required | optional, element.tag
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        check(child)
