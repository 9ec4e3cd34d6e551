"""sbuild as anybody runs it: a plain schroot with an overlay, already made, and no option but which."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base.run import run
from scripts.chroots import bootstrap
from tests.bench.private import private

CONFIGURATION = """\
[bench]
type=directory
directory={directory}
union-type=overlay
root-users=root
profile=sbuild
"""
CONFIGURATIONS, UNIONS, BUILDS = "/etc/schroot/chroot.d", "/var/lib/schroot/union", "/var/lib/sbuild/build"
STATE = (CONFIGURATIONS, UNIONS, BUILDS, "/var/lib/schroot/session")


@dataclass(frozen=True)
class Bare:
    """An sbuild whose chroot and state lie below ``home``."""

    home: Path
    series: str
    mirror: str
    log: IO[str]

    @property
    def state(self) -> dict[str, Path]:
        """Where sbuild and schroot keep their state, and where ours is."""
        return {place: self.home / place.strip("/") for place in STATE}

    def prepare(self) -> None:
        """Make the chroot, with what sbuild-createchroot(8) puts into one."""
        chroot = self.home / "chroot"
        for path in (*self.state.values(), self.home / "out"):
            path.mkdir(parents=True)
        for name in ("overlay", "underlay"):
            (self.state[UNIONS] / name).mkdir()
        shutil.chown(self.state[BUILDS], "sbuild", "sbuild")
        (self.state[CONFIGURATIONS] / "bench").write_text(CONFIGURATION.format(directory=chroot))
        options = ["--variant=buildd", "--include=build-essential,fakeroot", "--skip=cleanup/apt/lists"]
        proxies = [f"--aptopt={line}" for line in bootstrap.proxies()]
        run(["mmdebstrap", *options, *proxies, self.series, chroot, self.mirror], log=self.log)

    def build(self, dsc: Path, *options: str) -> float:
        """Build a source package; seconds."""
        argv = private(["sbuild", f"--dist={self.series}", "--chroot=bench", *options, dsc], self.state)
        begin = time.monotonic()
        run(argv, cwd=self.home / "out", env={"HOME": str(self.home)}, log=self.log)
        return time.monotonic() - begin
