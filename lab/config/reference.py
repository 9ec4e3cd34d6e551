"""The reference of `lab.yaml` in Markdown, from the JSON Schema of the models."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import yaml

from lab.config.description import Lab

Schema = Mapping[str, Any]
# Models that occur in several places, and the key whose section lists their keys.
HOMES: Final[Mapping[str, str]] = {
    "Deployment": "deployment",
    "ComponentSettings": "components",
    "OwnExercise": "deployment.exercises",
    "Tempest": "deployment.tempest",
}
TYPES: Final[Mapping[str, str]] = {
    "string": "text",
    "boolean": "`true` or `false`",
    "array": "list",
    "object": "mapping",
}


class _Shape(NamedTuple):
    """The part of a key below its description: the model it leads to, and the placeholder for an item of it."""

    type: str
    model: str
    item: str


def markdown() -> str:
    """Return one section with a table for each top-level key of `lab.yaml`."""
    schema = Lab.model_json_schema()
    models: Mapping[str, Schema] = schema["$defs"]
    return "\n\n".join(_section(models, name, node) for name, node in schema["properties"].items()) + "\n"


def _section(models: Mapping[str, Schema], name: str, node: Schema) -> str:
    shape = _shape(node)
    if HOMES.get(shape.model, name) != name:
        return f"## {name}\n\n{node['description']} {_link(HOMES[shape.model])}"
    text = " ".join(models[shape.model]["description"].split("\n")).replace("  ", "\n\n")
    head = ["| key | type | default | description |", "|---|---|---|---|"]
    return "\n".join([f"## {name}", "", text, "", *head, *_rows(models, shape, name, shape.item.lstrip("."))])


def _rows(models: Mapping[str, Schema], shape: _Shape, section: str, prefix: str) -> Iterator[str]:
    """Yield a row for each key of a model, and for the keys of the models in it."""
    model = models[shape.model]
    for name, node in model["properties"].items():
        inner = _shape(node)
        home = HOMES.get(inner.model, "")
        elsewhere = home not in {"", f"{section}.{prefix}{name}"}
        text = (
            node.get("description") or models[inner.model]["description"]
        )  # pydantic omits the one that repeats the other
        cells = [
            f"`{prefix}{name}`",
            inner.type,
            "required" if name in model.get("required", ()) else _default(node),
            " ".join([text, *_examples(node), *([_link(home)] if elsewhere else [])]),
        ]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        if inner.model and not elsewhere:
            yield from _rows(models, inner, section, f"{prefix}{name}{inner.item}")


def _shape(node: Schema) -> _Shape:
    """Return the shape of a key."""
    choices = [choice for key in ("anyOf", "oneOf") for choice in node.get(key, ()) if choice.get("type") != "null"]
    node = next((choice for choice in choices if "$ref" in choice), next(iter(choices), node))
    if reference := node.get("$ref"):
        return _Shape("mapping", reference.rpartition("/")[2], ".")
    if values := node.get("enum"):
        names = [f"`{choice}`" for choice in values]
        return _Shape(f"{', '.join(names[:-1])} or {names[-1]}", "", "")
    match node["type"]:
        case "object":
            inner = _shape(node["additionalProperties"])
            return _Shape("mapping", inner.model, ".NAME.")
        case "array":
            inner = _shape(node["items"]) if "items" in node else _Shape("", "", "")
            return _Shape("list", inner.model, "[].")
        case "integer":
            least = node.get("minimum")
            return _Shape("integer" if least is None else f"integer, {least} or more", "", "")
    return _Shape(TYPES[node["type"]], "", "")


def _default(node: Schema) -> str:
    value = node.get("default")
    described = "Default:" in node.get("description", "")
    return "" if described or value in (None, "") or _shape(node).model else f"`{_code(value)}`"


def _examples(node: Schema) -> Iterator[str]:
    for example in node.get("examples", ()):
        yield f"Example: `{_code(example)}`."


def _code(value: object) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, list | dict):
        return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf).strip()
    return value if isinstance(value, str) else json.dumps(value)


def _link(section: str) -> str:
    return f"Its keys: see [{section}](#{section.partition('.')[0]})."
