"""Names of files as they may stand in a bundle and on a web server."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 120
# As Windows names its devices, whatever follows; a checkout of a site there would fail.
DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def safe(name: str) -> str:
    """A name of letters, digits and ``. _ + ~ @ = , -`` that leads nowhere, hides nothing and is short enough.

    What is changed much stays apart from others by a digest of what it was.  Raises ValueError for a name that
    can only be meant to lead elsewhere: absolute, with a drive, or with a part that is ``..``.
    """
    parts = name.replace("\\", "/").split("/")
    if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in parts or "\0" in name or not name.strip("./ \\"):
        message = f"{ascii(name)[:LONGEST]} leads elsewhere"
        raise ValueError(message)
    return "/".join(map(_safe_part, filter(lambda part: part not in {"", "."}, parts)))


def _safe_part(part: str) -> str:
    made = re.sub(r"[^\w.+~@=,-]", "_", unicodedata.normalize("NFC", part))
    made = re.sub(r"^[.-]", "_", made)  # .htaccess, and options of programs
    made = re.sub(r"\.$", "_", made)
    if DEVICES.fullmatch(made):
        made = f"_{made}"
    if len(made.encode()) > LONGEST:
        digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        stem, dot, suffix = made.rpartition(".")
        suffix = suffix if dot and len(suffix) <= 12 and suffix.isascii() else ""  # noqa: PLR2004 - no longer a suffix
        head = (stem if suffix else made).encode()[: LONGEST - 32].decode("utf-8", "ignore")
        made = f"{head}-{digest}{'.' * bool(suffix)}{suffix}"
    return made
