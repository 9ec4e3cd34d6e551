"""reverse: run the tests of packages that depend on the component.

The step tests source packages with debian/tests if one of their binary packages depends directly on a package of the
component, or if their field Testsuite-Triggers names one.  They are those of the series and of the lab's baseline, the
likeliest to break first; ``test.reverse`` limits their number.

Each runs in containers as in the step `autopkgtest`, with the packages of the component from the state and everything
else from the baseline.  A test that fails is tried again, then compared with the baseline, whose results are kept by
version, baseline and architecture.  Only a regression gives the verdict ``failed``, a flaky test ``unstable``.

``results/native/reverse`` has the output of all runs, ``results/native/reverse.jsonl`` a case for each test.

Facts: ``state``, ``baseline``, ``tested`` (the relations with the component, by source package), ``left_out`` (source
packages beyond the limit), ``tests`` (the status of each test, by source package).
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.text import plural
from lab.config import apt
from lab.results.cases import Case
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives import series_index
from scripts.archives.private_apt import own_apt
from scripts.archives.series_index import SeriesIndex
from scripts.migration.relations import provided
from scripts.testing.autopkgtest_judging import AutopkgtestRuns, Judgement, judge, native
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, archive_url, carry_out
from scripts.testing.reverse_dependencies import ReverseDependency, SuiteIndices, reverse_dependencies

NAME = "reverse"


def series_sources(context: StepContext) -> list[str]:
    """Return the texts of the Sources files of the series.  Raises InfrastructureError where none can be had."""
    home = environment.cache_home() / "sources" / context.series_name
    with files.locked(home / "lock"):
        options = tuple(own_apt(home, apt.sources(context.series_name, context.series, kind="deb-src")))
        index = SeriesIndex(home, options, home / "updated", context.log)
        doubt = series_index.refreshed(index)
        if not index.stamp.exists():
            raise InfrastructureError(f"the sources of {context.series_name} are not known: {doubt}")
        return list(index.texts("Sources"))


def indices(context: StepContext, found: Candidate) -> list[SuiteIndices]:
    """Return what can depend on the component: that of the baseline first, then that of the series."""
    packages = series_index.packages_files(context.series_name, context.series, context.log)
    places = [SuiteIndices(packages, series_sources(context))]
    if base := found.baseline:
        names = f"main/binary-{architecture()}/Packages", "main/source/Sources"
        binary, source = (found.reader.index(base.name, name) for name in names)
        places.insert(0, SuiteIndices([binary], [source], ours=True))
    return places


def changed_names(found: Candidate, source: str) -> frozenset[str]:
    """Return the names of the binary packages of a source package in the state, and those that they provide."""
    items = found.packages(source)
    virtual = (name for item in items for name, _ in provided(item.get("Provides", ""), architecture()))
    return frozenset({*(item["Package"] for item in items), *virtual})


def test_one(
    context: StepContext, found: Candidate, url: str, one: ReverseDependency
) -> tuple[list[Case], Judgement | None]:
    """Run the tests of one source package; a testbed that does not work is a case of it."""
    home = context.run.results / "native" / NAME / one.source
    context.say(f"testing {one.source}: {', '.join(one.reasons)}")
    try:
        judgement = judge(AutopkgtestRuns(context, found, url, one.source, home))
    except InfrastructureError as error:
        case = Case(
            suite=NAME, classname=one.source, name="testbed", outcome="error", nuance="testbed", message=str(error)
        )
        return [case], None
    cases = [case.model_copy(update={"suite": NAME, "classname": one.source}) for case in native(judgement)]
    return cases, judgement


def test(context: StepContext, found: Candidate) -> Findings:
    """Test what depends on the component."""
    changed = changed_names(found, context.component_name)
    every = (
        reverse_dependencies(changed, context.component_name, indices(context, found), architecture())
        if changed
        else []
    )
    chosen, left_out = every[: context.component.test.reverse], every[context.component.test.reverse :]
    with archive_url(context, found) as url:
        results = {one.source: test_one(context, found, url, one) for one in chosen}
    cases = [case for made, _ in results.values() for case in made]
    judgements = {source: judgement for source, (_, judgement) in results.items() if judgement}
    also = [
        f"{name} of {source} fails in {found.baseline_name} too"
        for source, judgement in judgements.items()
        for name in judgement.of("known")
    ]
    also += [f"{source}: {judgement.note}" for source, judgement in judgements.items() if judgement.note]
    also += [f"{len(left_out)} more not tested: test.reverse is {len(chosen)}"] if chosen and left_out else []
    passed = sum(case.outcome == "passed" and case.nuance != "superficial" for case in cases)
    return Findings(
        cases,
        f"{passed} tests of {len(chosen)} packages passed" if chosen else nothing(len(left_out)),
        also,
        prefix={"failed": "regression: "},
        named=lambda case: f"{case.name} of {case.classname}",
        facts={
            "tested": {one.source: list(one.reasons) for one in chosen},
            "left_out": [one.source for one in left_out],
            "tests": {source: dict(judgement.statuses) for source, judgement in judgements.items()},
        },
    )


def nothing(left_out: int) -> str:
    """Return why no package is tested; ``left_out``: how many could be."""
    if left_out:
        return f"{plural(left_out, 'package')} with tests not tested: test.reverse is 0"
    return "no package with tests depends on the component"


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
