"""``qalab results convert``: convert tools' results to JUnit XML, or to cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from lab.base import files
from lab.base.errors import ConfigurationError, Failed
from lab.base.text import plural
from lab.results.cases import Case, Outcome, line
from reports import junit
from reports.formats import registry


@click.command("convert")
@click.argument("name", metavar="FORMAT", type=click.Choice([*registry.FORMATS, registry.AUTO]))
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; default: standard output.",
)
@click.option("--cases", "as_cases", is_flag=True, help="Write a JSON object for each case instead (the format cases).")
def command(name: str, paths: Sequence[Path], output: Path | None, *, as_cases: bool) -> None:
    """Convert the results of tools to JUnit XML.

    FORMAT auto: recognize it by the content of each file.  A FILE can be compressed (gzip, xz, zstd).  A directory stands
    for the files in it, and below it, that have the format; auto: that have any.

    Unreadable content becomes a failing case with the reason, and the exit code is 1.
    Failing tests do not change the exit code.
    """
    cases: list[Case] = []
    for path in _files(name, paths):
        found = registry.cases(name, path)
        click.echo(f"{path}: {summary_line(found)}", err=True)
        cases += found
    rendered = "".join(map(line, cases)).encode() if as_cases else junit.render(cases)
    if output:
        files.write_atomic(output, rendered)
    else:
        click.echo(rendered, nl=False)
    if unread := sum(map(registry.is_unread, cases)):
        raise Failed(f"{plural(unread, 'result')} could not be read")


def _files(name: str, paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files to read.  Raises ConfigurationError for a directory without one."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(each for each in path.rglob("*") if each.is_file() and not _is_beside_summary(each))
        wanted = [each for each in inside if (found := registry.recognise(each)) and name in {found, registry.AUTO}]
        if not wanted:
            raise ConfigurationError(f"{path}: has no file of {'any' if name == registry.AUTO else 'this'} format")
        for each in sorted(set(inside) - set(wanted)):
            click.echo(f"{each}: not read: it is of no {'known' if name == registry.AUTO else 'such'} format", err=True)
        yield from wanted


def _is_beside_summary(path: Path) -> bool:
    """Return whether a file is the log that autopkgtest has next to a summary, which is read with it."""
    return path.name == "log" and path.with_name("summary").is_file()


def summary_line(cases: Sequence[Case]) -> str:
    """Return counts such as ``7 cases: 5 passed, 2 failed``."""
    counts = Counter(case.outcome for case in cases)
    outcomes: tuple[Outcome, ...] = ("passed", "failed", "error", "skipped")
    parts = ", ".join(f"{counts[outcome]} {outcome}" for outcome in outcomes if counts[outcome])
    return f"{plural(len(cases), 'case')}: {parts}"
