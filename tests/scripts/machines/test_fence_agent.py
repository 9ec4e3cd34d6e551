"""The options of fence agents, checked against metadata, and the line in which an agent says why it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.config.access import Login
from lab.config.machines import Power
from scripts.machines import fence_agent
from scripts.machines.fence_agent import AgentOption, answer, call, faults

KNOWN = {
    "action": AgentOption("string", required=True),
    "ip": AgentOption("string", required=True),
    "ipport": AgentOption("integer", required=False),
    "plug": AgentOption("string", required=True),
    "lanplus": AgentOption("boolean", required=False),
    "method": AgentOption("select", required=False, choices=("onoff", "cycle")),
    "username": AgentOption("string", required=True),
}
GOOD = {"ip": "pdu.example", "plug": "n0"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [], id="good"),
        pytest.param({"ipport": 23, "lanplus": True, "method": "cycle"}, [], id="all"),
        pytest.param({"ipport": "23", "lanplus": "1"}, [], id="as-text"),
        pytest.param({"plugg": 1}, [("plugg", "fence_cdu has no such option; did you mean plug?")], id="typo"),
        pytest.param({"zzz": 1}, [("zzz", "fence_cdu has no such option")], id="unknown"),
        pytest.param({"ipport": "telnet"}, [("ipport", "must be a number; found: 'telnet'")], id="number"),
        pytest.param({"ipport": True}, [("ipport", "must be a number; found: True")], id="true"),
        pytest.param({"lanplus": "yes"}, [("lanplus", "must be true or false; found: 'yes'")], id="boolean"),
        pytest.param({"method": "on"}, [("method", "must be one of onoff, cycle; found: 'on'")], id="choice"),
        pytest.param({"ip": "a\npassword=b"}, [("ip", "must be one line")], id="lines"),
        pytest.param({"passwd": "x"}, [("passwd", "not an option for lab.yaml: use credentials")], id="password"),
        pytest.param({"action": "off"}, [("action", "not an option for lab.yaml: qalab sets it")], id="action"),
        pytest.param(
            {"plug": True}, [("plug", "must be a text; found: True: quote on, off, yes and no")], id="outlet-on"
        ),
        pytest.param(
            {"version": False},
            [("version", "not an option for lab.yaml: it would print something, and switch nothing")],
            id="version",
        ),
    ],
)
def test_faults_of_options(options: dict[str, str | int | bool], expected: list[tuple[str, str]]) -> None:
    assert list(faults(KNOWN, Power(agent="fence_cdu", options=GOOD | options))) == expected


def test_missing_options_are_named_once() -> None:
    assert list(faults(KNOWN, Power(agent="fence_cdu", options={"port": "n0"} | {"ip": "x"}))) == [
        ("port", "fence_cdu has no such option; did you mean ipport?")
    ]
    assert [fault for _, fault in faults(KNOWN, Power(agent="fence_cdu"))] == [
        "fence_cdu requires ip",
        "fence_cdu requires plug",
    ]


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (["n0", "n1", "2026-11-28 22:00:00,000 ERROR: Unable to connect/login to fencing device"],
         "Unable to connect/login to fencing device"),
        (["Failed: Unable to obtain correct plug status or plug is not available", ""],
         "Unable to obtain correct plug status or plug is not available"),
        (["/usr/share/fence/fencing.py:9: DeprecationWarning: 'pipes' is deprecated", "  import pipes", "no"], "no"),
        ([], "ended with status 1, without a word"),
        (["Traceback (most recent call last):", '  File "x"', "KeyError: 'n9'"], "KeyError: 'n9'"),
    ],
    ids=["error", "failed", "warning", "silent", "bug"],
)  # fmt: skip
def test_answer_of_agent(printed: list[str], line: str) -> None:
    assert answer(printed, 1) == line


@pytest.mark.integration
@pytest.mark.parametrize(
    "says",
    [
        "WARNING: Parse error: Ignoring unknown option 'password=hush-4711'",
        "ERROR: ipmitool -P hush-4711 -p 623: Error",
        "Failed: login of admn with hush-4711",
        "ERROR: Cannot run command snmpwalk -c 'hush-community' -A hush-4711",
        f"{'ERROR: ':.<190}hush-4711",
    ],
    ids=["no such option", "command", "sentence", "community", "cut"],
)
def test_password_is_in_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Agents print it: an option that they do not have, or what they run."""
    agent = tmp_path / "fence_talkative"
    agent.write_text(f'#!/bin/sh\necho "{says}" >&2\nexit 1\n')
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    power = Power(agent=agent.name, options={"community": "hush-community"})
    with pytest.raises(InfrastructureError, match=r"^node0: fence_talkative: off: \S") as caught:
        call("node0", power, Login("admn", "hush-4711"), "off")
    assert "hush" not in str(caught.value)


@pytest.mark.integration
def test_what_is_false_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fence_redfish takes ssl_insecure=0 for true: it does not look at the value."""
    agent = tmp_path / "fence_hasty"
    parameters = "".join(
        f'<parameter name="{name}"><content type="{kind}" {default}/></parameter>'
        for name, kind, default in (
            ("ssl_insecure", "boolean", ""), ("quiet", "boolean", 'default="0"'), ("lanplus", "boolean", 'default="1"'),
            ("plug", "string", ""),
        )
    )  # fmt: skip
    metadata = f"<resource-agent><parameters>{parameters}</parameters></resource-agent>"
    agent.write_text(f"#!/bin/sh\n[ \"$1\" != -o ] || exec echo '{metadata}'\ncat > {tmp_path}/given\n")
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    options = {"ssl_insecure": False, "quiet": "0", "lanplus": False, "plug": 0}
    call("node0", Power(agent=agent.name, options=options), Login(None, None), "off")
    assert (tmp_path / "given").read_text().splitlines() == ["lanplus=0", "plug=0", "action=off"]


@pytest.mark.integration
def test_agent_that_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = tmp_path / "fence_patient"
    agent.write_text("#!/bin/sh\nexec sleep 1000\n")
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(fence_agent, "METADATA_SECONDS", 0.1)
    with pytest.raises(InfrastructureError, match=r"^fence_patient: no metadata in 0.1 s$"):
        fence_agent.options(agent.name)
