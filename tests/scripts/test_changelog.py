"""Changelog entries: the upstream commits that they name, and their version."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from debian.changelog import Changelog

from lab.base import debian
from lab.base.git import GitMirror, files_at, git
from lab.base.run import output
from lab.store.records import Record
from lab.store.runs import Store
from reports.sources import local
from scripts import changelog, packaging
from scripts.changelog import UpstreamCommit
from scripts.upstream import source_shape
from tests.archives import note_version
from tests.conftest import EPOCH, Bench, GitRepository, packaging_files

UPSTREAM_VERSION = "2.10+git20260103.2.abc1234"
FULL = "0123456789abcdef0123456789abcdef01234567"


def commit(subject: str = "Change it", *, author: str = "Ada", email: str = "ada@upstream.example") -> UpstreamCommit:
    return UpstreamCommit(FULL, author, email, subject)


@pytest.mark.parametrize(
    "message, subject",
    [
        ("Say hello\n", "Say hello"),
        ("Say hello\n\nAnd more.\n", "Say hello"),
        ("\n\nSay hello", "Say hello"),
        ("Say\nhello\n\nmore", "Say hello"),
        ("Say hello\r\n\r\nmore\r\n", "Say hello"),
        ("Say hello\nChange-Id: I0123\nSigned-off-by: Ada <a@b>\n", "Say hello"),
        ("Say hello\nCo-Authored-By: Bea <b@b>\n(cherry picked from commit 0123)", "Say hello"),
        ("Build-Depends: add make\n", "Build-Depends: add make"),
        ('Revert "Say hello"\n\nThis reverts commit 01.', 'Revert "Say hello"'),
        ("  * Say  hello\t", "* Say hello"),
        ("-- Ada <a@b>  Thu, 01 Jan 2026 00:00:00 +0000", "-- Ada <a@b> Thu, 01 Jan 2026 00:00:00 +0000"),
        ("Say \x1b[31mred\x07\x00\x85\u2028\u202e", "Say [31mred"),
        ("Gr\udcfc\udcdf Gott", "Grüß Gott"),  # Latin-1, as lab.run hands it on
        ("\udc93quoted\udc94 \udc81", "“quoted” \ufffd"),  # Windows-1252, and bytes that are undefined in it
        ("", "(no subject)"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_subject_of_commit_message(message: str, subject: str) -> None:
    assert changelog.subject_of(message) == subject


HARMLESS = {
    "Say it (Closes: #1)": "Say it (Closes upstream #1)",
    "Closes: 12, 34": "Closes upstream 12, 34",
    "closes:bug#123456, #2": "closes upstream bug#123456, #2",
    "Closes: #12abc": "Closes upstream #12abc",
    "Close: #12": "Close upstream #12",
    "Closes #1234567 at last": "Closes upstream #1234567 at last",
    "closes; 1234567.": "closes upstream 1234567.",
    "LP: #1234567": "LP #1234567",
    "Fix it, lp: #12, #13": "Fix it, lp #12, #13",
    "Closes-Bug: #1234567": "Closes-Bug: #1234567",
    "It closes 3 files": "It closes 3 files",
    "Help: do not close: wait": "Help: do not close: wait",
}


@pytest.mark.parametrize("text", HARMLESS)
def test_bug_closers_are_escaped(text: str) -> None:
    assert changelog.escape_bug_closers(text) == HARMLESS[text]


def test_entry_closes_no_upstream_bug(tmp_path: Path) -> None:
    """Check with dpkg-parsechangelog (deb-changelog(5)) and python-debian."""
    entry = debian.entry_above(
        debian.newest_entry(packaging_files()["debian/changelog"]), "1.0-2", "bookworm",
        bullets=map(changelog.escape_bug_closers, HARMLESS), maintainer="Lab <lab@lab.example>", date=EPOCH,
    )  # fmt: skip
    block = Changelog(entry)[0]
    assert block.bugs_closed == block.lp_bugs_closed == []
    (tmp_path / "changelog").write_text(entry)
    fields = output(["dpkg-parsechangelog", "--file", tmp_path / "changelog"])
    assert "\nChanges:" in fields
    assert "\nCloses:" not in fields
    assert "\nLaunchpad-Bugs-Fixed:" not in fields


@pytest.mark.parametrize(
    "count, last",
    [
        (0, None),
        (1, "0123456 Change it [Ada]"),
        (50, "0123456 Change it [Ada]"),
        (51, "... and 1 more commit."),
        (87, "... and 37 more commits."),
    ],
)
def test_bullets_are_capped(count: int, last: str | None) -> None:
    bullets = list(changelog.commit_bullets([commit()] * count, "Lab <lab@lab.example>"))
    assert len(bullets) == min(count, 51)
    assert bullets[-1:] == ([last] if last else [])


def test_bullets_omit_lab_maintainer() -> None:
    own = commit(author="Lab", email="lab@lab.example")
    nameless = commit(author="", email="bea@upstream.example")
    named = list(changelog.commit_bullets([own, nameless], "Lab <lab@lab.example>"))
    assert named == ["0123456 Change it", "0123456 Change it [bea@upstream.example]"]


@pytest.mark.parametrize(
    "text, lines",
    [
        ("abc1234 Say hello", ["  * abc1234 Say hello"]),
        (
            "89abcde Fix the spelling of a very long subject that is wrapped to the field's habit [Bea Buthor]",
            [
                "  * 89abcde Fix the spelling of a very long subject that is wrapped to the",
                "    field's habit [Bea Buthor]",
            ],
        ),
        ("See " + "https://" + "x" * 90 + " now", ["  * See", "    https://" + "x" * 90, "    now"]),
        ("a " + "well-known " * 8, ["  * a" + " well-known" * 6, "    well-known well-known"]),
    ],
)
def test_bullets_are_wrapped_at_80_columns(text: str, lines: list[str]) -> None:
    assert debian.bullet(text) == lines
    assert all(len(line) < 80 for line in lines if " " in line.strip())


@pytest.mark.parametrize(
    "below, date",
    [
        ("Wed, 31 Dec 2025 23:59:59 +0000", "Thu, 01 Jan 2026 00:00:00 +0000"),
        ("Thu, 01 Jan 2026 00:00:00 +0000", "Thu, 01 Jan 2026 00:00:01 +0000"),
        ("Thu, 01 Jan 2026 05:00:00 +0200", "Thu, 01 Jan 2026 03:00:01 +0000"),
    ],
)
def test_entry_date_is_later_than_previous_one(below: str, date: str) -> None:
    old = packaging_files()["debian/changelog"].replace("Thu, 01 Jan 2026 00:00:00 +0000", below)
    entry = debian.entry_above(
        debian.newest_entry(old), "1.0-2", "bookworm", bullets=["x"], maintainer="Lab <lab@lab.example>", date=EPOCH
    )
    assert entry == (f"greet (1.0-2) bookworm; urgency=medium\n\n  * x\n\n -- Lab <lab@lab.example>  {date}\n\n")


def test_entry_without_trailer_has_no_date() -> None:
    entry = debian.newest_entry("greet (1:1.0-2) UNRELEASED; urgency=medium\n\n  * x\n\n --\n")
    assert entry == debian.ChangelogEntry("greet", "1:1.0-2", "1", "1.0", 0)


def test_bullet_is_added_to_newest_entry() -> None:
    old = packaging_files()["debian/changelog"]
    both = old.replace("1.0-1", "1.0-2") + "\n" + old
    more = debian.add_bullet(both, "Drop fix.patch: merged upstream.")
    assert more == both.replace("release.\n", "release.\n  * Drop fix.patch: merged upstream.\n", 1)


class Bed:
    """An upstream and a packaging repository, and runs of the step on them."""

    def __init__(self, lab_factory: Any, bench: Any, git_repository: Any, tmp_path: Path) -> None:
        self.upstream: GitRepository = git_repository("upstream")
        self.packaging: GitRepository = git_repository("packaging")
        self.packaging.commit("Package it", packaging_files())
        self.lab = lab_factory(upstream=self.upstream.path, packaging=self.packaging.path)
        self.bench = bench
        self.archive = Store.of(self.lab).archive
        self.log = tmp_path / "mirror.log"

    def prepare(self, commit: str = "HEAD", version: str = UPSTREAM_VERSION) -> Bench:
        """Return a run after the steps snapshot and packaging."""
        with self.log.open("w") as log:
            GitMirror.of(str(self.upstream.path)).fetch(log)
        made: Bench = self.bench(self.lab)
        full = self.upstream.git("rev-parse", commit)
        made.pretend(
            "snapshot",
            commit=full,
            version=version,
            facts={"committed": self.upstream.when, "source_package": self.shape()},
        )
        assert made.execute(packaging).verdict == "passed"
        return made

    def shape(self) -> dict[str, object]:
        """Return the fact ``source_package`` of a snapshot for the packaging."""
        return source_shape.read(files_at(self.packaging.path, "HEAD", source_shape.FILES)).model_dump()

    def run(self, commit: str = "HEAD", version: str = UPSTREAM_VERSION) -> tuple[Record, Bench]:
        made = self.prepare(commit, version)
        record = made.execute(changelog)
        assert record.verdict == "passed", record.message
        return record, made

    def archived(self, commit: str = "HEAD", version: str = UPSTREAM_VERSION) -> Record:
        """Return the changelog record of a run that reached the archive."""
        record, made = self.run(commit, version)
        made.pretend("archive", version=record.version)
        return record


@pytest.fixture
def bed(lab_factory: Any, bench: Any, git_repository: Any, tmp_path: Path) -> Bed:
    return Bed(lab_factory, bench, git_repository, tmp_path)


def bullets(record: Record) -> list[str]:
    """Return the items of an entry after the first two, unwrapped."""
    entry = record.facts["entry"].split("\n\n")[1]
    items = [" ".join(item.split()) for item in re.split(r"^  \* ", entry, flags=re.MULTILINE)[1:]]
    assert items[0] == "Local package of the lab testlab."
    assert items[1] == f"New upstream snapshot: commit {record.commit}."
    return items[2:]


@pytest.mark.integration
def test_first_run_entry(bed: Bed) -> None:
    first = bed.upstream.commit("Begin")
    record, made = bed.run()
    assert record.version == f"{UPSTREAM_VERSION}-0qalab+deb12+1"
    assert record.message == f"{record.version}; commits named: 0"
    assert record.facts["entry"] == (
        f"greet ({record.version}) bookworm; urgency=medium\n\n"
        "  * Local package of the lab testlab.\n"
        f"  * New upstream snapshot: commit {first}.\n\n"
        " -- Test Lab <lab@lab.example>  Fri, 02 Jan 2026 00:00:00 +0000\n\n"
    )
    assert (record.facts["since"], record.facts["commits"]) == ("", 0)
    tree = made.run.work / "packaging"
    text = (tree / "debian/changelog").read_text()
    assert text == record.facts["entry"] + packaging_files()["debian/changelog"]
    made_by = git(["log", "-1", "--format=%H %an <%ae> %ct %s"], cwd=tree)
    assert made_by == (
        f"{record.facts['head']} Test Lab <lab@lab.example> {bed.upstream.when} Update the changelog for {record.version}"
    )
    assert git(["status", "--porcelain"], cwd=tree) == ""
    assert output(["dpkg-parsechangelog", "--show-field", "Version"], cwd=tree) == record.version


@pytest.mark.integration
def test_bullets_name_commits_since_last_archived_run(bed: Bed) -> None:
    one = bed.upstream.commit("One")
    bed.archived()
    two = bed.upstream.commit("Two\n\nChange-Id: I0", author="Bea Buthor <bea@upstream.example>")
    bed.upstream.git("checkout", "--quiet", "-b", "side")
    side = bed.upstream.commit("Côté".encode("latin-1"), encoding="ISO-8859-1")
    raw = bed.upstream.commit("Gr\xfc\xdf Gott\x1b".encode("latin-1"), author="Test Lab <lab@lab.example>")
    bed.upstream.git("checkout", "--quiet", "main")
    bed.upstream.commit("fixup! Two")
    revert = bed.upstream.commit('Revert "Two"\n\nThis reverts it. Closes: #1')
    env = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", "M"), ("EMAIL", "m@m"), ("DATE", f"{bed.upstream.when + 60} +0000"))}  # fmt: skip
    bed.upstream.git("merge", "--quiet", "--no-ff", "-m", "Merge side", "side", env=env)
    bed.run()  # one that did not get so far
    record, _ = bed.run(version="2.10+git20260108.6.def5678")
    assert bullets(record) == [
        f'{revert[:7]} Revert "Two" [Ada Author]',
        f"{raw[:7]} Grüß Gott",
        f"{side[:7]} Côté [Ada Author]",
        f"{two[:7]} Two [Bea Buthor]",
    ]
    assert (record.facts["since"], record.facts["commits"]) == (one, 4)
    assert [commit["id"] for commit in record.facts["named"]] == [revert, raw, side, two]
    assert record.facts["named"][3] == {"id": two, "subject": "Two", "author": "Bea Buthor <bea@upstream.example>"}


@pytest.mark.integration
def test_repeated_step_gives_same_entry(bed: Bed) -> None:
    bed.upstream.commit("Begin")
    record, made = bed.run()
    (made.run.work / "packaging/.git/index.lock").touch()  # as a killed git leaves it
    again = made.execute(changelog)
    assert again.facts == record.facts
    made.pretend("archive", version=record.version)
    assert made.execute(changelog).version == record.version


@pytest.mark.integration
def test_rebuild_of_same_commit(bed: Bed) -> None:
    bed.upstream.commit("Begin")
    bed.archived()
    record, made = bed.run()
    assert bullets(record) == ["No upstream change; rebuilt."]
    assert record.version == f"{UPSTREAM_VERSION}-0qalab+deb12+2"
    made.pretend("source", version=record.version)
    later, _ = bed.run()
    assert later.version == record.version  # the previous version reached no archive
    note_version(bed.archive, "greet", f"{UPSTREAM_VERSION}-0qalab+deb12+6")
    assert made.execute(changelog).version == record.version  # its own
    assert bed.run()[0].version == f"{UPSTREAM_VERSION}-0qalab+deb12+7"


@pytest.mark.integration
def test_pushed_changelog_takes_precedence_over_store(bed: Bed) -> None:
    one = bed.upstream.commit("One")
    bed.archived()
    two = bed.upstream.commit("Two")
    _, pushed = bed.run()
    text = (pushed.run.work / "packaging/debian/changelog").read_text()
    bed.packaging.commit("Pushed back", {"debian/changelog": text})
    three = bed.upstream.commit("Three")
    record, _ = bed.run()
    assert bullets(record) == [f"{three[:7]} Three [Ada Author]"]
    assert record.facts["since"] == two != one


@pytest.mark.integration
def test_first_run_lists_commits_since_packaged_tag(bed: Bed) -> None:
    """The first run starts at the packaged release; a newer release takes precedence over an earlier run."""
    released = bed.upstream.commit("Release 1.0")
    bed.upstream.tag("v1.0")
    two = bed.upstream.commit("Two")
    record = bed.archived()
    assert bullets(record) == [f"{two[:7]} Two [Ada Author]"]
    assert record.facts["since"] == released
    again = bed.upstream.commit("Release 1.1")
    bed.upstream.tag("v1.1")
    three = bed.upstream.commit("Three")
    newer = packaging_files(version="1.1-1")["debian/changelog"]
    bed.packaging.commit("New upstream release", {"debian/changelog": newer})
    record, _ = bed.run()
    assert bullets(record) == [f"{three[:7]} Three [Ada Author]"]
    assert record.facts["since"] == again


@pytest.mark.integration
@pytest.mark.parametrize(
    "version, tag",
    [
        ("2.10", "2.10"),
        ("2.10", "v2.10"),
        ("2.10", "greet-2.10"),
        ("2.10", "greet_2.10"),
        ("2.10", "release-2.10"),
        ("2.10", "upstream/2.10"),
        ("2.10", "n2.10"),
        ("2.10+dfsg1", "v2.10"),
        ("2.10+dfsg1", "upstream/2.10+dfsg1"),
        ("1.2.13.dfsg", "v1.2.13"),
        ("2.10~rc1", "2.10rc1"),
        ("2.10~rc1", "v2.10-rc1"),
        ("2.10~rc1", "upstream/2.10_rc1"),
        ("7.3.5+~7.3.9", "v7.3.5"),
        ("7.3.5+dfsg+~cs7.3.9", "v7.3.5"),
        ("1.0.6~git20210604-{}", None),
        ("0.0~git20260101.{}", None),
        ("0.0~git20260101.0.{}", None),
        ("1.2+20210604+git{}", None),
        ("1.2+g{}+dfsg1", None),
        ("1.2~{}", None),
    ],
)
def test_first_entry_names_commits_since_distribution_version(bed: Bed, version: str, tag: str | None) -> None:
    bed.upstream.commit("Begin")
    released = bed.upstream.commit("Release it")
    while released[:9].isdecimal():
        released = bed.upstream.commit("Release it")
    bed.upstream.tag(tag or "unread")
    new = bed.upstream.commit("Two")
    entry = packaging_files(version=f"{version.format(released[:9])}-1")["debian/changelog"]
    bed.packaging.commit("Package it", {"debian/changelog": entry})
    record, _ = bed.run(version="9.0+git20260103.2.abc1234")
    assert (record.facts["since"], bullets(record)) == (released, [f"{new[:7]} Two [Ada Author]"])


@pytest.mark.integration
@pytest.mark.parametrize("version", ["2.11", "20210604", "1.0+git20260101.0123456", "1.0~deadbeef", "1.0+dfsg1.2"])
def test_first_entry_of_unknown_version_names_no_commit(bed: Bed, version: str) -> None:
    bed.upstream.commit("Begin")
    bed.upstream.tag("v2.10")
    bed.upstream.commit("Two")
    bed.packaging.commit("Package it", packaging_files(version=f"{version}-1"))
    record, _ = bed.run(version="20990101+git20260103.2.abc1234")
    assert (record.facts["since"], bullets(record)) == ("", [])


@pytest.mark.integration
def test_older_commit_does_not_count_as_packaged(bed: Bed) -> None:
    bed.upstream.commit("Base")
    packaged = bed.upstream.commit("Packaged")
    bed.archived()
    older, made = bed.run("HEAD~1")
    made.pretend("archive", version=older.version)
    skipped = made.run.record("archive").model_copy(update={"verdict": "skipped"})
    skipped.write(made.run.record_path("archive"))
    new = bed.upstream.commit("New")
    record, _ = bed.run()
    assert (record.facts["since"], bullets(record)) == (packaged, [f"{new[:7]} New [Ada Author]"])


@pytest.mark.integration
def test_tag_on_other_branch_is_not_rewritten_history(bed: Bed) -> None:
    base = bed.upstream.commit("Base")
    bed.upstream.git("checkout", "--quiet", "-b", "stable")
    bed.upstream.commit("Release 1.0")
    bed.upstream.tag("1.0")
    bed.upstream.git("checkout", "--quiet", "main")
    new = bed.upstream.commit("New")
    record, _ = bed.run()
    assert bullets(record) == [f"{new[:7]} New [Ada Author]"]
    assert base not in record.facts["entry"]


@pytest.mark.integration
def test_older_commit_and_rewritten_history(bed: Bed) -> None:
    base = bed.upstream.commit("Base")
    lost = bed.upstream.commit("Lost")
    bed.archived()
    older, _ = bed.run(base)
    assert bullets(older) == [f"An older upstream commit than {lost[:7]}, which was packaged last."]

    bed.upstream.git("reset", "--quiet", "--hard", base)
    new = bed.upstream.commit("New")
    rewritten, _ = bed.run()
    assert bullets(rewritten) == [
        f"The upstream history was rewritten after {base[:7]}; {lost[:7]}, packaged last, is not in it.",
        f"{new[:7]} New [Ada Author]",
    ]

    bed.upstream.git("checkout", "--quiet", "--orphan", "again")
    bed.upstream.commit("Begin again")
    replaced, _ = bed.run()
    assert bullets(replaced) == [f"The upstream history was replaced; {lost[:7]}, packaged last, is not in it."]


@pytest.mark.integration
def test_bullet_for_merges_only(bed: Bed) -> None:
    base = bed.upstream.commit("Base")
    bed.archived()
    bed.upstream.commit("fixup! Base")
    record, _ = bed.run()
    assert bullets(record) == [f"Nothing but merges since {base[:7]}."]
    assert (record.facts["named"], record.facts["unnamed"]) == ([], 1)


@pytest.mark.integration
def test_commits_that_are_not_named_are_counted(bed: Bed) -> None:
    """Else a report takes the named ones for all that can have broken something."""
    bed.upstream.commit("Base")
    bed.archived()
    for number in range(changelog.CAP + 3):
        bed.upstream.commit("fixup! Change 1" if number == 2 else f"Change {number}")
    record, _ = bed.run()
    assert (len(record.facts["named"]), record.facts["unnamed"]) == (changelog.CAP, 3)


def merge(upstream: GitRepository, *options: str, **files: str) -> str:
    """Merge the branch side into main, with changes of the merge's own in some files."""
    env = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", "M"), ("EMAIL", "m@m"), ("DATE", f"{upstream.when + 60} +0000"))}  # fmt: skip
    upstream.git("checkout", "--quiet", "main")
    upstream.git("merge", "--quiet", "--no-ff", "--no-commit", *options, "side", env=env)
    for name, text in files.items():
        (upstream.path / name).write_text(text)
    upstream.git("add", "--all")
    upstream.git("commit", "--quiet", "--message", "Merge side", env=env)
    return upstream.git("rev-parse", "HEAD")


@pytest.mark.integration
@pytest.mark.parametrize(
    "on_main, options, own, is_suspect",
    [
        (True, (), {}, True),  # the two sides together can break what neither breaks
        (False, (), {}, False),  # the merge is the tip of the side
        (False, (), {"evil": "not on the side"}, True),
        (True, ("--strategy=ours",), {}, True),
        (True, ("--strategy-option=theirs",), {"main": "gone"}, True),
        (False, ("--strategy=ours",), {}, True),  # it takes the side back, which a build of the side had
    ],
)
def test_merge_that_can_break_something_is_a_suspect(
    bed: Bed,
    on_main: bool,  # noqa: FBT001
    options: tuple[str, ...],
    own: dict[str, str],
    is_suspect: bool,  # noqa: FBT001
) -> None:
    bed.upstream.commit("Base", {"base": "base"})
    bed.archived()
    bed.upstream.git("checkout", "--quiet", "-b", "side")
    side = bed.upstream.commit("On the side", {"side": "side"})
    bed.upstream.git("checkout", "--quiet", "main")
    other = [bed.upstream.commit("On main", {"main": "main"})] if on_main else []
    merged = merge(bed.upstream, *options, **own)
    record, made = bed.run()
    assert {one["id"] for one in record.facts["named"]} == {side, *other}
    suspects = [{"id": merged, "subject": "Merge side", "author": "M <m@m>"}]
    assert (record.facts["merges"], record.facts["unnamed"]) == (suspects if is_suspect else [], 0)
    build, _ = local.build(made.run, bed.lab)
    assert {one.id for one in build.commits} == {side, *other, *[merged] * is_suspect}
    assert "Merge side" not in record.facts["entry"]


@pytest.mark.integration
def test_merges_beyond_those_that_are_looked_at_are_counted(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "CAP", 1)
    bed.upstream.commit("Base")
    bed.archived()
    for number in range(2):
        bed.upstream.git("checkout", "--quiet", "-B", "side")
        bed.upstream.commit(f"Side {number}", {f"side{number}": ""})
        bed.upstream.git("checkout", "--quiet", "main")
        bed.upstream.commit(f"Main {number}", {f"main{number}": ""})
        merge(bed.upstream)
    record, _ = bed.run()
    assert [len(record.facts[fact]) for fact in ("named", "merges")] == [1, 1]
    assert record.facts["unnamed"] == 3 + 1


@pytest.mark.integration
def test_pushed_commit_missing_upstream(bed: Bed) -> None:
    bed.upstream.commit("Base")
    text = packaging_files()["debian/changelog"].replace("Initial release", f"New upstream snapshot: commit {FULL}")
    bed.packaging.commit("Pushed back", {"debian/changelog": text})
    record, _ = bed.run()
    assert bullets(record) == ["The upstream history was replaced; 0123456, packaged last, is not in it."]


@pytest.mark.integration
def test_entry_keeps_epoch(bed: Bed) -> None:
    bed.upstream.commit("Base")
    bed.packaging.commit("Epoch", {"debian/changelog": packaging_files(version="2:1.0-1")["debian/changelog"]})
    assert bed.run()[0].version == f"2:{UPSTREAM_VERSION}-0qalab+deb12+1"


def test_version_below_pushed_one_is_reported(bed: Bed) -> None:
    bed.upstream.commit("Base")
    pushed = packaging_files(version="2.11+git20260109.9.0123456-0qalab+deb13+1")["debian/changelog"]
    bed.packaging.commit("Pushed back", {"debian/changelog": pushed})
    assert bed.run()[0].message.endswith("; not above the changelog's 2.11+git20260109.9.0123456-0qalab+deb13+1")


def test_older_entries_keep_their_bytes(bed: Bed) -> None:
    bed.upstream.commit("Base")
    old = packaging_files()[
        "debian/changelog"
    ].encode() + "\ngreet (0.9-1) old; urgency=low\n\n\t* Gr\xfc\xdfe\x0c\n\n".encode("latin-1")
    bed.packaging.commit("Old", {"debian/changelog": old})
    record, made = bed.run()
    assert (made.run.work / "packaging/debian/changelog").read_bytes() == record.facts["entry"].encode() + old


@pytest.mark.integration
@pytest.mark.parametrize(
    "content, message",
    [
        (None, "debian/changelog: is not there; the packaging branch needs one"),
        ("", "debian/changelog: Found eof where expected first heading"),
        ("nonsense\n", "debian/changelog: Unexpected line while looking for first heading: nonsense"),
        (packaging_files("hello")["debian/changelog"], "debian/changelog: is of the source package hello, not greet"),
    ],
)
def test_invalid_changelog_fails(bed: Bed, content: str | None, message: str) -> None:
    bed.upstream.commit("Base")
    bed.packaging.commit("Break it", {"debian/changelog": content})
    record = bed.prepare().execute(changelog)
    assert (record.exit_code, record.message) == (1, message)


@pytest.mark.integration
def test_lost_upstream_mirror_is_fetched_again(bed: Bed) -> None:
    bed.upstream.commit("Base")
    made = bed.prepare()
    mirror = GitMirror.of(str(bed.upstream.path))
    mirror.path.rename(mirror.path.with_name("gone"))
    assert made.execute(changelog).verdict == "passed"
