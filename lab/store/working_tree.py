"""The build of a working tree, and the probe of a bisection: what such a run takes from lab.yaml, and may not do.

The run directory of a working tree is ``STATE/LAB/local/TRACK/COMPONENT/NUMBER``, apart from the lab's runs: no watch, version, site or
vote finds it there.  A probe has a store of its own, see `scripts.bisection.scratch`.  What `kept_out` returns are no steps
of such a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lab.base.errors import ConfigurationError
from lab.config.components import Packaging, Upstream
from lab.config.description import Lab
from lab.store.records import RunInfo

KEPT_OUT: Final = ("archive", "upload", "push")
KEPT_OUT_OF_PROBES: Final = ("upload", "push")


def steps(of_phase: Sequence[str], without: Sequence[str] = KEPT_OUT) -> tuple[str, ...]:
    """Return the steps of a phase that a build may do; by default that of a working tree."""
    return tuple(step for step in of_phase if step not in without)


def kept_out(info: RunInfo) -> tuple[str, ...]:
    """Return the steps that a run may not do."""
    return KEPT_OUT if info.working_tree else KEPT_OUT_OF_PROBES if info.probe else ()


def check_step(info: RunInfo, step: str) -> None:
    """Raise ConfigurationError for a step that a build of a working tree, or a probe, may not do."""
    if info.probe and step in KEPT_OUT_OF_PROBES:
        raise ConfigurationError(f"{step}: refused for the probe of a bisection")
    if info.working_tree and step in KEPT_OUT:
        raise ConfigurationError(
            f"{step}: refused for the build of a working tree: its packages go into no archive, upload or push",
            hint="commit the change and test the commit with qalab run",
        )


def described_for(lab: Lab, info: RunInfo) -> Lab:
    """Return the lab in which the run's component comes from its working tree or commit of the packaging, if it has one."""
    tree = info.working_tree
    if tree is None:
        return _with_probe(lab, info)
    settings = lab.component(info.component, info.track)
    place = {"git": tree.repository, "branch": tree.branch}
    upstream, packaging = settings.upstream, settings.packaging
    if "upstream" in tree.parts:
        upstream = upstream.model_copy(update=place)
    if "packaging" in tree.parts:
        packaging = packaging.model_copy(update={**place, "testing": None})
    return _replaced(lab, info, upstream, packaging.model_copy(update={"push": None}))


def _with_probe(lab: Lab, info: RunInfo) -> Lab:
    if info.probe is None:
        return lab
    settings = lab.component(info.component, info.track)
    changes = {"commit": info.probe.packaging or settings.packaging.commit, "push": None}
    return _replaced(lab, info, settings.upstream, settings.packaging.model_copy(update=changes))


def _replaced(lab: Lab, info: RunInfo, upstream: Upstream, packaging: Packaging) -> Lab:
    own = lab.components[info.component]
    settings = lab.component(info.component, info.track).model_copy(
        update={"upstream": upstream, "packaging": packaging, "upload": None}
    )
    component = own.model_copy(update={"tracks": {**own.tracks, info.track: settings}})
    return lab.model_copy(update={"components": {**lab.components, info.component: component}})
