"""The values that the templates of a lab's own roles use; every password is generated.

- ``application``: its name; ``node``: name and address of the node; ``nodes``: all addresses by name;
- ``options``: those of the role, overridden by those in lab.yaml; ``secret``: a password that nobody else knows;
- a mapping for each name in the role's ``takes``: the values of the application that gives it;
- in ``gives``: ``client`` with ``name``, ``address``, ``user`` and ``password`` of the application that takes it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any

import jinja2

from lab.base.errors import ConfigurationError
from lab.config.loading import known_names
from scripts.drivers.topology import Application


@dataclass(frozen=True)
class RoleValues:
    """The values of all applications; ``password`` returns the same one for the same use."""

    applications: tuple[Application, ...]
    relations: tuple[tuple[str, str], ...]
    addresses: Mapping[str, str]
    password: Callable[[str], str]

    def of(self, application: Application, node: str) -> dict[str, Any]:
        """Return the values for an application's templates on a node."""
        taken = {name: self._given(provider, name, application) for name, provider in self._providers(application)}
        return self._own(application, node) | taken

    def taken(self, application: Application) -> dict[str, str]:
        """Return what an application takes from others, with keys such as ``database.url``."""
        return {
            f"{name}.{key}": value
            for name, provider in self._providers(application)
            for key, value in self._given(provider, name, application).items()
        }

    def clients(self, provider: Application, name: str) -> Iterator[dict[str, Any]]:
        """Yield the values for the templates of a relation, for each application that takes it."""
        for client in self.applications:
            if (name, provider) in [*self._providers(client)]:
                yield self._of_client(provider, name, client)

    def missing(self, application: Application) -> list[str]:
        """Return what an application takes, and no application that it relates to gives."""
        given = {name for name, _ in self._providers(application)}
        return [name for name in _takes(application) if name not in given]

    def _own(self, application: Application, node: str) -> dict[str, Any]:
        return {
            "application": application.name,
            "node": {"name": node, "address": self.addresses[node]},
            "nodes": dict(self.addresses),
            "options": dict(application.options),
            "secret": self.password(f"secret {application.name}"),
        }

    def _given(self, provider: Application, name: str, client: Application) -> dict[str, str]:
        values = self._of_client(provider, name, client)
        given = provider.role.GIVES[name]  # type: ignore[attr-defined]
        where = f"role {provider.role.NAME}: gives.{name}.values"
        return {key: render(text, values, f"{where}.{key}") for key, text in given.values.items()}

    def _of_client(self, provider: Application, name: str, client: Application) -> dict[str, Any]:
        node = client.nodes[0]
        described = {
            "name": client.name,
            "address": self.addresses[node],
            "user": re.sub(r"[^a-z0-9]", "_", client.name),
            "password": self.password(f"{provider.name} {name} {client.name}"),
        }
        return self._own(provider, provider.nodes[0]) | {"client": described}

    def _providers(self, application: Application) -> Iterator[tuple[str, Application]]:
        """Yield what an application takes, with the first application that gives it."""
        related = [to.partition(":")[0] for by, to in self.relations if by.partition(":")[0] == application.name]
        for name in _takes(application):
            for provider in self.applications:
                if provider.name in related and name in getattr(provider.role, "GIVES", {}):
                    yield name, provider
                    break


def _takes(application: Application) -> tuple[str, ...]:
    return getattr(application.role, "TAKES", ())


class UnknownValue(jinja2.StrictUndefined):
    """An unknown name in a template: the error has the known ones, of the values or of a mapping in them."""

    @property
    def _undefined_message(self) -> str:
        known = self._undefined_obj
        return _unknown(str(self._undefined_name), known) if isinstance(known, Mapping) else super()._undefined_message


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    return f"no {name}; {known_names(name, sorted(known))}"


def _reason(error: jinja2.TemplateError, values: Mapping[str, Any]) -> str:
    """Return why a template cannot be rendered."""
    missing = re.fullmatch(r"'(\w+)' is undefined", str(error))
    return _unknown(missing[1], values) if missing else str(error)


def environment(directory: Path | None = None) -> jinja2.Environment:
    """Return the environment of templates: an undefined name is an error; ``quote`` is for words of sh."""
    loader = jinja2.FileSystemLoader(directory) if directory else None
    made = jinja2.Environment(loader=loader, undefined=UnknownValue, keep_trailing_newline=True, trim_blocks=True)  # noqa: S701 - no HTML
    made.filters["quote"] = lambda value: shlex.quote(str(value))
    return made


def render(text: str, values: Mapping[str, Any], where: str) -> str:
    """Return a rendered text.  Raises ConfigurationError, which names ``where``."""
    try:
        return environment().from_string(text).render(values)
    except jinja2.TemplateError as error:
        raise ConfigurationError(f"{where}: {_reason(error, values)}") from None


def render_file(directory: Path, name: str, values: Mapping[str, Any]) -> str:
    """Return a rendered template of a directory.  Raises ConfigurationError with the file and the line."""
    try:
        return environment(directory).get_template(name).render(values)
    except jinja2.TemplateNotFound:
        raise ConfigurationError(f"{directory / name}: no such template") from None
    except jinja2.TemplateSyntaxError as error:
        raise ConfigurationError(f"{directory / name}:{error.lineno}: {error}") from None
    except jinja2.TemplateError as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(directory / name)]
        raise ConfigurationError(f"{directory / name}:{lines[-1] if lines else 1}: {_reason(error, values)}") from None
