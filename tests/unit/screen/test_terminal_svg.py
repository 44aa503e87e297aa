"""A captured terminal as a picture: its text, in cells, and nothing that a browser would do."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from tools.terminal_svg import CELL, COLOURS, MARGIN, svg_of

SPACE = "{http://www.w3.org/2000/svg}"


def test_each_run_stands_where_its_cells_are() -> None:
    picture = svg_of("\x1b[1;31mbad\x1b[0m  日本 ok\n\nlast", 80, 24, "title")
    texts = ElementTree.fromstring(picture).findall(f".//{SPACE}g/{SPACE}text")
    assert [each.text for each in texts] == ["bad", "日本 ok", "last"]
    assert texts[0].get("fill") == COLOURS[1]
    assert texts[0].get("font-weight") == "bold"
    assert [each.get("textLength") for each in texts] == [f"{n * CELL:.1f}" for n in (3, 7, 4)]
    assert [each.get("x") for each in texts] == [f"{MARGIN + n * CELL:.1f}" for n in (0, 5, 0)]


def test_hostile_text_is_text() -> None:
    text = "</text><script>alert(1)</script> &amp; \" ' ]]>"
    picture = svg_of(text, 80, 1, text)
    root = ElementTree.fromstring(picture)
    assert root.findall(f".//{SPACE}script") == []
    assert root.findall(f".//{SPACE}g/{SPACE}text")[0].text == text
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_an_attribute_goes_on_over_the_end_of_a_line() -> None:
    texts = ElementTree.fromstring(svg_of("\x1b[33ma\nb\n\n\x1b[0mc", 80, 5, "title")).findall(
        f".//{SPACE}g/{SPACE}text"
    )
    assert [each.get("fill") for each in texts] == [COLOURS[3], COLOURS[3], None]
    assert [each.text for each in texts] == ["a", "b", "c"]
