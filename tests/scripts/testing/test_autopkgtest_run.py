"""The command line of autopkgtest, and its files for apt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Result
from scripts.testing.autopkgtest_run import AptSuite, Autopkgtest, check, execute

NO_RELEASE = "The repository 'http://deb.example x Release' does not have a Release file."


def test_autopkgtest_inputs_pin_the_component_alone(tmp_path: Path) -> None:
    suites = [AptSuite("trunk-1"), AptSuite("trunk-2", ("greet", "greet-doc"))]
    Autopkgtest("x.dsc", suites, "KEY").write_inputs(tmp_path)
    assert (tmp_path / "archive.asc").read_text() == "KEY"
    assert (tmp_path / "sources").read_text() == (
        "deb http://lab-archive trunk-1 main\ndeb http://lab-archive trunk-2 main\n"
    )
    assert (tmp_path / "preferences").read_text() == (
        "Package: *\nPin: release n=trunk-1\nPin-Priority: 1001\n\n"
        "Package: *\nPin: release n=trunk-2\nPin-Priority: -1\n\n"
        "Package: greet greet-doc\nPin: release n=trunk-2\nPin-Priority: 1002\n\n"
    )


def test_autopkgtest_command_line() -> None:
    argv = Autopkgtest(Path("/a/x.dsc"), [], "", "greet/2").argv(Path("/out"), Path("/in"), 60, ["server", "sid"])
    words = list(map(str, argv))
    assert words[-4:] == ["/a/x.dsc", "--", "server", "sid"]
    assert {"--output-dir=/out", "--timeout-test=60", "--env=ADT_TEST_TRIGGERS=greet/2"} <= set(words)


@pytest.mark.parametrize("code", [0, 2, 4, 6, 8, 12, 14])
def test_autopkgtest_status_of_package(code: int) -> None:
    check(Result(("autopkgtest",), code), "")
    check(Result(("autopkgtest",), code), "E: Failed to fetch http://deb.example/x")  # and apt's second try got it
    check(Result(("autopkgtest",), code), "erroneous package: testbed setup commands failed with status 100")


@pytest.mark.parametrize(
    ("code", "output", "message"),
    [
        (
            16,
            "autopkgtest [1:00:00]: ERROR: testbed failure: no space",
            "the testbed does not work: testbed failure: no space",
        ),
        (
            16,
            "qalab-virt-nspawn: failure: it does not boot\nautopkgtest [1:00:00]: ERROR: testbed failure: unexpected eof from the testbed\n",
            "the testbed does not work: qalab-virt-nspawn: failure: it does not boot",
        ),
        (
            12,
            f"E: {NO_RELEASE}\nautopkgtest [1:00:00]: ERROR: erroneous package: testbed setup commands failed with status 100",
            f"the testbed does not work: {NO_RELEASE}",
        ),
        (20, "", "autopkgtest ended with status 20"),
        (1, "usage", "autopkgtest ended with status 1"),
        (-9, "", "autopkgtest ended with status -9"),
    ],
    ids=["testbed", "server", "mirror", "unexpected", "unknown", "killed"],
)
def test_autopkgtest_status_of_lab(code: int, output: str, message: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        check(Result(("autopkgtest",), code), output)
    assert caught.value.args[0] == message


def test_autopkgtest_needs_autodep8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "find_program", lambda _: None)
    context: Any = None
    with pytest.raises(ConfigurationError, match="autodep8"):
        execute(context, tmp_path / "output", Autopkgtest("greet", [], ""), "")
