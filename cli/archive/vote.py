"""``qalab archive vote``: record the vote of another CI system for a state."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from cli.archive.access import reader
from cli.output import out
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store import promotions
from lab.store.promotions import StateVote
from lab.store.records import rfc3339
from lab.store.runs import Store
from scripts.archives import archive_identity

SHOWN = 200


@click.command("vote")
@click.argument("state")
@click.argument("name")
@click.argument("verdict", type=click.Choice(["passed", "failed"]))
@click.option("--url", default="", help="The page of the result.")
@lab_option
@json_option
def command(state: str, name: str, verdict: str, url: str, lab_file: Path, *, as_json: bool) -> None:
    """Record the vote of another CI system for a state: NAME is one of tracks.TRACK.promotion.votes.

    A state that `qalab promote` has tested waits for all votes.  A later vote of the same system replaces the earlier one.
    """
    if not re.fullmatch(promotions.WEB_ADDRESS, url):
        raise ConfigurationError(f"--url {url[:SHOWN]}: is no http or https address")
    if len(url) > promotions.LONGEST_ADDRESS:
        raise ConfigurationError(f"--url {url[:SHOWN]}...: is longer than {promotions.LONGEST_ADDRESS} characters")
    lab = loading.load(lab_file)
    archive_identity.check(lab)
    found = reader(lab).existing(state)
    track = lab.tracks.get(found.track)
    known = track.promotion.votes if track and track.promotion else ()
    if name not in known:
        hint = f"name it in tracks.{found.track}.promotion.votes"
        raise ConfigurationError(f"{name} has no vote in {found.track}; known: {', '.join(known) or 'none'}", hint=hint)
    vote = StateVote(
        state=found.name,
        name=name,
        verdict="passed" if verdict == "passed" else "failed",
        url=url,
        when=rfc3339(environment.now()),
    )
    vote.write(promotions.vote_path(Store.of(lab), found.name, name))
    if as_json:
        click.echo(json.dumps(vote.model_dump(exclude={"schema_version"}), indent=2))
    else:
        out.print(f"{name}: {verdict} for {found.name}")
