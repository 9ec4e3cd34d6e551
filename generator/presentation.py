"""Plans and their results as plain lines for people, and as JSON for programs."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from generator.apply import Done
from generator.backup import RestoredItem
from generator.differences import render
from generator.lint import refused_name
from generator.steps import SIGNS, Action, Plan, PlanStep

WORDS: dict[Action, str] = {
    "create": "to create",
    "change": "to change",
    "revert": "to put back as described",
    "rename": "to rename",
    "replace": "to delete and create again",
    "retype": "of another type",
    "delete": "to delete, by qalab jenkins prune",
    "taken": "not managed by this lab",
    "unreadable": "that cannot be read, and stay as they are",
}
PAST: dict[Action, str] = {
    "create": "created",
    "change": "changed",
    "revert": "put back as described",
    "rename": "renamed",
    "replace": "deleted and created again",
    "retype": "",
    "delete": "deleted",
    "taken": "",
    "unreadable": "",
}


def plan(made: Plan) -> Iterator[str]:
    """Yield the lines of a plan: each step with its differences, then the counts."""
    yield from steps(made.steps)
    counts = Counter(step.action for step in made.steps)
    told = [f"{counts[action]} {word}" for action, word in WORDS.items() if counts[action]]
    yield f"{made.server}: {', '.join([*told, f'{made.unchanged} as described'])}"
    for folder in made.others_folders:
        yield f"the folder {folder} is not this lab's: it stays as it is, and the lab works inside it"
    yield from unmanaged(made)
    yield from guesses(made)
    if made.missing_plugins:
        yield f"missing plugins: {', '.join(made.missing_plugins)}"
    if made.missing_plugins is None:
        yield "plugins: not checked, because this account may not list them (Overall/SystemRead)"


def unmanaged(made: Plan) -> Iterator[str]:
    """Yield the items in the lab's folders, and those that a person copied or renamed, that nobody describes."""
    if made.unmanaged:
        yield f"in the lab's folders, or copied or renamed by hand, and nobody describes it: {few(made.unmanaged)}"


def guesses(made: Plan) -> Iterator[str]:
    """Yield the jobs that were perhaps renamed, each with the option that renames it."""
    for old, new in made.guesses:
        option = shlex.quote(f"{old}={new}")
        yield f"perhaps renamed: {old} -> {new}; to rename it, with its builds: --rename {option}"


def few(names: Sequence[str], most: int = 10) -> str:
    """Return the first names as text, with the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def steps(these: Sequence[PlanStep]) -> Iterator[str]:
    """Yield the lines of steps; equal differences of several steps appear once, below all of them.

    Differences are equal if their lines are: what does not differ, such as the rest of a script, can contain the job's name.
    """
    alike: dict[tuple[Action, tuple[str, ...]], list[PlanStep]] = {}
    for step in these:
        alike.setdefault((step.action, tuple(render(step.differences))), []).append(step)
    for (action, lines), group in alike.items():
        yield from (f"{SIGNS[action]} {headline(step)}" for step in group)
        yield from (f"    {line}" for line in lines)


def headline(step: PlanStep) -> str:
    """Return a step as one line."""
    match step.action:
        case "rename":
            what = f"{step.there} -> {step.name.rpartition('/')[2]}; its builds stay with it"
        case "taken":
            what = f"{step.key}: {step.whose}; {step.adoption} takes it as it is"
        case "replace":
            what = f"{step.key}: another type; deleted, with its builds, and created again"
        case "retype":
            option = f"qalab jenkins apply --replace {shlex.quote(step.name)}"
            what = f"{step.key}: another type, which Jenkins cannot change; {option} deletes it, with its builds"
        case "unreadable":
            what = f"{step.key}: stays as it is: {step.problem}"
        case "create" if refused := refused_name(step.key):
            what = f"{step.key}; {refused}"
        case _:
            what = str(step.key)
    if step.is_from_jjb:
        return f"{what} (edited by hand, or changed here since jenkins-jobs applied it)"
    return f"{what} (edited by hand)" if step.edited else what


def drift(edited: Sequence[PlanStep], lost: Sequence[PlanStep] = ()) -> Iterator[str]:
    """Yield the edits by hand, with a note if the description has changed too; equal edits appear once.

    ``lost``: the steps of described items that do not exist, are not the lab's, or are of another type.
    """
    alike: dict[tuple[str, ...], list[PlanStep]] = {}
    for step in edited:
        alike.setdefault(tuple(render(step.differences)), []).append(step)
    for lines, group in alike.items():
        yield from map(_edit, group)
        yield from (f"    {line}" for line in lines)
    for step in lost:
        gone = f"{step.key}: does not exist: it was deleted by hand, or never applied"
        yield f"{SIGNS[step.action]} {gone if step.action == 'create' else headline(step)}"
    if not edited and not lost:
        yield "nothing was edited by hand"


def _edit(step: PlanStep) -> str:
    also = "; its description has changed too" if step.action == "change" else ""
    if step.is_from_jjb:
        also = ", or its description has changed since jenkins-jobs applied it"
    return f"! {step.there}: edited by hand{also}{'; no longer described' if step.action == 'delete' else ''}"


def results(done: Sequence[Done]) -> Iterator[str]:
    """Yield the failed steps with their errors, then the counts."""
    for one in done:
        if one.error:
            why = str(one.error).removeprefix(f"{one.step.key}: ")
            is_told = one.step.action == "unreadable" or why != str(one.error)  # the headline would say it again
            yield f"✘ {one.step.key if is_told else headline(one.step)}: not done: {why}"
    counts = Counter(one.step.action for one in done if not one.error)
    told = [f"{counts[action]} {word}" for action, word in PAST.items() if counts[action]]
    failed = sum(one.error is not None for one in done)
    yield ", ".join([*told, *([f"{failed} not done"] if failed else [])])


def restored(these: Sequence[RestoredItem]) -> Iterator[str]:
    """Yield the results of a restore that need attention, then the counts."""
    for one in these:
        if one.error:
            yield f"✘ {one.key}: {one.error}"
        elif not one.exact:
            yield f"  {one.key}: {one.fate}; Jenkins writes it differently, with the same meaning"
    counts = Counter(one.fate for one in these if one.fate)
    failed = sum(one.error is not None for one in these)
    yield ", ".join(
        [f"{count} {fate}" for fate, count in counts.items()] + ([f"{failed} not restored"] if failed else [])
    )


def steps_json(these: Sequence[PlanStep]) -> str:
    return json.dumps([step.model_dump(mode="json", exclude={"xml"}) for step in these], indent=2)
