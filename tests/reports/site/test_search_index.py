"""The search index: what it finds, and what it must not have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from lab.results.cases import Case
from reports.model import Commit
from reports.site import Identity, build, search_index
from tests.reports.publications import a_build
from tests.reports.site.conftest import WORLD
from tests.reports.site.crawl import BASE, file_of
from tests.reports.site.worlds import InMemory


def shard(path: Path) -> dict[str, Any]:
    """Return the index in a script: one call, with JSON."""
    text = path.read_text(encoding="ascii")
    (called,) = re.findall(r"\AqalabShard\((.*)\);\n\Z", text)
    return json.loads(called)


@pytest.mark.integration
def test_index_finds_commits_authors_and_messages(built: Path) -> None:
    found = 0
    for path in (built / "current/p").glob("*/*/search.js"):
        index = shard(path)
        texts = {(kind, text, author) for kind, text, author, _, _ in index["entries"]}
        line = [
            one
            for place in WORLD
            if (one := WORLD.read(place).build).component == index["component"] and one.track == index["track"]
        ]
        assert (index["builds"], index["of"], index["since"], index["cut"]) == (
            len(line),
            len(line),
            line[0].started[:10],
            False,
        )
        for one in line:
            for commit in one.commits:
                assert ("commit", f"{commit.id[:12]} {commit.subject}", commit.author) in texts
            if one.verdict in {"failed", "unstable"}:
                assert ("step", f"build {one.verdict}, {one.step}: {one.message}", "") in texts
                for case in one.cases:
                    assert case.outcome != "failed" or ("test", f"{case.id}: {case.message}", "") in texts
                    found += case.outcome == "failed"
        assert all(file_of(built / "current", BASE + entry[-1]).is_file() for entry in index["entries"])
        assert [entry[3] for entry in index["entries"]] == sorted(
            (entry[3] for entry in index["entries"]), reverse=True
        )
    assert found > 20


def test_pages_of_months_have_subjects_and_messages_for_readers_without_scripts(built: Path) -> None:
    one = next(made for path in WORLD if (made := WORLD.read(path).build).verdict == "failed")
    page = built / f"current/p/{one.component}/{one.track}/{one.started[:7]}/index.html"
    (row,) = html.fromstring(page.read_bytes()).xpath(f"//tr[contains(., '{one.commit[:10]}')]")
    text = " ".join(row.text_content().split())
    assert one.commits[0].subject in text
    assert f"{one.step}: {one.message}" in text


def lane(count: int, **fields: Any) -> dict[Path, InMemory]:
    made = {}
    for number in range(1, count + 1):
        one = a_build(
            number=number,
            started=f"2026-01-01T{number // 60:02}:{number % 60:02}:00.000Z",
            verdict="failed",
            step="sbuild",
            **fields,
        )
        made[Path("/nowhere", f"{number}.tar.gz")] = InMemory(one, {})
    return made


HOSTILE = "\x1b[31m\u202e</script><!--\u2028\x00\\\"'"


def test_hostile_text_is_data(tmp_path: Path) -> None:
    made = lane(1, message=HOSTILE, component=HOSTILE, commits=(Commit(id=HOSTILE, subject=HOSTILE, author=HOSTILE),))
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    (path,) = (tmp_path / "current/p").glob("*/*/search.js")
    index = shard(path)
    texts = [index["component"], *(text for entry in index["entries"] for text in entry[1:3])]
    assert any("</script>" in text for text in texts)
    assert not {"\x1b", "\u202e", "\x00"} & set("".join(texts))


@pytest.mark.parametrize("builds, entries, expected", [(3, 100, (3, False)), (2, 100, (2, False)), (3, 4, (3, True))])
def test_index_is_bounded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    builds: int,
    entries: int,
    expected: tuple[int, bool],
) -> None:
    monkeypatch.setattr(search_index, "BUILDS", builds)
    monkeypatch.setattr(search_index, "ENTRIES", entries)
    cases = tuple(Case(suite="s", classname="c", name=f"t{place}", outcome="failed", message="m") for place in range(5))
    made = lane(3, message="boom", cases=cases)
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    (path,) = (tmp_path / "current/p").glob("*/*/search.js")
    index = shard(path)
    assert (index["builds"], index["cut"], index["of"]) == (*expected, 3)
    assert len(index["entries"]) == min(entries, 6)  # the same message once
