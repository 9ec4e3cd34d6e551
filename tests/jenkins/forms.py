"""What a form holds: URL-encoded, or in parts (RFC 7578)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

_BOUNDARY = re.compile(r'boundary="?(?P<boundary>[^";]+)')
_NAME = re.compile(rb'[; ]name="(?P<name>[^"]*)"')


def fields(content_type: str, body: bytes) -> dict[str, str | bytes]:
    """A form's fields; a file's content is bytes, any other value text.  Nothing of what is no form."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    boundary = _BOUNDARY.search(content_type)
    if content_type.startswith("multipart/form-data") and boundary:
        return dict(_parts(b"\r\n--" + boundary["boundary"].encode(), b"\r\n" + body))
    return {}


def _parts(delimiter: bytes, body: bytes) -> Iterator[tuple[str, str | bytes]]:
    for part in body.split(delimiter)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None:
            yield name["name"].decode(), content if b"filename=" in head else content.decode()
