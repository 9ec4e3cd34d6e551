"""``qalab jenkins adopt``."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.integration
def test_adopt_takes_over_existing_job(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    jenkins.create("plain", "<project><description>by hand</description><disabled>true</disabled></project>")
    jenkins.add_build("plain", result="SUCCESS")
    before = jenkins.config("plain")
    code, said = call("apply", "--yes")
    assert code == 2
    assert "? job plain: exists, and this lab does not manage it; qalab jenkins adopt plain takes it as it is" in said
    assert jenkins.config("plain") == before
    code, said = call("drift", "--check")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("? job plain: exists, and this lab does not manage it")
    assert call("adopt", "plain") == (0, "job plain: now owned by testlab; see what would change: qalab jenkins plan\n")
    after = jenkins.config("plain")
    assert after.replace(after[after.index("&lt;!--") : after.index("--&gt;") + 6], "") == before
    assert call("drift")[1] == "nothing was edited by hand\n"
    code, said = call("plan")
    assert "~ job plain\n" in said
    assert "    - description: by hand\n" in said
    assert "disabled" not in said  # it is not described, so it stays
    assert call("adopt", "plain") == (0, f"{jenkins.url}: nothing to adopt\n")
    assert call("apply", "--yes")[0] == 0
    assert jenkins.build("plain", 1).result == "SUCCESS"


@pytest.mark.parametrize(
    "names, said",
    [
        (["nothing"], "nothing: no job or view of this name is described"),
        (["with a blank"], "job with a blank: does not exist: qalab jenkins apply creates it"),
        (["plain"], "job plain: is the lab other's (--from other takes it over)"),
    ],
)
def test_adopt_refuses_unknown_or_foreign_job(
    call: Callable[..., tuple[int, str]], jenkins: Double, names: list[str], said: str
) -> None:
    write("- job: {name: plain}\n", "theirs.yaml")
    call("apply", "theirs.yaml", "--owner", "other", "--yes")
    before = len(jenkins.writes())
    code, printed = call("adopt", *names)
    assert (code, said in printed, printed.count("\n")) == (2, True, 1)
    assert len(jenkins.writes()) == before
    assert call("adopt", "plain", "--from", "other")[0] == 0


def test_adopting_all(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    for name in ("plain", "with a blank", "not described"):
        jenkins.create(name, "<project/>")
    assert call("adopt")[0] == call("adopt", "plain", "--all")[0] == 2
    code, said = call("adopt", "--all")
    assert (code, said.count("now owned by testlab")) == (0, 2)
    assert "Managed" not in jenkins.config("not described")


@pytest.mark.integration
def test_renamed_lab_takes_over_its_jobs(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    call("apply", "--yes", "--owner", "old-name")
    marked = [*map(jenkins.config, jenkins.jobs()), *map(jenkins.view_config, jenkins.views())]
    code, said = call("apply", "--yes")
    assert (code, "exists, and this lab does not manage it" in said) == (2, False)
    assert "? job plain: is the lab old-name's; qalab jenkins adopt --from old-name plain takes it as it is" in said
    assert call("adopt", "--all") == (0, f"{jenkins.url}: nothing to adopt\n")
    assert call("adopt", "--all", "--from", "old-name")[1].count("now owned by testlab") == len(marked)
    assert call("plan", "--check")[0] == 0


@pytest.mark.integration
@pytest.mark.parametrize("method, fault, code", [
    ("GET", 403, 2), ("GET", 500, 3), ("GET", "empty", 3), ("GET", 504, 3), ("POST", 500, 3), ("POST", 403, 2),
    ("POST", "empty", 3),
])  # fmt: skip
def test_adopt_tells_what_it_cannot_adopt_and_goes_on(
    call: Callable[..., tuple[int, str]], jenkins: Double, method: str, fault: Any, code: int
) -> None:
    for name in ("plain", "with a blank"):
        jenkins.create(name, "<project/>")
    jenkins.fault(fault, method=method, path="job/plain/config.xml", times=FOREVER)
    ended, said = call("adopt", "--all")
    assert (ended, said.count("\n"), said.count("now owned by testlab")) == (code, 2, 1)
    assert "✘ job plain: not adopted: " in said
    jenkins.heal()
    assert call("adopt", "--all")[1].startswith("job plain: now owned by testlab")


@pytest.mark.integration
@pytest.mark.parametrize("name", ["-dash", "--all", "with a blank", "a'b"])
def test_the_command_that_a_plan_names_adopts_the_job(
    call: Callable[..., tuple[int, str]], jenkins: Double, name: str
) -> None:
    write(f"- job: {{name: {json.dumps(name)}}}\n")
    jenkins.create(name, "<project/>")
    _, said = call("plan")
    (command,) = re.findall("qalab jenkins (adopt .*) takes it as it is", said)
    assert call(*shlex.split(command))[1].startswith(f"job {name}: now owned by testlab")
