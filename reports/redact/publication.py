"""The publication of a build and its files as a redacted bundle.

Default deny: a job, a parameter or the content of a file is published only if lab.yaml allows it.  Fail closed: if the
filter crashes, takes too long or cannot verify its own result, nothing is published.
"""

from __future__ import annotations

import platform
import re
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from pydantic import BaseModel

from lab.base import files
from lab.base.errors import Aborted, ConfigurationError
from lab.config.description import Lab
from lab.config.publication import LogLimits, Publish
from lab.store.runs import Store
from reports import bundle, junit
from reports.activity import LabActivity, activity
from reports.model import Build, File, Log
from reports.redact import archives, file_names, known_secrets, logs, rules
from reports.redact.known_secrets import Secret
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.redactor import Redactor
from reports.redact.scan import Held, Scanner
from reports.redact.text_files import is_text
from reports.redact.unpacking import MOST_BYTES, Unfit

Files = Mapping[str, Path]
T = TypeVar("T")
# The identity of a build, which never comes from the tested software: only sure rules apply to it.
IDENTITY = frozenset({
    "origin", "job", "lab", "track", "component", "series", "architecture", "phase", "commit", "version", "id", "step",
    "packaging", "lab_commit", "forge", "project", "head", "ref",
})  # fmt: skip
# Words of qalab, digests, and names in the bundle that other code makes safe: no rules apply to them.
UNCHANGED = frozenset({
    "started", "finished", "verdict", "outcome", "nuance", "sha256", "path", "log", "kind", "packaging_content", "base",
})  # fmt: skip
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+=[0-9][A-Za-z0-9.+:~-]{0,99}")  # Debian policy, 5.6.1 and 5.6.12
# A file in an archive is published as a whole, and its lines are longer than those of a log.
WHOLE = LogLimits(first=MOST_BYTES, last=0)
LONGEST_LINE = 1 << 16
SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Publication:
    """The policy and the filters of a lab's publication."""

    policy: Publish
    redactor: Redactor
    sure: Redactor
    scanner: Scanner

    @cached_property
    def _of_long_lines(self) -> Redactor:
        return replace(self.redactor, line=LONGEST_LINE)

    @classmethod
    def of(cls, lab: Lab) -> Publication:
        """Return the publication of a lab on this machine, with its known secrets and pseudonyms.

        Raises ConfigurationError.
        """
        return cls.with_key(lab, Pseudonyms.of(Store.of(lab)), this_machine())

    @classmethod
    def with_key(cls, lab: Lab, pseudonyms: Pseudonyms, hosts: Iterable[str] = ()) -> Publication:
        secrets: tuple[Secret, ...] = known_secrets.gather(lab.publish.secrets, lab.credentials)
        every = rules.for_lab(lab, secrets, pseudonyms, hosts)
        sure = tuple(rule for rule in every if rule.sure)
        line = lab.publish.logs.line
        return cls(lab.publish, Redactor(every, line), Redactor(sure, line), Scanner(secrets, every))

    def publish(self, build: Build, given: Files, into: Path) -> Path:
        """Write the bundle of a build to the directory ``into`` of bundles; return its path.

        ``given``: the files that ``build`` names, by their names in the bundle.  Raises ConfigurationError for a job
        that is not published, Held for content that must not be.
        """
        if not allowed(build.job, self.policy.jobs):
            hint = "add the job to publish.jobs"
            raise ConfigurationError(f"{build.job}: this job is not published", hint=hint)
        with (
            held_back(build.id, self.policy.timeout_minutes * SECONDS_A_MINUTE),
            tempfile.TemporaryDirectory() as directory,
        ):
            redacted, contents = self.redacted(build, given, Path(directory))
            results = {"junit.xml": junit.render(redacted.cases)} if redacted.cases else {}
            path = bundle.write(redacted, {**contents, **results}, Path(directory), scan=self.scanner)
            return _shelved(path, into)

    def redacted(self, build: Build, given: Files, directory: Path) -> tuple[Build, dict[str, Path]]:
        """Return the redacted build, and its redacted files, which are written to ``directory``."""
        notes: list[str] = list(build.notes)
        contents: dict[str, Path] = {}
        logs_of = {log.name: self._log(log, given, directory, contents, notes) for log in build.logs}
        files_of = tuple(self._file(file, given, directory, contents, notes) for file in build.files)
        parameters = {name: value for name, value in build.parameters.items() if allowed(name, self.policy.parameters)}
        renamed = {name: log.name for name, log in logs_of.items() if log}
        steps = tuple(step.model_copy(update={"log": renamed.get(step.log, "")}) for step in build.steps)
        changed = {
            "logs": tuple(filter(None, logs_of.values())),
            "files": files_of,
            "parameters": parameters,
            "steps": steps,
        }
        changed_build = build.model_copy(update={**changed, "notes": tuple(notes)})
        redact = Redact(cache(self.redactor.text), cache(self.sure.text), self.redactor.setting)
        return rewritten(changed_build, redact), contents

    def activity(self, found: LabActivity) -> LabActivity:
        """Return what waits and runs in the published jobs, with redacted names of nodes."""
        waiting = [
            one.model_copy(update={"why": self.redactor.text(one.why)})
            for one in found.waiting
            if allowed(one.job, self.policy.jobs)
        ]
        running = [
            one.model_copy(update={"agent": self.redactor.text(one.agent)})
            for one in found.running
            if allowed(one.job, self.policy.jobs)
        ]
        return activity(found.asked, waiting, running)

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

    def _file(self, file: File, given: Files, directory: Path, contents: dict[str, Path], notes: list[str]) -> File:
        name = self._name(file.name, "files", contents, notes)
        unpublished = file.model_copy(update={"name": name, "path": ""})
        source = given.get(file.path)
        if source is None or not allowed(file.name, self.policy.artifacts):
            return unpublished
        path = f"files/{name}"
        target = directory / f"{len(contents)}"
        try:
            note = self._artifact(source, target)
        except Unfit as error:
            notes.append(f"{path}: not published: it {error}")
            return unpublished
        if note:
            notes.append(f"{path}: {note}")
        contents[path] = target
        return unpublished.model_copy(update={"path": path})

    def _artifact(self, source: Path, target: Path) -> str:
        """Write the published form of an artifact; return a note about it, or "".  Raises Unfit."""
        if source.is_symlink() or not source.is_file():
            raise Unfit("is not a plain file")
        if not is_text(source):
            filters = archives.Filters(self._text, cache(self.redactor.text), self.scanner)
            changes = archives.publish(source, target, filters)
            return f"changed: {changes} lines and names in it were redacted" if changes else ""
        done = logs.publish(self.redactor, self.policy.logs, source, target)
        cut = ", and its middle is left out" if done.cut else ""
        return f"changed: {done.changed} of its lines were redacted{cut}" if done.changed or cut else ""

    def _text(self, source: Path, target: Path, *, log: bool) -> int:
        """Write the redacted form of a text in an archive; return the number of changes."""
        redactor = self.redactor if log else self._of_long_lines
        done = logs.publish(redactor, self.policy.logs if log else WHOLE, source, target)
        return done.changed + done.cut

    def _name(self, name: str, where: str, taken: Mapping[str, Path], notes: list[str]) -> str:
        """Return a safe, redacted and unique name of a file; add a note if it changed."""
        redacted = self.redactor.text(name)
        try:
            safe_name = file_names.safe(redacted)
        except ValueError:
            safe_name = file_names.safe("_" + redacted.replace("/", "_").replace("\\", "_"))
        stem, number = safe_name, 2
        while f"{where}/{safe_name}" in taken:
            safe_name, number = f"{stem}-{number}", number + 1
        if safe_name != name:
            notes.append(f"{where}/{safe_name}: renamed")
        return safe_name


def this_machine() -> tuple[str, ...]:
    """Return the name of this machine, unless it is a plain word that any text can contain."""
    name = platform.node()
    return (name,) if re.search(r"[\d.-]", name) else ()


@dataclass(frozen=True)
class Redact:
    """The filters of a build's texts: of any text, of its identity, and of a setting with this name and value."""

    text: Callable[[str], str]
    identity: Callable[[str], str]
    setting: Callable[[str, str], str]


def rewritten(model: T, redact: Redact, key: str = "") -> T:
    """Return a part of a build with every text redacted, also in fields that the model gains later."""
    result: Any = model
    match model:
        case str():
            result = model if key in UNCHANGED else (redact.identity if key in IDENTITY else redact.text)(model)
        case tuple():
            result = tuple(rewritten(item, redact, key) for item in model)
        case Mapping() if key == "packages":
            result = dict(_package(name, version, redact) for name, version in model.items())
        case Mapping():
            result = {redact.text(name): redact.setting(name, value) for name, value in model.items()}
        case BaseModel():
            values = {name: rewritten(getattr(model, name), redact, name) for name in type(model).model_fields}
            result = model.model_copy(update=values)
    return result  # type: ignore[no-any-return]


def _package(name: str, version: str, redact: Redact) -> tuple[str, str]:
    """Return a package and its version redacted: ``passwd`` is no password, and ``10.0.1.2-1`` is no address."""
    if PACKAGE.fullmatch(f"{name}={version}"):
        return redact.identity(name), redact.identity(version)
    return redact.text(name), redact.setting(name, version)


def allowed(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _shelved(path: Path, into: Path) -> Path:
    shelved = bundle.shelf(into, path.name) / path.name
    files.write_atomic(shelved, path.read_bytes())
    return shelved


@contextmanager
def held_back(what: str, seconds: float) -> Iterator[None]:
    """Raise Held for any failure in the block, and after ``seconds``; the message never quotes the content."""

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
    except Exception as error:  # noqa: BLE001 - its message can quote the content
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"
        raise Held(f"{what}: held back: the filter failed: {where}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
