"""How much one prune may delete: a wrong path, or a half of the YAML that is gone, must not cost a lab its builds."""

from __future__ import annotations

from typing import Final

from generator.plan import Plan
from lab.base.errors import ConfigurationError

MOST: Final = 10


def check(plan: Plan, most: int | None) -> None:
    """Raises ConfigurationError when more would be deleted than is allowed.

    ``most``: how many may be, None for `MOST` of them, and not more than half of what the lab has on the server.
    """
    count = len(plan.of("delete"))
    there = plan.unchanged + len(plan.of("change", "revert", "rename", "delete"))
    hint = f"is the path right? if that is meant: --max-delete {count}"
    if count > (MOST if most is None else most):
        raise ConfigurationError(f"{count} would be deleted, more than {MOST if most is None else most}", hint=hint)
    if most is None and count * 2 > there:
        raise ConfigurationError(f"{count} of {there} would be deleted, more than half", hint=hint)
