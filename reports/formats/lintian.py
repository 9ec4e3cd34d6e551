"""lintian's tags: its lines of text (also ``universal``), or its JSON (``--exp-output=format=json``).

All occurrences of a tag in a package are one case; their places are the evidence.  A tag fails if the lab does not
accept its severity (``error`` if the report does not name the severities), and if the report does not give the
severity (``universal``).  A tag that is overridden, masked or less severe is a skipped case: visible, but no failure.
A line that is neither a tag nor a remark is an infrastructure error: lintian skipped something, or a check broke.
A report without tags is a passed case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.results import lintian_tags
from lab.results.cases import Case
from lab.results.lintian_tags import UNKNOWN, LintianTag
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "lintian"
COLOUR = rb"(?:\x1b\[[\d;]*m)*"
PACKAGE = rb"[A-Za-z0-9_.][\w.+-]+"
TAG = rb"[A-Za-z0-9][\w.+/-]*(?:[\s\x1b]|\Z)"
KIND = rb"source|udeb|changes|buildinfo"
MARK = re.compile(
    rb'"lintian_version" :'
    rb"|^%(colour)b[EWIPXCOM]%(colour)b: %(package)b(?: (?:%(kind)b))?: %(colour)b%(tag)b"
    rb"|^%(package)b \((?:binary|%(kind)b)\): %(tag)b"
    % {b"colour": COLOUR, b"package": PACKAGE, b"tag": TAG, b"kind": KIND},
    re.MULTILINE,
)
FEW = 20
KINDS = {".dsc": " source", ".changes": " changes", ".buildinfo": " buildinfo", ".udeb": " udeb"}


def parse(path: Path) -> Iterator[Case]:
    data = excerpts.text(path)
    is_json = data.lstrip().startswith("{")
    groups: dict[tuple[str, str, str], list[str]] = {}
    for tag in _of_json(excerpts.read(path)) if is_json else lintian_tags.tags(data):
        groups.setdefault((tag.package, tag.name, tag.severity), []).append(tag.place)
    trouble = [] if is_json else list(lintian_tags.trouble(data))
    if trouble and not groups:
        raise Unreadable(f"has a line that is not from lintian: {trouble[0][:80]}")
    fail_on = lintian_tags.policy(data) | {UNKNOWN}
    for (package, name, severity), places in groups.items():
        yield _case(package, name, severity, list(filter(None, places)), failed=severity in fail_on)
    if trouble:
        yield Case(
            suite=FORMAT, classname=FORMAT, name="[lintian]", outcome="error", nuance="testbed",
            message=f"lines that are not tags: {trouble[0]}", evidence="\n".join(trouble[:FEW]),
        )  # fmt: skip
    elif not groups:
        yield Case(suite=FORMAT, classname=FORMAT, name="no tags", outcome="passed")


def _case(package: str, name: str, severity: str, places: list[str], *, failed: bool) -> Case:
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return Case(
        suite=FORMAT,
        classname=package,
        name=name,
        outcome="failed" if failed else "skipped",
        message=f"{severity}: {places[0]}{more}" if places else severity,
        evidence="\n".join(places),
    )


def _of_json(data: bytes) -> Iterator[LintianTag]:
    try:
        for group in json.loads(data)["groups"]:
            for file in group["input_files"]:
                name = Path(str(file["path"])).name
                package = name.split("_")[0] + KINDS.get(Path(name).suffix, "")
                yield from (_hint(package, hint) for hint in file["hints"])
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"is JSON, but not from lintian: {error!r}") from None


def _hint(package: str, hint: dict[str, Any]) -> LintianTag:
    severity = str(hint["visibility"])
    if hint.get("experimental"):
        severity = "experimental"
    if "override" in hint:
        severity = "overridden"
    if "mask" in hint or "masks" in hint:
        severity = "masked"
    place = [str(hint.get("note") or "")]
    if pointer := hint.get("pointer"):
        line = pointer.get("line_position")
        place.append(f"[{pointer['item']['name']}{f':{line}' if line else ''}]")
    return LintianTag(severity, package, str(hint["tag"]), " ".join(filter(None, place)))
