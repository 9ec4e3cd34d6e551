"""The project on a forge that a repository URL names, and commit statuses that cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.config.forge_projects import project_of
from lab.config.forges import CommitStatuses
from lab.config.loading import DescriptionError, load

GITHUB = CommitStatuses(forge="github")
GITLAB = CommitStatuses(forge="gitlab")
OWN = CommitStatuses(forge="gitlab", url="https://git.example.org:8443/forge")


@pytest.mark.parametrize(
    "forge, git, expected",
    [
        (GITHUB, "https://github.com/acme/greet", "acme/greet"),
        (GITHUB, "https://github.com/acme/greet.git", "acme/greet"),
        (GITHUB, "https://github.com/acme/greet.git/", "acme/greet"),
        (GITHUB, "https://GitHub.com:443/acme/greet.git", "acme/greet"),
        (GITHUB, "https://bot@github.com/acme/greet.git", "acme/greet"),
        (GITHUB, "http://github.com/acme/greet", "acme/greet"),
        (GITHUB, "git@github.com:acme/greet.git", "acme/greet"),
        (GITHUB, "github.com:acme/greet", "acme/greet"),
        (GITHUB, "git@github.com:/acme/greet.git", "acme/greet"),
        (GITHUB, "ssh://git@github.com/acme/greet.git", "acme/greet"),
        (GITHUB, "ssh://git@github.com:22/acme/greet.git", "acme/greet"),
        (GITHUB, "git+ssh://git@github.com/acme/greet.git", "acme/greet"),
        (GITHUB, "git://github.com/acme/gre.et", "acme/gre.et"),
        (GITHUB, "https://github.com/acme/tools/greet.git", None),
        (GITHUB, "https://github.com/acme", None),
        (GITHUB, "https://github.com/acme/..", None),
        (GITHUB, "https://github.com/acme/greet?x=1", None),
        (GITHUB, "https://github.com/acme/gr eet", None),
        (GITHUB, "https://github.com.evil.example/acme/greet", None),
        (GITHUB, "https://mirror.example/github.com/acme/greet", None),
        (GITHUB, "https://github.com@mirror.example/acme/greet", None),
        (GITHUB, "https://github.com:8443/acme/greet", None),
        (GITHUB, "https://github.com:x/acme/greet", None),
        (GITHUB, "git@mirror.example:github.com/acme/greet.git", None),
        (GITHUB, "https://gitlab.com/acme/greet", None),
        (GITHUB, "/srv/git/github.com/acme/greet", None),
        (GITHUB, "file:///github.com/acme/greet", None),
        (GITHUB, "", None),
        (GITLAB, "https://gitlab.com/acme/greet.git", "acme/greet"),
        (GITLAB, "https://gitlab.com/acme/tools/deep/greet.git", "acme/tools/deep/greet"),
        (GITLAB, "git@gitlab.com:acme/tools/greet.git", "acme/tools/greet"),
        (GITLAB, "https://gitlab.com/acme/greet/-/tree/main", None),
        (GITLAB, "https://gitlab.com/greet", None),
        (OWN, "https://git.example.org:8443/forge/acme/greet.git", "acme/greet"),
        (OWN, "ssh://git@git.example.org:2222/acme/tools/greet.git", "acme/tools/greet"),
        (OWN, "git@git.example.org:acme/greet.git", "acme/greet"),
        (OWN, "https://git.example.org/forge/acme/greet.git", None),
        (OWN, "https://git.example.org:8443/other/acme/greet.git", None),
    ],
)
def test_project_of_repository(forge: CommitStatuses, git: str, expected: str | None) -> None:
    assert forge.project(git) == expected


@pytest.mark.parametrize(
    "fields, home, api, variable",
    [
        ({"forge": "github"}, "https://github.com/", "https://api.github.com/", "QALAB_GITHUB_TOKEN"),
        ({"forge": "gitlab"}, "https://gitlab.com/", "https://gitlab.com/api/v4/", "QALAB_GITLAB_TOKEN"),
        ({"forge": "github", "url": "https://ghe.example"}, "https://ghe.example/", "https://ghe.example/api/v3/", "QALAB_GITHUB_TOKEN"),
        ({"forge": "gitlab", "url": "https://x.example/git/", "api": "https://api.example/v4"}, "https://x.example/git/", "https://api.example/v4/", "QALAB_GITLAB_TOKEN"),
    ],
)  # fmt: skip
def test_addresses_of_forge(fields: dict[str, Any], home: str, api: str, variable: str) -> None:
    forge = CommitStatuses(**fields)
    assert (forge.home, forge.api_url, forge.secret.env) == (home, api, variable)


def described(tmp_path: Path, statuses: list[dict[str, Any]], *, site: bool = True, **gits: str) -> Path:
    """Write a lab with a component for each repository, and a track of each kind."""
    data = {
        "lab": {"name": "mylab", "maintainer": "My Lab <lab@lab.example>"},
        "series": {"bookworm": {}},
        "tracks": {
            "trunk": {"series": "bookworm"},
            "review": {"series": "bookworm", "trigger": "review"},
            "proposed": {"series": "bookworm", "trigger": "proposed", "phases": ["exercise"]},
        },
        "components": {name: {"upstream": {"git": git}, "packaging": {"git": "/srv/p"}} for name, git in gits.items()},
        "reviews": {"server": {"forge": "gerrit", "url": "https://review.example/", "trusted": ["*"]}},
        "notifications": {"statuses": statuses},
        **({"public": {"site_url": "https://qa.example/"}} if site else {}),
    }
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


HUB, MIRROR = "https://github.com/acme/greet", "https://mirror.example/acme/meet"


@pytest.mark.parametrize(
    "statuses, gits, site, complaint",
    [
        ([{"forge": "github"}], {"greet": HUB}, False, "notifications.statuses: public.site_url is missing: a status links to the page of its build"),
        ([{"forge": "github"}], {"meet": MIRROR}, True, "notifications.statuses.0: https://github.com/: no upstream repository of a component is there; a mirror has no commit statuses"),
        ([{"forge": "github", "components": ["*"]}], {"greet": HUB, "meet": MIRROR}, True, f"notifications.statuses.0.components: meet: its upstream repository {MIRROR} is not a project there; a mirror has no commit statuses: https://github.com/"),
        ([{"forge": "github"}, {"forge": "gitlab", "components": ["greet"]}], {"greet": HUB}, True, f"notifications.statuses.1.components: greet: its upstream repository {HUB} is not a project there; a mirror has no commit statuses: https://gitlab.com/"),
        ([{"forge": "github", "components": ["greet", "grete"]}], {"greet": HUB}, True, "notifications.statuses.0.components: no component grete on a track that follows upstream commits"),
        ([{"forge": "github", "tracks": ["review"]}], {"greet": HUB}, True, "notifications.statuses.0: https://github.com/: no upstream repository of a component is there; a mirror has no commit statuses"),
        ([{"forge": "github", "token": {}}], {"greet": HUB}, True, "notifications.statuses.0.token: name one source of the secret: env: NAME OF A VARIABLE, or file: /PATH"),
    ],
)  # fmt: skip
def test_statuses_that_cannot_work(
    tmp_path: Path, statuses: list[dict[str, Any]], gits: dict[str, str], complaint: str, *, site: bool
) -> None:
    with pytest.raises(DescriptionError) as raised:
        load(described(tmp_path, statuses, site=site, **gits))
    assert [line.split(": ", 1)[1] for line in raised.value.complaints] == [complaint]


def test_components_elsewhere_have_no_statuses(tmp_path: Path) -> None:
    lab = load(described(tmp_path, [{"forge": "github"}], greet=HUB, meet=MIRROR))
    found = project_of(lab, "greet", "trunk")
    assert found is not None
    assert (found.path, found.context) == ("acme/greet", "qalab/trunk")
    places = [("meet", "trunk"), ("greet", "review"), ("greet", "proposed"), ("all", "trunk"), ("greet", "gone")]
    assert [project_of(lab, component, track) for component, track in places] == [None] * 5


def test_first_forge_that_names_a_component_counts(tmp_path: Path) -> None:
    statuses = [{"forge": "github", "components": ["greet"], "context": "mine"}, {"forge": "github"}]
    lab = load(described(tmp_path, statuses, greet=HUB, meet="git@github.com:acme/meet"))
    contexts = [found.context for name in ("greet", "meet") if (found := project_of(lab, name, "trunk"))]
    assert contexts == ["mine/trunk", "qalab/trunk"]
