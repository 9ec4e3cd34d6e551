"""Bisections over 60 real commits with a fast program as the probe: each kind of culprit is found and named."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import Mock

import pytest

from lab.store import bisections
from lab.store.bisections import Sought
from lab.store.runs import Store
from scripts.bisection.sectioning import rounds
from tests.scripts.bisection.conftest import CASE, COMMITS, BisectionBed

pytestmark = pytest.mark.integration

Make = Callable[..., BisectionBed]
BUILD = Sought(phase="build", kind="step", name="sbuild")
TEST = Sought(phase="test", kind="test", name="s/c/greets")
EXERCISE = Sought(phase="exercise", kind="test", name="s/c/greets")
ENDS, PROOF = 2, 4


@pytest.mark.parametrize(
    ("sought", "step"),
    [(BUILD, True), (CASE, False), (TEST, False), (EXERCISE, False)],
    ids=["build", "test", "autopkgtest", "exercise"],
)
def test_upstream_commit_is_found(make_bed: Make, sought: Sought, step: bool) -> None:  # noqa: FBT001
    bed = make_bed(culprit=37)
    bed.expect(fails="bad", phase=sought.phase, step=step)
    done = bed.bisect(sought)
    assert done.outcome == "found", done.message
    culprit = done.suspects[0]
    assert (culprit.kind, culprit.name, culprit.email) == (
        "upstream commit",
        bed.commits[37],
        "author37@upstream.example",
    )
    assert done.message.endswith("its parent passes 3 of 3, it fails 3 of 3")
    assert len(bed.built) <= ENDS + rounds(COMMITS, 1) + PROOF
    assert not [*bisections.home(Store.of(bed.lab)).glob("*/qalab")]


def test_case_is_found_among_unbuildable_commits(make_bed: Make) -> None:
    """Eight commits in the way do not build; they cost no more than a test each."""
    bed = make_bed(culprit=30, unbuildable=range(31, 39))
    done = bed.bisect()
    assert (done.outcome, done.suspects[0].name) == ("found", bed.commits[30])
    assert len(bed.built) <= ENDS + rounds(COMMITS, 1) + PROOF + 8


def test_range_is_named_where_commits_cannot_be_tested(make_bed: Make) -> None:
    bed = make_bed(culprit=34, unbuildable=range(31, 39))
    done = bed.bisect()
    assert done.outcome == "range"
    assert [each.name for each in done.suspects] == bed.commits[31:40]
    assert "those between them cannot be tested" in done.message


def test_packaging_commit_is_found(make_bed: Make) -> None:
    """The good commit fails with today's packaging: the commits of the packaging are searched."""
    bed = make_bed()
    bed.expect(fails=" ".join(f"packaging={each}" for each in bed.packagings[3:]))
    good, bad = bed.run(bed.commits[0], bed.packagings[0]), bed.run(bed.commits[-1], bed.packagings[-1])
    done = bed.bisect(good_run=good, bad_run=bad)
    assert done.outcome == "found", done.message
    assert (done.suspects[0].kind, done.suspects[0].name) == ("packaging commit", bed.packagings[3])
    assert done.message.endswith("without it, that passes 3 of 3, with it, that fails 3 of 3")


def test_component_is_found(make_bed: Make) -> None:
    """Another component of the lab has broken the case; the archive of the lab has not changed."""
    bed = make_bed()
    old, new = bed.component("1"), bed.component("2")
    bed.expect(fails="talk=2")
    good = bed.run(bed.commits[0], bed.packagings[0], old)
    bad = bed.run(bed.commits[-1], bed.packagings[2])
    done = bed.bisect(good_run=good, bad_run=bad)
    assert (done.outcome, str(done.suspects[0])) == ("found", "the component talk 1 -> 2"), done.message
    reader = Store.of(bed.lab).archive / "dists"
    assert sorted(path.name for path in reader.iterdir()) == sorted(["trunk", old, new])


def test_package_of_distribution_is_found(make_bed: Make) -> None:
    bed = make_bed()
    bed.expect(fails="make=4.3")
    good = bed.run(bed.commits[0], bed.packagings[0], make="4.2", libc6="2.35")
    bad = bed.run(bed.commits[-1], bed.packagings[-1])
    done = bed.bisect(good_run=good, bad_run=bad)
    assert (done.outcome, str(done.suspects[0])) == ("found", "the distribution package make 4.2 -> 4.3"), done.message
    assert [axis.kind for axis in done.axes] == ["upstream", "lab", "distribution"]


def test_lab_that_changed_unseen_is_no_accusation(make_bed: Make) -> None:
    bed = make_bed()
    bed.expect(fails="hello")
    done = bed.bisect(
        good_run=bed.run(bed.commits[0], bed.packagings[0]), bad_run=bed.run(bed.commits[-1], bed.packagings[0])
    )
    assert (done.outcome, done.suspects) == ("unexplained", ())
    bed.expect(fails="nothing")
    assert bed.bisect().outcome == "bad is good"


def test_second_bisection_builds_nothing(make_bed: Make) -> None:
    bed = make_bed(culprit=12)
    first = bed.bisect()
    count = len(bed.built)
    second = bed.bisect()
    assert (second.number, second.outcome, second.suspects) == (2, "found", first.suspects)
    assert len(bed.built) == count
    assert not any(test.built for test in second.tests)


def test_packaging_is_held_where_call_names_ends(make_bed: Make) -> None:
    """All probes have the commit that the packaging branch had at the start."""
    bed = make_bed(culprit=12)
    bed.bisect()
    assert all(f"packaging={bed.packagings[-1]}" in line.split() for line in bed.built)


def test_packages_are_kept_for_other_phases(make_bed: Make) -> None:
    """A test of another phase runs each time, with the packages that were built once."""
    bed = make_bed(culprit=12)
    bed.expect(fails="bad", phase="test")
    first = bed.bisect(TEST)
    second = bed.bisect(TEST)
    assert second.suspects == first.suspects
    assert sum(test.built for test in first.tests) == len({test.point for test in first.tests})
    assert not any(test.built for test in second.tests)


@pytest.mark.parametrize("after", [0, 1, 2, 4, 7])
def test_killed_bisection_goes_on(make_bed: Make, after: int) -> None:
    """Killed while the Nth probe runs, it has all results before, and continues with the rest."""
    bed = make_bed(culprit=37)
    home = Store.of(bed.lab).root
    found = bed.begin()
    bisector = bed.bisector(found, 2)

    class Kill(BaseException):
        pass

    def stop() -> None:
        if len(bisector.found.tests) >= after:
            raise Kill

    bisector.stop = stop
    with pytest.raises(Kill):
        bisector.run()
    done = bed.bisector(bisections.existing(Store.of(bed.lab), 1), 2).run()
    assert (done.outcome, done.suspects[0].name) == ("found", bed.commits[37])
    # The round that the kill cut short may have left one of its two results: half a round, for which a whole one is more.
    assert len(done.tests) <= ENDS + 2 * rounds(COMMITS, 2) + PROOF + 2
    assert not [*(home / "bisections/1").glob("*")]


def test_cancelled_bisection_leaves_nothing(make_bed: Make) -> None:
    bed = make_bed(culprit=37)
    bisector = bed.bisector(bed.begin(), 2)
    bisector.stop = lambda: "cancelled" if len(bisector.found.tests) == 4 else None
    done = bisector.run()
    assert done.outcome == "cancelled"
    home = bisections.home(Store.of(bed.lab))
    assert sorted(path.name for path in home.iterdir()) == ["1.json", "kept"]
    assert not [*(home / "kept").iterdir()]


def test_flaky_case_accuses_nobody_wrongly(make_bed: Make) -> None:
    """A case that fails by itself at 30 % of the points."""
    bed = make_bed(culprit=25)
    bed.expect(fails="bad", rate=0.3, seed=4)
    done = bed.bisect(fails_good=0.3)
    assert (done.outcome, done.suspects[0].name) == ("found", bed.commits[25]), done.message


def test_shorter_builds_of_another_search_are_not_used(make_bed: Make) -> None:
    """The first search has built as far as sbuild: its builds say nothing about a later step."""
    bed = make_bed(culprit=12)
    bed.expect(fails="bad", step=True)
    bed.bisect(BUILD)
    bed.expect(fails="bad", skips="odd", step=False)
    done = bed.bisect()
    assert (done.outcome, done.suspects[0].name) == ("found", bed.commits[12]), done.message


def test_ended_bisection_stays_as_it_is(make_bed: Make) -> None:
    """A call that has read the record before another one ended the search."""
    bed = make_bed(culprit=12)
    late = bed.bisector(bed.begin())
    done = bed.bisector(late.found).run()
    assert late.run() == done == bisections.existing(Store.of(bed.lab), 1)


def test_open_bisection_of_the_same_is_continued(make_bed: Make) -> None:
    bed = make_bed(culprit=12)
    first = bed.begin()
    assert bed.begin() == first
    assert bed.begin(BUILD).number == 2
    bed.bisector(first).run()
    assert bed.begin().number == 3


def test_answer_claims_no_search_that_was_not_made(make_bed: Make) -> None:
    """Where the call names the ends, no other packaging and packages are known."""
    bed = make_bed()
    bed.expect(fails="hello")
    assert "older packaging" not in bed.bisect().message


def test_interrupted_copy_of_a_build_is_removed(make_bed: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = make_bed(culprit=12)
    bisector = bed.bisector(bed.begin())
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", Mock(side_effect=OSError("full")))
        with pytest.raises(OSError, match="full"):
            bisector.run()
    bisector.stop = lambda: "cancelled"
    assert bisector.run().outcome == "cancelled"
    assert not [*bisections.home(Store.of(bed.lab)).glob("*/*")]
