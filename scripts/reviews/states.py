"""The state of the archive that a proposal is built with, together with the proposals of other projects it depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from lab.config.description import Lab
from lab.forges.proposals import ProposalId
from lab.store.archive import ArchiveReader, State
from lab.store.archive_place import reader_of
from scripts.archives import lab_archive
from scripts.archives.content import Content
from scripts.archives.stanzas import Stanza


@dataclass(frozen=True)
class DependencyBuild:
    """A build of a proposal that another one needs: its component, its version, and the state that it has made."""

    component: str
    version: str
    state: str


def why(proposal: ProposalId, component: str) -> str:
    """Return why the archive has the state that a build of a proposal makes: its ``why``."""
    return f"{proposal} of {component}"


@dataclass(frozen=True)
class MadeStates:
    """The states that the builds of a track's proposals have made; the archive is asked once."""

    lab: Lab
    track: str

    @cached_property
    def _newest(self) -> Mapping[str, State]:
        return {state.why: state for state in reader_of(self.lab).states(self.track)}

    def newest(self, proposal: ProposalId, component: str) -> tuple[str, str]:
        """Return the name of the newest state of a proposal, and the version that it has of a component; "" for none."""
        state = self._newest.get(why(proposal, component))
        if state is None:
            return "", ""
        return state.name, next((change.after for change in state.changes if change.source == component), "")


def with_packages_of(lab: Lab, track: str, builds: Sequence[DependencyBuild], log: IO[str]) -> str:
    """Return the name of the state that has the packages of these builds, on top of those of ``onto``.

    An empty name for no builds: the snapshot takes the present state of ``onto``.
    """
    if not builds:
        return ""
    first, *others = builds
    if not others:
        return first.state
    reader, architectures = reader_of(lab), lab.series[lab.tracks[track].series].architectures
    content = Content.read(reader, first.state, architectures)
    for build in others:
        content = content.with_version(_packages(reader, build, architectures))
    with lab_archive.opened(lab, log) as archive:
        names = ", ".join(f"{build.component} {build.version}" for build in builds)
        return archive.candidate(track, track, content, f"{names} together").name


def _packages(reader: ArchiveReader, build: DependencyBuild, architectures: Sequence[str]) -> list[Stanza]:
    """Return the packages that a build has added."""
    versions = Content.read(reader, build.state, architectures).by_version()
    return versions.get((build.component, build.version), [])
