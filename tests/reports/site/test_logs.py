"""Logs on pages: escaping, colours, excerpts with line numbers, the text file."""

from __future__ import annotations

import gzip
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


def view(text: bytes, message: str = "", name: str = "sbuild.log") -> logs.LogView:
    return logs.log_view(Log(name=name, path=f"logs/{name}", size=0, lines=0), io.BytesIO(text), message)


def shown(found: logs.LogView) -> list[tuple[int, int]]:
    return [(part.first, part.last) for part in found.excerpts]


def numbered(count: int, lines: dict[int, str] | None = None) -> bytes:
    return "".join(f"{(lines or {}).get(number, f'line {number}')}\n" for number in range(1, count + 1)).encode()


@pytest.mark.parametrize(
    "count, expected, gaps",
    [
        (0, [], []),
        (1, [(1, 1)], []),
        (logs.HEAD + logs.TAIL, [(1, 80)], []),
        (logs.HEAD + logs.TAIL + 1, [(1, 20), (22, 81)], [(21, 21)]),
        (1000, [(1, 20), (941, 1000)], [(21, 940)]),
    ],
)
def test_view_shows_beginning_and_end(count: int, expected: list[tuple[int, int]], gaps: list[tuple[int, int]]) -> None:
    found = view(numbered(count))
    assert (shown(found), list(found.gaps), found.count) == (expected, gaps, count)
    assert found.file == ("sbuild.log.txt.gz" if gaps else "")
    ends = [f"log-1.html#sbuild.log-{end}" if count else "" for end in (1, count)]
    assert [found.start, found.end] == ends


def test_each_shown_line_has_an_anchor() -> None:
    found = view(numbered(1000, {970: "<b> \x1b[31mred"}), name="b c")
    lines = [html.fragment_fromstring(line) for part in found.excerpts for line in part.lines]
    assert [line.get("id") for line in lines] == [f"{found.anchor}-{n}" for n in (*range(1, 21), *range(941, 1001))]
    texts = {line.get("id"): line.text_content().strip() for line in lines}
    assert texts[f"{found.anchor}-970"] == "<b> red"
    assert found.tail[-1] == "line 1000"


def test_view_shows_headings_of_sbuild() -> None:
    frame = f"+{'-' * 78}+"
    titles = {
        100: frame, 101: f"| {'Build environment':76} |", 102: frame,
        200: f"│ {'Build':76} │",
        300: f"| {'Summary':44} Mon, 07 Jul 2025 08:09:10 +0000 |", 301: "| not a heading |",
    }  # fmt: skip
    found = view(numbered(1000, titles))
    assert found.headings == ((101, "Build environment"), (200, "Build"), (300, "Summary"))
    assert shown(found) == [(1, 20), (101, 101), (200, 200), (300, 300), (941, 1000)]


def test_long_line_is_cut_with_a_mark() -> None:
    (line,) = view(b"x" * 5000).excerpts[0].lines
    assert line == f'<li id="sbuild.log-1">{"x" * 2000} [… 3000 characters left out …]</li>\n'


@pytest.mark.parametrize(
    "message, line, count, expected",
    [
        ("boom: error: no such thing", 25, 200, 25),
        ("boom: error: no such thing", 5, 200, 5),
        ("build failed: x.c: boom: error: no such thing (make: *** [x.o] Error 1)", 25, 200, 25),
        ("boom: error: no such thing", 0, 200, None),  # not in the log
        ("error", 25, 200, None),  # too short
        ("", 25, 200, None),
    ],
)
def test_message_has_its_place_in_the_log(message: str, line: int, count: int, expected: int | None) -> None:
    text = numbered(count, {line: f"{ESC}[31mx.c: boom: error: no such thing{ESC}[0m", line + 1: "again error"})
    found = view(text, message)
    assert (found.place.number if found.place else None) == expected
    if found.place and expected:
        assert found.address(expected) == f"log-1.html#sbuild.log-{expected}"
        assert found.place.lines[-logs.AFTER - 1] == "x.c: boom: error: no such thing"
        assert (found.place.lines[0], found.place.lines[-1]) == (
            f"line {max(1, expected - logs.BEFORE)}", f"line {expected + logs.AFTER}",
        )  # fmt: skip
        assert any(first <= expected - 4 and expected + logs.AFTER <= last for first, last in shown(found))


@pytest.mark.parametrize("count, expected", [(100, 79), (99, 79), (98, None)])
def test_message_in_the_end_has_no_excerpt_on_the_build_page(count: int, expected: int | None) -> None:
    found = view(numbered(count, {79: "boom: error: no such thing"}), "boom: error: no such thing")
    assert found.place is not None
    assert (found.earlier_place.number if found.earlier_place else None) == expected


def test_text_file_has_all_lines_without_control_sequences() -> None:
    text = f"one\r\n{ESC}[31mtwo{ESC}[0m\nb\xff\u202eend".encode("latin-1", "replace")
    packed = logs.text_file(io.BytesIO(text))
    assert gzip.decompress(packed).decode().split("\n") == ["one", "two", "b\ufffd?end", ""]
    assert packed == logs.text_file(io.BytesIO(text))
    assert gzip.decompress(logs.text_file(io.BytesIO("a\u202eb".encode()))).decode() == "a\ufffdb\n"
