"""The files of jobs/generated/ from lab.yaml: the names, URLs, schedules and numbers for the templates in jobs/.

Jinja2 writes them, as data for Jenkins Job Builder.  The same lab yields the same bytes.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from generator import cron, promotion_job
from generator.jinja import fill
from lab.base import files, resources
from lab.base.errors import ConfigurationError
from lab.config import agents
from lab.config.agents import FIRST_STEP
from lab.config.components import Branch
from lab.config.description import COMPONENT_PHASES, PHASES, Lab, Phase, Track, Trigger, job_name
from lab.config.lab_repository import CHECKOUT
from lab.config.servers import JenkinsSettings, LabJenkinsSettings
from lab.results.ownership_mark import Mark
from lab.store.archive_place import is_apart

GENERATED = "generated"
# Files that are part of qalab.
OWN: Final = ("lab.yaml", "macros.yaml", "templates.yaml")
PUBLIC_OWN: Final = ("public/receivers.yaml", "public/receive.py")
SUFFIX = ".yaml.inc"  # not .yaml: Jenkins Job Builder would read it as jobs if it is recursive
SCHEDULES: Mapping[Trigger, str] = {"commit": "H/15 * * * *", "proposed": "H H/4 * * *"}
OTHER_STEPS_MINUTES = 60
PHASE_MINUTES = 240
PUBLIC = Path("public") / GENERATED
NOTHING = "nothing"  # the macro of this name


@dataclass(frozen=True)
class Job:
    """A job: its template, its name, and the values for the template."""

    template: str
    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A view: ``regex`` is a Java regular expression that matches its jobs."""

    name: str
    about: str
    regex: str


def render(lab: Lab, jobs: Path, phases: Mapping[Phase, Sequence[str]] = PHASES) -> dict[Path, str]:
    """Return the files of ``jobs`` and their texts.

    Raises ConfigurationError for a description that cannot become jobs.
    """
    jenkins = lab.jenkins
    if jenkins is None:
        raise ConfigurationError(f"{lab.file}: jenkins: missing", hint="name the url of the Jenkins that runs the jobs")
    described = [*_folder(lab, jenkins), *_track_jobs(lab), *_lab_jobs(jenkins)]
    views = [*_track_views(lab), View("lab", "The lab's own jobs", "lab-(apply|backup|publish|housekeeping)")]
    _refuse_duplicates(lab.file, "jobs", [job.name for job in described])
    _refuse_duplicates(lab.file, "views", ["all", *(view.name for view in views)])  # Jenkins has a view of this name
    texts = dict(_builders(lab, phases))
    texts |= {
        "defaults": fill(f"defaults{SUFFIX}", values=_defaults(lab, jenkins)),
        "project": fill(f"project{SUFFIX}", lab=lab.lab.name, jobs=described, views=views),
    }
    generated = {jobs / GENERATED / f"{name}{SUFFIX}": text for name, text in sorted(texts.items())}
    return generated | public_files(lab, jobs) | own_files(lab, jobs)


def _builders(lab: Lab, phases: Mapping[Phase, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield the steps of each phase, and those of the job on the machine of the archive."""
    for phase, steps in phases.items():
        first = steps.index(FIRST_STEP) if FIRST_STEP in steps else len(steps)
        own = steps[:first] if is_apart(lab) else steps
        yield phase, fill(f"phase{SUFFIX}", phase=phase, about=f"the phase {phase}", steps=own, begins=True)
        if steps[first:]:
            about = f"the phase {phase} on the machine of the archive"
            yield FIRST_STEP, fill(f"phase{SUFFIX}", phase=FIRST_STEP, about=about, steps=steps[first:], begins=False)


def own_files(lab: Lab, jobs: Path) -> dict[Path, str]:
    """Return the templates and macros for the generated files: a lab's repository contains a copy of qalab's."""
    names = [*OWN, *(PUBLIC_OWN if public_files(lab, jobs) else ())]
    return {jobs / name: resources.path(f"jobs/{name}").read_text(encoding="utf-8") for name in names}


def stale(lab: Lab, jobs: Path) -> list[Path]:
    """Return the files below ``jobs`` that are missing, that differ, or that are left over."""
    texts = render(lab, jobs)
    wrong = [path for path, text in texts.items() if not path.is_file() or path.read_bytes() != text.encode()]
    return sorted([*wrong, *_left_over(jobs, texts)])


def write(lab: Lab, jobs: Path) -> list[Path]:
    """Bring ``jobs`` up to date; return the files that were written or removed."""
    texts, wrong = render(lab, jobs), stale(lab, jobs)
    for path in wrong:
        if path in texts:
            files.write_atomic(path, texts[path])
        else:
            path.unlink()
    return wrong


def _left_over(jobs: Path, texts: Mapping[Path, str]) -> list[Path]:
    found = (path for home in (GENERATED, PUBLIC) for path in (jobs / home).glob(f"*{SUFFIX}"))
    return [path for path in found if path not in texts]


def _checkout(repository: Branch) -> dict[str, Any]:
    """Return the builder that checks out the lab's repository, with its values quoted for the shell."""
    return {"checkout": {"repository": shlex.quote(repository.git), "branch": shlex.quote(repository.branch)}}


def _defaults(lab: Lab, jenkins: LabJenkinsSettings) -> dict[str, Any]:
    return {
        "inside": f"{jenkins.folder}/" if jenkins.folder else "",
        "mark": str(Mark(lab.lab.name, "")),
        "command": jenkins.command,
        "checkout": _checkout(jenkins.repository) if jenkins.repository else NOTHING,
        "lab-file": shlex.quote(f"{CHECKOUT if jenkins.repository else jenkins.home}/{lab.file.name}"),
        "agent": jenkins.agent,
        "lab-agent": agents.label(jenkins, "lab"),
        "target": f"{lab.lab.name}-{lab.deployment.target if lab.deployment else 'target'}",
        "keep-builds": jenkins.keep_builds,
        "keep-artifact-days": jenkins.keep_artifact_days,
    }


def public_files(lab: Lab, jobs: Path) -> dict[Path, str]:
    """Return the files of ``jobs``/public: the public Jenkins has one receiver job for each job with results."""
    jenkins = lab.public.jenkins if lab.public else None
    if jenkins is None:
        return {}
    values = {
        "inside": f"{jenkins.folder}/" if jenkins.folder else "",
        "mark": str(Mark(lab.lab.name, "")),
        "agent": jenkins.agent,
        "keep-builds": jenkins.keep_builds,
    }
    receivers = {
        job_name(track, component, phase): f"{component if phase in COMPONENT_PHASES else 'Phase'} {phase} on {track}"
        for track, described in lab.tracks.items()
        for phase in described.phases
        for component in lab.components_of(track)
    }
    made = [*_folder(lab, jenkins)]
    made += [Job(jenkins.receiver, name, {"receiver": name, "about": what}) for name, what in receivers.items()]
    return {
        jobs / PUBLIC / f"defaults{SUFFIX}": fill(f"defaults{SUFFIX}", values=values),
        jobs / PUBLIC / f"receivers{SUFFIX}": fill(f"receivers{SUFFIX}", lab=lab.lab.name, jobs=made),
    }


def _folder(lab: Lab, jenkins: JenkinsSettings) -> Iterator[Job]:
    if jenkins.folder and jenkins.create_folder:
        yield Job("folder", "", {"path": jenkins.folder, "about": lab.lab.description or f"The lab {lab.lab.name}"})


def _refuse_duplicates(file: Path, what: str, names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        hint = "rename a track or a component"
        raise ConfigurationError(f"{file}: tracks: two {what} would have the name {twice[0]}", hint=hint)


def _track_jobs(lab: Lab) -> Iterator[Job]:
    for name, track in lab.tracks.items():
        later = _later(track)
        if "build" in track.phases:
            yield from _watch(lab, name)
            for component in lab.components_of(name):
                tested = "test" in track.phases
                then = {"phase": {"job": job_name(name, component, "test")}} if tested else _next(name, later)
                yield from _build(lab, name, component, then)
                if tested:
                    yield _test(lab, name, component, _next(name, later))
        for place, phase in enumerate(later):
            starts = phase == track.phases[0] and track.trigger != "gerrit"
            values = {
                "track": name,
                "minutes": PHASE_MINUTES,
                "trigger": {"timer": {"schedule": _schedule(lab.file, name, track)}} if starts else NOTHING,
                "next": _next(name, later[place + 1 :], there=True),
                **_agent(lab, name, "deploy"),
            }
            yield Job(phase, job_name(name, "", phase), values)
        yield from _promote(lab, name)


def _later(track: Track) -> list[Phase]:
    """Return the phases of the whole track, without the phase of each component."""
    return [phase for phase in track.phases if phase not in COMPONENT_PHASES]


def _next(track: str, phases: Sequence[Phase], *, there: bool = False) -> Any:
    """Return the publisher that starts the next phase; ``there``: on the same agent, which has the deployment."""
    return {"phase-there" if there else "phase": {"job": f"{track}-{phases[0]}"}} if phases else NOTHING


def _agent(lab: Lab, track: str, role: agents.Role) -> dict[str, str]:
    """Return the value ``agent`` of a job whose label is not that of all jobs."""
    assert lab.jenkins  # noqa: S101 - there are jobs
    found = agents.label_of_track(lab, lab.jenkins, track, role)
    return {"agent": found} if found != lab.jenkins.agent else {}


def _build(lab: Lab, track_name: str, component: str, then: Any) -> Iterator[Job]:
    """Yield the job of a build; where another machine has the archive, also the job there."""
    track, seen = lab.tracks[track_name], lab.component(component, track_name)
    values: dict[str, Any] = {"track": track_name, "component": component}
    if track.trigger == "gerrit":
        branch = seen.upstream.branch or track.branch
        # The publisher votes, after a build is public.
        trigger: Any = {"review": {"project": project(seen.upstream.git), "branch": branch, "silent": True}}
        values |= {"commit": "GERRIT_REFSPEC", "parameters": NOTHING, "trigger": trigger}
    else:  # the job of `_watch` starts it
        values |= {"commit": "COMMIT", "parameters": "what-to-build", "trigger": NOTHING}
    values |= {"minutes": seen.build.timeout_minutes + OTHER_STEPS_MINUTES}
    values |= _agent(lab, track_name, "build")
    name = job_name(track_name, component, "build")
    if not is_apart(lab):
        yield Job("build", name, values | {"next": then})
        return
    importer = agents.archive_job(track_name, component)
    to_archive = {"to-archive": {"job": importer, "commit": values["commit"]}}
    yield Job("build-for-archive", name, values | {"next": to_archive})
    own = {"track": track_name, "component": component, "minutes": OTHER_STEPS_MINUTES, "next": then}
    assert lab.jenkins  # noqa: S101 - `is_apart`
    yield Job("archive", importer, own | {"agent": agents.label(lab.jenkins, "archive")})


def _test(lab: Lab, track: str, component: str, then: Any) -> Job:
    minutes = lab.component(component, track).test.timeout_minutes + OTHER_STEPS_MINUTES
    values = {"track": track, "component": component, "minutes": minutes, "next": then, **_agent(lab, track, "build")}
    return Job("test", job_name(track, component, "test"), values)


def _watch(lab: Lab, name: str) -> Iterator[Job]:
    """Yield the job that starts the builds of a track; Gerrit starts those of changes under review."""
    if lab.tracks[name].trigger == "commit":
        values = {"track": name, "schedule": _schedule(lab.file, name, lab.tracks[name])}
        yield Job("watch", f"{name}-watch", values)


def _promote(lab: Lab, name: str) -> Iterator[Job]:
    """Yield the job that moves the label of a track, where the track promotes."""
    if values := promotion_job.values(lab, name):
        yield Job("promote", f"{name}-promote", values)


def _lab_jobs(jenkins: LabJenkinsSettings) -> Iterator[Job]:
    if jenkins.repository:
        where = {"git": jenkins.repository.git, "branch": jenkins.repository.branch}
        yield Job("lab-apply", "lab-apply", where)
    yield Job("lab-backup", "lab-backup", {})
    yield Job("lab-publish", "lab-publish", {})
    yield Job("lab-housekeeping", "lab-housekeeping", {})


def _track_views(lab: Lab) -> Iterator[View]:
    for name, track in lab.tracks.items():
        own = [f"{name}-{phase}" for phase in _later(track)]
        if "build" in track.phases:
            # By name: a job that begins with trunk- can belong to another track, such as trunk-noble.
            kinds: list[str] = [phase for phase in track.phases if phase in COMPONENT_PHASES]
            kinds += ["archive"] if is_apart(lab) else []
            suffix = f"({'|'.join(kinds)})" if len(kinds) > 1 else kinds[0]
            own += [f"{name}-({'|'.join(lab.components_of(name))})-{suffix}"]
            own += [job.name for job in (*_watch(lab, name), *_promote(lab, name))]
        about = f"{track.branch} on {track.series}, by {track.trigger}"
        yield View(name, about, re.sub(r"[.+]", r"\\\g<0>", "|".join(own)))


def _schedule(file: Path, name: str, track: Track) -> str:
    schedule = track.schedule or SCHEDULES[track.trigger]
    if problem := cron.complaint(schedule):
        raise ConfigurationError(f"{file}: tracks.{name}.schedule: Jenkins would refuse {problem}")
    return schedule


def project(git: str) -> str:
    """Return the Gerrit project of a repository: the path of its URL."""
    path = urlsplit(git).path if "://" in git else git.partition(":")[2] or git
    # Gerrit serves authenticated HTTP below /a/; see its documentation on access to repositories.
    return re.sub(r"^a/", "", path.strip("/")).removesuffix(".git")
