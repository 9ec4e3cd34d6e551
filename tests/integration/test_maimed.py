"""Packages that build but have lost content: the gate keeps them out of the archive and names each loss.

All are built by debhelper, without a chroot.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from lab.base.run import run
from lab.config.description import Series
from lab.store.records import Record
from lab.store.runs import Store
from scripts import archive, content
from tests.conftest import Bench
from tests.packages import ENVIRONMENT, pretend_packages
from tests.samples import sampled
from tests.scripts.test_archive import listed

pytestmark = pytest.mark.integration

MAKEFILE = """\
all: libgreet.so.1 plugin.so greet
libgreet.so.1: greet.c
	$(CC) $(CFLAGS) -shared -fPIC -Wl,-soname,libgreet.so.1 -o $@ $<
plugin.so: plugin.c
	$(CC) $(CFLAGS) -shared -fPIC -o $@ $<
greet: main.c libgreet.so.1
	$(CC) $(CFLAGS) -o $@ main.c ./libgreet.so.1
install:
	install -D -t $(DESTDIR)/usr/bin greet
	install -D -m 644 -t $(DESTDIR)/usr/lib libgreet.so.1
	install -D -m 644 -t $(DESTDIR)/usr/lib/greet/plugins plugin.so
	install -D -m 644 -t $(DESTDIR)/usr/share/man/man1 greet.1
	install -D -m 644 -t $(DESTDIR)/usr/share/greet words data/*
	[ ! -e second ] || install -D -m 644 -t $(DESTDIR)/usr/share/greet/second second/*
	install -D -m 644 -t $(DESTDIR)/etc/greet greet.conf
	install -D -m 644 -t $(DESTDIR)/usr/include/greet greet.h hail.h
	install -D -m 755 -t $(DESTDIR)/usr/libexec/greet say shout
	install -D -m 644 -t $(DESTDIR)/usr/share/doc/greet/html index.html
	/usr/bin/python3 setup.py -q install --root=$(DESTDIR) --install-lib=/usr/lib/python3/dist-packages --no-compile
clean:
	rm -rf *.so* greet build *.egg-info
"""
SETUP = """\
from setuptools import find_packages, setup
setup(name="greet", version="1.0", packages=find_packages("."))
"""
PACKAGE = """
Package: {name}
Architecture: any
Depends: ${{misc:Depends}}{more}
Description: {name} of a test
 It says what it is told.
"""
CONTROL = "".join((
    "Source: greet\nSection: misc\nPriority: optional\nMaintainer: Test Lab <lab@lab.example>\n",
    "Build-Depends: debhelper-compat (= 13)\n",
    PACKAGE.format(name="greet", more=", libgreet1\nProvides: greeter"),
    PACKAGE.format(name="libgreet1", more="\nMulti-Arch: same"),
    PACKAGE.format(name="greet-doc", more=""),
    PACKAGE.format(name="python3-greet", more=""),
))  # fmt: skip
RULES = """\
#!/usr/bin/make -f
%:
	dh $@ --buildsystem=makefile
override_dh_strip override_dh_dwz:
"""
CHANGELOG = "greet ({version}) bookworm; urgency=medium\n\n  * Test.\n\n -- T <t@t.example>  {date}\n"
DATE = "Thu, 01 Jan 2026 00:00:00 +0000"
TREE: Mapping[str, str] = {
    "Makefile": MAKEFILE,
    "greet.c": "int greet(void) { return 1; }\nint hail(void) { return 2; }\n",
    "plugin.c": "int plugin(void) { return 3; }\n",
    "main.c": "int greet(void);\nint main(void) { return greet(); }\n",
    "greet.1": ".TH greet 1\n.SH NAME\ngreet \\- greet the world\n",
    "words": "hello\n" * 20000,
    "data/a": "a\n",
    "second/a": "of the second orig tarball\n",
    "greet.conf": "x = 1\n",
    "greet.h": "int greet(void);\n",
    "hail.h": "int hail(void);\n",
    "say": "#!/bin/sh\necho hello\n",
    "shout": "#!/bin/sh\necho HELLO\n",
    "index.html": "<html>\n",
    "setup.py": SETUP,
    "pygreet/__init__.py": "",
    "pygreet/words.py": "WORD = 1\n",
    "debian/control": CONTROL,
    "debian/rules": RULES,
    "debian/source/format": "3.0 (native)\n",
    "debian/copyright": "Free.\n",
    "debian/greet.install": "usr/bin\nusr/lib/greet\nusr/share/man\nusr/share/greet\nusr/libexec\netc\n",
    "debian/greet.postinst": "#!/bin/sh\nset -e\n#DEBHELPER#\nif true; then adduser --system greet; fi\necho set up\n",
    "debian/greet.dirs": "var/lib/greet\n",
    "debian/greet.service": "[Service]\nExecStart=/usr/bin/greet\n[Install]\nWantedBy=multi-user.target\n",
    "debian/libgreet1.install": "usr/lib/libgreet.so.1\nusr/include\n",
    "debian/libgreet1.symbols": "libgreet.so.1 libgreet1 #MINVER#\n greet@Base 1.0\n hail@Base 1.0\n",
    "debian/greet-doc.install": "usr/share/doc/greet/html usr/share/doc/greet-doc\n",
    "debian/python3-greet.install": "usr/lib/python3/dist-packages\n",
}  # fmt: skip


def changed(**edits: tuple[str, str] | None) -> dict[str, str]:
    """Return the tree with one text of each named file replaced; None: without the file."""
    tree = dict(TREE)
    for name, edit in edits.items():
        if edit is None:
            del tree[name]
        else:
            assert edit[0] in tree[name]
            tree[name] = tree[name].replace(*edit)
    return tree


def edited(name: str, old: str, new: str = "") -> dict[str, str]:
    return changed(**{name: (old, new)})


def without_make() -> dict[str, str]:
    """Remove the build files, as in a dist-zilla or autotools repository; the packaging has no .install files."""
    names = {"Makefile", "setup.py", *(name for name in TREE if name.endswith(".install"))}
    tree = {name: text for name, text in TREE.items() if name not in names}
    return tree | {"dist.ini": "name = Greet\n", "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n"}


def without_documents(package: str = "") -> dict[str, str]:
    """Remove the documentation; the packaging excludes it from dh_missing."""
    html = "\tinstall -D -m 644 -t $(DESTDIR)/usr/share/doc/greet/html index.html\n"
    return changed(**{
        "Makefile": (html, ""), "debian/greet-doc.install": None, "debian/control": (package, "")})  # fmt: skip


def build(home: Path, version: str, tree: Mapping[str, str]) -> Path:
    """Return a directory with the source and binary packages of a tree, and a .changes of either."""
    source = home / "greet"
    for name, text in {**tree, "debian/changelog": CHANGELOG.format(version=version, date=DATE)}.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    env = {**ENVIRONMENT, "DEB_BUILD_OPTIONS": "nostrip noautodbgsym", "DPKG_GENSYMBOLS_CHECK_LEVEL": "0"}
    for what in ("source", "binary"):
        run(["dpkg-buildpackage", "-us", "-uc", "-d", f"--build={what}"], cwd=source, env=env)
    shutil.rmtree(source)
    return home


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("good"), "1.0", TREE)


Gate = Callable[[Path], tuple[Record, Record, Bench]]


def owned(_name: str, _series: Series, paths: Collection[str], _log: IO[str]) -> dict[str, set[str]]:
    """What the distribution has."""
    return {path: {"theirs"} for path in paths if path.startswith("usr/lib/theirs/")}


@pytest.fixture
def gate(
    good: Path, lab_factory: Callable[..., Any], bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> Gate:
    """``gate(packages)``: with version 1.0 in the archive, the records of content and archive for packages of 1.1."""
    monkeypatch.setattr(content, "owners", owned)
    monkeypatch.setattr(content, "distribution_build", lambda *_, **__: None)

    def do(packages: Path) -> tuple[Record, Record, Bench]:
        lab = lab_factory(component={"build": {"content": {}}})
        first = bench(lab)
        pretend_packages(first, good, "1.0")
        assert first.execute(archive).verdict == "passed", first.log("archive")
        work = bench(lab)
        pretend_packages(work, packages, "1.1")
        return work.execute(content), work.execute(archive), work

    return do


WAYS = {
    "no build system found": (without_make, "empty package: greet"),
    "plugin off": (lambda: edited("Makefile", "\tinstall -D -m 644 -t $(DESTDIR)/usr/lib/greet/plugins plugin.so\n",
                                  "\tinstall -d $(DESTDIR)/usr/lib/greet\n"),
                   "directory gone: usr/lib/greet/plugins (1 file)"),
    "setup.py finds no packages": (lambda: edited("setup.py", '"."', '"src"'), "empty package: python3-greet"),
    "second tarball missing": (lambda: changed(**{"second/a": None}), "directory gone: usr/share/greet/second (1 file)"),
    "another package's file": (lambda: edited("debian/greet.install", "usr/bin\n", "usr/bin\nwords usr/lib/theirs\n"),
                               "files of another package: theirs (usr/lib/theirs/words)"),
    "symbols lost": (lambda: edited("greet.c", "int hail", "static int hail"), "symbols gone: libgreet.so.1 (hail@Base)"),
    "service lost": (lambda: changed(**{"debian/greet.service": None}),
                     "service gone: usr/lib/systemd/system/greet.service"),
    "maintainer script lost": (lambda: changed(**{"debian/greet.service": None, "debian/greet.postinst": None}),
                               "maintainer script gone: greet postinst"),
    "maintainer script without commands": (
        lambda: changed(**{"debian/greet.service": None, "debian/greet.postinst": ("if true; then adduser --system greet; fi\necho set up\n", "")}),
        "maintainer script emptied: greet postinst"),
    "executable bit lost": (lambda: edited("debian/rules", "override_dh_strip",
                                           "execute_after_dh_fixperms:\n\tchmod a-x debian/greet/usr/bin/greet\noverride_dh_strip"),
                            "executable no more: greet (usr/bin/greet)"),
    "program without target": (lambda: edited("debian/rules", "override_dh_strip",
                                              "execute_after_dh_install:\n\tln -sf greet-1.1 debian/greet/usr/bin/greet\noverride_dh_strip"),
                               "link leads nowhere: usr/bin/greet (usr/bin/greet-1.1)"),
    "trigger lost": (lambda: edited("debian/rules", "override_dh_strip",
                                    "override_dh_makeshlibs:\n\tdh_makeshlibs --noscripts\noverride_dh_strip"),
                     "triggers gone: libgreet1 (activate ldconfig)"),
    "dependencies lost": (lambda: edited("debian/control", ", libgreet1"), "dependencies gone: greet (libgreet1)"),
    "Multi-Arch lost": (lambda: edited("debian/control", "\nMulti-Arch: same"), "field gone: libgreet1 Multi-Arch: same"),
    "file moved, not replaced": (lambda: changed(**{
        "debian/greet.install": ("usr/share/greet\n", ""), "debian/libgreet1.install": ("usr/include\n", "usr/include\nusr/share/greet\n")}),
        "moved without Replaces: libgreet1 from greet (usr/share/greet/a"),
    "owner lost": (lambda: edited("debian/rules", "override_dh_strip",
                                  "execute_after_dh_fixperms:\n\tchown 54321:54321 debian/greet/usr/share/greet/words\noverride_dh_strip"),
                   "owner changed: greet (usr/share/greet/words to 54321:54321)"),
    "wrapper in the place of a program": (
        lambda: edited("debian/rules", "override_dh_strip",
                       "execute_after_dh_install:\n\techo '#!/bin/sh' > debian/greet/usr/bin/greet\noverride_dh_strip"),
        "files shrunk: greet (usr/bin/greet)"),
    "call of a maintainer script lost": (lambda: edited("debian/greet.postinst", "adduser --system greet", "true"),
                                         "call gone: greet postinst (adduser)"),
    "setuid now": (lambda: edited("debian/rules", "override_dh_strip",
                                  "execute_after_dh_fixperms:\n\tchmod u+s debian/greet/usr/bin/greet\noverride_dh_strip"),
                   "permissions changed: greet (usr/bin/greet from 0755 to 4755)"),
    "interpreter of the build": (lambda: edited("say", "#!/bin/sh", "#!/build/venv/bin/sh"),
                                 "interpreter changed: greet (usr/libexec/greet/say from usr/bin/sh to build/venv/bin/sh)"),
    "directory for data lost": (lambda: changed(**{"debian/greet.dirs": None}), "directory gone: var/lib/greet (empty)"),
    "Python project without its version": (lambda: edited("setup.py", '"1.0"', '"0.0.0"'),
                                           "version fell: python3-greet greet (1.0 before, 0.0.0 now)"),
    "new file in two packages": (lambda: changed(**{
        "debian/greet.install": ("usr/bin\n", "usr/bin\nwords usr/share/new\n"),
        "debian/libgreet1.install": ("usr/include\n", "usr/include\nwords usr/share/new\n")}),
        "file in two packages: greet libgreet1 (usr/share/new/words)"),
    "service enabled no longer": (lambda: edited("debian/greet.service", "[Install]\nWantedBy=multi-user.target\n"),
                                  "call gone: greet postinst (deb-systemd-helper"),
    "header lost": (lambda: edited("Makefile", "greet.h hail.h", "greet.h"), "interface gone: usr/include/greet/hail.h"),
    "helper lost": (lambda: edited("Makefile", "say shout", "say"), "helper gone: usr/libexec/greet/shout"),
    "Provides lost": (lambda: edited("debian/control", "\nProvides: greeter"), "Provides gone: greeter"),
    "conffile lost": (lambda: edited("Makefile", "/etc/greet greet.conf", "/etc/greet greet.1"),
                      "conffile gone: etc/greet/greet.conf"),
    "conffile unmarked": (lambda: edited("debian/rules", "override_dh_strip",
                                         "execute_before_dh_builddeb:\n\trm debian/greet/DEBIAN/conffiles\noverride_dh_strip"),
                          "conffile no more: etc/greet/greet.conf"),
    "size halved": (lambda: changed(words=("hello\n" * 20000, "hello\n")), "size halved: greet ("),
    "binary package gone": (
        lambda: without_documents(PACKAGE.format(name="greet-doc", more="")),
        "package gone: greet-doc",
    ),
    "empty package": (without_documents, "empty package: greet-doc"),
    "all manual pages gone": (lambda: changed(**{
        "Makefile": ("\tinstall -D -m 644 -t $(DESTDIR)/usr/share/man/man1 greet.1\n", ""),
        "debian/greet.install": ("usr/share/man\n", "")}), "directory gone: usr/share/man/man1 (1 file)"),
}  # fmt: skip


@pytest.mark.parametrize("way", sampled([*WAYS], "no build system found", "symbols lost", "empty package"))
def test_gate_holds_back_damaged_package(gate: Gate, tmp_path: Path, way: str) -> None:
    tree, named = WAYS[way]
    judged, archived, work = gate(build(tmp_path / "built", "1.1", tree()))
    assert judged.verdict == "unstable", work.log("content")
    assert any(loss.startswith(named) for loss in judged.facts["losses"]), judged.facts["losses"]
    assert archived.verdict == "skipped"
    assert archived.message == f"held back: content is unstable: {judged.message}"
    assert {line.split()[1] for line in listed(Store.of(work.lab).archive)} == {"1.0"}


def test_gate_admits_complete_package(gate: Gate, tmp_path: Path) -> None:
    tree = edited("words", "hello\n" * 20000, "hello\n" * 15000)
    tree |= {"setup.py": SETUP.replace('"1.0"', '"1.1.dev3"')}
    judged, archived, work = gate(build(tmp_path / "built", "1.1", tree))
    assert (judged.verdict, judged.facts["losses"]) == ("passed", []), work.log("content")
    assert archived.message == "added"
