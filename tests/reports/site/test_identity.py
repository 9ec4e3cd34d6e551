"""Links to upstream commits, and the lines that install the packages of a build."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import html

from lab.base.errors import ConfigurationError
from lab.config import loading
from reports.site import Identity, build
from reports.site.identity import identity
from tests.lab.config.test_loading import GOOD, write
from tests.reports.site.worlds import World

SITE = Identity(
    "lab",
    archive="https://archive.lab.example/lab",
    commit_urls=(("nova", "https://git.example.org/nova/commit/?id={commit}"),),
)
SHA = "c0ffee" * 6 + "c0ff"


@pytest.mark.parametrize(
    "component, commit, expected",
    [
        ("nova", SHA, f"https://git.example.org/nova/commit/?id={SHA}"),
        ("glance", SHA, ""),
        ("nova", "", ""),
        ("nova", "javascript:alert(1)", ""),
        ("nova", "../" + SHA, ""),
    ],
)
def test_commit_url(component: str, commit: str, expected: str) -> None:
    assert SITE.commit_url(component, commit) == expected


@pytest.mark.parametrize(
    "suite, packages, expected",
    [
        ("trunk", {"a1": "1:2~rc1-3"}, "apt-get install a1=1:2~rc1-3"),
        ("trunk", {"a1": "1", "b2": "2+git1"}, "apt-get install a1=1 b2=2+git1"),
        ("trunk", {"a1": "1", "b2": "2;reboot", "$(id)": "3"}, "apt-get install a1=1"),
        ("trunk-20260102T030405Z-1a2b3c4d", {"a1": "1"}, "apt-get install a1=1"),
        ("trunk", {"a1": "1\n2"}, None),
        ("trunk", {}, None),
        ("trunk; reboot", {"a1": "1"}, None),
    ],
)
def test_apt_lines(suite: str, packages: dict[str, str], expected: str | None) -> None:
    line = f"deb [signed-by=/etc/apt/keyrings/lab.asc] https://archive.lab.example/lab {suite} main"
    assert SITE.apt_lines(suite, packages) == ((line, expected) if expected else ())
    assert Identity("lab").apt_lines(suite, packages) == ()


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://git.example.org/{component}/commit/{commit}", "https://git.example.org/hello/commit/{commit}"),
        (
            "https://git.example.org/cgit?p={component}.git;h={commit}",
            "https://git.example.org/cgit?p=hello.git;h={commit}",
        ),
        ("https://git.example.org/hello", None),
        ("https://git.example.org/{sha}/{commit}", None),
        ("javascript:{commit}", None),
        ('https://git.example.org/"{commit}', None),
    ],
)
@pytest.mark.parametrize("place", ["defaults", "component", "track"])
def test_commit_url_in_lab_yaml(tmp_path: Path, url: str, expected: str | None, place: str) -> None:
    old = {
        "defaults": "defaults:\n",
        "component": "    upstream: {",
        "track": "upstream: {git: https://g.example/hello",
    }[place]
    new = {
        "defaults": f"defaults:\n  upstream: {{commit_url: '{url}'}}\n",
        "component": f"    upstream: {{commit_url: '{url}', ",
        "track": f"upstream: {{commit_url: '{url}', git: https://g.example/hello",
    }[place]
    path = write(tmp_path, GOOD.replace(old, new, 1))
    if expected is None:
        with pytest.raises(ConfigurationError, match="not the address of a commit"):
            loading.load(path)
    else:
        assert dict(identity(loading.load(path)).commit_urls) == {"hello": expected}


@pytest.mark.parametrize(
    "text, expected",
    [("", ""), ("archive: {url: https://archive.lab.example/lab/}\n", "https://archive.lab.example/lab")],
)
def test_archive_of_the_lab(tmp_path: Path, text: str, expected: str) -> None:
    assert identity(loading.load(write(tmp_path, GOOD + text))).archive == expected


@pytest.mark.parametrize(
    "place, expected",
    [
        (("hello", "trunk", "build"), True),
        (("all", "trunk", "deploy"), True),  # a run of the whole track
        (("hello", "trunk", "exercise"), False),
        (("hello", "stable", "deploy"), False),
        (("other", "trunk", "build"), False),
        (("hello", "other", "build"), False),
    ],
)
def test_phases_of_the_lab(tmp_path: Path, place: tuple[str, str, str], expected: bool) -> None:  # noqa: FBT001 - a table
    path = write(tmp_path, GOOD.replace("branch: master}", "branch: master, phases: [build, deploy]}"))
    path.write_text(path.read_text() + "deployment: {applications: {web: {role: memcached}}}\n")
    assert identity(loading.load(path)).has(*place) is expected


@pytest.mark.integration
def test_pages_link_upstream(tmp_path: Path) -> None:
    world = World(24, components=4, tracks=1, tests=5, lines=2)
    build(world, tmp_path, SITE, read=world.read)
    kinds = {"home": "index.html", "commit": "c/nova/*/index.html", "track": "p/nova/*/index.html", "comparison": "d/*/*.html",
             "build": "b/*/*/index.html"}  # fmt: skip
    found = {}
    for kind, pattern in kinds.items():
        texts = "".join(path.read_text() for path in (tmp_path / "current").glob(pattern))
        found[kind] = set(html.fromstring(texts).xpath("//a[@rel='external']/@href"))
    links = {
        kind
        for kind, some in found.items()
        if any(link.startswith("https://git.example.org/nova/commit/?id=") for link in some)
    }
    assert links >= {"commit", "comparison", "build"}
    assert "https://archive.lab.example/lab/archive-key.asc" in found["build"]
