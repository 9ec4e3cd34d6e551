"""``qalab results redact``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.results import redact
from lab.base.errors import ConfigurationError, Failed
from lab.config import loading
from lab.config.description import Lab
from lab.store.runs import Store
from reports.redact.pseudonyms import Pseudonyms
from tests.cli.results.conftest import LOG, call
from tests.reports.publications import SECRET


def test_redact_lists_hidden_parts_by_line(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(LOG)
    node = Pseudonyms.of(Store.of(lab)).name("node", "10.0.1.2")
    key = "private-key: [REDACTED:private-key]"
    assert call(redact.command, "x.log").output.splitlines() == [
        f"2: credential, private-address: export OS_PASSWORD=[REDACTED:credential] on {node}",
        "3: controls: plain",
        "4: cloud: [REDACTED:cloud] and [REDACTED:cloud]",
        f"5: {key}",
        f"6: {key}",
        f"7: {key}",
        "x.log: cloud 1, controls 1, credential 1, private-address 1, private-key 3",
    ]


def test_redact_json_and_standard_input(lab: Lab) -> None:
    done = call(redact.command, "-", "--json", input=f"agent-7\n{'x' * 20_000}{SECRET}\n{SECRET}\n")
    first, second = map(json.loads, done.output.splitlines())
    assert (first["number"], first["rules"]) == (1, ["private-host"])
    assert second == {"number": 3, "rules": ["cloud"], "shown": "[REDACTED:cloud]"}
    assert call(redact.command, "-", input="nothing\n").output == "-: nothing to hide\n"


def test_redact_tries_rule_on_sample(lab: Lab) -> None:
    sample = "curl -u me:hush http://10.0.1.2/"
    done = call(redact.command, "--rule", "curl-user", "--sample", sample)
    assert done.output == "curl -u me:[REDACTED:curl-user] http://10.0.1.2/\n"
    done = call(redact.command, "--rule", "curl-user", "--sample", sample, "--json")
    assert json.loads(done.output)["rules"] == ["curl-user"]
    with pytest.raises(Failed, match="the rule email hides nothing in this sample"):
        call(redact.command, "--rule", "email", "--sample", sample)
    with pytest.raises(ConfigurationError, match=r"no rule nope; known: cloud, private-key, .*email"):
        call(redact.command, "--rule", "nope", "--sample", sample)


@pytest.mark.parametrize("arguments", [[], ["--rule", "email"], ["--sample", "x"], ["lab.yaml", "--rule", "email"]])
def test_redact_without_file_or_rule_is_refused(lab: Lab, arguments: list[str]) -> None:
    done = call(redact.command, *arguments)
    assert done.exit_code == 2
    assert "name a FILE, or --rule NAME with --sample TEXT" in done.output


@pytest.mark.parametrize(
    "publish, message",
    [
        ("jobs: trunk", "publish.jobs: Input should be a valid array; found: 'trunk'"),
        ("artefacts: []", "publish.artefacts: unknown key; did you mean artifacts? known: artifacts, domains"),
        (
            "secrets: [{name: a}]",
            "publish.secrets.0: name one source of the secret: env: NAME OF A VARIABLE, or file: /PATH",
        ),
        ("secrets: [{name: a, env: X, file: /x}]", "name one source of the secret"),
        ("secrets: [{name: a, file: x}]", "publish.secrets.0.file: not a plain absolute path"),
        ("patterns: [{name: a, pattern: '('}]", "publish.patterns.0.pattern: not a regular expression: missing )"),
        ("patterns: [{name: a, pattern: 'x*'}]", "publish.patterns.0.pattern: matches an empty text"),
        ("hosts: [a b]", "publish.hosts.0: not a host's name: letters, digits, - and ., two or more; found: 'a b'"),
        ("logs: {line: 10}", "publish.logs.line: Input should be greater than or equal to 80; found: 10"),
        ("emails: maybe", "publish.emails: Input should be 'hide' or 'show'; found: 'maybe'"),
    ],
)
def test_publish_policy_error_names_key_in_one_line(
    lab_factory: Callable[..., Lab], tmp_path: Path, publish: str, message: str
) -> None:
    lab_factory()
    path = tmp_path / "lab.yaml"
    text = path.read_text() + f"publish:\n  {publish}\n"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        loading.load(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}:{text.count(chr(10))}: ")
    assert message in line
