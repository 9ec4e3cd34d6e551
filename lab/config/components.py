"""The settings of a component: its upstream, its packaging, and how its packages are built and uploaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from lab.config.package_tests import PackageTests
from lab.config.promotion import After
from lab.config.types import MOST, CommitId, CommitURL, GitURL, Label, SettingsModel, Text

EXAMPLE_GIT = "https://git.example.org/hello.git"


class Branch(SettingsModel):
    """A branch of a git repository."""

    git: GitURL = Field(description="The URL or the absolute path of the repository.", examples=[EXAMPLE_GIT])
    branch: Text = Field(description="The branch.", examples=["main"])


class Upstream(SettingsModel):
    """The project that is packaged."""

    git: GitURL = Field(
        "",
        description="The URL or the absolute path of the upstream repository. Required, here or in `defaults`.",
        examples=["https://git.example.org/{component}.git"],
    )
    branch: Text | None = Field(None, description="The upstream branch. Default: the branch of the track.")
    commit_url: CommitURL | None = Field(
        None,
        description="The page of an upstream commit, to which the site links; `{commit}` is replaced with its ID. "
        "Default: no links.",
        examples=["https://git.example.org/{component}/commit/{commit}"],
    )


class Push(SettingsModel):
    """The destination of the tested packaging branch."""

    git: GitURL = Field(description="The URL or the absolute path of the repository.", examples=[EXAMPLE_GIT])
    branch: Text = Field(description="The branch to push to.", examples=["lab/tested"])
    after: After | None = Field(
        None,
        description="The time of the push. `built`: in the phase build. `tested`: after the promotion of the version, by "
        "`qalab promote`. Default: `tested` in a track with `promotion`, else `built`.",
    )


class Packaging(SettingsModel):
    """The distribution's packaging of a component."""

    git: GitURL = Field(
        "",
        description="The URL or the absolute path of the packaging repository. Required, here or in `defaults`.",
        examples=["https://salsa.debian.org/team/{component}.git"],
    )
    branch: Text | None = Field(
        None,
        description="The packaging branch. Default: the branch that debian/gbp.conf names, or the branch of DEP-14, or "
        "the HEAD of the repository.",
    )
    commit: CommitId | None = Field(
        None,
        description="A commit of the packaging repository that debian/ is taken from, to hold the packaging. It does not "
        "apply if the packaging is in the upstream branch. Default: the tip of the branch.",
        examples=["0123456789abcdef0123456789abcdef01234567"],
    )
    testing: Branch | None = Field(
        None, description="A branch to merge into the packaging branch before the build. Default: none."
    )
    push: Push | None = Field(
        None,
        description="The branch to push the tested packaging branch to, never by force. A branch other than the packaging "
        "branch holds the last push of the lab. Default: no push.",
    )
    drop_merged_patches: bool = Field(
        False, description="Drop patches that upstream has merged, with a line in the changelog."
    )


class OrigComponent(SettingsModel):
    """An additional orig tarball, NAME_VERSION.orig-COMPONENT.tar.xz; see dpkg-source(1), "3.0 (quilt)"."""

    method: Literal["git", "distribution", "omit"] = Field(
        "git",
        description="`git`: from the repository in `git`; `distribution`: the tarball of the newest source package in "
        "the series; `omit`: build the package without it.",
    )
    git: GitURL = Field("", description="git: the URL or the absolute path of the repository.", examples=[EXAMPLE_GIT])
    branch: Text | None = Field(None, description="git: the branch. Default: the HEAD of the repository.")
    tag: Text | None = Field(None, description="git: a tag, instead of a branch. Default: none.", examples=["v7.3.9"])


class Orig(SettingsModel):
    """The orig tarballs."""

    method: Literal["archive", "sdist", "command"] = Field(
        "archive",
        description="`archive`: git archive; `sdist`: the project's own sdist (PEP 517), which PBR projects need, "
        "made in a clean chroot; `command`: the tarball that `orig.command` makes there.",
    )
    command: Text | None = Field(
        None,
        description="command: a shell command that makes one tarball below the current directory. It runs in a clean "
        "chroot, as an ordinary user, in a clone of the repository with its tags. Default: none.",
        examples=["make dist"],
    )
    packages: tuple[Text, ...] = Field(
        (),
        description="command, sdist: the packages to install in the chroot, in the words of Build-Depends. Default for sdist: "
        "the Build-Depends of the packaging.",
        examples=[["automake", "libtool"]],
    )
    components: Mapping[Label, OrigComponent] = Field(
        {},
        description="Additional orig tarballs, by component. Default for each that the packaging needs: "
        "`{method: distribution}`.",
    )
    submodules: Literal["refuse", "include", "omit"] | tuple[Text, ...] = Field(
        "refuse",
        description="What to do with git submodules: `refuse`, `include` or `omit` them, or a list of the paths to include.",
    )
    export_ignore: Literal["honour", "include"] = Field(
        "honour",
        description="archive: `honour` the attribute export-ignore of upstream, or `include` the files that it leaves out.",
    )
    lfs: Literal["refuse", "fetch", "keep"] = Field(
        "refuse",
        description="What to do with Git LFS pointers: `refuse` them, `fetch` the files from the LFS server of the "
        "repository, or `keep` the pointers in place of the files.",
    )


class Versioning(SettingsModel):
    """The upstream version of a snapshot."""

    next: Text | None = Field(
        None,
        description="The release that this branch leads to: the version is NEXT~git... instead of LAST+git...; see "
        "[versions](versions.md). Default: none.",
        examples=["2.13"],
    )
    replace_newer: bool = Field(
        False,
        description="Builds of the lab install this package even if the distribution has a newer version.",
    )
    tag_pattern: Text | None = Field(
        None,
        description="For unusual tags: a regular expression with one group, the version. Default: common forms of tags.",
        examples=["release-(.*)"],
    )


class ContentCheck(SettingsModel):
    """The comparison of new packages with an earlier build."""

    verdict: Literal["failed", "unstable", "off"] = Field(
        "unstable", description="The verdict for a package that has lost content. `off`: no comparison."
    )
    accept: tuple[Text, ...] = Field(
        (),
        description="Intended losses, in the words of the step content; `*` and `?` match any text.",
        examples=[["package gone: foo-doc"]],
    )


class BuildSettings(SettingsModel):
    """The build of packages."""

    profiles: tuple[Label, ...] = Field((), description="DEB_BUILD_PROFILES.", examples=[["nodoc"]])
    options: tuple[Text, ...] = Field((), description="DEB_BUILD_OPTIONS.", examples=[["nocheck", "parallel=2"]])
    timeout_minutes: int = Field(
        120, ge=1, le=MOST, description="The maximum time of a build, in minutes. A build that takes longer fails."
    )
    cross: bool = Field(
        True,
        description="Cross-build the package for the architectures of the series that are not that of the machine. "
        "Without it, these architectures do not have the package.",
    )
    ccache: bool = Field(
        False,
        description="Compile through ccache, with a cache for each component on each machine. It needs schroot mode.",
    )
    tmpfs: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description="Build in memory: the size limit of the build directory, in GiB. It needs schroot mode, and the "
        "chroot of a failed build is not kept. Default: build on the disk.",
        examples=[4],
    )
    lintian_fail_on: tuple[Literal["error", "warning", "info"], ...] = Field(
        (), description="The severities of lintian tags that make a run unstable.", examples=[["error"]]
    )
    content: ContentCheck = Field(ContentCheck(), description="The comparison of new packages with an earlier build.")
    rebuild_dependents: Literal["interface", "always", "never"] = Field(
        "interface",
        description="When a new version of this component rebuilds the components that build-depend on it. `interface`: "
        "if its exported interface has changed (shlibs, symbols, sonames, Provides, ABI packages); `always`: after each "
        "new version; `never`.",
    )
    rebuild_on: tuple[Literal["settings", "base", "series"], ...] = Field(
        ("settings",),
        description="Further reasons to build the newest commit again. `settings`: the settings of the component in "
        "lab.yaml have changed; `base`: the packages of the base chroot have changed in the series; `series`: a direct "
        "build dependency has another version in the series.",
        examples=[["settings", "base", "series"]],
    )
    gate: tuple[Literal["lintian", "content"], ...] = Field(
        ("lintian", "content"),
        description="The steps that must pass before the archive. If one is unstable, the package is held back from "
        "archive, upload and push.",
    )


class Upload(SettingsModel):
    """The upload of source packages with dput."""

    to: Text = Field(
        description="The destination: `ppa:TEAM/NAME`, or the `ftp://`, `sftp://`, `http://`, `https://` or `file://` "
        "URL of an incoming queue.",
        examples=["ppa:team/name"],
    )
    published: Text | None = Field(
        None,
        description="The APT repository that the queue publishes to, as `URL SUITE COMPONENT`. qalab reads it before an "
        "upload, to skip published versions. Default: not checked.",
    )
    after: After | None = Field(
        None,
        description="The time of the upload. `built`: in the phase build. `tested`: after the promotion of the version, by "
        "`qalab promote`. Default: `tested` in a track with `promotion`, else `built`.",
    )


class ComponentSettings(SettingsModel):
    """Settings of a component: in the lab's defaults, a track's defaults, the component, or the component in one track.

    In any text, `{component}` is replaced with the name of the component.
    """

    upstream: Upstream = Field(Upstream(), description="The upstream repository.")
    packaging: Packaging = Field(Packaging(), description="The packaging repository.")
    orig: Orig = Field(Orig(), description="The orig tarball.")
    version: Versioning = Field(Versioning(), description="The upstream version of a snapshot.")
    build: BuildSettings = Field(BuildSettings(), description="The build of packages.")
    test: PackageTests = Field(PackageTests(), description="The tests of packages, in the phase test.")
    upload: Upload | None = Field(None, description="The upload of source packages. Default: no upload.")


class Component(ComponentSettings):
    """One upstream project with its packaging.

    Four levels of settings apply to a component, each overriding the previous one key by key: the lab's `defaults`, the
    track's `defaults`, the component itself, and the component's settings for the track (`tracks: {TRACK: ...}`). In any
    text, qalab replaces `{component}` with the component's name. The component's name is the name of its source package.
    """

    tracks: Mapping[Label, ComponentSettings] = Field(
        {}, description="Settings of the component in single tracks.", examples=[{"trunk": {"build": {"profiles": []}}}]
    )


def merge(name: str, branch: str, layers: Iterable[ComponentSettings | None]) -> ComponentSettings:
    """Return the settings of a component from layers, where each layer overrides those before it key by key.

    ``branch``: the upstream branch where no layer has one.
    """
    merged: dict[str, Any] = {"upstream": {"branch": branch}}
    for layer in layers:
        if layer is not None:
            merged = _overlay(merged, layer.model_dump(exclude_unset=True, exclude={"tracks"}))
    return ComponentSettings.model_validate(_fill_in(merged, name))


def _fill_in(value: Any, component: str) -> Any:
    """Return ``value`` with ``{component}`` replaced in all its texts."""
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
    """Return two mappings merged key by key; any other value of ``above`` replaces the one in ``below``."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _overlay(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged
