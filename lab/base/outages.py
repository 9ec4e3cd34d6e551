"""Mirrors that do not answer: what this process has met, so that a result built on kept data says from when they are."""

from __future__ import annotations

from datetime import UTC, datetime

_met: dict[str, datetime] = {}


def note(host: str, as_of: datetime) -> None:
    """Note that a host does not answer, and that its indices of a moment in the past are used instead."""
    _met[host] = min(as_of, _met.get(host, as_of))


def forget() -> None:
    """Begin anew, such as with a new step."""
    _met.clear()


def oldest() -> datetime | None:
    """Return the date of the oldest indices that were used; None while all mirrors answer."""
    return min(_met.values(), default=None)


def told() -> str:
    """Return the outages in one line; "" while all mirrors answer."""
    return "; ".join(
        f"{host} does not answer: packages as of {as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        for host, as_of in sorted(_met.items())
    )
