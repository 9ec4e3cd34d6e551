"""The edges of the graph: alternatives, Provides, architectures, build profiles."""

from __future__ import annotations

import pytest

from scripts.ordering.build_needs import SourceDescription, applicable, component_graph, of_control, of_stanzas

LAB = [
    SourceDescription("liba", "1", (), frozenset({"liba1", "liba-dev"}), frozenset({"a-dev", "x-dev"})),
    SourceDescription("libx", "", (), frozenset({"libx1", "x-dev"})),
]


@pytest.mark.parametrize(
    "build_depends, needs",
    [
        ("liba-dev", {"liba": ("liba-dev",)}),
        ("liba-dev (>= 99)", {"liba": ("liba-dev (>= 99)",)}),
        ("liba-dev:native, liba1:any", {"liba": ("liba-dev:native", "liba1:any")}),
        ("a-dev", {"liba": ("a-dev",)}),
        ("x-dev", {"libx": ("x-dev",)}),
        ("zlib1g-dev | liba-dev | x-dev", {"liba": ("zlib1g-dev | liba-dev | x-dev",)}),
        ("zlib1g-dev, app", {}),
        ("liba-dev [i386]", {}),
        ("liba-dev [!i386]", {"liba": ("liba-dev [!i386]",)}),
        ("liba-dev [linux-any]", {"liba": ("liba-dev [linux-any]",)}),
        ("liba-dev [!amd64] | x-dev", {"libx": ("liba-dev [!amd64] | x-dev",)}),
        ("liba-dev <!nodoc>", {}),
        ("liba-dev <!nodoc> <!nocheck>", {"liba": ("liba-dev <!nodoc> <!nocheck>",)}),
        ("liba-dev <nodoc !nocheck>", {"liba": ("liba-dev <nodoc !nocheck>",)}),
        ("liba-dev <cross>", {}),
    ],
)
def test_needs_of_build_dependencies(build_depends: str, needs: dict[str, tuple[str, ...]]) -> None:
    app = SourceDescription("app", "1", tuple(build_depends.split(", ")), frozenset({"app"}))
    assert component_graph([*LAB, app], "amd64", {"app": ["nodoc"]}).relations["app"] == needs


def test_applicable_keeps_order_of_alternatives() -> None:
    assert applicable("b | a (>= 1) | c [armhf]", "amd64", ()) == ["b", "a"]


def test_description_of_control_ignores_comments_and_substitutions() -> None:
    text = (
        "# a comment\nSource: greet\nBuild-Depends: debhelper-compat (= 13),\n# another\n liba-dev | x,\n ${more}\n"
        "Build-Depends-Arch: liba-dev\nBuild-Depends-Indep: sphinx <!nodoc>,\n\n"
        "Package: greet\nArchitecture: any\nProvides: hail (= 1), ${misc:Provides}\n\nPackage: greet-doc\n"
    )
    assert of_control("greet", text) == SourceDescription(
        "greet", "", ("debhelper-compat (= 13)", "liba-dev | x", "liba-dev", "sphinx <!nodoc>"),
        frozenset({"greet", "greet-doc"}), frozenset({"hail"}),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "Package: greet\n"])
def test_description_of_bad_control_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must have the field Source"):
        of_control("greet", text)


def test_description_of_stanzas_has_packages_of_other_architectures() -> None:
    source = "Package: greet\nBinary: greet, greet-arm,\n greet-udeb\nVersion: 1-1\nBuild-Depends: a, b [arm64]\n"
    found = of_stanzas("greet", source, ["Package: greet\nVersion: 1-1\nProvides: hail, ho (= 2)\n"])
    assert found == SourceDescription(
        "greet", "1-1", ("a", "b [arm64]"), frozenset({"greet", "greet-arm", "greet-udeb"}), frozenset({"hail", "ho"})
    )
