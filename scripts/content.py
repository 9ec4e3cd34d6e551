"""content: compare the packages with an earlier build; report losses.

The earlier build is the newest one in the lab's archive, else the distribution's packages of that name.  Named are
binary packages that are gone or empty; directories without any files left; programs, libraries, services, conffiles,
maintainer scripts, triggers, Provides, symbols and shlibs that are gone; files that are empty or not executable now; links and
maintainer scripts that lead nowhere or do nothing now; packages with half of their size or files; and new files that another
package of the series has too, which the package neither replaces nor conflicts with.
Packages of a cross build are compared with those of their architecture and named ``NAME:ARCHITECTURE``.
A build with the option or profile ``nodoc`` is compared without documentation.

``build.content.accept`` lists the intended losses.  Others give the verdict that ``build.content.verdict`` names.
An earlier build that cannot be read or downloaded is an error of the lab.  Where all builds were withdrawn and the
distribution has none, nothing can be compared, and that is a loss too (``all builds withdrawn: NAME``).

Facts: ``reference`` (the version and who has it; empty for a first build), ``losses``, ``accepted``, ``packages`` (the
digest of what was compared).
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.base.text import first_of
from lab.store import step_command
from lab.store.archive_place import is_apart
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives.changed_files import changed_files, doubtful_links
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


def reference(context: StepContext, machine: str) -> Reference | None:
    """Return the earlier build for an architecture; None for the first build of a package that is new."""
    source = context.component_name
    directory = context.run.work / "reference" / machine
    if found := last_build(context.archive, context.track_name, source, machine=machine, directory=directory):
        return found
    return distribution_build(
        context.series_name, context.series, source, machine=machine, directory=directory, log=context.log
    )


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


def judge(context: StepContext, found: Sequence[Loss], earlier: Reference | None, doubt: str) -> StepOutcome:
    """Return the outcome for the losses compared to an earlier build; ``doubt``: the part that was not compared, or ""."""
    settings = context.component.build.content
    intended = accepted(found, settings.accept)
    refused = [loss for loss in found if loss not in intended]
    for loss in found:
        context.say(f"{'accepted' if loss in intended else 'lost'}: {loss}")
    compared = f"compared with {earlier}" if earlier else "no earlier build to compare with"
    if refused:
        message = f"{first_of(list(map(str, refused)))}; {compared}"
    else:
        nothing = f"{len(intended)} accepted, nothing else lost" if intended else "nothing lost"
        message = f"{nothing}; {compared}" if found or earlier else compared
    return StepOutcome(
        f"{message}; {doubt}" if doubt else message,
        verdict=settings.verdict if refused and settings.verdict != "off" else "passed",
        facts={
            "reference": str(earlier or ""),
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
    found = [reference(context, name) for name in built.facts.get("architectures", [machine])]
    known = [each for each in found if each]
    earlier = known[0] if known else None
    before = BuildContent.of(read_packages((path for each in known for path in each.paths), machine)) if known else None
    others, doubt = judge_new_files(context, before, now)
    if not before:
        return judge(context, [*all_withdrawn(context), *empty_packages(now), *others], None, doubt)
    if "nodoc" in {*context.component.build.profiles, *context.component.build.options}:
        before, now = before.without_documentation(), now.without_documentation()
    return judge(context, [*losses(before, now), *changed_files(before, now), *others], earlier, doubt)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
