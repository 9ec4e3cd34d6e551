"""lab.yaml -> jobs/generated/: which jobs, with what in them; the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jenkins_jobs.formatter import CustomFormatter

from generator import render
from generator.jinja import data, fill
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.description import PHASES, Lab

JENKINS = {"jenkins": {"url": "https://jenkins.lab.example/"}}
HELLO = {"upstream": {"git": "/srv/hello"}, "packaging": {"git": "/srv/hello-packaging"}}


@pytest.fixture
def jobs_of(lab_factory: Callable[..., Lab], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """``jobs_of(track={...}, lab={...})``: the generated project as data, jobs by their template and names."""

    def make(lab: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        texts = render.render(lab_factory(lab={**JENKINS, **(lab or {})}, **options), tmp_path)
        project = yaml.safe_load(texts[tmp_path / "generated/project.yaml.inc"])
        found = [next(iter(job.items())) for job in project["jobs"]]
        named = {"/".join(filter(None, (template, values.get("track"), values.get("component")))): values
                 for template, values in found}  # fmt: skip
        return {**named, "views": {view["jobs"]["view"]: view["jobs"] for view in project["views"]}}

    return make


def test_watch_job_starts_build_jobs(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of(track={"schedule": "H/5 * * * *"}, component={"build": {"timeout_minutes": 7}})
    assert jobs["build/trunk/greet"] == {
        "track": "trunk",
        "component": "greet",
        "minutes": 67,
        "next": "nothing",
    }
    new = "new commit of upstream, of the packaging and of the testing branch"
    assert jobs["watch/trunk"] == {"track": "trunk", "schedule": "H/5 * * * *", "new": new}
    assert jobs_of()["watch/trunk"]["schedule"] == "H/15 * * * *"


def test_promote_job_of_a_track_with_promotion(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of(track={"labels": ["tested", "stable"], "promotion": {"label": "stable", "schedule": "H 4 * * *"}})
    values = {"track": "trunk", "label": "trunk-stable", "schedule": "H 4 * * *", "minutes": 1440}
    assert jobs["promote/trunk"] == values
    assert jobs["views"]["trunk"]["regex"] == "trunk-(greet)-build|trunk-watch|trunk-promote"
    assert "promote/trunk" not in jobs_of()
    labels = {"jenkins": {**JENKINS["jenkins"], "deploy_agent": "rack"}}
    assert jobs_of(labels, track={"promotion": {}})["promote/trunk"]["agent"] == "rack"
    with pytest.raises(ConfigurationError, match=r"tracks\.trunk\.promotion\.schedule: Jenkins would refuse"):
        jobs_of(track={"promotion": {"schedule": "H * * *"}})


def test_empty_schedules_start_nothing(jobs_of: Callable[..., dict[str, Any]]) -> None:
    lab = {"bisection": {"job": True, "schedule": ""}, **JENKINS}
    jobs = jobs_of(lab, track={"schedule": " ", "promotion": {"schedule": ""}})
    assert [jobs[f"{kind}/trunk"]["schedule"] for kind in ("watch", "promote", "bisect")] == ["", "", ""]


def test_vote_job_of_a_promotion_that_counts_votes(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of(track={"promotion": {"votes": ["staging"]}})
    assert jobs["vote/trunk"] == {"track": "trunk"}
    assert jobs["views"]["trunk"]["regex"].endswith("|trunk-promote|trunk-vote")
    assert "vote/trunk" not in jobs_of(track={"promotion": {}})


def test_bisect_job_where_lab_asks_for_it(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of({"bisection": {"job": True}, **JENKINS})
    assert jobs["bisect/trunk"] == {"track": "trunk", "schedule": "H/30 * * * *", "most": 25, "minutes": 1440}
    with pytest.raises(ConfigurationError, match=r"bisection\.schedule: Jenkins would refuse"):
        jobs_of({"bisection": {"job": True, "schedule": "H"}, **JENKINS})
    assert jobs["views"]["trunk"]["regex"] == "trunk-(greet)-build|trunk-watch|trunk-bisect"
    assert "bisect/trunk" not in jobs_of()
    proposed = {"trigger": "proposed", "phases": ["deploy"]}
    assert "bisect/trunk" not in jobs_of({"bisection": {"job": True}, **JENKINS}, track=proposed)


def test_watch_starts_builds_of_changes(jobs_of: Callable[..., dict[str, Any]]) -> None:
    server = {"server": {"forge": "gerrit", "url": "https://review.example/", "trusted": ["*"]}}
    jobs = jobs_of({"reviews": server}, upstream="https://review.example/team/greet", track={"trigger": "review"})
    assert jobs["watch/trunk"]["schedule"] == "H/5 * * * *"
    assert jobs["build/trunk/greet"].keys() == {"track", "component", "minutes", "next"}


def test_watch_starts_each_content_of_a_pocket(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of(track={"trigger": "proposed", "phases": ["deploy", "exercise"]})
    assert "build/trunk/greet" not in jobs
    assert (jobs["watch/trunk"]["schedule"], jobs["deploy/trunk"]["trigger"]) == ("H/15 * * * *", "nothing")
    assert jobs["exercise/trunk"]["trigger"] == "nothing"
    assert jobs["views"]["trunk"]["regex"] == "trunk-deploy|trunk-exercise|trunk-watch"


def test_phase_starts_the_next(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of(track={"phases": ["build", "deploy", "exercise"]})
    assert jobs["build/trunk/greet"]["next"] == {"phase": {"job": "trunk-deploy"}}
    assert jobs["deploy/trunk"]["next"] == {"phase-there": {"job": "trunk-exercise"}}
    assert jobs["exercise/trunk"]["next"] == "nothing"
    assert jobs["deploy/trunk"]["trigger"] == "nothing"
    skipping = jobs_of(track={"phases": ["build", "exercise"]})
    assert skipping["build/trunk/greet"]["next"] == {"phase": {"job": "trunk-exercise"}}


def test_phase_test_is_a_job_of_each_component(jobs_of: Callable[..., dict[str, Any]]) -> None:
    jobs = jobs_of({"components": {"lib": HELLO}}, track={"phases": ["build", "test", "deploy"]})
    for name in ("greet", "lib"):
        assert jobs[f"build/trunk/{name}"]["next"] == {"phase": {"job": f"trunk-{name}-test"}}
        assert jobs[f"test/trunk/{name}"]["next"] == {"phase": {"job": "trunk-deploy"}}
    assert jobs["views"]["trunk"]["regex"] == r"trunk-deploy|trunk-(greet|lib)-(build|test)|trunk-watch"
    last = jobs_of(track={"phases": ["build", "test"]}, component={"test": {"timeout_minutes": 7}})["test/trunk/greet"]
    assert last == {"track": "trunk", "component": "greet", "minutes": 67, "next": "nothing", "copied": "nothing"}


def test_phase_has_one_builder_for_each_step(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory(track={"phases": ["build", "deploy", "exercise"]}, lab=JENKINS)
    texts = render.render(lab, tmp_path, {**PHASES, "deploy": ("install", "wait")})
    steps = yaml.safe_load(texts[tmp_path / "generated/deploy.yaml.inc"])["builders"]
    assert [next(iter(step)) for step in steps] == ["first-step", "step"]
    assert [step.popitem()[1]["step"] for step in steps] == ["install", "wait"]


def test_lab_jobs(jobs_of: Callable[..., dict[str, Any]]) -> None:
    own = {"git": "https://git.example/lab.git", "branch": "main"}
    jobs = jobs_of({"jenkins": {**JENKINS["jenkins"], "repository": own, "folder": "qa/mine"}})
    assert jobs["lab-apply"] == own
    assert jobs["folder"] == {"path": "qa/mine", "about": "The lab testlab"}
    plain = jobs_of()
    assert not {"lab-apply", "folder"} & set(plain)
    assert {"lab-backup", "lab-publish", "lab-housekeeping"} < set(plain)


REPOSITORY = {"git": "https://git.example/lab.git", "branch": "main"}


@pytest.mark.parametrize(
    "jenkins, file, checkout, lab_file",
    [
        ({}, "lab.yaml", "nothing", "/srv/qalab/lab.yaml"),
        ({"home": "/home/qa/lab"}, "qa.yaml", "nothing", "/home/qa/lab/qa.yaml"),
        ({"repository": REPOSITORY}, "lab.yaml", ("https://git.example/lab.git", "main"), "lab/lab.yaml"),
        ({"repository": REPOSITORY, "home": "/home/qa/lab"}, "qa.yaml", ("https://git.example/lab.git", "main"),
         "lab/qa.yaml"),
        ({"repository": {"git": "git@git.example:my lab.git", "branch": "$x"}}, "a b.yaml",
         ("'git@git.example:my lab.git'", "'$x'"), "'lab/a b.yaml'"),
    ],
)  # fmt: skip
def test_source_of_lab_file(
    lab_factory: Callable[..., Lab],
    tmp_path: Path,
    *,
    jenkins: dict[str, Any],
    file: str,
    checkout: tuple[str, str] | str,
    lab_file: str,
) -> None:
    lab_factory(lab={"jenkins": {**JENKINS["jenkins"], **jenkins}})
    lab = loading.load((tmp_path / "lab.yaml").rename(tmp_path / file))
    defaults = yaml.safe_load(render.render(lab, tmp_path)[tmp_path / "generated/defaults.yaml.inc"])
    if isinstance(checkout, tuple):
        checkout = {"checkout": dict(zip(("repository", "branch"), checkout, strict=True))}
    assert (defaults["checkout"], defaults["lab-file"], defaults["command"]) == (checkout, lab_file, "qalab")


def test_view_shows_only_its_track(jobs_of: Callable[..., dict[str, Any]]) -> None:
    more = {
        "tracks": {"trunk-noble": {"series": "bookworm", "components": ["lib++"]}},
        "components": {"lib++": HELLO, "v1.2": HELLO},
    }
    views = jobs_of(more, track={"phases": ["build", "deploy"]})["views"]
    assert views["trunk"]["regex"] == r"trunk-deploy|trunk-(greet|lib\+\+|v1\.2)-build|trunk-watch"
    assert views["trunk-noble"]["regex"] == r"trunk-noble-(lib\+\+)-build|trunk-noble-watch"
    assert list(views) == ["trunk", "trunk-noble", "lab"]


@pytest.mark.parametrize(
    "lab, options, said",
    [
        ({"jenkins": None}, {}, r"/lab\.yaml: jenkins: missing \(name the url"),
        ({}, {"track": {"schedule": "H H * * MON"}},
         r"/lab\.yaml: tracks\.trunk\.schedule: Jenkins would refuse 'H H \* \* MON': 'MON' is no day of the week"),
        ({"tracks": {"trunk-a": {"series": "bookworm", "components": ["bb"]}}, "components": {"a-bb": HELLO, "bb": HELLO}}, {},
         r"two jobs would have the name trunk-a-bb-build"),
        ({"tracks": {"lab": {"series": "bookworm"}}}, {}, r"/lab\.yaml: tracks: two views would have the name lab \(rename a track"),
        ({"tracks": {"all": {"series": "bookworm"}}}, {}, r"two views would have the name all"),
    ],
)  # fmt: skip
def test_invalid_description_is_refused(
    jobs_of: Callable[..., dict[str, Any]], lab: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        jobs_of(lab, **options)
    assert "\n" not in str(caught.value)


def test_stale_files_are_rewritten(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab, jobs = lab_factory(lab=JENKINS), tmp_path / "jobs"
    assert render.stale(lab, jobs) == render.write(lab, jobs) == sorted(render.render(lab, jobs))
    assert render.stale(lab, jobs) == render.write(lab, jobs) == []
    edited, old, theirs = (jobs / "generated" / name for name in ("project.yaml.inc", "old.yaml.inc", "notes.txt"))
    edited.write_text(edited.read_text() + "# by hand\n")
    old.touch()
    theirs.touch()
    (jobs / "generated/deploy.yaml.inc").unlink()
    wrong = [jobs / "generated" / name for name in ("deploy.yaml.inc", "old.yaml.inc", "project.yaml.inc")]
    assert render.stale(lab, jobs) == wrong
    assert render.write(lab, jobs) == wrong
    assert render.stale(lab, jobs) == []
    assert theirs.exists()
    assert not old.exists()


def test_render_is_deterministic(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    first, second = (render.render(lab_factory(lab=JENKINS), tmp_path) for _ in range(2))
    assert first == second
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in first.values())


def test_template_requires_all_values() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'about' is undefined"):
        fill("phase.yaml.inc", steps=())


@pytest.mark.integration
@given(st.text(st.characters(codec="utf-8")))
def test_text_survives_yaml_and_jenkins_job_builder(text: str) -> None:
    written = data({"key": text})
    assert "\n" not in written
    assert CustomFormatter().format(yaml.safe_load(written)["key"]) == text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{x}",
        "{x|y}",
        "{{x}}",
        "{obj:x}",
        "a{b}c",
        "}{",
        "!j2: x",
        "- x",
        "a: b",
        "#",
        "'\"",
        "é\u2028😀",
        "yes",
    ],
)
def test_special_texts_are_literal(text: str) -> None:
    assert CustomFormatter().format(yaml.safe_load(data(text)), x="not this") == text
