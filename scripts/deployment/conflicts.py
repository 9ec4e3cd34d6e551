"""Contradictions between applications of a lab's own roles, where the last one would win unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from lab.base.errors import ConfigurationError
from scripts.drivers.topology import Application
from scripts.roles.own import OwnRole
from scripts.roles.role_values import RoleValues


def faults(applications: Sequence[Application], values: RoleValues) -> Iterator[tuple[str, str]]:
    """Yield what contradicts an earlier application, each with the later one: a file, or an answer for debconf."""
    writers: dict[tuple[str, str], Application] = {}
    answers: dict[tuple[str, ...], tuple[Application, str]] = {}
    for application in applications:
        if isinstance(application.role, OwnRole):
            for node in application.nodes:
                for path in _paths(application.role, application, node, values):
                    first = writers.setdefault((node, path), application)
                    if first is not application:
                        yield application.name, f"writes {path} on {node}, and so does {first.name}"
        for answer in application.answers:
            package, question, _, value = f"{answer} ".split(" ", 3)
            other, given = answers.setdefault((package, question), (application, value))
            if given != value:
                why = f"answers {question} of {package} with {value.strip()}, and {other.name} with {given.strip()}"
                yield application.name, f"{why}: all nodes start from the same packages"


def _paths(role: OwnRole, application: Application, node: str, values: RoleValues) -> list[str]:
    with suppress(ConfigurationError):  # which is a fault of its own
        return role.paths(values.of(application, node))
    return []
