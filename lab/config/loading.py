"""Read `lab.yaml`: YAML with line numbers, the model, contradictions; an error is ``file:line: key: problem; known values``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lab.base.errors import ConfigurationError
from lab.base.git import readable
from lab.config import agents, deployments, forge_projects, machines, review_projects, targets
from lab.config.description import Lab

Key = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
# Far more than any lab has; nested anchors expand to billions.
MOST_ENTRIES = 200_000
KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
OTHER_NUMBER = re.compile(r"[-+]?0[0-9bx_]|.*:")  # an outlet 010 would be 8, and 1:20 would be 80
LONGEST = 80
PLACEHOLDER = re.compile(r"\{\w+\}")  # {component}


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data, and the line of each key."""

    path: Path
    data: Any
    lines: Mapping[Key, int]

    def line(self, key: Key) -> int:
        """Return the line of a key, or of its nearest existing parent."""
        return next((self.lines[key[:size]] for size in range(len(key), -1, -1) if key[:size] in self.lines), 1)

    def complaints(self, problems: Iterable[tuple[Key, str]]) -> DescriptionError:
        """Return problems as one error, in the order of the file."""
        ordered = sorted((self.line(key), ".".join(map(str, key)), what) for key, what in problems)
        return DescriptionError(f"{self.path}:{line}: {name or self.path.name}: {what}" for line, name, what in ordered)


class DescriptionError(ConfigurationError):
    """An error in `lab.yaml`; each complaint is one line."""

    def __init__(self, complaints: Iterable[str]) -> None:
        self.complaints = tuple(map(readable, complaints))
        super().__init__("\n".join(self.complaints))


def load(path: Path) -> Lab:
    """Read and validate a lab's description.  Raises DescriptionError."""
    document = read_yaml(path)
    lab = _validated(document, Lab)
    if problems := dict.fromkeys(_contradictions(lab)):
        raise document.complaints(problems)
    return lab


def read_model(path: Path, model: type[Model]) -> Model:
    """Read and validate a YAML file that a lab's description names.  Raises DescriptionError."""
    return _validated(read_yaml(path), model)


def _validated(document: Document, model: type[Model]) -> Model:
    try:
        # Strictness in JSON mode: a YAML list is a tuple of the model, a number is no string.
        data = json.dumps(document.data, default=str, ensure_ascii=False).encode()
        return model.model_validate_json(data, context={"home": document.path.resolve().parent, "file": document.path})
    except ValidationError as error:
        raise document.complaints(_complaints(error, model)) from None
    except UnicodeEncodeError as error:  # half of a character, escaped
        what = f"{error.object[error.start]!r} stands for no character"
        raise DescriptionError([f"{document.path}: is no text: {what}"]) from None


class _PlacedErrors(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:  # noqa: FBT001, FBT002 - PyYAML's own
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a day that no month has
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


def read_yaml(path: Path) -> Document:
    """Read a YAML file; duplicate keys are an error.  Raises DescriptionError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DescriptionError([f"{path}: there is no such file; name it with --lab or QALAB_LAB"]) from None
    except IsADirectoryError:
        raise DescriptionError([f"{path}: is a directory; name the file: {path / 'lab.yaml'}"]) from None
    except OSError as error:
        raise DescriptionError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise DescriptionError([f"{path}: cannot be read: {error}"]) from None
    try:
        loader = _PlacedErrors(text)
        node = loader.get_single_node()
        lines = _lines(path, node) if node else {}
        return Document(path, loader.construct_document(node) if node else None, lines)
    except RecursionError:
        raise DescriptionError([f"{path}: not YAML: nested too deep, or an anchor that is in itself"]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DescriptionError([f"{path}:{line}: not YAML: unacceptable character #x{error.character:04x}"]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        cure = _unquoted(text, mark.line) if mark else ""
        raise DescriptionError([f"{where}: not YAML: {yaml_problem(error)}{cure}"]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # what PyYAML lets through unmarked
        raise DescriptionError([f"{path}: not YAML: {' '.join(str(error).split())}"]) from None


def yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """Return what is wrong, without its place; where something is there twice, the line of the first one is said."""
    if error.problem == "second occurrence" and error.context and error.context_mark:
        return f"{error.context.partition(';')[0]}, which line {error.context_mark.line + 1} has"
    return str(error.problem or error.context)


def _unquoted(text: str, line: int) -> str:
    """Return what to do about a placeholder in a line that is no YAML, else ""."""
    found = PLACEHOLDER.search("".join(text.splitlines()[line : line + 1]))
    return f"; quote the value that has {found[0]} in it" if found else ""


def _lines(path: Path, root: Node) -> dict[Key, int]:
    """Return the line of each key.  Raises DescriptionError for a duplicate key, or a key that is no text."""
    lines: dict[Key, int] = {}
    for count, (key, node, value) in enumerate(_walk(root, ())):
        line, name = node.start_mark.line + 1, ".".join(map(str, key))
        if count == MOST_ENTRIES:
            raise DescriptionError([f"{path}: has more than {MOST_ENTRIES:,} entries, those behind aliases counted"])
        if not isinstance(key[-1], int) and node.tag not in KEY_TAGS:
            shown = node.value if isinstance(node, ScalarNode) else "of several parts"
            raise DescriptionError([f"{path}:{line}: the key {shown} is no text to YAML: quote it"])
        if key in lines:
            raise DescriptionError([f"{path}:{line}: {name}: is there twice"])
        if value.tag == "tag:yaml.org,2002:int" and OTHER_NUMBER.match(str(value.value)):
            raise DescriptionError([f"{path}:{line}: {name}: {value.value} is another number to YAML: quote it"])
        lines[key] = line
    return lines


def _walk(node: Node, key: Key) -> Iterator[tuple[Key, Node, Node]]:
    """Yield every key with the node of the key itself, or the item of a list, and that of its value."""
    if isinstance(node, MappingNode):
        for name, value in node.value:
            yield (*key, name.value), name, value
            yield from _walk(value, (*key, name.value))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key, index), value, value
            yield from _walk(value, (*key, index))


def _complaints(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[Key, str]]:
    for item in error.errors():
        key: Key = tuple(part for part in item["loc"] if not str(part).startswith("["))  # pydantic's own notes
        match item["type"]:
            case "extra_forbidden":
                what = f"unknown key; {known_names(str(key[-1]), sorted(_fields_at(key[:-1], root)))}"
            case "missing":
                what = f"missing; {_describe(key, root)}"
            case "model_type":
                what = f"must have keys of its own; known: {', '.join(sorted(_fields_at(key, root)))}"
            case _:
                what = item["msg"].removeprefix("Value error, ")
                if not isinstance(item["input"], dict | list):
                    what += f"; found: {_shown(item['input'])}"
                if item["type"] == "string_type" and isinstance(item["input"], int | float):
                    what += ": quote it, YAML reads it as no text"
        yield key, what


def known_names(name: str, known: Iterable[str]) -> str:
    """Return the known names for a message about an unknown one, with the nearest one first."""
    names = [*known]
    close = difflib.get_close_matches(name, names, 1)
    return (f"did you mean {close[0]}? " if close else "") + f"known: {', '.join(names)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _model_at(key: Key, root: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model that validates the value of a key."""
    model: type[BaseModel] | None = root
    inside_mapping = False
    for part in (each for each in key if not isinstance(each, int)):  # an item of a list has no field
        if inside_mapping:  # the part is a name that the user chose
            inside_mapping = False
            continue
        field = model.model_fields.get(str(part)) if model else None
        annotation = field.annotation if field else None
        inside_mapping = "Mapping" in str(annotation)
        model = next(_models_in(annotation), None)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _fields_at(key: Key, root: type[BaseModel]) -> Iterable[str]:
    model = _model_at(key, root)
    return model.model_fields if model else ()


def _describe(key: Key, root: type[BaseModel]) -> str:
    model = _model_at(key[:-1], root)
    field = model.model_fields.get(str(key[-1])) if model else None
    description = field.description if field and field.description else "a required key"
    return description.partition(". ")[0].rstrip(".")


def _contradictions(lab: Lab) -> Iterator[tuple[Key, str]]:
    """Yield contradictions between parts of a description."""
    suites: dict[str, str] = {}
    for name, track in lab.tracks.items():
        yield from _unknown(("tracks", name, "series"), "series", [track.series], lab.series)
        yield from _unknown(("tracks", name, "components"), "component", track.components or (), lab.components)
        for label in track.labels:
            if f"{name}-{label}" in lab.tracks:
                yield ("tracks", name, "labels"), f"{name}-{label} is a track already: its suite has that name"
            if (other := suites.setdefault(f"{name}-{label}", name)) != name:
                yield ("tracks", name, "labels"), f"{name}-{label} is a label of {other} already"
    for name, own in lab.components.items():
        yield from _unknown(("components", name, "tracks"), "track", own.tracks, lab.tracks)
    yield from _repositories_missing(lab)
    yield from _never_promoted(lab)
    yield from forge_projects.contradictions(lab)
    yield from review_projects.contradictions(lab)
    yield from agents.contradictions(lab)
    yield from machines.contradictions(lab.machines, lab.lab_server, lab.tracks)
    yield from deployments.contradictions(lab)
    for home, view in deployments.views(lab):
        yield from deployments.at(home, _deployment_contradictions(view))


def _deployment_contradictions(lab: Lab) -> Iterator[tuple[Key, str]]:
    deployment = lab.deployment
    if deployment is None:
        return
    ends = [end.split(":")[0] for pair in deployment.relations for end in pair]
    yield from _unknown(("deployment", "relations"), "application", ends, deployment.applications)
    yield from targets.contradictions(deployment, lab.machines)
    for name, track in lab.tracks.items():
        if track.trigger == "proposed" and deployment.target == "juju":
            yield ("tracks", name, "trigger"), "charms take no packages of a -proposed pocket; nspawn and ssh do"
    if deployment.target == "juju" and not lab.archive.url:
        yield ("archive", "url"), "missing; where Juju's machines find the lab's archive, on a web server"


def _repositories_missing(lab: Lab) -> Iterator[tuple[Key, str]]:
    """Yield components to build without the repository of upstream or of the packaging, even in the defaults."""
    for track in (name for name, track in lab.tracks.items() if "build" in track.phases):
        for name in lab.components_of(track):
            if name in lab.components:
                seen = lab.component(name, track)
                for part, model in (("upstream", seen.upstream), ("packaging", seen.packaging)):
                    if not model.git:
                        yield ("components", name, part, "git"), f"missing; {_describe(('defaults', part, 'git'), Lab)}"


def _never_promoted(lab: Lab) -> Iterator[tuple[Key, str]]:
    """Yield uploads and pushes after a promotion that no track of the component makes."""
    for track in (name for name, described in lab.tracks.items() if described.promotion is None):
        for name in lab.components_of(track):
            if name in lab.components:
                seen = lab.component(name, track)
                for key, step in ((("upload",), seen.upload), (("packaging", "push"), seen.packaging.push)):
                    if step and step.after == "tested":
                        yield ("components", name, *key, "after"), f"tested: {track} has no promotion"


def _unknown(key: Key, what: str, named: Iterable[str], known: Iterable[str]) -> Iterator[tuple[Key, str]]:
    for name in named:
        if name not in known:
            yield (*key, name), f"no {what} {name}; known: {', '.join(known)}"


def schema() -> str:
    """Return the JSON Schema of `lab.yaml`, for editors."""
    return json.dumps(Lab.model_json_schema() | {"title": "lab.yaml"}, indent=2, sort_keys=True) + "\n"
