"""``qalab doctor`` and ``qalab setup``: their output about the prerequisites of this machine, and their exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cli.main import cli
from scripts.host import phase_prerequisites, prerequisites
from scripts.host.prerequisites import Finding

GOOD = Finding(what="git", good=True, detail="2.39", fix="")
BAD = Finding(what="sbuild", good=False, detail="missing", fix="apt-get install sbuild")


@pytest.mark.parametrize("findings, code", [([GOOD], 0), ([GOOD, BAD], 3)])
def test_doctor_reports_findings(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], code: int) -> None:
    monkeypatch.setattr(prerequisites, "doctor", lambda _lab: iter(findings))
    monkeypatch.setattr(phase_prerequisites, "phases", lambda _lab: iter(()))
    text = CliRunner().invoke(cli, ["doctor"])
    assert text.exit_code == code
    assert ("  fix: apt-get install sbuild\n" in text.stdout) == (code != 0)
    data = CliRunner().invoke(cli, ["doctor", "--json"])
    assert (data.exit_code, [one["good"] for one in json.loads(data.stdout)]) == (code, [one.good for one in findings])
