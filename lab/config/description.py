"""The typed description of a lab: what `lab.yaml` may say, and what it means when it says nothing.

Frozen models; unknown keys are refused.  `lab.config.loading` reads the file and names the line of what is
wrong.  Names are the field's: series, pocket, component, track, phase (see docs/reference/lab-yaml.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from lab.config.components import Component, ComponentSettings, merge
from lab.config.deployment import Deployment, Tempest
from lab.config.publication import Notifications, Publish
from lab.config.servers import LabJenkinsSettings, Public
from lab.config.types import Identity, Label, SettingsModel, SourceName, Text, WebURL

Trigger = Literal["commit", "proposed", "gerrit"]
Phase = Literal["build", "deploy", "exercise"]

# The steps of each phase, in their order; a step's place is its number in the run directory.
PHASES: Mapping[Phase, tuple[str, ...]] = {
    "build": ("snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "archive", "upload", "push"),
    "deploy": ("deploy", "configure"),
    "exercise": ("exercise", "tempest", "reset"),
}


class Series(SettingsModel):
    """A distribution release that packages are built for."""

    distribution: Literal["debian", "ubuntu"] = "debian"
    codename: Label | None = Field(None, description="The release's codename; default: the series' own name.")
    mirror: Text | None = Field(
        None,
        description="Where apt finds the release. Default: the variable QALAB_MIRROR_DEBIAN or QALAB_MIRROR_UBUNTU, "
        "else the mirror that this machine's own apt uses for the same distribution.",
    )
    pockets: tuple[Label, ...] = Field((), description="Pockets beside the release itself: updates, security ...")
    components: tuple[Label, ...] = Field(("main",), description="Archive areas.")
    architectures: tuple[Label, ...] = Field(("amd64",), description="What packages are built for.")
    keyring: Text | None = Field(None, description="Path of the keyring that signs the mirror; default: the system's.")
    refresh_days: int = Field(7, ge=1, description="A chroot older than this is made anew.")


class Track(SettingsModel):
    """What is tested on what, and when."""

    series: Label
    trigger: Trigger = "commit"
    branch: Text = Field("main", description="The upstream branch that is followed.")
    phases: tuple[Phase, ...] = ("build",)
    components: tuple[SourceName, ...] | None = Field(None, description="Which components; default: all.")
    schedule: Text | None = Field(None, description="Cron line: when upstream, or -proposed, is polled.")
    defaults: ComponentSettings = ComponentSettings()
    exercises: tuple[Label, ...] | None = Field(None, description="What is exercised; default: as the deployment says.")
    tempest: Tempest | None = Field(None, description="Which of Tempest's tests; default: as the deployment says.")

    @model_validator(mode="after")
    def _proposed_is_built_already(self) -> Self:
        if self.trigger == "proposed" and "build" in self.phases:
            message = "a track with trigger proposed tests packages that are built already: leave the phase build out"
            raise ValueError(message)
        if list(self.phases) != sorted(set(self.phases), key=list(PHASES).index):
            message = "phases must be in the order build, deploy, exercise, each once"
            raise ValueError(message)
        return self


class About(SettingsModel):
    """The lab itself."""

    name: Label
    maintainer: Identity
    description: str = ""


class ArchiveSettings(SettingsModel):
    """The lab's package archive."""

    signing_key: Text | None = Field(
        None, description="Fingerprint in the GnuPG home; default: a key made for the lab."
    )
    gnupg_home: Text | None = Field(None, description="Where the key lies; default: in the lab's own state.")
    url: WebURL | None = Field(
        None, description="Where other machines find it, when a web server serves it; nspawn and ssh need none."
    )
    keep: int = Field(
        5,
        ge=1,
        description="How many versions of a source package stay in the pool. A version is deleted when it is not "
        "among the newest keep, OR when it is older than keep_days. The newest version is never deleted.",
    )
    keep_days: int = Field(
        30,
        ge=1,
        description="Days after which a version is deleted from the pool, even when it is among the newest keep. "
        "The newest version is never deleted.",
    )


class RunsSettings(SettingsModel):
    """The run directories on this machine."""

    keep: int = Field(
        5,
        ge=1,
        description="How many runs of a phase, for each component of a track, keep all their files. `qalab tidy` "
        "deletes scratch, built files and logs of nodes of a run when it is not among the newest keep, AND it is "
        "older than keep_days. Records, logs of steps and test results stay.",
    )
    keep_days: int = Field(
        30,
        ge=1,
        description="Days during which a run keeps all its files, however many runs are newer.",
    )


class Lab(SettingsModel):
    """All that `lab.yaml` describes."""

    lab: About
    archive: ArchiveSettings = ArchiveSettings()
    runs: RunsSettings = RunsSettings()
    jenkins: LabJenkinsSettings | None = None
    public: Public | None = None
    series: Mapping[Label, Series] = Field(min_length=1)
    tracks: Mapping[Label, Track] = Field(min_length=1)
    defaults: ComponentSettings = ComponentSettings()
    components: Mapping[SourceName, Component] = Field(min_length=1)
    deployment: Deployment | None = None
    notifications: Notifications = Notifications()
    publish: Publish = Publish()

    def components_of(self, track: str) -> tuple[str, ...]:
        """The names of a track's components, in the order of the file."""
        chosen = self.tracks[track].components
        return tuple(self.components) if chosen is None else chosen

    def exercises_of(self, track: str) -> tuple[str, ...]:
        """What is exercised on a track, by name."""
        own = self.tracks[track].exercises
        return own if own is not None else self.deployment.exercises if self.deployment else ()

    def tempest_of(self, track: str) -> Tempest | None:
        """What Tempest tests on a track; None: nothing."""
        return self.tracks[track].tempest or (self.deployment.tempest if self.deployment else None)

    def component(self, name: str, track: str) -> ComponentSettings:
        """A component as one track sees it.

        The component's word on the track goes first, then its own, the track's defaults, the lab's.
        """
        own = self.components[name]
        layers = (self.defaults, self.tracks[track].defaults, own, own.tracks.get(track))
        return merge(name, self.tracks[track].branch, layers)


def job_name(track: str, component: str, phase: str) -> str:
    """What the job of a phase is called, in its folder: builds have one each component, all else one a track."""
    return f"{track}-{component}-build" if phase == "build" else f"{track}-{phase}"
