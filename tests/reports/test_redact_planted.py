"""Secrets as programs print them are hidden in a line; text that only looks like a secret stays."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.results.secrets.names import is_secret
from lab.results.secrets.pattern import SecretPattern
from lab.results.secrets.tokens import TOKENS
from reports.redact.redactor import Redactor
from tests import planted
from tests.reports.publications import KEY, a_redactor


@pytest.fixture(scope="module")
def ours() -> Redactor:
    return a_redactor()


@pytest.mark.parametrize("kind", planted.KINDS)
@pytest.mark.parametrize("before", ["", "2026-01-01 10:00:00 INFO "], ids=["alone", "in a log"])
def test_planted_secret_is_hidden(ours: Redactor, kind: str, before: str) -> None:
    survivors = []
    for number, template in enumerate(planted.KINDS[kind]):
        text, secrets = planted.parts(template, number)
        if before and template.startswith(planted.WHOLE_LINES):
            continue
        shown = ours.text(before + text)
        if any(value in shown for value in secrets):
            survivors.append((template, shown))
        assert ours.text(shown) == shown
    assert survivors == []


OF_SHELLS = ("|", "<<<", "ENV ", "setenv", "set -x", "[", " + ", "$")


@pytest.mark.parametrize("form", [repr, json.dumps, partial(json.dumps, separators=(",", ":"))])
def test_secret_is_hidden_in_the_arguments_of_a_failed_command(
    ours: Redactor, form: Callable[[list[str]], str]
) -> None:
    """As the message of Python's CalledProcessError has them, which is what a charm's hook logs."""
    survivors = []
    for template in ["rabbitmqctl add_user nova @@", "ldapwhoami -w @@", *planted.KINDS["option"]]:
        text, secrets = planted.parts(template)
        if any(part in text for part in OF_SHELLS):
            continue
        line = f"subprocess.CalledProcessError: Command '{form(shlex.split(text))}' returned non-zero exit status 1."
        shown = ours.text(line)
        if any(value in shown for value in secrets):
            survivors.append(shown)
        assert shown.endswith(" returned non-zero exit status 1.")
    assert survivors == []


@pytest.mark.integration
@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.name)
def test_first_look_finds_every_form_of_a_token(ours: Redactor, token: SecretPattern) -> None:
    """The words of a rule are in every match of its pattern, whatever signs the token has and where."""

    @settings(max_examples=15, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(token.regex, fullmatch=True).filter(str.isprintable))
    def check(text: str) -> None:
        assert ours.text(f"x {text}") != f"x {text}"

    check()


@pytest.mark.parametrize("line", planted.HARMLESS.splitlines())
def test_harmless_line_stays(ours: Redactor, line: str) -> None:
    assert ours.text(line) == line
    assert ours.text(f"10:00:00 {line}") == f"10:00:00 {line}"


NAMES = {
    True: (
        "password", "OS_PASSWORD", "adminPass", "admin_pass", "DB_PASS", "X-Auth-Token", "client_secret", "API_TOKEN", "db_pw", "MYSQL_PWD",
        "Secret Key", "access_key", "RAILS_MASTER_KEY", "passwords", "password2", "password_new", "keystone_authtoken.password",
    ),
    False: (
        "user", "COMPONENT", "max_tokens_count", "password_file", "TOKEN_TYPE", "public_key", "keystone", "compass", "PWDX", "monkey",
        "passed", "secret_store_plugin", "passwordMinLength", "key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name, secret", [(name, secret) for secret, names in NAMES.items() for name in names])
def test_name_of_secret(name: str, *, secret: bool) -> None:
    assert is_secret(name) == secret


@pytest.mark.parametrize(
    "name, value, shown",
    [
        ("DEPLOY_PASSWORD", "hunter2 hunter2", "[REDACTED:credential]"),
        ("API_TOKEN", "hunter2", "[REDACTED:credential]"),
        ("GERRIT_HTTP_PASSWORD", "x", "[REDACTED:credential]"),
        ("ADMIN_PASS", "two\nlines", "[REDACTED:credential]"),
        ("DB_PASSWORD", "$OTHER_PASSWORD", "$OTHER_PASSWORD"),
        ("DB_PASSWORD", "", ""),
        ("COMPONENT", "greet", "greet"),
        ("HOST", "10.0.1.2", KEY.name("node", "10.0.1.2")),
        ("OPTIONS", "--password hunter2", "--password [REDACTED:option]"),
        ("AUTHORIZATION", "hunter2", "[REDACTED:header]"),
        ("token_count", "5", "5"),
    ],
)
def test_setting_is_redacted_with_its_name(ours: Redactor, name: str, value: str, shown: str) -> None:
    assert ours.setting(name, value) == shown


@pytest.mark.parametrize(
    "value",
    [
        "| password | hunter2hunter2 |", "\u2502 password \u2502 hunter2hunter2 \u2502", "token                hvs_hunter2hunter2",
        '{"password":\n    "hunter2hunter2",\n"x": 1}', "chpasswd:\n  list: |\n    ubuntu:hunter2hunter2\nx: 1", "secret: |\n  hunter2hunter2",
    ],
    ids=["table", "table in Unicode", "columns", "JSON over lines", "cloud-init", "block"],
)  # fmt: skip
def test_property_of_a_test_is_redacted_as_a_text_of_its_own(ours: Redactor, value: str) -> None:
    text = f"output\n[[PROPERTY|x={value}]]\n[[PROPERTY|tags=slow]]\n[[PROPERTY|DB_PASS=hunter2hunter2]]"
    shown = ours.text(text)
    assert "hunter2hunter2" not in shown
    assert "\n[[PROPERTY|tags=slow]]\n[[PROPERTY|DB_PASS=[REDACTED:credential]]]" in shown
    assert ours.text(shown) == shown


PRIVATE = {
    "ada.lovelace": (
        "mail ada.lovelace@firma.berlin now", "ada.lovelace@corp.systems", "ada.lovelace@müller.de", "<mailto:ada.lovelace%40example.org>",
        "saved ada.lovelace@example.org.txt", "From: ada.lovelace@xn--mller-kva.de", "cd /home/ada.lovelace/x", '"path": "\\/home\\/ada.lovelace\\/x"',
        "/Users/ada.lovelace/x", "uid=1000(ada.lovelace) gid=1000(ada.lovelace)", "cd ~ada.lovelace/x", "amqp://ada:ada.lovelace/x@host/", "amqp://ada:p@ada.lovelace@host/",
    ),
    "10.11.12.13": ("eth0 at 10.11.12.13-eth0", "node_10.11.12.13_log", "range 10.11.12.13-10.11.12.20", "http://10.11.12.13:8080/", "[10.11.12.13]"),
    "10-11-12-13": ("ip-10-11-12-13.ec2.internal", "host-10-11-12-13 is up", "node-10-11-12-13.lab"),
    "13.12.11.10": ("13.12.11.10.in-addr.arpa. PTR x", "zone 13.12.11.10.in-addr.arpa", "query: 13.12.11.10.IN-ADDR.ARPA"),
    "5254.00ab": ("mac 5254.00ab.abcd", "vlan 7  5254.00ab.abcd  dynamic", "from 5254.00ab.abcd to 5254.00ab.abce"),
}  # fmt: skip


@pytest.mark.parametrize(("private", "text"), [(private, text) for private, texts in PRIVATE.items() for text in texts])
def test_names_of_people_and_machines_are_hidden(ours: Redactor, private: str, text: str) -> None:
    shown = ours.text(text)
    assert private not in shown
    assert ours.text(shown) == shown


CARRIED = ("password: @@\nuser: x", "export OS_PASSWORD='@@'", "transport_url = rabbit://nova:@@@mq:5672/", "| password | @@ |\n| user | x |",
           "# x\nmachine h\nlogin ada\npassword @@\n# y", "openstack user create --password @@ nova", '{"adminPass": "@@"}')  # fmt: skip
ENCODED = {
    "string of JSON": lambda text: json.dumps({"log": text}),
    "string of Python": lambda text: f"AssertionError: {text!r}",
    "bytes of Python": lambda text: f"output: {text.encode()!r}",
    "string in a string": lambda text: json.dumps({"a": json.dumps([text.replace('"', "'")])}),
    "URL": lambda text: f"GET /log?text={quote(text)} HTTP/1.1",
    "URL without a slash": lambda text: f"Referer: https://x/?q={quote(text, safe='')}&p=1",
    "URL, encoded twice": lambda text: f"GET /log?text={quote(quote(text))}",
    "HTML": lambda text: f"<pre>{escape(text)}</pre>",
    "JSON of .NET": lambda text: json.dumps({"log": text}).replace('\\"', "\\u0022").replace("'", "\\u0027"),
    "argument of a shell": lambda text: "+ bash -c '" + text.replace("'", "'\\''").replace("\n", "; ") + "'",
}  # fmt: skip


@pytest.mark.parametrize("carrier", ENCODED)
def test_secret_in_an_encoded_text_is_hidden(ours: Redactor, carrier: str) -> None:
    leaked = []
    for number, template in enumerate(CARRIED):
        if carrier == "argument of a shell" and template.startswith(("|", "#")):
            continue  # of several lines
        value = planted.secret(f"{carrier}{number}")
        shown = ours.text(ENCODED[carrier](template.replace("@@", value)))
        assert ours.text(shown) == shown
        leaked += [template] if value in shown else []
    assert leaked == []


@pytest.mark.parametrize(
    "text",
    ["DB_PASSWORD=@@\n", '{"user": "ada", "api_key": "@@"}', "#cloud-config\npassword: @@\n", "x=1\nSECRET_KEY='@@'\n"],
)
def test_secret_in_base64_is_hidden(ours: Redactor, text: str) -> None:
    for before in ("", "a", "ab"):
        blob = b64encode((before + text).replace("@@", planted.secret(text)).encode()).decode()
        assert ours.text(f"echo {blob} | base64 -d") == "echo [REDACTED:encoded-credential] | base64 -d"
        assert ours.text(f'"content": "{blob}",') == '"content": "[REDACTED:encoded-credential]",'


def test_base64_without_a_secret_stays(ours: Redactor) -> None:
    for text in (
        "the password is asked for, and a token",
        "password=$DB_PASSWORD",
        "token_count=4096\npassword_file=/x\n",
    ):
        line = f"echo {b64encode(text.encode()).decode()} | base64 -d"
        assert ours.text(line) == line


@pytest.mark.parametrize(
    "line",
    [
        "GET /pool/g/greet_1.0%2Bgit1%3A2_amd64.deb",
        "said 'it'\\''s done'",
        '{"log": "token refreshed\\nuser: x\\n"}',
        "C:\\new\\nodes\\root",
    ],
)
def test_encoded_text_without_a_secret_stays_as_it_is(ours: Redactor, line: str) -> None:
    assert ours.text(line) == line
