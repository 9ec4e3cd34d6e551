"""Safe names of files in a bundle and on a web server."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 120
# The names of devices on Windows, with any suffix; a checkout of a site would fail there.
DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def safe(name: str) -> str:
    """Return a relative name of letters, digits and ``. _ + ~ @ = , -`` that is not hidden and short enough.

    A shortened name has a digest of the original, so that it stays unique.  Raises ValueError for a name that points
    outside the directory: absolute, with a drive, or with a part ``..``.
    """
    parts = name.replace("\\", "/").split("/")
    if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in parts or "\0" in name or not name.strip("./ \\"):
        message = f"{ascii(name)[:LONGEST]} points outside the directory"
        raise ValueError(message)
    return "/".join(map(_safe_part, filter(lambda part: part not in {"", "."}, parts)))


def _safe_part(part: str) -> str:
    name = re.sub(r"[^\w.+~@=,-]", "_", unicodedata.normalize("NFC", part))
    name = re.sub(r"^[.-]", "_", name)  # .htaccess, and program options
    name = re.sub(r"\.$", "_", name)
    if DEVICES.fullmatch(name):
        name = f"_{name}"
    if len(name.encode()) > LONGEST:
        digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        stem, dot, suffix = name.rpartition(".")
        suffix = suffix if dot and len(suffix) <= 12 and suffix.isascii() else ""  # noqa: PLR2004 - no longer a suffix
        head = (stem if suffix else name).encode()[: LONGEST - 32].decode("utf-8", "ignore")
        name = f"{head}-{digest}{'.' * bool(suffix)}{suffix}"
    return name
