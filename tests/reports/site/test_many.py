"""Every page with very many of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.results.cases import Case
from reports.model import Commit, File, Log, StepSummary
from reports.site import Identity, build
from tests.reports.publications import a_build
from tests.reports.site.crawl import crawl
from tests.reports.site.worlds import InMemory

MANY = 10_000


@pytest.mark.integration
def test_site_of_very_many_parts(tmp_path: Path) -> None:
    """A build passes, then nearly half of its tests fail, then most: on many steps, with many commits, files and logs."""
    made = {}
    for number, bad in enumerate((0, MANY * 2 // 5, MANY * 4 // 5), 1):
        steps = tuple(StepSummary(step=f"step-{place}", verdict="failed" if bad else "passed") for place in range(1000))
        one = a_build(
            number=number,
            started=f"2026-01-0{number}T00:00:00.000Z",
            finished=f"2026-01-0{number}T01:00:00.000Z",
            verdict="failed" if bad else "passed",
            step="step-0" if bad else "",
            steps=steps,
            cases=tuple(
                Case(
                    suite="s",
                    classname="c",
                    name=f"t{place}",
                    outcome="failed" if place < bad else "passed",
                    message="m",
                )
                for place in range(MANY)
            ),
            commits=tuple(Commit(id=f"{place:040x}", subject="s", author="a") for place in range(MANY)),
            files=tuple(File(name=f"f{place}", sha256="0" * 64, size=1, kind="k") for place in range(MANY)),
            logs=tuple(Log(name=f"l{place}", path=f"logs/{place}.log", size=2, lines=1) for place in range(500)),
            notes=tuple(f"note {place}" for place in range(MANY)),
        )
        made[Path("/nowhere", f"{number}.tar.gz")] = InMemory(
            one, {f"logs/{place}.log": b"x\n" for place in range(500)}
        )
    report = build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    assert (report.added, report.left_out, report.stale) == (3, {}, {})
    assert crawl(tmp_path / "current").problems == []
    home = (tmp_path / "current/index.html").read_text()
    assert "most tests" in home
    assert len(home) < 100_000
    pages = [path.stat().st_size for path in tmp_path.glob("editions/*/builds/*/*/index.html")]
    assert max(pages) < 400_000
