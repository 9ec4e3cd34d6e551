"""A pocket over twenty days: what is tested on each, with which verdict, and what is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.results.cases import Case
from lab.store.records import Record
from lab.store.run_directory import WHOLE, Run
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.exercises import judgement
from scripts.migration import indexes
from scripts.phases import watching
from scripts.pockets import baseline, proposed
from scripts.pockets.selection import Pocket
from scripts.services.deployed_state import Deployed
from tests.scripts.pockets.test_selection import ARCH, packages, sources

TRACK = {"trigger": "proposed", "phases": ["deploy", "exercise"], "components": ["greet", "lib", "tool"]}
SERIES = {"bookworm": {"mirror": "http://m.example/debian"}}
OWN = {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}
EXIT_CODES = {"passed": 0, "failed": 1, "error": 3, "unstable": 4}
TOOL = "Depends: greet, lib (>= 2)"


@dataclass
class World:
    """The release and its pocket on one day; a test of each package, which works or does not."""

    lab: Lab
    released: dict[str, str] = field(default_factory=lambda: {
        "base": "base 1", "greet": "greet 1.0-1; Depends: base", "lib": "lib 1.0-1", "tool": "tool 1.0-1; Depends: greet, lib",
    })  # fmt: skip
    waiting: dict[str, str] = field(default_factory=dict)
    sources: str = ""
    is_down: bool = False
    is_ill: bool = False
    found: list[tuple[str, str, str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def pocket(self, *_: object) -> Pocket:
        if self.is_down:
            raise InfrastructureError("the mirror does not answer")
        return Pocket(
            indexes.of_texts(ARCH, [packages("\n".join(self.waiting.values()))], [sources(self.sources)]),
            indexes.of_texts(ARCH, [packages("\n".join(self.released.values()))]),
            ARCH,
        )

    def day(self) -> tuple[list[tuple[str, str, str, str]], list[str]]:
        """Watch once; return what was tested (component, content, verdict, details), and what was said besides."""
        self.found, self.said = [], []
        try:
            for run in watching.watch(self.lab, "trunk", 0, once=True, say=self.said.append):
                self.execute(run)
        except InfrastructureError as error:
            self.said.append(str(error))
        return self.found, [line for line in self.said if "proposed packages" not in line]

    def execute(self, run: Run) -> None:
        """Do what the steps do, on versions instead of packages."""
        pocket, component = self.pocket(), run.info.component
        base = baseline.name_of(self.lab, "trunk", pocket)
        found = proposed.waiting_for(self.lab, "trunk", component, pocket)
        is_base = baseline.is_baseline(run.info.archive)
        taken = () if is_base else found.repository.only
        versions = {name: each.version for name, each in {**pocket.everybodys, **pocket.binaries(taken)}.items()}
        deployed = Deployed(
            track="trunk", component=component, version="", commit="", finished="", nodes={}, services={}, packages=(),
            state=base if is_base else found.content, waiting={} if is_base else found.versions, baseline=base,
        )  # fmt: skip
        run.write_info(run.info.model_copy(update={"version": found.versions.get(component, "")}))
        record(run, "passed")
        after = Store.of(self.lab).new_run(self.lab, "trunk", component, phase="exercise", version=run.info.version)
        after.write_info(after.info.model_copy(update={"archive": deployed.state}))
        judged = judgement.judge(StepContext(self.lab, after, None), deployed, [*self.cases(versions)], "exercise")  # type: ignore[arg-type]
        record(after, judged.verdict)
        what = "release" if is_base else " ".join(f"{name}={pocket.version(name)}" for name in taken)
        kinds = ("regressions", "in the release too", "fixed")
        details = "; ".join(
            f"{kind}: {' '.join(name.rpartition('/')[2] for name in names)}"
            for kind in kinds
            if (names := judged.facts.get(kind))
        )
        self.found.append((component, what, judged.verdict, details))

    def cases(self, versions: dict[str, str]) -> Iterator[Case]:
        bad = {
            "net": versions["base"] == "1.1",
            "greets": versions["greet"] == "1.0-4",
            "tools": versions["tool"] == "1.0-1" and versions["lib"] >= "2",
            "ill": self.is_ill,
        }
        for name, is_bad in bad.items():
            outcome = "passed" if not is_bad else "error" if name == "ill" else "failed"
            yield Case(suite="exercise", classname="command", name=name, outcome=outcome)  # type: ignore[arg-type]


def record(run: Run, verdict: str) -> None:
    info = run.info
    for step in run.steps:
        Record(
            step=step, component=info.component, track=info.track, series=info.series, architecture=ARCH,
            verdict=verdict, exit_code=EXIT_CODES[verdict], started=info.started, finished=info.started, log="",
        ).write(run.record_path(step))  # type: ignore[arg-type] # fmt: skip


@pytest.mark.integration
def test_pocket_over_twenty_days(  # noqa: PLR0915 - twenty days
    lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_factory(track=TRACK, lab={"components": dict.fromkeys(("lib", "tool"), OWN), "series": SERIES})
    world = World(lab)
    monkeypatch.setattr(proposed, "asked", world.pocket)
    passed, nothing = "passed", ([], [])
    quiet = "greet: closed"

    assert world.day() == nothing  # 1: nothing waits

    world.waiting["data"] = "greet-data 1.0-2 greet"
    world.sources = "greet 1.0-2 greet greet-data"
    half = "greet 1.0-2 waits: not all of greet 1.0-2 is published: the pocket has no greet"
    assert world.day() == ([], [half])  # 2: half published

    world.waiting["greet"] = "greet 1.0-2; Depends: base"
    release = (WHOLE, "release", passed, "")
    assert world.day() == ([release, ("greet", "greet=1.0-2", passed, "")], [])  # 3: all published
    assert world.day() == nothing  # 4

    world.sources = ""
    world.waiting["tool"] = f"tool 2.0-1; {TOOL}"
    early = "tool 2.0-1 waits: tool 2.0-1 needs lib (>= 2), which neither the pocket nor the release has"
    assert world.day() == ([], [early])  # 5: a companion is missing

    world.waiting["lib"] = "lib 2.0-1"
    everything = "greet=1.0-2 lib=2.0-1 tool=2.0-1"
    assert world.day() == ([  # 6: lib alone breaks the released tool, and both together do not
        ("lib", "lib=2.0-1", "unstable", "regressions: tools"),
        ("tool", "lib=2.0-1 tool=2.0-1", passed, ""),
        (WHOLE, everything, passed, ""),
    ], [])  # fmt: skip
    assert world.day() == nothing  # 7

    world.waiting["lib"] = "lib 2.0-2"
    again, _ = world.day()  # 8: what has the new lib, and not greet
    assert [each[:2] for each in again] == [
        ("lib", "lib=2.0-2"), ("tool", "lib=2.0-2 tool=2.0-1"), (WHOLE, everything.replace("2.0-1 t", "2.0-2 t")),
    ]  # fmt: skip

    world.released["base"] = "base 1.1"
    assert world.day() == nothing  # 9: a test breaks in the release, and nothing new waits

    world.waiting |= {"greet": "greet 1.0-3; Depends: base", "data": "greet-data 1.0-3 greet"}
    known = "in the release too: net"
    assert world.day()[0] == [  # 10: with a baseline of its own
        (WHOLE, "release", "unstable", ""),
        ("greet", "greet=1.0-3", passed, known),
        (WHOLE, "greet=1.0-3 lib=2.0-2 tool=2.0-1", passed, known),
    ]

    world.waiting |= {"greet": "greet 1.0-4; Depends: base", "data": "greet-data 1.0-4 greet"}
    both = f"regressions: greets; {known}"
    assert world.day()[0] == [  # 11: a regression
        ("greet", "greet=1.0-4", "unstable", both),
        (WHOLE, "greet=1.0-4 lib=2.0-2 tool=2.0-1", "unstable", both),
    ]
    assert world.day() == nothing  # 12

    del world.waiting["greet"], world.waiting["data"]
    found, said = world.day()  # 13: withdrawn; what is left was tested together already
    assert found == []
    assert [line.partition(": ")[2] for line in said] == ["closed: greet 1.0-4 was withdrawn"] * 2
    assert world.day() == nothing, quiet  # closed once

    world.released["lib"] = "lib 2.1-1"
    found, said = world.day()  # 14: security supersedes lib; the released tool does not work with it
    assert found == [(WHOLE, "release", "unstable", ""), ("tool", "tool=2.0-1", passed, f"{known}; fixed: tools")]
    assert [line.partition(": ")[2] for line in said] == [
        "closed: lib 2.0-2 is superseded by 2.1-1, which is released"
    ] * 2

    world.released["base"] = "base 1.2"
    assert world.day() == nothing  # 15: the release is well again

    world.waiting["tool"] = f"tool 2.0-2; {TOOL}"
    assert world.day()[0] == [(WHOLE, "release", "unstable", ""), ("tool", "tool=2.0-2", passed, "fixed: tools")]  # 16

    world.is_down = True
    assert world.day() == ([], ["the mirror does not answer"])  # 17
    world.is_down, world.is_ill = False, True
    world.waiting["greet"] = "greet 1.0-5; Depends: base"
    assert [each[2] for each in world.day()[0]] == ["error", "error"]  # 18: the lab is at fault
    world.is_ill = False
    assert [each[1:3] for each in world.day()[0]] == [  # 19: nothing is lost
        ("greet=1.0-5", passed), ("greet=1.0-5 tool=2.0-2", passed),
    ]  # fmt: skip

    world.released |= {"greet": world.waiting.pop("greet"), "tool": world.waiting.pop("tool")}
    found, said = world.day()  # 20: released
    assert found == []
    assert {line.partition(": closed: ")[2] for line in said} == {
        "greet 1.0-5 is released", "tool 2.0-2 is released", "nothing waits in bookworm-proposed-updates any more",
    }  # fmt: skip
    assert world.day() == nothing
