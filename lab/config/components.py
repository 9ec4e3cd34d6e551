"""The settings of a component: its upstream, its packaging, and how its packages are built and uploaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from lab.config.types import GitURL, Label, SettingsModel, Text


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


class Orig(SettingsModel):
    """How the orig tarball is made."""

    method: Literal["archive", "sdist"] = Field(
        "archive", description="git archive, or the project's own sdist (PEP 517)."
    )
    submodules: Literal["refuse", "include"] = "refuse"
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
