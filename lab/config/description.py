"""The typed description of a lab: what `lab.yaml` may say, and what it means when it says nothing.

Frozen models; unknown keys are refused.  `lab.config.loading` reads the file and names the line of what is
wrong.  Names are the field's: series, pocket, component, track, phase (see docs/reference/lab-yaml.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lab.config.deployment import Deployment, Tempest
from lab.config.publication import Notifications, Publish
from lab.config.types import Folder, GitURL, Identity, Label, PlainPath, SettingsModel, SourceName, Text, WebURL

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


class Branch(SettingsModel):
    """A branch of a git repository."""

    git: GitURL
    branch: Text


class Upstream(SettingsModel):
    """The project that is packaged."""

    git: GitURL = Field("", description="URL or path of the upstream repository.")
    branch: Text | None = Field(None, description="Its branch; default: the track's.")


class Push(SettingsModel):
    """Where the tested packaging branch goes."""

    git: GitURL
    branch: Text


class Packaging(SettingsModel):
    """The distribution's packaging of a component."""

    git: GitURL = Field("", description="URL or path of the packaging repository.")
    branch: Text | None = Field(None, description="Its branch; default: what its debian/gbp.conf says, else its HEAD.")
    testing: Branch | None = Field(None, description="A branch that is merged into it before the build.")
    push: Push | None = Field(None, description="Where the tested branch is pushed, never by force; off by default.")
    drop_merged_patches: bool = Field(
        False, description="Drop patches that upstream has merged, with a changelog line."
    )


class OrigComponent(SettingsModel):
    """An additional orig tarball, NAME_VERSION.orig-COMPONENT.tar.xz (dpkg-source(1), "3.0 (quilt)")."""

    method: Literal["git", "distribution", "omit"] = Field(
        "git",
        description="git: from the repository named here; distribution: the one of the newest source package in the "
        "series; omit: the package is built without it.",
    )
    git: GitURL = Field("", description="git: URL or path of the repository.")
    branch: Text | None = Field(None, description="git: its branch; default: its HEAD.")
    tag: Text | None = Field(None, description="git: a tag, instead of a branch.")


class Orig(SettingsModel):
    """How the orig tarballs are made."""

    method: Literal["archive", "sdist", "command"] = Field(
        "archive",
        description="archive: git archive; sdist: the project's own sdist (PEP 517); command: what orig.command makes.",
    )
    command: Text | None = Field(
        None,
        description="command: a shell command that makes one tarball below the current directory (make dist). It runs "
        "in a clean chroot, as an ordinary user, in a clone of the repository.",
    )
    packages: tuple[Text, ...] = Field((), description="command: packages that are installed for it (automake ...).")
    components: Mapping[Label, OrigComponent] = Field(
        {}, description="Additional orig tarballs, by component, for a packaging that needs them."
    )
    submodules: Literal["refuse", "include", "omit"] | tuple[Text, ...] = Field(
        "refuse", description="refuse, include or omit submodules, or a list of the paths to include."
    )
    export_ignore: Literal["honour", "include"] = Field(
        "honour",
        description="archive: honour upstream's attribute export-ignore, or include the files that it leaves out.",
    )
    lfs: Literal["refuse", "keep"] = Field(
        "refuse", description="archive: refuse Git LFS pointers, or keep them as they are in the place of the files."
    )
    constraints: tuple[Text, ...] = Field((), description="sdist: pinned versions of what builds it (pbr==6.0.0 ...).")


class Versioning(SettingsModel):
    """How a snapshot gets its upstream version."""

    next: Text | None = Field(None, description="The release this branch leads to: NEXT~git... instead of LAST+git...")
    tag_pattern: Text | None = Field(None, description="Regular expression with one group, the version, for odd tags.")


class BuildSettings(SettingsModel):
    """How packages are built."""

    profiles: tuple[Label, ...] = Field((), description="DEB_BUILD_PROFILES.")
    options: tuple[Text, ...] = Field((), description="DEB_BUILD_OPTIONS.")
    timeout_minutes: int = Field(120, ge=1)
    lintian_fail_on: tuple[Literal["error", "warning", "info"], ...] = Field(
        (), description="Severities of lintian tags that make a run unstable."
    )


class Upload(SettingsModel):
    """Where source packages are uploaded, with dput."""

    to: Text = Field(
        description="ppa:team/name, or ftp://, sftp://, http://, https:// or file:// of an incoming queue."
    )
    published: Text | None = Field(
        None, description="deb-style archive that the queue feeds ('URL SUITE COMPONENT'), asked before an upload."
    )


class ComponentSettings(SettingsModel):
    """What may be said of a component: by the lab's defaults, a track's, itself, and itself in one track.

    ``{component}`` in any text stands for the component's name.
    """

    upstream: Upstream = Upstream()
    packaging: Packaging = Packaging()
    orig: Orig = Orig()
    version: Versioning = Versioning()
    build: BuildSettings = BuildSettings()
    upload: Upload | None = None


class Component(ComponentSettings):
    """One upstream project with its packaging."""

    tracks: Mapping[Label, ComponentSettings] = Field({}, description="What single tracks change.")


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


class JenkinsSettings(SettingsModel):
    """A Jenkins; its credentials are named here and never given."""

    url: Text
    folder: Folder | None = Field(None, description="The folder that everything lies in; default: the top.")
    credentials: Text = Field("env", description="env (QALAB_JENKINS_USER, _TOKEN), ini:PATH, or keyring:SERVICE.")


class LabJenkinsSettings(JenkinsSettings):
    """The lab's own Jenkins, and how its jobs run there (see docs/how-to/jenkins.md)."""

    agent: Text = Field("qalab", description="Label of the agents that run builds, deployments and exercises.")
    lab_agent: Text | None = Field(
        None, description="Label of the agent for the lab's own jobs, who may change Jenkins; default: agent."
    )
    home: PlainPath = Field("/srv/qalab", description="Where agents keep a checkout of the lab's own repository.")
    repository: Branch | None = Field(
        None,
        description="The lab's own repository; its changes are applied to Jenkins. Default: not by Jenkins itself.",
    )
    keep_builds: int = Field(100, ge=1, description="How many builds of each job Jenkins keeps.")
    keep_artifact_days: int = Field(
        30,
        ge=1,
        description="Days after which Jenkins deletes the artifacts of a build (run.json and results/). The build "
        "itself stays as long as keep_builds says.",
    )


class PublicJenkinsSettings(JenkinsSettings):
    """The Jenkins that the public sees, and the jobs there that take builds in (see docs/how-to/publishing.md)."""

    credentials: Text = Field(
        "env", description="env (QALAB_PUBLIC_JENKINS_USER, _TOKEN), ini:PATH, or keyring:SERVICE."
    )
    agent: Text = Field("built-in", description="Label of the agents that take builds in; they need python3 alone.")
    keep_builds: int = Field(1000, ge=1, description="Builds that it remembers of each job.")
    receiver: Literal["freestyle", "external"] = Field(
        "freestyle",
        description="freestyle: jobs that check and unpack what they are sent, with tests and files; "
        "external: the plugin external-monitor-job, which shows result, log and duration.",
    )


class Public(SettingsModel):
    """What the public sees."""

    site_url: WebURL | None = Field(None, description="Where the site is published; links lead there.")
    jenkins: PublicJenkinsSettings | None = None


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
        merged: dict[str, Any] = {"upstream": {"branch": self.tracks[track].branch}}
        for layer in (self.defaults, self.tracks[track].defaults, own, own.tracks.get(track)):
            if layer is not None:
                merged = _overlay(merged, layer.model_dump(exclude_unset=True, exclude={"tracks"}))
        return ComponentSettings.model_validate(_fill_in(merged, name))


def job_name(track: str, component: str, phase: str) -> str:
    """What the job of a phase is called, in its folder: builds have one each component, all else one a track."""
    return f"{track}-{component}-build" if phase == "build" else f"{track}-{phase}"


def _fill_in(value: Any, component: str) -> Any:
    """``value`` with ``{component}`` replaced in all its texts."""
    match value:
        case str():
            return value.replace("{component}", component)
        case Mapping():
            return {key: _fill_in(item, component) for key, item in value.items()}
        case tuple():
            return tuple(_fill_in(item, component) for item in value)
        case _:
            return value


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged key by key; anything else of ``above`` replaces what is below."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _overlay(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged
