"""piuparts: install, upgrade and purge the packages.

piuparts runs in a base of deployments, in a temporary system: it installs the packages of the component and purges
them, then it upgrades from the version of the series, and from that of the baseline, and purges again.  Everything else
comes from the state.  Packages that cannot be installed together are tested one after the other: those that exclude
each other by their own fields, and those whose dependencies do.

A test that fails with the candidate gives the verdict ``failed``.  Where piuparts leaves out an upgrade test although
there is an older version, or ends with a status that its log does not explain, the step is an ``error``.  Without an
older version, the upgrade test is a skipped case.
The options of ``test.piuparts`` in lab.yaml, each with its reason, apply to all tests, and the log names them.

``results/native/piuparts`` has piuparts' own logs, ``results/native/piuparts.jsonl`` a case for each test.

Facts: ``state``, ``baseline``, ``tests`` (the outcome of each test), ``upgraded_from`` (the older version of the first package, by origin).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from debian.deb822 import Packages

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.base.run import TimedOut, missing_program
from lab.results.cases import Case
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives import mirror_cache
from scripts.chroots.bootstrap import PREFERENCES, SOURCES, TRUSTED
from scripts.chroots.sessions import INSIDE, Session
from scripts.drivers import layers
from scripts.testing import older_packages, piuparts_run
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, archive_url, carry_out
from scripts.testing.piuparts_run import PURGE, UPGRADE, PiupartsRun

NAME = "piuparts"
MINUTE_SECONDS: Final = 60
NOT_DONE: Final = "the test did not take place"
Group = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class PiupartsLog:
    """The log of one run; ``ended``: why the run did not end well, "" if it did."""

    text: str = ""
    ended: str = ""


@dataclass(frozen=True)
class PiupartsTests:
    """The tests of one candidate; ``url``: that of the archive; ``origins``: see `older`."""

    context: StepContext
    found: Candidate
    url: str
    origins: Mapping[str, Mapping[str, Packages]]
    cases: list[Case] = field(default_factory=list)

    def of_group(self, name: str, group: Group) -> None:
        """Test packages that can be installed together; where their dependencies exclude that, each half of them.

        ``name``: the end of the names of logs.
        """
        made: list[Case] = []
        for origin, versions in self.origins.items():
            is_first = origin == self.found.series
            old = any(each["Package"] in versions for each in group)
            log = self._run(f"{origin}{name}", group, origin) if old or is_first else PiupartsLog()
            found = cases_of(origin, group, log, old=old, is_first=is_first)
            is_bad = any(case.outcome == "failed" for case in found)
            if is_bad and len(group) > 1 and piuparts_run.UNMET.search(log.text):
                self.context.say(f"{len(group)} packages cannot be installed together: each half of them is tested")
                for number, half in enumerate((group[: len(group) // 2], group[len(group) // 2 :]), start=1):
                    self.of_group(f"{name}-{number}", half)
                return
            made += found
        self.cases.extend(made)

    def _run(self, name: str, group: Group, origin: str) -> PiupartsLog:
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
                done = session.run(["env", "-i", *INSIDE, *run.argv()], timeout=MINUTE_SECONDS * minutes, check=False)
                ended = f"piuparts ended with status {done.returncode}" if done.returncode else ""
            except TimedOut as error:
                ended = str(error)
                with path.open("a", encoding="utf-8") as log:
                    log.write(f"\nFAIL: {error}\n")
        return PiupartsLog(path.read_text(encoding="utf-8", errors="replace") if path.exists() else "", ended)


def cases_of(origin: str, group: Group, log: PiupartsLog, *, old: bool, is_first: bool) -> list[Case]:
    """Return the cases of one run of piuparts for the packages of a group; an empty log is that of no run.

    ``old``: there is something to upgrade from.  ``is_first``: the run installs and purges before it upgrades.
    """
    packages = " ".join(each["Package"] for each in group)
    purged = [_case(packages, PURGE, log)] if is_first else []
    upgraded = _case(packages, f"upgrade from {origin}", log)
    not_reached = "not reached" if any(case.outcome == "failed" for case in purged) else ""
    why = not_reached if old else f"{origin} has no older version"
    if why and upgraded.message == NOT_DONE:
        upgraded = upgraded.model_copy(update={"outcome": "skipped", "message": why})
    found = [*purged, upgraded]
    if log.ended and not any(case.outcome in {"failed", "error"} for case in found):
        found.append(Case(suite=NAME, classname=packages, name="end", outcome="error", message=log.ended))
    return found


def _case(packages: str, name: str, log: PiupartsLog) -> Case:
    outcome = piuparts_run.outcome(log.text, PURGE if name == PURGE else UPGRADE)
    case = Case(suite=NAME, classname=packages, name=name, outcome="error", message=NOT_DONE)
    if outcome == "none":
        return case
    message = "" if outcome == "passed" else piuparts_run.reason(log.text)
    return case.model_copy(update={"outcome": outcome, "message": message})


def older(context: StepContext, found: Candidate) -> dict[str, Mapping[str, Packages]]:
    """Return the packages that users can upgrade from, by origin: the series, and the baseline if it has another version."""
    origins: dict[str, Mapping[str, Packages]] = {found.series: older_packages.of_series(context, found)}
    if found.baseline and found.baseline_version(context.component_name) != found.version(context.component_name):
        origins[found.label] = older_packages.of_baseline(found, context.component_name)
    return origins


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
            tests.of_group(f"-{number}" if number else "", group)
    cases = tests.cases
    passed = sum(case.outcome == "passed" for case in cases)
    summary = f"{passed} of {len(cases)} tests passed" if cases else "no packages for this machine"
    also = [f"no {case.name}: {case.message}" for case in cases if case.outcome == "skipped"]
    apart = len({case.classname for case in cases})
    also += [f"in {apart} groups, which cannot be installed together"] if apart > 1 else []
    facts = {
        "tests": {f"{case.classname}: {case.name}": case.outcome for case in cases},
        "upgraded_from": {origin: next(iter(items.values()))["Version"] for origin, items in origins.items() if items},
    }
    return Findings(cases, summary, also, facts=facts)


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
