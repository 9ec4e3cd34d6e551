"""``qalab site serve``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.site import command as site
from lab.base.errors import ConfigurationError
from lab.config.description import Lab


def test_serve_without_site_is_refused(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab_factory()
    argv = ["serve", "--lab", str(tmp_path / "lab.yaml"), "--port", "0"]
    with pytest.raises(ConfigurationError, match="no site here"):
        CliRunner().invoke(site, argv, catch_exceptions=False)
