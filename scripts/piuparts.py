"""piuparts: install, upgrade and purge the packages.

piuparts runs in a base of deployments, in a temporary system: it installs the packages of the component and purges
them, then it upgrades from the version of the series, and from that of the baseline, and purges again.  Everything else
comes from the state.  Packages that conflict with each other are tested one after the other.

A test that fails with the candidate gives the verdict ``failed``.  Where piuparts leaves out an upgrade test although
there is an older version, the step is an ``error``.  Without an older version, the upgrade test is a skipped case.
The options of ``test.piuparts`` in lab.yaml, each with its reason, apply to all tests, and the log names them.

``results/native/piuparts`` has piuparts' own logs, ``results/native/piuparts.jsonl`` a case for each test.

Facts: ``state``, ``baseline``, ``tests`` (the outcome of each test), ``upgraded_from`` (the older versions, by origin).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.base.run import TimedOut, missing_program
from lab.results.cases import Case
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives import mirror_cache, series_index
from scripts.chroots.bootstrap import PREFERENCES, SOURCES, TRUSTED
from scripts.chroots.sessions import INSIDE, Session
from scripts.drivers import layers
from scripts.testing import piuparts_run
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, archive_url, carry_out
from scripts.testing.piuparts_run import PURGE, UPGRADE, PiupartsRun

NAME = "piuparts"
MINUTE_SECONDS: Final = 60
Group = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class PiupartsTests:
    """The tests of one candidate; ``url``: that of the archive; ``origins``: see `older`."""

    context: StepContext
    found: Candidate
    url: str
    origins: Mapping[str, str]
    cases: list[Case] = field(default_factory=list)

    def of_group(self, number: int, group: Group) -> None:
        """Test packages that can be installed together."""
        for origin, old in self.origins.items():
            name = f"{origin}-{number}" if number else origin
            log = self._run(name, group, origin) if old or origin == self.found.series else ""
            if origin == self.found.series:
                self._add(PURGE, group, log)
            self._add(f"upgrade from {origin}", group, log, old)

    def _run(self, name: str, group: Group, origin: str) -> str:
        context, found = self.context, self.found
        path = context.run.results / "native" / NAME / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        pool = context.run.work / NAME
        debs = [found.reader.file(each["Filename"], each["SHA256"], pool) for each in group]
        base = found.baseline.name if found.baseline and origin != found.series else ""
        with temporary_system(context) as session:
            session.shell(set_up(found.reader.key(), self.url, base, found.state.name) + mirror_cache.setup())
            run = PiupartsRun(
                debs,
                session.for_sbuild(),
                context.codename,
                f"deb {self.url} {found.state.name} main",
                path,
                session.scratch,
                tuple(each.option for each in context.component.test.piuparts),
                upgrade_only=bool(base),
            )
            minutes = context.component.test.timeout_minutes
            try:
                # piuparts hands its environment on to maintainer scripts.
                session.run(["env", "-i", *INSIDE, *run.argv()], timeout=MINUTE_SECONDS * minutes, check=False)
            except TimedOut as error:
                return f"{path.read_text(errors='replace') if path.exists() else ''}\nFAIL: {error}\n"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _add(self, name: str, group: Group, log: str, old: str = "") -> None:
        """Add the case of a test; ``old``: the version that an upgrade starts from."""
        packages = " ".join(each["Package"] for each in group)
        test = PURGE if name == PURGE else UPGRADE
        outcome = piuparts_run.outcome(log, test)
        case = Case(suite=NAME, classname=packages, name=name, outcome="passed")
        if test == UPGRADE and not old:
            why = f"{name.removeprefix('upgrade from ')} has no older version"
            case = case.model_copy(update={"outcome": "skipped", "message": why})
        elif outcome == "none" and test == UPGRADE and self._has_failed(packages):
            case = case.model_copy(update={"outcome": "skipped", "message": "not reached"})
        elif outcome == "none":
            case = case.model_copy(update={"outcome": "error", "message": "the test did not take place"})
        elif outcome != "passed":
            case = case.model_copy(update={"outcome": outcome, "message": piuparts_run.reason(log)})
        self.cases.append(case)

    def _has_failed(self, packages: str) -> bool:
        """Return whether an earlier test of a group has failed: piuparts then leaves out the later one."""
        return any(case.outcome == "failed" and case.classname == packages for case in self.cases)


def older(context: StepContext, found: Candidate) -> dict[str, str]:
    """Return the versions that users can upgrade from, by origin: the series, and the baseline if it has another one."""
    name = context.component_name
    versions = {found.series: series_index.known_version(context.series_name, context.series, name, context.log)}
    theirs = found.baseline_version(name)
    if found.baseline and theirs != found.version(name):
        versions[found.label] = theirs
    return versions


@contextmanager
def temporary_system(context: StepContext) -> Iterator[Session]:
    """Yield a temporary system of the series.  Raises ConfigurationError where this machine has none for piuparts."""
    if not environment.is_root():
        raise ConfigurationError("piuparts needs root", hint="run the agent as root, or leave it out of test.steps")
    if not environment.find_program("piuparts"):
        raise missing_program("piuparts")
    chroots = layers.local_layers(environment.cache_home() / "targets", context.log)
    if chroots.way.mode != "schroot":
        raise ConfigurationError(f"piuparts needs overlays, and here {chroots.way.reason}")
    with (
        chroots.base(context.series_name, context.series, layers.target_argv) as base,
        chroots.session(context.run.id, base) as session,
    ):
        yield session


def set_up(key: str, url: str, baseline: str, state: str) -> str:
    """Return lines of sh: apt trusts the archive, and prefers the baseline ("": there is none) and then the state."""
    suites = {baseline: 1001, state: 1002}
    preferences = "".join(
        f"Package: *\nPin: release n={suite}\nPin-Priority: {priority}\n\n"
        for suite, priority in suites.items()
        if suite
    )
    source = f"deb {url} {baseline} main\n" if baseline else ""
    contents = {TRUSTED: key, SOURCES: source, PREFERENCES: preferences}
    made = "mkdir -p /var/cache/debconf/tmp.ci\n"  # apt-utils leaves it at the first installation
    return made + "".join(f"printf %s {shlex.quote(text)} > {path}\n" for path, text in contents.items())


def test(context: StepContext, found: Candidate) -> Findings:
    """Test all packages of the component."""
    for each in context.component.test.piuparts:
        context.say(f"exception {each.option}: {each.reason}")
    origins = older(context, found)
    with archive_url(context, found) as url:
        tests = PiupartsTests(context, found, url, origins)
        for number, group in enumerate(piuparts_run.groups(found.packages(context.component_name), architecture())):
            tests.of_group(number, group)
    cases = tests.cases
    passed = sum(case.outcome == "passed" for case in cases)
    summary = f"{passed} of {len(cases)} tests passed" if cases else "no packages for this machine"
    skipped = [f"no {case.name}: {case.message}" for case in cases if case.outcome == "skipped"]
    facts = {
        "tests": {f"{case.classname}: {case.name}": case.outcome for case in cases},
        "upgraded_from": {origin: version for origin, version in origins.items() if version},
    }
    return Findings(cases, summary, skipped, facts=facts)


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
