"""The typed description of a lab: the keys of `lab.yaml` and their defaults.

The models are frozen and refuse unknown keys.  `lab.config.loading` reads the file and names the line of an error.
The descriptions of the keys are also their documentation: `lab.config.reference` writes them to
docs/reference/lab-yaml.md, and `lab.config.loading.schema` to docs/lab.schema.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, PrivateAttr, field_validator, model_validator

from lab.config.about import About
from lab.config.archive_settings import ArchiveSettings
from lab.config.bisection import BisectionSettings
from lab.config.components import Component, ComponentSettings, merge
from lab.config.deployment import Deployment, ExerciseChoice, Tempest
from lab.config.machines import BareMachine, LabServer
from lab.config.package_tests import TestStep
from lab.config.promotion import After, PromotionSettings
from lab.config.publication import KnownSecret, Notifications, Publish
from lab.config.reviews import ReviewServer
from lab.config.runs import RunsSettings
from lab.config.series_archives import SeriesArchive
from lab.config.servers import LabJenkinsSettings, Public
from lab.config.types import MOST, Architectures, Label, Schedule, SettingsModel, SourceName, Text

Trigger = Literal["commit", "proposed", "review"]
Phase = Literal["build", "test", "deploy", "exercise"]

# The steps of each phase, in their order; a step's place is its number in the run directory.
PHASES: Mapping[Phase, tuple[str, ...]] = {
    "build": (
        "snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "content", "archive", "upload", "push",
    ),
    "test": get_args(TestStep),
    "deploy": ("deploy", "configure"),
    "exercise": ("exercise", "tempest", "reset"),
}  # fmt: skip
# The phases with a job for each component; a later phase has one job for the whole track.
COMPONENT_PHASES: frozenset[Phase] = frozenset({"build", "test"})


class Series(SettingsModel):
    """A distribution release that packages are built for."""

    distribution: Literal["debian", "ubuntu"] = Field("debian", description="The distribution of the release.")
    codename: Label | None = Field(
        None, description="The codename of the release. Default: the name of the series.", examples=["bookworm"]
    )
    mirror: Text | None = Field(
        None,
        description="The APT mirror of the release. Default: the variable QALAB_MIRROR_DEBIAN or QALAB_MIRROR_UBUNTU; "
        "without the variable, this machine's APT mirror if the machine runs the same distribution.",
        examples=["http://mirror.example.org/debian"],
    )
    pockets: tuple[Label, ...] = Field(
        (), description="Pockets in addition to the release.", examples=[["updates", "security", "backports"]]
    )
    components: tuple[Label, ...] = Field(("main",), description="Archive areas.", examples=[["main", "universe"]])
    archives: tuple[SeriesArchive, ...] = Field(
        (),
        description="Archives beside the mirror whose packages belong to the series, such as Ubuntu's cloud archive. "
        "apt takes the newest version of all.",
    )
    architectures: Architectures = Field(
        ("amd64",),
        description="The architectures to build for. That of the build machines must be one of them; packages for the "
        "others are cross-built and need a mirror that has all of them.",
        examples=[["amd64", "arm64"]],
    )
    keyring: Text | None = Field(
        None, description="The path of the keyring that signs the mirror. Default: the keyring of the system."
    )
    refresh_days: int = Field(
        7, ge=1, le=MOST, description="The maximum age of a chroot, in days. qalab recreates an older chroot."
    )


class Track(SettingsModel):
    """What is tested on what, and when: a branch, a series, a trigger and phases."""

    series: Label = Field(description="The series that the track builds for, a key of `series`.")
    trigger: Trigger = Field(
        "commit",
        description="The start of a run. `commit`: each upstream commit; `proposed`: packages that wait in a -proposed "
        "pocket; `review`: a change under review, merged onto the tip of the branch.",
    )
    review_server: Label | None = Field(
        None,
        description="The server with the changes of a track with the trigger `review`, a key of `reviews`. Default: the "
        "only one.",
        examples=["opendev"],
    )
    onto: Label | None = Field(
        None,
        description="The label of the archive whose packages a change under review is built and deployed with, such as "
        "`TRACK-tested`. Default: none, the packages of the series alone.",
        examples=["trunk-tested"],
    )
    branch: Text = Field("main", description="The upstream branch to follow.")
    phases: tuple[Phase, ...] = Field(
        ("build",),
        description="The phases, in the order build, test, deploy, exercise. The phase test needs the phase build. A "
        "track with the trigger `proposed` has neither.",
        examples=[["build", "test", "deploy", "exercise"]],
    )
    components: tuple[SourceName, ...] | None = Field(
        None, description="The components of the track, keys of `components`. Default: all components."
    )
    waits_for: tuple[SourceName, ...] = Field(
        (),
        description="Source packages besides the components whose updates a track with the trigger `proposed` tests: "
        "what the deployment needs. They need no entry in `components`.", examples=[["libvirt", "rabbitmq-server"]],
    )  # fmt: skip
    whole_pocket: bool = Field(
        False,
        description="The run of all updates together takes everything that waits in the pocket, as a point release of "
        "Debian does, on a track with the trigger `proposed`. Default: the updates and what must go with them.",
    )
    labels: tuple[Label, ...] = Field(
        ("tested",),
        description="The labels of the track that move by promotion, without the track's name: `tested` is the suite "
        "TRACK-tested. The label TRACK is always the newest state.",
        examples=[["tested", "stable"]],
    )
    schedule: Schedule | None = Field(
        None,
        description="Jenkins cron line for polling upstream or -proposed. Default: `H/15 * * * *`. "
        "An empty one: no polling; jobs start by hand, or by a hook.",
    )
    defaults: ComponentSettings = Field(ComponentSettings(), description="Settings of every component in this track.")
    deployment: Label | None = Field(
        None, description="The deployment of this track, a key of `deployments`. Default: `deployment`."
    )
    exercises: tuple[ExerciseChoice, ...] | None = Field(
        None, description="The exercises of this track. Default: those of its deployment."
    )
    settle_seconds: int | None = Field(
        None,
        ge=0,
        le=MOST,
        description="The time during which services must keep running after their start, in seconds. Default: that of "
        "its deployment.",
    )
    tempest: Tempest | None = Field(
        None, description="The Tempest tests of this track. Default: those of its deployment."
    )
    promotion: PromotionSettings | None = Field(
        None,
        description="The automatic promotion of a label. Default: the labels move by hand only.",
        examples=[{"votes": ["staging"]}],
    )

    @field_validator("series", mode="before")
    @classmethod
    def _check_series(cls, value: object) -> object:
        if isinstance(value, list):
            raise ValueError("a track has one series; describe a track for each")  # noqa: TRY004 - pydantic reports it
        return value

    @model_validator(mode="after")
    def _check_promotion(self) -> Self:
        if self.promotion is None:
            return self
        if self.trigger != "commit":
            raise ValueError("promotion: only a track with the trigger commit has states to promote")
        if self.promotion.label not in self.labels:
            raise ValueError(f"promotion.label: {self.promotion.label} is none of labels: {', '.join(self.labels)}")
        if wrong := [name for name in self.promotion.criteria or () if name not in self.phases]:
            raise ValueError(f"promotion.criteria: {wrong[0]} is none of phases: {', '.join(self.phases)}")
        return self

    @model_validator(mode="after")
    def _check_review(self) -> Self:
        if self.trigger == "review" and "build" not in self.phases:
            raise ValueError("the trigger review tests what the phase build makes of a change: add build to phases")
        if self.trigger != "review" and (self.review_server or self.onto):
            raise ValueError("review_server, onto: only a track with the trigger review has them")
        return self

    @model_validator(mode="after")
    def _check_phases(self) -> Self:
        if (self.waits_for or self.whole_pocket) and self.trigger != "proposed":
            key = "waits_for" if self.waits_for else "whole_pocket"
            raise ValueError(f"{key}: only a track with the trigger proposed tests what others have built")
        if self.trigger == "proposed" and "build" in self.phases:
            message = "a track with trigger proposed tests packages that are built already: leave the phase build out"
            raise ValueError(message)
        if list(self.phases) != sorted(set(self.phases), key=list(PHASES).index):
            raise ValueError(f"phases must be in the order {', '.join(PHASES)}, each once")
        if "test" in self.phases and "build" not in self.phases:
            raise ValueError("the phase test tests what the phase build has built: add build, or leave test out")
        return self


class Lab(SettingsModel):
    """The description of a lab."""

    lab: About = Field(description="The name of the lab, and its maintainer.")
    archive: ArchiveSettings = Field(ArchiveSettings(), description="The lab's package archive on this machine.")
    runs: RunsSettings = Field(RunsSettings(), description="The runs on this machine.")
    bisection: BisectionSettings = Field(
        BisectionSettings(), description="The search for the change that broke a test."
    )
    jenkins: LabJenkinsSettings | None = Field(
        None, description="The lab's own Jenkins. Default: the lab has no Jenkins, and runs start with `qalab run`."
    )
    public: Public | None = Field(None, description="The public site and the public Jenkins. Default: neither.")
    series: Mapping[Label, Series] = Field(
        min_length=1, description="The distribution releases to build for, each with its name.",
        examples=[{"bookworm": {}}],
    )  # fmt: skip
    tracks: Mapping[Label, Track] = Field(
        min_length=1, description="The tracks, each with its name.",
        examples=[{"trunk": {"series": "bookworm", "branch": "main"}}],
    )  # fmt: skip
    defaults: ComponentSettings = Field(ComponentSettings(), description="Settings of every component.")
    components: Mapping[SourceName, Component] = Field(
        min_length=1, description="The components; the name of a component is the name of its source package."
    )
    deployment: Deployment | None = Field(
        None,
        description="The applications to deploy. Default: the phase deploy of a track installs each component by "
        "itself.",
    )
    deployments: Mapping[Label, Deployment] = Field(
        {}, description="Deployments of tracks that have another one than `deployment`, each with its name.",
        examples=[{"charms": {"target": "juju", "applications": {"keystone": {"role": "keystone"}}}}],
    )  # fmt: skip
    reviews: Mapping[Label, ReviewServer] = Field(
        {}, description="The servers with changes under review, each with its name. Default: none.",
        examples=[{"opendev": {"forge": "gerrit", "url": "https://review.example.org/", "trusted": ["*"]}}],
    )  # fmt: skip
    machines: Mapping[Label, BareMachine] = Field(
        {}, description="Bare machines, each with its name: `qalab machine` holds them and switches their power."
    )
    lab_server: LabServer | None = Field(None, description="The server that bare machines boot from. Default: none.")
    notifications: Notifications = Field(
        Notifications(), description="Messages about results. Each notification is off until its key exists."
    )
    publish: Publish = Field(
        Publish(), description="The data that can become public. Default: the lab publishes nothing."
    )

    _file: Path = PrivateAttr(Path("lab.yaml"))

    def model_post_init(self, context: Mapping[str, Any] | None) -> None:
        """Keep the path of the file that the description was read from."""
        if context:
            self._file = context["file"]

    @property
    def file(self) -> Path:
        """The lab file, for messages."""
        return self._file

    @property
    def credentials(self) -> tuple[KnownSecret, ...]:
        """The tokens that outputs and watches use, which must not be published."""
        tokens = [(name, server.secret) for name, server in self.reviews.items() if server.forge != "gerrit"]
        own = tuple(KnownSecret(name=f"{name}-token", env=token.env, file=token.file) for name, token in tokens)
        return self.notifications.credentials + own

    def components_of(self, track: str) -> tuple[str, ...]:
        """Return the names of a track's components, in the order of the file, and then what else it waits for."""
        chosen, more = self.tracks[track].components, self.tracks[track].waits_for
        return tuple(dict.fromkeys((*(self.components if chosen is None else chosen), *more)))

    def deployment_of(self, track: str) -> Deployment:
        """Return a track's deployment, with the track's own exercises, settle time and Tempest tests."""
        chosen = self.tracks[track]
        shared = self.deployments[chosen.deployment] if chosen.deployment else self.deployment
        own = {"exercises": chosen.exercises, "settle_seconds": chosen.settle_seconds, "tempest": chosen.tempest}
        return (shared or Deployment(applications={})).model_copy(
            update={key: value for key, value in own.items() if value is not None}
        )

    def component(self, name: str, track: str) -> ComponentSettings:
        """Return the settings of a component in a track.

        The component's settings for the track override its own, the track's defaults, and the lab's, in this order.
        """
        own = self.components.get(name, Component())  # without an entry: a source that the track waits for
        layers = (self.defaults, self.tracks[track].defaults, own, own.tracks.get(track))
        return merge(name, self.tracks[track].branch, layers)


def after(track: Track, chosen: After | None) -> After:
    """Return when a version is uploaded or pushed: by default after the promotion, where the track promotes."""
    return chosen or ("tested" if track.promotion else "built")


def job_name(track: str, component: str, phase: str) -> str:
    """Return the name of a phase's job in its folder: see `COMPONENT_PHASES`."""
    return f"{track}-{component}-{phase}" if phase in COMPONENT_PHASES else f"{track}-{phase}"
