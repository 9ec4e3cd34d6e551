"""Records: written whole, read back the same, refused with one line when they are not ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import ConfigurationError
from lab.records import Artifact, Native, Record, RunInfo, rfc3339

RECORD = Record(
    step="source",
    component="greet",
    track="trunk",
    series="bookworm",
    architecture="amd64",
    started="2026-01-01T00:00:00.000Z",
    log="results/source.log",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    "moment, text",
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 999_999, UTC), "2026-01-31T12:00:00.999Z"),
        (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T22:30:00.000Z"),
    ],
)
def test_times_are_utc(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


@settings(max_examples=25)
@given(message=TEXT, facts=st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans(), st.lists(TEXT))))
def test_a_record_is_read_as_it_was_written(tmp_path: Path, message: str, facts: dict[str, object]) -> None:
    path = tmp_path / "record.json"
    record = RECORD.model_copy(
        update={
            "verdict": "passed",
            "message": message,
            "facts": facts,
            "artifacts": (Artifact(path="out/a", sha256="0" * 64, size=3, kind="orig"),),
            "native": (Native(path="results/native/l", format="lintian"),),
        }
    )
    record.write(path)
    assert Record.read(path) == record
    told = json.loads(path.read_bytes())
    assert told["schema"] == 1
    assert told["artifacts"] == [{"path": "out/a", "sha256": "0" * 64, "size": 3, "kind": "orig"}]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"schema": 2, "novelty": 1}, "schema: Input should be 1; expected schema 1"),
        ({"novelty": 1}, "novelty: Extra inputs are not permitted; expected schema 1"),
        ({"verdict": "splendid"}, "verdict"),
        ({"artifacts": [{"path": "out/a"}]}, "artifacts.0.sha256: Field required; expected schema 1"),
    ],
)
def test_a_record_of_another_kind_gets_one_clear_line(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(json.loads(RECORD.model_dump_json(by_alias=True)) | change))
    with pytest.raises(ConfigurationError) as caught:
        Record.read(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b'{"schema": 1, "ste', "Invalid JSON: EOF while parsing a string"),
        (b"\xff\xfe", "Invalid JSON: "),
        (b"[]", "Input should be an object"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_torn_file_gets_one_clear_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        RunInfo.read(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "verdict, well",
    [("passed", True), ("skipped", True), ("unstable", True), ("failed", False), ("error", False), ("aborted", False),
     ("running", False)],
)  # fmt: skip
def test_what_a_resumed_run_believes(*, verdict: str, well: bool) -> None:
    assert RECORD.model_copy(update={"verdict": verdict}).finished_well == well
