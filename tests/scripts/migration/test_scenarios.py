"""Migrations in small worlds: what migrates, and what is there afterwards, as judged by a real dose."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from scripts.migration import dose
from scripts.migration.migrating import Migration, migrate
from scripts.migration.policies import Criteria
from tests.scripts.migration.suites import names, suite

BOTH = ("amd64", "arm64")


@dataclass(frozen=True)
class Scenario:
    name: str
    target: str
    candidate: str
    migrated: str
    hints: str = ""
    packages: str = ""
    """The binaries afterwards, where they do not follow from what migrated."""
    architectures: tuple[str, ...] = ("amd64",)
    base: str = ""


LIB = "lib 1 > lib1 @libs & lib-dev : lib1 (= 1)"
NEW_LIB = "lib 2 > lib2 @libs & lib-dev : lib2 (= 2)"
SCENARIOS = [
    Scenario("nothing new", "a 1 > a", "a 1 > a", ""),
    Scenario("one update", "a 1 > a", "a 2 > a", "a/2"),
    Scenario("a new source", "a 1 > a", "a 1 > a\nb 1 > b", "b/1"),
    Scenario("a first source", "", "a 1 > a", "a/1"),
    Scenario("a chain", "", "a 1 > a : b\nb 1 > b : c\nc 1 > c : d\nd 1 > d", "a/1 b/1 c/1 d/1"),
    Scenario("a chain with a missing end", "", "a 1 > a : b\nb 1 > b : c\nc 1 > c : d\ne 1 > e", "e/1"),
    Scenario(
        "a versioned chain of updates",
        "a 1 > a : b\nb 1 > b : c\nc 1 > c",
        "a 2 > a : b (>= 2)\nb 2 > b : c (>= 2)\nc 2 > c",
        "a/2 b/2 c/2",
    ),
    Scenario("a circle", "a 1 > a\nb 1 > b", "a 2 > a : b (>= 2)\nb 2 > b : a (>= 2)", "a/2 b/2"),
    Scenario(
        "a circle of three, of which one is blocked",
        "a 1 > a\nb 1 > b\nc 1 > c",
        "a 2 > a : b (>= 2)\nb 2 > b : c (>= 2)\nc 2 > c : a (>= 2)",
        "",
        hints="block c",
    ),
    Scenario(
        "a pair that only fits together",
        "a 1 > a : b (<< 2)\nb 1 > b",
        "a 2 > a : b (>= 2)\nb 2 > b",
        "a/2 b/2",
    ),
    Scenario("half of a pair is not there", "a 1 > a : b (<< 2)\nb 1 > b", "a 1 > a : b (<< 2)\nb 2 > b", ""),
    Scenario("a new package that cannot be installed", "a 1 > a", "a 2 > a & a-extra : nowhere", ""),
    Scenario("one bad of three", "a 1 > a\nb 1 > b\nc 1 > c", "a 2 > a : x\nb 2 > b\nc 2 > c", "b/2 c/2"),
    Scenario("broken in both", "a 1 > a : nowhere", "a 2 > a : nowhere", "a/2"),
    Scenario("broken before, whole after", "a 1 > a : nowhere", "a 2 > a", "a/2"),
    Scenario(
        "a user of what is broken in both",
        "a 1 > a : nowhere\nb 1 > b : a",
        "a 2 > a : nowhere\nb 2 > b : a",
        "a/2 b/2",
    ),
    Scenario("no trade of a broken package", "a 1 > a : x\nb 1 > b", "a 2 > a\nb 2 > b : x", "a/2"),
    Scenario("two alternatives, one goes", "a 1 > a : x | y\nx 1 > x\ny 1 > y", "a 1 > a : x | y\ny 1 > y", "-x/1"),
    Scenario("two alternatives, both would go", "a 1 > a : x | y\nx 1 > x\ny 1 > y", "a 1 > a : x | y", "-y/1"),
    Scenario("a virtual package", "a 1 > a : mta\nm 1 > m % mta", "a 1 > a : mta\nn 1 > n % mta", "-m/1 n/1"),
    Scenario("a virtual package loses its provider", "a 1 > a : mta\nm 1 > m % mta", "a 1 > a : mta\nm 2 > m", ""),
    Scenario("a versioned Provides", "a 1 > a", "a 2 > a : api (>= 2)\np 1 > p % api (= 2)", "a/2 p/1"),
    Scenario("a versioned Provides that is too old", "a 1 > a", "a 2 > a : api (>= 3)\np 1 > p % api (= 2)", "p/1"),
    Scenario("no version satisfies no range", "a 1 > a", "a 2 > a : api (>= 1)\np 1 > p % api", "p/1"),
    Scenario(
        "a package ABI moves",
        "x 1 > x % abi-1\nu 1 > u : abi-1",
        "x 2 > x % abi-2\nu 2 > u : abi-2",
        "u/2 x/2",
    ),
    Scenario(
        "a package ABI moves without one user",
        "x 1 > x % abi-1\nu 1 > u : abi-1\nv 1 > v : abi-1",
        "x 2 > x % abi-2\nu 2 > u : abi-2\nv 1 > v : abi-1",
        "",
    ),
    Scenario("a renamed package with Provides", "a 1 > old\nb 1 > b : old", "a 2 > new % old\nb 1 > b : old", "a/2"),
    Scenario("a dropped binary that is needed", "a 1 > a & a-x\nb 1 > b : a-x", "a 2 > a\nb 1 > b : a-x", ""),
    Scenario("a dropped binary with its user", "a 1 > a & a-x\nb 1 > b : a-x", "a 2 > a\nb 2 > b : a", "a/2 b/2"),
    Scenario("a dropped binary of its own user", "a 1 > a : a-x & a-x", "a 2 > a", "a/2"),
    Scenario(
        "a library is kept for who was not rebuilt",
        f"{LIB}\nu 1 > u : lib1\nv 1 > v : lib1",
        f"{NEW_LIB}\nu 2 > u : lib2\nv 1 > v : lib1",
        "lib/2 u/2",
        packages="lib-dev/2 lib1/1 lib2/2 u/2 v/1",
    ),
    Scenario(
        "a library goes when all are rebuilt",
        f"{LIB}\nu 1 > u : lib1",
        f"{NEW_LIB}\nu 2 > u : lib2",
        "lib/2 u/2",
        packages="lib-dev/2 lib2/2 u/2",
    ),
    Scenario(
        "a library that was left goes later",
        "lib 2 > lib2 @libs\nlib 1 old > lib1 @libs\nu 1 > u : lib1",
        "lib 2 > lib2 @libs\nu 2 > u : lib2",
        "u/2",
        packages="lib2/2 u/2",
    ),
    Scenario(
        "libraries that need each other are kept",
        "lib 1 > lib1 @libs : libx1 & libx1 @libs\nu 1 > u : lib1",
        "lib 2 > lib2 @libs\nu 1 > u : lib1",
        "lib/2",
        packages="lib1/1 lib2/2 libx1/1 u/1",
    ),
    Scenario("no library is kept when its source goes", "lib 1 > lib1 @libs\nu 1 > u : lib1", "u 1 > u : lib1", ""),
    Scenario("what is no library is not kept", "p 1 > p1\nu 1 > u : p1", "p 2 > p2\nu 1 > u : p1", ""),
    Scenario(
        "a library that conflicts with its predecessor",
        "lib 1 > lib1 @libs\nu 1 > u : lib1, v\nv 1 > v : lib1",
        "lib 2 > lib2 @libs ! lib1\nu 2 > u : lib2, v\nv 1 > v : lib1",
        "lib/2",
    ),
    Scenario(
        "a library that nothing needs is no way out",
        "lib 1 > lib1 @libs\nq 1 > q\np 1 > p : lib1 | lib2, q",
        "lib 2 > lib2 @libs ! q\nq 1 > q\np 1 > p : lib1 | lib2, q",
        "",
    ),
    Scenario("a removal", "a 1 > a\nb 1 > b", "a 1 > a", "-b/1"),
    Scenario("a removal that is needed", "a 1 > a : b\nb 1 > b", "a 1 > a : b", ""),
    Scenario("a removal with its user", "a 1 > a : b\nb 1 > b", "a 2 > a", "-b/1 a/2"),
    Scenario("a removal of a circle", "a 1 > a : b\nb 1 > b : a\nc 1 > c", "c 1 > c", "-a/1 -b/1"),
    Scenario(
        "a removal of a diamond", "a 1 > a : b, c\nb 1 > b : d\nc 1 > c : d\nd 1 > d", "d 1 > d", "-a/1 -b/1 -c/1"
    ),
    Scenario("a blocked removal", "a 1 > a\nb 1 > b : a", "", "-b/1", hints="block -a"),
    Scenario("a downgrade", "a 2 > a", "a 1 > a", ""),
    Scenario("a downgrade by epoch", "a 1:1 > a", "a 2 > a", ""),
    Scenario("a tilde is older", "a 1.0~rc1 > a", "a 1.0 > a", "a/1.0"),
    Scenario("a downgrade of one binary", "a 1 > a =5", "a 2 > a =4", ""),
    Scenario(
        "a conflict of two updates", "a 1 > a\nb 1 > b\nc 1 > c : a, b", "a 2 > a ! b\nb 1 > b\nc 1 > c : a, b", ""
    ),
    Scenario(
        "a conflict that a new version ends",
        "a 1 > a\nb 1 > b : a",
        "a 2 > a ! b (<< 2)\nb 2 > b : a",
        "a/2 b/2",
    ),
    Scenario("a conflict that nothing ends", "a 1 > a\nb 1 > b : a", "a 2 > a ! b (<< 2)\nb 1 > b : a\nc 1 > c", "c/1"),
    Scenario(
        "a deep conflict",
        "u 1 > u : l, r\nl 1 > l : m\nr 1 > r : leaf\nm 1 > m\nleaf 1 > leaf",
        "u 1 > u : l, r\nl 1 > l : m\nr 1 > r : leaf\nm 2 > m ! leaf\nleaf 2 > leaf",
        "leaf/2",
    ),
    Scenario(
        "a conflict around an alternative",
        "u 1 > u : x | y, z\nx 1 > x\ny 1 > y\nz 1 > z",
        "u 1 > u : x | y, z\nx 2 > x ! z\ny 1 > y\nz 1 > z",
        "x/2",
    ),
    Scenario(
        "either of two, not both",
        "u 1 > u : a, b\na 1 > a\nb 1 > b\nd 1 > d",
        "u 1 > u : a, b\na 2 > a ! b (>= 2)\nb 2 > b\nd 2 > d : b (>= 2)",
        "b/2 d/2",
    ),
    Scenario("an essential package", "e 1 > e +essential\na 1 > a", "e 2 > e +essential\na 2 > a ! e", "e/2"),
    Scenario(
        "a new essential dependency",
        "e 1 > e +essential\na 1 > a ! n",
        "e 2 > e +essential : n\nn 1 > n\na 1 > a ! n",
        "n/1",
    ),
    Scenario("a package moves between sources", "a 1 > a & x\nb 1 > b", "a 2 > a\nb 2 > b & x =3", "a/2 b/2"),
    Scenario(
        "an obsolete source goes",
        "a 1 > x",
        "a 1 > x\nb 2 > x",
        "b/2",
        packages="x/2",
    ),
    Scenario("a rebuild", "l 1 > l\na 1 > a : l", "l 1 > l\na 1 > a =1+b1 : l", "a/1/amd64", packages="a/1+b1 l/1"),
    Scenario("a rebuild that needs more", "l 1 > l\na 1 > a : l", "l 1 > l\na 1 > a =1+b1 : x", ""),
    Scenario("a library and a rebuild", "l 1 > l1\na 1 > a : l1", "l 2 > l2\na 1 > a =1+b1 : l2", "a/1/amd64 l/2"),
    Scenario("all on both", "a 1 > a /all", "a 2 > a /all", "a/2", architectures=BOTH),
    Scenario("broken on one of two", "a 1 > a /all", "a 2 > a /all : m\nm 1 > m /amd64", "m/1", architectures=BOTH),
    Scenario("new for all, whole on the first", "", "a 1 > a /all : m\nm 1 > m /amd64", "a/1 m/1", architectures=BOTH),
    Scenario("new for all, whole on the second", "", "a 1 > a /all : m\nm 1 > m /arm64", "m/1", architectures=BOTH),
    Scenario(
        "not built on one",
        "a 1 > a /amd64 & a /arm64",
        "a 2 > a /amd64\na 1 old > a /arm64\nb 1 > b",
        "b/1",
        architectures=BOTH,
    ),
    Scenario("gone on one", "a 1 > a /amd64 & a /arm64", "a 2 > a /amd64", "a/2", architectures=BOTH),
    Scenario(
        "gone on one and needed there",
        "a 1 > a /amd64 & a /arm64\nu 1 > u /all : a",
        "a 2 > a /amd64\nu 1 > u /all : a",
        "",
        architectures=BOTH,
    ),
    Scenario("another architecture's package", "a 1 > a", "a 2 > a : b:i386\nb 1 > b", "b/1"),
    Scenario("any architecture's package", "a 1 > a", "a 2 > a : b:any\nb 1 > b", "a/2 b/1"),
    Scenario("below the lab", "", "a 1 > a : libc6 (>= 2)", "a/1", base="glibc 2 > libc6"),
    Scenario("below the lab, too old", "", "a 1 > a : libc6 (>= 3)", "", base="glibc 2 > libc6"),
    Scenario(
        "over what is below the lab",
        "l 1 > l",
        "l 3 > l\nu 1 > u : b\nd 1 > d : l (>= 3)",
        "d/1 l/3",
        base="l 2 > l\nb 2 > b : l (<< 3)",
    ),
    Scenario("block", "a 1 > a\nb 1 > b", "a 2 > a\nb 2 > b", "b/2", hints="block a"),
    Scenario("block a version", "a 1 > a\nb 1 > b", "a 2 > a\nb 2 > b", "b/2", hints="block a/2"),
    Scenario("block another version", "a 1 > a", "a 2 > a", "a/2", hints="block a/3"),
    Scenario("block-all", "a 1 > a", "a 2 > a\nb 1 > b", "", hints="block-all source"),
    Scenario("block-all new-source", "a 1 > a", "a 2 > a\nb 1 > b", "a/2", hints="block-all new-source"),
    Scenario("unblock", "a 1 > a", "a 2 > a\nb 1 > b", "a/2", hints="block-all source\nunblock a/2"),
    Scenario("approve", "a 1 > a", "a 2 > a", "a/2", hints="block a\napprove a/2"),
    Scenario("unblock another version", "a 1 > a", "a 2 > a", "", hints="block a\nunblock a/3"),
    Scenario("force-hint", "a 1 > a\nb 1 > b : a (<< 2)", "a 2 > a\nb 1 > b : a (<< 2)", "a/2", hints="force-hint a/2"),
    Scenario(
        "force-hint breaks no more",
        "a 1 > a\nb 1 > b : a (<< 2)\nc 1 > c\nd 1 > d : c (<< 2)",
        "a 2 > a\nb 1 > b : a (<< 2)\nc 2 > c\nd 1 > d : c (<< 2)",
        "a/2",
        hints="force-hint a/2",
    ),
    Scenario(
        "force-hint with a conflict", "a 1 > a\nb 1 > b : a", "a 2 > a ! b\nb 1 > b : a", "a/2", hints="force-hint a/2"
    ),
    Scenario("remove", "a 1 > a\nb 1 > b", "a 1 > a\nb 2 > b", "-b/1", hints="remove b/1"),
    Scenario("remove what is needed", "a 1 > a : b\nb 1 > b", "a 1 > a : b\nb 2 > b", "", hints="remove b/1"),
    Scenario("remove another version", "b 1 > b", "b 2 > b", "b/2", hints="remove b/0"),
    Scenario(
        "allow-uninst", "a 1 > a\nb 1 > b : a (<< 2)", "a 2 > a\nb 1 > b : a (<< 2)", "a/2", hints="allow-uninst b/1"
    ),
    Scenario(
        "allow-uninst of another version",
        "a 1 > a\nb 1 > b : a (<< 2)",
        "a 2 > a\nb 1 > b : a (<< 2)",
        "",
        hints="allow-uninst b/2",
    ),
    Scenario(
        "easy prefers",
        "u 1 > u : a, b\na 1 > a\nb 1 > b\nd 1 > d",
        "u 1 > u : a, b\na 2 > a ! b (>= 2)\nb 2 > b\nd 2 > d : b (>= 2)",
        "a/2",
        hints="hint a/2",
    ),
]


def run(scenario: Scenario, **criteria: Criteria) -> Migration:
    return migrate(
        suite(scenario.target, scenario.architectures),
        suite(scenario.candidate, scenario.architectures),
        dose.uninstallable,
        base=suite(scenario.base, scenario.architectures),
        hint_text=scenario.hints,
        **criteria,
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_migrates(scenario: Scenario) -> None:
    result = run(scenario)
    assert names(result.migrated) == scenario.migrated
    binaries = {f"{name}/{version}" for name, version, arch in result.packages if arch != "source"}
    if scenario.packages:
        assert names(binaries) == scenario.packages
