"""A pocket of a real mirror, asked by a real apt: what waits there is deployed on containers, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.records import Record
from lab.store.run_directory import WHOLE, Run
from lab.store.runs import Store
from scripts import deploy, exercise
from scripts.deployment import environments
from scripts.drivers.nspawn import leftovers
from scripts.phases import runner, watching
from scripts.pockets import proposed
from scripts.pockets.proposed import Waiting
from tests.conftest import Bench
from tests.pockets import Mirror, mirrored

pytestmark = pytest.mark.integration
POCKET = "bookworm-proposed-updates"
PROPOSED = {"trigger": "proposed", "phases": ["deploy", "exercise"]}


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with mirrored(tmp_path / "mirror") as made:
        made.empty("bookworm-updates", POCKET)
        yield made


@pytest.fixture
def lab(mirror: Mirror, lab_factory: Callable[..., Lab]) -> Lab:
    other = {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}
    return lab_factory(track=PROPOSED, lab={"series": {"bookworm": mirror.series}, "components": {"other": other}})


def run_of(lab: Lab, component: str = "greet", version: str = "", **more: Any) -> Bench:
    run = Store.of(lab).new_run(lab, "trunk", component, phase="deploy", version=version)
    run.write_info(run.info.model_copy(update=more))
    return Bench(lab, run)


def waiting(lab: Lab, tmp_path: Path) -> Waiting:
    with (tmp_path / "log").open("w") as log:
        return proposed.waiting_for(lab, "trunk", "greet", proposed.asked(lab, "trunk", log))


def test_proposed_pocket_from_empty_to_tested(lab: Lab, mirror: Mirror, tmp_path: Path) -> None:
    at = run_of(lab)
    record = at.execute(deploy)
    assert (record.verdict, record.message) == ("skipped", f"nothing of greet waits in {POCKET}")
    assert runner.next_run(lab, at.run) is None
    assert run_of(lab, WHOLE).execute(deploy).message == f"nothing of the track waits in {POCKET}"
    assert list(watching.watch(lab, "trunk", 0, once=True)) == []

    newer_one = {"control": "Depends: libgreet (>= 2)\n"}
    mirror.add("bookworm-updates", "greet", "1.0-1")
    mirror.add("bookworm-updates", "libgreet", "1.0-1", source="greetlib")
    mirror.add(POCKET, "greet", "1.0-2", **newer_one)
    mirror.add(POCKET, "libgreet", "2.0-1", source="greetlib")
    mirror.add(POCKET, "unrelated", "3.0-1")
    found = waiting(lab, tmp_path)
    assert found.versions == {"greet": "1.0-2"}
    assert found.archive == {"greet": ("1.0-2", "greet")}
    assert found.repository.only == ("greet", "greetlib")
    assert (found.repository.url, found.repository.release) == (mirror.url, f"n={POCKET}")

    base, run = watching.watch(lab, "trunk", 0, once=True)  # all together is the same, and not tested again
    assert (run.info.component, run.info.phase, run.info.archive) == ("greet", "deploy", found.content)
    assert (base.info.component, base.info.archive[:9]) == (WHOLE, "released-")
    assert next(watching.watch(lab, "trunk", 0, once=True)).id == run.id  # it was cut short
    for each in (base, run):
        for step in run.steps:
            Bench(lab, each).pretend(step)
        proposed.remember(lab, "trunk", each.info.archive, "greet 1.0-2")
    assert list(watching.watch(lab, "trunk", 0, once=True)) == []
    record = run_of(lab, origin="jenkins").execute(deploy)
    assert (record.verdict, record.message) == (
        "skipped",
        f"greet 1.0-2 of {POCKET} was tested already: name COMPONENT and VERSION to have it tested again",
    )
    mirror.remove(POCKET, "libgreet")
    early = run_of(lab).execute(deploy)
    reason = "greet 1.0-2 needs libgreet (>= 2), which neither the pocket nor the release has"
    assert (early.verdict, early.message) == ("skipped", f"greet 1.0-2 of {POCKET} cannot be tested yet: {reason}")
    assert list(watching.watch(lab, "trunk", 0, once=True)) == []
    mirror.add(POCKET, "libgreet", "2.0-2", source="greetlib")
    (run,) = watching.watch(lab, "trunk", 0, once=True)  # the same update with another companion
    for step in run.steps:
        Bench(lab, run).pretend(step)
    record = run_of(lab, version="1.0-1").execute(deploy)
    assert (record.verdict, record.message) == ("skipped", f"greet 1.0-1 does not wait in {POCKET}: 1.0-2 does")

    mirror.add("bookworm-updates", "greet", "1.0-2", **newer_one)
    assert run_of(lab).execute(deploy).message == f"nothing of greet waits in {POCKET}"


def test_proposed_pocket_missing_on_mirror(mirror: Mirror, lab: Lab) -> None:
    for path in (mirror.root / f"dists/{POCKET}").glob("*Release*"):
        path.unlink()
    (mirror.root / "dists" / POCKET / "InRelease").write_text("torn\n")
    with pytest.raises(InfrastructureError) as error:
        list(watching.watch(lab, "trunk", 0, once=True))
    assert str(error.value).startswith(f"series bookworm: {POCKET} cannot be asked: ")


def greeting(text: str) -> tuple[tuple[str, str], ...]:
    return (("usr/bin/greet", f"#!/bin/sh\necho {text}; cat /usr/share/greet/libgreet /usr/share/greet/tool\n"),)


def test_proposed_package_is_deployed_with_its_dependencies(
    mirror: Mirror, lab: Lab, shared_cache: Path, tmp_path: Path
) -> None:
    deployment = {
        "applications": {"greet": {"role": "package", "options": {"command": "greet", "prints": "two.2.0-1.1.0-1"}}}
    }
    lab = lab.model_validate(lab.model_dump(mode="json", exclude_unset=True) | {"deployment": deployment}, strict=False)
    mirror.add("bookworm-updates", "greet", "1.0-1", files=greeting("one"))
    for suite, version in {"bookworm-updates": "1.0-1", POCKET: "2.0-1"}.items():
        mirror.add(suite, "libgreet", version)
        mirror.add(suite, "tool", version)
    mirror.add(POCKET, "greet", "1.0-2", control="Depends: libgreet (>= 2), tool\n", files=greeting("two"))

    at = run_of(lab, WHOLE, origin="jenkins")
    record = at.execute(deploy)
    assert record.verdict == "passed", record.message
    assert record.message.startswith(f"greet 1.0-2 on 1 node, 1 package from {POCKET}; booted in ")
    assert (record.facts["upgrade"], "upgraded in" in record.message) == ("", True)
    assert (record.version, record.facts["packages"]) == ("1.0-2", ["greet=1.0-2"])
    assert (record.facts["pocket"], record.facts["taken"]) == (POCKET, ["greet", "libgreet"])
    assert record.facts["snapshot"]["layer"]["packages"] == 1  # the tool; what waits is not in it
    handed = (at.run.results / "parameters.properties").read_text()
    content = waiting(lab, tmp_path).content
    assert handed == f"COMPONENT=\nCOMMIT=\nVERSION=1.0-2\nARCHIVE={content}\nCAUSE=by hand\n"
    (node,) = environments.target(lab, "trunk").nodes()
    shown = node.run(["dpkg-query", "--show", "greet", "libgreet", "tool"], capture=True).stdout
    assert shown.split() == ["greet", "1.0-2", "libgreet", "2.0-1", "tool", "1.0-1"]

    assert proposed.is_new(lab, "trunk", content)
    following = runner.next_run(lab, at.run)
    assert following is not None
    record = Bench(lab, following).execute(exercise)
    assert (record.verdict, record.version) == ("passed", "1.0-2"), record.message
    assert not proposed.is_new(lab, "trunk", content)
    record = run_of(lab, WHOLE, origin="jenkins").execute(deploy)
    assert (record.verdict, "was tested already" in record.message) == ("skipped", True)

    mirror.add(POCKET, "greet", "1.0-3", files=(("DEBIAN/postinst", "#!/bin/sh\necho no >&2; exit 1\n"),))
    record = run_of(lab, WHOLE, origin="jenkins").execute(deploy)
    assert (record.verdict, record.message.split(":")[0]) == ("failed", "the package greet cannot be installed")
    record = run_of(lab, WHOLE, origin="jenkins").execute(deploy)
    assert (record.verdict, "was tested already" in record.message) == ("skipped", True)
    environments.target(lab, "trunk").destroy()
    assert leftovers.left_by(Store.of(lab).environments) == []


@pytest.mark.full
def test_whole_pocket_is_deployed(mirror: Mirror, lab: Lab, shared_cache: Path) -> None:
    """All updates together take what waits and no component needs, and leave out what cannot be installed."""
    prints = {"command": "greet", "prints": "two.2.0-1.2.0-1"}
    described = lab.model_dump(mode="json", exclude_unset=True)
    described["tracks"]["trunk"]["whole_pocket"] = True
    described["deployment"] = {"applications": {"greet": {"role": "package", "options": prints}}}
    lab = lab.model_validate(described, strict=False)
    needs = "Depends: libgreet, tool\n"
    mirror.add("bookworm-updates", "greet", "1.0-1", control=needs, files=greeting("one"))
    mirror.add("bookworm-updates", "newer", "3.0-1")
    mirror.add(POCKET, "greet", "1.0-2", control=needs, files=greeting("two"))
    mirror.add(POCKET, "newer", "2.0-1")  # superseded
    mirror.add(POCKET, "early", "2.0-1", control="Depends: nothing\n")
    for name in ("libgreet", "tool", "unrelated"):
        mirror.add("bookworm-updates", name, "1.0-1")
        mirror.add(POCKET, name, "2.0-1")

    def deployed(component: str) -> tuple[Record, list[str]]:
        record = run_of(lab, component, origin="jenkins").execute(deploy)
        if record.verdict != "passed":
            return record, []
        (node,) = environments.target(lab, "trunk").nodes()
        shown = node.run(["dpkg-query", "--show", "greet", "libgreet", "tool"], capture=True).stdout
        return record, shown.split()[1::2]

    alone, versions = deployed("greet")
    assert (alone.verdict, alone.facts["taken"], versions) == ("passed", ["greet"], ["1.0-2", "1.0-1", "1.0-1"])
    whole, versions = deployed(WHOLE)
    assert whole.verdict == "passed", whole.message
    assert whole.facts["taken"] == ["greet", "libgreet", "tool", "unrelated"]
    assert versions == ["1.0-2", "2.0-1", "2.0-1"]
    assert "upgraded in" in whole.message
    mirror.add(POCKET, "tool", "2.0-2", files=(("DEBIAN/postinst", "#!/bin/sh\nexit 1\n"),))
    broken, _ = deployed(WHOLE)  # another package of the pocket than those of the components
    assert (broken.verdict, "tool" in broken.message) == ("failed", True), broken.message
    environments.target(lab, "trunk").destroy()
    assert leftovers.left_by(Store.of(lab).environments) == []


PRINTS = {"role": "package", "options": {"command": "greet", "prints": "well"}}


def says(text: str) -> tuple[tuple[str, str], ...]:
    return (("usr/bin/greet", f"#!/bin/sh\necho {text}\n"),)


@pytest.mark.full
def test_update_is_compared_with_the_release(mirror: Mirror, lab: Lab, shared_cache: Path) -> None:
    deployment = {"applications": {"greet": PRINTS}}
    lab = lab.model_validate(lab.model_dump(mode="json", exclude_unset=True) | {"deployment": deployment}, strict=False)
    mirror.add("bookworm-updates", "greet", "1.0-1", control="Depends: tool\n", files=says("badly"))
    mirror.add("bookworm-updates", "tool", "1.0-1")

    def tested(version: str, text: str, control: str = "") -> list[tuple[str, str]]:
        mirror.add(POCKET, "greet", version, control=control, files=says(text))
        found = []
        for run in watching.watch(lab, "trunk", 0, once=True):
            current: Run | None = run
            while current:
                record = Bench(lab, current).execute(deploy if current.info.phase == "deploy" else exercise)
                found.append((record.verdict, record.message))
                for step in current.steps[1:] if record.finished_well else ():
                    Bench(lab, current).pretend(step)
                current = runner.next_run(lab, current) if record.finished_well else None
        return found

    case = "exercise/command/greet: $ greet"
    base_deployed, base, deployed, same = tested("1.0-2", "badly")
    assert base_deployed[1].startswith("the release on 1 node, 0 packages from the release; booted in ")
    assert (base[0], base[1].startswith("the release: ")) == ("unstable", True)
    assert (deployed[0], "; upgraded in " in deployed[1].replace(", upgraded", "; upgraded")) == ("passed", True)
    assert (same[0], f"; 1 failed in the release too ({case})" in same[1]) == ("passed", True)
    _, fixed = tested("1.0-3", "well")
    assert (fixed[0], f"; 1 fixed ({case})" in fixed[1]) == ("passed", True)
    assert tested("1.0-4", "well", "Conflicts: tool\n") == [
        ("failed", "as an upgrade of the release: the upgrade removes tool 1.0-1 from node0")
    ]
    mirror.add("bookworm-updates", "greet", "1.0-3+u1", control="Depends: tool\n", files=says("well"))
    *_, regression = tested("1.0-5", "worse")  # after a new baseline
    assert (regression[0], "regression: it should have printed: well" in regression[1]) == ("unstable", True)
    environments.target(lab, "trunk").destroy()
