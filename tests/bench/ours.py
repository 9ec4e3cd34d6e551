"""The lab: `qalab run` of the whole build phase, as people start it."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base import environment
from lab.base.run import Word, run
from lab.config import loading
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.demo import demo

HOUSE = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Ours:
    """A lab of one component; its state and cache are those of the environment."""

    description: Path
    component: str
    log: IO[str]

    def forget(self) -> None:
        """As on the first day: no run, no archive, no mirror of a repository, no layer; the base chroot is there."""
        cache = environment.cache_home()
        for path in (environment.state_home(), cache / "mirrors", *(cache / "chroots").glob("layer-*")):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)

    def build(self, commit: str) -> float:
        """Run the build phase for an upstream commit; seconds."""
        options: list[Word] = ["--commit", commit, "--lab", self.description]
        begin = time.monotonic()
        run([sys.executable, HOUSE / "qalab.py", "run", demo.TRACK, self.component, *options], log=self.log)
        return time.monotonic() - begin

    @property
    def run(self) -> Run:
        """The newest run."""
        return Store.of(loading.load(self.description)).runs()[-1]

    def source_package(self) -> Path:
        """The .dsc of the newest run."""
        return next(self.run.out.glob("*.dsc"))
