"""The step content, against a real archive of the lab; how the distribution is asked is shown in tests/integration."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from typing import IO, Any

import pytest

from lab.config.description import Series
from lab.store.records import Record
from lab.store.step import StepContext
from scripts import archive, content
from scripts.archives.content_comparison import BuildContent
from scripts.archives.package_content import BinaryContent
from scripts.archives.reference_packages import Reference
from scripts.archives.withdrawal import Withdrawal, Withdrawals, register
from tests.conftest import Bench
from tests.packages import build, pretend_also_built, pretend_built

MANUAL = ("usr/share/man/man1/greet.1", "x\n")
UNKNOWN = "files of other packages are not looked for: the mirror of bookworm has no Contents indices"
Compare = Callable[..., tuple[Record, Bench]]


def owned(_name: str, _series: Series, paths: Collection[str], _log: IO[str]) -> dict[str, set[str]] | None:
    """What the distribution has: one program of coreutils; and no index of one."""
    return None if "usr/bin/unknown" in paths else {path: {"coreutils"} for path in paths if path == "usr/bin/ls"}


@pytest.fixture
def compare(lab_factory: Callable[..., Any], bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> Compare:
    """``compare({...}, {...}, ...)``: archive a build of the first options, and compare one of the second with it."""

    def do(
        before: dict[str, Any] | None, now: dict[str, Any], build: Any = None, **settings: Any
    ) -> tuple[Record, Bench]:
        monkeypatch.setattr(content, "distribution_build", lambda *_, **__: None)
        monkeypatch.setattr(content, "owners", owned)
        lab = lab_factory(component={"build": {"content": settings, **(build or {})}})
        if before is not None:
            earlier = bench(lab)
            pretend_built(earlier, "1.0-1", **before)
            assert earlier.execute(archive).verdict == "passed"
        work = bench(lab)
        pretend_built(work, "1.0-2", **now)
        return work.execute(content), work

    return do


GREET, LIBRARY = "usr/bin/greet", "usr/lib/libgreet.so.1"


def having(name: str, *files: str, version: str = "1") -> BinaryContent:
    return BinaryContent(name, version, dict.fromkeys(files, 1000), is_udeb=name.endswith("-udeb"))


@pytest.mark.parametrize(
    "before, now, expected",
    [
        ([having("greet", GREET)], [having("greet", GREET), having("greet-udeb", GREET)], []),
        (
            [having("greet", GREET, LIBRARY), having("greet-udeb", GREET)],
            [having("greet", LIBRARY), having("greet-udeb", GREET)],
            [f"program gone: {GREET}"],
        ),
        (
            [having("greet", GREET, LIBRARY), having("greet-udeb", GREET, LIBRARY)],
            [having("greet", GREET, LIBRARY), having("greet-udeb", LIBRARY)],
            [f"program gone: {GREET}"],
        ),
        ([having("greet", GREET), having("greet-udeb", GREET)], [having("greet", GREET)], ["package gone: greet-udeb (1 file)"]),
        (
            [having("greet-udeb", GREET, LIBRARY)],
            [having("greet-udeb", LIBRARY), having("more-udeb", GREET)],
            [f"moved without Replaces: more-udeb from greet-udeb ({GREET})"],
        ),
    ],
    ids=["a first udeb", "a program in the udeb alone", "a program of the udeb", "the udeb", "a file of a udeb moved"],
)  # fmt: skip
def test_udebs_are_compared_with_udebs(
    before: list[BinaryContent], now: list[BinaryContent], expected: list[str]
) -> None:
    """They have the files of other packages, and are never beside them."""
    assert [str(loss) for loss in content.lost(BuildContent.of(before), BuildContent.of(now))] == expected


@pytest.mark.integration
def test_content_without_losses_passes(compare: Compare) -> None:
    record, work = compare({}, {})
    assert (record.verdict, record.message) == ("passed", "nothing lost; compared with 1.0-1 of trunk")
    checked = StepContext(work.lab, work.run, io.StringIO()).packages
    references = {"reference": "1.0-1 of trunk", "distribution": ""}
    assert record.facts == references | {"losses": [], "accepted": [], "packages": checked}


@pytest.mark.integration
def test_cross_build_is_compared_with_its_architecture(
    lab_factory: Callable[..., Any], bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "distribution_build", lambda *_, **__: None)
    lab = lab_factory(lab={"series": {"bookworm": {"architectures": ["amd64", "arm64"]}}})
    program = ("usr/bin/greet-tool", "program\n")
    for version, losses in (
        ("1.0-1", []),
        ("1.0-2", ["package gone: greet-tool:arm64 (2 files)"]),
    ):
        work = bench(lab)
        pretend_built(work, version)
        for name in ("amd64", "arm64") if not losses else ("amd64",):
            pretend_also_built(work, name, version, (program,))
        work.pretend("sbuild", facts={"architectures": ["amd64", "arm64"]}, **built(work))
        record = work.execute(content)
        assert record.facts["losses"] == losses
        assert work.execute(archive).verdict == ("skipped" if losses else "passed")


def built(work: Bench) -> dict[str, Any]:
    record = work.run.record("sbuild")
    assert record is not None
    return {"version": record.version, "artifacts": record.artifacts}


def words(size: int) -> dict[str, Any]:
    return {"files": (("usr/share/greet/words", "w" * size),)}


def names(count: int) -> dict[str, Any]:
    return {"files": tuple((f"usr/share/greet/{number}", "x\n") for number in range(count))}


# The distribution's build; the lab's one after another; what the last one is said to have lost.
DECAYS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[str]]] = {
    "size": (words(20000), [words(16000), words(12500), words(9000)], ["size halved: greet"]),
    "files": (names(20), [names(16), names(12), names(9)], ["files halved: greet"]),
    "size of another package": (
        {"binaries": ("greet.deb", "greet-extra.deb"), **words(9000)},
        [{"binaries": ("greet.deb", "greet-extra.deb"), **words(size)} for size in (7000, 5500, 4000)],
        ["size halved: greet", "size halved: greet-extra"],
    ),
    "not half of it": (words(20000), [words(16000), words(12500), words(10500)], []),
    "lost by the last build": (words(20000), [words(9000), words(8500)], []),
    "lost in one build": (words(20000), [words(16000), words(7000)], ["size halved: greet"]),
    "package that the last build has not": ({"binaries": ("greet.deb", "greet-extra.deb")}, [{}, {}], []),
    "no package of the distribution": ({}, [words(16000), words(12500), words(9000)], []),
}


@pytest.mark.integration
@pytest.mark.parametrize("decay", DECAYS)
def test_content_losses_of_many_builds_add_up(
    decay: str, lab_factory: Callable[..., Any], bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged, builds, lost = DECAYS[decay]
    theirs = tuple(sorted(build("0.9-1", **packaged).glob("*.deb")))
    found = Reference("bookworm", "0.9-1", theirs) if packaged else None
    monkeypatch.setattr(content, "distribution_build", lambda *_, **__: found)
    monkeypatch.setattr(content, "owners", owned)
    lab = lab_factory()
    for number, options in enumerate(builds):
        work = bench(lab)
        pretend_built(work, f"1.0-{number}", **options)
        if number + 1 < len(builds):  # whatever the distribution has: a gate without content, say
            assert work.execute(archive).verdict == "passed"
    record = work.execute(content)
    assert [loss.partition(" (")[0] for loss in record.facts["losses"]] == lost
    assert record.verdict == ("unstable" if lost else "passed")
    assert len(set(record.facts["losses"])) == len(lost)


def test_content_of_first_build_passes(compare: Compare) -> None:
    record, _ = compare(None, {})
    assert (record.verdict, record.message) == ("passed", "no earlier build to compare with")


@pytest.mark.integration
@pytest.mark.parametrize(
    "settings, verdict, code, message",
    [
        ({}, "unstable", 4, "package gone: greet-extra (2 files), directory gone: usr/share/man/man1 (1 file)"),
        ({"verdict": "failed"}, "failed", 1, "package gone: greet-extra (2 files), directory gone"),
        ({"verdict": "off"}, "skipped", 0, "build.content.verdict is off"),
        ({"accept": ["package gone: *"]}, "unstable", 4, "directory gone: usr/share/man/man1 (1 file); compared with 1.0-1"),
        ({"accept": ["package gone: greet-*", "directory gone: usr/share/man*"]}, "passed", 0,
         "2 accepted, nothing else lost; compared with 1.0-1 of trunk"),
    ],
)  # fmt: skip
def test_content_losses_are_named(
    compare: Compare, settings: dict[str, Any], verdict: str, code: int, message: str
) -> None:
    before = {"binaries": ("greet.deb", "greet-extra.deb"), "files": (MANUAL,)}
    record, work = compare(before, {}, **settings)
    assert (record.verdict, record.exit_code) == (verdict, code)
    assert record.message.startswith(message)
    if verdict != "skipped":
        assert len(record.facts["losses"]) + len(record.facts["accepted"]) == 2
        assert "package gone: greet-extra (2 files)" in work.log("content")


@pytest.mark.parametrize(
    "accept, verdict, message",
    [
        ((), "unstable", "all builds withdrawn: greet (1.0-0, 1.0-1); no earlier build to compare with"),
        (["all builds withdrawn: greet"], "passed", "1 accepted, nothing else lost; no earlier build to compare with"),
    ],
)
def test_content_after_withdrawal_of_all_builds_is_unstable(
    compare: Compare, accept: list[str], verdict: str, message: str
) -> None:
    """Otherwise the gate admits a package after the withdrawal of its reference."""
    _, work = compare(None, {}, accept=accept)
    taken = {"restored": "", "withdrawn": "2026-01-01T00:00:00Z"}
    Withdrawals(
        withdrawals=[
            Withdrawal(track=track, component="greet", version=version, **taken)
            for track, version in (("trunk", "1.0-0"), ("trunk", "1.0-1"), ("other", "0.9-1"))
        ]
    ).write(register(work.lab))
    record = work.execute(content)
    assert (record.verdict, record.message) == (verdict, message)


@pytest.mark.integration
@pytest.mark.parametrize(
    "program, verdict, message",
    [
        ("ls", "unstable", "files of another package: coreutils (usr/bin/ls); compared with 1.0-1 of trunk"),
        ("new", "passed", "nothing lost; compared with 1.0-1 of trunk"),
        ("unknown", "passed", f"nothing lost; compared with 1.0-1 of trunk; {UNKNOWN}"),
    ],
)
def test_new_files_may_be_anothers(compare: Compare, program: str, verdict: str, message: str) -> None:
    record, _ = compare({}, {"files": ((f"usr/bin/{program}", "x\n"),)})
    assert (record.verdict, record.message) == (verdict, message)


@pytest.mark.integration
@pytest.mark.parametrize("build", [{"options": ["nodoc"]}, {"profiles": ["nodoc", "nocheck"]}])
def test_content_of_nodoc_build_accepts_lost_documentation(compare: Compare, build: dict[str, Any]) -> None:
    documents = {"binaries": ("greet.deb", "greet-doc.deb"), "files": (MANUAL,)}
    record, _ = compare(documents, {}, build)
    assert (record.verdict, record.facts["losses"]) == ("passed", [])
    record, _ = compare({"binaries": ("greet.deb", "greet-extra.deb"), "files": (MANUAL,)}, {}, build)
    assert (record.verdict, record.facts["losses"]) == ("unstable", ["package gone: greet-extra (1 file)"])


@pytest.mark.integration
def test_content_ignores_binaries_of_older_versions(compare: Compare) -> None:
    """The archive lists such binaries as long as it keeps their version."""
    record, work = compare({"binaries": ("greet.deb", "greet-extra.deb")}, {}, accept=["package gone: greet-extra"])
    assert work.execute(archive).verdict == "passed"
    pretend_built(work, "1.0-3")
    record = work.execute(content)
    assert (record.verdict, record.facts["reference"]) == ("passed", "1.0-2 of trunk")


@pytest.mark.integration
def test_content_of_empty_package_is_unstable(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check also applies without a reference."""
    monkeypatch.setattr("tests.packages.CONTENT", "usr/share/doc/greet/{name}")
    record, _ = compare(None, {"text": "Empty"})
    assert record.verdict == "unstable"
    assert record.message == (
        "empty package: greet (1 file, all documentation or metadata); no earlier build to compare with"
    )


@pytest.mark.integration
@pytest.mark.parametrize("damage", ["", "broken"])
def test_content_with_unreadable_reference_is_an_error(compare: Compare, damage: str) -> None:
    _, work = compare({}, {})
    path = next(work.run.path.parents[3].glob("archive/pool/main/g/greet/greet_1.0-1_all.deb"))
    if damage:
        path.write_text(damage)
    else:
        path.unlink()
    record = work.execute(content)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert "greet_1.0-1_all.deb" in record.message


@pytest.mark.integration
def test_content_with_unreachable_mirror_is_an_error(
    lab_factory: Callable[..., Any], bench: Callable[..., Bench]
) -> None:
    lab = lab_factory(lab={"series": {"bookworm": {"mirror": "http://127.0.0.1:9/debian"}}})
    work = bench(lab)
    pretend_built(work, "1.0-1")
    record = work.execute(content)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert "series bookworm: greet cannot be had" in record.message


def test_content_is_skipped_after_skipped_build(compare: Compare) -> None:
    _, work = compare(None, {})
    work.pretend("sbuild").model_copy(update={"verdict": "skipped"}).write(work.run.record_path("sbuild"))
    assert work.execute(content).verdict == "skipped"
