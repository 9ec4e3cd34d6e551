"""The files of jobs/generated/ from lab.yaml: the names, URLs, schedules and numbers for the templates in jobs/.

Jinja2 writes them, as data for Jenkins Job Builder.  The same lab yields the same bytes.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from generator import casc
from generator.jinja import fill
from generator.track_jobs import NOTHING, Job, View, track_jobs, track_views
from lab.base import files, resources
from lab.base.errors import ConfigurationError
from lab.config import agents
from lab.config.agents import FIRST_STEP
from lab.config.components import Branch
from lab.config.description import COMPONENT_PHASES, PHASES, Lab, Phase, job_name
from lab.config.lab_repository import CHECKOUT
from lab.config.servers import JenkinsSettings, LabJenkinsSettings
from lab.results.ownership_mark import Mark
from lab.store.archive_place import is_apart

GENERATED = "generated"
# Files that are part of qalab.
OWN: Final = ("lab.yaml", "macros.yaml", "templates.yaml")
PUBLIC_OWN: Final = ("public/receivers.yaml", "public/receive.py")
SUFFIX = ".yaml.inc"  # not .yaml: Jenkins Job Builder would read it as jobs if it is recursive
PUBLIC = Path("public") / GENERATED


def render(lab: Lab, jobs: Path, phases: Mapping[Phase, Sequence[str]] = PHASES) -> dict[Path, str]:
    """Return the files of ``jobs`` and their texts.

    Raises ConfigurationError for a description that cannot become jobs.
    """
    jenkins = lab.jenkins
    if jenkins is None:
        raise ConfigurationError(f"{lab.file}: jenkins: missing", hint="name the url of the Jenkins that runs the jobs")
    described = [*_folder(lab, jenkins), *track_jobs(lab), *_lab_jobs(jenkins)]
    views = [*track_views(lab), View("lab", "The lab's own jobs", "lab-(apply|backup|publish|housekeeping)")]
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
        "inside": jenkins.inside,
        "mark": str(Mark(lab.lab.name, "")),
        "command": jenkins.command,
        "checkout": _checkout(jenkins.repository) if jenkins.repository else NOTHING,
        "lab-file": shlex.quote(f"{CHECKOUT if jenkins.repository else jenkins.home}/{lab.file.name}"),
        "agent": jenkins.agent,
        "lab-agent": agents.label(jenkins, "lab"),
        "target": casc.category_name(lab),
        "keep-builds": jenkins.keep_builds,
        "keep-artifact-days": jenkins.keep_artifact_days,
    }


def public_files(lab: Lab, jobs: Path) -> dict[Path, str]:
    """Return the files of ``jobs``/public: the public Jenkins has one receiver job for each job with results."""
    jenkins = lab.public.jenkins if lab.public else None
    if jenkins is None:
        return {}
    values = {
        "inside": jenkins.inside,
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


def _lab_jobs(jenkins: LabJenkinsSettings) -> Iterator[Job]:
    if jenkins.repository:
        where = {"git": jenkins.repository.git, "branch": jenkins.repository.branch}
        yield Job("lab-apply", "lab-apply", where)
    yield Job("lab-backup", "lab-backup", {})
    yield Job("lab-publish", "lab-publish", {})
    yield Job("lab-housekeeping", "lab-housekeeping", {})
