"""A force push upstream: the commits that are gone can be the reason of a breakage, so nobody is accused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import html

from lab.config.description import Lab
from lab.results import addresses
from lab.results.build_environment import BuildEnvironment
from reports.model import Build
from reports.site import Identity, build
from reports.sources import local
from scripts import snapshot
from tests.conftest import Bench, GitRepository, packaging_files
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
            step, version=record.version, commit=record.commit, facts={"named": named} if step == "changelog" else {}
        )
    return local.build(made.run, lab)[0].model_copy(update={"environment": SAME, "logs": ()})
