"""What the control files of packages have lost: dependencies, promises to other packages, questions, and Replaces for moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.base.text import first_of
from scripts.archives.content_comparison import BuildContent, Loss, shape
from scripts.archives.package_content import BinaryContent

LEAST_NEEDS: Final = 4  # below it, half of the dependencies is not significant


def changed_relations(before: BuildContent, now: BuildContent) -> list[Loss]:
    """Return what packages that both builds have no longer declare, and the moves of files that dpkg refuses."""
    both = [(package, now.packages[name]) for name, package in sorted(before.packages.items()) if name in now.packages]
    return [
        *(loss for was, is_now in both for loss in _needs_gone(was, is_now)),
        *(
            Loss("field gone", f"{was.name} {promise}")
            for was, is_now in both
            for promise in sorted(was.promises - is_now.promises)
        ),
        *(
            Loss("questions gone", was.name, first_of(sorted(was.questions - is_now.questions)))
            for was, is_now in both
            if was.questions - is_now.questions
        ),
        *_moved(before, now),
    ]


def _needs_gone(before: BinaryContent, now: BinaryContent) -> Iterator[Loss]:
    """Yield the loss of dependencies; numbers in their names can change."""
    was, is_now = ({shape(name) for name in package.needs} for package in (before, now))
    gone = sorted(name for name in before.needs if shape(name) not in is_now)
    if was and not was & is_now and not is_now:
        yield Loss("dependencies gone", before.name, first_of(gone))
    elif len(was) >= LEAST_NEEDS and 2 * len(was & is_now) <= len(was):
        yield Loss("dependencies halved", before.name, first_of(gone))


def _moved(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the packages with files of another one of the source that they do not replace: an upgrade fails (Policy 7.6)."""
    for name, package in sorted(now.packages.items()):
        mine = before.packages[name].files if name in before.packages else {}
        for owner, other in sorted(before.packages.items()):
            taken = sorted(package.files.keys() & other.files.keys() - mine)
            replaced = {owner, owner.partition(":")[0]} & package.replaces
            if owner != name and taken and not replaced:
                yield Loss("moved without Replaces", f"{name} from {owner}", first_of(taken))
