"""A snapshot below the packaging's own version is refused, and the hint leads out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.config.description import Lab
from scripts import changelog, packaging, snapshot
from scripts.upstream import packaged_version
from tests.conftest import Bench, GitRepository, packaging_files
from tests.scripts.histories import dpkg

# What happens (name: upstream's tags, one on each commit; the packaging's version; the cures that the hint names).
BELOW: dict[str, tuple[str, str, list[str]]] = {
    "zlib, with .dfsg and an epoch": ("v1.2.12 v1.2.13", "1:1.2.13.dfsg-1", ["next: 1.2.14"]),
    "a repack suffix that sorts after +git": ("v1.0", "1.0+repack-1", ["next: 1.1"]),
    "a tag that the mirror does not have": ("v0.30", "0.31-2", ["next: 0.32"]),
    "no tag at all": ("", "2.2.2-2", ["next: 2.2.3"]),
    "tags of another name": ("php-8.1.0 php-8.2.12", "8.2.12-1", ["tag_pattern: php-(.*)", "next: 8.2.13"]),
    "tags of another name, repacked": ("core-8-6-13", "8.6.13+dfsg-2", ["tag_pattern: core-(.*)", "next: 8.6.14"]),
    "tags of two names": ("lib-3.0 prog-1.0 lib-3.1", "1.0-1", ["tag_pattern: prog-(.*)", "next: 1.1"]),
    "tags of another name, whose release is older": ("php-8.1.0", "8.2.12-1", ["next: 8.2.13"]),
    "a release that has no tag": ("v1.9", "2.0-1", ["next: 2.1"]),
    "a letter behind the number": ("v1.0.2", "1.0.3u-1", ["next: 1.0.4"]),
    "a date for a version": ("v1.0", "20210604-1", ["next: 20210605"]),
    "a date for a version, and an epoch": ("", "2:20210604+ds1-1", ["next: 20210605"]),
    "a commit of Go's in the version": ("v1.0.5", "1.0.6~git20210604-d5e0c06-1", ["next: 1.0.6"]),
    "a pre-release whose mark sorts after git": ("v1.0.5", "1.0.6~rc1-1", ["next: 1.0.7"]),
    "two origs": ("v7.3.4", "7.3.5+~7.3.9-1", ["next: 7.3.6"]),
    "a lab's entry above the packaging's": ("v0.9", "1.0-1", ["next: 1.1"]),
}  # fmt: skip

LAB_ENTRY = (
    "greet (0.9+git20251231.1.0123456-0qalab+deb13+1) trixie; urgency=medium\n\n  * Built.\n\n"
    " -- Lab <lab@lab.example>  Fri, 02 Jan 2026 00:00:00 +0000\n\n"
)
OLD_LAB_ENTRY = LAB_ENTRY.replace("-0qalab+deb13+1", "-0qalab1~trixie1")


@pytest.fixture
def build(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], git_repository: Callable[..., GitRepository]
) -> Callable[..., Bench]:
    """Return a function that runs the steps up to changelog, with ``version`` of lab.yaml."""
    upstream, packages = git_repository("upstream"), git_repository("packaging")

    def run(
        tags: str, packaged: str, version: dict[str, str] | None = None, commit: str = "", unreleased: str = ""
    ) -> Bench:
        if not upstream.heads:
            for tag in tags.split() or [None]:
                upstream.commit("Go on", {"greet.txt": str(tag)})
                if tag:
                    upstream.tag(tag)
            upstream.commit("One more")
            files = packaging_files(version=packaged)
            if packaged == "1.0-1":
                files["debian/changelog"] = LAB_ENTRY + files["debian/changelog"]
            if unreleased:
                opened = packaging_files(version=unreleased)["debian/changelog"].replace("unstable", "UNRELEASED")
                files["debian/changelog"] = f"{opened}\n{files['debian/changelog']}"
            packages.commit("Package it", files)
        lab = lab_factory(upstream=upstream.path, packaging=packages.path, component={"version": version or {}})
        made = bench(lab, commit)
        for module in (snapshot, packaging):
            assert made.execute(module).verdict == "passed"
        made.execute(changelog)
        return made

    return run


def setting(cure: str) -> dict[str, str]:
    key, _, value = cure.partition(": ")
    return {key: value}


@pytest.mark.integration
@pytest.mark.parametrize("case", BELOW)
def test_version_below_packaged_one_is_refused(case: str, build: Callable[..., Bench]) -> None:
    tags, packaged, cures = BELOW[case]
    record = build(tags, packaged).run.record("changelog")
    assert (record.verdict, record.exit_code) == ("error", 2), record.message
    assert f"is not above {packaged}, the packaging's own version (set components.greet.version." in record.message
    hint = record.message.partition("(set ")[2].removesuffix(")")
    assert hint.split(" or ") == [f"components.greet.version.{cure}" for cure in cures]
    for cure in cures:
        cured = build(tags, packaged, setting(cure)).run.record("changelog")
        assert cured.verdict == "passed", (cure, cured.message)
        assert dpkg(cured.version, "gt", packaged)


@pytest.mark.integration
@pytest.mark.parametrize(
    "tags, packaged, setting",
    [
        ("v1.2.13", "1:1.2.13.dfsg-1", {"next": "1.2.14"}),
        ("php-8.2", "8.2-1", {"tag_pattern": "php-(.*)"}),
        ("v0.30", "0.31-2", {"next": "0.32"}),
    ],
)
def test_setting_of_a_run_that_was_refused(
    tags: str, packaged: str, setting: dict[str, str], build: Callable[..., Bench], lab_factory: Callable[..., Lab]
) -> None:
    """The step snapshot makes the version: it has to be repeated, not changelog alone."""
    made = build(tags, packaged)
    lab = made.lab
    component = lab.components["greet"].model_dump(mode="json", exclude_unset=True)
    made.lab = lab_factory(component=component | {"version": setting})
    record = made.execute(changelog)
    again = f"(qalab run --run {made.run.id} --from snapshot: lab.yaml has another version by now)"
    assert (record.exit_code, record.message.endswith(again)) == (2, True), record.message
    for module in (snapshot, packaging, changelog):
        assert made.execute(module).verdict == "passed"


@pytest.mark.integration
def test_version_next_too_low_is_refused(build: Callable[..., Bench]) -> None:
    record = build("v1.2.13", "1:1.2.13.dfsg-1", {"next": "1.2.13"}).run.record("changelog")
    assert (record.exit_code, "version.next: 1.2.14" in record.message) == (2, True)


@pytest.mark.integration
@pytest.mark.parametrize(
    "tags, packaged",
    [
        ("v1.0", "1.0-1"),
        ("v1.0", "1.0+dfsg-1"),
        ("v1.0", "1.0+ds1-1"),
        ("v1.0", "1.0~rc1-1"),
        ("v1.0.2", "1.0.2u-1"),
        ("upstream/2.2.2", "2.2.2-2"),
        ("upstream/1.2.13.dfsg", "1:1.2.13.dfsg-1"),
        ("upstream/1.0.6_git20210604.d5e0c06", "1.0.6~git20210604.d5e0c06-1"),
        ("v7.3.5", "7.3.5+~7.3.9-1"),
    ],
)
def test_version_above_packaged_one_is_built(tags: str, packaged: str, build: Callable[..., Bench]) -> None:
    record = build(tags, packaged).run.record("changelog")
    assert record.verdict == "passed", record.message
    assert dpkg(record.version, "gt", packaged)


@pytest.mark.integration
@pytest.mark.parametrize(
    "packaged, unreleased, epoch", [("1.0-1", "1.1-1", ""), ("1.0-2", "2.0-1", ""), ("1.0-1", "1:1.1-1", "1:")]
)
def test_version_below_unreleased_entry_is_built(
    packaged: str, unreleased: str, epoch: str, build: Callable[..., Bench]
) -> None:
    """Nobody has a version that the packaging only prepares; its epoch counts."""
    record = build("v1.0", packaged, unreleased=unreleased).run.record("changelog")
    assert record.verdict == "passed", record.message
    assert record.version.startswith(f"{epoch}1.0+git")
    assert record.message.endswith(f"; commits named: 1; not above the changelog's {unreleased}")


@pytest.mark.integration
def test_version_below_released_entry_is_refused_whatever_is_prepared(build: Callable[..., Bench]) -> None:
    record = build("v1.0", "1.1-1", unreleased="2.0-1").run.record("changelog")
    assert (record.exit_code, "is not above 1.1-1, the packaging's own version" in record.message) == (2, True)
    assert "version.next: 1.2" in record.message


@pytest.mark.integration
def test_version_of_older_commit_is_built(build: Callable[..., Bench]) -> None:
    tip = build("v1.0 v2.0", "1.5-1")
    for step in ("source", "sbuild", "lintian", "archive", "upload", "push"):
        tip.pretend(step)
    older = build("v1.0 v2.0", "1.5-1", commit="v1.0").run
    assert older.record("snapshot").facts["rises"] is False
    assert older.record("changelog").verdict == "passed"


@pytest.mark.parametrize(
    "text, newest",
    [
        ("", ""),
        ("nonsense", ""),
        (packaging_files()["debian/changelog"], "1.0-1"),
        (LAB_ENTRY, ""),
        (OLD_LAB_ENTRY, ""),
        (LAB_ENTRY * 3 + packaging_files(version="2:1.0-1")["debian/changelog"], "2:1.0-1"),
        ("a+b.c (1-1) x; urgency=low\n  * (9-9) x\n", "1-1"),
    ],
)
def test_newest_packaged_version(text: str, newest: str) -> None:
    assert packaged_version.newest(text) == newest


@pytest.mark.parametrize(
    "suites, released",
    [
        ("unstable", "2.0-1"),
        ("bookworm trixie", "2.0-1"),
        ("UNRELEASED", "1.0-1"),
        ("unreleased", "1.0-1"),
        ("UNRELEASED-noble", "2.0-1"),
        ("", "2.0-1"),
    ],
)
def test_newest_released_version(suites: str, released: str) -> None:
    """Only UNRELEASED means that nobody has it; another word may be a suite."""
    text = LAB_ENTRY + f"greet (2.0-1) {suites}; urgency=low\n\n  * x\n\n" + packaging_files()["debian/changelog"]
    assert packaged_version.newest_released(text) == released


@pytest.mark.integration
@pytest.mark.parametrize(
    "tags, remark",
    [
        ("v1.0", ""),
        ("", ""),
        ("php-8.2", "; 1 tag, not read as a version: set version.tag_pattern"),
        ("a-1 b-2 c-3", "; 3 tags, none read as a version: set version.tag_pattern"),
        ("a-1 v1.0", ""),
        # Other forms after the last one that is read: their releases may be missed.
        ("v1.0 r118", "; not read as versions: r118: set version.tag_pattern"),
        ("v1.0 r116 r117 r118 r119", "; not read as versions: r116, r117, r118 and 1 more: set version.tag_pattern"),
        ("v1.0 greet-r130", "; not read as versions: greet-r130: set version.tag_pattern"),
        ("v1.0 1.x1", "; not read as versions: 1.x1: set version.tag_pattern"),
        ("r116 v1.0", ""),
        # The numbers began anew: the highest version hides all later ones.
        ("V20000512 R_1_0", "; lower versions after V20000512: R_1_0: set version.tag_pattern"),
        ("2013.1 1.0 1.1", "; lower versions after 2013.1: 1.1: set version.tag_pattern"),
        ("greet-99 v2.0rc1 v2.0", "; lower versions after greet-99: v2.0: set version.tag_pattern"),
        ("v2.0 v1.9 v2.1", ""),
        ("v2.0 upstream/2.0", ""),
        ("v0.0.0", ""),  # below the first release: nothing is counted from it
        (
            "v1.0 latest nightly-2026-01-03 20260103 debian/1.0-1 frown/v1.2 frown@1.2 frown-1.2 1.0-eol v1.0-4-g87f1fcb",
            "",
        ),
    ],
)
def test_snapshot_message_counts_unread_tags(tags: str, remark: str, build: Callable[..., Any]) -> None:
    message = build(tags, "0.0.0-1").run.record("snapshot").message
    assert message.endswith(remark or message)
    assert bool(remark) == ("version.tag_pattern" in message)
