"""Real binary packages, read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.base.run import run
from scripts.archives.package_content import read_package, read_packages

CONTROL = """\
Package: libgreet1
Version: 1.0-1
Architecture: all
Maintainer: Test Lab <lab@lab.example>
Provides: greet-api (= 1), libgreet
Pre-Depends: dpkg (>= 1.17)
Depends: libc6 (>= 2.3), perl:any | perl6
Multi-Arch: foreign
Essential: no
Description: program of a test
"""
TREE = {
    "DEBIAN/control": CONTROL,
    "DEBIAN/postinst": '#!/bin/sh\nset -e\ncase "$1" in\n  configure|triggered)\n    if true; then\n      ldconfig\n'
    "    fi;;\nesac\n# Automatically added by dh_test\nif [ -e x ]; then rm x; fi\nexit 0\n",
    "DEBIAN/config": "#!/bin/sh\n# ucf\nupdate-alternatives --install /usr/bin/x x /usr/bin/y 1 || ucf x\n",
    "DEBIAN/templates": "Template: greet/name\nType: string\nDescription: x\n\nTemplate: greet/place\nType: string\n",
    "DEBIAN/prerm": '#!/bin/sh\nset -e\ndpkg-maintscript-helper rm_conffile /etc/greet.old 0.9 -- "$@"\n',
    "DEBIAN/triggers": "# of a test\nactivate-noawait ldconfig\ninterest /usr/share/greet\n",
    "DEBIAN/conffiles": "/etc/greet.conf\n",
    "DEBIAN/shlibs": "libgreet 1 libgreet1\nudeb: libgreet 1 libgreet1-udeb\n",
    "DEBIAN/symbols": "libgreet.so.1 libgreet1 #MINVER#\n| libgreet1 (= 1)\n* Build-Depends-Package: libgreet-dev\n"
    " greet@Base 1.0\n (optional)hail@Base 1.0\n",
    "etc/greet.conf": "x\n",
    "lib/systemd/system/greet.service": "[Unit]\n",
    "usr/share/greet/ä name": "12345",
}


def deb(directory: Path, tree: dict[str, str], *options: str) -> Path:
    for name, content in tree.items():
        path = directory / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if content.startswith("#!") else 0o644)
    path = directory / "libgreet1_1.0-1_all.deb"
    run(["dpkg-deb", *options, "--root-owner-group", "--build", directory / "tree", path])
    return path


@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
def test_package_content_has_all_compared_parts(tmp_path: Path, compression: str) -> None:
    content = read_package(deb(tmp_path, TREE, f"-Z{compression}"))
    assert (content.name, content.version, content.fileless, content.is_empty) == ("libgreet1", "1.0-1", False, False)
    assert content.files == {
        "etc/greet.conf": 2, "usr/lib/systemd/system/greet.service": 7, "usr/share/greet/ä name": 5}  # fmt: skip
    assert content.provides == {"greet-api", "libgreet"}
    assert content.scripts == {"config": 1, "postinst": 2, "prerm": 0}
    assert content.tools == {
        "config": {"update-alternatives", "update-alternatives /usr/bin/x", "ucf"},
        "postinst": set(),
        "prerm": set(),
    }
    assert content.versioned == {"greet-api"}
    assert content.needs == {"dpkg", "libc6", "perl | perl6"}
    assert content.promises == {"Multi-Arch: foreign"}
    assert content.questions == {"greet/name", "greet/place"}
    assert set(content.owners.values()) == {"root:root"}
    assert content.triggers == {"activate ldconfig", "interest /usr/share/greet"}
    assert content.conffiles == {"etc/greet.conf"}
    assert set(content.modes.values()) == {0o644}
    assert content.symbols == {"libgreet.so.1 greet@Base", "libgreet.so.1 (optional)hail@Base"}
    assert content.shlibs == {"libgreet 1"}


def test_package_content_has_modes_and_targets(tmp_path: Path) -> None:
    program = tmp_path / "tree/usr/bin/greet"
    program.parent.mkdir(parents=True)
    program.write_text("x")
    program.chmod(0o4755)
    for link, target in {
        "lib/absolute": "/bin/greet",
        "usr/share/relative": "../bin/greet",
        "usr/up": "../../../x",
    }.items():
        path = tmp_path / "tree" / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    content = read_package(deb(tmp_path, {"DEBIAN/control": CONTROL}))
    assert content.modes == {"usr/bin/greet": 0o4755}
    assert content.links == {
        "usr/lib/absolute": "usr/bin/greet", "usr/share/relative": "usr/bin/greet", "usr/up": "x"}  # fmt: skip


def test_package_content_has_directories_and_interpreters(tmp_path: Path) -> None:
    (tmp_path / "tree/var/lib/greet").mkdir(parents=True)
    (tmp_path / "tree/var/lib/greet").chmod(0o1750)
    scripts = {
        "sh": "#!/bin/sh -e\n",
        "env": "#! /usr/bin/env  python3\n",
        "none": "#!\n",
        "built": "#!/build/bin/perl -w",
    }
    found = read_package(
        deb(tmp_path, {"DEBIAN/control": CONTROL, **{f"bin/{name}": text for name, text in scripts.items()}})
    )
    assert found.interpreters == {
        "usr/bin/sh": "usr/bin/sh", "usr/bin/env": "usr/bin/env python3", "usr/bin/built": "build/bin/perl"}  # fmt: skip
    assert (found.directories["var/lib/greet"], found.owners["var/lib/greet"]) == (0o1750, "root:root")


@pytest.mark.parametrize(
    "script, calls",
    [
        ("update-alternatives \\\n  --install /usr/bin/g g /usr/bin/greet 10\n", {"update-alternatives", "update-alternatives /usr/bin/g"}),
        ("for each in a b; do\n update-alternatives --install $each\ndone\n", {"update-alternatives"}),
        ("if deb-systemd-helper --quiet was-enabled 'a.service'; then\n  deb-systemd-helper enable 'a.service' >/dev/null\nfi\n",
         {"deb-systemd-helper", "deb-systemd-helper a.service"}),
    ],
)  # fmt: skip
def test_calls_name_what_they_are_about(tmp_path: Path, script: str, calls: set[str]) -> None:
    tree = {"DEBIAN/control": CONTROL, "DEBIAN/postinst": f"#!/bin/sh\n{script}"}
    assert read_package(deb(tmp_path, tree)).tools == {"postinst": calls}


def test_hard_link_has_size_of_its_file(tmp_path: Path) -> None:
    first = tmp_path / "tree/usr/bin/greet"
    first.parent.mkdir(parents=True)
    first.write_text("12345")
    first.with_name("hail").hardlink_to(first)
    assert read_package(deb(tmp_path, {"DEBIAN/control": CONTROL})).files == {"usr/bin/greet": 5, "usr/bin/hail": 5}


@pytest.mark.parametrize(
    "architecture, machine, name",
    [
        ("arm64", "amd64", "libgreet1:arm64"),
        ("arm64", "arm64", "libgreet1"),
        ("all", "amd64", "libgreet1"),
        ("arm64", "", "libgreet1"),
    ],
)
def test_foreign_package_has_qualified_name(tmp_path: Path, architecture: str, machine: str, name: str) -> None:
    control = CONTROL.replace("Architecture: all", f"Architecture: {architecture}")
    assert read_package(deb(tmp_path, {"DEBIAN/control": control}), machine).name == name


@pytest.mark.parametrize(
    "field, fileless",
    [
        ("Description: metapackage for greet", True),
        ("Description: greet\n This is a transitional package.", True),
        ("Section: oldlibs\nDescription: greet", True),
        ("Section: universe/metapackages\nDescription: greet", True),
        ("Description: a dummyish greeter", False),
    ],
)
def test_package_content_recognizes_fileless_package(tmp_path: Path, field: str, *, fileless: bool) -> None:
    control = CONTROL.replace("Description: program of a test", field)
    assert read_package(deb(tmp_path, {"DEBIAN/control": control})).fileless is fileless


@pytest.mark.parametrize("damage", ["", "!<arch>\n", "not a package"])
def test_read_package_refuses_other_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x_1_all.deb"
    path.write_text(damage)
    with pytest.raises(InfrastructureError, match="not a binary package"):
        read_package(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_read_package_refuses_truncated_package(tmp_path: Path, share: float) -> None:
    path = deb(tmp_path, TREE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InfrastructureError):
        read_package(path)


def test_read_packages_omits_debug_symbols(tmp_path: Path) -> None:
    path = deb(tmp_path, TREE)
    debug = path.rename(path.with_name("libgreet1-dbgsym_1.0-1_all.deb"))
    assert read_packages([debug]) == []
