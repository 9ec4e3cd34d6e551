"""The mirror of a series, as this machine reaches it."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import requests

from lab.base.errors import InfrastructureError
from lab.config import apt
from lab.config.description import Series
from scripts.archives import kept_packages

PATIENCE_SECONDS: Final = 10


def reached(name: str, series: Series) -> str:
    """Return the URL of a mirror that has the series.  Raises ConfigurationError and InfrastructureError otherwise."""
    url = apt.mirror(name, series)
    release = f"{url.rstrip('/')}/dists/{series.codename or name}/Release"
    hint = f"check the network, or name another mirror in series.{name}.mirror"
    if urlsplit(url).scheme == "file":
        if not Path(unquote(urlsplit(release).path)).is_file():
            raise InfrastructureError(f"{release}: no such file", hint=hint)
        return url
    try:
        answer = requests.head(release, timeout=PATIENCE_SECONDS, allow_redirects=True)
    except requests.Timeout:
        message = f"{url}: no answer within {PATIENCE_SECONDS} s{_kept(release)}"
        raise InfrastructureError(message, hint=hint) from None
    except requests.RequestException as error:
        why = str(error).rpartition(": ")[2].removesuffix("'))").removesuffix('"))')
        raise InfrastructureError(f"{url}: cannot be reached: {why}{_kept(release)}", hint=hint) from None
    if not answer.ok:
        raise InfrastructureError(f"{release}: {answer.status_code} {answer.reason}", hint=hint)
    return url


def _kept(release: str) -> str:
    """Return from when the packages are that this machine uses while the mirror is away; "" without any."""
    place = kept_packages.place(urlsplit(release.replace("/Release", "/InRelease")))
    if place is None or not place.is_file():
        return ""
    return f"; packages as of {kept_packages.last_seen(place):%Y-%m-%d %H:%M} UTC are kept"
