"""Labs with results to publish, and their destinations on loopback: receivers, mail, and HTTP servers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from lxml import etree

from generator import jjb, render
from lab.config.access import Access
from lab.config.description import PHASES, Lab
from lab.config.jenkins import Connection
from lab.config.loading import load
from lab.results.ownership_mark import Mark
from lab.store.records import Record, RunInfo, rfc3339
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import home, journal
from reports.home import PublicationHome
from reports.outputs import freestyle
from reports.outputs.delivery import PublisherClock
from reports.outputs.registry import OUTPUTS
from reports.private_proposals import PrivateProposals
from reports.publish import Publisher
from reports.publish_report import PublishReport
from reports.redact import lab_parts
from reports.redact.publication import Publication
from reports.sources.jenkins import JenkinsSource
from reports.sources.runs import Runs
from tests.jenkins.double import Double
from tests.jenkins.state import Build

HOUSE = Path(__file__).parent.parent.parent
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = PHASES["build"]
SECRET = "s3cr3t/w0rd&x y'z"
RESULTS = {"passed": "SUCCESS", "failed": "FAILURE", "unstable": "UNSTABLE", "error": "FAILURE", "aborted": "ABORTED"}
OWNED = str(Mark("testlab", "0123abcd" * 8))


def a_lab(
    home: Path, components: tuple[str, ...] = ("greet",), upstreams: Mapping[str, str] | None = None, **more: Any
) -> Lab:
    """Return a lab with one track that publishes all builds; its file is HOME/lab.yaml.

    ``upstreams``: the repositories of the components, in place of their names.
    """
    upstreams = upstreams or dict.fromkeys(components, "/srv/u")
    data: dict[str, Any] = {
        "lab": {"name": "testlab", "maintainer": "Test Lab <lab@lab.example>"},
        "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm", "branch": "main"}},
        "components": {
            name: {"upstream": {"git": git}, "packaging": {"git": "/srv/p"}} for name, git in upstreams.items()
        },
        "publish": {"jobs": ["*"]},
        "public": {"site_url": "https://qa.lab.example/"},
    }
    for key, value in more.items():
        data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
    home.mkdir(parents=True, exist_ok=True)
    (home / "lab.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return load(home / "lab.yaml")


def a_run(run: Run, lab: Lab, component: str, number: int, verdict: str = "passed", **more: Any) -> Run:
    """Fill a run directory: the steps up to the one that explains the verdict, their logs, and the upstream commits.

    A build a day; ``day`` names another.  ``text``: what is in the log of the step that decides.
    """
    track = more.get("track", "trunk")
    started = EPOCH + timedelta(days=more.get("day", number), seconds=sum(map(ord, component)) % 3600)
    commit = f"{number:08x}{component.encode().hex():0<32.32}"
    at = rfc3339(started)
    run.results.mkdir(parents=True, exist_ok=True)
    run.write_info(
        RunInfo(
            lab=lab.lab.name,
            track=track,
            component=component,
            series="bookworm",
            commit=commit,
            number=number,
            started=at,
        )
    )
    decides = {"passed": "push", "unstable": "lintian", "failed": "sbuild"}.get(verdict, "source")
    last = len(STEPS) if verdict in {"passed", "unstable"} else STEPS.index(decides) + 1
    named = {"id": commit, "subject": f"Change {component} {number}", "author": f"Ada <ada@{component}.example>"}
    for number_of, step in enumerate(STEPS[:last]):
        record = Record(
            step=step, component=component, track=track, series="bookworm", architecture="amd64", commit=commit,
            version=f"1.{number}-1", verdict=verdict if step == decides else "passed", started=at,  # type: ignore[arg-type]
            finished=rfc3339(started + timedelta(seconds=10 * (number_of + 1))), seconds=10.0, exit_code=0,
            message=f"{step} of {component} {number}" if step == decides else "", log=f"results/{step}.log",
            facts={"named": [named]} if step == "changelog" else {},
        )  # fmt: skip
        run.log_path(step).write_text(
            f"{step} of {component} {number}\n{more.get('text', '') if step == decides else ''}"
        )
        record.write(run.results / f"{number_of + 1:02d}-{step}.json")
    return run


def a_local_run(lab: Lab, component: str = "greet", number: int = 1, verdict: str = "passed", **more: Any) -> Run:
    home = Store.of(lab).root / "runs" / more.get("track", "trunk") / component / str(number)
    return a_run(Run(home), lab, component, number, verdict, **more)


def a_jenkins_build(
    double: Double, lab: Lab, component: str, number: int, verdict: str = "passed", **more: Any
) -> Build:
    """Make a build on the private Jenkins with its artifacts; make the job if it is missing."""
    name = f"trunk-{component}-build"
    if name not in double.jobs():
        double.create(
            name,
            f"<project><description>{component} {OWNED}</description></project>".replace("<!--", "&lt;!--").replace(
                "-->", "--&gt;"
            ),
        )
    fields = {"result": RESULTS[verdict], "duration": 90_000, "log": f"Started\n{more.get('text', '')}\nFinished\n"}
    with tempfile.TemporaryDirectory() as directory:
        run = a_run(Run(Path(directory)), lab, component, number, verdict, **more)
        started = datetime.fromisoformat(run.info.started)
        files = [path for path in sorted(run.path.rglob("*")) if path.is_file()]
        artifacts = {str(path.relative_to(run.path)): path.read_bytes() for path in files}
    fields |= {"artifacts": artifacts, "timestamp": round(started.timestamp() * 1000)}
    return double.add_build(name, **(fields | more.get("fields", {})))


# The public Jenkins


def receive(build: Build) -> None:
    """Run the shell step of a build for real, then archive and publish its files, as an agent does."""
    with tempfile.TemporaryDirectory() as workspace:
        values = {one.name: one.value for one in build.parameters}
        for name, value in values.items():
            if isinstance(value, bytes):
                (Path(workspace) / name).write_bytes(value)
        texts = {name: str(value) for name, value in values.items() if not isinstance(value, bytes)}
        command = build.job.root.findtext("builders/hudson.tasks.Shell/command") or ""
        script = Path(workspace) / ".script"
        script.write_text(command)
        argv = [sys.executable, "-S", "-E", script] if command.startswith("#!") else ["/bin/sh", "-xe", script]
        environment = {"PATH": os.environ["PATH"], "JOB_NAME": build.job.full_name, **texts}
        code, build.log = _run_until_it_waits(argv, workspace, environment)
        unstable = build.job.root.findtext("builders/hudson.tasks.Shell/unstableReturn")
        results = {0: "SUCCESS", None: None, int(unstable or -1): "UNSTABLE"}
        build.result = results.get(code, "FAILURE")
        _after(build, Path(workspace))


def _run_until_it_waits(argv: list[Any], workspace: str, environment: dict[str, str]) -> tuple[int | None, str]:
    """Return the exit code, None for a script that waits to be stopped, and the log."""
    with subprocess.Popen(
        argv, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True
    ) as process:
        log = ""
        for line in process.stdout or ():
            log += line
            if line.strip() == freestyle.WAITS:
                process.terminate()
                return None, log
    return process.returncode, log


def _after(build: Build, workspace: Path) -> None:
    """Run the publishers junit and archive."""
    publishers = build.job.root.find("publishers")
    assert publishers is not None
    for reports in publishers.findall("hudson.tasks.junit.JUnitResultArchiver/testResults"):
        for path in workspace.glob(reports.text or ""):
            build.test_report = path.read_bytes()
            failures = etree.fromstring(build.test_report).iter("failure", "error")
            if build.result == "SUCCESS" and next(failures, None) is not None:
                build.result = "UNSTABLE"
    patterns = publishers.findtext("hudson.tasks.ArtifactArchiver/artifacts") or ""
    found = {
        path for pattern in patterns.split(", ") if pattern for path in workspace.glob(pattern.replace("**", "**/*"))
    }
    build.artifacts = {str(path.relative_to(workspace)): path.read_bytes() for path in sorted(found) if path.is_file()}


def quick(build: Build) -> None:
    """Do the same without the script, for tests of other parts."""
    build.result = "SUCCESS"
    build.artifacts = {"received/build.json": b""}


def make_receivers(double: Double, lab: Lab, home: Path) -> None:
    """Create a lab's receiver jobs, as Jenkins Job Builder does."""
    public = home / "jobs" / "public"
    public.mkdir(parents=True, exist_ok=True)
    for name in ("receivers.yaml", "receive.py"):
        (public / name).write_text((HOUSE / "jobs/public" / name).read_text())
    for path, text in render.public_files(lab, home / "jobs").items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for item in jjb.expand(public, jjb.configuration(None)):
        double.create(item.key.name, item.xml)


# The publisher


@dataclass
class Time:
    """A clock that tests set."""

    moment: float = (EPOCH + timedelta(days=1000)).timestamp()

    def now(self) -> float:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += seconds


@dataclass
class Press:
    """The publisher of a lab, opened again for each pass."""

    lab: Lab
    home: Path
    private: Double | None = None
    time: Time = field(default_factory=Time)
    timeout: float = 5.0

    @property
    def place(self) -> PublicationHome:
        return PublicationHome(Store.of(self.lab))

    @contextmanager
    def opened(self) -> Iterator[Publisher]:
        with home.opened(self.lab) as (place, opened_journal):
            sources: dict[str, Any] = {"runs": Runs(self.lab, opened_journal.builds.knows)}
            if self.private:
                connection = Connection(Access(self.private.url, *self.private.credentials, timeout=self.timeout))
                sources["jenkins"] = JenkinsSource(self.lab, connection)
            context = home.context(
                self.lab, self.home, place, opened_journal, PublisherClock(self.time.now, self.time.sleep)
            )
            outputs = {name: made for name, open_output in OUTPUTS.items() if (made := open_output(context))}
            publication = Publication.of(self.lab)
            assert lab_parts.note(self.lab, place, publication) == []
            withheld = PrivateProposals(self.lab, self.home, self.time.now).withheld
            yield Publisher(place, opened_journal, publication, sources, outputs, self.time.now, withheld)

    def run(self) -> PublishReport:
        with self.opened() as publisher:
            return publisher.run()

    def retract(self, name: str) -> PublishReport:
        with self.opened() as publisher:
            return publisher.retract(name)

    @contextmanager
    def journal(self) -> Iterator[journal.Journal]:
        with journal.opened(self.place.journal) as opened_journal:
            yield opened_journal

    def forget(self) -> None:
        """Delete the journal."""
        for path in self.place.journal.parent.glob("journal.sqlite*"):
            path.unlink()

    def deliveries(self) -> dict[str, dict[str, int]]:
        with self.journal() as opened_journal:
            return {name: opened_journal.deliveries.counts(name) for name in OUTPUTS}


def told_by(counts: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {name: dict(one) for name, one in counts.items() if one}
