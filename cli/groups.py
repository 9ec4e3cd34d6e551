"""Groups of commands that are imported on first use."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module

import click


class LazyGroup(click.Group):
    """A group whose commands live in modules: ``modules`` maps a name to the module that has it as ``command``.

    Only the command that is called is imported.  An unknown name is answered with the nearest known one.
    """

    def __init__(self, name: str, modules: Mapping[str, str], *, help: str) -> None:  # noqa: A002 - click's name
        super().__init__(name, help=help)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = self.modules.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := nearest(args[0], self.paths(ctx)):
                raise click.UsageError(f"{error.message} Did you mean '{near}'?", ctx) from None
            raise

    def paths(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands below this group: ``plan`` of ``jenkins`` is ``jenkins plan``."""
        found: list[str] = []
        for name in self.list_commands(ctx):
            found.append(name)
            command = self.get_command(ctx, name)
            if isinstance(command, click.Group):
                found += [f"{name} {inner}" for inner in command.list_commands(ctx)]
        return found


def nearest(word: str, paths: list[str]) -> str:
    """Return the path whose last word is nearest to a word, or an empty string."""
    by_last = {path.rpartition(" ")[2]: path for path in reversed(paths)}
    close = difflib.get_close_matches(word, by_last, n=1)
    return by_last[close[0]] if close else ""
