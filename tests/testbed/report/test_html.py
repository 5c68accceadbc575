"""HTML that cannot be broken out of."""

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.report.html import Html, element, join, json_block, raw


@given(st.text())
def test_any_text_comes_out_of_an_element_as_it_went_in(text: str) -> None:
    built = element("td", text, title=text)
    assert built.count("<") == 2
    inner = built.removesuffix("</td>").partition(">")[2]
    assert html.unescape(inner) == html.unescape(html.escape(text))
    assert '"' not in html.escape(text, quote=True)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (element("p", "a", None, "b"), "<p>ab</p>"),
        (element("p", element("b", "<")), "<p><b>&lt;</b></p>"),
        (element("br"), "<br>"),
        (element("option", "x", selected=True, disabled=False), "<option selected>x</option>"),
        (element("label", for_="id", aria_label="l"), '<label for="id" aria-label="l"></label>'),
        (element("td", 7), "<td>7</td>"),
        (join(["<", raw("<br>"), None, "&"], "|"), "&lt;|<br>|&amp;"),
    ],
)
def test_elements_are_built_from_children_and_attributes(built: Html, expected: str) -> None:
    assert built == expected


def test_html_that_was_cut_is_plain_text_again() -> None:
    assert element("p", element("b", "x")[:2]) == "<p>&lt;b</p>"


@pytest.mark.parametrize("attribute", ["onclick", "onerror", "a b", "A", 'x"y'])
def test_an_event_handler_or_a_broken_attribute_is_refused(attribute: str) -> None:
    with pytest.raises(ValueError, match="no attribute"):
        element("p", **{attribute: "alert(1)"})


def test_a_broken_element_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no element"):
        element("p onload=x")


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_a_json_block_holds_its_value_and_no_markup(value: object) -> None:
    block = json_block("data", value)
    text = re.sub(r"^<script[^>]*>|</script>$", "", block)
    assert "<" not in text
    assert ">" not in text
    assert json.loads(text) == value


def test_a_json_block_is_not_ended_from_within() -> None:
    block = json_block("data", {"name": "</script><script>alert(1)</script><!--"})
    assert block.count("</script>") == 1
    assert "<!--" not in block
