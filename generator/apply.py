"""Execution of a plan: folders first, then jobs and views in parallel; a failure is reported and stops nothing else.

Each item is read again before the change: an item that has changed since the plan was computed stays as it is.
After the changes, one listing confirms all of them by their marks, and a look at the content those that had the mark
before: the status of an answer alone proves nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from generator import mark, renames
from generator.canonical import digest, parse, tag_of
from generator.items import ItemKey, Keep
from generator.lint import refused_name
from generator.merge import is_folder, merged
from generator.reading import WORKERS, fetch_readable
from generator.server import Server
from generator.steps import NEW, Plan, PlanStep
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.jenkins_failures import JenkinsMissing, JenkinsRefused
from lab.results.ownership_mark import Mark


@dataclass(frozen=True)
class Done:
    """The result of a step; ``error`` is None if the step succeeded."""

    step: PlanStep
    error: LabError | None = None


class Moved(InfrastructureError):
    """The server no longer has the state that the plan was computed from."""


def stages(steps: Iterable[PlanStep]) -> Iterator[list[PlanStep]]:
    """Return groups of steps that can run in parallel, in the required order: a folder before its content, views last.

    Deletions have the reverse order.
    """

    def rank(step: PlanStep) -> tuple[int, int]:
        depth = step.name.count("/")
        if step.action == "delete":
            return (4, 0) if step.kind == "view" else (5, -depth)
        if step.kind == "view":
            return 3, 0
        return (0, depth) if step.xml and is_folder(step.xml) else (2 - (step.action == "rename"), 0)

    for _, group in groupby(sorted(steps, key=rank), key=rank):
        yield list(group)


Tell = Callable[[Done], None]


def carry_out(
    server: Server, steps: Sequence[PlanStep], keep: Keep, tell: Tell, *, workers: int = WORKERS
) -> list[Done]:
    """Execute all steps that can be executed; return the result of each step, in the order of ``steps``.

    ``keep`` receives the present config.xml before a change or deletion; ``tell`` is called after each step.
    After an interruption, running steps finish and no other step starts.
    """
    results: dict[ItemKey, Done] = {}
    failed: dict[str, LabError] = {}

    def one(step: PlanStep) -> None:
        error = failed.get(step.key.folder)
        # The folder's own failure determines the exit code.
        error = type(error)("its folder could not be made") if error else _attempt(server, step, keep)
        results[step.key] = done = Done(step, error)
        if error and step.action == "create":
            failed[step.name] = error
        tell(done)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for stage in stages(steps):
                list(pool.map(one, stage))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    done = [one.step for one in results.values() if not one.error]
    unconfirmed = confirm(server, {step.key: _mark_after(step) for step in done})
    unconfirmed |= _unchanged(server, [step for step in done if step.key not in unconfirmed])
    return [Done(step, unconfirmed.get(step.key, results[step.key].error)) for step in steps]


def _mark_after(step: PlanStep) -> Mark | None:
    return None if step.action == "delete" else mark.read(step.xml)


def confirm(server: Server, expected: Mapping[ItemKey, Mark | None]) -> dict[ItemKey, LabError]:
    """Return the errors of items that do not have the expected mark; None: the item must not exist."""
    if not expected:
        return {}
    try:
        entries = server.listing()
    except LabError as error:
        return {key: InfrastructureError(f"{key}: cannot be confirmed: {error}") for key in expected}
    found = {key: mark.read(entry.description) for key, entry in entries.items()}
    hint = "does something in front of Jenkins answer for it?"
    return {
        key: InfrastructureError(f"{key}: Jenkins answered with success, but the change is not there", hint=hint)
        for key, wanted in expected.items()
        if (key in found if wanted is None else found.get(key) != wanted)
    }


def _unchanged(server: Server, done: Iterable[PlanStep]) -> dict[ItemKey, LabError]:
    """Return the errors of items that were to be changed, have had their mark before, and still have their content."""
    same = {step.key: step for step in done if step.action in {"revert", "rename"}}
    configs, errors = fetch_readable(server, same)
    hint = "does something in front of Jenkins answer for it, or does a plugin save it in another form?"
    for key, there in configs.items():
        if _digest(there) == same[key].before != digest(merged(there, same[key].xml)):
            errors[key] = InfrastructureError(f"{key}: Jenkins answered with success, and changed nothing", hint=hint)
    return errors


def _attempt(server: Server, step: PlanStep, keep: Keep) -> LabError | None:
    try:
        _do(server, step, keep)
    except (JenkinsRefused, JenkinsMissing, Moved) as error:
        return None if _is_done(server, step) else error
    except LabError as error:
        return error
    return None


def _is_done(server: Server, step: PlanStep) -> bool:
    """Return True if the server has what a step wants: another `apply` was faster."""
    try:
        there = server.config(step.key)
        if step.action not in {"create", "change", "revert"} or mark.read(there) != mark.read(step.xml):
            return False
        return digest(there) == digest(merged(there, step.xml))
    except JenkinsMissing:
        return step.action == "delete"
    except LabError:
        return False


def _do(server: Server, step: PlanStep, keep: Keep) -> None:
    if step.action == "taken":
        hint = f"{step.adoption} takes it under management as it is"
        raise ConfigurationError(f"{step.key}: {step.whose}", hint=hint)
    if step.action == "retype":
        hint = (
            f"qalab jenkins apply --replace {shlex.quote(step.name)} deletes it, with its builds, and creates it again"
        )
        raise ConfigurationError(f"{step.key}: has another type, which Jenkins cannot change", hint=hint)
    if step.action == "unreadable":
        kind = ConfigurationError if step.exit_code == ConfigurationError.exit_code else InfrastructureError
        raise kind(step.problem)
    if step.action == "create":
        if refused := refused_name(step.key):
            raise ConfigurationError(f"{step.key}: {refused}")
        _create(server, step)
        return
    there = check(server, step)
    if step.action == "replace" or (step.action == "delete" and is_folder(there)):
        _refuse_content(server, step.key)
        _refuse_settings(step.key, there)
    keep(step.there, there)
    if step.action == "replace":
        _replace(server, step)
        return
    if step.action == "delete":
        server.delete(step.key)
        return
    if step.action == "rename":
        server.rename(step.there, step.name.rpartition("/")[2])
    server.update(step.key, merged(there, step.xml))


def _create(server: Server, step: PlanStep) -> None:
    try:
        server.create(step.key, step.xml.encode())
    except JenkinsMissing:
        hint = "describe it, or let an administrator create it"
        raise ConfigurationError(f"{step.key}: the folder {step.key.folder} does not exist", hint=hint) from None


def _replace(server: Server, step: PlanStep) -> None:
    """Replace an item by one of another type.  A job is deleted only after Jenkins has accepted the new one."""
    if step.kind == "view":  # it has no builds, and cannot be renamed
        server.delete(step.key)
        server.create(step.key, step.xml.encode())
        return
    new = ItemKey("job", f"{step.name}{NEW}")
    if not server.has(new, step.xml.encode()):  # an apply that was killed can have created it
        server.create(new, step.xml.encode())
        if unconfirmed := confirm(server, {new: mark.read(step.xml)}):
            raise unconfirmed[new]
    try:
        with suppress(JenkinsMissing):  # deleted meanwhile; where it is still there, the renaming is refused
            server.delete(step.key)
        server.rename(new, step.name.rpartition("/")[2])
    except LabError as error:
        kind = InfrastructureError if isinstance(error, InfrastructureError) else ConfigurationError
        raise kind(
            f"{error}; what is to replace it is {new}", hint="repeat the command; prune deletes what is left"
        ) from None


def _refuse_content(server: Server, key: ItemKey) -> None:
    """Raise ConfigurationError for a folder that contains items: they would be deleted too."""
    if any(other.name.startswith(f"{key.name}/") for other in server.listing()):
        raise ConfigurationError(f"{key}: is a folder with content", hint="delete its content first")


def _refuse_settings(key: ItemKey, there: bytes) -> None:
    """Raise ConfigurationError for a folder with properties of people, such as credentials: no copy brings them back."""
    applied = mark.read(there)
    if not is_folder(there) or (applied and applied.digest == digest(there)):
        return
    if found := sorted(tag_of(one).rpartition(".")[2] for one in parse(there).iterfind("properties/*")):
        hint = "delete the folder in Jenkins when nobody needs them"
        raise ConfigurationError(f"{key}: has settings that no configuration made: {', '.join(found)}", hint=hint)


def check(server: Server, step: PlanStep) -> bytes:
    """Return the config.xml of a step's item.  Raises Moved if it has changed since the plan was computed."""
    try:
        there = server.config(step.there)
    except JenkinsMissing:
        raise _deleted(step) from None
    _refuse_change(step, digest(there), there)
    return there


def _refuse_change(step: PlanStep, found: str, there: bytes) -> None:
    """Raise Moved for another digest than the plan's, and for a mark that was removed or that is another lab's now."""
    if found != step.before:
        raise Moved(f"{step.there}: was changed since the plan was made", hint="make a new plan")
    owner = mark.read(there)
    if step.owner and (owner is None or owner.lab != step.owner):
        whose = f"is the lab {owner.lab}'s" if owner else "is no lab's"
        raise Moved(f"{step.there}: {whose} since the plan was made", hint="make a new plan")


def _deleted(step: PlanStep) -> Moved:
    return Moved(f"{step.there}: was deleted since the plan was made", hint="make a new plan")


def verify(server: Server, plan: Plan, owner: str) -> None:
    """Raise Moved if a saved plan is stale, ConfigurationError if it is for another server or lab.

    An item that cannot be read now is left to its step, which reads it again.
    """
    if (plan.server, plan.owner) != (server.url, owner):
        raise ConfigurationError(f"the plan is for {plan.owner} on {plan.server}, not for {owner} on {server.url}")
    entries = server.listing()
    for step in plan.of("create"):
        if step.key in entries:
            raise Moved(f"{step.key}: was created since the plan was made", hint="make a new plan")
    steps = plan.of("change", "revert", "rename", "replace", "delete")
    along = renames.carried({step.key: step.there for step in plan.of("rename")}, entries)
    read, unread = fetch_readable(server, [along.get(step.there, step.there) for step in steps])
    configs, failures = renames.rekeyed(read, along), renames.rekeyed(unread, along)
    for step in steps:
        if step.there in failures:
            continue
        if step.there not in configs:
            raise _deleted(step)
        if found := _digest(configs[step.there]):
            _refuse_change(step, found, configs[step.there])


def _digest(xml: bytes) -> str:
    """Return a digest, "" for an answer that is not XML."""
    try:
        return digest(xml)
    except InfrastructureError:
        return ""
