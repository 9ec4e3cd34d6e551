"""A promotion of a lab's track, with the mirror of its series and the deployments of this machine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import IO

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.run_directory import check_known
from scripts.archives import series_index
from scripts.migration.indexes import Binary, IndexedSuite
from scripts.promotion.candidates import Distribution
from scripts.promotion.criteria import TrackCriteria
from scripts.promotion.distribution import needed


def criteria(lab: Lab, track: str, label: str = "") -> TrackCriteria:
    """Return the criteria of a track; ``label``: one of its labels, in place of the one in lab.yaml.

    Raises ConfigurationError for a track that does not promote, and for an unknown label.
    """
    check_known(lab, track)
    settings, known = lab.tracks[track].promotion, lab.tracks[track].labels
    if settings is None:
        raise ConfigurationError(
            f"{lab.file}: tracks.{track}.promotion: missing",
            hint="describe the promotion, or move the label by hand: qalab archive promote",
        )
    name = label.removeprefix(f"{track}-") or settings.label
    if name not in known:
        raise ConfigurationError(f"{track} has no label {name}; known: {', '.join(known)}")
    return TrackCriteria(lab, track, settings.model_copy(update={"label": name}))


def distribution(lab: Lab, track: str, log: IO[str]) -> Distribution:
    """Return the function that finds the packages of the track's series that others need; the mirror is read once."""
    name = lab.tracks[track].series
    series = lab.series[name]

    @cache
    def texts() -> list[str]:
        return series_index.packages_files(name, series, log)

    def find(binaries: Iterable[Binary]) -> IndexedSuite:
        return needed(texts(), binaries, series.architectures[0])

    return find
