"""Options set in an INI file."""

from __future__ import annotations

import pytest

from scripts.services.ini_files import set_options

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
        ("[database]\n-connection\n", TEXT.replace("connection = sqlite:///x\n", "")),
        ("[uwsgi]\n-processes\n", TEXT.replace("processes = 1\n", "").replace("processes = 8\n", "")),
        ("[api_database]\n-connection\n[cache]\n-servers\n", TEXT),
    ],
    ids=[
        "nothing",
        "replaced",
        "added",
        "a new section",
        "a section that is there twice",
        "an option that is",
        "removed",
        "an option that is there twice is removed",
        "removed, and not there",
    ],
)
def test_set_options_in_text(options: str, expected: str) -> None:
    assert set_options(TEXT, options) == expected
    assert set_options(set_options(TEXT, options), options) == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        # As in the nova.conf of Debian 12.
        ("[placement]\nusername = =\n", "[placement]\nusername = nova\n", "[placement]\nusername = nova\n"),
        # As in libvirt's qemu.conf.
        ("#user = 1\nowner = 1\n", "owner = 0\nnew = []\n", "#user = 1\nowner = 0\nnew = []\n"),
        ("[a]\nx = 1\n  2\n\t3\n\n  # y\ny = 4\n", "[a]\nx = 9\n", "[a]\nx = 9\n\n  # y\ny = 4\n"),
        ("[a]\nx = 1\n  2\nx = 3\n  4\n", "[a]\nx = 9\n", "[a]\nx = 9\n"),
        ("[a]\nx = 1\n  2\ny = 4\n", "[a]\ny = 9\n", "[a]\nx = 1\n  2\ny = 9\n"),
        ("[b]\nx = 1\n  2\n", "[a]\nx = 9\n", "[b]\nx = 1\n  2\n\n[a]\nx = 9\n"),
        ("[a]\nplug = a\nplug = b\nx = %(y)s\n", "[a]\nx = %d\n", "[a]\nplug = a\nplug = b\nx = %d\n"),
        ("[a]\nfree text\nX = 1\n", "[a]\nx = 2\n", "[a]\nfree text\nX = 1\nx = 2\n"),
    ],
    ids=["broken", "no section", "several lines", "several lines twice", "another one's lines", "another section",
         "repeated and kept", "no option"],
)  # fmt: skip
def test_set_options_in_package_files(text: str, options: str, expected: str) -> None:
    assert set_options(text, options) == expected
