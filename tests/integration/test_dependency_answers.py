"""Kept answers of apt are those of a real apt: for dependencies of several kinds, and beside packages of the lab's archive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from lab.config.description import Lab
from lab.store.runs import Store
from scripts.archives import known_indices
from scripts.archives.serving import served
from scripts.chroots.chroots import Chroots
from scripts.chroots.dependency_answers import Question
from scripts.demo import demo
from tests.integration.test_sbuild import assert_nothing_left, make_archive

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("shared_cache")]
DEPENDENCIES = {
    "a package": "debhelper-compat (= 13)",
    "a name that many packages provide": "default-mta, c-compiler",
    "alternatives and conflicts": "libcurl4-gnutls-dev\nBuild-Conflicts: autoconf2.13",
}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[IO[str]]:
    with (tmp_path / "answers.log").open("w+") as stream:
        yield stream


def sessions(log: IO[str]) -> int:
    return Path(log.name).read_text().count("apt-get --quiet update")


@pytest.mark.parametrize("what", DEPENDENCIES)
def test_kept_answer_is_what_apt_says(lab_factory: Callable[..., Lab], log: IO[str], what: str) -> None:
    """A package of the lab's archive whose name can matter is asked about; another one is not."""
    lab, chroots = lab_factory(), Chroots.here(log)
    control = f"Source: dependencies\nBuild-Depends: {DEPENDENCIES[what]}\n"
    with chroots.base(demo.SERIES, lab.series[demo.SERIES]) as base:
        asked = Question(chroots.way, base.path, base.lock, control, (), "", log)
        known = known_indices.known(lab, demo.SERIES, "", log)
        alone = asked.of_distribution(known)
        assert alone.releases == known.releases
        changed = {*re.findall(r"^(?:Inst|Remv) (\S+)", alone.changes, re.MULTILINE)}
        assert {*changed, "dpkg", "libc6"} <= {*alone.names}
        assert len(changed) > 5

        for name, matters in (("unrelated-to-it", False), (min(changed), True)):
            make_archive(lab, Store.of(lab), name, "99")
            with served(lab, demo.TRACK, replaces=()) as ours:
                known = known_indices.known(lab, demo.SERIES, demo.TRACK, log)
                assert ours is not None
                assert known.offered == {name}
                before = sessions(log)
                found = asked.answer(ours, known)
                assert (found.changes, found.ready) == (alone.changes, not matters)
                assert (sessions(log) > before) is matters
                assert (asked.ask(ours).changes == alone.changes) is not matters
    assert_nothing_left()
