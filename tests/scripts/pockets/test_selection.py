"""The updates of pockets, each shaped like a real case of -proposed or proposed-updates."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from scripts.migration import indexes
from scripts.pockets.selection import Pocket

ARCH = "amd64"


def packages(text: str) -> str:
    """Return a Packages file from lines ``NAME VERSION [SOURCE [SOURCE_VERSION]]; FIELD: VALUE; ...``."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        head, *fields = (part.strip() for part in line.split(";"))
        name, version, *source = head.split()
        lines = [f"Package: {name}", f"Version: {version}", f"Architecture: {ARCH}"]
        if source:
            lines.append(f"Source: {source[0]}" + (f" ({source[1]})" if len(source) > 1 else ""))
        found.append("\n".join([*lines, *fields]))
    return "\n\n".join(found)


def sources(text: str) -> str:
    """Return a Sources file from lines ``NAME VERSION BINARY ...``."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, version, *binaries = line.split()
        found.append(f"Package: {name}\nVersion: {version}\nBinary: {', '.join(binaries)}")
    return "\n\n".join(found)


def pocket(released: str, waiting: str, index: str = "") -> Pocket:
    return Pocket(
        indexes.of_texts(ARCH, [packages(waiting)], [sources(index)]),
        indexes.of_texts(ARCH, [packages(released)]),
        ARCH,
    )


class Case(NamedTuple):
    """A pocket with the source package ``greet``, and the expected update."""

    released: str
    waiting: str
    index: str = ""
    companions: tuple[str, ...] = ()
    impediment: str = ""
    breakage: str = ""


READY = {
    "alone": Case("greet 1.0-1", "greet 1.0-2"),
    "new": Case("", "greet 1.0-2"),
    "released dependency suffices": Case("greet 1.0-1\nlib 1.5", "greet 1.0-2; Depends: lib (>= 1)\nlib 2"),
    "newer dependency": Case(
        "greet 1.0-1\nlib 1.0 lib-src", "greet 1.0-2; Depends: lib (>= 1.5)\nlib 2.0 lib-src", companions=("lib-src",)
    ),
    "newer pre-dependency": Case(
        "greet 1.0-1\nlib 1", "greet 1.0-2; Pre-Depends: lib (>= 2)\nlib 2", companions=("lib",)
    ),
    "chain of dependencies": Case(
        "greet 1.0-1", "greet 1.0-2; Depends: a\na 1 sa; Depends: b (>= 1)\nb 1 sb; Depends: greet", companions=("sa", "sb")
    ),
    "first alternative is released": Case("greet 1\nold 1", "greet 2; Depends: old | brand-new\nbrand-new 1"),
    "second alternative is released": Case("greet 1\nold 1", "greet 2; Depends: brand-new | old\nbrand-new 1"),
    "no alternative is released": Case(
        "greet 1\nlib 1", "greet 2; Depends: lib (>= 3) | other\nlib 2\nother 1", companions=("other",)
    ),
    "dependency on an exact version": Case(
        "greet 1\nlib 1", "greet 2; Depends: lib (= 2)\nlib 2 libsrc", companions=("libsrc",)
    ),
    "virtual package of the release": Case("greet 1\nexim 4; Provides: mta", "greet 2; Depends: mta\npostfix 3; Provides: mta"),
    "versioned virtual package": Case(  # python3-numpy-abi9
        "greet 1\nnumpy 1 numpy; Provides: numpy-api (= 1)",
        "greet 2; Depends: numpy-api (= 2)\nnumpy 2 numpy; Provides: numpy-api (= 2)",
        companions=("numpy",),
    ),
    "new name of an ABI": Case(  # qtbase-abi-5-15-8, perlapi-5.36, phpapi-20220829
        "greet 1\nlibqt 1 qt; Provides: qt-abi-1",
        "greet 2; Depends: qt-abi-2\nlibqt 2 qt; Provides: qt-abi-2",
        companions=("qt",),
    ),
    "virtual package without a version satisfies no range": Case(
        "greet 1\na 1; Provides: api", "greet 2; Depends: api (>= 1)\nb 1; Provides: api (= 1)", companions=("b",)
    ),
    "broken released package has a newer version": Case(
        "greet 1\ntool 1", "greet 2; Breaks: tool (<< 2)\ntool 2", companions=("tool",)
    ),
    "conflict that the newer version keeps": Case("greet 1\ntool 1", "greet 2; Conflicts: tool\ntool 2"),
    "conflict with an alternative of itself": Case("greet 1\nother 1", "greet 2; Conflicts: other; Provides: mta"),
    "released dependent has a newer version": Case(  # meta packages: linux-meta of linux
        "greet 1\nmeta 1; Depends: greet (= 1)", "greet 2\nmeta 2; Depends: greet (= 2)", companions=("meta",)
    ),
    "dependent of a dropped virtual package": Case(
        "greet 1; Provides: greet-abi-1\nplugin 1; Depends: greet-abi-1",
        "greet 2; Provides: greet-abi-2\nplugin 1+b1 plugin 1; Depends: greet-abi-2\nplugin2 2 plugin 2; Depends: greet-abi-2",
        breakage="plugin 1 needs greet-abi-1",
    ),
    "released dependent becomes uninstallable": Case(  # LP 1418568
        "greet 1\ninitq 1; Depends: greet (<< 2)", "greet 2", breakage="initq 1 needs greet (<< 2)"
    ),
    "dependent that was broken before": Case("greet 1\nbad 1; Depends: greet (>= 9)", "greet 2"),
    "dependent with another alternative": Case("greet 1\nok 1; Depends: greet (<< 2) | other\nother 1", "greet 2"),
    "own virtual package of another name": Case("greet 1", "greet 2; Depends: greet-api\ngreet-data 2 greet; Provides: greet-api"),
    "binary versions of their own": Case(  # lvm2 2.03.16-2 builds dmsetup 2:1.02.185-2
        "dmsetup 2:1.02.185-2 greet 2.03.16-2\ngreet 2.03.16-2",
        "dmsetup 2:1.02.185-2+deb12u1 greet 2.03.16-2+deb12u1\ngreet 2.03.16-2+deb12u1",
    ),
    "binary-only rebuild in the release": Case("greet 1.0-1+b1 greet 1.0-1", "greet 1.0-2"),
    "dropped binary package": Case("greet 1\ngreet-old 1 greet", "greet 2", "greet 2 greet"),
    "package for another architecture": Case("greet 1", "greet 2", "greet 2 greet greet-s390x"),
    "source package that is missing in Sources": Case("greet 1", "greet 2\nother 1", "other 1 other"),
    "former ABI of a kernel": Case(  # linux keeps linux-image-6.1.0-53-amd64 beside 6.1.0-57
        "greet-60 1 greet\ngreet-meta 1 greet", "greet-61 2 greet\ngreet-62 3 greet\ngreet-meta 3 greet", "greet 3 greet-62 greet-meta"
    ),
    "former ABI that another package needs": Case(
        "greet-60 1 greet\nmod 1; Depends: greet-60", "greet-60 2 greet\ngreet-62 3 greet", "greet 3 greet-62"
    ),
    "debugging symbols are not expected": Case("greet 1", "greet 2", "greet 2 greet greet-dbgsym"),
}  # fmt: skip

NOT_READY = {
    "dependency is nowhere": Case(
        "greet 1\nlib 1", "greet 2; Depends: lib (>= 3)\nlib 2",
        impediment="greet 2 needs lib (>= 3), which neither the pocket nor the release has",
    ),
    "companion that is not accepted yet": Case(
        "greet 1", "greet 2; Depends: libgreet (>= 2)",
        impediment="greet 2 needs libgreet (>= 2), which neither the pocket nor the release has",
    ),
    "dependency of a companion": Case(
        "greet 1", "greet 2; Depends: a\na 1; Depends: b",
        impediment="a 1 needs b, which neither the pocket nor the release has",
    ),
    "binaries of one architecture are missing": Case(
        "greet 1\ngreet-common 1 greet", "greet-common 2 greet", "greet 2 greet greet-common",
        impediment="not all of greet 2 is published: the pocket has no greet",
    ),
    "binaries of the former update": Case(
        "greet 1\ngreet-common 1 greet", "greet-common 3 greet\ngreet 2", "greet 3 greet greet-common",
        impediment="not all of greet 3 is published: greet is of 2",
    ),
    "binaries of the former update beside a former ABI": Case(
        "greet-meta 1 greet", "greet-61 2 greet\ngreet-62 3 greet\ngreet-meta 2 greet", "greet 3 greet-62 greet-meta",
        impediment="not all of greet 3 is published: greet-meta is of 2",
    ),
    "only the former ABI": Case(
        "greet-60 1 greet", "greet-61 2 greet", "greet 3 greet-62", impediment="greet 3 is not published for amd64"
    ),
    "no binaries yet": Case("greet 1", "other 1", "greet 2 greet", impediment="not all of greet 2 is published: the pocket has no greet"),
    "no binaries for the architecture": Case("", "other 1", "greet 2 greet", impediment="greet 2 is not published for amd64"),
}  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in (READY | NOT_READY).items()])
def test_update_of_pocket(case: Case) -> None:
    at = pocket(case.released, case.waiting, case.index)
    assert at.waits("greet")
    update = at.update("greet")
    assert (update.impediment, update.breakage) == (case.impediment, case.breakage)
    if not case.impediment:
        assert tuple(update.companions) == case.companions
    assert update.version == at.version("greet")


NOT_WAITING = [
    pytest.param("greet 2", "greet 2", id="released already"),
    pytest.param("greet 3", "greet 2", id="superseded by security"),
    pytest.param("greet-60 6.8.0-62 greet", "greet-62 6.8.0-60 greet", id="superseded under another name"),
    pytest.param("greet 1.0-1+b2 greet 1.0-1", "greet 1.0-1+b3 greet 1.0-1", id="binary-only rebuild"),
    pytest.param("greet 1", "other 2", id="nothing of it"),
    pytest.param("dmsetup 2:1.02.185-2 greet 2.03.16-2", "dmsetup 2:1.02.185-3 greet 2.03.16-2", id="version of a binary"),
]  # fmt: skip


@pytest.mark.parametrize(("released", "waiting"), NOT_WAITING)
def test_update_does_not_wait(released: str, waiting: str) -> None:
    assert not pocket(released, waiting).waits("greet")


@pytest.mark.parametrize(
    "odd",
    ["bad 1_2", "bad 1:", "bad é", "bad 1; Depends: greet (>= ${binary:Version})", "bad 1; Breaks: greet (<< 1_0)",
     "bad 1; Provides: greet-api (= 1_0)\nworse 1; Depends: greet-api (>= 1)", "bad 1 src 1_2", "greet ~1_0"],
)  # fmt: skip
def test_what_is_no_version_stops_no_other_package(odd: str) -> None:
    for at in (pocket(f"greet 1.0-1\n{odd}", "greet 1.0-2"), pocket("greet 1.0-1", f"greet 1.0-2\n{odd}\nother 1")):
        assert at.waits("greet")
        assert (at.update("greet").impediment, at.update("greet").breakage) == ("", "")


def test_update_names_reasons_and_replaced_version() -> None:
    at = pocket(
        "greet 1.0-1+b1 greet 1.0-1\nlib 1", "greet 1.0-2; Depends: lib (>= 2)\nlib 2 lib-src; Breaks: tool (<< 2)\n"
    )
    update = at.update("greet")
    assert update.replaces == "1.0-1"
    assert dict(update.companions) == {"lib-src": "greet needs lib (>= 2)"}


def test_content_changes_with_companion_and_with_rebuild() -> None:
    first = pocket("", "greet 2; Depends: lib\nlib 2.0-1")
    companion = pocket("", "greet 2; Depends: lib\nlib 2.0-2")
    rebuild = pocket("", "greet 2+b1 greet 2; Depends: lib\nlib 2.0-1")
    digests = {at.digest(["greet", "lib"]) for at in (first, companion, rebuild)}
    assert len(digests) == 3
    assert first.digest(["lib", "greet"]) == first.digest(["greet", "lib"])
