"""The pages of promotions: published, redacted, and gone with the promotion of a track."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from lxml import html

from lab.config.description import Lab
from lab.config.loading import load
from lab.store import promotions
from lab.store.promotions import WaitingVersion, WaitingVersions
from reports.promotions import of_lab
from reports.redact.promotions import published
from reports.site.api import KINDS
from reports.sources.runs import Runs
from tests.reports.publishing import Press, a_lab, a_local_run

PASSWORD = "Zx81kq0pLm3w"
CHECKED = "2026-01-03T00:00:00.000Z"


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """Return the publisher of a lab whose track promotes, and whose component ``secret`` is not public."""
    a_lab(tmp_path, ("greet", "secret"))
    return Press(described(tmp_path, promotion={}), tmp_path)


def described(home: Path, **track: object) -> Lab:
    path = home / "lab.yaml"
    data = yaml.safe_load(path.read_text())
    data["tracks"]["trunk"].pop("promotion", None)
    data["tracks"]["trunk"] |= track
    data["publish"]["jobs"] = ["trunk/all/*", "trunk/greet/*"]
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return load(path)


def wait(press: Press, *components: str, reason: str = "held back: it is broken") -> None:
    found = WaitingVersions(
        track="trunk",
        label="trunk-tested",
        state="trunk-1",
        newest="trunk-2",
        checked=CHECKED,
        components=tuple(
            WaitingVersion(
                item=f"{name}/2", component=name, before="1", version="2", reason=reason, runs=("trunk/all/3",)
            )
            for name in components
        ),
    )
    found.write(promotions.waiting_path(press.place.store, "trunk-tested"))


def page(press: Press) -> str:
    return (press.place.site / "current/promotions/trunk/index.html").read_text()


@pytest.mark.integration
def test_waiting_components_are_published_redacted(press: Press) -> None:
    a_local_run(press.lab, number=1)
    wait(press, "greet", "secret", reason=f"password={PASSWORD} is wrong")
    assert press.run().lines == []
    text = page(press)
    assert "1 component not in trunk-tested" in text
    assert ">trunk/all/3<" in text
    assert PASSWORD not in text
    assert " is wrong" in text
    assert "secret" not in text
    api = press.place.site / "current/api/v1/promotions"
    for path in api.rglob("*.json"):
        text = path.read_text()
        assert KINDS[json.loads(text)["kind"]].model_validate_json(text).model_dump_json() == text
    listed = html.fromstring((press.place.site / "current/promotions/index.html").read_bytes())
    cells = [cell.text_content().strip() for cell in listed.xpath("//tbody/tr/*")]
    assert cells[:4] == ["trunk", "trunk-tested", "trunk-1", "1 component not in the label"]
    data = json.loads((api / "trunk.json").read_text())
    (component,) = data["promotion"]["components"]
    assert (component["component"], component["before"], component["version"]) == ("greet", "1", "2")
    assert 'href="../promotions/"' in (press.place.site / "current/stale/index.html").read_text()

    wait(press)  # without a new build
    assert press.run().lines == []
    assert "all in the label" in (press.place.site / "current/promotions/index.html").read_text()
    assert "trunk-tested has the newest version of each component" in page(press)
    assert list(press.place.site.glob("current/promotions/*/index.html"))

    press.lab = described(press.home)
    assert press.run().lines == []
    assert not list(press.place.site.glob("current/promotions/**/index.html"))


def test_runs_of_a_promotion_are_not_in_the_history_of_the_track(press: Press) -> None:
    runs = [a_local_run(press.lab, number=number) for number in (1, 2)]
    runs[0].write_info(runs[0].info.model_copy(update={"cause": "promotion"}))
    seen = [build.number for builds, _ in Runs(press.lab, lambda _: False).look({}) for build in builds]
    assert seen == [2]


def test_a_reason_does_not_name_a_private_component(press: Press) -> None:
    wait(
        press,
        "greet",
        "secret",
        reason="greet 2 needs libs (>= 2), which is not there; secret/2 is held back: it leaks",
    )
    with press.opened() as publisher:
        (found,) = published(publisher.publication, of_lab(press.lab))
    (component,) = found.components
    assert (component.reason, component.runs) == ("waits for a component that is not public", ())
    wait(press, "greet", "secret", reason="the secret-sauce/2 is held back")
    with press.opened() as publisher:
        (found,) = published(publisher.publication, of_lab(press.lab))
    assert found.components[0].reason == "the secret-sauce/2 is held back"


@pytest.mark.parametrize("jobs, expected", [(["trunk/all/*", "trunk/greet/*"], 1), (["trunk/greet/*"], None)])
def test_promotion_of_a_private_track_is_not_public(press: Press, jobs: list[str], expected: int | None) -> None:
    wait(press, "greet", "secret")
    with press.opened() as publisher:
        public = publisher.publication
        policy = public.policy.model_copy(update={"jobs": tuple(jobs)})
        found = published(replace(public, policy=policy), of_lab(press.lab))
    assert [len(one.components) for one in found] == ([] if expected is None else [expected])


def test_a_damaged_file_of_promotions_is_none(press: Press) -> None:
    press.place.promotions.path.parent.mkdir(parents=True, exist_ok=True)
    press.place.promotions.path.write_bytes(b"torn")
    assert press.place.promotions.read() == ()
