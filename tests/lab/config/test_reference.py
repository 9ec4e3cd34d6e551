"""The descriptions of the keys of `lab.yaml`, and the reference made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter

from lab.config import description, reference
from lab.config.types import SettingsModel


def models(model: type[BaseModel] = SettingsModel) -> Iterator[type[BaseModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from models(subclass)


FIELDS = {f"{model.__name__}.{name}": field for model in models() for name, field in model.model_fields.items()}


def test_models_are_those_of_the_lab() -> None:
    assert {name.partition(".")[0] for name in FIELDS} >= {*description.Lab.model_json_schema()["$defs"], "Lab"}


def test_each_key_has_a_description() -> None:
    assert [name for name, field in FIELDS.items() if not (field.description or "").endswith(".")] == []


def test_each_key_without_a_value_documents_its_default() -> None:
    names = {name for name, field in FIELDS.items() if field.default is None and not field.is_required()}
    assert {name for name in names if "Default:" not in (FIELDS[name].description or "")} == {"Deployment.ssh"}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.examples])
def test_example_is_valid(name: str) -> None:
    field = FIELDS[name]
    kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for example in field.examples or ():
        adapter.validate_json(json.dumps(example).replace("{component}", "hello"), strict=True)


@pytest.mark.parametrize("unit", ["minutes", "days"])
def test_description_names_the_unit(unit: str) -> None:
    numbers = {name: field for name, field in FIELDS.items() if name.endswith(unit)}
    assert numbers
    assert {name for name, field in numbers.items() if unit not in (field.description or "")} == set()


@pytest.mark.parametrize(
    "row",
    [
        "| `NAME.refresh_days` | integer, 1 or more | `7` | The maximum age of a chroot, in days.",
        "| `NAME.series` | text | required | The series",
        "| `NAME.pockets` | list | `[]` | Pockets in addition to the release. Example: `[updates, security, backports]`. |",
        "| `jenkins.receiver` | `freestyle` or `external` | `freestyle` |",
        "| `applications.NAME.role` | text | required |",
        "| `secrets[].env` | text |  |",
        "| `ssh.hosts` | list | required | The machines node0, node1 ... as `USER@HOST[:PORT]`.",
    ],
)
def test_reference_row(row: str) -> None:
    assert f"\n{row}" in reference.markdown()


def test_reference_lists_shared_keys_once() -> None:
    text = reference.markdown()
    assert text.count("packaging.drop_merged_patches`") == 1
    assert text.count("tempest.concurrency`") == 1
    assert "## defaults\n\nSettings of every component. Its keys: see [components](#components).\n" in text


def test_reference_has_a_section_for_each_top_level_key() -> None:
    sections = [line.removeprefix("## ") for line in reference.markdown().splitlines() if line.startswith("## ")]
    assert sections == list(description.Lab.model_fields)
