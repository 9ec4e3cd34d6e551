"""upload: upload the source package with dput, once.

The other side is asked first for what it has: the archive that the queue feeds (``upload.published``; a
PPA's is known), dput's own log of what it uploaded, the queue itself.  dput sends the .changes last,
so an upload that was cut short has none there and is made again.  An archive that has a newer version
is not sent an older one.  `scripts.archives.upload_queues` says which queues there are and how they are used.

With ``upload.after: tested``, the step is skipped until the version is promoted; then `qalab promote` runs it.

Facts: ``to``, ``uploaded`` (False: the other side had it already); ``waits_for`` (the label that the version waits for).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from debian.deb822 import Changes

from lab.base import files
from lab.base.debian import compare
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Word
from lab.config.components import Upload
from lab.store import step_command
from lab.store.archive_place import is_apart
from lab.store.signing import lab_key
from lab.store.step import StepContext, StepOutcome
from scripts.archives import upload_queues
from scripts.archives.upload_queues import Queue
from scripts.promotion import after

NAME = "upload"
TIMEOUT_SECONDS = 3600.0
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
# Lines that dput prints in addition to the reason of a failure.
BESIDE = ("Note:", "Please consult dput.cf", "Traceback")


def section(to: str, digest: str) -> str:
    """Return the name of dput.cf's section.

    dput names its log of an upload after it, so the log is of this queue and of these very bytes.
    """
    return f"{re.sub('[^A-Za-z0-9.]+', '-', to).strip('-')[:80]}-{digest[:12]}"


def refusal(lines: Iterable[str]) -> str:
    """Return why dput failed: the server's answer with its number, else the last line of the output."""
    output = takewhile(lambda line: not line.startswith("Warning: The execution of"), lines)
    messages = [line.strip() for line in output if line.strip() and not line.strip().startswith(BESIDE)]
    answers = [match[1] for line in messages if (match := re.search(r"(?:^|: )([45]\d\d [A-Z].*)", line))]
    if answers:
        return f"refused with {answers[-1]}"
    return messages[-1] if messages else "dput did not say why"


def kept(lines: Iterable[str]) -> list[str]:
    """Return the lab's files that an FTP server had already and did not overwrite."""
    return [match[1] for line in lines if (match := re.match(r"Leaving existing (\S+) on the server", line))]


def check_ppa(changes: Path, distribution: str) -> None:
    """Refuse what Launchpad would drop without an answer.  Raises ConfigurationError."""
    if distribution != "ubuntu":
        raise ConfigurationError(f"upload.to: a PPA builds for Ubuntu, the series is one of {distribution}")
    if not changes.read_bytes().startswith(SIGNED):
        hint = "name archive.signing_key, a key that Launchpad knows as yours"
        raise ConfigurationError(f"upload.to: a PPA takes signed uploads only, {changes.name} is not signed", hint=hint)


def signed(context: StepContext, changes: Path) -> Path:
    """Return the .changes to upload: a signed copy where the agent that built it has no key, see the step `source`."""
    if not (is_apart(context.lab) and context.lab.archive.signing_key):
        return changes
    copy = context.run.work / NAME
    if (copy / changes.name).is_file() and (copy / changes.name).read_bytes().startswith(SIGNED):
        return copy / changes.name
    copy.mkdir(parents=True, exist_ok=True)
    with changes.open() as stream:
        names = [item["name"] for item in Changes(stream)["Files"]]
    for name in (*names, changes.name):
        shutil.copyfile(changes.with_name(name), copy / name)
    with lab_key(context.lab, context.store, context.log) as key:
        context.sh(["debsign", "--no-conf", f"-k{key.fingerprint}", copy / changes.name], env=key.env)
    return copy / changes.name


def send(context: StepContext, queue: Queue, changes: Path, host: str) -> str:
    """Upload with dput; return why that failed, or an empty text."""
    configuration = context.run.work / "dput.cf"
    files.write_atomic(configuration, queue.configuration(host))
    with changes.open() as stream:
        names = [changes.name, *(item["name"] for item in Changes(stream)["Files"])]
    for name in names:
        changes.with_name(name).chmod(0o644)  # otherwise dput needs a remote shell in addition to sftp
    argv: list[Word] = ["dput", "--config", configuration, host, changes]
    # Unbuffered, so that dput's output is in the log at once, and in its order.
    result, lines = context.try_sh(argv, env={"PYTHONUNBUFFERED": "1"}, timeout=TIMEOUT_SECONDS)
    if not result:
        return refusal(lines)
    for name in kept(lines):
        if queue.size(name, context.log) != changes.with_name(name).stat().st_size:
            return f"the queue keeps a part of {name} from another upload: remove it there (dcut)"
    return ""


def not_now(context: StepContext, settings: Upload) -> StepOutcome | None:
    """Return the outcome of a version that is not uploaded now; None for one that is."""
    archived = context.earlier("archive")
    if archived.verdict == "skipped":
        return StepOutcome(f"not in the archive: {archived.message}", verdict="skipped")
    return after.postponed(context, settings.after)


def action(context: StepContext) -> StepOutcome:
    settings = context.component.upload
    if settings is None:
        return StepOutcome("upload.to is not set", verdict="skipped")
    if skipped := not_now(context, settings):
        return skipped
    source = context.earlier("source")
    item = next(item for item in source.artifacts if item.kind == "changes")
    changes, host = signed(context, context.run.path / item.path), section(settings.to, item.sha256)
    queue = upload_queues.queue(settings.to)
    if queue.ppa:
        check_ppa(changes, context.series.distribution)
    facts = {"to": settings.to, "uploaded": False}
    if archive := upload_queues.published(settings.published, settings.to, context.codename):
        versions = archive.versions(context.component_name)
        if source.version in versions:
            return StepOutcome(f"{archive.url} has it", facts=facts)
        if newer := [version for version in versions if compare(version, "gt", source.version)]:
            return StepOutcome(f"{archive.url} has {newer[0]}, which is newer", verdict="skipped", facts=facts)
    log = changes.with_name(f"{changes.stem}.{host}.upload")
    if log.exists() or queue.size(changes.name, context.log) == changes.stat().st_size:
        return StepOutcome(f"{settings.to} has it", facts=facts)
    if problem := send(context, queue, changes, host):
        log.unlink(missing_ok=True)
        raise InfrastructureError(f"{settings.to}: {problem}")
    return StepOutcome(f"uploaded to {settings.to}", facts=facts | {"uploaded": True})


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
