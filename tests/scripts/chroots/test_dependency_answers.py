"""apt's answers, kept: with a pretended chroot, whose apt answers as a table says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.base import files
from lab.base.run import ProgramFailed
from scripts.chroots.backends import SessionBackend
from scripts.chroots.bootstrap import Repository
from scripts.chroots.dependency_answers import Known, Question, answers_of, names_script
from tests import fakes
from tests.fakes import Fakes

CONTROL = "Source: dependencies\nBuild-Depends: a\n"
REPOSITORY = Repository("http://127.0.0.1:1", "trunk", "KEY", "testlab")
HELD = Repository("http://127.0.0.1:1", "trunk", "KEY", "testlab", held=(("a", "1"),))
# apt with the lab's archive, and without it.
ANSWERS = """\
#!/bin/sh
echo >> "$0.calls"
case $* in *"base64 --decode"*) cat "$0.ours" ;; *) cat "$0.theirs" || exit 100 ;; esac
"""
ALONE = "Inst a (1 Debian:12/stable [all])\n"
OURS = "Inst a (2 testlab:trunk [all])\n"
TOLD = "Release {} /var/lib/apt/lists/m_InRelease\nName a\nName b\n"
NOW = {"m_InRelease": "d1"}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    made = fakes.install(tmp_path, monkeypatch)
    made.write("chroot", ANSWERS)
    made.write("chroot.theirs", ALONE + TOLD.format("d1"))
    made.write("chroot.ours", ALONE)
    return made


def question(home: Path, control: str = CONTROL, profiles: tuple[str, ...] = (), base: str = "base-k-1") -> Question:
    """Return a question on a base; its lock is that of nothing."""
    place = home / base
    place.mkdir(parents=True, exist_ok=True)
    with files.locked(home / "lock") as lock:
        return Question(SessionBackend("schroot", "a test", home), place, lock, control, profiles, "", None)


def answered(asked: Question, known: Known, repository: Repository | None = None) -> str:
    return asked.answer(repository, known).changes


def test_answer_is_kept_while_the_mirror_is_the_same(fake: Fakes, tmp_path: Path) -> None:
    asked = question(tmp_path)
    for _ in range(3):
        assert answered(asked, Known(NOW)) == ALONE
    assert len(fake.calls("chroot")) == 1


CHANGED: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    "an index": ({"m_InRelease": "d2"}, {}),
    "one more index": ({**NOW, "other_InRelease": "d3"}, {}),
    "no index that is known": ({}, {}),
    "a build dependency": (NOW, {"control": f"{CONTROL}Build-Conflicts: c\n"}),
    "a profile": (NOW, {"profiles": ("nocheck",)}),
    "the base": (NOW, {"base": "base-k-2"}),
}


@pytest.mark.parametrize("what", CHANGED)
def test_apt_is_asked_again_if_something_changes(fake: Fakes, tmp_path: Path, what: str) -> None:
    releases, changed = CHANGED[what]
    answered(question(tmp_path), Known(NOW))
    fake.write("chroot.theirs", "Inst a (9 Debian:12/stable [all])\n" + TOLD.format("d2"))
    assert "Inst a (9 " in answered(question(tmp_path, **changed), Known(releases))  # type: ignore[arg-type]
    assert len(fake.calls("chroot")) == 2


# The calls of apt: the first build of a distribution that is known, and the next one.
LABS: dict[str, tuple[Repository, Known, int, str, bool]] = {
    "has nothing that matters": (REPOSITORY, Known(NOW, {"c"}), 0, ALONE, True),
    "has nothing": (REPOSITORY, Known(NOW, ()), 0, ALONE, True),
    "has a dependency, but not what is taken": (REPOSITORY, Known(NOW, {"a"}), 1, ALONE, True),
    "has what a dependency needs": (REPOSITORY, Known(NOW, {"b", "c"}), 1, ALONE, True),
    "is not known": (REPOSITORY, Known(NOW), 1, ALONE, True),
    "holds a version": (HELD, Known(NOW, ()), 1, ALONE, True),
}


@pytest.mark.parametrize("what", LABS)
def test_lab_archive_is_asked_where_it_can_matter(fake: Fakes, tmp_path: Path, what: str) -> None:
    repository, known, calls, changes, ready = LABS[what]
    answered(question(tmp_path), Known(NOW))
    found = question(tmp_path).answer(repository, known)
    assert (found.changes, found.ready, len(fake.calls("chroot")) - 1) == (changes, ready, calls)


def test_lab_archive_that_matters_gives_the_layer_of_the_distribution(fake: Fakes, tmp_path: Path) -> None:
    fake.write("chroot.ours", OURS)
    for calls in (2, 3):  # the distribution's answer is kept
        found = question(tmp_path).answer(REPOSITORY, Known(NOW, {"a"}))
        assert (found.changes, found.repository, found.ready) == (ALONE, None, False)
        assert len(fake.calls("chroot")) == calls


def test_what_only_the_lab_has_is_asked_each_time(fake: Fakes, tmp_path: Path) -> None:
    (fake.bin / "chroot.theirs").unlink()
    fake.write("chroot.ours", OURS)
    for _ in range(2):
        found = question(tmp_path).answer(REPOSITORY, Known(NOW, {"c"}))
        assert (found.changes, found.repository, found.ready) == (OURS, REPOSITORY, True)
    with pytest.raises(ProgramFailed):
        question(tmp_path).answer(None, Known(NOW))
    assert not answers_of(tmp_path, "base-k-1").exists()


UNUSABLE = {
    "damaged": "{",
    "empty": "",
    "of another release of qalab": '{"schema": 1, "changes": "", "mirror_date": "", "more": 1}',
    "without digests": '{"schema": 1, "changes": "Inst z (1 x [all])\\n", "mirror_date": ""}',
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_unusable_kept_answer_is_asked_again(fake: Fakes, tmp_path: Path, what: str) -> None:
    answered(question(tmp_path), Known(NOW))
    (path,) = answers_of(tmp_path, "base-k-1").iterdir()
    path.write_text(UNUSABLE[what])
    assert answered(question(tmp_path), Known(NOW)) == ALONE
    assert answered(question(tmp_path), Known({})) == ALONE
    assert len(fake.calls("chroot")) == 3


@pytest.mark.parametrize("lacks", ["Release", "Name"])
def test_answer_that_says_not_what_it_depends_on_is_not_kept(fake: Fakes, tmp_path: Path, lacks: str) -> None:
    lines = TOLD.format("d1").splitlines(keepends=True)
    fake.write("chroot.theirs", ALONE + "".join(line for line in lines if not line.startswith(lacks)))
    for calls in (1, 2):
        assert answered(question(tmp_path), Known(NOW)) == ALONE
        assert len(fake.calls("chroot")) == calls


ASKED = {
    "Build-Depends: a-b (>= 1), c++:any, d [amd64] <!nocheck>, e | f:native, g.h\n": "a-b, c++, d, e, f, g.h",
    "Build-Depends: a\nBuild-Conflicts: b, c <x>\n": "a, b, c",
    "": "",
}


@pytest.mark.parametrize("fields", ASKED)
def test_names_script_asks_for_all_names(fields: str) -> None:
    script = names_script(f"Source: dependencies\n{fields}")
    assert [line for line in script.splitlines() if line.startswith("Depends:")] == (
        [f"Depends: {ASKED[fields]}"] if fields else []
    )
    subprocess.run(["sh", "-n", "-c", script], check=True)
