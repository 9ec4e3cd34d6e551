"""The typed description of a lab: what `lab.yaml` may say, and what it means when it says nothing.

Frozen models; unknown keys are refused.  `lab.loading` reads the file and names the line of what is
wrong.  Names are the field's: series, pocket, component, track, phase (see docs/lab-yaml.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

Trigger = Literal["commit", "proposed", "gerrit"]
Phase = Literal["build", "deploy", "exercise"]

# The steps of each phase, in their order; a step's place is its number in the run directory.
PHASES: Mapping[Phase, tuple[str, ...]] = {
    "build": ("snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "archive", "upload", "push"),
    "deploy": ("deploy",),
    "exercise": ("exercise", "reset"),
}


def _source_package_name(name: str) -> str:
    # Debian policy, section 5.6.1.
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
        message = "not a source package name: lower-case letters, digits, + - ., two or more, first a letter or digit"
        raise ValueError(message)
    return name


def _label(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        message = "not a name: lower-case letters, digits, - and ., first a letter or digit"
        raise ValueError(message)
    return name


def _identity(text: str) -> str:
    if not re.fullmatch(r"[^<>\n]*\S <[^<>@\s]+@[^<>@\s]+>", text):
        message = "not a maintainer: write it as Name <address@host>"
        raise ValueError(message)
    return text


Label = Annotated[str, AfterValidator(_label)]
SourceName = Annotated[str, AfterValidator(_source_package_name)]
Identity = Annotated[str, AfterValidator(_identity)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _repository(url: str) -> str:
    # As git takes it: a scheme, the short form of ssh (host:path), or a path; see git-fetch(1), "GIT URLS".
    if url and ":" not in url and not url.startswith("/"):
        message = "a relative path means another place to each program: write the whole path, or a URL"
        raise ValueError(message)
    return url


def _folder(name: str) -> str:
    # What jenkins.model.Jenkins.checkGoodName() refuses, part by part.
    if any(not part or part in {".", ".."} or re.search(r"[?*\\%!@#$^&|<>\[\]:;]", part) for part in name.split("/")):
        message = "not a folder's name: parts joined by /, none of them empty, . or .., and without ?*\\%!@#$^&|<>[]:;"
        raise ValueError(message)
    return name


def _plain_path(path: str) -> str:
    # It stands in shell lines as it is.
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+", path):
        message = "not a plain absolute path: letters, digits, and _ . + - in its parts, with no / at the end"
        raise ValueError(message)
    return path


def _pattern(text: str) -> str:
    try:
        matches_nothing = re.compile(text).search("")
    except re.error as error:
        message = f"not a regular expression: {error}"
        raise ValueError(message) from None
    if matches_nothing:
        message = "matches an empty text: it must ask for one character at least"
        raise ValueError(message)
    return text


def _host_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])", name):
        message = "not a host's name: letters, digits, - and ., two or more"
        raise ValueError(message)
    return name.lower()


def _web_url(url: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[^\s?#\"'<>\\]*)?", url):
        message = (
            "not a URL that can be linked to: http(s)://HOST[:PORT][/PATH], without a login, a query or a fragment"
        )
        raise ValueError(message)
    return url


def _address(text: str) -> str:
    # RFC 5322, 3.4.1, without quoted strings and comments.
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9][A-Za-z0-9.-]*", text):
        message = "not a mail address: write it as name@host"
        raise ValueError(message)
    return text


def _smtp_server(url: str) -> str:
    if not re.fullmatch(r"smtps?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?", url):
        message = "not a mail server: smtp://HOST[:PORT] or smtps://HOST[:PORT], without a login"
        raise ValueError(message)
    return url


WebURL = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_web_url)]
Address = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_address)]
SMTPServer = Annotated[str, AfterValidator(_smtp_server)]
Pattern = Annotated[str, AfterValidator(_pattern)]
HostName = Annotated[str, AfterValidator(_host_name)]
Folder = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_folder)]
PlainPath = Annotated[str, AfterValidator(_plain_path)]
GitURL = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_repository)]


class Model(BaseModel):
    """A part of the description: immutable, and nothing in it unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Series(Model):
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


class Branch(Model):
    """A branch of a git repository."""

    git: GitURL
    branch: Text


class Upstream(Model):
    """The project that is packaged."""

    git: GitURL = Field("", description="URL or path of the upstream repository.")
    branch: Text | None = Field(None, description="Its branch; default: the track's.")


class Push(Model):
    """Where the tested packaging branch goes."""

    git: GitURL
    branch: Text


class Packaging(Model):
    """The distribution's packaging of a component."""

    git: GitURL = Field("", description="URL or path of the packaging repository.")
    branch: Text | None = Field(None, description="Its branch; default: what its debian/gbp.conf says, else its HEAD.")
    testing: Branch | None = Field(None, description="A branch that is merged into it before the build.")
    push: Push | None = Field(None, description="Where the tested branch is pushed, never by force; off by default.")
    drop_merged_patches: bool = Field(
        False, description="Drop patches that upstream has merged, with a changelog line."
    )


class Orig(Model):
    """How the orig tarball is made."""

    method: Literal["archive", "sdist"] = Field(
        "archive", description="git archive, or the project's own sdist (PEP 517)."
    )
    submodules: Literal["refuse", "include"] = "refuse"
    constraints: tuple[Text, ...] = Field((), description="sdist: pinned versions of what builds it (pbr==6.0.0 ...).")


class Versioning(Model):
    """How a snapshot gets its upstream version."""

    next: Text | None = Field(None, description="The release this branch leads to: NEXT~git... instead of LAST+git...")
    tag_pattern: Text | None = Field(None, description="Regular expression with one group, the version, for odd tags.")


class Build(Model):
    """How packages are built."""

    profiles: tuple[Label, ...] = Field((), description="DEB_BUILD_PROFILES.")
    options: tuple[Text, ...] = Field((), description="DEB_BUILD_OPTIONS.")
    timeout_minutes: int = Field(120, ge=1)
    lintian_fail_on: tuple[Literal["error", "warning", "info"], ...] = Field(
        (), description="Severities of lintian tags that make a run unstable."
    )


class Upload(Model):
    """Where source packages are uploaded, with dput."""

    to: Text = Field(
        description="ppa:team/name, or ftp://, sftp://, http://, https:// or file:// of an incoming queue."
    )
    published: Text | None = Field(
        None, description="deb-style archive that the queue feeds ('URL SUITE COMPONENT'), asked before an upload."
    )


class ComponentSettings(Model):
    """What may be said of a component: by the lab's defaults, a track's, itself, and itself in one track.

    ``{component}`` in any text stands for the component's name.
    """

    upstream: Upstream = Upstream()
    packaging: Packaging = Packaging()
    orig: Orig = Orig()
    version: Versioning = Versioning()
    build: Build = Build()
    upload: Upload | None = None


class Component(ComponentSettings):
    """One upstream project with its packaging."""

    tracks: Mapping[Label, ComponentSettings] = Field({}, description="What single tracks change.")


class Track(Model):
    """What is tested on what, and when."""

    series: Label
    trigger: Trigger = "commit"
    branch: Text = Field("main", description="The upstream branch that is followed.")
    phases: tuple[Phase, ...] = ("build",)
    components: tuple[SourceName, ...] | None = Field(None, description="Which components; default: all.")
    schedule: Text | None = Field(None, description="Cron line: when upstream, or -proposed, is polled.")
    defaults: ComponentSettings = ComponentSettings()

    @model_validator(mode="after")
    def _proposed_is_built_already(self) -> Self:
        if self.trigger == "proposed" and "build" in self.phases:
            message = "a track with trigger proposed tests packages that are built already: leave the phase build out"
            raise ValueError(message)
        if list(self.phases) != sorted(set(self.phases), key=list(PHASES).index):
            message = "phases must be in the order build, deploy, exercise, each once"
            raise ValueError(message)
        return self


class About(Model):
    """The lab itself."""

    name: Label
    maintainer: Identity
    description: str = ""


class Archive(Model):
    """The lab's package archive."""

    signing_key: Text | None = Field(
        None, description="Fingerprint in the GnuPG home; default: a key made for the lab."
    )
    gnupg_home: Text | None = Field(None, description="Where the key lies; default: in the lab's own state.")
    keep: int = Field(5, ge=1, description="Versions of a source package whose files stay.")
    keep_days: int = Field(30, ge=1, description="Older versions beyond the newest are removed after so many days.")


class Jenkins(Model):
    """A Jenkins; its credentials are named here and never given."""

    url: Text
    folder: Folder | None = Field(None, description="The folder that everything lies in; default: the top.")
    credentials: Text = Field("env", description="env (QALAB_JENKINS_USER, _TOKEN), ini:PATH, or keyring:SERVICE.")


class LabJenkins(Jenkins):
    """The lab's own Jenkins, and how its jobs run there (see docs/jenkins.md)."""

    agent: Text = Field("qalab", description="Label of the agents that run builds, deployments and exercises.")
    lab_agent: Text | None = Field(
        None, description="Label of the agent for the lab's own jobs, who may change Jenkins; default: agent."
    )
    home: PlainPath = Field("/srv/qalab", description="Where agents keep a checkout of the lab's own repository.")
    repository: Branch | None = Field(
        None,
        description="The lab's own repository; its changes are applied to Jenkins. Default: not by Jenkins itself.",
    )
    keep_builds: int = Field(100, ge=1, description="Builds that Jenkins remembers of each job.")


class PublicJenkins(Jenkins):
    """The Jenkins that the public sees, and the jobs there that take builds in (see docs/publishing.md)."""

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


class Public(Model):
    """What the public sees."""

    site_url: WebURL | None = Field(None, description="Where the site is published; links lead there.")
    jenkins: PublicJenkins | None = None


class Unit(Model):
    """A service of the deployment: what it is and where it runs."""

    role: Label
    packages: tuple[SourceName, ...] = ()
    to: tuple[int, ...] = (0,)
    options: Mapping[Text, str | int | bool] = {}


class Deployment(Model):
    """What is deployed, shaped as a Juju bundle."""

    target: Literal["nspawn", "juju", "ssh"] = "nspawn"
    applications: Mapping[Label, Unit]
    relations: tuple[tuple[Text, Text], ...] = ()
    exercises: tuple[Label, ...] = ()


class Mail(Model):
    """Mail when something breaks, stays broken, is fixed, or has its first result."""

    to: tuple[Address, ...] = Field((), description="Who gets it; default: the lab's maintainer.")
    upstream_authors: bool = Field(
        False, description="Also those who wrote the commits that came between the last good build and the first bad."
    )
    sender: Identity | None = Field(None, description="Whom it is from; default: the lab's maintainer.")
    server: SMTPServer = Field(
        "smtp://localhost",
        description="smtp://HOST[:PORT], where TLS is begun with STARTTLS: always with a login, else where it is offered; "
        "or smtps://HOST[:PORT].",
    )
    credentials: Text = Field(
        "env", description="env (QALAB_SMTP_USER, _PASSWORD; none: no login), ini:PATH, or keyring:SERVICE."
    )
    remind_days: int = Field(7, ge=1, description="What is still broken is told again after so many days.")
    most_per_hour: int = Field(20, ge=1, description="Beyond so many mails an hour, one mail tells of all the rest.")


class Gerrit(Model):
    """Votes and comments on changes under review."""

    url: WebURL
    label: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = Field(
        "Verified", description="The label that is voted on."
    )
    credentials: Text = Field(
        "env", description="env (QALAB_GERRIT_USER, _PASSWORD: of HTTP), ini:PATH, or keyring:SERVICE."
    )
    ssh: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?$")]
        | None
    ) = Field(None, description="USER@HOST[:PORT]: by SSH instead, with the keys of the user who publishes.")


def _gerrit(said: Any) -> Any:
    return {"url": said} if isinstance(said, str) else said


class Webhook(Model):
    """A JSON POST for each build, signed."""

    url: WebURL
    secret: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = Field(
        "QALAB_WEBHOOK_SECRET", description="The environment variable that holds the key of its HMAC."
    )


class Notifications(Model):
    """Who is told."""

    mail: Mail | None = None
    gerrit: Annotated[Gerrit, BeforeValidator(_gerrit, json_schema_input_type=Gerrit | str)] | None = Field(
        None, description="The Gerrit that gets votes and comments, or its URL alone."
    )
    webhook: Webhook | None = None


class KnownSecret(Model):
    """A secret that must not be published, in whatever form; where it is to be found, never itself."""

    name: Label
    env: Text | None = Field(None, description="The environment variable that holds it.")
    file: PlainPath | None = Field(None, description="The file that holds it; each of its lines counts.")

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            message = "say where the secret is: env: NAME OF A VARIABLE, or file: /PATH"
            raise ValueError(message)
        return self


class HiddenPattern(Model):
    """What else must not be published."""

    name: Label
    pattern: Pattern = Field(
        description="Regular expression, asked line by line; its group named value is hidden, else all of it."
    )
    words: tuple[Text, ...] = Field(
        (), description="Literals; lines with none of them are not looked at, which is fast. Default: every line."
    )


class LogLimits(Model):
    """How much of a log is published, in bytes."""

    first: int = Field(1_000_000, ge=0)
    last: int = Field(4_000_000, ge=0)
    line: int = Field(8_192, ge=80, le=65_536)


class Publish(Model):
    """What may become public.  What is on no list here is not published."""

    jobs: tuple[Text, ...] = Field((), description="Patterns (as of a shell) of TRACK/COMPONENT/PHASE, or of a job.")
    parameters: tuple[Text, ...] = Field((), description="Names of a build's parameters, or patterns of them.")
    artifacts: tuple[Text, ...] = Field(
        ("*.buildinfo", "*.changes", "*.dsc"),
        description="Patterns of files that are published whole, redacted; of all others only name, size and digest.",
    )
    secrets: tuple[KnownSecret, ...] = ()
    patterns: tuple[HiddenPattern, ...] = ()
    hosts: tuple[HostName, ...] = Field((), description="Names of private machines.")
    domains: tuple[HostName, ...] = Field((), description="Domains all of whose names are private.")
    emails: Literal["hide", "show"] = Field("hide", description="What stands before the @ of an address.")
    logs: LogLimits = LogLimits()
    timeout_minutes: int = Field(10, ge=1, description="A build that takes longer to redact is held back.")


class Lab(Model):
    """All that `lab.yaml` describes."""

    lab: About
    archive: Archive = Archive()
    jenkins: LabJenkins | None = None
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
