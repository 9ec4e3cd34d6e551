"""sbuild: build the binary packages in a clean chroot.

The lab's own archive is an extra repository.

Where the lab is at fault (see `lab.results.sbuild_log`) and another attempt may help, there are three attempts
in all; a full disk is not waited for.  A build that does not end in its time (``timeout_minutes``)
has failed.  Packages for the further architectures of the series are cross-built after those of the machine; the step
passes when all builds have passed.  A package that is for none of the architectures is skipped.

Facts: ``mode`` (schroot, unshare), ``chroot`` (``key``, ``reused``, ``age_days``), ``layer`` (``key``,
``reused``; None without one), ``mirror_date`` (of the newest index of the mirror), ``attempts``, ``status`` and ``fail_stage`` (sbuild's words),
``build_seconds``, ``install_seconds``; those on the chroot are missing where none could be made.  ``installed`` has
the versions of the packages in the chroot, from sbuild's log and the .buildinfo; none where the build did not begin.
A build that passed also has ``new_symbols``.  All of these are of the build for the machine's own architecture, or of
the cross build that failed; ``architectures`` names those that the step has built for.
``chroot_kept`` (the chroot of this failed build is kept for `qalab shell`, see `scripts.chroots.kept_sessions`).
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from debian.deb822 import Changes, Dsc

from lab.base import files
from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.run import TimedOut, Word
from lab.base.text import first_of, plural
from lab.results import sbuild_log
from lab.results.apt_log import FULL
from lab.results.buildinfo import installed_versions
from lab.results.sbuild_log import Reading
from lab.store import step, step_command
from lab.store.step import StepContext, StepOutcome
from scripts.archives.serving import replacing, served
from scripts.chroots import kept_sessions, sbuild_command
from scripts.chroots.bootstrap import Repository, dependencies
from scripts.chroots.build_target import BuildTarget, build_targets
from scripts.chroots.chroots import Chroot, Chroots
from scripts.chroots.sessions import Session

NAME = "sbuild"
NATIVE = "sbuild.build"
ATTEMPTS = 3
MINUTE_SECONDS = 60
BACK_OFF_SECONDS = (10.0, 30.0)
FULL_BYTES = 2**20
KINDS = {".deb": "binary", ".udeb": "binary", ".ddeb": "binary", ".buildinfo": "buildinfo", ".changes": "changes"}


class NoSpace(InfrastructureError):
    """A disk is full, and it does not help to wait."""

    def __init__(self, place: Path) -> None:
        super().__init__(f"{FULL}: the disk of {place}")


def collect(directory: Path, out: Path) -> list[tuple[Path, str]]:
    """Copy what was built to the run, the .changes last; return the files with their kinds.

    Raises InfrastructureError for what is not as the .changes says: sbuild does not see that its disk is full.  Raises
    Failed for a name that leads elsewhere: the build itself can write the .changes.
    """
    found = sorted(directory.glob("*.changes"))
    if len(found) != 1:
        raise InfrastructureError(f"sbuild left {len(found)} .changes files instead of one")
    digests = {item["name"]: item["sha256"] for item in Changes(found[0].read_text()).get("Checksums-Sha256", [])}
    for name, digest in digests.items():
        if "/" in name:
            raise Failed(f"{found[0].name} names {name!r}, which is no name of a file")
        if not (path := directory / name).exists() or files.sha256(path) != digest:
            raise InfrastructureError(f"{name} is not what {found[0].name} says it is")
    return [(_copy(directory / name, out / name), _kind(name)) for name in (*digests, found[0].name)]


def _copy(path: Path, target: Path) -> Path:
    temporary = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(path, temporary)
        return temporary.replace(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise NoSpace(target.parent) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _kind(name: str) -> str:
    return KINDS.get(Path(name).suffix, "other")


def prepare(  # noqa: PLR0913 - what a build needs, by name
    context: StepContext,
    target: BuildTarget,
    session: Session,
    dsc: Path,
    repository: Repository | None,
    *,
    ready: bool,
) -> list[Word]:
    """Copy what sbuild reads to its session, and return its command line; ``ready``: see `sbuild_command.build_argv`."""
    source, settings = session.path / "source", target.settings(context.component.build)
    source.mkdir()
    for name in (dsc.name, *(item["name"] for item in Dsc(dsc.read_text())["Files"])):
        shutil.copyfile(dsc.parent / name, source / name)
    files.write_atomic(
        session.path / "sbuildrc", sbuild_command.configuration(settings, session.way.mode, session.scratch)
    )
    return sbuild_command.build_argv(
        source / dsc.name,
        mode=session.way.mode,
        chroot=session.for_sbuild(sbuild_command.mounts(context.lab.lab.name, context.component_name, settings)),
        codename=context.codename,
        target=target,
        build_dir=session.path / "build",
        profiles=settings.profiles,
        repository=repository,
        keep=kept_sessions.wanted(context, session) > 0,
        more=(*target.toolchain, *sbuild_command.more_packages(settings)),
        ready=ready,
    )


def build(context: StepContext, session: Session, argv: Sequence[Word]) -> str:
    """Run sbuild; return its log, with how it ended as the last line."""
    minutes, mark = context.component.build.timeout_minutes, session.mark(argv)
    env = {"SBUILD_CONFIG": str(session.path / "sbuildrc")}
    try:
        status = session.run(argv, env=env, timeout=MINUTE_SECONDS * minutes, check=False).returncode
    except TimedOut:
        return sbuild_log.timed_out(session.said(mark), minutes)
    return sbuild_log.ended(session.said(mark), status)


def full_disk(context: StepContext, chroots: Chroots) -> Path | None:
    """Return the place where no space is left; None when there is space."""
    places = (context.run.path, chroots.way.home)
    return next((place for place in places if shutil.disk_usage(place).free < FULL_BYTES), None)


def describe(reading: Reading, packages: int, base: Chroot, layer: Chroot | None, symbols: Sequence[str] = ()) -> str:
    """Return the record's message."""
    if reading.verdict != "passed":
        return reading.message
    chroot = "reused" if base.reused else "made"
    kept = (
        "no layer" if layer is None else f"dependencies {'from' if layer.reused else 'kept as'} layer {layer.key[:6]}"
    )
    seconds = reading.summary.get("Build-Time", "?")
    news = f"{plural(len(symbols), 'new symbol')}: {first_of(symbols)}; " if symbols else ""
    return f"built {plural(packages, 'package')} in {seconds} s; {news}chroot {chroot}, {kept}"


def environment_facts(built: Sequence[tuple[Path, str]], log: str) -> dict[str, Any]:
    """Return what a build had installed, and what the libraries of one that passed have gained."""
    texts = (path.read_text(errors="replace") for path, kind in built if kind == "buildinfo")
    versions = [item for text in texts for item in installed_versions(text).items()]
    installed = sbuild_log.package_versions(log) | dict(versions)
    return {"installed": installed} | ({"new_symbols": sbuild_log.new_symbols(log)} if built else {})


def facts(reading: Reading, chroots: Chroots, base: Chroot, layer: Chroot | None) -> dict[str, Any]:
    return {
        "mode": chroots.way.mode,
        "chroot": {"key": base.key, "reused": base.reused, "age_days": base.age_days},
        "layer": {"key": layer.key, "reused": layer.reused} if layer else None,
        "mirror_date": layer.mirror_date if layer else "",
        "status": reading.summary.get("Status", ""),
        "fail_stage": reading.summary.get("Fail-Stage", ""),
        "build_seconds": reading.seconds("build"),
        "install_seconds": reading.seconds("install-deps"),
    }


def build_once(context: StepContext, chroots: Chroots, dsc: Path, target: BuildTarget) -> tuple[StepOutcome, bool]:
    """Build once for an architecture; return the outcome, and whether another attempt may help.

    Raises InfrastructureError when no base can be made, or what was built is not whole.
    """
    settings = target.settings(context.component.build)
    more = (*target.toolchain, *sbuild_command.more_packages(settings))
    control, profiles = dependencies(dsc.read_text(), more), settings.profiles
    track, probe = context.track_name, context.run.info.probe
    suite = context.run.info.onto if context.track.trigger == "review" else track
    held = probe.held if probe else {}
    as_of = datetime.fromisoformat(probe.since) if probe and probe.since else None
    with (
        served(context.lab, suite, replaces=replacing(context.lab, track), held=held) as repository,
        chroots.base(context.series_name, context.series, as_of=as_of) as base,
        chroots.layer(base, control, profiles, repository, target.host) as layer,
        chroots.session(context.run.id, base, layer) as session,
    ):
        ready = layer is not None and layer.ready
        log = build(context, session, prepare(context, target, session, dsc, repository, ready=ready))
        reading = sbuild_log.read(log)
        passed = reading.verdict == "passed"
        full = None if passed else full_disk(context, chroots)
        again = reading.verdict == "error"
        if full or reading.message == FULL:
            reading = replace(reading, verdict="error", message=str(NoSpace(full or chroots.way.home)))
            again = False
        native = (
            context.run.results / "native" / (NATIVE if not target.cross else f"sbuild.{target.architecture}.build")
        )
        if not full:
            files.write_atomic(native, log.encode("utf-8", "surrogateescape"))
        built = collect(session.path / "build", context.run.out) if passed else []
        kept = kept_sessions.keep(context, session, reading)
    packages = sum(kind == "binary" for _, kind in built)
    symbols = sbuild_log.new_symbols(log) if built else []
    outcome = StepOutcome(
        describe(reading, packages, base, layer, symbols),
        version=str(Dsc(dsc.read_text())["Version"]),
        verdict=reading.verdict,
        artifacts=built,
        native=[(native, "sbuild")] if native.exists() else [],
        facts=facts(reading, chroots, base, layer)
        | environment_facts(built, log)
        | ({"chroot_kept": True} if kept else {}),
    )
    return outcome, again


def targets(context: StepContext, dsc: Dsc) -> list[BuildTarget]:
    """Return what this machine builds of a source package; maybe nothing.

    Raises ConfigurationError when lab.yaml wants packages for other machines only.
    """
    machine = step.architecture()
    if machine not in context.series.architectures:
        wanted, hint = (
            ", ".join(context.series.architectures),
            f"series.{context.series_name}.architectures: [{machine}]",
        )
        raise ConfigurationError(f"this machine builds for {machine}, and not for {wanted}", hint=hint)
    return build_targets(context.series, context.component.build, dsc["Architecture"], machine)


def build_target(context: StepContext, chroots: Chroots, dsc: Path, target: BuildTarget) -> StepOutcome:
    """Build for an architecture, with further attempts where the lab is at fault; return the outcome."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            outcome, again = build_once(context, chroots, dsc, target)
        except InfrastructureError as error:
            if FULL in str(error) and not isinstance(error, NoSpace):
                error = NoSpace(full_disk(context, chroots) or chroots.way.home)
            facts = {"mode": chroots.way.mode}
            outcome, again = StepOutcome(str(error), verdict="error", facts=facts), not isinstance(error, NoSpace)
        if not again or attempt == ATTEMPTS:
            break
        pause = BACK_OFF_SECONDS[attempt - 1]
        context.say(f"the lab's fault: {outcome.message}; trying again in {pause:g} seconds")
        time.sleep(pause)
    tried = f" (tried {attempt} times)" if attempt > 1 else ""
    message = f"{target.architecture}: " * target.cross + outcome.message + tried
    context.last_words(f"{outcome.verdict}: {message}")
    return replace(outcome, message=message, facts={**outcome.facts, "attempts": attempt})


def joined(outcomes: Sequence[tuple[BuildTarget, StepOutcome]]) -> StepOutcome:
    """Return the outcome of a step from those of its builds: the last one is the only one that may have failed."""
    failed = outcomes[-1][1].verdict != "passed"
    decisive = outcomes[-1][1] if failed else outcomes[0][1]
    names = [target.architecture for target, _ in outcomes]
    message = decisive.message if failed else "; ".join(outcome.message for _, outcome in outcomes)
    artifacts = [] if failed else [item for _, outcome in outcomes for item in outcome.artifacts]
    return replace(decisive, message=message, artifacts=artifacts, facts={**decisive.facts, "architectures": names})


def action(context: StepContext) -> StepOutcome:
    source = context.earlier("source")
    dsc = next(context.run.path / item.path for item in source.artifacts if item.path.endswith(".dsc"))
    fields = Dsc(dsc.read_text())
    wanted = targets(context, fields)
    if not wanted:
        names = ", ".join(context.series.architectures)
        message = f"not for {names}: the package is for {fields['Architecture']}"
        return StepOutcome(message, version=str(fields["Version"]), verdict="skipped")
    chroots = Chroots.here(context.log)
    sbuild_command.check_mode(context.component_name, context.component.build, chroots.way.mode)
    outcomes = []
    for target in wanted:
        outcomes.append((target, build_target(context, chroots, dsc, target)))
        if outcomes[-1][1].verdict != "passed":
            break
    return joined(outcomes)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
