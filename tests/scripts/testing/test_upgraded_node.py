"""What an upgrade must keep, and must install."""

from __future__ import annotations

import pytest

from lab.base.errors import Failed
from scripts.testing.upgraded_node import CONFFILE, NodePackage, Removals, check_conffiles, check_versions

LISTED = """
 /etc/greet.conf 0123456789abcdef0123456789abcdef
 /etc/greet/old.conf 0123456789abcdef0123456789abcdef obsolete
 /etc/a file 0123456789abcdef0123456789abcdef
 /etc/new newconffile
"""


def test_conffiles_of_dpkg_query() -> None:
    found = [match["path"] for match in CONFFILE.finditer(LISTED) if not match["obsolete"]]
    assert found == ["/etc/greet.conf", "/etc/a file", "/etc/new"]


@pytest.mark.parametrize(
    ("before", "listed", "after", "message"),
    [
        ({"/etc/a"}, ["/etc/a"], {"/etc/a"}, ""),
        ({"/etc/a"}, ["/etc/a"], set(), "the conffile /etc/a is lost in the upgrade"),
        ({"/etc/a"}, [], set(), ""),  # the new version does not have it any more
        (set(), ["/etc/a"], set(), ""),  # the administrator had deleted it
        ({"/etc/a"}, ["/etc/a", "/etc/b"], {"/etc/a", "/etc/b"}, ""),
    ],
)
def test_conffile_is_lost(before: set[str], listed: list[str], after: set[str], message: str) -> None:
    if message:
        with pytest.raises(Failed, match=message):
            check_conffiles(before, listed, after)
    else:
        check_conffiles(before, listed, after)


def packages(**versions: str) -> dict[str, NodePackage]:
    return {name: NodePackage(version) for name, version in versions.items()}


STATE = {name: {"Package": name, "Version": "2"} for name in ("greet", "libgreet", "greet-doc", "other")}


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (packages(greet="2", libgreet="2"), ""),
        (packages(greet="2", libgreet="2", theirs="1"), ""),
        (packages(greet="2"), ""),  # what is gone is a matter of its own
        (packages(greet="1", libgreet="2"), "greet stays at 1: full-upgrade does not install 2"),
        (packages(greet="2", libgreet="2", other="1"), "other stays at 1: full-upgrade does not install 2"),
    ],
    ids=["all", "those of the series", "removed", "kept back", "another of the state kept back"],
)
def test_upgrade_installs_state(installed: dict[str, NodePackage], message: str) -> None:
    before = packages(greet="1", libgreet="1", other="1", theirs="1")
    if message:
        with pytest.raises(Failed, match=message):
            check_versions(installed, before, STATE)
    else:
        check_versions(installed, before, STATE)


GONE = "the upgrade removes old 1 from node0, and no package that it installs replaces it (test.upgrade can give the reason)"
REMOVALS: dict[str, tuple[dict[str, str], str]] = {
    "nothing explains it": ({}, GONE),
    "a conflict alone": ({"Conflicts": "old"}, GONE),
    "a break alone": ({"Breaks": "old (<< 2)"}, GONE),
    "it takes its files over alone": ({"Replaces": "old"}, GONE),
    "it replaces and conflicts with it": ({"Conflicts": "a, old", "Replaces": "b | c, old"}, "greet replaces it"),
    "it replaces and breaks it": ({"Breaks": "old (<< 2)", "Replaces": "old (<< 2)"}, "greet replaces it"),
    "it replaces older versions": ({"Breaks": "old (<< 1)", "Replaces": "old (<< 1)"}, GONE),
    "it replaces another": ({"Conflicts": "older", "Replaces": "older"}, GONE),
    "it replaces one half and conflicts with the other": ({"Conflicts": "old", "Replaces": "older"}, GONE),
    "of another architecture": ({"Conflicts": "old:s390x", "Replaces": "old:s390x"}, GONE),
    "it replaces what it provides": ({"Conflicts": "mailer", "Replaces": "mailer"}, "greet replaces it"),
    "it replaces a version of what it provides": (
        {"Conflicts": "mail-api (<< 4)", "Replaces": "mail-api (<< 4)"}, "greet replaces it",
    ),
    "what it provides has no version": ({"Conflicts": "mailer (<< 4)", "Replaces": "mailer (<< 4)"}, GONE),
}  # fmt: skip


@pytest.mark.parametrize("what", REMOVALS)
def test_upgrade_that_removes_a_package(what: str) -> None:
    fields, told = REMOVALS[what]
    before = {**packages(greet="1"), "old": NodePackage("1", "mailer, mail-api (= 3)")}
    removals = Removals([{"Package": "greet", "Version": "2", **fields}], {}, frozenset(), "bookworm", "amd64")
    if told == GONE:
        with pytest.raises(Failed) as error:
            removals.explained(before, packages(greet="2"), "node0")
        assert str(error.value) == told
    else:
        assert removals.explained(before, packages(greet="2"), "node0") == {"old": told}


def test_upgrade_that_removes_packages_for_known_reasons() -> None:
    before, after = packages(greet="1", old="1", legacy="1", odd="3"), packages(greet="2")
    removals = Removals([], {"legacy": "nobody uses it"}, frozenset({"old"}), "bookworm", "amd64")
    with pytest.raises(Failed, match=r"^the upgrade removes odd 3 from node0, "):
        removals.explained(before, after, "node0")
    assert removals.explained(before, packages(greet="2", odd="3"), "node0") == {
        "legacy": "nobody uses it", "old": "an upgrade of bookworm removes it too",
    }  # fmt: skip
