"""Ranges that the listed commits do not explain: a force push upstream, and builds that are not published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import html

from lab.config.description import Lab
from lab.results import addresses
from lab.results.build_environment import BuildEnvironment
from reports.model import Build, Commit
from reports.site import Identity, build
from reports.sources import local
from scripts import snapshot
from tests.conftest import Bench, GitRepository, packaging_files
from tests.reports.publications import a_build
from tests.reports.site.worlds import InMemory

pytestmark = pytest.mark.integration
SAME = BuildEnvironment(packages={"libc6": "2.36-9"}, packaging="f" * 40, lab_commit="e" * 40)
GONE = "the upstream history was rewritten: commits of before are gone"


def take_back(upstream: GitRepository) -> None:
    upstream.git("reset", "--quiet", "--hard", "HEAD~1")


def replace_last(upstream: GitRepository) -> None:
    take_back(upstream)
    upstream.commit("Greet otherwise", {"greet.txt": "hi\n"})


def go_on(upstream: GitRepository) -> None:
    upstream.commit("Greet more", {"greet.txt": "hello, hello\n"})


def rebase(upstream: GitRepository) -> None:
    take_back(upstream)
    upstream.commit("Come between", {"other.txt": "x\n"})
    upstream.commit("Greet all", {"greet.txt": "hello, all\n"})


@pytest.mark.parametrize(
    "push, is_rewritten, count",
    [(go_on, False, 1), (take_back, True, 0), (replace_last, True, 1), (rebase, True, 2)],
)
def test_force_push_accuses_nobody(  # noqa: PLR0917 - a table
    tmp_path: Path,
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    push: Callable[[GitRepository], None],
    is_rewritten: bool,  # noqa: FBT001
    count: int,
) -> None:
    upstream, packaging = GitRepository(tmp_path / "upstream"), GitRepository(tmp_path / "packaging")
    packaging.commit("Package it", packaging_files())
    upstream.commit("Begin", {"greet.txt": "hello\n"})
    upstream.commit("Greet the world", {"greet.txt": "hello, world\n"})
    upstream.commit("Greet all", {"greet.txt": "hello, all\n"})
    lab = lab_factory(upstream=upstream.path, packaging=packaging.path)
    good = built(lab, bench, upstream, "")
    push(upstream)
    bad = built(lab, bench, upstream, good.commit)
    assert (good.rewritten, bad.rewritten, len(bad.commits)) == (False, is_rewritten, count)
    bad = bad.model_copy(update={"verdict": "failed", "step": "sbuild"})
    given = {Path("/nowhere", f"{one.number:064x}.tar.gz"): InMemory(one, {}) for one in (good, bad)}
    report = build(given, tmp_path / "site", Identity("lab"), read=given.__getitem__)
    assert (report.left_out, report.stale) == ({}, {})
    place = addresses.lane_path("greet", "trunk")
    (phase,) = json.loads((tmp_path / f"site/current/api/v1/{place.rstrip('/')}.json").read_text())["phases"]
    text = " ".join(
        html.parse(tmp_path / f"site/current/{place}index.html").xpath("//article")[0].text_content().split()
    )
    assert phase["breakages"][0]["suspect_count"] == count
    assert (GONE in text, "Broken by" in text, "Ada Author" in text) == (
        is_rewritten,
        not is_rewritten,
        not is_rewritten,
    )


def built(lab: Lab, bench: Callable[..., Bench], upstream: GitRepository, since: str) -> Build:
    """Return the build of a run with a real snapshot, and the commits that git lists since the build before."""
    made = bench(lab)
    record = made.execute(snapshot)
    assert record.verdict == "passed", record.message
    range_ = f"{since}..{record.commit}" if since else record.commit
    found = [line.split(" ", 1) for line in upstream.git("log", "--format=%H %s", range_).splitlines()]
    named = [{"id": commit, "subject": subject, "author": "Ada Author"} for commit, subject in found]
    for step in made.run.steps[1:]:
        made.pretend(
            step,
            version=record.version,
            commit=record.commit,
            facts={"named": named, "since": since} if step == "changelog" else {},
        )
    return local.build(made.run, lab)[0].model_copy(update={"environment": SAME, "logs": ()})


@pytest.mark.parametrize("published, words", [((1, 2, 3), "Broken by 1 commit in"), ((1, 3), "1 suspect commit in")])
def test_page_accuses_nobody_for_a_build_that_is_not_published(
    tmp_path: Path, published: tuple[int, ...], words: str
) -> None:
    given = {}
    for number in published:
        commit = f"{number:040x}"
        one = a_build(
            number=number, started=f"2026-01-0{number}T00:00:00Z", finished=f"2026-01-0{number}T00:01:00Z", commit=commit,
            since=f"{number - 1:040x}", commits=(Commit(id=commit, subject="Change", author="Ada Author"),),
            verdict="passed" if number == 1 else "failed", step="" if number == 1 else "sbuild", environment=SAME,
        )  # fmt: skip
        given[Path("/nowhere", f"{number:064x}.tar.gz")] = InMemory(one, {})
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    text = html.parse(tmp_path / "current/p/greet/trunk/index.html").xpath("//article")[0].text_content()
    assert words in text
    assert ("list of commits is incomplete" in text, "Ada Author" in text) == ((2 not in published), (2 in published))
