"""Records: written atomically, read back unchanged, refused with one line if they are not qalab's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from lab.base.errors import ConfigurationError
from lab.base.schema import NewerSchemaError
from lab.store.records import Artifact, Native, Record, RunInfo, Stored, rfc3339
from scripts.services.deployed_state import Deployed

# Written by the release before schemas were migrated.
SCHEMA_1 = Path(__file__).parents[2] / "data/schema1"

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
def test_record_times_are_utc(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


@settings(max_examples=25)
@given(message=TEXT, facts=st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans(), st.lists(TEXT))))
def test_record_is_read_as_written(tmp_path: Path, message: str, facts: dict[str, object]) -> None:
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
    "change, message",
    [
        ({"schema": 0}, "schema: must be a whole number from 1 on; found: 0"),
        ({"schema": "two"}, "schema: must be a whole number from 1 on; found: 'two'"),
        ({"schema": True}, "schema: must be a whole number from 1 on; found: True"),
        ({"novelty": 1}, "novelty: Extra inputs are not permitted; expected schema 1"),
        ({"verdict": "splendid"}, "verdict"),
        ({"artifacts": [{"path": "out/a"}]}, "artifacts.0.sha256: Field required; expected schema 1"),
    ],
)
def test_record_of_other_schema_error_is_one_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(json.loads(RECORD.model_dump_json(by_alias=True)) | change))
    with pytest.raises(ConfigurationError) as caught:
        Record.read(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b'{"schema": 1, "ste', "Invalid JSON: EOF while parsing a string"),
        (b"\xff\xfe", "Invalid JSON: "),
        (b"[]", "must be a JSON object"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_torn_file_error_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        RunInfo.read(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


class Second(Stored):
    """The second schema of something: ``name`` was called ``title`` before."""

    migrations: ClassVar = {1: lambda data: {"name": data.pop("title"), **data}}
    schema_version: int = Field(2, alias="schema")
    name: str


class Third(Stored):
    """The third one: there are several names."""

    migrations: ClassVar = {
        **Second.migrations,
        2: lambda data: {"names": [data.pop("name")], **data},
    }
    schema_version: int = Field(3, alias="schema")
    names: tuple[str, ...]


@pytest.mark.parametrize(
    "model, data, fields",
    [
        (Second, {"title": "a"}, {"name": "a"}),  # without a version: schema 1
        (Second, {"schema": 1, "title": "a"}, {"name": "a"}),
        (Second, {"schema": 2, "name": "a"}, {"name": "a"}),
        (Third, {"schema": 1, "title": "a"}, {"names": ("a",)}),
        (Third, {"schema": 2, "name": "a"}, {"names": ("a",)}),
        (Third, {"schema": 3, "names": ["a", "b"]}, {"names": ("a", "b")}),
    ],
)
def test_older_schema_is_migrated_in_memory(
    tmp_path: Path, model: type[Stored], data: dict[str, object], fields: dict[str, object]
) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data))
    read = model.read(path)
    assert read == model(**fields)
    assert json.loads(path.read_text()) == data
    read.write(path)
    assert json.loads(path.read_text())["schema"] == model.known_schema()
    assert model.read(path) == read


@pytest.mark.parametrize("model, known", [(Record, 1), (RunInfo, 6), (Second, 2), (Third, 3)])
def test_data_of_a_newer_qalab_is_refused_before_anything_else_of_it_is_looked_at(
    tmp_path: Path, model: type[Stored], known: int
) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"schema": known + 1, "novelty": 1}))
    with pytest.raises(NewerSchemaError) as caught:
        model.read(path)
    message = f"{path} was written by a newer qalab (schema {known + 1}; this one knows {known}): upgrade qalab"
    assert (str(caught.value), caught.value.exit_code) == (message, 2)


@pytest.mark.parametrize("migrations", [{}, {1: dict}, {2: dict}, {1: dict, 2: dict, 3: dict}])
def test_older_schema_needs_migration(migrations: dict[int, object]) -> None:
    with pytest.raises(TypeError, match="a migration for each schema before 3, and no other"):
        type("Lacking", (Third,), {"migrations": migrations, "__annotations__": {"migrations": ClassVar}})


def stored_models(model: type[Stored] = Stored) -> Iterator[type[Stored]]:
    for each in model.__subclasses__():
        yield each
        yield from stored_models(each)


def test_stored_models_begin_with_schema() -> None:
    for model in stored_models():
        assert next(iter(model.model_fields.values())).alias == "schema", model


@pytest.mark.parametrize(
    "name, model, fields",
    [
        ("run.json", RunInfo, {"component": "greet", "number": 1, "lab_commit": "", "commit": "0000000167726565740000000000000000000000"}),
        ("record.json", Record, {"step": "lintian", "verdict": "unstable", "seconds": 10.0}),
        ("deployed.json", Deployed, {"track": "trunk", "nodes": {"node0": "10.0.0.2"}}),
    ],
)  # fmt: skip
def test_schema_1_is_read(name: str, model: type[Stored], fields: dict[str, object]) -> None:
    read = model.read(SCHEMA_1 / name)
    assert {field: getattr(read, field) for field in fields} == fields


@pytest.mark.parametrize(
    "verdict, well",
    [("passed", True), ("skipped", True), ("unstable", True), ("failed", False), ("error", False), ("aborted", False),
     ("running", False)],
)  # fmt: skip
def test_finished_well_of_verdict(*, verdict: str, well: bool) -> None:
    assert RECORD.model_copy(update={"verdict": verdict}).finished_well == well
