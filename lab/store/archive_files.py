"""Files of an archive that is read by its URL."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from lab.base.errors import InfrastructureError

PATIENCE_SECONDS = 60.0
BLOCK = 2**20


def fetch(url: str) -> bytes | None:
    """Return the content of a file, None for a missing one.  Raises InfrastructureError if it cannot be read."""
    try:
        # A proxy must not answer with an older state of the archive.
        answer = requests.get(url, timeout=PATIENCE_SECONDS, headers={"Cache-Control": "no-cache"})
    except requests.RequestException as error:
        raise InfrastructureError(f"{url}: cannot be reached: {error}") from error
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return None
    if answer.status_code != HTTPStatus.OK:
        raise InfrastructureError(f"{url}: the server answers {answer.status_code} {answer.reason}")
    return answer.content


def download(url: str, target: Path) -> None:
    """Write a file.  Raises InfrastructureError if it cannot be downloaded."""
    try:
        with requests.get(url, timeout=PATIENCE_SECONDS, stream=True) as answer, target.open("wb") as stream:
            if answer.status_code != HTTPStatus.OK:
                raise InfrastructureError(f"{url}: the server answers {answer.status_code} {answer.reason}")
            # Not decompressed: what a server names as the encoding of a .gz file is its content.
            for block in iter(lambda: answer.raw.read(BLOCK, decode_content=False), b""):
                stream.write(block)
    except (requests.RequestException, HTTPError) as error:
        raise InfrastructureError(f"{url}: cannot be downloaded: {error}") from error
