"""The generated pages of the documentation are current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import reference
from lab.config.description import PHASES
from tests.processes import HOUSE

DOCS = HOUSE / "docs"
PAGES = reference.pages(DOCS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_committed_page_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path], "stale; run: tox -e docs"


@pytest.mark.parametrize(
    "heading", ["qalab", "qalab status", "qalab jenkins plan", "qalab env shell", "qalab step", "qalab step NAME"]
)
def test_commands_have_a_section(heading: str) -> None:
    assert f"## {heading}\n\n```text\nUsage: {heading} [OPTIONS]" in reference.commands()


def test_fill_in_keeps_text_outside_the_generated_part() -> None:
    page = f"before\n{reference.BEGIN}old\n{reference.END}after\n"
    assert reference.fill_in(page, "new\n") == f"before\n{reference.BEGIN}\nnew\n\n{reference.END}after\n"


@pytest.mark.parametrize("page", ["", reference.BEGIN, reference.END])
def test_fill_in_refuses_page_without_generated_part(page: str) -> None:
    with pytest.raises(ValueError, match="no generated part"):
        reference.fill_in(page, "new\n")


def test_table_of_steps_has_the_steps_in_order() -> None:
    table = (DOCS / "reference/steps.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert re.findall(r"^\| \w* ?\| `(\w+)` \|", table, re.MULTILINE) == [
        each for steps in PHASES.values() for each in steps
    ]
