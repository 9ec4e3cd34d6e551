"""The text about a stable update, from the runs that tested it.

For Debian, the sections are those of the bugs that reportbug writes for release.debian.org, without those that only the
uploader can write.  For Ubuntu, it is the comment of a verification, which names the version tested and has the output of
apt policy (https://documentation.ubuntu.com/project/SRU/reference/sru-verification): the SRU bug template has a plan of
tests in place of results.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.base.errors import ConfigurationError
from lab.base.text import plural, shortened
from lab.config import apt
from lab.config.description import Lab
from lab.results import addresses
from lab.results.cases import Case
from lab.store.records import Record
from lab.store.run_directory import WHOLE, Run
from lab.store.runs import Store
from reports.formats.runs import cases_of
from reports.redact.publication import Publication

HEADINGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "ubuntu": ("Verification", "Regressions", "Other Info"),
    "debian": ("Tests", "Risks", "Other info"),
}
JUDGED: Final = frozenset({"passed", "unstable", "failed"})
LONGEST: Final = 240
MANY: Final = 2000
MOST_CASES: Final = 40
"""How many passed cases are named."""
KINDS: Final[Mapping[str, re.Pattern[str]]] = {
    "failed": re.compile(r"(regression)\b"), "skipped": re.compile(r"(fails in the release too):"),
    "passed": re.compile(r"(fixed); in the release:"),
}  # fmt: skip
"""What `scripts.pockets.baseline` writes before the message of a case, by outcome."""


@dataclass(frozen=True)
class UpdateEvidence:
    """The runs that tested a version of a source package, and the record of its deployment."""

    source: str
    version: str
    deployed: Run
    record: Record
    exercised: Run | None

    @property
    def is_judged(self) -> bool:
        """Whether the update cannot be deployed, or its tests came to a verdict."""
        return self.record.verdict == "failed" or (self.exercised is not None and self.exercised.verdict in JUDGED)

    @property
    def cases(self) -> list[Case]:
        """The cases of the exercises, without those of steps."""
        steps = {*self.exercised.steps} if self.exercised else set[str]()
        return [case for case in cases_of(self.exercised) if case.name not in steps] if self.exercised else []

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.record.facts


def evidence(lab: Lab, source: str, version: str, track: str | None = None) -> UpdateEvidence:
    """Return the newest runs that tested a version: alone where there is such a run, else with other updates.

    Those whose tests came to a verdict go before others.  Raises ConfigurationError when no run has.
    """
    found: list[tuple[bool, bool, str, UpdateEvidence]] = []
    versions: set[str] = set()
    for run in _runs(lab, source, track):
        record = run.record("deploy") if run.info.phase == "deploy" else None
        if record is None or record.verdict not in {"passed", "failed"}:
            continue
        own = {source: run.info.version} if not record.facts and run.info.component == source else {}  # it failed
        tested = record.facts.get("versions", own)
        versions |= {tested[source]} if source in tested else set()
        if tested.get(source) == version:
            one = UpdateEvidence(source, version, run, record, _exercised(lab, run))
            found.append((len(tested) == 1, one.is_judged, run.info.started, one))
    if not found:
        hint = f"qalab run TRACK {source}, on a track with the trigger proposed"
        known = f"; tested: {', '.join(sorted(versions))}" if versions else ""
        raise ConfigurationError(f"no run has tested {source} {version}{known}", hint=hint)
    return max(found, key=lambda each: each[:3])[3]


def _runs(lab: Lab, source: str, track: str | None) -> Iterator[Run]:
    """Yield the runs of a source package, and of all updates together, on this machine and in Jenkins."""
    for name, each in lab.tracks.items():
        if each.trigger == "proposed" and track in {None, name}:
            for component in (source, WHOLE):
                yield from Store.of(lab).history(name, component)


def _exercised(lab: Lab, deployed: Run) -> Run | None:
    """Return the newest run that exercised a deployment, of those with a verdict if there is one."""
    info = deployed.info
    runs = [
        run
        for run in Store.of(lab).history(info.track, info.component)
        if run.info.phase == "exercise" and run.info.archive == info.archive and run.info.started >= info.started
    ]
    return max(runs, key=lambda run: (run.verdict in JUDGED, run.info.started), default=None)


def text(lab: Lab, found: UpdateEvidence) -> str:
    """Return the text about an update, redacted: it is for a public bug tracker."""
    distribution = lab.series[found.deployed.info.series].distribution
    tests, risks, other = HEADINGS[distribution]
    sections = (
        (tests, [*_tested(lab, found), "", *_results(lab, found), "", *_bugs(found)]),
        (risks, _risks(found)),
        (other, [*_packages(found), "", *_repeat(lab, found), "", *_links(lab, found), "", *_limits(distribution)]),
    )
    written = "\n\n".join(f"[ {heading} ]\n\n" + "\n".join(lines) for heading, lines in sections)
    return Publication.of(lab).redactor.text(written) + "\n"


def _tested(lab: Lab, found: UpdateEvidence) -> Iterator[str]:
    facts, info = found.facts, found.deployed.info
    series = lab.series[info.series]
    date = f" (Release of {facts['pocket date']})" if facts.get("pocket date") else ""
    codename = series.codename or info.series
    pocket = f"{codename}-{apt.PROPOSED[series.distribution][0]}"
    yield f"{found.source} {found.version} from {pocket}{date}, {found.record.architecture}."
    replaced = facts.get("replaces", {}).get(found.source)
    if replaced is not None:
        yield f"Replaces: {replaced or 'nothing, it is new'}."
    others = [f"{name} {version}" for name, version in facts.get("versions", {}).items() if name != found.source]
    if others:
        yield f"Tested together with other updates, and not alone: {', '.join(others)}."
    for name, why in facts.get("companions", {}).items():
        yield f"With it, from the same pocket: {name} ({why})."
    known = {*facts.get("versions", ()), *facts.get("companions", ())}
    if rest := [name for name in facts.get("taken", ()) if name not in known]:
        yield f"With all else that waits in the pocket: {', '.join(rest)}."
    yield f"All else: {', '.join([codename, *(f'{codename}-{pocket}' for pocket in series.pockets)])}, as of the test."
    target = lab.deployment_of(found.deployed.info.track).target
    host = " of the host" if target == "nspawn" else ""
    kernel = f", with the kernel {facts['kernel']}{host}" if facts.get("kernel") else ""
    yield f"Tested: {found.record.started[:16].replace('T', ' ')} UTC, on the target {target}{kernel}."


def _results(lab: Lab, found: UpdateEvidence) -> Iterator[str]:
    yield f"Deployment: {found.record.verdict}: {shortened(found.record.message, LONGEST)}"
    if "upgrade" in found.facts:
        none = found.facts["upgrade"]
        yield f"As an upgrade of the released version: {f'not tested: {none}' if none else 'tested, and exercised'}."
    if found.record.verdict == "passed":
        more = "" if "test" in lab.tracks[found.deployed.info.track].phases else " The track runs no autopkgtests."
        yield f"Dependents: no released package becomes uninstallable (dose-debcheck).{more}"
    if found.exercised is None:
        yield "Exercises: none."
        return
    record = found.exercised.record("exercise")
    baseline = record.facts.get("baseline") if record else ""
    compared = (
        f"compared with the release without the pocket (run {baseline})"
        if baseline
        else "not compared with the release"
    )
    outcomes = Counter(kind_of(case) for case in found.cases)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(outcomes.items()))
    yield f"Exercises: {found.exercised.verdict}: {counts or 'no case'}; {compared}."
    for case in found.cases:
        if kind_of(case) != "passed":
            yield f" * {kind_of(case)}: {_name(case)}: {_detail(case)}".rstrip(": ")
    passed = [case for case in found.cases if kind_of(case) == "passed"]
    yield from (f" * passed: {_name(case)}" for case in passed[:MOST_CASES])
    if len(passed) > MOST_CASES:
        yield f" * passed: {len(passed) - MOST_CASES} more"


def kind_of(case: Case) -> str:
    """Return what a case says about an update: ``regression``, ``fails in the release too``, ``fixed``, or its outcome."""
    match = _match(case)
    return match[1] if match else case.outcome


def _match(case: Case) -> re.Match[str] | None:
    """Return what the comparison with the baseline has written; the tested software can write the same into its messages."""
    pattern = KINDS.get(case.outcome)
    is_other = case.outcome == "skipped" and case.nuance != "expected-failure"
    return pattern.match(case.message) if pattern and not is_other else None


def _name(case: Case) -> str:
    return shortened(" ".join(f"{case.classname}: {case.name}".split()), LONGEST)


def _detail(case: Case) -> str:
    match = _match(case)
    rest = case.message[match.end() if match else 0 :].lstrip(":; ")
    before = "in the release: " if rest and kind_of(case) == "fixed" else ""
    return shortened(f"{before}{rest}", LONGEST)


def _bugs(found: UpdateEvidence) -> Iterator[str]:
    bugs: Sequence[str] | None = found.facts.get("bugs", {}).get(found.source)
    if bugs is None:
        yield "Bugs and CVEs: not known, because no changelog could be read on the nodes."
        return
    yield f"Bugs and CVEs in the changelog since the released version:{'' if bugs else ' none.'}"
    covering = {bug: [case for case in found.cases if names_bug(case, bug)] for bug in bugs}
    for bug, cases in covering.items():
        yield from (f" * {bug}: {_name(case)}: {kind_of(case)}" for case in cases)
    if others := [bug for bug, cases in covering.items() if not cases]:
        yield f" * no test of the lab names these: {', '.join(others)}"


def names_bug(case: Case, bug: str) -> bool:
    """Return whether the class or the name of a case has a CVE, or a bug's number after ``LP``, ``bug`` or ``#``."""
    number = "[-_]".join(map(re.escape, bug.rpartition("#")[2].split("-")))
    before = r"(?<![a-z\d])" if bug.startswith("CVE-") else r"(?:(?<![a-z\d])(?:lp|bug)|#)[\s:#_-]*"
    pattern = rf"{before}{number}(?!\d)"
    return bool(re.search(pattern, f"{case.classname} {case.name}", re.IGNORECASE))


def _risks(found: UpdateEvidence) -> Iterator[str]:
    bad = [case for case in found.cases if kind_of(case) in {"regression", "failed"}]
    record = found.exercised.record("exercise") if found.exercised else None
    missing: Sequence[str] = record.facts.get("missing", ()) if record else ()
    ran = sum(case.outcome in {"passed", "failed"} for case in found.cases)
    if found.record.verdict == "failed":
        yield "The update cannot be deployed: see above."
    elif bad:
        yield f"{plural(len(bad), 'regression')}: see above."
    elif not found.is_judged:
        yield "The tests came to no verdict: the lab knows nothing about regressions."
    elif not ran:
        yield "No test ran: the lab knows nothing about regressions."
    else:
        yield f"The lab found no regression in {plural(ran, 'test')}. Problems could occur in all that these do not use."
    if missing:
        yield f"Pass in the release, and did not run with the update: {shortened(', '.join(missing), MANY)}."
    if absent := found.facts.get("not installed"):
        yield f"Not installed, and so not tested: {', '.join(absent)}."


def _packages(found: UpdateEvidence) -> Iterator[str]:
    yield "Packages of the pocket as installed:" if found.facts.get("packages") else "Packages as installed: none."
    yield from (f"  {each.replace('=', ' ', 1)}" for each in found.facts.get("packages", ()))
    policy = found.facts.get("policy", {}).get(found.source, "")
    if policy:
        yield "apt-cache policy:"
        yield from (f"  {line}" for line in policy.splitlines())


def _repeat(lab: Lab, found: UpdateEvidence) -> Iterator[str]:
    info, facts = found.deployed.info, found.facts
    yield f"To repeat it in the lab {lab.lab.name}{f', with lab.yaml at {info.lab_commit}' * bool(info.lab_commit)}:"
    yield f"  qalab run {info.track} --state released"
    yield f"  qalab run {info.track}" + (f" {info.component}" if info.component != WHOLE else "")
    if packages := [each.partition("=")[0] for each in facts.get("packages", ())]:
        yield "On a machine with the released packages, with the pocket in apt's sources and pinned at 100:"
        yield f"  apt-get install --target-release {facts['pocket']} {' '.join(packages)}"


def _links(lab: Lab, found: UpdateEvidence) -> Iterator[str]:
    runs = [run for run in (found.deployed, found.exercised) if run]
    yield "Runs: " + ", ".join(f"{run.id}{f' ({run.info.url})' if run.info.url else ''}" for run in runs)
    if lab.public:
        info = found.deployed.info
        yield f"Results: {str(lab.public.site_url).rstrip('/')}/{addresses.lane_path(info.component, info.track)}"


def _limits(distribution: str) -> Iterator[str]:
    yield "Written by qalab from its records. It has set no tag and no state of any bug."
    if distribution == "ubuntu":
        yield "verification-done is for a person who has followed the test plan of each bug."
    else:
        yield "The reason, the impact, the checklist and the changes are for the uploader to write."
