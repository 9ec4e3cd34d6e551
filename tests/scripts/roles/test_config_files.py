"""Templates of configuration files."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from scripts.roles import config_files


def test_template_with_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'memcached' is undefined"):
        config_files.fill("keystone.conf.j2", database="x")


def test_templates_are_all_used() -> None:
    home = Path(config_files.__file__).parent
    templates = [*(home / "templates").iterdir()]
    texts = "".join(path.read_text() for path in (*home.parent.rglob("*.py"), *templates))
    assert [path.name for path in templates if f'"{path.name}"' not in texts] == []
