"""The newest source package of a series, as its mirror has it: for orig tarballs that no repository has.

A part of the step `snapshot`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Dsc

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config import apt
from lab.results.apt_log import complaint
from lab.store.step import StepContext
from scripts.archives.private_apt import own_apt


@dataclass(frozen=True)
class SourcePackage:
    """The files of a source package."""

    name: str
    version: str
    files: tuple[Path, ...]

    def component(self, component: str) -> Path:
        """Return the orig tarball of a component.  Raises ConfigurationError that names those there are."""
        marks = {path.name.partition(".orig-")[2].partition(".tar.")[0]: path for path in self.files
                 if ".orig-" in path.name and not path.name.endswith(".asc")}  # fmt: skip
        if component not in marks:
            known = ", ".join(sorted(marks)) or "none"
            raise ConfigurationError(
                f"the distribution's {self.name} {self.version} has no orig tarball {component}; known: {known}",
                hint=hint(self.name, component),
            )
        return marks[component]


def hint(name: str, component: str) -> str:
    """Return what to set where the distribution does not have a component."""
    return f"set components.{name}.orig.components: {{{component}: {{git: URL}}}}, or {{method: omit}}"


def fetch(context: StepContext, component: str, work: Path) -> SourcePackage:
    """Download the newest source package of the component's name; apt checks it against the series' keyring.

    Raises ConfigurationError when the series does not have it, InfrastructureError when the mirror cannot be asked.
    ``component``: an orig tarball that is wanted.
    """
    series, name = context.series_name, context.component_name
    sources, target = apt.sources(series, context.series, kind="deb-src"), work / "distribution"
    target.mkdir()
    home = environment.cache_home() / "sources" / series
    with files.locked(home / "lock"):
        options = own_apt(home, sources)
        for argv in (["update", "--error-on=any"], ["source", "--only-source", "--download-only", name]):
            result, lines = context.try_sh(["apt-get", *options, "--quiet", *argv], cwd=target)
            if not result:
                why = complaint(lines)
                if "Unable to find a source package" in why:
                    text = (
                        f"{name} needs the orig tarball {component}, and series {series} has no source package {name}"
                    )
                    raise ConfigurationError(text, hint=hint(name, component))
                raise InfrastructureError(f"series {series}: source package {name}: {why}")
    dsc = next(target.glob("*.dsc"))
    return SourcePackage(name, Dsc(dsc.read_text(encoding="utf-8"))["Version"], tuple(sorted(target.iterdir())))
