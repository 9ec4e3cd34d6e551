"""Answers of the client of Juju, among what else it prints."""

from __future__ import annotations

import pytest

from lab.base.errors import InfrastructureError
from scripts.drivers.juju import answers
from scripts.drivers.juju.answers import JujuLogin

LOGIN = '{\n"controller": "lab",\n"user": "admin"}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "", id="nothing else"),
        pytest.param("WARNING: cgroup v2 is not fully supported yet\n", "", id="warning"),
        pytest.param("[WARNING] this client is older than the controller\n", "", id="warning in brackets"),
        pytest.param("{not json}\n", "", id="warning in braces"),
        pytest.param("{}\n[]\n", "", id="empty values"),
        pytest.param("", "A newer version of Juju is available.\n", id="text after it"),
        pytest.param("[1] + ", "\n[2]\n", id="list after it"),
    ],
)
def test_answer_among_other_texts(before: str, after: str) -> None:
    login = LOGIN if before != "[1] + " else f"\n{LOGIN}"
    assert answers.parse(JujuLogin, f"{before}{login}{after}", "juju whoami") == JujuLogin(
        controller="lab", user="admin"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "juju whoami: not JSON: nothing", id="nothing"),
        pytest.param("no {json}", "juju whoami: not JSON: no {json}", id="no JSON"),
        pytest.param(LOGIN[:-9], "juju whoami: not as it is documented: : Invalid JSON: EOF", id="cut off"),
        pytest.param("[" * 100_000, "juju whoami: not as it is documented: : ", id="hostile"),
        pytest.param(
            "[WARNING] x\n{}", "juju whoami: not as it is documented: controller: ", id="warning, and no answer"
        ),
    ],
)
def test_answer_that_is_none(text: str, message: str) -> None:
    with pytest.raises(InfrastructureError) as raised:
        answers.parse(JujuLogin, text, "juju whoami")
    assert str(raised.value)[: len(message)] == message
