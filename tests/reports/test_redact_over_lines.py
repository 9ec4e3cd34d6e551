"""Secrets over several lines, and the lines around them."""

from __future__ import annotations

import io

import pytest

from reports.redact.redactor import Redactor
from tests.reports.publications import a_redactor

PASSWORD = "hunter2hunter2"
HIDDEN = "[REDACTED:credential]"
KEY = "[REDACTED:private-key]"
BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
BODY = ["MIIEpAIBAAKCAQEA7bq3Zx1f0Vt9o8K2mN4pQ5rS6tU7vW8xY9zA0bC1dE2fG3hI", "Jk4Lm5No6Pq7Rs8Tu9Vw0Xy1Za2Bc3De4Fg5Hi6Jk7Lm8No9Pq0Rs1Tu2Vw3Xy4Z", "aB3dE5f="]  # fmt: skip
ENCODED = ["LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZLS0tLS0KYjNCbGJuTnphQzFyWlhrdGRqRUFB", "QUFBQkc1dmJtVUFBQUFFYm05dVpRQUFBQUFBQUFBQkFBQUFNd0FBQUF0emMyZ3RaV1F5TlRVeE9R", "QUFBQ0J6YQ=="]  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> Redactor:
    return a_redactor()


def shown(ours: Redactor, lines: list[str]) -> list[str]:
    raw = "\n".join([*lines, ""]).encode()
    return b"".join(ours.stream(io.BytesIO(raw))).decode().split("\n")[:-1]


SERVICES = [
    "+---+---+---+", "| ID | Name | Type |", "+---+---+---+", "| 1 | passwd-reset | x |", "| 2 | glance | image |",
    "| 3 | token-service | x |", "| 4 | nova | compute |", "| 5 | secrets | x |", "+---+---+---+",
]  # fmt: skip

CASES = {
    # YAML, JSON, sentences
    "label": (["password:", f"  {PASSWORD}", "user: x"], ["password:", f"  {HIDDEN}", "user: x"]),
    "label in JSON": (['{"password":', f'    "{PASSWORD}",', '"x": 1}'], ['{"password":', f'    "{HIDDEN}",', '"x": 1}']),
    "label in a log": (["10:00:00 db_password:", f"10:00:00   {PASSWORD}", "10:00:00 x"], ["10:00:00 db_password:", f"10:00:00   {HIDDEN}", "10:00:00 x"]),
    "list": (["secrets:", f"  - {PASSWORD}", f"  - '{PASSWORD}'", "other:", "  - kept"], ["secrets:", f"  - {HIDDEN}", f"  - '{HIDDEN}'", "other:", "  - kept"]),
    "block": (["  secret: |", f"    {PASSWORD}", "", f"    {PASSWORD} x", "  next: 1"], ["  secret: |", f"    {HIDDEN}", "", f"    {HIDDEN}", "  next: 1"]),
    "folded block": (["api_token: >-", f"  {PASSWORD}", "next: 1"], ["api_token: >-", f"  {HIDDEN}", "next: 1"]),
    "sentence": (
        ["Please use the following password to proceed to installation:", "", "0123456789abcdef0123456789abcdef", "", "This may also be found at: /x"],
        ["Please use the following password to proceed to installation:", "", HIDDEN, "", "This may also be found at: /x"],
    ),
    "sentence of another program": (["The generated password is:", f"{PASSWORD}", "done"], ["The generated password is:", HIDDEN, "done"]),
    "a label without a value": (["password:", "user: x"], ["password:", "user: x"]),
    "a label before prose": (["Enter the password:", "That was wrong."], ["Enter the password:", "That was wrong."]),
    "a label before a mapping": (["secret:", "  name: x"], ["secret:", "  name: x"]),
    "setting of Juju": (
        ["  admin-password:", "    default: null", "    description: of admin", "    source: user", f"    value: {PASSWORD}", "  region:", "    value: kept"],
        ["  admin-password:", "    default: null", "    description: of admin", "    source: user", f"    value: {HIDDEN}", "  region:", "    value: kept"],
    ),
    "secret of Kubernetes": (
        ["apiVersion: v1", "kind: Secret", "metadata:", "  name: x", "data:", "  dsn: cG9zdGdyZXM6Ly9h", f"  tls.pem: {PASSWORD}", "type: Opaque", "---", "data:", "  a: kept"],
        ["apiVersion: v1", "kind: Secret", "metadata:", "  name: x", "data:", f"  dsn: {HIDDEN}", f"  tls.pem: {HIDDEN}", "type: Opaque", "---", "data:", "  a: kept"],
    ),
    "secret of Kubernetes in a log": (["1s kind: Secret", "1s stringData:", f"1s   dsn: {PASSWORD}", "1s type: Opaque"], ["1s kind: Secret", "1s stringData:", f"1s   dsn: {HIDDEN}", "1s type: Opaque"]),
    "secret as kubectl prints it": (
        ["apiVersion: v1", "data:", "  dsn: cG9zdGdyZXM6Ly9hOmJAYw==", "kind: Secret"], ["apiVersion: v1", "data:", f"  dsn: {HIDDEN}", "kind: Secret"],
    ),
    "map of Kubernetes that is no secret": (["apiVersion: v1", "data:", "  mode: disabled", "  size: 12345678", "kind: ConfigMap"], ["apiVersion: v1", "data:", "  mode: disabled", "  size: 12345678", "kind: ConfigMap"]),
    "secret of Kubernetes in JSON": (
        ["{", '    "apiVersion": "v1",', '    "data": {', '        "dsn": "cG9zdGdyZXM6Ly9hOmJAYw==",', '        "b": "cG9zdGdyZXM6Ly9hOmJAYw=="', "    },", '    "kind": "Secret",', '    "metadata": {', '        "name": "kept"'],
        ["{", '    "apiVersion": "v1",', '    "data": {', f'        "dsn": "{HIDDEN}",', f'        "b": "{HIDDEN}"', "    },", '    "kind": "Secret",', '    "metadata": {', '        "name": "kept"'],
    ),
    "secret of Kubernetes in JSON by hand": (
        ['  "kind": "Secret",', '  "stringData": {', f'    "dsn": "{PASSWORD}"', "  },", '  "type": "Opaque"'], ['  "kind": "Secret",', '  "stringData": {', f'    "dsn": "{HIDDEN}"', "  },", '  "type": "Opaque"'],
    ),
    "map in JSON that is no secret": (['"apiVersion": "v1",', '"data": {', '  "mode": "disabled",', '  "size": "12345678"', "},", '"kind": "ConfigMap"'],) * 2,
    "prompt": (["New password:", PASSWORD, "Retype new password:", PASSWORD, "passwd: password updated successfully"], ["New password:", HIDDEN, "Retype new password:", HIDDEN, "passwd: password updated successfully"]),
    "prompt for a user, and prose": (["[sudo] password for ada:", "Sorry, try again.", PASSWORD], ["[sudo] password for ada:", "Sorry, try again.", PASSWORD]),
    "trace of many commands": (["+ cd /build/secret", "+ RET=0", "+ ls -t", "+ head -1", "greet_1.0-1.dsc"],) * 2,
    "data of Vault": (
        ["====== Data ======", "Key         Value", "---         -----", f"dsn         {PASSWORD} x", "user        me", "done.", "next        kept"],
        ["====== Data ======", "Key         Value", "---         -----", f"dsn         {HIDDEN}", f"user        {HIDDEN}", "done.", "next        kept"],
    ),
    "trace without output": (["+ cat /etc/secret", "+ ls -l", "total 12345678", PASSWORD], ["+ cat /etc/secret", "+ ls -l", "total 12345678", PASSWORD]),
    "map of settings": (['"password": {', '  "type": "string",', f'  "default": "{PASSWORD}",', '  "enum": {}', "},", f'"value": "{PASSWORD}"'], ['"password": {', '  "type": "string",', f'  "default": "{HIDDEN}",', '  "enum": {}', "},", f'"value": "{PASSWORD}"']),
    "list of secrets": (["kind: SecretList", "data:", "  a: kept"], ["kind: SecretList", "data:", "  a: kept"]),
    "setting with a default": (["secret_key:", "  type: string", f"  default: '{PASSWORD}'", "x: 1"], ["secret_key:", "  type: string", f"  default: '{HIDDEN}'", "x: 1"]),
    "setting without a value": (["token:", "  description: x", "  required: true", "  default: none", "name: kept"], ["token:", "  description: x", "  required: true", "  default: none", "name: kept"]),
    "block of a vault": (["password: !vault |", f"  {PASSWORD}", "x: 1"], [f"password: {HIDDEN} |", f"  {HIDDEN}", "x: 1"]),
    "accounts of cloud-init": (["chpasswd:", "  list: |", f"    ubuntu:{PASSWORD}", "x: 1"], ["chpasswd:", "  list: |", f"    ubuntu:{HIDDEN}", "x: 1"]),
    "answer of debconf": (["<-- GET keystone/admin-password", f"--> 0 {PASSWORD}"], ["<-- GET keystone/admin-password", f"--> 0 {HIDDEN}"]),
    # XML
    "element": (["<password>", f"  {PASSWORD}", "</password>", "<x>"], ["<password>", f"  {HIDDEN}", "</password>", "<x>"]),
    "element with attributes": (['<ns:secretKey a="b">', f"{PASSWORD}</ns:secretKey>"], ['<ns:secretKey a="b">', f"{HIDDEN}</ns:secretKey>"]),
    "property of Hadoop": (["<name>db.password</name>", f"<value>{PASSWORD}</value>"], ["<name>db.password</name>", f"<value>{HIDDEN}</value>"]),
    "variable of Kubernetes": (["- name: DB_PASSWORD", f"  value: {PASSWORD}", "- name: USER", "  value: kept"], ["- name: DB_PASSWORD", f"  value: {HIDDEN}", "- name: USER", "  value: kept"]),
    "pair in JSON": (['{"name": "API_TOKEN",', f' "value": "{PASSWORD}"}}'], ['{"name": "API_TOKEN",', f' "value": "{HIDDEN}"}}']),
    # shells and files of programs
    "escaped line end": (["export X_PASSWORD=\\", PASSWORD], ["export X_PASSWORD=\\", HIDDEN]),
    "escaped line end of an option": (["tool --password \\", f"  {PASSWORD} --x"], ["tool --password \\", f"  {HIDDEN} --x"]),
    "escaped line end, quoted": (["API_KEY=\\", f"'{PASSWORD}'"], ["API_KEY=\\", f"'{HIDDEN}'"]),
    "netrc": (["machine h", "  login me", f"  password {PASSWORD}", "x"], ["machine h", "  login me", "  password [REDACTED:netrc]", "x"]),
    "netrc, two lines": (["machine h login me", "password hush"], ["machine h login me", "password [REDACTED:netrc]"]),
    "login that is none of netrc": (["login me", "password required"], ["login me", "password [REDACTED:netrc]"]),
    # tables
    "list of credentials": (
        ["+---+---+---+", "| Access | Secret | Project |", "+---+---+---+", f"| a | {PASSWORD} | p |", "+---+---+---+", "| x | y | z |"],
        ["+---+---+---+", "| Access | Secret | Project |", "+---+---+---+", f"| a | {HIDDEN} | p |", "+---+---+---+", f"| x | {HIDDEN} | z |"],
    ),
    "list of services": ([*SERVICES, "after"], [*SERVICES, "after"]),
    "list of services and one of credentials": (
        [*SERVICES, "+---+---+---+", "| Access | Secret | Project |", "+---+---+---+", f"| a | {PASSWORD} | p |"],
        [*SERVICES, "+---+---+---+", "| Access | Secret | Project |", "+---+---+---+", f"| a | {HIDDEN} | p |"],
    ),
    "headings in two rows": (
        ["| Keys | Keys | Owner |", "| Access | Secret | Project |", "+---+---+---+", f"| a | {PASSWORD} | p |"],
        ["| Keys | Keys | Owner |", "| Access | Secret | Project |", "+---+---+---+", f"| a | {HIDDEN} | p |"],
    ),
    "list without rulers": (["| Access | Secret | Project |", f"| a | {PASSWORD} | p |"], ["| Access | Secret | Project |", f"| a | {HIDDEN} | p |"]),
    "wrapped cell": (["| password | hunter2 |", f"|          | {PASSWORD} |", "| user | x |"], [f"| password | {HIDDEN} |", f"|          | {HIDDEN} |", "| user | x |"]),
    "table without a secret": (["| Name | Size |", "| a | 5 |"], ["| Name | Size |", "| a | 5 |"]),
    # keys
    "key with a blank line in it": ([BEGIN, BODY[0], "", BODY[1], BODY[2], END, "after"], [KEY, KEY, "", KEY, KEY, KEY, "after"]),
    "key with another process in it": ([BEGIN, BODY[0], "", "gcc -c x.c", BODY[1], END, "after"], [KEY, KEY, "", "gcc -c x.c", KEY, KEY, "after"]),
    "key with times": ([f"10:00:00 {BEGIN}", f"10:00:00 {BODY[0]}", "10:00:00 ", f"10:00:00 {BODY[1]}", f"10:00:00 {END}"], [f"10:00:00 {KEY}", KEY, "10:00:00 ", KEY, KEY]),
    "cut key": ([BEGIN, BODY[0], "", "after", "that"], [KEY, KEY, "", "after", "that"]),
    "end of a key": ([*BODY, END, "after"], [KEY, KEY, KEY, KEY, "after"]),
    "end of a key with times": ([*(f"10:00:00 {line}" for line in BODY[:2]), f"10:00:00 {END}", "after"], [KEY, KEY, KEY, "after"]),
    "no end of a key": (["3b18e512dba79e4c8300dd08aeb37f8e728b8dadd2a1c1f4a4c1b2d0d8e1f0aa", "x"], ["3b18e512dba79e4c8300dd08aeb37f8e728b8dadd2a1c1f4a4c1b2d0d8e1f0aa", "x"]),
    "SSH2": (["---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", "Comment: x", *BODY, "---- END SSH2 ENCRYPTED PRIVATE KEY ----", "x"], [KEY] * 6 + ["x"]),
    "PuTTY": (["Public-Lines: 1", BODY[0], "Private-Lines: 2", *BODY[1:], "Private-MAC: 0123", "x"], ["Public-Lines: 1", BODY[0], "Private-Lines: 2", KEY, KEY, f"Private-MAC: {KEY}", "x"]),
    "base64 of a key": (["x", f"  key: {ENCODED[0]}", f"    {ENCODED[1]}", f"    {ENCODED[2]}", "next: 1"], ["x", "  key: [REDACTED:encoded-key]", *["[REDACTED:encoded-key]"] * 2, "next: 1"]),
    "base64 of a key alone": ([*ENCODED, "", "x"], [KEY] * 3 + ["", "x"]),
    "base64 of a key with times": (["x", *(f"10:00:00 {line}" for line in ENCODED[:2]), "x"], ["x", "10:00:00 [REDACTED:encoded-key]", "[REDACTED:encoded-key]", "x"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_secret_over_lines_is_hidden(ours: Redactor, case: str) -> None:
    lines, expected = CASES[case]
    assert shown(ours, lines) == expected
    assert shown(ours, expected) == expected


@pytest.mark.parametrize("case", CASES)
def test_result_does_not_depend_on_blocks(ours: Redactor, case: str) -> None:
    """Each line is a block of its own."""

    class ByLine(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return self.readline()

    lines, expected = CASES[case]
    raw = "\n".join([*lines, ""]).encode()
    assert b"".join(ours.stream(ByLine(raw))).decode().split("\n")[:-1] == expected


def test_hidden_password_of_a_sentence_hides_nothing_before_it(ours: Redactor) -> None:
    """Each pass would hide a bit more, until none of the line is left."""
    text = "X_passphrase:P9_@uxwe[-:s" * 12
    assert shown(ours, [text])[0].startswith("X_passphrase:P9_@uxwe[-:sX_passphrase:")
