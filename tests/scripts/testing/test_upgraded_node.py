"""What an upgrade must keep, and must install."""

from __future__ import annotations

import pytest

from lab.base.errors import Failed
from scripts.testing.upgraded_node import CONFFILE, check_conffiles, check_versions

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


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        ({"greet": "2", "libgreet": "2"}, ""),
        ({"greet": "2"}, "libgreet is removed: full-upgrade does not install 2"),
        ({"greet": "1", "libgreet": "2"}, "greet stays at 1: full-upgrade does not install 2"),
    ],
)
def test_upgrade_installs_candidate(installed: dict[str, str], message: str) -> None:
    before, candidate = {"greet": "1", "libgreet": "1"}, {"greet": "2", "libgreet": "2", "greet-doc": "2"}
    if message:
        with pytest.raises(Failed, match=message):
            check_versions(installed, before, candidate)
    else:
        check_versions(installed, before, candidate)
