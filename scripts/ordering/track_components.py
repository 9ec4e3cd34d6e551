"""The components of a track as its archive and the packagings describe them: the graph, and the inputs of builds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from lab.base.errors import LabError
from lab.config.description import Lab
from lab.results.component_graph import ComponentGraph
from lab.store.archive import ArchiveReader
from lab.store.archive_place import reader_of
from lab.store.records import Cause, RunInputs
from lab.store.step import architecture
from scripts.archives import versions
from scripts.archives.content import Content
from scripts.archives.package_content import read_package
from scripts.archives.versions import PoolVersion
from scripts.ordering import build_needs, inputs
from scripts.ordering.build_needs import SourceDescription
from scripts.ordering.interfaces import ExportedInterface, interface_changes, interface_of
from scripts.ordering.series_packages import SeriesPackages, read_series
from scripts.phases.news import watch_log
from scripts.upstream import packaging_branch

Control = Callable[[str], str]


@dataclass(frozen=True)
class TrackComponents:
    """The components of a track at a moment.

    ``control`` returns the debian/control of a component's packaging; it is read for those that were never built.
    """

    lab: Lab
    track: str
    control: Control

    @property
    def reader(self) -> ArchiveReader:
        return reader_of(self.lab)

    @cached_property
    def graph(self) -> ComponentGraph:
        sources, unknown = self._described
        profiles = {name: self.lab.component(name, self.track).build.profiles for name in sources}
        return build_needs.component_graph(sources.values(), architecture(), profiles, unknown)

    @cached_property
    def _described(self) -> tuple[dict[str, SourceDescription], dict[str, str]]:
        """The components, in the order of the file; and those whose packaging cannot be read, with the reason."""
        found, unknown = dict[str, SourceDescription](), dict[str, str]()
        built = {each.name: each for each in built_sources(self.reader, self.track)}
        for name in self.lab.components_of(self.track):
            try:
                found[name] = built.get(name) or build_needs.of_control(name, self.control(name))
            except (LabError, ValueError) as error:
                unknown[name] = str(error)
                found[name] = SourceDescription(name)
        return found, unknown

    def inputs(self, component: str) -> RunInputs:
        """Return the inputs of a build of a component now."""
        settings = self.lab.component(component, self.track).build
        packages = self._series if {"base", "series"} & {*settings.rebuild_on} else None
        names = self._series_dependencies(component) if packages and "series" in settings.rebuild_on else ()
        return RunInputs(
            settings=inputs.settings_digests(self.lab, self.track, component),
            needs={need: self.graph.versions[need] for need in sorted(self.graph.order[component])},
            base=packages.base if packages and "base" in settings.rebuild_on else "",
            series={name: packages.versions.get(name, "") for name in names} if packages else {},
        )

    @cached_property
    def _series(self) -> SeriesPackages | None:
        name = self.lab.tracks[self.track].series
        with watch_log(self.lab) as log:
            return read_series(name, self.lab.series[name], log)

    def _series_dependencies(self, component: str) -> Iterable[str]:
        """Return the names of the build dependencies that the series satisfies: of alternatives, the first."""
        own = {text for texts in self.graph.relations[component].values() for text in texts}
        profiles = self.lab.component(component, self.track).build.profiles
        clauses = [text for text in self._described[0][component].build_depends if text not in own]
        return sorted(
            {names[0] for text in clauses if (names := build_needs.applicable(text, architecture(), profiles))}
        )

    def cause(self, component: str, last: RunInputs | None, *, failed: bool) -> tuple[Cause, str]:
        """Return why the newest commit of a component is built again, see `inputs.cause_of`.

        ``last``: the inputs of its newest build; ``failed``: that build failed.
        """
        if last is None:
            return "", ""
        now = self.inputs(component)
        wanted = "settings" in self.lab.component(component, self.track).build.rebuild_on
        return inputs.cause_of(last, now, self.rebuild_reasons(last, now), settings=wanted, failed=failed)

    def rebuild_reasons(self, last: RunInputs, now: RunInputs) -> dict[str, str]:
        """Return the needs whose new version asks for a rebuild, each with the reason.

        ``last`` has the versions that the component was built with.  A version whose packages are no longer in the
        archive cannot be compared: that asks for a rebuild too.
        """
        found: dict[str, str] = {}
        for need, text in inputs.versions_changed(last.needs, now.needs).items():
            policy = self.lab.component(need, self.track).build.rebuild_dependents
            if policy == "always":
                found[need] = text
            elif policy == "interface" and (
                changed := self._interface_changes(need, last.needs[need], now.needs[need])
            ):
                found[need] = f"{text} ({changed})"
        return found

    def _interface_changes(self, source: str, before: str, now: str) -> str:
        if not before:
            return "new in the lab"
        old, new = (exported(self.reader, self.track, source, version) for version in (before, now))
        if old is None or new is None:
            return "the interface of one of them is not known"
        return interface_changes(old, new)


def packaging_control(lab: Lab, track: str) -> Control:
    """Return a function that fetches the packaging of a component once, and returns its debian/control."""

    @cache
    def control(component: str) -> str:
        with watch_log(lab) as log:
            found = packaging_branch.find(lab, track, component, log)
        return found.files("debian/control")["debian/control"] or ""

    return control


def archive_graphs(lab: Lab) -> dict[str, ComponentGraph]:
    """Return the graph of each track that has an archive, of the components that were built."""
    reader = reader_of(lab)
    found = {}
    for track in lab.tracks:
        names = lab.components_of(track)
        if sources := [each for each in built_sources(reader, track) if each.name in names]:
            profiles = {name: lab.component(name, track).build.profiles for name in names}
            found[track] = build_needs.component_graph(sources, architecture(), profiles)
    return found


def built_sources(reader: ArchiveReader, track: str) -> list[SourceDescription]:
    """Return the source packages of a track's newest state."""
    found = []
    for (name, _), stanzas in Content.read(reader, track, ()).by_version().items():
        sources = [stanza.text for stanza in stanzas if stanza.kind == "source"]
        binaries = [stanza.text for stanza in stanzas if stanza.kind == "binary"]
        found += [build_needs.of_stanzas(name, text, binaries) for text in sources]
    return found


@lru_cache(maxsize=256)
def exported(reader: ArchiveReader, track: str, source: str, version: str) -> ExportedInterface | None:
    """Return the interface of a version in the pool; None where its packages are not there.  A version never changes."""
    text = reader.read(str(versions.record_path(Path(), track, source, version)))
    if text is None:
        return None
    built = []
    for stanza in PoolVersion.model_validate_json(text).stanzas:
        if stanza.kind != "binary" or stanza.package.endswith("-dbgsym"):
            continue
        if (data := reader.read(stanza.path)) is None:
            return None
        with tempfile.NamedTemporaryFile(suffix=".deb") as copy:
            copy.write(data)
            copy.flush()
            built.append(read_package(Path(copy.name)))
    return interface_of(built)
