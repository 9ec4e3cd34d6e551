"""The causes of a build other than commits: what differs between the inputs of the last build and those of now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from lab.base.text import first_of
from lab.config.description import Lab
from lab.store.records import Cause, RunInputs

# Settings that change neither what is built nor the verdict of a build.
IRRELEVANT: Final[Any] = {
    "upload": True,
    "upstream": {"commit_url"},
    "packaging": {"push"},
    "build": {"rebuild_dependents", "rebuild_on", "ccache", "tmpfs"},
}


def settings_digests(lab: Lab, track: str, component: str) -> dict[str, str]:
    """Return the digest of each group of settings that a build of a component depends on.

    Defaults are not part of it: a new key of a new qalab rebuilds nothing.
    """
    settings = lab.component(component, track).model_dump(mode="json", exclude_unset=True, exclude=IRRELEVANT)
    name = lab.tracks[track].series
    fields = {"distribution", "codename", "pockets", "components", "archives", "architectures"}
    series = lab.series[name].model_dump(mode="json", exclude_unset=True, include=fields)
    groups = {**settings, "series": {"name": name, **series}}
    return {key: _digest(group) for key, group in sorted(groups.items()) if group}


def _digest(group: object) -> str:
    return hashlib.sha256(json.dumps(group, sort_keys=True).encode()).hexdigest()[:12]


def versions_changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return a text for each name of both whose version differs; a name without a version now has not changed."""
    return {
        name: f"{name} {before[name] or '(none)'} -> {version}"
        for name, version in sorted(now.items())
        if version and name in before and before[name] != version
    }


def cause_of(
    last: RunInputs, now: RunInputs, rebuilds: Mapping[str, str], *, settings: bool = True, failed: bool = False
) -> tuple[Cause, str]:
    """Return why a component is built again without a new commit, with details; two empty texts: it is not.

    ``last``: the inputs of its newest build.  ``rebuilds``: the changed needs that ask for a rebuild, each with its
    reason.  ``settings``: whether new settings do.  After a ``failed`` build everything that is new does: it may repair
    it.
    """
    groups = sorted(key for key in {*last.settings, *now.settings} if last.settings.get(key) != now.settings.get(key))
    if groups and (settings or failed):
        return "settings", f"changed in lab.yaml: {', '.join(groups)}"
    moved = versions_changed(last.needs, now.needs) if failed else {}
    if reasons := [rebuilds.get(name) or moved[name] for name in sorted({*rebuilds, *moved})]:
        return "dependency", first_of(reasons)
    if last.base and now.base and last.base != now.base:
        return "base", "the packages of the base chroot have changed"
    if changed := versions_changed(last.series, now.series):
        return "dependency", first_of(list(changed.values()))
    return "", ""
