"""``qalab results bundle``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.results import bundle
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.runs import Store
from reports import bundle as bundles
from reports.redact.pseudonyms import Pseudonyms
from tests.cli.results.conftest import LOG, call
from tests.conftest import Bench
from tests.reports.publications import SECRET


def test_bundle_of_run(lab: Lab, bench: Callable[..., Bench]) -> None:
    made = bench(lab)
    made.pretend("snapshot", message=f"{SECRET} on agent-7")
    made.run.log_path("snapshot").write_text(LOG)
    path = Path(call(bundle.command, "trunk/greet/1").output.strip())
    assert path.parent.parent == Store.of(lab).root / "bundles"
    assert path.parent.name == path.name[:2]
    (step,) = bundles.read(path).build.steps
    assert step.message == f"[REDACTED:cloud] on {Pseudonyms.of(Store.of(lab)).name('node', 'agent-7')}"
    with bundles.read(path).open("logs/snapshot.log") as stream:
        assert stream.read().decode().endswith("\x1b[31mred\x1b[0m\n")
    content = json.loads(call(bundle.command, "trunk/greet/1", "--json").output)
    assert content == {"path": str(path), "sha256": path.name[:64], "notes": []}


def test_bundle_reports_omitted_file(lab: Lab, bench: Callable[..., Bench]) -> None:
    made = bench(lab)
    made.pretend("snapshot")
    made.run.log_path("snapshot").symlink_to("/etc/passwd")
    done = call(bundle.command, "trunk/greet/1")
    assert done.stderr == "logs/snapshot.log: not published: it is not a plain file\n"


def test_bundle_refuses_unpublished_job(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    bench(lab_factory()).pretend("snapshot")
    with pytest.raises(ConfigurationError, match="trunk/greet/build: this job is not published"):
        call(bundle.command, "trunk/greet/1")
