"""A lab with 60 upstream commits, whose probes are a fast program that looks at what it would build."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from lab.base.git import GitMirror
from lab.base.run import Word
from lab.config.description import PHASES, Lab, Phase
from lab.store.bisections import Bisection, Sought
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import first_bad
from scripts.archives import lab_archive
from scripts.bisection import opening
from scripts.bisection.bisector import Bisector, Judged, Stop, never
from scripts.bisection.opening import BisectionRequest
from tests.archives import deb, put
from tests.conftest import EPOCH, Bench, packaging_files

PROGRAM = Path(__file__).parent / "fake_probe.py"
COMMITS = 60
INSTALLED = {"libc6": "2.36", "make": "4.3"}
CASE = Sought(phase="build", kind="test", name="s/c/greets")


def history(path: Path, texts: Sequence[Mapping[str, str]]) -> list[str]:
    """Make a repository with a commit for each mapping of files; return the ids, oldest first."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", "--template=", path], check=True)
    lines: list[str] = []
    for number, files in enumerate(texts):
        when = f"{EPOCH + number} +0000"
        lines += ["commit refs/heads/main", f"mark :{number + 1}"]
        lines += [f"author Author {number} <author{number}@upstream.example> {when}"]
        lines += [f"committer C <c@x> {when}", f"data <<E\nCommit {number}\nE"]
        for name, text in files.items():
            mode = "100755" if name.endswith("rules") else "100644"
            lines += [f"M {mode} inline {name}", f"data {len(text.encode())}\n{text}"]
    marks = path.parent / f"{path.name}.marks"
    subprocess.run(
        ["git", "fast-import", "--quiet", f"--export-marks={marks}"],
        cwd=path, input="\n".join(lines).encode() + b"\n", check=True,
    )  # fmt: skip
    found = dict(line.split() for line in marks.read_text().splitlines())
    return [found[f":{number + 1}"] for number in range(len(texts))]


@dataclass
class BisectionBed:
    """The lab, its commits, and what is to fail; ``built`` has a line for each probe."""

    lab: Lab
    home: Path
    commits: list[str]
    packagings: list[str]
    log: IO[str]
    settings: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def expect(self, *, fails: str = "", skips: str = "", phase: Phase = "build", **more: object) -> None:
        """Say which words in the content of a point make it fail, or unbuildable."""
        self.settings |= {
            "upstream": str(self.home / "upstream"), "phase": phase, "fails": fails.split(), "skips": skips.split(),
            "step": False, "rate": 0.0, "seed": 0, "seconds": 0.0, "log": str(self.home / "built"), "installed": INSTALLED,
            "steps": PHASES[phase], **more,
        }  # fmt: skip
        (self.home / "settings.json").write_text(json.dumps(self.settings))

    @property
    def built(self) -> list[str]:
        """What each probe has seen, the first one first."""
        path = self.home / "built"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, commit: str, packaging: str, state: str = "", **installed: str) -> Run:
        """Return a build of the lab, as an end of the range."""
        run = Store.of(self.lab).new_run(self.lab, "trunk", "greet", commit)
        run.write_info(run.info.model_copy(update={"commit": commit, "archive": state}))
        bench = Bench(self.lab, run)
        bench.pretend("packaging", facts={"head": packaging, "content": packaging})
        bench.pretend("sbuild", facts={"installed": INSTALLED | installed})
        return run

    def component(self, version: str) -> str:
        """Add a version of the other component to the lab's archive; return the new state."""
        with lab_archive.opened(self.lab, self.log) as archive:
            put(archive, "trunk", [deb(self.home / f"talk_{version}_all.deb", "talk", version)])
            return archive.reader.existing("trunk").name

    def begin(self, sought: Sought = CASE, **more: Any) -> Bisection:
        asked = BisectionRequest("trunk", "greet", sought, self.commits[0], self.commits[-1], **more)
        return opening.begin(self.lab, asked, self.log)

    def bisector(self, found: Bisection, agents: int = 1, stop: Stop = never) -> Bisector:
        def command(run: Run, until: str) -> list[Word]:
            return [sys.executable, "-S", PROGRAM, run.path, until, self.home / "settings.json"]

        def judge(runs: Sequence[Run], sought: Sought) -> Judged:
            return Judged(*first_bad.judged(self.lab, runs, sought))

        return Bisector(self.lab, found, agents, judge, self.log, self.said.append, stop, command)

    def bisect(self, sought: Sought = CASE, agents: int = 1, **more: Any) -> Bisection:
        return self.bisector(self.begin(sought, **more), agents).run()


@pytest.fixture
def make_bed(lab_factory: Callable[..., Lab], tmp_path: Path) -> Iterator[Callable[..., BisectionBed]]:
    """``make_bed(culprit, unbuildable)``: from the commit ``culprit`` on, the upstream file has the word ``bad``."""

    def make(culprit: int = COMMITS + 1, unbuildable: Sequence[int] = ()) -> BisectionBed:
        texts = [
            {"greet.txt": f"hello {number}{' bad' * (number >= culprit)}{' odd' * (number in unbuildable)}\n"}
            for number in range(COMMITS + 1)
        ]
        commits = history(tmp_path / "upstream", texts)
        files = packaging_files()
        packagings = history(tmp_path / "packaging", [files, *({"debian/note": str(each)} for each in range(1, 5))])
        lab = lab_factory(
            upstream=tmp_path / "upstream", packaging=tmp_path / "packaging",
            track={"phases": ["build", "test", "deploy", "exercise"]},
            lab={"components": {"talk": {"upstream": {"git": "/x"}, "packaging": {"git": "/x"}}}},
        )  # fmt: skip
        for name in ("upstream", "packaging"):
            GitMirror.of(str(tmp_path / name)).fetch(log)
        bed = BisectionBed(lab, tmp_path, commits, packagings, log)
        bed.expect(fails="bad", skips="odd")
        return bed

    with (tmp_path / "log").open("w") as log:
        yield make
