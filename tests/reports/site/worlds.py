"""Invented labs: deterministic builds with a realistic distribution of results, and their logs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import IO

from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case
from lab.store.records import rfc3339
from reports import bundle
from reports.model import Build, Commit, File, Log, StepSummary

NAMES = ("keystone", "glance", "placement", "nova", "neutron", "cinder", "horizon", "heat", "swift", "ironic",
         "octavia", "barbican", "designate", "manila", "magnum", "mistral", "murano", "sahara", "senlin", "trove",
         "vitrage", "watcher", "zaqar", "zun", "aodh", "blazar", "cloudkitty", "congress", "cyborg", "freezer",
         "karbor", "masakari", "monasca", "qinling", "rally", "searchlight", "solum", "storlets", "tacker",
         "tempest")  # fmt: skip
TRACKS = {"trunk-trixie": "trixie", "trunk-noble": "noble", "proposed-noble": "noble"}
STEPS = ("snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "content", "archive", "upload", "push")
SUBJECTS = ("Validate tokens before they are cached", "Fix a race in the scheduler", "Update requirements",
            "Drop support for the v2 API", "Add a release note", "Imported translations", "Speed up list queries",
            "Retry when the database is away", "Document the policy file", "Remove unused imports")  # fmt: skip
PEOPLE = ("Ada Author", "Boris Builder", "Chen Coder", "Dana Debugger", "Émile Éditeur")
BEGIN = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
EVIDENCE = """Traceback (most recent call last):
  File "tests/unit/{module}.py", line {line}, in {name}
    self.assertEqual(200, response.status_code)
AssertionError: 200 != {status} : {"error": {"code": {status}, "title": "Not what was asked for"}}
"""


@dataclass(frozen=True)
class InMemory:
    """A bundle without a file."""

    build: Build
    logs: dict[str, bytes]

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO(self.logs[name])


@dataclass(frozen=True)
class World:
    """``count`` builds of ``components`` on ``tracks``, oldest first; ``tests`` in each, ``lines`` of its sbuild log."""

    count: int
    components: int = 4
    tracks: int = 2
    tests: int = 30
    lines: int = 60
    seed: int = 1

    @cached_property
    def lanes(self) -> list[tuple[str, str]]:
        return [(name, track) for name in NAMES[: self.components] for track in list(TRACKS)[: self.tracks]]

    @cached_property
    def roster(self) -> list[tuple[str, str]]:
        modules = ("test_tokens", "test_policy", "test_scheduler", "test_api", "test_database")
        return [
            (f"unit.{modules[n % 5]}", f"test_{('create', 'list', 'delete', 'update')[n % 4]}_{n:03d}")
            for n in range(self.tests)
        ]

    def sha(self, component: str, turn: int) -> str:
        return hashlib.sha1(f"{self.seed}{component}{turn}".encode(), usedforsecurity=False).hexdigest()

    def __iter__(self) -> Iterator[Path]:
        return iter(self.path(number) for number in range(self.count))

    def path(self, number: int) -> Path:
        """Return an invented path of a bundle; its name identifies the bundle."""
        digest = hashlib.sha256(f"{self.seed}/{number}".encode()).hexdigest()[:52] + f"{number:012x}"
        return Path("/nowhere", digest[:2], f"{digest}.tar.gz")

    def read(self, path: Path) -> InMemory:
        return self.bundle(int(path.name.removesuffix(".tar.gz")[-12:], 16))

    def verdict(self, lane: int, turn: int, rng: Random) -> str:
        """Return a verdict: some lanes never passed, some broke long ago, some break and are fixed, a few builds are errors."""
        if rng.random() < 0.03:
            return "error"
        last = self.count // len(self.lanes)
        if lane % 17 == 11:
            return "failed"
        if lane % 8 == 3 and turn > last * 0.7:
            return "unstable"
        if lane % 8 == 6 and turn > last * 0.9:
            return "failed"
        return "failed" if (turn // 7 + lane) % 9 == 4 else "passed"

    def bundle(self, number: int) -> InMemory:
        lane = number % len(self.lanes)
        turn = number // len(self.lanes)
        component, track = self.lanes[lane]
        rng = Random(self.seed * 1_000_003 + number)
        verdict = self.verdict(lane, turn, rng)
        step = {"failed": "sbuild", "unstable": "lintian", "error": "packaging"}.get(verdict, "")
        started = BEGIN + timedelta(minutes=number * 400_000 // max(self.count, 4_000))
        commit = self.sha(component, turn)
        short = commit[:7]
        seconds = round(40 + lane * 3 + turn % 13 + rng.random() * 30, 1)
        logs = dict(self.logs(component, step, rng))
        steps = []
        for name in STEPS:
            outcome = verdict if name == step else ("skipped" if name in {"upload", "push"} else "passed")
            steps.append(StepSummary(step=name, verdict=outcome, seconds=round(seconds / 9 * (3 if name == "sbuild" else 0.6), 1),
                                  message=self.message(name, outcome), log=name if name in logs else ""))  # fmt: skip
            if name == step and verdict != "unstable":
                break
        build = Build(
            origin="local", job=f"{track}/{component}/build", number=turn + 1, started=rfc3339(started),
            finished=rfc3339(started + timedelta(seconds=seconds)), seconds=seconds, lab="openstack", track=track,
            component=component, series=TRACKS[track], architecture="amd64", phase="build", branch="master",
            commit=commit, version=f"27.0.0~git2026{started:%m%d}.{turn + 1}.{short}-0qalab1~{TRACKS[track]}1",
            verdict=verdict, step=step, message=self.message(step, verdict) if step else "",
            commits=tuple(Commit(id=commit if back == 0 else self.sha(component, -turn * 5 - back), subject=rng.choice(SUBJECTS),
                                 author=rng.choice(PEOPLE)) for back in range(1 + turn % 3)),
            steps=tuple(steps), cases=tuple(self.cases(lane, turn, verdict, rng)) if verdict != "error" else (),
            logs=tuple(Log(name=name, path=f"logs/{name}.log", size=len(data), lines=data.count(b"\n")) for name, data in logs.items()),
            files=(File(name=f"{component}_27.0.0_amd64.deb", sha256=hashlib.sha256(commit.encode()).hexdigest(), size=412_332, kind="binary"),)
            if verdict in {"passed", "unstable"} else (),
            packages=self.packages(component, turn) if verdict in {"passed", "unstable"} else {},
            environment=self.environment(lane, turn),
        )  # fmt: skip
        return InMemory(build, {f"logs/{name}.log": data for name, data in logs.items()})

    def environment(self, lane: int, turn: int) -> BuildEnvironment:
        """Return an environment: on every other lane, a package changes with each build."""
        packages = {"gcc-12": "12.2.0-14", "libc6": f"2.36-{turn if lane % 2 else 9}"}
        return BuildEnvironment(packages=packages, packaging="f" * 40, packaging_content="c1", base="base1")

    def packages(self, component: str, turn: int) -> dict[str, str]:
        return {f"python3-{component}": f"27.0.0-{turn}", f"{component}-doc": "27.0.0-1"}

    def message(self, step: str, verdict: str) -> str:
        return {
            "failed": "dh_auto_test: error: python3 -m stestr run returned exit code 1",
            "error": "the mirror did not answer within 60 seconds",
            "unstable": "2 errors, 1 warning",
            "skipped": f"{step}.to is not set",
        }.get(verdict, "done")

    def cases(self, lane: int, turn: int, verdict: str, rng: Random) -> Iterator[Case]:
        broken = {(lane * 7) % self.tests, (lane * 7 + 1) % self.tests} if verdict in {"failed", "unstable"} else set()
        for place, (module, name) in enumerate(self.roster):
            flaky = place % 97 == 13 and rng.random() < 0.3
            seconds = round(rng.random() * (3 if place % 29 == 0 else 0.3), 3)
            if place in broken or flaky:
                status = rng.choice((401, 404, 500))
                evidence = (
                    EVIDENCE.replace("{module}", module).replace("{line}", str(100 + place)).replace("{name}", name)
                )
                evidence = evidence.replace("{status}", str(status))
                yield Case(suite="unit", classname=module, name=name, outcome="failed", seconds=seconds,
                           message=f"200 != {status}", evidence=evidence)  # fmt: skip
            elif place % 23 == 9:
                yield Case(suite="unit", classname=module, name=name, outcome="skipped", message="needs a hypervisor")
            else:
                yield Case(suite="unit", classname=module, name=name, outcome="passed", seconds=seconds)

    def logs(self, component: str, step: str, rng: Random) -> Iterator[tuple[str, bytes]]:
        for name in STEPS[:7]:
            lines = [f"+ qalab step {name}", f"working on {component}"]
            if name == "sbuild":
                lines += [f"\x1b[32mok\x1b[0m {place} - compiled {component}/part_{place}.py <in {rng.random():.3f} s>"
                          for place in range(self.lines)]  # fmt: skip
            if name == step:
                lines += ["\x1b[1;31mE: it did not go well\x1b[0m", f"the step {name} ends here"]
            yield name, "".join(f"{line}\n" for line in lines).encode()
            if name == step and step != "lintian":
                return


def write_bundles(world: World, store: Path) -> list[Path]:
    """Write the bundles of a world to a store."""
    paths = []
    for path in world:
        made = world.read(path)
        written = bundle.write(made.build, dict(made.logs), store / ".new")
        place = bundle.shelf(store, written.name.partition(".")[0])
        place.mkdir(parents=True, exist_ok=True)
        paths.append(written.rename(place / written.name))
    return paths


def grown(world: World, count: int) -> World:
    return replace(world, count=count)
