"""``qalab archive states``, ``show``, ``diff``, ``promote``, ``demote``, ``pin``, ``unpin``, ``drop``, ``gc``."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store import promotions
from lab.store.archive import ArchiveReader
from lab.store.records import rfc3339
from lab.store.runs import Store
from scripts.archives import lab_archive, usage
from scripts.archives.lab_archive import LabArchive
from scripts.services.deployed_state import FILE, Deployed
from tests.archives import assert_whole, deb, listed, pool, put
from tests.cli.archive.conftest import Verb, reader

LABEL = "trunk-tested"
OTHERS = ("pinned", "labelled", "deployed", "new", "last")


@pytest.mark.integration
def test_states(archive: Verb, states: list[str]) -> None:
    rows = json.loads(archive("states", "trunk", "--json"))
    assert [(row["name"], row["number"], row["parent"], row["labels"]) for row in rows] == [
        (states[2], 3, states[1], ["trunk"]), (states[1], 2, states[0], []), (states[0], 1, "", [])]  # fmt: skip
    lines = archive("states", "trunk").splitlines()
    assert lines[0] == f"{states[2]}  add greet 2  [trunk]"
    assert re.fullmatch(r"trunk-\d{8}T\d{6}Z-[0-9a-f]{8}  add hail 1", lines[1])
    assert archive("states", "other").startswith("other has no states yet")


def test_show_and_diff(archive: Verb, states: list[str]) -> None:
    shown = json.loads(archive("show", states[2], "--json"))
    assert shown["changes"] == [{"source": "greet", "before": "1", "after": "2"}]
    assert (shown["sources"], shown["packages"]) == (["greet=2", "hail=1"], ["greet=2", "hail=1"])
    assert "changed: greet 1 -> 2" in archive("show", "trunk")
    diff = json.loads(archive("diff", states[0], "trunk", "--json"))
    assert [(each["source"], each["before"], each["after"]) for each in diff["changes"]] == [
        ("greet", "1", "2"), ("hail", "", "1")]  # fmt: skip
    assert archive("diff", states[2], states[0]) == "greet 2 -> 1\nhail 1 -> (none)\n"
    with pytest.raises(ConfigurationError, match=r"trunk-stable names no state: .* or promoted to it yet"):
        archive("show", "trunk-stable")
    assert "have the same source packages" in archive("diff", "trunk", states[2])


def test_a_label_moves_and_remembers(archive: Verb, states: list[str], tmp_path: Path) -> None:
    archive("promote", LABEL, states[0], "--run", "trunk/greet/1", "--run", "trunk/greet/2", "--by", "ada")
    assert archive("promote", LABEL, "--dry-run").endswith(f"would move from {states[0]} to {states[2]}\n")
    assert listed(reader(tmp_path).root, LABEL) == ["greet 1"]
    told = json.loads(archive("promote", LABEL, "--reason", "good", "--json"))
    assert told == {"label": LABEL, "before": states[0], "after": states[2], "moved": True, "dry_run": False}
    assert listed(reader(tmp_path).root, LABEL) == ["greet 2", "hail 1"]
    assert archive("promote", LABEL) == f"{LABEL} names {states[2]} already\n"
    archive("demote", LABEL, "--yes", "--reason", "bad")
    assert listed(reader(tmp_path).root, LABEL) == ["greet 1"]
    moves = json.loads(archive("show", LABEL, "--json"))["moves"]
    assert [(move["kind"], move["before"], move["after"], move["reason"]) for move in moves] == [
        ("promotion", "", states[0], ""), ("promotion", states[0], states[2], "good"),
        ("demotion", states[2], states[0], "bad")]  # fmt: skip
    assert (moves[0]["who"], moves[0]["runs"]) == ("ada", ["trunk/greet/1", "trunk/greet/2"])
    assert moves[1]["who"] == environment.user()
    assert_whole(reader(tmp_path).root)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["promote", "trunk"], "trunk is always the newest state of its track; it cannot be moved by hand"),
        (["promote", "trunk-x"], "no label trunk-x; known: trunk-tested, trunk-stable, other-tested"),
        (
            ["promote", LABEL, "trunk-1"],
            "trunk-1 names no state: nothing has been built for it or promoted to it yet, or it is no label",
        ),
        (["promote", "other-tested", "trunk"], "trunk-.* is a state of trunk, and other-tested is a label of other"),
        (["demote", LABEL, "--yes"], "trunk-tested had no older state that is still there"),
        (["demote", LABEL, "trunk", "--yes"], "is not older than the state of trunk-tested"),
        (["show", "trunk-1"], "trunk-1 names no state"),
        (["unpin", "trunk-1"], "trunk-1 is not pinned; pinned: none"),
        (["states", "elsewhere"], "no track elsewhere; known: trunk, other"),
    ],
)
def test_what_is_refused(archive: Verb, argv: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        archive(*argv)


def test_wrong_ways(archive: Verb, states: list[str]) -> None:
    archive("promote", LABEL)
    with pytest.raises(ConfigurationError, match=r"is older than .*"):
        archive("promote", LABEL, states[0])
    with pytest.raises(ConfigurationError, match="not done, because nobody can confirm it"):
        archive("demote", LABEL, states[0])


def test_unpin_takes_a_label_as_pin_does(archive: Verb, states: list[str]) -> None:
    assert archive("pin", "trunk") == f"{states[2]} is pinned\n"
    assert archive("unpin", "trunk", states[2]) == f"{states[2]} is not pinned any more\n"
    with pytest.raises(ConfigurationError, match=f"{states[2]} is not pinned; pinned: none"):
        archive("unpin", "trunk")


def test_the_directory_of_a_labelled_state_was_removed(archive: Verb, states: list[str], lab: Lab) -> None:
    """The tree of the label has all of it: the label does not move back to an older state."""
    archive("promote", LABEL, states[1])
    root = Store.of(lab).archive
    for name, label in ((states[1], LABEL), (states[2], "trunk")):
        shutil.rmtree(root / "dists" / name)
        with pytest.raises(ConfigurationError, match=f"the label {label} names the state {name}, .*qalab archive gc"):
            archive("show", name)
    archive("gc")
    assert [archive("show", name) for name in states[1:]] == [
        archive("show", LABEL).replace(f"not in {LABEL}", "").partition("promotion by")[0] + "greet 1\nhail 1\n",
        archive("show", "trunk"),
    ]
    assert (listed(root, states[1]), listed(root, states[2])) == (["greet 1", "hail 1"], ["greet 2", "hail 1"])
    assert_whole(root)


def test_a_label_whose_state_and_tree_were_removed(archive: Verb, states: list[str], lab: Lab) -> None:
    archive("promote", LABEL, states[1])
    for name in (f"dists/{states[1]}", f"labels/{LABEL}"):
        shutil.rmtree(Store.of(lab).archive / name)
    message = f"the label {LABEL} named the state {states[1]}, .*qalab archive promote {LABEL}"
    with pytest.raises(ConfigurationError, match=message):
        archive("show", LABEL)
    archive("promote", LABEL)
    assert archive("show", LABEL).startswith(states[2])


def test_the_tree_of_a_label_was_removed(archive: Verb, states: list[str], lab: Lab) -> None:
    archive("promote", LABEL, states[1])
    shutil.rmtree(Store.of(lab).archive / "labels" / LABEL)
    message = f"the label {LABEL} named the state {states[1]}, .* removed the label's directory .*qalab archive gc"
    with pytest.raises(ConfigurationError, match=message):
        archive("show", LABEL)
    archive("gc")
    assert archive("show", LABEL).startswith(states[1])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days later, when no state is new."""
    moment = environment.now() + timedelta(days=2)
    monkeypatch.setattr(environment, "now", lambda: moment)


def deploy(lab: Lab, state: str) -> None:
    deployed = Deployed(
        track="trunk", component="greet", version="1", commit="", finished="", nodes={}, services={}, packages=(), state=state
    )  # fmt: skip
    deployed.write(Store.of(lab).environments / "trunk" / FILE)


@pytest.mark.parametrize(
    "reason", ["none", "used", *(pytest.param(each, marks=pytest.mark.integration) for each in OTHERS)]
)
def test_gc(archive: Verb, states: list[str], lab: Lab, reason: str, request: pytest.FixtureRequest) -> None:
    """The oldest state stays for each reason; the one in the middle goes, with the pool files that only it has."""
    there = ArchiveReader.at(Store.of(lab).archive)
    if reason != "new":
        request.getfixturevalue("later")
    if reason == "pinned":
        archive("pin", states[0], "--reason", "release")
    if reason in {"labelled", "last"}:
        archive("promote", LABEL, states[0])
    if reason == "last":  # of the label stable; the one of tested moves on
        archive("promote", "trunk-stable", states[0])
        archive("promote", LABEL)
    if reason == "deployed":
        deploy(lab, states[0])
    gone = [states[1]] if reason != "none" else states[:2]
    if reason == "new":
        gone = []
    with usage.held(lab, states[0] if reason == "used" else states[2]):
        planned = json.loads(archive("gc", "--dry-run", "--json"))
        assert planned["states"] == gone
        assert [state.name for state in there.states()] == states
        done = json.loads(archive("gc", "--yes", "--json"))
    assert done == planned | {"dry_run": False}
    assert [state.name for state in there.states()] == [name for name in states if name not in gone]
    assert_whole(there.root)
    assert not [name for name in gone if files.is_locked(Store.of(lab).lock_path("state", name))]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("cut_short", [False, True])
def test_gc_on_a_full_disk(
    archive: Verb,
    states: list[str],
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    cut_short: bool,
) -> None:
    """Nothing is written before there is room again; then the change is completed that the full disk cut short."""
    root = Store.of(lab).archive

    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if cut_short:
        with monkeypatch.context() as patch, (tmp_path / "log").open("w") as log:
            patch.setattr(LabArchive, "point", full)
            with pytest.raises(OSError, match="No space"), lab_archive.opened(lab, log) as opened:
                put(opened, "trunk", [deb(tmp_path / "greet_3_all.deb", "greet", "3")])

    def full_at_first(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            new = function is not mkdir or not given[0].exists()
            return (full if new and (root / "dists" / states[0]).exists() else function)(*given, **named)

        return called

    mkdir = Path.mkdir
    for owner, name in ((files, "write_atomic"), (Path, "mkdir"), (lab_archive, "lab_key")):
        monkeypatch.setattr(owner, name, full_at_first(getattr(owner, name)))
    assert archive("gc", "--dry-run").startswith("\n".join(states[:2]))
    assert archive("gc", "--yes").startswith("\n".join(states[:2]))
    assert listed(root) == ["greet 3" if cut_short else "greet 2", "hail 1"]
    assert len(reader(tmp_path).states()) == 1 + cut_short
    if cut_short:
        archive("gc", "--yes")  # the index of the tree that the label had
    assert_whole(root)


@pytest.mark.integration
def test_gc_frees_the_pool(archive: Verb, states: list[str], lab: Lab, tmp_path: Path, later: None) -> None:
    """A version goes when no state has it and it is past its time; a pinned state keeps its own."""
    lab.file.write_text(lab.file.read_text().replace("archive: {", "archive: {keep: 1, "))
    archive("pin", "trunk")
    archive("pin", states[0])
    archive("gc", "--yes")
    assert [name for name in pool(reader(tmp_path).root) if "greet" in name] == ["greet_1_all.deb", "greet_2_all.deb"]
    archive("unpin", states[0])
    done = json.loads(archive("gc", "--yes", "--json"))
    assert (done["states"], done["versions"]) == ([states[0]], ["trunk: greet 1"])
    assert "pool/main/g/greet/greet_1_all.deb" in done["files"]
    assert_whole(reader(tmp_path).root)
    with pytest.raises(ConfigurationError, match=f"the archive has no state {states[0]}: it was removed, or never was"):
        archive("show", states[0])


def test_what_is_removed_needs_a_yes(archive: Verb, states: list[str], tmp_path: Path, later: None) -> None:
    with pytest.raises(ConfigurationError, match=r"remove 2 states and .* of files: not done"):
        archive("gc")
    assert len(reader(tmp_path).states()) == 3


def without(lab: Lab, *gone: tuple[str, str]) -> None:
    """Take something out of lab.yaml."""
    assert lab.file
    text = lab.file.read_text()
    for old, new in gone:
        assert old in text
        text = text.replace(old, new)
    lab.file.write_text(text)


@pytest.mark.integration
@pytest.mark.parametrize(
    "cut_short", [(), ("labels/trunk-stable.json",), ("labels/trunk-stable.json", "dists/trunk-stable")]
)
def test_a_label_that_lab_yaml_drops(  # noqa: PLR0917 - a table
    archive: Verb, states: list[str], lab: Lab, tmp_path: Path, later: None, cut_short: tuple[str, ...]
) -> None:
    archive("promote", "trunk-stable", states[0])
    with pytest.raises(ConfigurationError, match=r"trunk-stable is a label of lab\.yaml"):
        archive("drop", "trunk-stable", "--yes")
    without(lab, (", stable]", "]"))
    assert reader(tmp_path).labels().keys() == {"trunk", "trunk-stable"}
    told = (
        "qalab: trunk-stable is no label of lab.yaml any more, and keeps its states (qalab archive drop trunk-stable)\n"
    )
    assert told in archive("states", "trunk")
    assert told in archive("gc", "--yes")
    assert states[0] in archive("states", "trunk")
    with pytest.raises(ConfigurationError, match=r"no label \.\./trunk is left over; left over: trunk-stable"):
        archive("drop", "../trunk", "--yes")
    with pytest.raises(ConfigurationError, match="nobody can confirm it"):
        archive("drop", "trunk-stable")
    for name in cut_short:  # of an earlier call
        (reader(tmp_path).root / name).unlink()
    assert archive("drop", "trunk-stable", "--yes") == "trunk-stable is no label any more\n"
    assert (reader(tmp_path).labels().keys(), [*reader(tmp_path).root.glob("labels/*stable*")]) == ({"trunk"}, [])
    assert states[0] in archive("gc", "--yes")
    assert "no label" not in archive("states", "trunk")
    with pytest.raises(ConfigurationError, match="no label trunk-stable is left over; left over: none"):
        archive("drop", "trunk-stable", "--yes")
    assert_whole(reader(tmp_path).root)


@pytest.mark.integration
def test_the_labels_of_a_track_that_lab_yaml_drops(
    archive: Verb, states: list[str], lab: Lab, tmp_path: Path, later: None
) -> None:
    archive("promote", LABEL)
    without(lab, ("  trunk: {series: bookworm, phases: [build, deploy, exercise], labels: [tested, stable]}\n", ""))
    for label in ("trunk", LABEL):
        assert f"qalab archive drop {label})" in archive("gc", "--yes")
        archive("drop", label, "--yes")
    assert states[2] in archive("gc", "--yes")
    assert (reader(tmp_path).states(), reader(tmp_path).labels()) == ([], {})


@pytest.mark.integration
@pytest.mark.parametrize("is_promoted", [True, False])
def test_a_dropped_label_ends_its_promotion(archive: Verb, states: list[str], lab: Lab, *, is_promoted: bool) -> None:
    """Also that of a label to which nothing has been promoted yet."""
    if is_promoted:
        archive("promote", "trunk-stable", states[0])
    one = promotions.PromotionRound(
        number=1,
        track="trunk",
        label="trunk-stable",
        newest=states[1],
        started="2026-01-01T00:00:00.000Z",
        items=("greet/2",),
    )
    one.write(promotions.round_path(Store.of(lab), "trunk-stable", 1))
    assert promotions.states_in_use(Store.of(lab)) >= {states[1]}
    without(lab, (", stable]", "]"))
    assert "qalab archive drop trunk-stable)" in archive("gc", "--yes")
    archive("drop", "trunk-stable", "--yes")
    assert not promotions.states_in_use(Store.of(lab)) & {*states}


@pytest.mark.integration
def test_gc_removes_the_state_of_a_deployment_that_never_came(
    archive: Verb, states: list[str], lab: Lab, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promotion asked for it, and ended: somebody moved the label, or lab.yaml dropped it."""
    home = promotions.probe_home(Store.of(lab), states[0])
    asked = promotions.ProbeRequest(since=rfc3339(environment.now()))
    asked.write(home / promotions.ASKED)
    assert states[0] not in archive("gc", "--yes")
    moment = environment.now() + promotions.PATIENCE + timedelta(seconds=1)
    monkeypatch.setattr(environment, "now", lambda: moment)
    assert states[0] in archive("gc", "--yes")
    assert not home.exists()


@pytest.mark.integration
@pytest.mark.parametrize("how", ["promotion", "new state"])
def test_gc_leaves_the_state_that_a_label_named_until_lately(  # noqa: PLR0917 - a table
    archive: Verb, states: list[str], lab: Lab, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch, later: None
) -> None:
    """apt can have read the label before, and asks for files of that state now."""
    left = states[2] if how == "new state" else states[0]
    if how == "promotion":
        archive("promote", LABEL, states[0])
        archive("promote", LABEL)
    else:
        with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as opened:
            put(opened, "trunk", [deb(tmp_path / "talk_1_all.deb", "talk", "1")])
    archive("gc", "--yes")
    assert left in [state.name for state in reader(tmp_path).states()]
    assert_whole(reader(tmp_path).root)
    moment = environment.now() + timedelta(days=2)
    monkeypatch.setattr(environment, "now", lambda: moment)
    archive("gc", "--yes")
    assert left not in [state.name for state in reader(tmp_path).states()]
