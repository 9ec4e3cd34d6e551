"""``qalab schema``."""

from __future__ import annotations

import json

from click.testing import CliRunner

from cli.main import cli


def test_schema_is_json_schema_of_lab_yaml() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema"]).stdout)
    assert schema["title"] == "lab.yaml"
    assert {"lab", "series", "tracks", "components"} <= schema["properties"].keys()
