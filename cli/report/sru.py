"""``qalab report sru``: the text about a stable update that a release team asks for."""

from __future__ import annotations

from pathlib import Path

import click

from lab.config import loading
from lab.config.options import lab_option
from reports import stable_update


@click.command("sru")
@click.argument("source")
@click.argument("version")
@lab_option
@click.option("--track", metavar="TRACK", help="Only the runs of this track of proposed packages.")
def command(source: str, version: str, lab_file: Path, track: str | None) -> None:
    """Write the text about a tested update for an SRU or a stable release team.

    It has the versions, the packages as installed, the tests compared with the release, the bugs and which of them a
    test names, and how to repeat it. For Debian, the headings are those of a bug against release.debian.org; for Ubuntu,
    it is the comment of a verification. It is for a person to complete: it sets no tag.
    """
    lab = loading.load(lab_file)
    click.echo(stable_update.text(lab, stable_update.evidence(lab, source, version, track)), nl=False)
