"""Builds of changes that are private when they are about to be published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.forges.proposals import Proposal, ProposalId
from reports.model import Build
from reports.private_proposals import PrivateProposals
from tests.forges import LAB, Item, World
from tests.reports.publishing import Press, a_lab, a_local_run
from tests.reports.smtp import MailServer
from tests.servers import Service

ONE = ProposalId(
    forge="hub", project="team/greet", number=7, head="c0ffee" * 6 + "c0ff", ref="refs/pull/7/head", branch="main"
)


@dataclass
class Answers:
    """A forge that shows a change, hides it, or does not answer."""

    shown: Proposal | InfrastructureError | None

    def now(self, project: str, number: int) -> Proposal | None:
        assert (project, number) == (ONE.project, ONE.number)
        if isinstance(self.shown, InfrastructureError):
            raise self.shown
        return self.shown


def build(proposal: ProposalId | None, *depends_on: ProposalId) -> Build:
    return Build.model_construct(proposal=proposal, depends_on=depends_on)


@pytest.mark.parametrize(
    "shown, expected",
    [
        (Proposal(ONE, "alice"), ""),
        (Proposal(ONE, "alice", status="merged"), ""),
        (Proposal(ONE, "alice", is_private=True), "the change is private"),
        (None, "does not show it to the lab"),
    ],
)
def test_private_change_is_withheld(lab_factory: Callable[..., Lab], shown: Any, expected: str) -> None:
    lab = lab_factory(lab={"reviews": {"hub": {"forge": "github"}}})
    private = PrivateProposals(lab, Path(), lambda: 0.0, {"hub": Answers(shown)})  # type: ignore[dict-item]
    found = private.withheld(build(ONE))
    assert expected in found
    assert bool(found) is bool(expected)
    assert private.withheld(build(None)) == ""


def test_build_with_a_private_dependency_is_withheld(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(lab={"reviews": {"hub": {"forge": "github"}, "secret": {"forge": "github"}}})
    forges = {"hub": Answers(Proposal(ONE, "alice")), "secret": Answers(Proposal(ONE, "alice", is_private=True))}
    private = PrivateProposals(lab, Path(), lambda: 0.0, forges)  # type: ignore[arg-type]
    other = ONE.model_copy(update={"forge": "secret"})
    assert "the change is private" in private.withheld(build(ONE, ONE, other))
    assert private.withheld(build(ONE, ONE)) == ""


def test_change_is_withheld_while_nobody_knows(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(lab={"reviews": {"hub": {"forge": "github"}}})
    away = Answers(InfrastructureError("github.com does not answer"))
    with pytest.raises(InfrastructureError):
        PrivateProposals(lab, Path(), lambda: 0.0, {"hub": away}).withheld(build(ONE))  # type: ignore[dict-item]
    assert "names no server hub" in PrivateProposals(lab_factory(), Path(), lambda: 0.0).withheld(build(ONE))


EMBARGOED = "cve-2026-4242"


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["gerrit", "github", "gitlab"])
def test_nothing_of_a_private_change_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Neither bundle, site, mail, webhook nor comment has a word of it; of a public change, all but the last have."""
    for name in ("GERRIT_PASSWORD", "GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.setenv(f"QALAB_{name}", "s3cret")
    monkeypatch.setenv("QALAB_GERRIT_USER", LAB)
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k" * 32)
    item = Item(7, ONE.head, is_private=kind == "gerrit")
    world = World([item], hidden={item.project}, token="s3cret")
    with Service(world) as server, Service(lambda _: (200, "")) as hook, MailServer() as mail:
        review = {"forge": kind, "url": f"{server.url}/"} | ({"trusted": ["alice"]} if kind == "gerrit" else {})
        lab = a_lab(
            tmp_path,
            upstreams={"greet": f"{server.url}/{item.project}"},
            tracks={"review": {"series": "bookworm", "branch": "main", "trigger": "review", "phases": ["build"]}},
            reviews={"hub": review},
            notifications={
                "webhook": {"url": hook.url},
                "mail": {"to": ["qa@lab.example"], "server": mail.url, "history_days": 36_500},
            },
        )
        run = a_local_run(lab, number=1, verdict="failed", track="review", text=EMBARGOED)
        run.write_info(run.info.model_copy(update={"proposal": ONE, "base": "b" * 40}))
        press = Press(lab, tmp_path)

        def seen() -> list[str]:
            """Return where something of the change is."""
            files = [path for path in press.place.site.rglob("*") if path.is_file() and not path.is_symlink()]
            texts = {
                "bundle": "".join(path.name for path in press.place.bundles.rglob("*") if path.is_file()),
                "site": "".join(path.name for path in files if ONE.head.encode() in path.read_bytes()),
                "mail": "".join(str(one.message) for one in mail.taken),
                "webhook": "".join(request.body.decode() for request in hook.requests),
                "comment": "".join(item.bodies),
            }
            return [name for name, text in texts.items() if text]

        press.run()
        press.run()
        assert seen() == []
        item.is_private, world.hidden = False, set()
        press.run()
        assert {"bundle", "webhook", "comment"} <= set(seen())
