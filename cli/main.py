"""The command ``qalab``: its verbs, its exit codes, and what happens to failures."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Final, NoReturn

import click

from cli.groups import LazyGroup
from lab import __version__
from lab.base import environment, failures
from lab.base.errors import Aborted, ConfigurationError

VERBS: Final[Mapping[str, str]] = {
    **{
        name: f"cli.{name}"
        for name in (
            "init",
            "check",
            "run",
            "build",
            "shell",
            "watch",
            "promote",
            "bisect",
            "diff",
            "graph",
            "status",
            "show",
            "log",
            "publish",
            "retract",
            "tidy",
        )
    },
    "archive": "cli.archive",
    "env": "cli.env",
    "import": "cli.import_run",
    "jenkins": "cli.jenkins",
    "machine": "cli.machine",
    "report": "cli.report",
    "results": "cli.results",
    "site": "cli.site",
    **{name: f"cli.{name}" for name in ("step", "schema", "demo", "doctor", "setup", "test")},
}
HELP: Final = """A QA lab as code: package, build, deploy, test and publish every upstream commit.

Exit codes: 0 passed; 1 failed (the tested software is at fault), or differences with --check; 2 usage or
configuration error; 3 infrastructure error (retry); 4 unstable (some tests failed); 70 a bug in qalab;
130 interrupted.
"""

cli = LazyGroup("qalab", VERBS, help=HELP)
cli.context_settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
click.version_option(__version__, prog_name="qalab", message="%(prog)s %(version)s")(cli)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding does not have is no failure
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _abort)
    try:
        cli.main(list(argv) if argv is not None else None, prog_name="qalab", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return ConfigurationError.exit_code
    except (KeyboardInterrupt, click.Abort):
        return print_error("interrupted", Aborted.exit_code)
    except Exception as error:  # noqa: BLE001 - the failure policy decides
        called = environment.arguments()
        return fail(error, [*called[:1], *argv] if argv is not None else called)
    return 0


def fail(error: Exception, argv: Sequence[str]) -> int:
    """Print one line about an error and return its exit code; write the traceback of a bug to a log."""
    failure = failures.failure(error)
    if not failure.bug:
        return print_error(failure.message, failure.exit_code)
    where = failures.write_log(failures.report(error, argv))
    return print_error(f"{failure.message}; {where}", failure.exit_code)


def print_error(text: str, code: int) -> int:
    """Print each line of an error message and return the exit code."""
    click.echo("\n".join(f"qalab: {line}" for line in text.splitlines()), err=True)
    return code


def _abort(number: int, _frame: FrameType | None) -> NoReturn:
    raise Aborted(f"ended by {signal.Signals(number).name}")
