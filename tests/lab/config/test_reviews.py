"""The servers with changes under review, and the projects on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from lab.config.description import Lab
from lab.config.loading import DescriptionError
from lab.config.review_projects import ReviewedProject, lanes_of, project_of
from lab.config.reviews import ReviewServer, gerrit_project

PLAIN, BELOW = "https://review.example/", "https://review.example/r/"


@pytest.mark.parametrize(
    "home, git, project",
    [
        (PLAIN, "https://opendev.org/openstack/keystone.git", "openstack/keystone"),
        (PLAIN, "https://opendev.org/openstack/keystone", "openstack/keystone"),
        (PLAIN, "https://review.example/a/team/x", "team/x"),
        (PLAIN, "https://review.example/team/x/", "team/x"),
        (BELOW, "https://review.example/r/mediawiki/core", "mediawiki/core"),
        (BELOW, "https://review.example/r/a/vpp", "vpp"),
        ("https://gerrit.example/gerrit", "https://gerrit.example/gerrit/functest", "functest"),
        (BELOW, "ssh://bot@review.example:29418/a/b.git", "a/b"),
        (PLAIN, "ssh://me@review.example:29418/team/x.git/", "team/x"),
        (PLAIN, "git@review.example:team/x.git", "team/x"),
        (PLAIN, "https://mirror.example/r/x", "r/x"),
        (PLAIN, "/srv/git/x.git", None),
        (PLAIN, "file:///srv/git/x.git", None),
        (PLAIN, "https://review.example/", None),
        (PLAIN, "", None),
    ],
)
def test_gerrit_project_of_a_url(home: str, git: str, project: str | None) -> None:
    assert gerrit_project(home, git) == project


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"forge": "gerrit", "trusted": ["*"]}, "url: missing"),
        ({"forge": "gerrit", "url": PLAIN}, "trusted: missing"),
        ({"forge": "gerrit", "url": PLAIN, "trusted": ["*"], "context": "x"}, "context: a gerrit has no such setting"),
        ({"forge": "github", "label": "Verified"}, "label: a github has no such setting"),
        ({"forge": "gitlab", "ssh": "a@b"}, "ssh: a gitlab has no such setting"),
    ],
)
def test_servers_that_cannot_work(fields: dict[str, Any], complaint: str) -> None:
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    with pytest.raises(ValidationError, match=complaint):
        ReviewServer(**fields)


GITHUB = {"forge": "github"}


@pytest.mark.parametrize(
    "reviews, track, upstream, complaint",
    [
        ({}, {}, "https://github.com/a/greet", "no server of changes is named"),
        ({"a": GITHUB}, {"review_server": "b"}, "https://github.com/a/greet", "no server b; known: a"),
        ({"a": GITHUB, "b": GITHUB}, {}, "https://github.com/a/greet", "review_server: missing; known: a, b"),
        ({"a": GITHUB}, {}, "https://mirror.example/greet", "is no project of https://github.com/"),
        ({"a": GITHUB}, {"phases": ["deploy"]}, "https://github.com/a/greet", "add build to phases"),
        (
            {"a": GITHUB},
            {"trigger": "commit", "onto": "x"},
            "https://github.com/a/greet",
            "only a track with the trigger review",
        ),
    ],
)
def test_tracks_that_cannot_work(
    lab_factory: Callable[..., Lab], reviews: dict[str, Any], track: dict[str, Any], upstream: str, complaint: str
) -> None:
    with pytest.raises(DescriptionError, match=complaint):
        lab_factory(upstream=upstream, track={"trigger": "review", **track}, lab={"reviews": reviews})


def test_lanes_of_a_project(lab_factory: Callable[..., Lab]) -> None:
    """All components of the project count, on all tracks of its branch."""
    review = {"series": "bookworm", "trigger": "review", "branch": "main", "phases": ["build", "deploy"]}
    git = {"upstream": {"git": "https://github.com/a/greet"}, "packaging": {"git": "/srv/p"}}
    tracks = {"one": review, "two": {**review, "components": ["greet"]}, "stable": {**review, "branch": "stable"}}
    lab = lab_factory(
        upstream="https://github.com/a/greet",
        lab={"tracks": tracks, "components": {"greet2": git}, "reviews": {"hub": GITHUB}},
    )
    project = project_of(lab, "greet", "one")
    assert project == ReviewedProject("hub", "a/greet", "main")
    assert [lane[0] for lane in lanes_of(lab, project)] == [
        ("greet", "one", "build"), ("greet2", "one", "build"), ("greet", "two", "build"),
    ]  # fmt: skip
