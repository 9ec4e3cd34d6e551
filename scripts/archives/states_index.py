"""states.json: the states, labels and pins of the archive, for readers behind a web server without directory listings.

It is written last in each change: while it differs from the archive, a change was cut short.
"""

from __future__ import annotations

from lab.base.errors import ConfigurationError
from lab.store.archive import STATE_FILE, STATES, ArchiveReader, StatesIndex


def _names(reader: ArchiveReader) -> list[str]:
    """Return the names of the states of an archive on this machine."""
    trees = (path.parent for path in reader.root.glob(f"dists/*/{STATE_FILE}"))
    return sorted(tree.name for tree in trees if not tree.is_symlink())


def _labels(reader: ArchiveReader) -> dict[str, str]:
    return {label: state.name for label, state in reader.labels().items()}


def _present(reader: ArchiveReader) -> StatesIndex:
    """Return the file; an empty one for a damaged file, which is written again from the archive."""
    try:
        return reader.index_of_states()
    except ConfigurationError:
        return StatesIndex()


def differs(reader: ArchiveReader) -> bool:
    """Return whether the file of an archive on this machine is not that of its states."""
    index = _present(reader)
    named = sorted(state.name for state in index.states)
    return (named, index.labels, index.pins) != (_names(reader), _labels(reader), reader.pins())


def write(reader: ArchiveReader) -> None:
    """Write the file of an archive on this machine; the archive's lock must be held."""
    known = {state.name: state for state in _present(reader).states}  # states are immutable
    labels = _labels(reader)
    StatesIndex(
        states=tuple(known.get(name) or reader.existing(name) for name in _names(reader)),
        labels=labels,
        moves={label: moves for label in labels if (moves := reader.moves(label))},
        pins=reader.pins(),
    ).write(reader.root / STATES)
