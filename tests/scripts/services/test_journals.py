"""The line that explains most in what a service prints."""

from __future__ import annotations

import pytest

from scripts.services.journals import STOPPED, failure_line

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


STOPS = [
    "Stopping cron.service - Regular jobs...",
    "cron.service: Deactivated successfully.",
    "Stopped cron.service - Regular jobs.",
]
STARTS = ["Starting cron.service - Regular jobs...", "Started cron.service - Regular jobs."]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([*STARTS, "(CRON) INFO (Running jobs)", *STOPS], STOPPED, id="stopped"),
        pytest.param(["Started cron.service.", "Stopping cron.service...", "Received signal 15; terminating."], STOPPED,
                     id="without a description"),
        pytest.param([*STARTS, *STOPS, *STARTS, "bye"], "bye", id="started again"),
        pytest.param([*STARTS, "error: disk is full", *STOPS], "error: disk is full", id="with an error before"),
        pytest.param([*STARTS, "Stopping other.service...", "bye"], "bye", id="another unit"),
        pytest.param([*STARTS, "cron.service: Deactivated successfully."], "its journal says nothing", id="ended by itself"),
    ],
)  # fmt: skip
def test_stopped_unit_is_told_as_such(lines: list[str], expected: str) -> None:
    assert failure_line("\n".join(lines), "cron.service") == expected


def test_socket_has_the_reason_of_systemd() -> None:
    lines = ["Listening on a.socket.", "a.socket: Trigger limit hit, refusing further activation.",
             "a.socket: Failed with result 'trigger-limit-hit'."]  # fmt: skip
    assert failure_line("\n".join(lines), "a.socket") == "Trigger limit hit, refusing further activation."
