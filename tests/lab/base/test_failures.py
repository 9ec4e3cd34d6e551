"""The failure policy: what an exception means, and the log of a bug."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from lab.base import failures
from lab.base.errors import Aborted, ConfigurationError, Failed, InfrastructureError, Unstable


def torn() -> Exception:
    try:
        yaml.safe_load("a: [")
    except yaml.YAMLError as error:
        return error
    raise AssertionError


def invalid() -> Exception:
    class Model(BaseModel):
        number: int
        other: int

    try:
        Model.model_validate({"number": "x"})
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error, verdict, code, message",
    [
        (Failed("a"), "failed", 1, "a"),
        (ConfigurationError("a", hint="b"), "error", 2, "a (b)"),
        (InfrastructureError("a"), "error", 3, "a"),
        (Unstable("a"), "unstable", 4, "a"),
        (Aborted("a"), "aborted", 130, "a"),
        (KeyboardInterrupt(), "aborted", 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space", "/srv/x"), "error", 3, "No space: /srv/x"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "error", 3, "Broken pipe: this machine"),
        (TimeoutError("too long"), "error", 3, "too long: this machine"),
        (TypeError("a\n b\tc"), "error", 70, "a bug in qalab: TypeError: a b c"),
        (KeyError("x"), "error", 70, "a bug in qalab: KeyError: 'x'"),
        (AssertionError(), "error", 70, "a bug in qalab: AssertionError:"),
        (RecursionError("deep"), "error", 70, "a bug in qalab: RecursionError: deep"),
        (invalid(), "error", 70, "a bug in qalab: ValidationError: 2 validation errors for Model number "),
        (torn(), "error", 70, "a bug in qalab: ParserError: while parsing a flow "),
    ],
)
def test_failure_of_exception(error: BaseException, verdict: str, code: int, message: str) -> None:
    failure = failures.failure(error)
    assert (failure.verdict, failure.exit_code, failure.bug) == (verdict, code, code == 70)
    assert failure.message.startswith(message) if message.endswith(" ") else failure.message == message
    assert len(failure.message.splitlines()) == 1


def test_failure_message_is_truncated() -> None:
    assert len(failures.failure(ValueError("x" * 5_000)).message) < 400


@pytest.mark.parametrize(
    "argv, shown",
    [
        (["qalab", "run", "trunk", "keystone"], "qalab run trunk keystone"),
        (["qalab", "--password", "hunter2", "run"], "qalab --password '[hidden]' run"),
        (["qalab", "--api-token=hunter2"], "qalab '--api-token=[hidden]'"),
        (["OS_PASSWORD=hunter2", "qalab"], "'OS_PASSWORD=[hidden]' qalab"),
        (["qalab", "https://me:hunter2@git.example/x"], "qalab 'https://[hidden]@git.example/x'"),
        (["qalab", "--lab=https://me:hunter2@git.example/x"], "qalab '--lab=https://[hidden]@git.example/x'"),
        (["qalab", "-u", "me:hunter2", "x"], "qalab -u '[hidden]' x"),
        (["qalab", "--token", "--yes"], "qalab --token --yes"),
    ],
)
def test_bug_log_hides_secrets_of_command_line(argv: list[str], shown: str) -> None:
    lines = failures.report(TypeError("x"), argv).splitlines()
    assert f"called: {shown}" in lines
    assert [line.partition(":")[0] for line in lines[:5]] == ["qalab", "python", "platform", "time", "called"]


def test_bug_log_is_readable_by_owner_only(tmp_path: Path) -> None:
    message = failures.write_log("caf\udce9")
    (path,) = (tmp_path / "state/qalab/bugs").iterdir()
    assert message == f"see {path}"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("caf\\udce9", 0o600)


def test_bug_log_write_failure_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    assert failures.write_log("x").startswith("its log could not be written: Not a directory: ")
