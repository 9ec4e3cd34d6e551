"""The line that explains most in what a service prints."""

from __future__ import annotations

import pytest

from scripts.services.journals import failure_line

NOTE = "AH00558: apache2: Could not reliably determine the server's fully qualified domain name, using 10.20.0.11."
ERROR = "[wsgi:error] [pid 7] RuntimeError: no schema"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([NOTE], "its journal says nothing", id="nothing but the note"),
        pytest.param([ERROR, NOTE], ERROR, id="before the note"),
        pytest.param(
            [f"[Mon Nov 30] [core:warn] {NOTE}", "caught SIGTERM"], "caught SIGTERM", id="after the note, in the log"
        ),
        pytest.param(["2024-05-02 10:12:30.1 7 ERROR nova [-] no such table"], "no such table", id="another service"),
    ],
)
def test_note_of_apache_explains_nothing(lines: list[str], expected: str) -> None:
    assert failure_line("\n".join(lines), "apache2.service") == expected
