"""Logs of any size and content: streamed within limits, with the same result for any block size."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.config.publication import LogLimits
from reports.redact import logs, plain_text, redactor
from reports.redact.known_secrets import forms
from reports.redact.redactor import LINE_CUT, Redactor, RedactorState, pieces
from reports.redact.screen import Finder
from tests.processes import HOUSE
from tests.reports.publications import PLANTED, SECRET, a_redactor
from tests.samples import sampled

LIMITS = LogLimits(first=1000, last=3000, line=100)
TRICKY = st.one_of(
    st.text(),
    st.text("ab \n\r\t=:\"'\\/@[]{}<>&;-\x1b\0m8h"),
    st.sampled_from([
        "password=", "token: ", "curl -u a:", "Authorization: Basic ", "https://u:", "@x.example/", "-----BEGIN RSA PRIVATE KEY-----",
        "-----END RSA PRIVATE KEY-----", "\x1b[31m", "\x1b[0m", "\x1b]8;;", "\x1b[8mha:////", "[REDACTED:credential]", "[[ATTACHMENT|",
        "10.0.0.1", "-10.0.0.2", "/home/", "fe80::1", "52:54:00:ab:cd:ef", "***", "$X", "ghp_" + "a" * 36, "--password ", "\u202e",
    ]),
)  # fmt: skip
KEY_BEGINS = "-----BEGIN RSA PRIVATE KEY-----"
ANY = st.lists(TRICKY, max_size=12).map("".join)


@pytest.fixture(scope="module")
def ours() -> Redactor:
    return a_redactor()


def redacted(ours: Redactor, raw: bytes) -> bytes:
    return b"".join(ours.stream(io.BytesIO(raw)))


class Slow(io.BytesIO):
    """A stream that returns a few bytes at a time."""

    def __init__(self, raw: bytes, sizes: list[int]) -> None:
        super().__init__(raw)
        self.sizes = sizes

    def read(self, size: int | None = -1, /) -> bytes:
        self.sizes.append(self.sizes.pop(0))
        return super().read(min(size or 0, self.sizes[0]))


@pytest.mark.integration
@settings(max_examples=150)
@given(before=ANY, after=ANY, form=st.sampled_from([lambda x: x, quote, json.dumps, lambda x: base64.b64encode(x.encode()).decode()]))  # fmt: skip
def test_secret_is_redacted_in_any_context(ours: Redactor, before: str, after: str, form: object) -> None:
    planted = form(PLANTED)  # type: ignore[operator]
    for shown in (
        redacted(ours, f"{before}{planted}{after}".encode("utf-8", "surrogatepass")).decode(),
        ours.text(f"{before}{planted}{after}"),
    ):
        assert PLANTED not in plain_text.bare(shown)
        assert not any(every in plain_text.bare(shown) for every in forms(PLANTED))


@pytest.mark.integration
@settings(max_examples=200)
@given(ANY)
def test_redaction_is_idempotent(ours: Redactor, value: str) -> None:
    once = redacted(ours, value.encode("utf-8", "surrogatepass"))
    assert redacted(ours, once) == once
    shown = ours.text(value)
    assert ours.text(shown) == shown
    assert "\x1b" not in shown


@pytest.mark.integration
@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(ANY, st.integers(80, 700).map("x".__mul__), st.sampled_from(["MIIE", "", "a: b", KEY_BEGINS])),
        max_size=12,
    ).map("\n".join),
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
)
def test_result_does_not_depend_on_block_size(value: str, sizes: list[int]) -> None:
    small = Redactor(a_redactor().rules, 100)
    object.__setattr__(small, "overlap", 120)  # so that the data reaches the limits
    raw = (value + "\n").encode("utf-8", "surrogatepass")
    assert b"".join(small.stream(Slow(raw, sizes))) == b"".join(small.stream(io.BytesIO(raw)))


@given(st.binary())
def test_any_bytes_become_clean_text(ours: Redactor, raw: bytes) -> None:
    shown = redacted(ours, raw).decode()
    assert not any(ord(character) < 32 and character not in "\t\n" for character in plain_text.bare(shown))


@pytest.mark.parametrize("size", [redactor.BLOCK - 9, redactor.BLOCK, redactor.BLOCK + 1])
def test_secret_at_block_boundary(ours: Redactor, size: int) -> None:
    shown = redacted(ours, b"x" * 99 + b"\n" + b"y\n" * ((size - 100) // 2) + SECRET.encode() + b"\n")
    assert shown.endswith(b"y\n[REDACTED:cloud]\n")


def test_key_at_block_boundary(ours: Redactor) -> None:
    key = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIE\n" * 9 + b"-----END RSA PRIVATE KEY-----\n"
    shown = redacted(ours, b"x\n" * (redactor.BLOCK // 2 - 30) + key + b"after\n")
    assert shown.endswith(b"x\n" + b"[REDACTED:private-key]\n" * 11 + b"after\n")


@pytest.mark.parametrize("at", [0, 8100, 8180, 8192, 8200, 12_200, 12_270, 12_288, 12_300, 20_000])
@pytest.mark.parametrize("filler", [b"x", b"\0", b" "])
def test_secret_at_end_of_long_line(ours: Redactor, at: int, filler: bytes) -> None:
    """At the end of a truncated line, no part of a secret stays."""
    (line,) = redacted(ours, filler * at + b" " + SECRET.encode() + b" " + b"y" * 30_000 + b"\n").decode().splitlines()
    assert len(line.encode()) <= 8192
    assert line.endswith(LINE_CUT)
    assert "s3cr" not in line
    assert line == ours.text(line)


def test_line_length_limit(ours: Redactor) -> None:
    for length in (8191, 8192):
        raw = b"x" * length + b"\nnext\n"
        assert redacted(ours, raw) == raw
    first, second = redacted(ours, b"x" * 8193 + b"\nnext\n").splitlines()
    assert (len(first), second) == (8192, b"next")


CROWDS = [
    "pw\t",
    "kek ",
    "vault login ",
    'curl -u ":',
    "password hunter2 ",
    "pass.",
    "api_key=x ",
    "'token', ",
    "rabbit_cookie: x ",
    "crudini --set x token ",
    "\u0130 secret=",
]


@pytest.mark.parametrize("text", CROWDS)
def test_line_crowded_with_names_is_hidden_from_the_middle_of_the_crowd(ours: Redactor, text: str) -> None:
    """What is shown was read with many more names after it."""
    line = f"first {(text * 3000)[:4000]} s3cr3t-at-the-end {KEY_BEGINS}\nAAAA\nlast"
    shown = redacted(ours, line.encode()).decode().split("\n")
    assert shown[0].startswith("first ")
    assert shown[0].endswith("[REDACTED:line]")
    assert "s3cr3t" not in shown[0]
    assert shown[1] == "[REDACTED:private-key]"  # it begins in what is hidden
    assert redacted(ours, "\n".join(shown).encode()).decode().split("\n") == shown


@pytest.mark.parametrize(
    "line",
    ["keystone.tests.unit.token.test_provider " * 60, "cp -u a/path/that/no/rule/of/redaction/ever/asks b " * 60],
    ids=["names", "programs"],
)
def test_long_line_with_some_words_of_rules_is_complete(ours: Redactor, line: str) -> None:
    assert redacted(ours, line.encode()) == line.encode()


@pytest.mark.parametrize("before", ["", "\u00e9 ", "\u0130\u20ac " * 99], ids=ascii)
def test_crowd_of_programs_is_cut_at_characters(ours: Redactor, before: str) -> None:
    """Hyperscan counts bytes; what follows the 65th of 129 words is hidden."""
    shown = redacted(ours, f"{before}{'kek ' * 1000}".encode()).decode()
    assert shown == f"{before}{'kek ' * 65}[REDACTED:line]"


def test_pieces_are_complete_lines() -> None:
    raw = b"ab\n" + b"c" * 50 + b"\nde\n\n" + b"f" * 11
    assert list(pieces(io.BytesIO(raw), 10)) == [(b"ab\n", True), (b"c" * 10, False), (b"de\n\n", True), (b"f" * 10, False)]  # fmt: skip
    assert list(pieces(io.BytesIO(b""), 10)) == []


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that publishes a log with small limits."""
    monkeypatch.setattr(logs, "RUN_UP", 500)

    def publish(raw: bytes) -> tuple[logs.Written, str]:
        (tmp_path / "raw").write_bytes(raw)
        small = a_redactor(100)
        object.__setattr__(small, "overlap", 200)
        done = logs.publish(small, LIMITS, tmp_path / "raw", tmp_path / "shown")
        shown = (tmp_path / "shown").read_bytes().decode()
        assert (done.size, done.lines) == (len(shown.encode()), shown.count("\n"))
        return done, shown

    return publish


def numbered(count: int) -> list[str]:
    return [f"line {number:06d}\n" for number in range(count)]  # 12 bytes each


def test_log_within_limits_is_complete(published) -> None:
    raw = "".join(numbered(400))
    done, shown = published(raw.encode())
    assert (shown, done.cut, done.changed) == (raw, False, 0)


def test_long_log_keeps_beginning_and_end(published) -> None:
    lines = numbered(1000)
    lines[3] = f"{SECRET}\n"
    lines[500] = f"{SECRET}\n"
    lines[990] = f"{SECRET}\n"
    done, shown = published("".join(lines).encode())
    actual = shown.splitlines(keepends=True)
    (mark,) = [line for line in actual if line.startswith("[...")]
    at = actual.index(mark)
    left_out = len(lines) - (len(actual) - 1)
    assert -12 <= at * 12 - 1000 <= 24
    assert -12 <= 3000 - (len(actual) - 1 - at) * 12 <= 24
    hidden = dict.fromkeys((3, 990), "[REDACTED:cloud]\n")
    expected = [hidden.get(number, line) for number, line in enumerate(lines)]
    assert actual[:at] == expected[:at]
    assert actual[at + 1 :] == expected[at + left_out :]
    assert mark == f"[... {len(''.join(lines[at : at + left_out])):,} bytes of this log are left out here ...]\n"
    assert (done.cut, done.changed) == (True, 2)


def test_end_of_log_recognises_key_that_began_earlier(published) -> None:
    lines = numbered(1000)
    lines[715] = "-----BEGIN RSA PRIVATE KEY-----\n"  # before the last 3000 bytes
    lines[760] = "-----END RSA PRIVATE KEY-----\n"
    _, shown = published("".join(lines).encode())
    end = shown.split("left out here ...]\n")[1].splitlines(keepends=True)
    hidden = end.count("[REDACTED:private-key]\n")
    assert 5 < hidden < 25
    assert end[hidden:] == lines[761:]


@pytest.mark.parametrize("tail", ["", "\n", "\nlast\n"])
def test_log_of_one_line(published, tail: str) -> None:
    done, shown = published(b"x" * 20_000 + tail.encode())
    first, mark, *rest = shown.splitlines()
    assert first.endswith(LINE_CUT)
    assert mark.startswith("[...")
    assert "".join(rest) == tail.strip()
    assert done.cut


PROGRAM = """
import resource, sys
from pathlib import Path
from lab.config.publication import LogLimits
from reports.redact import logs
from tests.reports.publications import a_redactor
ours, raw, shown = a_redactor(), Path(sys.argv[1]), Path(sys.argv[2])
limit = 100 * 2**20 + int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
done = logs.publish(ours, LogLimits(), raw, shown)
(peak,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(done.size, done.cut, peak)
"""


@pytest.mark.integration
@pytest.mark.parametrize("kind", sampled(["5 GB of lines", "a line of 50 MB"], "a line of 50 MB"))
def test_memory_does_not_grow_with_log(tmp_path: Path, kind: str) -> None:
    """The limit is 100 MB, including the interpreter; the address space beyond the start has the same limit."""
    raw = tmp_path / "raw"
    with raw.open("wb") as stream:
        if kind == "5 GB of lines":
            stream.write(b"make[1]: Entering directory '/build/greet'\n" * 30_000)
            stream.truncate(5 * 10**9)  # sparse: one long line of NUL
            stream.seek(0, 2)
            stream.write(b"\n" + f"cc -c x.c {SECRET}\n".encode() * 100_000)
        else:
            stream.write(b"first\n" + b"x" * 4_000_000 + b"\nnext\n")
            for _ in range(50):
                stream.write(b"0123456789abcde " * 62_500)
            stream.write(b"\nlast\n")
    program = [sys.executable, "-c", PROGRAM, raw, tmp_path / "shown"]
    done = subprocess.run(program, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    size, cut, peak = done.stdout.split()
    assert cut == "True"
    assert int(size) < 5_200_000
    assert int(peak) < 100_000  # kB
    shown = (tmp_path / "shown").read_bytes()
    assert b"s3cr3t" not in shown
    assert shown.endswith(b"cc -c x.c [REDACTED:cloud]\n" if kind == "5 GB of lines" else b"\nlast\n")


@pytest.mark.parametrize(
    "raw",
    [
        b"[\x1b[K[ATTACHMENT|/etc/passwd]]",
        b"[\x1b[7m[attachment|x]]",
        b"ha:/\x1b[K///4AAA==\x1b[0m",
        b"[\x1b[2m\x1b[K[ATTACHMENT|x]]",
    ],
)
def test_marks_that_appear_without_a_colour_are_broken(ours: Redactor, raw: bytes) -> None:
    shown = redacted(ours, raw + b"\n")
    assert b"[[attachment" not in shown.lower()
    assert b"ha:////" not in shown


def test_state_counts_changed_lines(ours: Redactor) -> None:
    state = RedactorState()
    list(ours.stream(io.BytesIO(b"a\npassword=hush\nb 10.0.0.1 10.0.0.2\n\x1b[31mred\n"), state))
    assert state.changed == 2


def test_text_without_words_of_the_rules_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, asked = a_redactor(), []
    line_ends = Finder.line_ends
    monkeypatch.setattr(Finder, "line_ends", lambda self, *args: asked.append(self) or line_ends(self, *args))
    assert ours.text("tests one") == "tests one"
    assert ours.text("a secret: one") != "a secret: one"
    assert len(asked) < 10
