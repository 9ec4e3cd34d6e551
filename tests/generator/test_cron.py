"""Jenkins' cron syntax: what it takes and what it refuses."""

from __future__ import annotations

import pytest

from generator.cron import complaint

TAKEN = [
    "* * * * *",
    "0 0 1 1 0",
    "59 23 31 12 7",
    "H H * * *",
    "H/15 * * * *",
    "H/60 * * * *",
    "H(0-29)/10 * * * *",
    "H(0-29) * * * *",
    "H H(0-7) * * *",
    "H H(1-3) * * H(0-7)",
    "H H 1,15 1-11 *",
    "H H H(1-31) * *",
    "H H H/28 * *",
    "H H * * H/7",
    "0,30 8-17/2 * * 1-5",
    "0-59/70 * * * *",
    "*/70 * * * *",
    "*/2147483647 * * * *",
    "*/5 * * * 1,3,5",
    "5-5 * * * *",
    "1,*,H * * * *",
    "007 * * * *",
    "0 0 31 2 *",
    "0\t0  *\t* *",
    "   H * * * *   ",
    "H * * * *\r\n0 4 * * 7",
    "# every hour\n\nH * * * *\n  # and at four\n0 4 * * *",
    "TZ=Europe/Berlin\nH 4 * * *",
    "TZ=UTC\nH 4 * * *",
    "TZ=PST",
    "",
    "\n \n# nothing at all",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    " @hourly ",
]

REFUSED = [
    ("60 * * * *", "60 is no minute: 0 to 59"),
    ("* 24 * * *", "24 is no hour: 0 to 23"),
    ("* * 0 * *", "0 is no day of the month: 1 to 31"),
    ("* * 32 * *", "32 is no day of the month: 1 to 31"),
    ("* * * 0 *", "0 is no month: 1 to 12"),
    ("* * * 13 *", "13 is no month: 1 to 12"),
    ("* * * * 8", "8 is no day of the week: 0 to 7"),
    ("99999999999999999999 * * * *", "is no minute: 0 to 59"),
    ("*/99999999999 * * * *", "no step: 1 or more"),
    ("*/0 * * * *", "'*/0': no step: 1 or more"),
    ("0-9/0 * * * *", "no step: 1 or more"),
    ("H/0 * * * *", "'H/0': no step: 1 to 60"),
    ("H/61 * * * *", "no step: 1 to 60"),
    ("H/70 * * * *", "no step: 1 to 60"),
    ("* H/25 * * *", "no step: 1 to 24"),
    ("* * H/29 * *", "no step: 1 to 28"),
    ("* * * * H/8", "no step: 1 to 7"),
    ("H(0-29)/31 * * * *", "no step: 1 to 30"),
    ("H(0-60) * * * *", "60 is no minute"),
    ("* * H(0-5) * *", "0 is no day of the month"),
    ("H(5-2) * * * *", "'H(5-2)' ends before it begins"),
    ("30-10 * * * *", "'30-10' ends before it begins"),
    ("0-60 * * * *", "60 is no minute"),
    ("* * * *", "4 fields instead of five: minute, hour, day of the month, month, day of the week"),
    ("* * * * * *", "6 fields instead of five"),
    ("0 0 12 * * ?", "6 fields"),
    ("nonsense", "1 fields"),
    ("0 0 * * MON", "'MON' is no day of the week: a number, A-B, *, H or H(A-B)"),
    ("0 0 * JAN *", "'JAN' is no month"),
    ("0 0 L * *", "'L' is no day of the month"),
    ("h * * * *", "'h' is no minute"),
    ("-5 * * * *", "'-5' is no minute"),
    ("5/10 * * * *", "'5/10' is no minute"),
    ("1.5 * * * *", "'1.5' is no minute"),
    ("*/5-10 * * * *", "is no minute"),
    ("1,,2 * * * *", "'' is no minute"),
    ("1, * * * *", "'' is no minute"),
    ("1, 2 * * * *", "6 fields"),
    ("H( 0-5) * * * *", "6 fields"),
    ("H(5) * * * *", "'H(5)' is no minute"),
    ("H() * * * *", "is no minute"),
    ("H5 * * * *", "is no minute"),
    ("** * * * *", "is no minute"),
    ("٥ * * * *", "is no minute"),
    ("\u00a0* * * * *", "is no minute"),
    ("@reboot", "known: @yearly"),
    ("@ hourly", "known: @yearly"),
    ("@Hourly", "known: @yearly"),
    ("@hourly @daily", "known: @yearly"),
    ("TZ=Mars/Olympus\nH * * * *", "no time zone 'Mars/Olympus'"),
    ("TZ= UTC\nH * * * *", "no time zone ' UTC'"),
    ("TZ=\nH * * * *", "no time zone ''"),
    ("H * * * *\nTZ=UTC", "'TZ=UTC': 1 fields"),
    ("H * * * * # hourly", "7 fields"),
    ("H * * * *\n61 * * * *", "'61 * * * *': 61 is no minute"),
]


@pytest.mark.parametrize("spec", TAKEN)
def test_schedule_is_accepted(spec: str) -> None:
    assert complaint(spec) is None


@pytest.mark.parametrize("spec, said", REFUSED)
def test_schedule_is_refused(spec: str, said: str) -> None:
    problem = complaint(spec)
    assert problem is not None
    assert said in problem
    assert "\n" not in problem
