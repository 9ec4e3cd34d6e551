"""The redactor hides what its rules hide when each is asked plainly: everywhere in a line, as one pattern."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import Mock

import pytest

from lab.results.secrets.names import NAME
from lab.results.secrets.names import starts as quick_starts
from lab.results.secrets.pattern import Anchor, Hints, I
from reports.redact.hits import applied
from reports.redact.named_rules import BEFORE, HIDDEN, WINDOW, NamedRules
from reports.redact.redactor import Redactor
from reports.redact.rule import Rule
from tests import planted
from tests.reports.publications import a_redactor

NAMES = re.compile(f"(?={NAME})", I)
JOINTS = (" ", "; ", " && ", "\t", "|", " | ", "=", ": ", "", '"', "'")


def plain_starts(line: str) -> tuple[int, ...]:
    return tuple(match.start() for match in NAMES.finditer(line))


def plainly(rule: Rule) -> Rule:
    """Return a rule without what makes it quick in a line that its words chose."""
    pattern, anchor = rule.pattern, rule.anchor
    if rule.after:  # a command, and its options up to where it begins again
        before, option = rule.after.pattern, pattern.pattern.replace("(?P<value>", HIDDEN + "(?P<value>")
        pattern = re.compile(rf"{before}(?:(?!{before})[^\n])*?(?:{option})", pattern.flags)
    if anchor and anchor.starts is quick_starts:
        anchor = Anchor(plain_starts, anchor.before, anchor.reach)
    return replace(rule, pattern=pattern, anchor=anchor, after=None, needs=())


def plain_redactor(ours: Redactor) -> Redactor:
    return Redactor(tuple(map(plainly, ours.rules)))


def planted_lines() -> list[str]:
    texts = [planted.parts(text, at)[0] for kind in planted.KINDS.values() for at, text in enumerate(kind)]
    return [line for text in texts for line in text.split("\n")]


def mixed_lines(count: int) -> Iterator[str]:
    """Yield planted and harmless lines, some joined, turned around, or in capitals."""
    dice = random.Random(7)
    lines = [*planted_lines(), *planted.HARMLESS.splitlines()]
    for _ in range(count):
        line = dice.choice(JOINTS).join(dice.choice(lines) for _ in range(dice.randint(1, 3)))
        if dice.random() < 0.3:
            at = dice.randrange(len(line) + 1)
            line = line[at:] + dice.choice(JOINTS) + line[:at]
        yield line.upper() if dice.random() < 0.1 else line


def redacted(ours: Redactor, line: str) -> str:
    """Return a line after all rules, until nothing changes; each mark is X."""
    while found := ours.spans(line):
        line = applied(line, found, ours.rules)
    return MARK.sub("X", line)


MARK = re.compile(r"\[REDACTED:[\w-]+\]")


def test_some_rules_are_asked_in_each_quick_way() -> None:
    """So that the comparison compares something."""
    quick, plain = a_redactor(), plain_redactor(a_redactor())
    assert sum(rule.after is not None for rule in quick.rules) > 25
    assert len(quick.named.ranks) > 15
    assert plain.named.ranks == frozenset()


@pytest.mark.integration
def test_quick_and_plain_redaction_agree() -> None:
    """Where rules overlap, the name of a mark can be another one; what is hidden is the same."""
    quick = a_redactor()
    plain = plain_redactor(quick)
    for line in (*planted_lines(), *mixed_lines(600)):
        assert redacted(quick, line) == redacted(plain, line), line


# What shells, tools and programs write around a line.
FRAMES = (
    'echo "{}" | cmd',
    "{} && apt-get update",
    "{} # why",
    "2026-01-01T00:00:00Z {} end",
    "+ {}",
    "'{}'",
    "({});",
    "  - {},",
    "{}\\n",
)

SHORTEST = 6  # a shorter text can be in the rest of a line, too


@pytest.mark.integration
def test_rules_are_asked_where_they_match() -> None:
    """The words of a rule choose each line in which it can hide something."""
    ours, dice = a_redactor(), random.Random(3)
    for planted_line in planted_lines():
        for frame in ("{}", dice.choice(FRAMES), dice.choice(FRAMES)):
            line = frame.replace("{}", planted_line)
            shown = ours.text(line)
            hidden = [line[start:end] for start, end, _ in ours.spans(line) if end - start >= SHORTEST]
            assert [text for text in hidden if text in shown] == [], line


@pytest.mark.parametrize("line", [
    'echo "nova nova/rabbit_password string hunter22" | debconf-set-selections',
    "echo nova nova/rabbit_password string hunter22 | sudo debconf-set-selections",
    "nova nova/rabbit_password string hunter22 && apt-get update",
    "glance-common glance/mysql/app-pass  string  hunter22 # set by hand",
    "2026-01-01 12:00:00 DEBUG x: cinder cinder/admin-password string hunter22 (from lab)",
])  # fmt: skip
def test_answer_to_debconf_is_hidden_whatever_follows(line: str) -> None:
    assert "hunter" not in a_redactor().text(line)


@pytest.mark.parametrize("line", [
    "docker login -u a -p hunter22 x; docker login -u a -p docker y -p hunter33",
    "curl -u a:curl x -u b:hunter22 y",
    "vault login vault login hunter22 vault login hunter33",
    "keytool -storepass keytool -keypass hunter22",
    "nmcli c x password nmcli y password hunter22",
    "net use z: /user:net hunter22 /user:b hunter33",
    "7z a -phunter22 x 7z a -phunter33 y",
    "mysql -pmysql -phunter22",
])  # fmt: skip
def test_every_option_after_a_command_is_hidden(line: str) -> None:
    """Also after a secret that is the command's own name."""
    assert "hunter" not in a_redactor().text(line)


def test_options_of_a_command_are_searched_once() -> None:
    """Many times the same command in a line: the work does not grow with the square of the length."""
    searches: list[int] = []
    after = Mock(search=lambda _: searches.append(1) or re.search("x", "x"))
    assert len(list(Hints(after=after).matches(re.compile(" -p"), "x -p" * 500))) == 500
    assert searches == [1]


@pytest.mark.integration
def test_kept_answers_are_those_of_the_line() -> None:
    """The text that decides which rules can match at a name is long enough, also before a long run of blanks."""
    named = a_redactor().named
    ends = ("", " ", " " * WINDOW, f"{'x' * WINDOW} = y", f" {'.' * BEFORE}", "\u00df")
    values = (
        "= x",
        " : x",
        "=>\tx",
        f" {' ' * WINDOW}= x",
        f":{' ' * (WINDOW + 9)}x",
        "| x |",
        "> x",
        "s",
        ".count = 5",
        " -> x",
    )
    for before in ("", "db", "public key", f"{'a' * 40}_", f"{' ' * 20}admin", '"', "x " * 9):
        for name in ("password", "Pass", "PASS", "secret key", "api_key", "tokens", "pwd", "PWD"):
            for line in (f"{before}{name}{value}{end}" for value in values for end in ends):
                fresh = NamedRules(named.rules)
                for at in quick_starts(line):
                    assert list(named._possible(line, at)) == list(fresh._asked(line, at)), line
