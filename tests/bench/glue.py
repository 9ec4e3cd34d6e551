"""jenkins-debian-glue, as its two jobs run it: generate-git-snapshot, then build-and-provide-package.

What Jenkins' git plugin does (the checkout, upstream merged into the packaging branch) is not timed.
It runs neither lintian nor autopkgtest, and signs nothing; eatmydata is there, as its own
jenkins-debian-glue-buildenv wants it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base import environment, git
from lab.base.run import run
from tests.bench.private import private

PACKAGES = ("jenkins-debian-glue", "cowbuilder", "eatmydata", "quilt")
IDENTITY = "Bench <bench@lab.example>"
# Its own default, but for the orig tarball: made from the upstream branch, which is what is tested here.
GBP_OPTS = (
    "-nc --git-force-create --git-ignore-new --git-ignore-branch -S -us -uc --git-verbose --git-builder=/bin/true"
    " --git-cleaner=/bin/true --git-export-dir= --git-upstream-tree=BRANCH --git-no-pristine-tar"
)


@dataclass(frozen=True)
class Glue:
    """A jenkins-debian-glue whose base.cow, apt cache and repository lie below ``home``."""

    home: Path
    repositories: Path
    series: str
    mirror: str
    log: IO[str]
    package: str = "hello"

    def prepare(self, commit: str) -> None:
        """The first build makes base.cow."""
        for directory in ("build", "aptcache", "repository", "tmp", "lock"):
            (self.home / directory).mkdir(parents=True)
        proxies = ((name, environment.variable(name)) for name in ("http_proxy", "https_proxy"))
        exports = "".join(f"export {name}={value}\n" for name, value in proxies if value)
        places = f"BUILDPLACE={self.home / 'build'}\nAPTCACHE={self.home / 'aptcache'}\n"
        (self.home / "pbuilderrc").write_text(f"MIRRORSITE={self.mirror}\n{places}{exports}")
        self.build(commit, update=False)

    def build(self, commit: str, *, update: bool) -> float:
        """Build the packaging with an upstream commit merged into it; seconds.  ``update``: base.cow first."""
        number = str(sum(1 for _ in self.home.glob("workspace-*")) + 1)
        workspace = self.home / f"workspace-{number}"
        head = self._check_out(workspace / "source", commit)
        env = {
            "ADT": "skip",
            "BUILD_NUMBER": number,
            "COWBUILDER_BASE": str(self.home / "base.cow"),
            "DEBEMAIL": IDENTITY,
            "GBP_OPTS": GBP_OPTS,
            "GIT_BRANCH": "master",
            "GIT_COMMIT": head,
            "HOME": str(self.home),
            "PBUILDER_CONFIG": str(self.home / "pbuilderrc"),
            "REPOSITORY": str(self.home / "repository"),
            "WORKSPACE": str(workspace),
            "distribution": self.series,
        } | git.NO_CONFIG
        begin = time.monotonic()
        run(["jdg-generate-git-snapshot"], cwd=workspace, env=env, log=self.log)
        env |= {"JOB_NAME": f"{self.package}-binaries", "SKIP_COWBUILDER_UPDATE": "" if update else "true"}
        places = {"/tmp": self.home / "tmp", "/run/lock": self.home / "lock"}
        run(private(["jdg-build-and-provide-package"], places), cwd=workspace, env=env, log=self.log)
        return time.monotonic() - begin

    def _check_out(self, source: Path, commit: str) -> str:
        git.git(["clone", "--quiet", self.repositories / "packaging", source])
        upstream, ref = self.repositories / "upstream", "refs/remotes/origin/upstream"
        git.git(["fetch", "--quiet", upstream, f"+{commit}:{ref}"], cwd=source)
        who = git.identity(IDENTITY, int(time.time()))
        git.git(["merge", "--quiet", "--no-edit", ref], cwd=source, env=who)
        return git.git(["rev-parse", "HEAD"], cwd=source)
