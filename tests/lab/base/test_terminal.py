"""A terminal prints texts as they are."""

from __future__ import annotations

import pytest
from rich.table import Table

from lab.base.terminal import Terminal

TEXTS = ["job a:b: Jenkins refuses", "[bold]x[/bold]", "[/]", "a :bug: in http://h:8080:warning:", "x" * 300]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("stderr", [False, True])
def test_terminal_changes_no_text(capsys: pytest.CaptureFixture[str], text: str, *, stderr: bool) -> None:
    Terminal(stderr=stderr).print(text)
    said = capsys.readouterr()
    assert (said.err if stderr else said.out) == f"{text}\n"


@pytest.mark.parametrize("text", TEXTS[:4])
def test_terminal_changes_no_text_in_a_table(capsys: pytest.CaptureFixture[str], text: str) -> None:
    table = Table("name")
    table.add_row(text)
    Terminal().print(table)
    assert text in capsys.readouterr().out
