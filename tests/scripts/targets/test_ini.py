"""Options set in an INI file."""

from __future__ import annotations

import pytest

from scripts.targets.ini import set_options

TEXT = """\
[DEFAULT]
# connection = commented
log_dir = /var/log/x
[database]
connection = sqlite:///x
# more
[cache]
enabled = false
[cache]
[uwsgi]
processes = 1
master = true
processes = 8
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", TEXT),
        ("[database]\nconnection = mysql://y", TEXT.replace("sqlite:///x", "mysql://y")),
        ("[DEFAULT]\nnew = 1\n", TEXT.replace("/var/log/x\n", "/var/log/x\nnew = 1\n")),
        ("[placement]\na = 1\nb = 2\n", f"{TEXT}\n[placement]\na = 1\nb = 2\n"),
        ("[cache]\nenabled = true\nservers = s\n", TEXT.replace("false", "true\nservers = s")),
        ("[uwsgi]\nprocesses = 2\n", TEXT.replace("processes = 1", "processes = 2").replace("processes = 8\n", "")),
    ],
    ids=["nothing", "replaced", "added", "a new section", "a section that is there twice", "an option that is"],
)
def test_set_options(options: str, expected: str) -> None:
    assert set_options(TEXT, options) == expected
    assert set_options(set_options(TEXT, options), options) == expected


def test_what_is_broken_is_replaced() -> None:
    """As in the nova.conf of Debian 12."""
    assert (
        set_options("[placement]\nusername = =\n", "[placement]\nusername = nova\n") == "[placement]\nusername = nova\n"
    )
