"""Recorded outputs of real tools with their expected cases: NAME and NAME.cases.json in tests/data/formats/FORMAT.

The expected cases omit fields that are "" or 0; a long text has its first and last line and its size.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lxml import etree

from lab.results.cases import Case

DATA = Path(__file__).parent.parent.parent / "data"
FORMATS = DATA / "formats"
SUFFIX = ".cases.json"
LONG = 200
STRICT = etree.XMLSchema(etree.parse(DATA / "junit.xsd"))
XUNIT_PLUGIN = etree.XMLSchema(etree.parse(DATA / "xunit-plugin.xsd"))


def outputs() -> list[Path]:
    return sorted(path.with_name(path.name.removesuffix(SUFFIX)) for path in FORMATS.rglob(f"*{SUFFIX}"))


def name(path: Path) -> str:
    return str(path.relative_to(FORMATS))


def format_of(path: Path) -> str:
    return path.relative_to(FORMATS).parts[0]


def expected_form(case: Case) -> dict[str, Any]:
    """Return a case in the form of the files of expected cases."""
    return {key: _short(value) for key, value in case.model_dump().items() if value}


def expected(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.with_name(path.name + SUFFIX).read_text())


def _short(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= LONG:
        return value
    lines = value.split("\n")
    return {"first": lines[0], "last": lines[-1], "characters": len(value)}
