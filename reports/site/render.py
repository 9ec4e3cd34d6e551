"""Pages as bytes: Jinja2 templates over the models of `reports.site.api`, without characters that are illegal on the web."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.results.addresses import comparison_path, component_path, lane_path
from lab.results.commit_ranges import reasons_heading
from reports.site.identity import Identity
from reports.site.plots import plot
from reports.status import duration

HERE: Final = Path(__file__).parent
# Characters that HTML and XML forbid, and those that change the direction of text, become a replacement character.
UNFIT: Final = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u200d\u2010-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)
POLICY: Final = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
# Each state has a sign and a word; the colour only repeats them.
SIGNS: Final = {
    "passed": "✓", "failed": "✗", "unstable": "≠", "error": "△", "aborted": "■", "skipped": "–",
    "passing": "✓", "broken": "✗", "never passed": "⊘", "no verdict": "·", "unknown": "?", "dropped": "–",
    "good": "✓", "bad": "✗", "neither": "–", "broke": "✗", "mended": "✓", "fixed": "✓", "passes without": "–", "no longer run": "–",
}  # fmt: skip
COLOURS: Final = {
    "passed": "good", "passing": "good", "good": "good", "mended": "good", "fixed": "good",
    "failed": "bad", "broken": "bad", "bad": "bad", "broke": "bad", "never passed": "bad",
    "unstable": "warn", "error": "lab", "aborted": "lab",
    "unknown": "lab", "skipped": "mute", "neither": "mute", "no verdict": "mute", "dropped": "mute", "passes without": "mute", "no longer run": "mute",
}  # fmt: skip
UNITS: Final = ("B", "kB", "MB", "GB")
KILO: Final = 1000
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def day(moment: str) -> str:
    return moment[:10]


def minute(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]}"


def clock(moment: str) -> str:
    return moment[11:16]


def weekday(day: str) -> str:
    return WEEKDAYS[date.fromisoformat(day).weekday()]


def percent(change: float) -> str:
    """Return a relative change in words: ``+12 %``."""
    rounded = round(100 * change)
    sign = "+" if rounded > 0 else "\u2212" if rounded < 0 else ""  # the sign of a minus, not a hyphen
    return f"{sign}{abs(rounded)}\u00a0%"


def size(count: float) -> str:
    power = 0
    while count >= KILO and power < len(UNITS) - 1:
        count, power = count / KILO, power + 1
    return f"{count:.3g} {UNITS[power]}" if power else f"{count} B"


def fit(text: str) -> str:
    """Return a text with a replacement character for each that a page must not have."""
    return UNFIT.sub("\ufffd", text)


def short(commit: str) -> str:
    return commit[:10]


def plural(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'s' * (count != 1)}"


def number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def breakable(text: str) -> Sequence[str]:
    """Return a long name in pieces; a line can break between them."""
    return re.split(r"(?<=[._/:-])(?=\w)", text)


@dataclass(frozen=True)
class Renderer:
    """The renderer of one site.  ``edition`` is a digest of everything that decides how a page looks, except its data."""

    site: Identity

    @cached_property
    def edition(self) -> str:
        digest = hashlib.sha256(repr(replace(self.site, known=(), bisections=(), phases=())).encode())
        for path in sorted(path for path in HERE.rglob("*") if path.suffix in {".py", ".j2", ".css", ".js", ".svg"}):
            digest.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()[:12]

    def feed_id(self, path: str) -> str:
        """Return the permanent identity of a feed: it does not depend on the address of the site (RFC 4287, 4.2.6)."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"qalab:{self.site.lab}:{path}").urn

    @cached_property
    def environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "day": day, "minute": minute, "clock": clock, "weekday": weekday, "percent": percent, "size": size, "short": short, "duration": duration, "breakable": breakable,
            "plural": plural, "feed_id": self.feed_id, "number": number, "plot": plot, "home": component_path, "lane": lane_path, "comparison": comparison_path,
        }  # fmt: skip
        environment.globals |= {
            "site": self.site, "edition": self.edition, "policy": POLICY, "signs": SIGNS, "colours": COLOURS,
            "reasons_heading": reasons_heading,
        }  # fmt: skip
        return environment

    def render(self, template: str, path: str, **data: Any) -> bytes:
        """Return a page at ``path``; its links are relative to that path."""
        text = self.environment.get_template(f"{template}.j2").render(root="../" * path.count("/"), path=path, **data)
        return fit(text).encode("utf-8", "replace")


@lru_cache(maxsize=4)
def renderer(site: Identity) -> Renderer:
    """Return the renderer of a site, cached: compiling the templates takes longer than an update."""
    return Renderer(site)
