"""Logs as HTML: escaping, line numbers, colours, pages."""

from __future__ import annotations

import io
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from reports.model import Log
from reports.site import logs

ESC = "\x1b"


@pytest.mark.parametrize(
    "line, expected",
    [
        ("plain", "plain"),
        ("<script>alert('x')</script> & co", "&lt;script&gt;alert('x')&lt;/script&gt; &amp; co"),
        ("see https://lab.example/x", "see https://lab.example/x"),
        (f"{ESC}[31mred{ESC}[0m", '<span class="c1">red</span>'),
        (f"{ESC}[1;92mgreen{ESC}[m on", '<span class="c2 b">green</span> on'),
        (f"{ESC}[1mbold{ESC}[22m not", '<span class="b">bold</span> not'),
        (f"{ESC}[34mblue{ESC}[39m none", '<span class="c4">blue</span> none'),
        (f"{ESC}[41mground", "ground"),
        (f"{ESC}[31m<b>", '<span class="c1">&lt;b&gt;</span>'),
        (f"{ESC}[2Jcleared{ESC}[10;1H", "cleared"),
        (f"{ESC}]8;;javascript:alert(1){ESC}\\click{ESC}]8;;{ESC}\\", "click"),
        (f"{ESC}]0;title\x07text", "text"),
        (f"cut {ESC}", "cut "),
        (f"cut {ESC}[3", "cut 3"),
    ],
)
def test_html_of_line(line: str, expected: str) -> None:
    assert logs.AnsiState().html(line) == expected


def test_colour_continues_on_next_line() -> None:
    ansi = logs.AnsiState()
    assert [ansi.html(f"{ESC}[31mone"), ansi.html("two"), ansi.html(f"{ESC}[0mthree")] == [
        '<span class="c1">one</span>',
        '<span class="c1">two</span>',
        "three",
    ]


@pytest.mark.integration
@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"])), max_size=5))
def test_html_keeps_text(lines: list[str]) -> None:
    ansi = logs.AnsiState()
    assert [unescape(ansi.html(line)) for line in lines] == lines


def test_paged_splits_logs_into_pages() -> None:
    content = {"logs/a.log": b"a1\na2\na3\n", "logs/none.log": b"", "logs/b c.log": b"b1\nb\xff2\r\nb3"}
    all_logs = [Log(name=name[5:-4], path=name, size=0, lines=0) for name in content]
    paged = logs.paged(all_logs, lambda name: io.BytesIO(content[name]), size=4)
    shape = [[(section.name, section.first, section.last) for section in page] for page in paged.pages]
    assert shape == [[("a", 1, 3), ("b c", 1, 1)], [("b c", 2, 3)]]
    anchor = paged.pages[1][0].anchor
    assert paged.starts == {"a": "log-1.html#a-1", "b c": f"log-1.html#{anchor}-1"}
    assert paged.ends == {"a": "log-1.html#a-3", "b c": f"log-2.html#{anchor}-3"}
    assert paged.tails["b c"] == ("b1", "b\ufffd2", "b3")
    line = html.fragment_fromstring(paged.pages[0][0].lines[1])
    assert (line.tag, line.get("id"), line.text_content()) == ("li", "a-2", "a2")


@pytest.mark.parametrize(
    "message, line, count, expected",
    [
        ("boom: error: no such thing", 5, 100, 5),
        ("boom: error: no such thing", 5, 20, None),  # the end shows it
        ("boom: error: no such thing", 0, 100, None),  # not in the log
        ("error", 5, 100, None),  # too short
        ("", 5, 100, None),
    ],
)
def test_message_has_its_place_in_the_log(message: str, line: int, count: int, expected: int | None) -> None:
    lines = [f"line {number}" for number in range(1, count + 1)]
    if line:
        lines[line - 1] = f"{ESC}[31mx.c: {message}{ESC}[0m"
        lines[line] = f"again {message}"
    text = "\n".join(lines).encode()
    log = Log(name="sbuild.log", path="logs/sbuild.log", size=0, lines=0)
    found = logs.paged([log], lambda _: io.BytesIO(text), {"sbuild.log": message}, size=3).places.get("sbuild.log")
    assert (found.number if found else None) == expected
    if found:
        assert found.address == "log-2.html#sbuild.log-5"
        assert found.lines[line - 1] == f"x.c: {message}"
        assert found.lines[0] == "line 1"
        assert found.lines[-1] == f"line {line + logs.AFTER}"
