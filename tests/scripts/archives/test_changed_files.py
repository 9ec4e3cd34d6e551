"""Losses inside of files that are still there."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scripts.archives.changed_files import Link, changed_files, doubtful_links
from scripts.archives.content_comparison import BuildContent
from scripts.archives.package_content import BinaryContent
from tests.scripts.archives.test_content_comparison import GREET, package

SHARE, LIB = "usr/share/greet/words", "usr/lib/x86_64-linux-gnu"


def modes(**paths: int) -> BinaryContent:
    """Return a package; the paths have ``_`` for ``/``."""
    found = {path.replace("_", "/"): mode for path, mode in paths.items()}
    return package([*found], modes=found)


def linked(links: dict[str, str], *files: str, name: str = "greet") -> BinaryContent:
    return package([*links, *files], name, links=links, modes=dict.fromkeys(files, 0o644))


def scripted(**scripts: int) -> BinaryContent:
    return package([GREET], scripts=scripts)


def owned(**paths: str) -> BinaryContent:
    found = {path.replace("_", "/"): owner for path, owner in paths.items()}
    return package([*found], owners=found)


def running(interpreter: str) -> BinaryContent:
    return package([GREET], interpreters={GREET: interpreter})


def sized(size: int, path: str = GREET) -> BinaryContent:
    return package({path: size}, modes={path: 0o755})


def calling(**scripts: set[str]) -> BinaryContent:
    tools = {name: frozenset(found) for name, found in scripts.items()}
    return package([GREET], scripts=dict.fromkeys(scripts, 3), tools=tools)


@pytest.mark.parametrize(
    "before, now, expected",
    [
        pytest.param([modes(usr_bin_greet=0o755)], [modes(usr_bin_greet=0o755)], [], id="the same"),
        pytest.param([modes(usr_bin_greet=0o755, usr_bin_hail=0o755)], [modes(usr_bin_greet=0o644, usr_bin_hail=0o644)],
                     ["executable no more: greet (usr/bin/greet, usr/bin/hail)"], id="programs"),
        pytest.param([modes(usr_libexec_greet=0o755)], [modes(usr_libexec_greet=0o644)],
                     ["executable no more: greet (usr/libexec/greet)"], id="a helper"),
        pytest.param([modes(usr_share_greet_run=0o755)], [modes(usr_share_greet_run=0o644)],
                     ["executable no more: greet (usr/share/greet/run)"], id="a script of data"),
        pytest.param([modes(usr_lib_greet_x=0o755)], [modes(usr_lib_greet_x=0o700)],
                     ["permissions changed: greet (usr/lib/greet/x from 0755 to 0700)"], id="for fewer users"),
        pytest.param([modes(usr_bin_greet=0o755)], [modes(usr_bin_greet=0o4755)],
                     ["permissions changed: greet (usr/bin/greet from 0755 to 4755)"], id="setuid now"),
        pytest.param([modes(etc_sudoers=0o440)], [modes(etc_sudoers=0o644)],
                     ["permissions changed: greet (etc/sudoers from 0440 to 0644)"], id="a secret"),
        pytest.param([modes(usr_share_x=0o644)], [modes(usr_share_x=0o755)], [], id="executable now"),
        pytest.param([package([GREET], directories={"var/lib/greet": 0o1777})], [package([GREET], directories={"var/lib/greet": 0o755})],
                     ["permissions changed: greet (var/lib/greet from 1777 to 0755)"], id="a directory"),
        pytest.param([package([GREET], modes={GREET: 0o755}), package([GREET], "other", modes={GREET: 0o4755})],
                     [package([GREET], modes={GREET: 0o755}), package([GREET], "other", modes={GREET: 0o4755})], [],
                     id="one path in two packages"),
        pytest.param([running("usr/bin/python3")], [running("build/venv/bin/python3")],
                     ["interpreter changed: greet (usr/bin/greet from usr/bin/python3 to build/venv/bin/python3)"], id="of the build"),
        pytest.param([running("usr/bin/python3")], [running("usr/bin/env python")],
                     ["interpreter changed: greet (usr/bin/greet from usr/bin/python3 to usr/bin/env python)"], id="of the path"),
        pytest.param([running("usr/bin/env perl")], [running("usr/bin/perl")], [], id="of the path before"),
        pytest.param([running("usr/bin/bash")], [running("usr/bin/sh")], [], id="another of the system"),
        pytest.param([package([f"{LIB}/libg.so.1"], modes={f"{LIB}/libg.so.1": 0o755})],
                     [package([f"{LIB}/libg.so.1"], modes={f"{LIB}/libg.so.1": 0o644})], [], id="a library"),
        pytest.param([modes(usr_share_doc_x=0o755, usr_share_icons_y=0o755, usr_include_z=0o755)],
                     [modes(usr_share_doc_x=0o644, usr_share_icons_y=0o644, usr_include_z=0o644)], [], id="data"),
        pytest.param([modes(usr_bin_su=0o4755)], [modes(usr_bin_su=0o755)],
                     ["setuid or setgid gone: greet (usr/bin/su)"], id="setuid"),
        pytest.param([modes(usr_games_greet=0o2755)], [modes(usr_games_greet=0o755)],
                     ["setuid or setgid gone: greet (usr/games/greet)"], id="setgid"),
        pytest.param([modes(usr_bin_greet=0o755)], [package([GREET], "other", modes={GREET: 0o644}), package()],
                     ["executable no more: greet (usr/bin/greet)"], id="in another package"),
        pytest.param([owned(usr_bin_greet="root:games")], [owned(usr_bin_greet="root:root")],
                     ["owner changed: greet (usr/bin/greet to root:root)"], id="a group"),
        pytest.param([owned(usr_bin_greet="root:root")], [owned(usr_bin_greet="1000:1000")],
                     ["owner changed: greet (usr/bin/greet to 1000:1000)"], id="the user who builds"),
        pytest.param([owned(usr_bin_greet="root:root")], [package()], [], id="the owner of a file that is gone"),
        pytest.param([sized(40_960)], [sized(4096)], ["files shrunk: greet (usr/bin/greet)"], id="a stub"),
        pytest.param([sized(40_960)], [sized(4097)], [], id="more than a tenth"),
        pytest.param([sized(4095)], [sized(1)], [], id="a small file"),
        pytest.param([sized(40_960)], [sized(0)], [], id="an empty file, which has a line of its own"),
        pytest.param([sized(40_960, "usr/share/doc/greet/NEWS.gz")], [sized(9, "usr/share/doc/greet/NEWS.gz")], [], id="a document"),
        pytest.param([sized(40_960)], [linked({GREET: SHARE}, SHARE)], [], id="a link now"),
        pytest.param([calling(postinst={"ucf", "adduser"})], [calling(postinst={"ucf"})],
                     ["call gone: greet postinst (adduser)"], id="a call"),
        pytest.param([calling(postinst={"ucf"})], [calling(postinst={"ucf", "adduser"})], [], id="one call more"),
        pytest.param([calling(postinst={"ucf"})], [calling()], [], id="the script is gone, which has a line of its own"),
        pytest.param([scripted(postinst=9)], [package([GREET], scripts={"postinst": 2}, tools={"postinst": frozenset[str]()})],
                     ["maintainer script halved: greet postinst (9 commands before, 2 now)"], id="half of the calls"),
        pytest.param([linked({GREET: SHARE}, SHARE)], [linked({GREET: SHARE})],
                     [f"link target gone: {GREET} ({SHARE})"], id="the target of a link"),
        pytest.param([linked({GREET: "usr/share/greet"}, SHARE)], [linked({GREET: "usr/share/greet"})],
                     [f"link target gone: {GREET} (usr/share/greet)"], id="a directory that is a target"),
        pytest.param([package([GREET], modes={GREET: 0o755}), linked({}, SHARE, name="data")],
                     [linked({GREET: SHARE}), package(name="data")], [f"link target gone: {GREET} ({SHARE})"],
                     id="the target of a new link"),
        pytest.param([linked({f"{LIB}/libg.so": f"{LIB}/libg.so.1"}, f"{LIB}/libg.so.1")],
                     [linked({f"{LIB}/libg.so": f"{LIB}/libg.so.2"}, f"{LIB}/libg.so.2")], [], id="another target"),
        pytest.param([linked({GREET: SHARE}, SHARE)], [linked({GREET: SHARE}), linked({}, SHARE, name="data")], [],
                     id="a target that moved"),
        pytest.param([linked({GREET: "usr/bin/python3"})], [linked({GREET: "usr/bin/python3"})], [],
                     id="a target of another source"),
        pytest.param([scripted(postinst=3)], [scripted(postinst=0)],
                     ["maintainer script emptied: greet postinst (3 commands before)"], id="an emptied script"),
        pytest.param([scripted(preinst=8, prerm=7)], [scripted(preinst=4, prerm=3)],
                     ["maintainer script halved: greet preinst (8 commands before, 4 now)"], id="a halved script"),
        pytest.param([scripted(postinst=0)], [scripted(postinst=0)], [], id="an empty script as before"),
        pytest.param([scripted(postinst=9)], [scripted()], [], id="a script that is gone, told by another rule"),
        pytest.param([package([GREET], triggers={"activate ldconfig", "interest /usr/share/x"})],
                     [package([GREET], triggers={"interest /usr/share/x"})],
                     ["triggers gone: greet (activate ldconfig)"], id="triggers"),
    ],
)  # fmt: skip
def test_changed_files_are_named(
    before: Iterable[BinaryContent], now: Iterable[BinaryContent], expected: list[str]
) -> None:
    assert [str(loss) for loss in changed_files(BuildContent.of(before), BuildContent.of(now))] == expected


@pytest.mark.parametrize(
    "links, files, doubtful_ones",
    [
        ({GREET: "usr/bin/theirs"}, (), [GREET]),
        ({GREET: SHARE}, (SHARE,), []),
        ({GREET: "usr/share/greet"}, (SHARE,), []),
        ({GREET: "etc/alternatives/greet"}, (), []),
        ({GREET: "run/greet"}, (), []),
        ({"usr/bin/new": "usr/bin/theirs"}, (), []),
    ],
)
def test_file_that_becomes_a_link_is_doubtful_without_target(
    links: dict[str, str], files: tuple[str, ...], doubtful_ones: list[str]
) -> None:
    before = BuildContent.of([package([GREET], modes={GREET: 0o755})])
    found = doubtful_links(before, BuildContent.of([linked(links, *files)]))
    assert found == [Link(path, links[path]) for path in doubtful_ones]


@pytest.mark.parametrize(
    "target, doubtful_ones",
    [(f"{LIB}/libg.so.1", []), ("build/libg.so.1", [f"{LIB}/libg.so"]), (f"{LIB}/libg.so.2", [f"{LIB}/libg.so"])],
)
def test_link_that_had_a_target_is_doubtful_without(target: str, doubtful_ones: list[str]) -> None:
    library, link = f"{LIB}/libg.so.1", f"{LIB}/libg.so"
    before, now = (BuildContent.of([linked({link: each}, library)]) for each in (library, target))
    assert [found.path for found in doubtful_links(before, now)] == doubtful_ones
