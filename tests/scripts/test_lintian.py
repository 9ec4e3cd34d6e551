"""lintian's tags, counted; and one run of the real one."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.run import output, run
from lab.base.text import first_of
from lab.results.lintian_tags import tags, with_policy
from lab.store.step import StepContext
from reports.formats.runs import cases_of
from scripts import lintian
from tests.packages import BINARY, binary, pretend_built

REPORT = """\
E: greet changes: bad-distribution-in-changes-file noble
W: greet: wrong-bug-number-in-closes #1 [usr/share/doc/greet/changelog.Debian.gz:1]
W: greet source: no-nmu-in-changelog [debian/changelog:1]
W: greet-udeb udeb: some-tag
I: greet: typo-in-manual-page W: E: [usr/share/man/man1/greet.1.gz:27]
P: greet source: no-dep5-copyright [debian/copyright]
N: 0 hints overridden; 1 unused override
warning: running with root privileges is not recommended!
"""


@pytest.mark.parametrize("root", [True, False])
def test_lintian_command(root):
    words = lintian.command([Path("a.changes"), Path("b.changes")], "ubuntu", root=root)
    assert ("--allow-root" in words) is root
    assert words[words.index("--profile") + 1] == "ubuntu"
    assert words[words.index("--suppress-tags") + 1] == ",".join(lintian.SUPPRESSED)
    assert words[-2:] == [Path("a.changes"), Path("b.changes")]


@pytest.fixture
def checked(lab_factory, bench, tmp_path, monkeypatch):
    """``checked(report, status, fail_on)``: the record that a lintian leaves which says so; None: the real one."""

    def do(report=None, status=0, fail_on=(), complaint="oops"):
        work = bench(lab_factory(component={"build": {"lintian_fail_on": list(fail_on)}}))
        pretend_built(work)
        if report is not None:
            fake = tmp_path / "bin/lintian"
            fake.parent.mkdir()
            (tmp_path / "report").write_text(report)
            fake.write_text(
                f'#!/bin/sh\necho "$@" > {tmp_path}/argv\necho x > "$TMPDIR/mldbm-left"\ncat {tmp_path}/report\necho "{complaint}" >&2\nexit {status}\n'
            )
            fake.chmod(0o755)
            monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        return work.execute(lintian), work

    return do


COUNTS = {"error": 1, "warning": 3, "info": 1, "pedantic": 1}


@pytest.mark.parametrize(
    "fail_on, verdict, code, message",
    [
        ([], "passed", 0, "1 error, 3 warning, 1 info, 1 pedantic"),
        (["error"], "unstable", 4, "error bad-distribution-in-changes-file"),
        (["warning"], "unstable", 4, "warning wrong-bug-number-in-closes, warning no-nmu-in-changelog, warning some-tag"),
        (["info"], "unstable", 4, "info typo-in-manual-page"),
    ],
)  # fmt: skip
def test_lintian_severities_decide_verdict(checked, tmp_path, fail_on, verdict, code, message):  # noqa: PLR0917
    record, work = checked(REPORT, 0, fail_on)
    assert (record.verdict, record.exit_code, record.message) == (verdict, code, message)
    checked = StepContext(work.lab, work.run, io.StringIO()).packages
    assert record.facts == {**COUNTS, "suppressed": list(lintian.SUPPRESSED), "packages": checked}
    assert [(item.path, item.format) for item in record.native] == [("results/native/lintian.txt", "lintian")]
    assert (work.run.path / "results/native/lintian.txt").read_text() == with_policy(REPORT, fail_on)
    cases = [case for case in cases_of(work.run) if case.suite == "lintian"]
    assert (len(cases), all(case.outcome in {"failed", "skipped"} for case in cases)) == (6, True)
    failed = [f"{case.message.partition(':')[0]} {case.name}" for case in cases if case.outcome == "failed"]
    assert first_of(failed) == (message if verdict == "unstable" else "")
    assert not [*work.run.work.rglob("mldbm-left")]
    argv = (tmp_path / "argv").read_text().strip()
    assert argv.endswith(" greet_1.0-1_source.changes greet_1.0-1_amd64.changes")
    assert REPORT in work.log("lintian")


def test_lintian_removes_what_a_killed_try_has_unpacked(checked, tmp_path):
    """A kill leaves the packages unpacked; the next try of the run must not leave them there."""
    _, work = checked(REPORT)
    left = work.run.work / "lintian/temp-lintian-pool/source/big"
    left.parent.mkdir(parents=True)
    left.write_text("x")
    (tmp_path / "bin/lintian").write_text(f'#!/bin/sh\nls -A "$TMPDIR" > {tmp_path}/seen\nexit 1\n')
    assert work.execute(lintian).verdict == "error"
    assert (tmp_path / "seen").read_text() == ""
    assert list(work.run.work.iterdir()) == []


@pytest.mark.parametrize("status", [1, 2, 25])
def test_lintian_crash_is_an_error(checked, status):
    record, work = checked("", status)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert f"lintian itself broke, with status {status}" in record.message
    assert "oops" in work.log("lintian")


@pytest.mark.parametrize(
    "complaint",
    [
        "warning: tainted binary package 'greet', skipping",
        "warning: cannot run binaries check on package binary:greet/1.0/amd64",
        "skipping check of binary:greet/1.0/amd64",
        "Skipping greet_1.0_amd64.deb: no control file",
    ],
)
def test_lintian_with_skipped_package_is_an_error(checked, complaint):
    record, _ = checked(REPORT, 0, complaint=complaint)
    assert (record.verdict, record.message) == ("error", f"lintian did not check everything: {complaint}")


@pytest.mark.integration
@pytest.mark.parametrize("state", ["state", "Zuständ e", "状態"])
def test_lintian_of_the_host(checked, tmp_path, monkeypatch, state):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / state))
    record, work = checked(fail_on=["error"])
    assert state in str(work.run.out)
    assert record.verdict == "unstable", work.log("lintian")
    assert record.message == "error no-changelog, error no-copyright-file"
    assert record.facts["warning"] > 1
    text = (work.run.path / "results/native/lintian.txt").read_text()
    assert not any(tag in text for tag in lintian.SUPPRESSED)
    assert "\x1b" not in text


SNAPSHOT = "1.0+git20260101.1.abcdef0-0qalab+deb12+1"


@pytest.fixture
def library(tmp_path):
    """A library with a symbol that this build has added, in a package with a long name."""
    root, path = tmp_path / "root", tmp_path / f"{'long-' * 9}greet1_{SNAPSHOT}_amd64.deb"
    control = BINARY.format(package="greet1", name="greet", version=SNAPSHOT)
    some = next(Path(word) for word in output(["ldd", "/bin/true"]).split() if "/libc.so" in word)
    place = root / "usr/lib/x86_64-linux-gnu" / some.name
    place.parent.mkdir(parents=True)
    place.write_bytes(some.read_bytes())
    symbols = f"{some.name} greet1 #MINVER#\n added@Base {SNAPSHOT}\n"
    binary(root, path, control.replace("Architecture: all", "Architecture: amd64"), "x", (("DEBIAN/symbols", symbols),))
    return path


@pytest.mark.integration
def test_lintian_does_not_name_what_the_lab_causes(library):
    words = lintian.command([library], "debian", root=environment.is_root())
    option = words.index("--suppress-tags")
    everything, shown = (
        {tag.name for tag in tags(run(argv, capture=True).stdout)}
        for argv in (words[:option] + words[option + 2 :], words)
    )
    caused = {"package-has-long-file-name", "symbols-file-contains-current-version-with-debian-revision"}
    assert caused <= everything
    assert shown == everything - caused
