"""Every pattern of a secret is seen by both who look for it: `qalab check` in a job, `qalab results redact` in a log."""

from __future__ import annotations

import pytest
from lxml import etree

from generator import secrets
from lab.results.secret_patterns import EXACT, PATTERNS, SecretPattern
from tests.reports.publications import a_redactor

LETTERS = "aB3dE5fG7h"
EXAMPLES = {  # by what is found: lines with "<<" and ">>" around the secret
    "a private key": "<<-----BEGIN RSA2 PRIVATE KEY-----MIIE-----END RSA2 PRIVATE KEY----->>",
    "a token of GitHub": f"echo <<ghp_{LETTERS * 4}>>",
    "a token of GitLab": f"echo <<glpat-{LETTERS * 2}>>",
    "an access key of AWS": "echo <<AKIA" + "ABCD" * 4 + ">>",
    "a token of Slack": "echo <<xoxb-123456789012-abcdef>>",
    "a webhook of Slack": f"curl https://<<hooks.slack.com/services/T0AB/B0CD/{LETTERS * 2}>>",
    "a key of Google": f"echo <<AIza{LETTERS * 3}abcde>>",
    "a token of PyPI": f"echo <<pypi-AgEI{LETTERS * 4}>>",
    "a token of npm": f"echo <<npm_{LETTERS * 3}abcdef>>",
    "a token of Docker Hub": f"echo <<dckr_pat_{LETTERS * 2}>>",
    "a key in base64": f"echo <<LS0tLS1CRUdJTi{LETTERS * 4}==>> | base64 -d",
    "a JSON web token": "echo <<eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl>>",
    "a Fernet token": f"curl -d <<gAAAAA{LETTERS * 6}==>> x",
    "a password in a URL": "git clone https://bob:<<hunter22>>@git.example/x.git",
    "a secret in a header": "curl -H 'Authorization: Bearer <<hunter22>>'",
    "a cookie in a header": "curl -H 'Cookie: <<session=hunter22>>'",
    "a password of curl": "curl -u admin:<<hunter22>> https://x.example",
    "a password in an option": "tool --db-password <<hunter22>> x",
    "a password of sshpass": "sshpass -p <<hunter22>> ssh x",
    "a password of a database client": "mysql -u root -p<<hunter22>> nova",
    "a password of netrc": "machine x login bob password <<hunter22>>",
    "a secret in a variable": "export DB_PASSWORD='<<hunter22>>'",
    "a hash of a password": f"usermod -p '<<$6${LETTERS * 3}>>'",
    "a token of Jenkins": "echo <<11" + "0123456789abcdef" * 2 + ">>",
}
GUESSES = {
    "url-token": "git clone https://bob@git.example",
    "header": "basic install-2-of-3",
    "option": "tool --private-key id_rsa",
    "credential": "token_count=5",
}


def parts(example: str) -> tuple[str, str]:
    """The line, and the secret in it."""
    before, _, rest = example.partition("<<")
    secret, _, after = rest.rpartition(">>")
    return before + secret + after, secret


def of_check(line: str) -> list[str]:
    element = etree.Element("command")
    element.text = line
    return [what for what, _ in secrets.of_element(element)]


def test_every_pattern_has_an_example() -> None:
    assert {pattern.what for pattern in EXACT} == set(EXAMPLES)
    assert {pattern.name for pattern in PATTERNS if pattern.guess} == set(GUESSES)


@pytest.mark.parametrize("pattern", EXACT, ids=lambda pattern: pattern.what.replace(" ", "-"))
def test_both_see_each_pattern(pattern: SecretPattern) -> None:
    line, secret = parts(EXAMPLES[pattern.what])
    if pattern.name == "private-key":
        assert a_redactor().text(line) == "[REDACTED:private-key]"
    else:
        assert pattern.name in {hit.rule for hit in a_redactor().hits(line)}
        assert secret not in a_redactor().text(line)
    assert f"line 1: {pattern.what} in plain text" in of_check(line)
    shown = secrets.hidden("builders/hudson.tasks.Shell/command", f"true\n{line}\nfalse")
    assert shown == f"true\n{line.replace(secret, secrets.HIDDEN)}\nfalse"


@pytest.mark.parametrize("name", GUESSES)
def test_guesses_are_of_logs_alone(name: str) -> None:
    assert name in {hit.rule for hit in a_redactor().hits(GUESSES[name])}
    assert of_check(GUESSES[name]) == []


def test_secrets_side_by_side_and_within_each_other() -> None:
    line = f"TOKEN=ghp_{LETTERS * 4} PASSWORD=hunter22 curl -u a:hunter22 https://a:hunter22@x"
    shown = secrets.hidden("command", line)
    assert shown == "TOKEN=(hidden) PASSWORD=(hidden) curl -u a:(hidden) https://a:(hidden)@x"
