"""The jobs and views of tracks: their templates, names and values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator import cron
from lab.base.errors import ConfigurationError
from lab.config import agents
from lab.config.description import COMPONENT_PHASES, Lab, Phase, Track, Trigger, job_name
from lab.store.archive_place import is_apart

SCHEDULES: Mapping[Trigger, str] = {"commit": "H/15 * * * *", "proposed": "H/15 * * * *", "review": "H/5 * * * *"}
NEWS: Mapping[Trigger, str] = {
    "commit": "new commit of upstream, of the packaging and of the testing branch",
    "proposed": "content of the -proposed pocket, one after the other",
    "review": "open change that is to be tested",
}
"""What starts a build of a track."""
OTHER_STEPS_MINUTES = 60
PHASE_MINUTES = 240
PROMOTION_MINUTES = 1440  # several deployments; a promotion that is aborted is continued by the next one
SEARCH_MINUTES = 1440  # likewise: the next call with the same component continues it
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


def track_jobs(lab: Lab) -> Iterator[Job]:
    """Yield the jobs of all tracks.  Raises ConfigurationError for a schedule that Jenkins would refuse."""
    for name, track in lab.tracks.items():
        later = _later(track)
        yield from _watch(lab, name)
        if "build" in track.phases:
            for component in lab.components_of(name):
                tested = "test" in track.phases
                then = {"phase": {"job": job_name(name, component, "test")}} if tested else _next(name, later)
                yield from _build(lab, name, component, then)
                if tested:
                    yield _test(lab, name, component, _next(name, later, recorded=_records(lab, name)))
        for place, phase in enumerate(later):
            starts = phase == track.phases[0] and track.trigger == "commit"
            values = {
                "track": name,
                "minutes": PHASE_MINUTES,
                "trigger": {"timer": {"schedule": _schedule(lab.file, name, track)}} if starts else NOTHING,
                "next": _next(name, later[place + 1 :], recorded=_records(lab, name), there=True),
                "copied": _copied(lab, name),
                **_agent(lab, name, "deploy"),
            }
            yield Job(phase, job_name(name, "", phase), values)
        yield from _promote(lab, name)
        yield from _bisect(lab, name)


def _later(track: Track) -> list[Phase]:
    """Return the phases of the whole track, without the phase of each component."""
    return [phase for phase in track.phases if phase not in COMPONENT_PHASES]


def _next(track: str, phases: Sequence[Phase], *, recorded: bool = False, there: bool = False) -> Any:
    """Return the publisher that starts the next phase; ``there``: on the same agent, which has the deployment.

    ``recorded``: it also starts the job that records the results.
    """
    names = ["recorded"] * recorded + ["phase-there" if there else "phase"] * bool(phases)
    values = ({"track": track} if recorded else {}) | ({"job": f"{track}-{phases[0]}"} if phases else {})
    return {"-and-".join(names): values} if names else NOTHING


def _records(lab: Lab, track: str) -> bool:
    """Return whether the machine of the archive records the results of a track, for its promotions."""
    return bool(is_apart(lab) and lab.tracks[track].promotion)


def _copied(lab: Lab, track: str) -> Any:
    """Return the property of the jobs whose results are recorded: who may copy them."""
    return {"copied": {"job": f"{track}-results"}} if _records(lab, track) else NOTHING


def _agent(lab: Lab, track: str, role: agents.Role) -> dict[str, str]:
    """Return the value ``agent`` of a job whose label is not that of all jobs."""
    assert lab.jenkins  # noqa: S101 - there are jobs
    found = agents.label_of_track(lab, lab.jenkins, track, role)
    return {"agent": found} if found != lab.jenkins.agent else {}


def _build(lab: Lab, track_name: str, component: str, then: Any) -> Iterator[Job]:
    """Yield the job of a build; where another machine has the archive, also the job there."""
    seen = lab.component(component, track_name)
    # The job of `_watch` starts it.
    values: dict[str, Any] = {
        "track": track_name,
        "component": component,
        "minutes": seen.build.timeout_minutes + OTHER_STEPS_MINUTES,
    }
    values |= _agent(lab, track_name, "build")
    name = job_name(track_name, component, "build")
    if not is_apart(lab):
        yield Job("build", name, values | {"next": then})
        return
    importer = agents.archive_job(track_name, component)
    to_archive = {"to-archive": {"job": importer}}
    yield Job("build-for-archive", name, values | {"next": to_archive})
    own = {"track": track_name, "component": component, "minutes": OTHER_STEPS_MINUTES, "next": then}
    assert lab.jenkins  # noqa: S101 - `is_apart`
    yield Job("archive", importer, own | {"agent": agents.label(lab.jenkins, "archive")})


def _test(lab: Lab, track: str, component: str, then: Any) -> Job:
    minutes = lab.component(component, track).test.timeout_minutes + OTHER_STEPS_MINUTES
    values = {"track": track, "component": component, "minutes": minutes, "next": then, "copied": _copied(lab, track)}
    values |= _agent(lab, track, "build")
    return Job("test", job_name(track, component, "test"), values)


def _watch(lab: Lab, name: str) -> Iterator[Job]:
    """Yield the job that starts the builds of a track."""
    track = lab.tracks[name]
    if track.trigger == "proposed" or "build" in track.phases:
        values = {"track": name, "schedule": _schedule(lab.file, name, track), "new": NEWS[track.trigger]}
        yield Job("watch", f"{name}-watch", values)


def _promote(lab: Lab, name: str) -> Iterator[Job]:
    """Yield the jobs that move the label of a track, where the track promotes."""
    if promotion := lab.tracks[name].promotion:
        if problem := cron.complaint(promotion.schedule):
            raise ConfigurationError(f"{lab.file}: tracks.{name}.promotion.schedule: Jenkins would refuse {problem}")
        label = f"{name}-{promotion.label}"
        values = {"track": name, "label": label, "schedule": promotion.schedule, "minutes": PROMOTION_MINUTES}
        if apart := is_apart(lab):
            values["next"] = _next(name, _later(lab.tracks[name]))
        assert lab.jenkins  # noqa: S101 - there are jobs
        agent = {"agent": agents.label(lab.jenkins, "archive")} if apart else _agent(lab, name, "deploy")
        yield Job("promote-apart" if apart else "promote", f"{name}-promote", values | agent)
        if apart:
            yield Job("results", f"{name}-results", {"track": name} | agent)
        if promotion.votes:
            yield Job("vote", f"{name}-vote", {"track": name} | agent)


def _bisect(lab: Lab, name: str) -> Iterator[Job]:
    """Yield the job that searches for culprits, where lab.yaml asks for it."""
    if lab.bisection.job and lab.tracks[name].trigger == "commit" and not is_apart(lab):
        if problem := cron.complaint(lab.bisection.schedule):
            raise ConfigurationError(f"{lab.file}: bisection.schedule: Jenkins would refuse {problem}")
        values = {"track": name, "schedule": lab.bisection.schedule, "most": lab.bisection.minutes}
        yield Job("bisect", f"{name}-bisect", values | {"minutes": SEARCH_MINUTES, **_agent(lab, name, "deploy")})


def track_views(lab: Lab) -> Iterator[View]:
    """Yield a view of the jobs of each track."""
    for name, track in lab.tracks.items():
        own = [f"{name}-{phase}" for phase in _later(track)]
        if "build" in track.phases:
            # By name: a job that begins with trunk- can belong to another track, such as trunk-noble.
            kinds: list[str] = [phase for phase in track.phases if phase in COMPONENT_PHASES]
            kinds += ["archive"] if is_apart(lab) else []
            suffix = f"({'|'.join(kinds)})" if len(kinds) > 1 else kinds[0]
            own += [f"{name}-({'|'.join(lab.components_of(name))})-{suffix}"]
        own += [job.name for job in (*_watch(lab, name), *_promote(lab, name), *_bisect(lab, name))]
        about = f"{track.branch} on {track.series}, by {track.trigger}"
        yield View(name, about, re.sub(r"[.+]", r"\\\g<0>", "|".join(own)))


def _schedule(file: Path, name: str, track: Track) -> str:
    schedule = SCHEDULES[track.trigger] if track.schedule is None else track.schedule
    if problem := cron.complaint(schedule):
        raise ConfigurationError(f"{file}: tracks.{name}.schedule: Jenkins would refuse {problem}")
    return schedule
