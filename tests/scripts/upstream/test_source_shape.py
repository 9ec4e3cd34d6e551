"""The shape of a source package from the texts of its packaging."""

from __future__ import annotations

import pytest

from lab.base.errors import Failed
from scripts.upstream import source_shape

QUILT = {"debian/source/format": "3.0 (quilt)\n"}
TEXTS: dict[str, str | None] = dict.fromkeys(source_shape.FILES)
HTTPS = "https://x.example/ v(.*)\n"


@pytest.mark.parametrize(
    "name, path, text, components",
    [
        ("an option", "debian/watch", f"version=4\nopts=component=doc {HTTPS}", ("doc",)),
        ("blanks in quotes", "debian/watch", f'version=4\nopts="component = doc, ctype=nodejs" {HTTPS}', ("doc",)),
        ("a tab", "debian/watch", f'version=4\nopts="pgpmode=none, component\t=doc" {HTTPS}', ("doc",)),
        ("a continued line", "debian/watch", f"version=4\nopts=component=\\\n  doc {HTTPS}", ("doc",)),
        ("a broken word", "debian/watch", f"version=4\nopts=compo\\\nnent=doc {HTTPS}", ("doc",)),
        ("a comment", "debian/watch", f"version=4\n# opts=component=doc\n{HTTPS}", ()),
        ("another option", "debian/watch", f"version=4\nopts=mycomponent=doc {HTTPS}", ()),
        ("a field", "debian/watch", "Version: 5\n\nComponent: doc\nSource: https://x.example\n", ("doc",)),
        ("a field in lower case", "debian/watch", "version: 5\n\ncomponent: doc\n", ("doc",)),
        ("a folded field", "debian/watch", "Version: 5\n\nComponent:\n doc\n", ("doc",)),
        ("a list", "debian/gbp.conf", "[DEFAULT]\ncomponent = ['doc', 'a-b']\n", ("a-b", "doc")),
        ("a list of several lines", "debian/gbp.conf", "[DEFAULT]\ncomponent = [\n  'doc',\n  'b',\n  ]\n", ("b", "doc")),
        ("a colon", "debian/gbp.conf", "[DEFAULT]\ncomponent: ['doc']\n", ("doc",)),
        ("a section", "debian/gbp.conf", "[import-orig]\nComponent=doc\n", ("doc",)),
        ("the file at the top", ".gbp.conf", "[buildpackage]\ncomponent = ['doc']\n", ("doc",)),
        ("a comment of gbp.conf", "debian/gbp.conf", "[DEFAULT]\n# component = ['doc']\n", ()),
    ],
)  # fmt: skip
def test_components_that_packaging_names(name: str, path: str, text: str, components: tuple[str, ...]) -> None:
    assert source_shape.read(TEXTS | QUILT | {path: text}).components == components, name


@pytest.mark.parametrize("path", source_shape.GBP_FILES)
def test_gbp_conf_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(Failed, match=rf"^{path}: File contains no section headers"):
        source_shape.read(TEXTS | QUILT | {path: "component = ['doc']\n"})


@pytest.mark.parametrize(
    "text, suffix",
    [
        (f'version=4\nopts="repacksuffix = +ds, repack" {HTTPS}', "+ds"),
        (f"version=4\nopts=repack,repacksuffix=\\\n+ds1 {HTTPS}", "+ds1"),
        ("Version: 5\n\nrepack-suffix: +ds2\n", "+ds2"),
    ],
)
def test_repack_suffix_of_watch_file(text: str, suffix: str) -> None:
    assert source_shape.read(TEXTS | QUILT | {"debian/watch": text}).suffix == suffix
