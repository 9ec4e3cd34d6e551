"""The limit of deletions of one prune: a wrong path, or YAML that is half missing, must not cost a lab its builds."""

from __future__ import annotations

from typing import Final

from generator.steps import Plan
from lab.base.errors import ConfigurationError

MOST: Final = 10


def check(plan: Plan, most: int | None) -> None:
    """Raise ConfigurationError if a prune would delete more items than allowed.

    ``most``: the limit; None for `MOST`, and at most half of the lab's items on the server.
    """
    count = len(plan.of("delete"))
    there = plan.unchanged + len(plan.of("change", "revert", "rename", "retype", "delete", "unreadable"))
    hint = f"check the path; to delete them anyway: --max-delete {count}"
    if count > (MOST if most is None else most):
        raise ConfigurationError(f"{count} would be deleted, more than {MOST if most is None else most}", hint=hint)
    if most is None and count * 2 > there:
        raise ConfigurationError(f"{count} of {there} would be deleted, more than half", hint=hint)
