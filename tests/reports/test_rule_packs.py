"""Rule packs in the form of gitleaks: translated from Go, refused with the file and the rule, used by the redactor."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import check
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.description import Lab
from lab.results.secrets import go_regex
from reports.redact import rule_packs
from reports.redact.redactor import Redactor
from tests.cli.results.conftest import call

RULE = "[[rules]]\nid = 'own'\nregex = '''%s'''\nkeywords = ['own-']\n"


def redactor(home: Path, text: str) -> Redactor:
    pack = home / "pack.toml"
    pack.write_text(text)
    return Redactor(rule_packs.load([str(pack)]))


@pytest.mark.parametrize(
    "go, matched, not_matched",
    [
        (r"\bab(?i)cd|ef", ["abCD", "xx EF"], ["ABCD"]),
        (r"(x(?i)a|b)y", ["xAy", "By"], ["XAy", "xAY"]),
        (r"(?i)key(?-i:A)b", ["KEYAB"], ["KEYaB"]),
        (r"a\z", ["a", "ba"], ["ab", "a\n"]),
        (r"[[:alnum:]_-]{3}", ["a_9"], ["a!9"]),
        (r"[^[:space:]]x", ["ax"], [" x"]),
        (r"[]a[]x", ["]x", "[x", "ax"], ["bx"]),
        (r"[^]a]x", ["bx"], ["]x"]),
        (r"[(?i)|&~]x", ["(x", "?x", "|x", "&x"], ["Ix"]),
        (r"\Qa.b(\Ec", ["a.b(c"], ["axb(c"]),
        (r"\x{41}\x42", ["AB"], ["ab"]),
        (r"(?P<one>a)(?<two>b)", ["ab"], ["a"]),
        (r"\w+é", ["aé"], ["éé"]),
    ],
)
def test_go_expression_matches_as_in_go(go: str, matched: list[str], not_matched: list[str]) -> None:
    pattern = go_regex.compiled(go)
    assert all(map(pattern.search, matched))
    assert not any(map(pattern.search, not_matched))


@pytest.mark.parametrize(
    "go, problem",
    [
        (r"(?U)a+", "has unknown flags: U"),
        (r"\pL", r"has an unknown escape: \p"),
        (r"[[:latin:]]", "has an unknown class: [:latin:]"),
        ("a)", "has a closing parenthesis too many"),
        ("(a", "not a regular expression: missing ), unterminated subpattern"),
        ("a{99999999999}", "not a regular expression"),
        ("x*", "matches an empty text"),
        ("(?:a+)+b", "nested repetitions can take exponential time"),
        (r"(?:\w+\.?)*@", "nested repetitions can take exponential time"),
        (r"(?i)(?:[a-z]*|b+){20,}x", "nested repetitions can take exponential time"),
        (r"(?:(?:a|b+)c?)+d", "nested repetitions can take exponential time"),
    ],
)
def test_expression_that_cannot_be_used_is_refused(go: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        go_regex.compiled(go)


@pytest.mark.parametrize(
    "go", [r"(?:\.[a-z]+)*x", r"(?:a+,)+b", r"(?:[0-9]{1,3}\.){3}x", r"(?:.*|.*(?:[\r\n]{1,2}.*){1,5})x"]
)
def test_bounded_repetitions_are_used(go: str) -> None:
    before = time.process_time()
    assert not go_regex.compiled(go).search("a" * 400 + ",.1" * 100)
    assert time.process_time() - before < 60  # an exponential search never ends


@pytest.mark.parametrize(
    "line, shown",
    [
        ("x own-A1b2C3d4 y", "x own-[REDACTED:own] y"),
        ("x OWN-A1b2C3d4 y", "x OWN-A1b2C3d4 y"),
        ("x own-aaaaaaaa y", "x own-aaaaaaaa y"),  # of a low entropy
        ("x own-A1examp4 y", "x own-A1examp4 y"),  # a stop word
        ("x own-Z1b2C3d4 y", "x own-Z1b2C3d4 y"),  # an allowlist of the rule
        ("test: own-A1b2C3d4 y", "test: own-A1b2C3d4 y"),  # of the file, about the line
    ],
)
def test_rule_hides_its_group_and_keeps_what_is_allowed(tmp_path: Path, line: str, shown: str) -> None:
    text = (
        RULE % "own-([A-Za-z0-9]{8})"
        + "entropy = 2\n[rules.allowlist]\nregexes = ['^Z']\nstopwords = ['EXAMP']\n"
        + "[[allowlists]]\nregexTarget = 'line'\nregexes = ['^test:']\n"
    )
    assert redactor(tmp_path, text).text(line) == shown


@pytest.mark.parametrize(
    "more, shown",
    [
        ("", "own-[REDACTED:own]=[REDACTED:own]"),
        ("secretGroup = 2\n", "own-a1=[REDACTED:own]"),
        ("[[rules.allowlists]]\ncondition = 'AND'\npaths = ['x']\nregexes = ['b2']\n", "own-[REDACTED:own]=[REDACTED:own]"),
        ("[[rules.allowlists]]\ncondition = 'AND'\nstopwords = ['zz']\nregexes = ['b2']\n", "own-[REDACTED:own]=[REDACTED:own]"),
        ("[[rules.allowlists]]\npaths = ['x']\nregexes = ['b2']\n", "own-[REDACTED:own]=b2"),
    ],
)  # fmt: skip
def test_groups_and_conditions(tmp_path: Path, more: str, shown: str) -> None:
    assert redactor(tmp_path, RULE % r"own-(\w+)=(\w+)" + more).text("own-a1=b2") == shown


def test_names_of_the_common_form_are_hints(tmp_path: Path) -> None:
    form = (
        r"""(?i)[\w.-]{0,50}?(?:acme|(?-i:[Zz]eta)|pass(?:wo)?rd)"""
        + rule_packs.SEPARATOR
        + r"""[a-z0-9]{12})(?:[\x60'"\s;]|$)"""
    )
    ours = redactor(tmp_path, f"[[rules]]\nid = 'own'\nregex = '''{form}'''\nkeywords = ['other']\n")
    assert ours.rules[0].words == ("acme", "passrd", "password", "zeta")
    for line in (
        "my_acme_key = 'abcdef123456'",
        "Zeta:abcdef123456",
        "x-password => abcdef123456 ",
        "acme?=abcdef123456",
    ):
        assert "abcdef123456" not in ours.text(line)


@pytest.mark.parametrize(
    "text, problem",
    [
        (RULE % "own-(?U)x", "own: has unknown flags: U"),
        (RULE % "own-(a+)+$", "own: nested repetitions can take exponential time"),
        (RULE % "own-x" + "secretGroup = 1", "own: secretGroup: the regex has 0 groups"),
        (RULE % "own-x" + "colour = 'red'", "own: colour: extra inputs are not permitted"),
        (RULE % "own-x" + "[[rules.allowlists]]\nregexes = ['(']", "own: not a regular expression: missing )"),
        ("[[rules]]\nregex = 'x'\n", "rule 1: id: field required"),
        ("[[rules]]\nid = 'a'\n", "a: has neither regex nor path"),
        ("[extend]\nuseDefault = true\n" + RULE % "own-x", "extend: extra inputs are not permitted"),
        ("title = 'none'\n", "rules: field required"),
        ("rules = [\n", "Invalid value"),
    ],
)  # fmt: skip
def test_check_refuses_a_rule_in_one_line(
    lab_factory: Callable[..., Lab], tmp_path: Path, text: str, problem: str
) -> None:
    lab_factory(lab={"publish": {"rules": ["pack.toml"]}})
    pack = tmp_path / "pack.toml"
    pack.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        call(check.command, "--lab", str(tmp_path / "lab.yaml"))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{pack}: {problem}")


def test_check_counts_the_rules_and_names_a_missing_file(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab_factory(lab={"publish": {"rules": ["pack.toml"]}})
    with pytest.raises(ConfigurationError, match=r"pack.toml: cannot be read: No such file"):
        rule_packs.load(loading.load(tmp_path / "lab.yaml").publish.rules)
    (tmp_path / "pack.toml").write_text(RULE % "own-x" + "[[rules]]\nid = 'key-file'\npath = 'x'\n")
    done = call(check.command, "--lab", str(tmp_path / "lab.yaml"))
    assert "1 rules of redaction" in done.output
