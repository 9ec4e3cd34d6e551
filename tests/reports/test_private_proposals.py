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


def build(proposal: ProposalId | None) -> Build:
    return Build.model_construct(proposal=proposal)


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


def test_change_is_withheld_while_nobody_knows(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(lab={"reviews": {"hub": {"forge": "github"}}})
    away = Answers(InfrastructureError("github.com does not answer"))
    with pytest.raises(InfrastructureError):
        PrivateProposals(lab, Path(), lambda: 0.0, {"hub": away}).withheld(build(ONE))  # type: ignore[dict-item]
    assert "names no server hub" in PrivateProposals(lab_factory(), Path(), lambda: 0.0).withheld(build(ONE))
