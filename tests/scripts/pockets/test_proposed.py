"""The updates of a track's pocket: what is taken, what is deployed next, and what was tested."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import Failed
from lab.config.description import Lab, Series
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.archives.package_source import PackageSource
from scripts.chroots.bootstrap import Repository
from scripts.deployment.pocket_deployment import check_installability, skip_reason
from scripts.pockets import proposed
from scripts.pockets.proposed import Waiting
from scripts.pockets.selection import PocketUpdate
from tests.scripts.pockets.test_selection import pocket

POCKET = "bookworm-proposed-updates"
PROPOSED = {"trigger": "proposed", "phases": ["deploy", "exercise"]}
TESTED = "tested already: name COMPONENT and VERSION to have it tested again"
EARLY = "not all of greet 1.0-2 is published: the pocket has no greet"


def waiting(*updates: PocketUpdate, binary: str = "greet") -> Waiting:
    ready = [each for each in updates if not each.impediment]
    archive = {binary: (ready[0].version, ready[0].source)} if ready else {}
    content = " ".join(f"{each.source}={each.version}" for each in updates)
    return Waiting(updates, archive, Repository("http://m.example", POCKET, only=("greet",)), content)


def update(version: str, *, impediment: str = "", breakage: str = "") -> PocketUpdate:
    return PocketUpdate("greet", version, "1.0-1", {}, impediment, breakage)


@pytest.mark.parametrize(
    ("component", "version", "origin", "waits", "why"),
    [
        ("greet", "", "local", (), f"nothing of greet waits in {POCKET}"),
        (WHOLE, "", "jenkins", (), f"nothing of the track waits in {POCKET}"),
        ("greet", "1.0-1", "local", (update("1.0-2"),), f"greet 1.0-1 does not wait in {POCKET}: 1.0-2 does"),
        ("greet", "", "jenkins", (update("1.0-2"),), f"greet 1.0-2 of {POCKET} was {TESTED}"),
        (WHOLE, "", "jenkins", (update("1.0-2"),), f"greet 1.0-2 of {POCKET} was {TESTED}"),
        ("greet", "1.0-2", "jenkins", (update("1.0-2"),), ""),
        ("greet", "", "local", (update("1.0-2"),), ""),
        (WHOLE, "", "jenkins", (update("1.0-3"),), ""),
        (
            "greet", "1.0-2", "local", (update("1.0-2", impediment=EARLY),),
            f"greet 1.0-2 of {POCKET} cannot be tested yet: {EARLY}",
        ),
    ],
)  # fmt: skip
def test_proposed_package_to_deploy(  # noqa: PLR0917 - a table
    lab_factory: Callable[..., Lab],
    component: str,
    version: str,
    origin: str,
    waits: tuple[PocketUpdate, ...],
    why: str,
) -> None:
    lab = lab_factory(track=PROPOSED)
    proposed.remember(lab, "trunk", "greet=1.0-1", "greet 1.0-1")
    proposed.remember(lab, "trunk", "greet=1.0-2", "greet 1.0-2")
    run = Store.of(lab).new_run(lab, "trunk", component, phase="deploy", version=version)
    run.write_info(run.info.model_copy(update={"origin": origin}))
    offer = PackageSource(lab, "trunk", waiting(*waits).archive, waiting(*waits))
    assert skip_reason(StepContext(lab, run, None), offer) == why  # type: ignore[arg-type]


def test_proposed_kernel_needs_machines(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=PROPOSED)
    run = Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy")
    offer = PackageSource(lab, "trunk", {}, waiting(update("6.1"), binary="linux-image-6.1-amd64"))
    why = skip_reason(StepContext(lab, run, None), offer)  # type: ignore[arg-type]
    assert why.startswith("needs isolation-machine: linux-image-6.1-amd64: the containers")


def test_proposed_update_that_breaks_released_package_fails(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=PROPOSED)
    found = waiting(update("1.0-2", breakage="initq 1 needs greet (<< 1.0-2)"))
    with pytest.raises(Failed, match=r"greet 1.0-2 leaves released packages uninstallable: initq 1 needs greet"):
        check_installability(PackageSource(lab, "trunk", found.archive, found))
    assert not proposed.is_new(lab, "trunk", found.content)


def test_failure_is_not_final_for_another_companion(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=PROPOSED, lab={"series": {"bookworm": {"mirror": "http://m.example/debian"}}})
    released, own = "greet 1.0-1\nlib 1", "greet 1.0-2; Depends: lib (>= 2)"
    first, later = (
        proposed.chosen(lab, "trunk", pocket(released, f"{own}\nlib {version}"), ["greet"]) for version in ("2", "2.1")
    )
    proposed.remember(lab, "trunk", first.content, str(first))
    assert not proposed.is_new(lab, "trunk", first.content)
    assert proposed.is_new(lab, "trunk", later.content)
    assert later.repository.only == ("greet", "lib")
    assert later.companions == {"lib": "greet needs lib (>= 2)"}


def test_track_tests_each_update_and_then_all_together(lab_factory: Callable[..., Lab]) -> None:
    names = ("alone", "both", "early", "released", "same")
    own = {name: {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}} for name in names}
    lab = lab_factory(
        track=PROPOSED, lab={"components": own, "series": {"bookworm": {"mirror": "http://m.example/debian"}}}
    )
    at = pocket(
        "alone 1\nboth 1; Depends: same (= 1)\nearly 1\nreleased 2\nsame 1; Depends: both (= 1)",
        "alone 2\nboth 2; Depends: same (= 2)\nearly 2; Depends: nothing\nreleased 2\nsame 2; Depends: both (= 2)",
    )
    found = {component: each.versions for component, each in proposed.sets(lab, "trunk", at)}
    assert found == {
        "alone": {"alone": "2"},
        "both": {"both": "2"},  # with its companion, which needs it: tested once
        WHOLE: {"alone": "2", "both": "2", "same": "2"},
    }


def test_run_of_all_updates_takes_the_whole_pocket(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(
        track=PROPOSED | {"whole_pocket": True}, lab={"series": {"bookworm": {"mirror": "http://m.example/debian"}}}
    )
    released = "greet 1\nlibc 1\nold 3\nhalf 1\nhalf-data 1 half"

    def found(waiting: str) -> dict[str, tuple[tuple[str, ...], str]]:
        at = pocket(released, f"{waiting}\nold 2\nhalf 2\nearly 2; Depends: nothing", "half 2 half half-data")
        sets = proposed.sets(lab, "trunk", at)
        return {component: (each.repository.only, each.content) for component, each in sets}

    first = found("greet 2\nlibc 2")
    assert {name: only for name, (only, _) in first.items()} == {"greet": ("greet",), WHOLE: ("greet", "libc")}
    later = found("greet 2\nlibc 2.1")  # what was taken is another content
    assert (first["greet"], first[WHOLE][1] != later[WHOLE][1]) == (later["greet"], True)
    assert found("libc 2") == {}


def test_tested_contents_are_bounded(lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = lab_factory(track=PROPOSED)
    monkeypatch.setattr(proposed, "MOST_CONTENTS", 3)
    for number in range(5):
        proposed.remember(lab, "trunk", f"content {number}", "greet")
    assert [*proposed.Tested.of(lab, "trunk").contents] == ["content 2", "content 3", "content 4"]


def test_pocket_is_asked_beside_the_further_archives(tmp_path: Path) -> None:
    """Packages of the cloud archive are released ones, which an update is compared with; only the pocket has updates."""
    for name in ("ring.gpg", "cloud.gpg"):
        (tmp_path / name).touch()
    cloud = {"url": "http://cloud.example", "suite": "noble-updates/epoxy", "keyring": f"{tmp_path}/cloud.gpg"}
    described = {"distribution": "ubuntu", "mirror": "http://m.example", "pockets": ["updates"],
                 "keyring": f"{tmp_path}/ring.gpg", "archives": [cloud]}  # fmt: skip
    lines = proposed._lines("noble", Series.model_validate_json(json.dumps(described)))
    assert [re.sub(r" \[.*\] \S+", "", line) for line in lines] == [
        "deb noble main", "deb noble-updates main", "deb noble-proposed main", "deb noble-updates/epoxy main",
        "deb-src noble-proposed main",
    ]  # fmt: skip
