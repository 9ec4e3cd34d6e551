"""Additional orig tarballs of a packaging: which it needs, and where they are taken from.

A package whose component is missing builds and lacks files.  So a component that lab.yaml does not mention is taken
from the distribution's source package, and one that nothing provides is an error.
A part of the step `snapshot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.config.components import OrigComponent
from lab.store.step import StepContext
from scripts.upstream import distribution_origs, upstream_tree
from scripts.upstream.packaging_branch import branch_commit
from scripts.upstream.source_shape import SourceShape
from scripts.upstream.submodules import CommitTree, Trees


def wanted(context: StepContext, shape: SourceShape) -> dict[str, OrigComponent]:
    """Return where each component comes from: from where lab.yaml says, else from the distribution.

    Raises ConfigurationError for a component of a format without any.
    """
    given, name = context.component.orig.components, context.component_name
    if given and shape.format != "3.0 (quilt)":
        raise ConfigurationError(
            f"orig.components of {name}: its source format {shape.format} has no components",
            hint="only 3.0 (quilt) has several orig tarballs",
        )
    return dict.fromkeys(shape.components, OrigComponent(method="distribution")) | dict(given)


def tars(
    context: StepContext, components: Mapping[str, OrigComponent], work: Path
) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the tar files of each component, and remarks on those of the distribution.

    Raises ConfigurationError where one cannot be had, InfrastructureError where the mirror cannot be asked.
    """
    found = {
        name: _from_git(context, name, source, work) for name, source in components.items() if source.method == "git"
    }
    names = [name for name, source in components.items() if source.method == "distribution"]
    if not names:
        return found, []
    package = distribution_origs.fetch(context, names[0], work)
    found |= {name: [package.component(name)] for name in names}
    return found, [f"from {package.name} {package.version} of {context.series_name}: {', '.join(names)}"]


def _from_git(context: StepContext, component: str, source: OrigComponent, work: Path) -> list[Path]:
    where = f"orig.components.{component} of {context.component_name}"
    if not source.git or (source.branch and source.tag):
        raise ConfigurationError(f"{where}: needs git, and either branch or tag")
    mirror = GitMirror.of(source.git)
    mirror.fetch(context.log)
    if source.tag:
        commit = mirror.resolve(f"refs/tags/{source.tag}")
    else:
        commit = branch_commit(mirror, source.branch) if source.branch else mirror.resolve("HEAD")
    if commit is None:
        raise ConfigurationError(f"{where}: {source.git} has no {f'tag {source.tag}' if source.tag else 'HEAD'}")
    context.say(f"component {component}: {source.git} at {commit}")
    below = work / component
    below.mkdir()
    trees = Trees.of(CommitTree("", mirror, commit), context.component.orig.submodules, context.log)
    return upstream_tree.archive(context, trees.parts, below)[0]
