"""Templates, and an INI file laid over another one."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from scripts.roles import filling

BELOW = """\
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
    ("above", "expected"),
    [
        ("", BELOW),
        ("[database]\nconnection = mysql://y", BELOW.replace("sqlite:///x", "mysql://y")),
        ("[DEFAULT]\nnew = 1\n", BELOW.replace("/var/log/x\n", "/var/log/x\nnew = 1\n")),
        ("[placement]\na = 1\nb = 2\n", f"{BELOW}\n[placement]\na = 1\nb = 2\n"),
        ("[cache]\nenabled = true\nservers = s\n", BELOW.replace("false", "true\nservers = s")),
        ("[uwsgi]\nprocesses = 2\n", BELOW.replace("processes = 1", "processes = 2").replace("processes = 8\n", "")),
    ],
    ids=["nothing", "replaced", "added", "a new section", "a section that is there twice", "an option that is"],
)
def test_lay_over(above: str, expected: str) -> None:
    assert filling.lay_over(BELOW, above) == expected
    assert filling.lay_over(filling.lay_over(BELOW, above), above) == expected


def test_what_is_broken_is_replaced() -> None:
    """As in the nova.conf of Debian 12."""
    assert (
        filling.lay_over("[placement]\nusername = =\n", "[placement]\nusername = nova\n")
        == "[placement]\nusername = nova\n"
    )


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'memcached' is undefined"):
        filling.fill("keystone.conf.j2", database="x")


def test_every_template_is_used() -> None:
    home = Path(filling.__file__).parent
    templates = [*(home / "templates").iterdir()]
    texts = "".join(path.read_text() for path in (*home.glob("*.py"), *home.parent.glob("*.py"), *templates))
    assert [path.name for path in templates if f'"{path.name}"' not in texts] == []
