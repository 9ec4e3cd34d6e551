"""Changes under review in Jenkins: builds that somebody has started with texts of another form."""

from __future__ import annotations

from typing import Any

import pytest

from lab.forges.proposals import ProposalId, proposals_of
from scripts.phases import jenkins_reviews
from scripts.phases.jenkins_builds import WatchedBuild

CHANGE = ProposalId(forge="hub", project="team/greet", number=7, head="a" * 40, ref="refs/pull/7/head", branch="main")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ()),
        ("[]", ()),
        (f"[{CHANGE.model_dump_json()}]", (CHANGE,)),
        ("team/greet 7", None),
        ("[1]", None),
        ("7", None),
    ],
)
def test_proposals_of(text: str, wanted: object) -> None:
    assert proposals_of(text) == wanted


def test_build_with_damaged_parameters_is_no_head(lab_factory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        ("", "[]"),
        ("team/greet 7", "[]"),
        (CHANGE.model_dump_json(), "team/greet 6"),
        (CHANGE.model_dump_json(), ""),
    ]
    builds = [WatchedBuild({"PROPOSAL": one, "DEPENDS_ON": needed}, result="FAILURE") for one, needed in texts]
    monkeypatch.setattr(jenkins_reviews, "watched_builds", lambda *_: builds)
    nothing: Any = None
    found = jenkins_reviews.jenkins_heads(lab_factory(), "trunk", nothing, nothing, "greet")
    assert [(one.key, one.verdict) for one in found] == [(CHANGE.key, "failed")]
