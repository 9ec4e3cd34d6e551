"""The options that a bundle gives to charms on this machine: those that Juju refuses are found before a deployment."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from scripts.drivers.juju import bundle_file

OPTIONS = """\
options:
  port: {type: int, default: 80}
  ratio: {type: float}
  debug: {type: boolean, default: false}
  motd: {type: string}
  greeting: {description: "Of a type that charms need not say."}
  token: {type: secret}
  empty:
"""
CHARMCRAFT = "type: charm\nname: hello\nconfig:\n" + "".join(f"  {line}\n" for line in OPTIONS.splitlines())


def _directory(at: Path) -> None:
    at.mkdir()
    (at / "metadata.yaml").write_text("name: hello\n")
    (at / "config.yaml").write_text(OPTIONS)


def _source(at: Path) -> None:
    at.mkdir()
    (at / "charmcraft.yaml").write_text(CHARMCRAFT)


def _packed(at: Path) -> None:
    with zipfile.ZipFile(at, "w") as packed:
        packed.writestr("metadata.yaml", "name: hello\n")
        packed.writestr("config.yaml", OPTIONS)


MAKERS = pytest.mark.parametrize("make", [_directory, _source, _packed], ids=["directory", "source", "packed"])


def _read(tmp_path: Path, options: str, *overlays: str, charm: str = "./hello.charm") -> bundle_file.BundleFile:
    files = [f"applications: {{hello: {{charm: {charm}, options: {options}}}}}", *overlays]
    for number, text in enumerate(files):
        (tmp_path / f"{number}.yaml").write_text(text)
    return bundle_file.read([str(tmp_path / f"{number}.yaml") for number in range(len(files))])


@MAKERS
def test_options_that_a_charm_has_are_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "hello.charm")
    found = _read(
        tmp_path,
        "{port: 8000, ratio: 1, debug: true, motd: 'a b', greeting: 10:20, token: 'secret:1', empty: include-file://x}",
        "applications: {hello: {options: {port: '8001', ratio: '.5', debug: 'False', motd: '', empty: null}}}",
    )
    assert set(found.options["hello"]) == {"port", "ratio", "debug", "motd", "greeting", "token", "empty"}


@MAKERS
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{prot: 80}", r"0.yaml: applications.hello: options.prot: the charm has no such option; did you mean port\? .*hello.charm"),
        ("{1: a}", "options.1: the charm has no such option"),
        ("{port: high}", "options.port: 'high' is no int"),
        ("{port: 1.5}", "options.port: 1.5 is no int"),
        ("{port: true}", "options.port: True is no int"),
        ("{ratio: much}", "options.ratio: 'much' is no float"),
        ("{debug: 1}", "options.debug: 1 is no boolean"),
        ("{debug: maybe}", "options.debug: 'maybe' is no boolean"),
        ("{motd: 12345}", "options.motd: 12345 is no string; write it in quotes"),
        ("{motd: [a]}", r"options.motd: \['a'\] is no string"),
        ("[port]", "options: is no mapping"),
    ],
)  # fmt: skip
def test_option_that_juju_refuses_is_found(
    tmp_path: Path, make: Callable[[Path], None], options: str, message: str
) -> None:
    make(tmp_path / "hello.charm")
    with pytest.raises(ConfigurationError, match=message):
        _read(tmp_path, options)


def test_fault_names_the_overlay_that_has_it(tmp_path: Path) -> None:
    _directory(tmp_path / "hello.charm")
    with pytest.raises(ConfigurationError, match=r"1.yaml: applications.hello: options.port: 'x' is no int"):
        _read(tmp_path, "{}", "applications: {hello: {options: {port: x}}}")


def test_charm_is_beside_the_file_that_names_it_or_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    overlay = tmp_path / "deep/overlay.yaml"
    overlay.write_text("applications: {hello: {charm: ./own.charm, options: {port: x}}}")
    (tmp_path / "bundle.yaml").write_text("applications: {hello: {charm: ch:hello, options: {any: 1}}}")
    both = [str(tmp_path / "bundle.yaml"), str(overlay)]
    with pytest.raises(
        ConfigurationError, match=r"overlay.yaml: applications.hello: charm: .*own.charm: there is no such file"
    ):
        bundle_file.read(both)
    for place in (tmp_path / "own.charm", tmp_path / "deep/own.charm"):
        _packed(place)
        with pytest.raises(ConfigurationError, match=r"options\.any: the charm has no such option"):
            bundle_file.read(both)
        place.unlink()


def test_charm_of_charmhub_has_any_options(tmp_path: Path) -> None:
    assert _read(tmp_path, "{any: 1}", charm="ch:hello").options == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a charm", "cannot be read as a charm"),
        ("options: [a]", "its options are no mapping"),
        ("options: {a: b}", "its options are no mapping"),
        ("[a]", "a file in it is no mapping"),
        ("a: {", "cannot be read as a charm"),
        ("options: {}", "the charm has no options"),
    ],
)
def test_file_that_is_no_charm_is_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    charm = tmp_path / "hello.charm"
    if isinstance(content, bytes):
        charm.write_bytes(content)
    else:
        with zipfile.ZipFile(charm, "w") as packed:
            packed.writestr("config.yaml", content)
    with pytest.raises(ConfigurationError, match=message):
        _read(tmp_path, "{port: 1}")
