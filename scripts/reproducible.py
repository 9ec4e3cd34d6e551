"""reproducible: build the packages again in another environment.

sbuild builds the source package of the state again, with another build path, time zone, locale and number of parallel
jobs, and at another time.  The .deb files must be those of the archive.  A difference gives the verdict ``unstable``;
``results/native/reproducible`` has diffoscope's text.  A second build that fails is a failure.  The step is
off by default: add it to ``test.steps``.

``results/native/reproducible.jsonl`` has a case for each package.

Facts: ``state``, ``baseline``, ``differing`` (the packages that differ).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from debian.deb822 import Dsc

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import missing_program
from lab.results import sbuild_log
from lab.results.cases import Case
from lab.store import step, step_command
from lab.store.step import StepContext, StepOutcome
from scripts import sbuild
from scripts.archives.serving import replacing, served
from scripts.chroots import sbuild_command
from scripts.chroots.bootstrap import dependencies
from scripts.chroots.build_target import build_targets
from scripts.chroots.chroots import Chroots
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, carry_out

NAME = "reproducible"
BUILD_PATH: Final = "/build/another/path"
VARIED: Final = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "fr_CH.UTF-8"}
MOST_LINES: Final = 30


def varied(options: Sequence[str]) -> dict[str, str]:
    """Return the environment of the second build; ``options``: DEB_BUILD_OPTIONS of the first one.

    Options such as nodoc select what is built: they stay.
    """
    kept = [option for option in options if not option.startswith("parallel=")]
    return VARIED | {"DEB_BUILD_OPTIONS": " ".join([*kept, "parallel=1"])}


def build_again(context: StepContext, dsc: Path, into: Path) -> str:
    """Build a source package in another environment into a directory; return why that failed, "" if it has not."""
    fields = Dsc(dsc.read_text(encoding="utf-8"))
    (target, *_) = build_targets(context.series, context.component.build, fields["Architecture"], step.architecture())
    chroots, settings, track = Chroots.here(context.log), target.settings(context.component.build), context.track_name
    control = dependencies(
        dsc.read_text(encoding="utf-8"), (*target.toolchain, *sbuild_command.more_packages(settings))
    )
    with (
        served(context.lab, track, replaces=replacing(context.lab, track)) as repository,
        chroots.base(context.series_name, context.series) as base,
        chroots.layer(base, control, settings.profiles, repository, target.host) as layer,
        chroots.session(context.run.id, base, layer) as session,
    ):
        argv = sbuild.prepare(context, target, session, dsc, repository, ready=layer is not None and layer.ready)
        variation = varied(target.settings(context.component.build).options)
        variables = "".join(f"$build_environment->{{'{name}'}} = q({value});\n" for name, value in variation.items())
        path = session.path / "sbuildrc"
        files.write_atomic(path, path.read_text().removesuffix("1;\n") + variables + "1;\n")
        log = sbuild.build(context, session, [argv[0], f"--build-path={BUILD_PATH}", *argv[1:]])
        files.write_atomic(
            context.run.results / "native" / NAME / "sbuild.build", log.encode("utf-8", "surrogateescape")
        )
        reading = sbuild_log.read(log)
        if reading.verdict == "error":
            raise InfrastructureError(reading.message)
        if reading.verdict == "passed":
            into.mkdir(parents=True, exist_ok=True)
            sbuild.collect(session.path / "build", into)
        return "" if reading.verdict == "passed" else reading.message


def compare(context: StepContext, ours: Path, again: Path) -> Case:
    """Return the case of one .deb file; diffoscope explains a difference."""
    case = Case(suite=NAME, classname="packages", name=ours.name.partition("_")[0], outcome="passed")
    if not again.exists():
        return case.model_copy(update={"outcome": "failed", "message": f"the second build has made no {ours.name}"})
    if files.sha256(ours) == files.sha256(again):
        return case
    text = context.run.results / "native" / NAME / f"{case.name}.txt"
    context.sh(["diffoscope", "--no-progress", f"--text={text}", ours, again], check=False)
    lines = text.read_text(encoding="utf-8", errors="replace").splitlines() if text.exists() else []
    evidence = "\n".join(lines[:MOST_LINES])
    return case.model_copy(
        update={"outcome": "failed", "message": f"differs in {changed_part(lines)}", "evidence": evidence}
    )


def changed_part(lines: Sequence[str]) -> str:
    """Return the first part of a package that differs, by diffoscope's text: a file, or a member of the package.

    The checksums of a package differ whenever one of its files does.
    """
    names = [line.partition("├── ")[2] for line in lines if "├── " in line]
    parts = [name for name in names if name.startswith("./") and name != "./md5sums"]
    return next(iter([*parts, *names[1:2]]), "its content")


def test(context: StepContext, found: Candidate) -> Findings:
    """Build again and compare."""
    if not environment.find_program("diffoscope"):
        raise missing_program("diffoscope")
    place = context.run.work / NAME
    dsc = found.dsc(found.state.name, context.component_name, place / "source")
    if why := build_again(context, dsc, place / "again"):
        return Findings([Case(suite=NAME, classname="build", name="second build", outcome="failed", message=why)], "")
    pool = [
        found.reader.file(each["Filename"], each["SHA256"], place / "ours")
        for each in found.packages(context.component_name)
    ]
    cases = [compare(context, path, place / "again" / path.name) for path in pool]
    return Findings(
        cases,
        f"{len(cases)} packages are the same in another environment",
        lenient=frozenset(case.id for case in cases),
        prefix={"unstable": "not reproducible: "},
        facts={"differing": [case.name for case in cases if case.outcome == "failed"]},
    )


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
