"""From a build and its files to a bundle that anybody may see; or nothing at all.

Default deny: a job, a parameter or the content of a file that lab.yaml does not allow is not published.  Fail
closed: a filter that crashes, takes too long or is not sure of its own result publishes nothing.
"""

from __future__ import annotations

import codecs
import platform
import re
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from pydantic import BaseModel

from lab.base import files
from lab.base.errors import Aborted, ConfigurationError
from lab.config.description import Lab
from lab.config.publication import Publish
from lab.store.runs import Store
from reports import bundle, junit
from reports.model import Build, File, Log
from reports.redact import file_names, known_secrets, logs, rules
from reports.redact.archives import Unfit, look_into
from reports.redact.known_secrets import Secret
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.redactor import Redactor
from reports.redact.scan import Held, Scanner

Files = Mapping[str, Path]
T = TypeVar("T")
# What names a build and never comes from what was tested: only what is sure is hidden there.
IDENTITY = frozenset({
    "origin", "job", "lab", "track", "component", "series", "architecture", "phase", "commit", "version", "id", "step",
})  # fmt: skip
# Words of ours, digests, and names in the bundle that are made safe elsewhere.
OURS = frozenset({"started", "finished", "verdict", "outcome", "nuance", "sha256", "path", "log", "kind"})
TEXT_SAMPLE = 1 << 16
SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Publication:
    """All that it takes to make builds of a lab public."""

    policy: Publish
    redactor: Redactor
    sure: Redactor
    scanner: Scanner

    @classmethod
    def of(cls, lab: Lab) -> Publication:
        """Of a lab on this machine, with its known secrets and its own key for pseudonyms.  Raises ConfigurationError."""
        return cls.with_key(lab, Pseudonyms.of(Store.of(lab)), this_machine())

    @classmethod
    def with_key(cls, lab: Lab, pseudonyms: Pseudonyms, hosts: Iterable[str] = ()) -> Publication:
        secrets: tuple[Secret, ...] = known_secrets.gather(lab.publish.secrets)
        every = rules.for_lab(lab, secrets, pseudonyms, hosts)
        sure = tuple(rule for rule in every if rule.sure)
        line = lab.publish.logs.line
        return cls(lab.publish, Redactor(every, line), Redactor(sure, line), Scanner(secrets, every))

    def publish(self, build: Build, given: Files, into: Path) -> Path:
        """Make the bundle of a build below the directory ``into`` of bundles; its path.

        ``given``: what `build` names, by its name in the bundle.  Raises ConfigurationError for a job that is not
        to be published, Held for what must not be.
        """
        if not allowed(build.job, self.policy.jobs):
            hint = "allow it in lab.yaml: publish.jobs"
            raise ConfigurationError(f"{build.job}: this job is not published", hint=hint)
        with (
            held_back(build.id, self.policy.timeout_minutes * SECONDS_A_MINUTE),
            tempfile.TemporaryDirectory() as directory,
        ):
            told, contents = self.redacted(build, given, Path(directory))
            results = {"junit.xml": junit.render(told.cases)} if told.cases else {}
            path = bundle.write(told, {**contents, **results}, Path(directory), scan=self.scanner)
            return _shelved(path, into)

    def redacted(self, build: Build, given: Files, directory: Path) -> tuple[Build, dict[str, Path]]:
        """A build as it is told to all, and its files as they are shown, written below ``directory``."""
        notes: list[str] = list(build.notes)
        contents: dict[str, Path] = {}
        logs_of = {log.name: self._log(log, given, directory, contents, notes) for log in build.logs}
        told_files = tuple(self._file(one, given, directory, contents, notes) for one in build.files)
        parameters = {name: value for name, value in build.parameters.items() if allowed(name, self.policy.parameters)}
        renamed = {name: log.name for name, log in logs_of.items() if log}
        steps = tuple(step.model_copy(update={"log": renamed.get(step.log, "")}) for step in build.steps)
        changed = {
            "logs": tuple(filter(None, logs_of.values())),
            "files": told_files,
            "parameters": parameters,
            "steps": steps,
        }
        told = build.model_copy(update={**changed, "notes": tuple(notes)})
        return rewritten(told, cache(self.redactor.text), cache(self.sure.text)), contents

    def _log(self, log: Log, given: Files, directory: Path, contents: dict[str, Path], notes: list[str]) -> Log | None:
        name = self._name(log.name, "logs", contents, notes)
        path = f"logs/{name}"
        if given[log.path].is_symlink():
            notes.append(f"{path}: not published: it is not a plain file")
            return None
        contents[path] = directory / f"{len(contents)}"
        done = logs.publish(self.redactor, self.policy.logs, given[log.path], contents[path])
        if done.cut:
            notes.append(f"{path}: only its beginning and its end are published")
        return Log(name=name, path=path, size=done.size, lines=done.lines, cut=done.cut or log.cut)

    def _file(self, one: File, given: Files, directory: Path, contents: dict[str, Path], notes: list[str]) -> File:
        name = self._name(one.name, "files", contents, notes)
        told = one.model_copy(update={"name": name, "path": ""})
        source = given.get(one.path)
        if source is None or not allowed(one.name, self.policy.artifacts):
            return told
        path = f"files/{name}"
        place = directory / f"{len(contents)}"
        try:
            note = self._artifact(source, place)
        except Unfit as error:
            notes.append(f"{path}: not published: it {error}")
            return told
        if note:
            notes.append(f"{path}: {note}")
        contents[path] = place
        return told.model_copy(update={"path": path})

    def _artifact(self, source: Path, place: Path) -> str:
        """Write an artifact as it is published; what must be said of it.  Raises Unfit."""
        if source.is_symlink() or not source.is_file():
            raise Unfit("is not a plain file")
        if not _is_text(source):
            try:
                look_into(source, self.scanner)
            except Held:
                raise Unfit("has something in it that must not be public") from None
            shutil.copyfile(source, place)
            return ""
        done = logs.publish(self.redactor, self.policy.logs, source, place)
        left = ", and its middle is left out" if done.cut else ""
        return f"not as it was built: {done.changed} of its lines were redacted{left}" if done.changed or left else ""

    def _name(self, name: str, where: str, taken: Mapping[str, Path], notes: list[str]) -> str:
        """A name of a file that is safe, tells nothing, and is not taken; what is changed is told."""
        redacted = self.redactor.text(name)
        try:
            made = file_names.safe(redacted)
        except ValueError:
            made = file_names.safe("_" + redacted.replace("/", "_").replace("\\", "_"))
        stem, number = made, 2
        while f"{where}/{made}" in taken:
            made, number = f"{stem}-{number}", number + 1
        if made != name:
            notes.append(f"{where}/{made}: had another name")
        return made


def this_machine() -> tuple[str, ...]:
    """Its name, unless that is a word that may stand anywhere."""
    name = platform.node()
    return (name,) if re.search(r"[\d.-]", name) else ()


Redact = Callable[[str], str]


def rewritten(model: T, redact: Redact, sure: Redact, key: str = "") -> T:
    """A part of a build with every text in it redacted; what is new in the model is redacted too."""
    made: Any = model
    match model:
        case str():
            made = model if key in OURS else (sure if key in IDENTITY else redact)(model)
        case tuple():
            made = tuple(rewritten(item, redact, sure, key) for item in model)
        case Mapping():
            made = {redact(name): redact(value) for name, value in model.items()}
        case BaseModel():
            values = {name: rewritten(getattr(model, name), redact, sure, name) for name in type(model).model_fields}
            made = model.model_copy(update=values)
    return made  # type: ignore[no-any-return]


def allowed(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_text(path: Path) -> bool:
    with path.open("rb") as stream:
        sample = stream.read(TEXT_SAMPLE)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # its last character may be cut
    except UnicodeDecodeError:
        return False
    return b"\0" not in sample


def _shelved(path: Path, into: Path) -> Path:
    shelved = bundle.shelf(into, path.name) / path.name
    files.write_atomic(shelved, path.read_bytes())
    return shelved


@contextmanager
def held_back(what: str, seconds: float) -> Iterator[None]:
    """Whatever goes wrong inside, or takes longer, is told without a word of what was read there."""

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_long)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    except TimeoutError:
        raise Held(f"{what}: held back: the filter did not end within {seconds:g} seconds") from None
    except Held as error:
        raise Held(f"{what}: {error.args[0]}", hint=error.hint) from None
    except (bundle.BadBundle, Aborted):
        raise
    except OSError as error:
        raise Held(f"{what}: held back: {error.strerror or type(error).__name__}") from None
    except Exception as error:  # noqa: BLE001 - its message may quote what it read
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"
        raise Held(f"{what}: held back: the filter failed: {where}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
