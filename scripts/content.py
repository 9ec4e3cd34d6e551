"""content: compare the packages with earlier builds; report losses.

The earlier builds are the newest one in the lab's archive, and the distribution's packages of that name.  What the former
already lacks of the latter is not named again.  Named are
binary packages that are gone or empty; directories without any files left; programs, helpers, libraries, services, conffiles,
interfaces such as headers, maintainer scripts and their calls, triggers, dependencies, promises such as Multi-Arch, questions of
debconf, Provides, symbols and shlibs that are gone; files that are empty, a tenth, not executable or of another owner, other permissions or another interpreter now; links and
maintainer scripts that lead nowhere or do nothing now; versions that fell; packages with half of their size or files; and files of another
package, of this source or of the series, which the package neither replaces nor conflicts with.
Packages of a cross build are compared with those of their architecture and named ``NAME:ARCHITECTURE``.
A build with the option or profile ``nodoc`` is compared without documentation.

``build.content.accept`` lists the intended losses.  Others give the verdict that ``build.content.verdict`` names.
An earlier build that cannot be read or downloaded is an error of the lab; if only the distribution's cannot be had, the
message says so.  Where all builds were withdrawn and the
distribution has none, nothing can be compared, and that is a loss too (``all builds withdrawn: NAME``).

Facts: ``reference`` (the version and who has it; empty for a first build), ``distribution`` (the same of the
distribution's packages, if they are compared too), ``losses``, ``accepted``, ``packages`` (the
digest of what was compared).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lab.base.errors import InfrastructureError
from lab.base.text import first_of
from lab.store import step_command
from lab.store.archive_place import is_apart
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives.changed_files import changed_files, doubtful_links
from scripts.archives.changed_relations import changed_relations
from scripts.archives.content_comparison import (
    BuildContent,
    Loss,
    accepted,
    empty_packages,
    losses,
    new_files,
    taken,
)
from scripts.archives.file_owners import owners
from scripts.archives.package_content import read_packages
from scripts.archives.reference_packages import Reference, distribution_build, last_build
from scripts.archives.withdrawal import Withdrawals

NAME = "content"


@dataclass(frozen=True)
class Earlier:
    """Builds of each architecture, as one."""

    builds: tuple[Reference, ...]
    machine: str

    @cached_property
    def content(self) -> BuildContent:
        return BuildContent.of(read_packages((path for each in self.builds for path in each.paths), self.machine))

    def __str__(self) -> str:
        return str(self.builds[0]) if self.builds else ""


def earlier_builds(context: StepContext, machines: Sequence[str]) -> tuple[Earlier, Earlier, str]:
    """Return, by architecture, the last builds; the distribution's beside them; and why those are not had, or "".

    The last build is the newest one in the lab's archive; the distribution's if that has none.
    """
    source, work = context.component_name, context.run.work
    last, packaged, doubt = [], [], ""
    for machine in machines:
        ours = last_build(
            context.archive, context.track_name, source, machine=machine, directory=work / "reference" / machine
        )
        place = work / "distribution" / machine
        theirs = None
        try:
            theirs = distribution_build(
                context.series_name, context.series, source,
                machine=machine, directory=place, log=context.log, fresh=not ours,
            )  # fmt: skip
        except InfrastructureError as error:
            if not ours:
                raise
            doubt = f"not compared with the distribution's packages: {error}"
        last += [found for found in (ours or theirs,) if found]
        packaged += [theirs] if ours and theirs else []
    return Earlier(tuple(last), architecture()), Earlier(tuple(packaged), architecture()), doubt


def all_withdrawn(context: StepContext) -> list[Loss]:
    """Return the loss of every earlier build by withdrawal: the next one is no first build."""
    versions = context.history.withdrawn(context.track_name)
    if not is_apart(context.lab):  # the history of an archive of an older release has none
        subject = (context.track_name, context.component_name)
        noted = [
            item.version for item in Withdrawals.of(context.lab).withdrawals if (item.track, item.component) == subject
        ]
        versions = [*dict.fromkeys([*versions, *noted])]
    return [Loss("all builds withdrawn", context.component_name, first_of(versions))] if versions else []


def judge_new_files(context: StepContext, before: BuildContent | None, now: BuildContent) -> tuple[list[Loss], str]:
    """Return the new files that packages of other sources have, the new links that lead nowhere, and what is not known.

    The series is asked only where there are new files.  Those of packages that the source has built before are no
    other's: a file may move between them.
    """
    added, links = new_files(before, now), doubtful_links(before, now) if before else []
    asked = {*added, *(link.target for link in links)}
    found = owners(context.series_name, context.series, asked, context.log) if asked else {}
    if found is None:
        return (
            [],
            f"files of other packages are not looked for: the mirror of {context.series_name} has no Contents indices",
        )
    own = before.packages.keys() if before else set()
    others = {path: names - own for path, names in found.items()}
    dangling = [Loss("link leads nowhere", link.path, link.target) for link in links if not others.get(link.target)]
    return [*taken(now, {path: others[path] for path in added & others.keys()}), *dangling], ""


def lost(before: BuildContent, now: BuildContent) -> list[Loss]:
    """Return what a build has lost against an earlier one, the worst first; a udeb keeps no file of another package."""
    kinds = [(before.of_kind(udebs=kind), now.of_kind(udebs=kind)) for kind in (False, True)]
    return [
        *(loss for was, is_now in kinds for loss in losses(was, is_now)),
        *(loss for was, is_now in kinds for loss in (*changed_files(was, is_now), *changed_relations(was, is_now))),
    ]


def lost_since(
    packaged: BuildContent, last: BuildContent, now: BuildContent, named: Sequence[Loss], version: str
) -> list[Loss]:
    """Return what a build has lost against the distribution's packages, of a version, and its last build had not.

    Losses too small to be named in one build add up.
    """
    known = {loss.title for loss in (*named, *lost(packaged, last))}
    return [
        replace(loss, detail=", ".join(filter(None, (loss.detail, f"compared with {version}"))))
        for loss in lost(packaged, now)
        if loss.title not in known
    ]


def judge(
    context: StepContext, found: Sequence[Loss], compared: Sequence[Earlier], doubts: Sequence[str]
) -> StepOutcome:
    """Return the outcome for the losses compared to earlier builds; ``doubts``: the parts that were not compared."""
    settings = context.component.build.content
    intended = accepted(found, settings.accept)
    refused = [loss for loss in found if loss not in intended]
    for loss in found:
        context.say(f"{'accepted' if loss in intended else 'lost'}: {loss}")
    names = [str(each) for each in compared if each.builds]
    against = f"compared with {' and '.join(names)}" if names else "no earlier build to compare with"
    if refused:
        message = f"{first_of(list(map(str, refused)))}; {against}"
    else:
        nothing = f"{len(intended)} accepted, nothing else lost" if intended else "nothing lost"
        message = f"{nothing}; {against}" if found or names else against
    return StepOutcome(
        "; ".join([message, *filter(None, doubts)]),
        verdict=settings.verdict if refused and settings.verdict != "off" else "passed",
        facts={
            "reference": names[0] if names else "",
            "distribution": names[1] if len(names) > 1 else "",
            "losses": list(map(str, refused)),
            "accepted": list(map(str, intended)),
            "packages": context.packages,
        },
    )


def action(context: StepContext) -> StepOutcome:
    built = context.earlier("sbuild")
    if context.component.build.content.verdict == "off":
        return StepOutcome("build.content.verdict is off", verdict="skipped")
    if built.verdict == "skipped":
        return StepOutcome("nothing was built", verdict="skipped")
    machine = architecture()
    paths = (context.run.path / item.path for item in built.artifacts if item.kind == "binary")
    now = BuildContent.of(read_packages(paths, machine))
    last, packaged, unknown = earlier_builds(context, built.facts.get("architectures", [machine]))
    before, theirs = last.content if last.builds else None, packaged.content
    others, doubt = judge_new_files(context, before and before.of_kind(udebs=False), now.of_kind(udebs=False))
    if not before:
        return judge(context, [*all_withdrawn(context), *empty_packages(now), *others], [], [doubt])
    if "nodoc" in {*context.component.build.profiles, *context.component.build.options}:
        before, theirs, now = (each.without_documentation() for each in (before, theirs, now))
    found = lost(before, now)
    found += lost_since(theirs, before, now, found, str(packaged))
    return judge(context, [*found, *others], [last, packaged], [unknown, doubt])


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
