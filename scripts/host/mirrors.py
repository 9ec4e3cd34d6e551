"""The mirror of a series, as this machine reaches it."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import requests

from lab.base.errors import InfrastructureError
from lab.config import apt
from lab.config.description import Series

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
        raise InfrastructureError(f"{url}: no answer within {PATIENCE_SECONDS} s", hint=hint) from None
    except requests.RequestException as error:
        why = str(error).rpartition(": ")[2].rstrip("\"')")
        raise InfrastructureError(f"{url}: cannot be reached: {why}", hint=hint) from None
    if not answer.ok:
        raise InfrastructureError(f"{release}: {answer.status_code} {answer.reason}", hint=hint)
    return url
