"""What differs, as people read it; and that it is complete."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from generator.canonical import digest
from generator.differences import Difference, differences, render
from tests.generator.roundtrips import NAMES, Edit, add, edited, forms, put, remove, replace, set_class, swap, tree

SHELL = "hudson.tasks.Shell"
PARAMETERS = "properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions"
CHOICE = "hudson.model.ChoiceParameterDefinition"
JUNIT = "hudson.tasks.junit.JUnitResultArchiver"
BUILD = forms("contract-build")


@pytest.mark.parametrize("name", NAMES)
def test_forms_of_an_item_have_no_differences(name: str) -> None:
    known = forms(name).values()
    assert [differences(one, other) for one in known for other in known] == [[]] * len(known) ** 2


@pytest.mark.parametrize(
    "edit, lines",
    [
        (put("disabled", "true"), ["~ disabled: false -> true"]),
        (put("quietPeriod", "5 "), ['~ quietPeriod: 0 -> "5 "']),
        (put("displayName", "Keystone"), ["+ displayName: Keystone"]),
        (remove("quietPeriod"), ["- quietPeriod: 0"]),
        (put("scm/branches/*/name", "main"), ["~ scm/branches/hudson.plugins.git.BranchSpec/name: master -> main"]),
        (put("triggers/hudson.triggers.TimerTrigger/spec", "@daily"),
         ["~ triggers/hudson.triggers.TimerTrigger/spec: H 3 * * * -> @daily"]),
        (remove("triggers/hudson.triggers.TimerTrigger"), ["- triggers/hudson.triggers.TimerTrigger: spec=H 3 * * *"]),
        (put(f"builders/{SHELL}[2]/command", "false"),
         [f"~ builders/2 {SHELL}/command: echo unstable; exit 0 -> false"]),
        (replace(f"builders/{SHELL}[1]/command", "set -e\n", "set -e \n"),
         [f"~ builders/1 {SHELL}/command:",
          "    @@ -1,3 +1,3 @@",
          "    -set -e",
          "    +set -e·",
          '     echo "step one & <two> {braces}"',
          ""]),
        (remove(f"builders/{SHELL}[1]"),
         [f'- builders/1 {SHELL}: command=set -e\\necho "step one & <two> {{braces}}"\\n']),
        (swap("builders"),
         [f"+ builders/1 {SHELL}: command=echo unstable; exit 0; unstableReturn=4",
          f"- builders/2 {SHELL}: command=echo unstable; exit 0; unstableReturn=4"]),
        (add("builders", "<hudson.tasks.Shell/>"), [f"+ builders/3 {SHELL}"]),
        (remove(f"publishers/{JUNIT}"),
         [f"- publishers/2 {JUNIT}: allowEmptyResults=true; healthScaleFactor=1.0; keepLongStdio=true; testResults=results/**/*.xml"]),
        (set_class("properties/*/strategy", "org.example.Discarder"),
         ["~ properties/jenkins.model.BuildDiscarderProperty/strategy@class: hudson.tasks.LogRotator -> org.example.Discarder"]),
        (remove(f"{PARAMETERS}/{CHOICE}"),
         [f"- {PARAMETERS}/2 {CHOICE}: choices/a/1 string=bookworm; choices/a/2 string=trixie; name=SERIES"]),
        (put(f"{PARAMETERS}/hudson.model.BooleanParameterDefinition/defaultValue", "true"),
         [f"~ {PARAMETERS}/3 hudson.model.BooleanParameterDefinition/defaultValue: false -> true"]),
        (add(f"{PARAMETERS}/{CHOICE}/choices/a", "<string>true</string>"),
         [f"+ {PARAMETERS}/2 {CHOICE}/choices/a/3 string: true"]),
        (put("description", "\x85\u202eevil\tx"), ["~ description: Builds one component. -> \\x85\\u202eevil\\tx"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", BUILD)
def test_lines_of_an_edit(form: str, edit: Edit, lines: list[str]) -> None:
    assert sorted(render(differences(BUILD["sent"], edited(BUILD[form], edit)))) == sorted(lines)


def test_absent_list_or_object_equals_an_empty_one() -> None:
    """What it says is told, and not that it is there."""
    deploy = forms("contract-deploy")["resaved"]
    more = edited(
        deploy, add("triggers", "<hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger>")
    )
    assert differences(deploy, more) == [Difference("triggers/hudson.triggers.TimerTrigger", None, "spec=@daily")]
    assert render(differences(more, deploy)) == ["- triggers/hudson.triggers.TimerTrigger: spec=@daily"]
    votes = "triggers/com.sonyericsson.hudson.plugins.gerrit.trigger.hudsontrigger.GerritTrigger/skipVote/onFailed"
    gerrit = forms("contract-gerrit")["stored"]
    assert differences(gerrit, edited(gerrit, put(votes, "true"))) == [Difference(votes, "false", "true")]
    assert differences(edited(gerrit, put(votes, "true")), gerrit) == [Difference(votes, "true", "false")]


def test_object_with_a_class_is_one_difference() -> None:
    (difference,) = differences(forms("contract-build")["sent"], edited(BUILD["stored"], remove("scm")))
    assert (difference.path, difference.after) == ("scm", None)
    assert (difference.before or "").startswith(
        "@class=hudson.plugins.git.GitSCM; branches/hudson.plugins.git.BranchSpec/"
    )


def steps(*commands: str) -> str:
    shells = "".join(f"<{SHELL}><command>{command}</command></{SHELL}>" for command in commands)
    return f"<project><builders>{shells}<hudson.tasks.Maven/></builders></project>"


@pytest.mark.parametrize(
    "before, after, changed",
    [
        (["one"], ["one", "two"], [(f"2 {SHELL}", None, "command=two")]),
        (["make test", "make install"], ["make installed"],
         [(f"1 {SHELL}", "command=make test", None), (f"1 {SHELL}/command", "make install", "make installed")]),
        (["make install"], ["git clean", "make installed"],
         [(f"1 {SHELL}", None, "command=git clean"), (f"2 {SHELL}/command", "make install", "make installed")]),
        (["abc", "xyz"], ["abd", "xyw"],
         [(f"1 {SHELL}/command", "abc", "abd"), (f"2 {SHELL}/command", "xyz", "xyw")]),
        (["abc", "xyz"], ["xyw", "abd"],
         [(f"2 {SHELL}", "command=xyz", None), (f"1 {SHELL}", None, "command=xyw"), (f"2 {SHELL}/command", "abc", "abd")]),
        (["same", "same", "same"], ["same"], [(f"1 {SHELL}", "command=same", None), (f"2 {SHELL}", "command=same", None)]),
    ],
)  # fmt: skip
def test_changed_members_are_paired_by_similarity(
    before: list[str], after: list[str], changed: list[tuple[str, str, str]]
) -> None:
    found = differences(steps(*before), steps(*after))
    assert found == [Difference(f"builders/{path}", old, new) for path, old, new in changed]


@pytest.mark.integration
def test_comparison_of_many_members_is_fast() -> None:
    """They are not paired one by one when hundreds have changed."""
    found = differences(steps(*(f"a{n}" for n in range(500))), steps(*(f"b{n}" for n in range(500))))
    assert len(found) == 1000
    assert {difference.before is None or difference.after is None for difference in found} == {True}


@pytest.mark.parametrize(
    "before, after, lines",
    [
        ("<project/>", "<matrix-project/>", ["~ /: project -> matrix-project"]),
        ("<p><a>x</a></p>", "<p><a>y</a></p>", ["~ a: x -> y"]),
        ("<p>x</p>", "<p/>", ['~ /: x -> ""']),
        ("<p x='1'/>", "<p y='2'/>", ["- @x: 1", "+ @y: 2"]),
        ("<p><a>x</a></p>", "<p><a><b>y</b></a></p>", ['~ a: x -> ""', "+ a/b: y"]),
        ("<p><o>x</o></p>", "<p><o>x</o><o>x</o></p>", ["- o: x", "+ 1 o: x", "+ 2 o: x"]),
        ("<p/>", "<p><o\u200do>x</o\u200do></p>", ["+ o\\u200do: x"]),
        ("<p><l><x.A/></l></p>", "<p><l><x.B><o>1</o></x.B></l></p>", ["- l/x.A", "+ l/x.B: o=1"]),
        ("<p><a>x\n</a></p>", "<p><a>x</a></p>", ["~ a:", "    @@ -1,2 +1 @@", "     x", "    -"]),
        ("<p/>", f"<p><a>{'x' * 200}</a></p>", [f"+ a: {'x' * 119}…"]),
    ],
)  # fmt: skip
def test_edge_cases(before: str, after: str, lines: list[str]) -> None:
    assert render(differences(before, after)) == lines


def mutated(xml: str, luck: random.Random) -> str:
    """A few random changes, some of which Jenkins could have made."""
    root = tree(xml)
    for _ in range(luck.randint(0, 3)):
        element = luck.choice(list(root.iter()))
        parent = element.getparent()
        match luck.randint(0, 7):
            case 0 if parent is not None:
                parent.remove(element)
            case 1 if parent is not None:
                parent.insert(0, etree.fromstring(etree.tostring(element, with_tail=False)))
            case 2 if parent is not None:
                parent.insert(luck.randrange(len(parent)), element)
            case 3 if not len(element):
                element.text = luck.choice(["", "false", "true", "x", "x ", " ", "\n"])
            case 4:
                element.set(
                    luck.choice(["plugin", "class", "reference"]), luck.choice(["x", "list", "hudson.scm.NullSCM"])
                )
            case 5:
                element.attrib.clear()
            case 6:
                element.tag = luck.choice(["string", "a", "x.Y", "properties", "builders", "canRoam"])
            case _:
                etree.SubElement(element, luck.choice(["a", "string", "x.Y", "disabled"])).text = luck.choice(
                    ["", "false"]
                )
    return etree.tostring(root, encoding="unicode")


@pytest.mark.integration
@settings(max_examples=200)
@given(name=st.sampled_from(NAMES), luck=st.randoms(use_true_random=False))
def test_differences_exist_exactly_if_digests_differ(name: str, luck: random.Random) -> None:
    known = list(forms(name).values())
    one, other = mutated(luck.choice(known), luck), luck.choice(known)
    there, back = differences(one, other), differences(other, one)
    assert bool(there) == bool(back) == (digest(one) != digest(other))
    assert all(difference.path and difference.before != difference.after for difference in there)
    assert len(there) == len(back)
    assert bool(render(there)) == bool(there)
    assert all(line.isprintable() for line in render(there))


def members(names: list[str]) -> str:
    return f"<project><publishers>{''.join(f'<x.{name}/>' for name in names)}</publishers></project>"


def longest(one: list[str], other: list[str]) -> int:
    """Return how many members two lists can have in common, in order: all ways are tried."""
    if not one or not other:
        return 0
    skipped = max(longest(one[1:], other), longest(one, other[1:]))
    return max(skipped, 1 + longest(one[1:], other[1:])) if one[0] == other[0] else skipped


@pytest.mark.integration
@given(one=st.lists(st.sampled_from("abcde"), max_size=6), other=st.lists(st.sampled_from("abcde"), max_size=6))
@example(one=list("tide"), other=list("diet"))
@example(one=list("aab"), other=list("aba"))
@example(one=["a", "b"], other=["b", "a"])
@example(one=[], other=["a"])
def test_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    there, back = differences(members(one), members(other)), differences(members(other), members(one))
    assert len(there) == len(back) == len(one) + len(other) - 2 * longest(one, other)


@pytest.mark.integration
@given(one=st.lists(st.text("xyz", max_size=3), max_size=5), other=st.lists(st.text("xyz", max_size=3), max_size=5))
@example(one=["abc", "xyz"], other=["xyw", "abd"])
@example(one=["ab", "ab", "cd"], other=["ac", "bd", "ab"])
def test_comparison_is_symmetric_in_length(one: list[str], other: list[str]) -> None:
    assert len(differences(steps(*one), steps(*other))) == len(differences(steps(*other), steps(*one)))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        (["a"] * 20_000, ["a"] * 10_000 + ["b"] + ["a"] * 9_999, 2),
        (["a"] * 20_000, ["a"] * 20_001, 1),
        (["a"] * 20_001, ["b", *["a"] * 20_000], 2),
        ([f"a{number}" for number in range(2000)], [f"b{number}" for number in range(2000)], 4000),
    ],
)
def test_comparison_of_long_lists(one: list[str], other: list[str], count: int) -> None:
    assert len(differences(members(one), members(other))) == count
    assert len(differences(members(other), members(one))) == count
