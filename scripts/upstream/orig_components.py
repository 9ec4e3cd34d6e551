"""Additional orig tarballs of a packaging: which it needs, and where lab.yaml takes them from.

A package whose component is missing builds and lacks files, so a component that nothing provides is an error.
A part of the step `snapshot`.
"""

from __future__ import annotations

from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.config.components import OrigComponent
from lab.store.step import StepContext
from scripts.upstream import distribution_origs, upstream_tree
from scripts.upstream.packaging_branch import branch_commit
from scripts.upstream.source_shape import SourceShape
from scripts.upstream.submodules import CommitTree, Trees


def check(context: StepContext, shape: SourceShape) -> None:
    """Raise ConfigurationError for a component that is needed and not given, or given to a format without any."""
    given, name = context.component.orig.components, context.component_name
    if given and shape.format != "3.0 (quilt)":
        raise ConfigurationError(
            f"orig.components of {name}: its source format {shape.format} has no components",
            hint="only 3.0 (quilt) has several orig tarballs",
        )
    if missing := [component for component in shape.components if component not in given]:
        key = f"components.{name}.orig.components"
        raise ConfigurationError(
            f"{name} needs the orig tarball{'s' * (len(missing) > 1)} {', '.join(missing)} (debian/watch or "
            "debian/gbp.conf names it), which lab.yaml does not give",
            hint=f"set {key}: {{{missing[0]}: {{git: URL}}}}, or {{method: distribution}}, or {{method: omit}}",
        )


def tars(context: StepContext, work: Path) -> dict[str, list[Path]]:
    """Return the tar files of each component.  Raises ConfigurationError where one cannot be had."""
    found = {}
    from_distribution = None
    for component, source in context.component.orig.components.items():
        if source.method == "git":
            found[component] = _from_git(context, component, source, work)
        elif source.method == "distribution":
            from_distribution = from_distribution or distribution_origs.fetch(context, work)
            found[component] = [from_distribution.component(component)]
    return found


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
