"""Losses of a build, from the content of its packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from scripts.archives.content_comparison import BuildContent, accepted, empty_packages, losses, new_files, taken
from scripts.archives.package_content import BinaryContent

DOCUMENTS = ("usr/share/doc/greet/changelog.gz", "usr/share/doc/greet/copyright")
PYTHON = "usr/lib/python3/dist-packages"


def package(files: Iterable[str] | Mapping[str, int] = (), name: str = "greet", **more: Any) -> BinaryContent:
    """Return a package with files of 100 bytes, and documentation."""
    sizes = files if isinstance(files, Mapping) else dict.fromkeys(files, 100)
    version = more.pop("version", "1")
    sets = {key: frozenset(value) if isinstance(value, (list, set)) else value for key, value in more.items()}
    return BinaryContent(name, version, {**dict.fromkeys(DOCUMENTS, 100), **sizes}, **sets)


def lost(before: Iterable[BinaryContent], now: Iterable[BinaryContent]) -> list[str]:
    return [str(loss) for loss in losses(BuildContent.of(before), BuildContent.of(now))]


GREET = "usr/bin/greet"
OTHER = package(["usr/share/other/x"], "other")


RULES, UNITS, MAN = "usr/lib/udev/rules.d", "usr/lib/systemd/system/sysinit.target", "usr/share/man/man1"
INCLUDE, LIB = "usr/include/greet", "usr/lib/x86_64-linux-gnu"


def helpers(*paths: str) -> BinaryContent:
    return package(paths, modes=dict.fromkeys(paths, 0o755))


@pytest.mark.parametrize(
    "before, now, expected",
    [
        pytest.param([package([GREET])], [package([GREET])], [], id="the same"),
        pytest.param([package([GREET])], [package([GREET, "usr/bin/new"])], [], id="more"),
        pytest.param([package({GREET: 100, "usr/share/greet/a": 50, "usr/share/greet/b": 0, "usr/share/greet/c": 9})],
                     [package({GREET: 100, "usr/share/greet/a": 0, "usr/share/greet/b": 0, "usr/share/greet/c": 0})],
                     ["files emptied: greet (usr/share/greet/a, usr/share/greet/c)"], id="emptied files"),
        pytest.param([package({GREET: 100, "usr/lib/systemd/system/greet.service": 80})],
                     [package({GREET: 100, "usr/lib/systemd/system/greet.service": 0})],
                     ["files emptied: greet (usr/lib/systemd/system/greet.service)"], id="an emptied service"),
        pytest.param([package([f"{INCLUDE}/a.h", f"{INCLUDE}/b.h"])], [package([f"{INCLUDE}/a.h"])],
                     ["interface gone: usr/include/greet/b.h"], id="a header"),
        pytest.param([package([f"{LIB}/pkgconfig/a.pc", f"{LIB}/pkgconfig/b.pc"])], [package([f"{LIB}/pkgconfig/b.pc"])],
                     [f"interface gone: {LIB}/pkgconfig/a.pc"], id="a file of pkg-config"),
        pytest.param([package(["usr/lib/tmpfiles.d/a.conf", "usr/lib/tmpfiles.d/b.conf"])], [package(["usr/lib/tmpfiles.d/b.conf"])],
                     ["interface gone: usr/lib/tmpfiles.d/a.conf"], id="what systemd reads"),
        pytest.param([package(["usr/share/dbus-1/services/a.service", "usr/share/dbus-1/services/b.service"])],
                     [package(["usr/share/dbus-1/services/b.service"])],
                     ["interface gone: usr/share/dbus-1/services/a.service"], id="a service of D-Bus"),
        pytest.param([package([f"{INCLUDE}/a-1.2.h", f"{INCLUDE}/b.h"])], [package([f"{INCLUDE}/a-1.3.h", f"{INCLUDE}/b.h"])], [],
                     id="a header of another version"),
        pytest.param([package([f"{INCLUDE}/a.h", f"{INCLUDE}/b.h"])], [package([f"{INCLUDE}/a.h"]), package([f"{INCLUDE}/b.h"], "dev")],
                     [], id="a header in another package"),
        pytest.param([package([f"{RULES}/60-a.rules", f"{RULES}/61-a.rules"])], [package([f"{RULES}/61-a.rules"])],
                     [f"interface gone: {RULES}/60-a.rules"], id="a file beside another of its form"),
        pytest.param([package([f"{LIB}/libg.a", f"{LIB}/libg.so"])], [package([f"{LIB}/libg.so"])],
                     [f"interface gone: {LIB}/libg.a"], id="a static library"),
        pytest.param([package([f"{UNITS}.wants/a.service", f"{UNITS}.wants/b.service"])], [package([f"{UNITS}.wants/b.service"])],
                     [f"interface gone: {UNITS}.wants/a.service"], id="the link that starts a service"),
        pytest.param([package([GREET, f"{MAN}/greet.1.gz", f"{MAN}/hail.1.gz"])], [package([GREET, f"{MAN}/hail.1.gz"])],
                     [f"manual page gone: {MAN}/greet.1.gz"], id="the manual page of a program"),
        pytest.param([package([GREET, f"{MAN}/old.1.gz", f"{MAN}/hail.1.gz"])], [package([GREET, f"{MAN}/hail.1.gz"])], [],
                     id="the manual page of no program"),
        pytest.param([package([GREET], directories=dict.fromkeys(["var/lib", "var/lib/greet", "usr/lib/x"], 0o755))], [package([GREET])],
                     ["directory gone: var/lib/greet (empty)"], id="an empty directory for data"),
        pytest.param([package([GREET], directories={"var/lib/greet": 0o755})], [package([GREET, "var/lib/greet/x"])], [],
                     id="an empty directory that is none now"),
        pytest.param([package([f"{LIB}/perl5/5.36/auto/A/A.so", "usr/lib/php/20220829/a.so", f"{LIB}/gems/3.1.0/a-1.13/a.so", f"{LIB}/NM/1.4+git20260101.5.0abcdef/a.so"])],
                     [package([f"{LIB}/perl5/5.40/auto/A/A.so", "usr/lib/php/20240924/a.so", f"{LIB}/gems/3.3.0/a-1.18.2/a.so", f"{LIB}/NM/1.4+git20260102.6.1abcdef/a.so"])], [],
                     id="plug-ins for another version"),
        pytest.param([package([f"{LIB}/p/1.0/a.so", f"{LIB}/p/2.0/a.so", GREET])], [package([f"{LIB}/p/2.0/a.so", GREET])],
                     [f"directory gone: {LIB}/p/1.0 (1 file)"], id="a plug-in for one of two versions"),
        pytest.param([package([f"{LIB}/libg-9-1+git20260101.5.0abcdef-1.so"], shlibs=["libg-9 1+git20260101.5.0abcdef-1"],
                              version="1:1+git20260101.5.0abcdef-1")],
                     [package([f"{LIB}/libg-9-1+git20260102.6.1abcdef-1.so"], shlibs=["libg-9 1+git20260102.6.1abcdef-1"])], [],
                     id="a library with the version of the package"),
        pytest.param([package([GREET, "usr/share/maven-repo/g/1.0/g-1.0.pom"])], [package([GREET, "usr/share/maven-repo/g/1.1/g-1.1.pom"])],
                     [], id="a version in names of directory and file"),
        pytest.param([package([GREET, f"{PYTHON}/Gr_eet-1.0.egg-info/PKG-INFO"])], [package([GREET, f"{PYTHON}/gr.eet-1.1.dist-info/METADATA"])],
                     [], id="metadata of another form"),
        pytest.param([package([GREET], scripts={"prerm": 0})], [package([GREET])], [], id="a maintainer script that did nothing"),
        pytest.param([helpers("usr/libexec/greet/a", "usr/libexec/greet/b")], [helpers("usr/libexec/greet/a")],
                     ["helper gone: usr/libexec/greet/b"], id="a helper"),
        pytest.param([helpers("usr/share/greet/a", "usr/share/greet/b")], [helpers("usr/share/greet/b")],
                     ["helper gone: usr/share/greet/a"], id="a script of data"),
        pytest.param([helpers("usr/lib/greet-1/a", "usr/lib/greet-1/b")], [helpers("usr/lib/greet-2/a", "usr/lib/greet-2/b")], [],
                     id="helpers of another version"),
        pytest.param([helpers("usr/share/doc/greet/x/a", "usr/share/doc/greet/x/b")], [helpers("usr/share/doc/greet/x/a")], [],
                     id="an example"),
        pytest.param([package(["usr/share/greet/a", "usr/share/greet/b"])], [package(["usr/share/greet/a"])], [],
                     id="a file that nobody finds by its name"),
        pytest.param([package([GREET]), OTHER], [package([GREET])], ["package gone: other (3 files)"], id="a package"),
        pytest.param([package([GREET])], [package()], ["empty package: greet (2 files, all documentation or metadata)"],
                     id="empty"),
        pytest.param([package(name="meta")], [package(name="meta")], [], id="empty before as well"),
        pytest.param([package([GREET, "usr/share/greet/a/1", "usr/share/greet/a/2", "usr/share/b/1", "usr/share/b/2"])],
                     [package([GREET, "usr/share/b/1", "usr/share/b/2"])], ["directory gone: usr/share/greet/a (2 files)"],
                     id="a directory"),
        pytest.param([package([GREET, "usr/share/man/man1/greet.1.gz", "usr/share/man/de/man1/greet.1.gz"])],
                     [package([GREET])], ["directory gone: usr/share/man (2 files)"], id="the topmost directory"),
        pytest.param([package([GREET, "usr/share/greet/data"]), package(["usr/share/greet"], "greet-lua")],
                     [package([GREET, "usr/share/greet/data"]), package(["usr/share/greet"], "greet-lua")],
                     [], id="a directory that is a link in an alternative"),
        pytest.param([package([GREET, "usr/share/greet/data"])], [package([GREET, "usr/share/greet"])],
                     ["directory gone: usr/share/greet (1 file)"], id="a directory that is a link now"),
        pytest.param([package([GREET, f"{PYTHON}/greet-1.0.egg-info/PKG-INFO", f"{PYTHON}/greet/a.py"])],
                     [package([GREET, f"{PYTHON}/greet-1.1.dev2.egg-info/PKG-INFO", f"{PYTHON}/greet/a.py"])], [],
                     id="renamed for a version"),
        pytest.param([package([GREET, "usr/lib/x/greet-1/a", "usr/lib/x/greet-1/sub/b"])],
                     [package([GREET, "usr/lib/x/greet-2/a", "usr/lib/x/greet-2/sub/b"])], [], id="renamed as a whole"),
        pytest.param([package([GREET, f"{PYTHON}/greet/a.py"])],
                     [package([GREET, "usr/lib/python3.11/site-packages/greet/a.py"])],
                     ["directory gone: usr/lib/python3/dist-packages/greet (1 file)"], id="installed in the wrong place"),
        pytest.param([package([GREET, "usr/share/greet/a/1"]), OTHER],
                     [package([GREET]), package(["usr/share/other/x", "usr/share/greet/a/1"], "other")], [],
                     id="moved to another package"),
        pytest.param([package([GREET, "usr/bin/hail", "usr/sbin/greetd"])], [package([GREET])],
                     ["program gone: usr/bin/hail", "program gone: usr/sbin/greetd"], id="programs"),
        pytest.param([package([GREET, "usr/lib/systemd/system/greet.service", "etc/init.d/greet"],
                              conffiles=["etc/init.d/greet"])], [package([GREET])],
                     ["service gone: etc/init.d/greet", "service gone: usr/lib/systemd/system/greet.service"],
                     id="services"),
        pytest.param([package([GREET, "etc/greet.conf"], conffiles=["etc/greet.conf"])], [package([GREET])],
                     ["conffile gone: etc/greet.conf"], id="a conffile"),
        pytest.param([package([GREET, "etc/greet.conf"], conffiles=["etc/greet.conf"])], [package([GREET, "etc/greet.conf"])],
                     ["conffile no more: etc/greet.conf"], id="the mark of a conffile"),
        pytest.param([package([GREET, "usr/lib/greet/a.so", "usr/lib/greet/b.so"])],
                     [package([GREET, "usr/lib/greet/b.so"])], ["library gone: usr/lib/greet/a.so"], id="a plug-in"),
        pytest.param([package([GREET, "usr/lib/greet/a.so"])], [package([GREET])],
                     ["directory gone: usr/lib/greet (1 file)"], id="all plug-ins, named once"),
        pytest.param([package(["usr/lib/x/libg.so.1", "usr/lib/x/libg.so.1.0.1"])],
                     [package(["usr/lib/x/libg.so.1", "usr/lib/x/libg.so.1.0.2"])], [], id="a library's patch level"),
        pytest.param([package(["usr/lib/x/_g.cpython-311-x86_64-linux-gnu.so", "usr/lib/x/y"])],
                     [package(["usr/lib/x/_g.cpython-312-x86_64-linux-gnu.so", "usr/lib/x/y"])], [],
                     id="another version of Python"),
        pytest.param([package([GREET], scripts={"postinst": 1, "prerm": 1})], [package([GREET], scripts={"prerm": 1})],
                     ["maintainer script gone: greet postinst"], id="a maintainer script"),
        pytest.param([package([GREET], provides=["hello", "mail-agent"])], [package([GREET], provides=["hello"])],
                     ["Provides gone: mail-agent"], id="Provides"),
        pytest.param([package([GREET], provides=["librust-itoa-1.0.9-dev"])],
                     [package([GREET], provides=["librust-itoa-1.0.10-dev"])], [], id="Provides with a version"),
        pytest.param([package([GREET], provides=["libghc-fgl-dev-5.7.0.3-80ad3"])],
                     [package([GREET], provides=["libghc-fgl-dev-5.8.1.1-9fe2c"])], [], id="Provides of Haskell"),
        pytest.param([package([GREET], provides=["other"])], [package([GREET]), OTHER], [], id="Provides made real"),
        pytest.param([package([GREET], symbols=[f"libg.so.1 f{number}@Base" for number in range(5)])],
                     [package([GREET], symbols=["libg.so.1 f4@Base"])],
                     ["symbols gone: libg.so.1 (f0@Base, f1@Base, f2@Base and 1 more)"], id="symbols"),
        pytest.param([package([GREET], shlibs=["libg 1"])], [package([GREET], shlibs=["libg 2"])],
                     ["shlibs gone: libg 1"], id="shlibs"),
        pytest.param([package({GREET: 9000})], [package({GREET: 4500})],
                     ["size halved: greet (9000 bytes before, 4500 now)"], id="half the size"),
        pytest.param([package({GREET: 9000})], [package({GREET: 4900})], [], id="more than half the size"),
        pytest.param([package({GREET: 1000})], [package({GREET: 1})], [], id="too small to tell"),
        pytest.param([package([f"usr/share/g/{number}" for number in range(6)])], [package(["usr/share/g/1"])],
                     ["files halved: greet (6 files before, 1 now)"], id="half the files"),
        pytest.param([package({GREET: 9000, "usr/share/g/big": 90000})],
                     [package({GREET: 9000}), package({"usr/share/g/big": 90000}, "greet-data")], [],
                     id="split into two packages"),
    ],
)  # fmt: skip
def test_losses_between_builds(before: list[BinaryContent], now: list[BinaryContent], expected: list[str]) -> None:
    assert lost(before, now) == expected


@pytest.mark.parametrize(
    "found, names",
    [
        (package(), ["greet"]),
        (package([f"{PYTHON}/greet-1.0.egg-info/PKG-INFO", "usr/share/lintian/overrides/greet"]), ["greet"]),
        (package(fileless=True), []),
        (package([GREET]), []),
        (package(["usr/share/doc/greet/html/index.html"]), ["greet"]),
        (package(["usr/share/doc/greet/html/index.html"], "greet-doc"), []),
        (package(name="greet-doc"), ["greet-doc"]),
    ],
)
def test_empty_packages_of_first_build(found: BinaryContent, names: list[str]) -> None:
    assert [loss.name for loss in empty_packages(BuildContent.of([found]))] == names


@pytest.mark.parametrize(
    "patterns, left",
    [
        ([], 2),
        (["package gone: other"], 1),
        (["program gone: *", "package gone: o?her"], 0),
        (["package gone"], 2),
        (["*"], 0),
    ],
)
def test_accepted_losses_match_patterns(patterns: list[str], left: int) -> None:
    found = losses(BuildContent.of([package([GREET, "usr/bin/hail"]), OTHER]), BuildContent.of([package([GREET])]))
    assert len(found) - len(accepted(found, patterns)) == left


def test_new_files_are_those_outside_of_ones_own_documentation() -> None:
    before = BuildContent.of([package([GREET])])
    now = BuildContent.of([package([GREET, "usr/bin/new", "usr/share/doc/greet/NEWS.gz", "usr/share/doc/other/x"])])
    assert new_files(before, now) == {"usr/bin/new", "usr/share/doc/other/x"}
    assert new_files(None, now) == {GREET, "usr/bin/new", "usr/share/doc/other/x"}
    assert new_files(now, before) == set()


@pytest.mark.parametrize(
    "now, expected",
    [
        ([package([GREET])], []),
        ([package([GREET, "usr/bin/ls", "usr/bin/cat"])], ["files of another package: coreutils (usr/bin/cat, usr/bin/ls)"]),
        ([package(["usr/bin/ls", "usr/bin/vi"])],
         ["files of another package: coreutils (usr/bin/ls)", "files of another package: nvi (usr/bin/vi)",
          "files of another package: vim (usr/bin/vi)"]),
        ([package(["usr/bin/vi"], replaces=["nvi"])], ["files of another package: vim (usr/bin/vi)"]),
        ([package(["usr/bin/vi"]), package(["usr/bin/x"], "nvi", replaces=["vim"])],
         ["files of another package: vim (usr/bin/vi)"]),
        ([package(["usr/bin/vi"]), package(["usr/bin/x"], "nvi"), package(["usr/bin/y"], "vim")], []),
    ],
    ids=["none", "some", "of two", "one may be replaced", "another package may replace it", "its own sources"],
)  # fmt: skip
def test_files_of_another_package(now: list[BinaryContent], expected: list[str]) -> None:
    owners = {"usr/bin/ls": {"coreutils"}, "usr/bin/cat": {"coreutils"}, "usr/bin/vi": {"vim", "nvi"}}
    built = BuildContent.of(now)
    assert [
        str(loss) for loss in taken(built, {path: owners[path] for path in owners if path in built.files})
    ] == expected
