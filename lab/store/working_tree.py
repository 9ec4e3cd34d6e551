"""The build of a working tree: what such a run takes from lab.yaml, and what it may not do.

Its run directory is ``STATE/LAB/local/TRACK/COMPONENT/NUMBER``, apart from the lab's runs: no watch, version, site or
vote finds it there.  The steps of `KEPT_OUT` are no steps of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lab.base.errors import ConfigurationError
from lab.config.components import Packaging, Upstream
from lab.config.description import Lab
from lab.store.records import RunInfo

KEPT_OUT: Final = ("archive", "upload", "push")


def steps(of_phase: Sequence[str]) -> tuple[str, ...]:
    """Return the steps of a phase that a build of a working tree may do."""
    return tuple(step for step in of_phase if step not in KEPT_OUT)


def check_step(info: RunInfo, step: str) -> None:
    """Raise ConfigurationError for a step that a build of a working tree may not do."""
    if info.working_tree and step in KEPT_OUT:
        raise ConfigurationError(
            f"{step}: refused for the build of a working tree: its packages go into no archive, upload or push",
            hint="commit the change and test the commit with qalab run",
        )


def with_working_tree(lab: Lab, info: RunInfo) -> Lab:
    """Return the lab in which the run's component comes from the working tree; the lab itself for other runs."""
    tree = info.working_tree
    if tree is None:
        return lab
    settings = lab.component(info.component, info.track)
    place = {"git": tree.repository, "branch": tree.branch}
    upstream, packaging = settings.upstream, settings.packaging
    if "upstream" in tree.parts:
        upstream = upstream.model_copy(update=place)
    if "packaging" in tree.parts:
        packaging = packaging.model_copy(update={**place, "testing": None})
    return _replaced(lab, info, upstream, packaging.model_copy(update={"push": None}))


def _replaced(lab: Lab, info: RunInfo, upstream: Upstream, packaging: Packaging) -> Lab:
    own = lab.components[info.component]
    settings = lab.component(info.component, info.track).model_copy(
        update={"upstream": upstream, "packaging": packaging, "upload": None}
    )
    component = own.model_copy(update={"tracks": {**own.tracks, info.track: settings}})
    return lab.model_copy(update={"components": {**lab.components, info.component: component}})
