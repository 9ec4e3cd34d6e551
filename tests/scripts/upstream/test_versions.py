from __future__ import annotations

import re
from itertools import pairwise

import pytest
from debian.debian_support import Version
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version as PythonVersion

from scripts.upstream import versions
from tests.scripts.histories import CASES, DAY, START, History, dpkg

NAMES = ("greet", "openstack-greet")


@pytest.mark.parametrize(
    "tag, version",
    [
        ("1.2.3", "1.2.3"),
        ("v1.2", "1.2"),
        ("V1.2", "1.2"),
        ("v.1.2", "1.2"),
        ("v255", "255"),
        ("1", "1"),
        ("release-1.2", "1.2"),
        ("release/1.2", "1.2"),
        ("releases/v1.2", "1.2"),
        ("REL_16_1", "16.1"),
        ("rel1.2", "1.2"),
        ("version_1.2", "1.2"),
        ("ver-1.2", "1.2"),
        ("greet-1.2.3", "1.2.3"),
        ("greet_1_2_3", "1.2.3"),
        ("GREET-1.2.3", "1.2.3"),
        ("greet-v1.2.3", "1.2.3"),
        ("greet-release-1.2", "1.2"),
        ("releases/greet-1.2.0", "1.2.0"),
        ("openstack_greet-1.2", "1.2"),
        ("V_9_6_P1", "9.6p1"),
        ("7.1.0-62", "7.1.0.62"),
        ("2026.01.03", "2026.01.03"),
        ("2012.1", "2012.1"),
        ("v20260103", "20260103"),
        ("greet-20260103", "20260103"),
        # Pre-releases.
        ("1.2rc1", "1.2~rc1"),
        ("1.2-rc1", "1.2~rc1"),
        ("1.2_rc_1", "1.2~rc1"),
        ("1.2.RC1", "1.2~rc1"),
        ("1.0a2", "1.0~a2"),
        ("1.0b3", "1.0~b3"),
        ("1.0c1", "1.0~c1"),
        ("1.0-alpha", "1.0~alpha"),
        ("1.0-beta.3", "1.0~beta3"),
        ("1.0.0-rc.1.2", "1.0.0~rc1.2"),
        ("1.0pre2", "1.0~pre2"),
        ("5.0.0-M1", "5.0.0~m1"),
        ("14.0.0.0b1", "14.0.0~b1"),
        ("14.0.0.0rc1", "14.0.0~rc1"),
        ("14.0.0.0a1", "14.0.0~a1"),
        ("14.0.0.0b1.dev5", "14.0.0~b1~dev5"),
        ("14.0.0.1rc1", "14.0.0.1~rc1"),
        ("14.0.0.dev5", "14.0.0~~dev5"),
        ("1.0-dev", "1.0~~dev"),
        # After a release.
        ("1.0.post1", "1.0.post1"),
        ("1.0-post1", "1.0.post1"),
        ("1.0.post1.dev3", "1.0.post1~dev3"),
        ("1.0rc1.post2", "1.0~rc1.post2"),
        ("4.2.8p15", "4.2.8p15"),
        ("1.0-patch2", "1.0.patch2"),
        # PEP 440, "Post release spelling": r and rev are those of post.
        ("v0.01-r2", "0.01.r2"),
        ("1.0r4", "1.0.r4"),
        ("1.0-rev4", "1.0.rev4"),
        ("greet1_7R4", "1.7.r4"),
        ("1.0rc1-r2", "1.0~rc1.r2"),
        ("1.0-r", None),
        ("1.0.2u", "1.0.2u"),
        ("1.0.2zh", "1.0.2zh"),
        ("2025b", "2025b"),
        ("1.2.0.Final", "1.2.0"),
        ("1.2.0-RELEASE", "1.2.0"),
        # DEP-14, "Version mangling"; git-buildpackage's default for upstream-tag.
        ("upstream/1.2", "1.2"),
        ("upstream/1.2_rc1", "1.2~rc1"),
        ("upstream/1.2+dfsg1", "1.2+dfsg1"),
        ("upstream/1.2.13.dfsg", "1.2.13.dfsg"),
        ("upstream/20260103", "20260103"),
        ("upstream/1.0.6_git20210604.d5e0c06", "1.0.6~git20210604.d5e0c06"),
        ("upstream/1.#.2", "1..2"),
        ("upstream/1.2%2", None),
        ("upstream/1%1.2", None),
        ("upstream/v1.2", None),
        ("upstream/latest", None),
        ("upstream/1.2_", None),
        ("upstream/1.2-3", "1.2.3"),
        ("upstream/1.2-rc1", None),
        ("upstream/1.2-Beta-10", None),
        ("upstream/1.2-b3", None),
        ("upstream/1.2-eol", None),
        ("upstream/1.2-", None),
        ("upstream/2.1.12-stable", "2.1.12.stable"),
        ("upstream/0.10-89-g3690b60", "0.10.89.g3690b60"),
        ("upstream/0.10.0+svn416-dfsg1", "0.10.0+svn416.dfsg1"),
        ("upstream/20001107-a", "20001107.a"),
        ("debian/2.1.3", "2.1.3"),
        ("debian/0.6+nmu1", "0.6+nmu1"),
        ("debian/2%1.3_exp1", "1.3~exp1"),
        # SemVer 2.0.0, section 10.
        ("v2.0.0-beta.2+build5", "2.0.0~beta2"),
        ("1.0.0-alpha+001", "1.0.0~alpha"),
        ("1.0.0+20130313144700", "1.0.0"),
        ("v1.28.2+k3s1", "1.28.2"),
        ("greet-1.0.0+21AF26D3", "1.0.0"),
        ("1.0.0-foo+5", None),
        ("1.2+dfsg1", None),
        # Schemes of single projects: FFmpeg, LLVM, Expat.
        ("n6.1", "6.1"),
        ("n6.1.1", "6.1.1"),
        ("n6.2-dev", "6.2~~dev"),
        ("n6", None),
        ("N6.1", None),
        ("llvmorg-17.0.6", "17.0.6"),
        ("llvmorg-18.1.0-rc1", "18.1.0~rc1"),
        ("llvmorg-18-init", None),
        ("R_2_5_0", "2.5.0"),
        ("R_1_95_8", "1.95.8"),
        ("R_1", None),
        ("r_1_2", None),
        # The project's own name: Go's own releases, Go's submodules, lerna's and release-please's monorepos.
        ("greet1.21.5", "1.21.5"),
        ("greet1.21rc2", "1.21~rc2"),
        ("greet1", "1"),
        ("greet/v1.2.3", "1.2.3"),
        ("greet@1.2.3", "1.2.3"),
        ("greet@v1.2.3", "1.2.3"),
        ("greeting1.2", None),
        ("frown/v1.2.3", None),
        ("frown@1.2.3", None),
        ("go1.21.5", None),
        ("1_2_3", "1.2.3"),
        ("gdb-13.2-release", None),
        ("greet-13.2-release", "13.2"),
        # No versions.
        ("private-1.2", None),
        ("private-greet-1.2", None),
        ("ocata-em", None),
        ("newton-eol", None),
        ("yoga-eom", None),
        ("1.2-eol", None),
        ("debian/1.2-1", None),
        ("debian/1%1.2-1", None),
        ("debian/bookworm", None),
        ("archive/v1.2", None),
        ("frown-1.2", None),
        ("submodule/v1.2", None),
        ("latest", None),
        ("stable", None),
        ("v", None),
        ("greet-", None),
        ("20260103", None),
        ("20260103120000", None),
        ("2026-01-03", None),
        ("2026-01-03-nightly", None),
        ("1.2-20260103", None),
        ("v1.2_20260103", None),
        ("nightly-2026-01-03", None),
        ("1.2.3-4-g87f1fcb", None),
        ("1.2.x", None),
        ("1.2-SNAPSHOT", None),
        ("1.2+build5", None),
        ("1!2.0", None),
        ("build-1234", None),
        ("r1234", None),
        ("1..2", None),
        ("1.2-", None),
        ("١.٢", None),
    ],
)
def test_version_from_tag(tag: str, version: str | None) -> None:
    assert versions.from_tag(tag, NAMES) == version
    if version:
        assert versions.UPSTREAM_VERSION.fullmatch(version.replace("~~", "~")), "policy 5.6.12"


@pytest.mark.parametrize(
    "tag, names, version",
    [
        ("go1.21.5", ["golang-1.21", "go"], "1.21.5"),
        ("go1.22rc1", ["golang-1.22", "go"], "1.22~rc1"),
        ("python3.12", ["python3"], None),  # no version 12 of python3
        ("python3-1.2", ["python3"], "1.2"),
        ("gcc-13.2.0", ["gcc-13", "gcc"], "13.2.0"),
        ("releases/gcc-13.2.0", ["gcc-13", "gcc"], "13.2.0"),
        ("FIREFOX_120_0_RELEASE", ["firefox"], "120.0"),
        ("OpenSSL_1_1_1w", ["openssl"], "1.1.1w"),
        ("libX11-1.8.7", ["libx11"], "1.8.7"),
        ("php-8.2.12", ["php8.2", "php-src"], None),
    ],
)
def test_version_from_tag_with_name(tag: str, names: list[str], version: str | None) -> None:
    assert versions.from_tag(tag, names) == version


@pytest.mark.parametrize(
    "version, following",
    [
        ("1.2.13.dfsg", "1.2.14"),
        ("1.2.13", "1.2.14"),
        ("1.0+repack", "1.1"),
        ("2025b", "2026"),
        ("9.6p1", "9.7"),
        ("1.02", "1.3"),
        ("254", "255"),
        ("7.3.5+~7.3.9", "7.3.6"),
        ("0.0~git20260101.784c73b", "0.1"),
        ("1.2.", "1.3"),
        ("20210604", "20210605"),
    ],
)
def test_release_after(version: str, following: str) -> None:
    assert versions.release_after(version) == following
    assert dpkg(f"{following}~git", "gt", f"{version}+git")


def test_release_after_needs_a_number() -> None:
    with pytest.raises(ValueError, match="next is no upstream version"):
        versions.release_after("next")


@pytest.mark.parametrize(
    "tag, pattern, version",
    [
        ("frown-1.2", "frown-(.*)", "1.2"),
        ("debian/1.2rc1", "debian/(.*)", "1.2~rc1"),
        ("20260103", r"(\d{8})", "20260103"),
        ("R_2_5_0", "R_(.*)", "2.5.0"),
        ("v1.2", "frown-(.*)", None),
        ("frown-1.2-eol", r"frown-([\d.]+)", None),
        ("frown-new", "frown-(.*)", None),
        ("frown", "frown(-.*)?", None),
    ],
)
def test_version_from_tag_with_pattern(tag: str, pattern: str, version: str | None) -> None:
    assert versions.from_tag(tag, NAMES, re.compile(pattern)) == version


@pytest.mark.parametrize(
    "tags",
    [
        "14.0.0.dev5 14.0.0.0a1 14.0.0.0b1.dev5 14.0.0.0b1 14.0.0.0b2 14.0.0.0rc1 14.0.0 14.0.0.post1 14.0.1",
        "v1.0.0-alpha v1.0.0-alpha.1 v1.0.0-beta v1.0.0-beta.2 v1.0.0-beta.11 v1.0.0-rc.1 v1.0.0 v1.0.1",
        "1.0a1 1.0b1 1.0c1 1.0pre1 1.0rc1 1.0.Final 1.0p1 1.0.1-final 1.1",
        "5.0.0-M1 5.0.0-M2 5.0.0-RC1 5.0.0-RELEASE 5.0.1",
        "1.0.2-beta1 1.0.2 1.0.2a 1.0.2b 1.0.2z 1.0.2za 1.0.2zh 1.0.3",
        "2.9 2.10 2.10.1 2.11 10.0",
        "v0.01 v0.01-r1 v0.01-r2 v0.01-r10 v0.02 v0.3-rc1 v0.3",
        "7.1.0-1 7.1.0-2 7.1.0-10 7.1.1-1",
        "2012.1 2012.2 2015.1.0b3 2015.1.0rc1 2015.1.0 2015.1.1",
        "0.0.0 0.0.1a1 0.0.1 0.1 1",
    ],
)
def test_version_order_of_tags_is_that_of_dpkg(tags: str) -> None:
    found = [versions.from_tag(tag, NAMES) or "" for tag in tags.split()]
    for lower, higher in pairwise(found):
        assert dpkg(lower, "lt", higher), (lower, higher)


def python_versions() -> st.SearchStrategy[str]:
    number = st.integers(0, 12)
    return st.builds(
        "{}.{}.{}{}{}{}".format,
        st.integers(0, 2), st.integers(0, 2), st.integers(0, 2),
        st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from(["a", "b", "rc"]), number)),
        st.one_of(st.just(""), st.builds(".post{}".format, number)),
        st.one_of(st.just(""), st.builds(".dev{}".format, number)),
    )  # fmt: skip


@pytest.mark.integration
@settings(max_examples=80)
@given(python_versions(), python_versions())
def test_version_order_of_python_is_that_of_dpkg(one: str, other: str) -> None:
    mapped = [versions.from_tag(tag, ()) or "" for tag in (one, other)]
    relation = "lt" if PythonVersion(one) < PythonVersion(other) else "eq" if one == other else "gt"
    assert dpkg(mapped[0], relation, mapped[1]), mapped


def rises(history: History, following: str | None) -> None:
    """Each commit's version is above its parents', as dpkg has it; and so, by transitivity, above all its ancestors'."""
    named = [history.snapshot(commit, following).version for commit in range(len(history.stamps))]
    for parent, child in history.edges():
        assert dpkg(named[parent], "lt", named[child]), (named[parent], named[child])


def test_histories_are_enough() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES)
def test_history_version(case: str) -> None:
    words, following, expected, below, above = CASES[case]
    history = History.read(words)
    last = history.snapshot(len(history.stamps) - 1, following)
    assert re.fullmatch(re.escape(expected) + r"\.[0-9a-f]{7}", last.version), last.version
    assert dpkg(below, "lt", last.version)
    assert dpkg(last.version, "lt", above)
    rises(history, following)


TAGS = """
    v0.1 0.0.0 0.0.1a1 0.0.1 1.0 v1.0 release-1.0 1.0.0 1.0a1 1.0-beta.2 1.0rc1 1.0.0.0rc1 1.0-1 1.0p1 1.0a 1.0.post1
    upstream/1.0 upstream/1.0+dfsg1 upstream/1.0_rc1 upstream/1.0.dfsg 1.0.0+build5 n1.1 greet@1.0.1 greet1.0.1
    1.0.2 1.0.2a 1.1.dev3 2.0b1 2.0rc1 2.0 02.0 v2.0.0 2.0-5 10.0 private-3 newton-eol 20260101
""".split()  # noqa: SIM905 - a list of one tag a line would be all that there is to see


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Any ancestry: several roots, merges, dates as they fall, and any tags anywhere."""
    history = History()
    for number in range(draw(st.integers(2, 9))):
        parents = draw(st.lists(st.integers(max(0, number - 4), number - 1), max_size=3, unique=True)) if number else []
        history.add(parents, START + draw(st.integers(-40, 40)) * DAY // 4)
    last = len(history.stamps) - 1
    history.tags = draw(st.dictionaries(st.sampled_from(TAGS), st.integers(0, last), max_size=6))
    return history


FOLLOWING = st.sampled_from([None, "0.1", "1.0", "1.0~rc1", "1.0.2a", "2.0", "11"])


@pytest.mark.integration
@settings(max_examples=250)
@given(histories(), FOLLOWING, st.data())
def test_version_rises_along_any_ancestry(history: History, following: str | None, data: st.DataObject) -> None:
    named = [history.snapshot(commit, following).version for commit in range(len(history.stamps))]
    edges = list(history.edges())
    for parent, child in edges:
        assert Version(named[parent]) < Version(named[child]), (named[parent], named[child])
    if edges:  # dpkg is asked of one, or this would take minutes
        parent, child = data.draw(st.sampled_from(edges))
        assert dpkg(named[parent], "lt", named[child])


@pytest.mark.integration
@settings(max_examples=50)
@given(histories(), FOLLOWING)
def test_version_is_above_every_release_in_it(history: History, following: str | None) -> None:
    tip = len(history.stamps) - 1
    version, reach = history.snapshot(tip, following).version, history.ancestors(tip)
    for tag, at in history.tags.items():
        if at in reach and (release := versions.from_tag(tag, ["greet"])):
            assert dpkg(release, "lt", version)


@pytest.mark.integration
@settings(max_examples=50)
@given(histories(), FOLLOWING, st.sampled_from(["0.0.9", "1.0", "1.0.1", "v1.0", "3.0"]), st.data())
def test_version_is_not_lowered_by_late_tag(
    history: History, following: str | None, tag: str, data: st.DataObject
) -> None:
    tip = len(history.stamps) - 1
    before = history.snapshot(tip, following).version
    if tag not in history.tags:
        history.tags[tag] = data.draw(st.integers(0, tip))
    after = history.snapshot(tip, following).version
    assert dpkg(before, "le", after)


@pytest.mark.parametrize(
    "last, expected",
    [
        ("1.0+git20260103.7.0000000", "1.0+git20260103.8.87f1fcb"),
        ("1.0+git20260103.9.abcdef0", "1.0+git20260103.10.87f1fcb"),
        ("2.0~git20260103.1234.fffffff", "2.0~git20260103.1235.87f1fcb"),
        ("14.0.0~rc1+git20260103.1.fffffff", "14.0.0~rc1+git20260103.2.87f1fcb"),
        ("1.0+git20260103.7.87f1fcb", "1.0+git20260103.7.87f1fcb"),
        ("1.0", None),
        ("1.0+git2026.7.87f1fcb", None),
        ("1.0+dfsg", None),
    ],
)
def test_successor_version(last: str, expected: str | None) -> None:
    commit = "87f1fcb232ace5f4d93fb98d71fc9be14d8a1861"
    found = versions.successor(last, commit)
    assert found == expected
    assert bool(versions.commit_of(last)) == bool(expected)
    if found:
        assert versions.commit_of(found) == commit[:7]
        assert dpkg(found, "ge", last)
        assert dpkg(found, "eq" if last.endswith(commit[:7]) else "gt", last)


@pytest.mark.parametrize(
    "stamp, day", [(0, "19700101"), (START, "20260101"), (START + DAY - 1, "20260101"), (2**62, "99991231")]
)
def test_day_of_timestamp(stamp: int, day: str) -> None:
    assert versions.day(stamp) == day
