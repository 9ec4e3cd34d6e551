"""A changelog entry of the lab's in real packages, judged by lintian."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base import files
from lab.base.git import GitMirror
from lab.base.run import output, run
from lab.store.records import Artifact
from scripts import changelog, packaging, source
from tests.conftest import QUILT, Bench, GitRepository, packaging_files

pytestmark = pytest.mark.integration
VERSION = "1.0+git20260103.2.abc1234"
SUBJECTS: tuple[str | bytes, ...] = (
    "Say hello\nChange-Id: I0123\nSigned-off-by: Ada <ada@upstream.example>",
    "Fix the output (Closes: #1)",
    "Closes #1234567 and closes: bug#12abc, LP: #1",
    "Close: #12",
    "* -- Ada Author <ada@upstream.example>  Thu, 01 Jan 2026 00:00:00 +0000",
    "greet (9.9-1) unstable; urgency=high",
    "See https://upstream.example/" + "x" * 120 + " for more on this",
    "Gr\xfc\xdf Gott\x1b[31m".encode("latin-1"),
    "世界" * 30,
    'Revert "Say hello"',
    "Local variables: mode: debian-changelog",
    "\u200b",
)


def test_changelog_entry_has_no_lintian_tag(
    lab_factory: Callable[..., Any],
    bench: Callable[..., Bench],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
) -> None:
    upstream, packaged = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Release", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    for subject in SUBJECTS:
        upstream.commit(subject, author="Zoë Author <zoe@upstream.example>")
    packaged.commit("Package it", packaging_files())
    made = bench(lab_factory(upstream=upstream.path, packaging=packaged.path))
    with (tmp_path / "log").open("w") as log:
        GitMirror.of(str(upstream.path)).fetch(log)
    orig = made.run.out / f"greet_{VERSION}.orig.tar.xz"
    upstream.git("archive", f"--prefix=greet-{VERSION}/", f"--output={orig.with_suffix('')}", "HEAD")
    run(["xz", orig.with_suffix("")])
    made.pretend(
        "snapshot",
        commit=upstream.heads[-1],
        version=VERSION,
        facts={"committed": upstream.when, "source_package": QUILT},
        artifacts=[Artifact(path=f"out/{orig.name}", sha256=files.sha256(orig), size=orig.stat().st_size, kind="orig")],
    )
    for module in (packaging, changelog, source):
        record = made.execute(module)
        assert record.verdict == "passed", record.message
    assert made.run.record("changelog").facts["commits"] == len(SUBJECTS)

    tree = made.run.work / "source" / f"greet-{VERSION}"
    fields = output(["dpkg-parsechangelog", "--all"], cwd=tree)
    assert f"Version: {record.version}\n" in fields
    assert "Closes:" not in [line.split(" ")[0] for line in fields.splitlines()]
    with (tmp_path / "build.log").open("w") as log:
        run(["dpkg-buildpackage", "--build=full", "--no-sign", "-d", "-sa"], cwd=tree, log=log)
    checked = run(
        ["lintian", "--allow-root", "--fail-on=none", "--tag-display-limit=0", *tree.parent.glob("*_amd64.changes")],
        capture=True,
    ).stdout
    assert checked.count("\n") > 3, "lintian looked at nothing"
    tags = re.findall(r"^[EW]: [^:]+: (\S+)", checked, re.MULTILINE)
    assert [tag for tag in tags if re.search("changelog|nmu|date|closes|version", tag)] == []
