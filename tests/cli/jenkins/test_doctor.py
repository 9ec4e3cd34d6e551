"""``qalab jenkins doctor`` and ``plugins``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.pace import Pace
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER, Kind
from tests.jenkins.recordings import plugin_versions
from tests.jenkins.users import ALL, User

FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"


def may(jenkins: Double, monkeypatch: pytest.MonkeyPatch, rights: frozenset[str]) -> None:
    """Let the lab's account have these rights."""
    jenkins._gate.users = (User("lab", rights=rights),)
    monkeypatch.setenv("QALAB_JENKINS_USER", "lab")


def test_account_with_all_rights(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("doctor")
    assert (code, said.count("✔"), said.count("✘")) == (0, 1 + 5 + 4 + 4, 0), said
    assert (jenkins.jobs(), jenkins.views()) == ([], [])
    assert "✔ plugin junit: 1217.v4297208a_a_b_ce (tested: 1217.v4297208a_a_b_ce)" in said


@pytest.mark.parametrize("categories, sign", [(["testlab-target"], "✔"), (["testlab-nspawn"], "✘"), ([], "✘")])
def test_throttle_category(
    call: Callable[..., tuple[int, str]], jenkins: Double, categories: list[str], sign: str
) -> None:
    Path("lab.yaml").write_text(
        Path("lab.yaml").read_text().replace("series: bookworm", "series: bookworm\n    phases: [build, deploy]")
    )
    jenkins._state.throttle_categories = categories
    code, said = call("doctor")
    assert (code, f"{sign} throttle category testlab-target: " in said) == (0 if sign == "✔" else 2, True), said
    assert jenkins.jobs() == []
    jenkins.fault(404, path="fillCategoryItems")  # without the plugin, which is named
    assert "category" not in call("doctor")[1]
    jenkins.fault(403, path="fillCategoryItems")
    assert "✘ throttle category testlab-target: cannot be checked: " in call("doctor")[1]


@pytest.mark.parametrize("missing, named", [
    ("Create", ["Job/Create", "View/Create"]),
    ("ExtendedRead", ["Job/ExtendedRead or Configure", "View/Read"]),
    ("Configure", ["Job/Configure", "View/Configure"]),
    ("Build", ["Job/Build"]),
    ("Delete", ["Job/Delete", "View/Delete", "probe", "probe"]),
    ("SystemRead", ["plugins"]),
])  # fmt: skip
def test_each_missing_right_is_named(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    named: list[str],
) -> None:
    may(jenkins, monkeypatch, ALL - {missing})
    code, said = call("doctor", "--json")
    bad = [check["what"] for check in json.loads(said) if not check["good"]]
    assert (code, bad) == (2, named)
    assert ("qalab-doctor" in said) is (missing == "Delete")
    assert (jenkins.jobs() == []) is (missing != "Delete")


@pytest.mark.parametrize("kind", [401, 404, 429, 502, "page", "empty", "lost"])
@pytest.mark.parametrize("part, times", [("doDelete", 1), ("", FOREVER)])
@pytest.mark.parametrize("at", [4, 7])
def test_probe_that_stays_is_named(  # noqa: PLR0917 - a table and its fixtures
    call: Callable[..., tuple[int, str]], jenkins: Double, monkeypatch: pytest.MonkeyPatch,
    kind: Kind | int, part: str, times: int, at: int,
) -> None:  # fmt: skip
    """Whatever answers in place of Jenkins at a deletion, or from the probe on."""
    monkeypatch.setattr(Pace, "wait", lambda *_, **__: None)
    jenkins.fault(kind, path=part, times=times, at=1 if part else at)
    code, said = call("doctor")
    if "qalab-doctor" in f"{jenkins.jobs()}{jenkins.views()}":
        assert (code, "✘ probe: " in said, "delete it by hand" in said) == (2, True, True), said


@pytest.mark.parametrize("call_to", ["config.xml", "doDelete"])
@pytest.mark.parametrize("kind", ["job", "view"])
def test_right_is_not_proved_by_a_status(
    call: Callable[..., tuple[int, str]], jenkins: Double, kind: str, call_to: str
) -> None:
    jenkins.fault("empty", method="POST", path=f"{kind}/.*{call_to}")
    code, said = call("doctor")
    right = {"config.xml": "Configure", "doDelete": "Delete"}[call_to]
    assert (code, f"✘ {kind.title()}/{right}: cannot be tried: Jenkins answered with success" in said) == (2, True), (
        said
    )


def test_plugins_without_an_answer_hide_no_other_check(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    jenkins.fault(404, path="pluginManager")
    code, said = call("doctor")
    assert (code, "✔ Job/Delete: granted" in said, "✘ plugins: cannot be checked: " in said) == (2, True, True), said


def test_probe_is_in_the_folder(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    text = Path("lab.yaml").read_text()
    Path("lab.yaml").write_text(text.replace("jenkins:", "jenkins:\n  folder: a/b"))
    code, said = call("doctor")
    assert (code, "✘ folder: a does not exist" in said) == (2, True)
    jenkins.create("a", f"<{FOLDER}/>")
    assert "✔ folder: a/b does not exist yet: apply creates it" in call("doctor")[1]
    jenkins.create("a/b", f"<{FOLDER}/>")
    assert call("doctor")[0] == 0
    assert {one.path for one in jenkins.writes() if "createItem" in one.path} <= {
        f"/{where}/createItem?name={one.path.partition('=')[2]}" for one in jenkins.writes()
        for where in ("job/a", "job/a/job/b")
    }  # fmt: skip


def test_plugins_for_the_plugin_cli(call: Callable[..., tuple[int, str]]) -> None:
    code, said = call("plugins")
    assert (code, set(said.split()) <= {f"{name}:{version}" for name, version in plugin_versions().items()}) == (
        0,
        True,
    )
    assert call("plugins", "--latest")[1].split() == [line.partition(":")[0] for line in said.split()]


def test_unreadable_plugins_are_said(
    call: Callable[..., tuple[int, str]], jenkins: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(jenkins, monkeypatch, ALL - {"SystemRead"})
    assert "plugins: not checked, because this account may not list them" in call("plan")[1]
    assert "without the list of plugins: lab may not read it (Overall/SystemRead)" in call("backup", "saved")[1]
    may(jenkins, monkeypatch, frozenset({"Read"}))
    jenkins.create(
        "plain", "<project><description>&lt;!-- Managed by qalab: lab=testlab --&gt;</description></project>"
    )
    assert "takes Job/ExtendedRead or Job/Configure, and plan --quick takes neither" in call("plan")[1]
