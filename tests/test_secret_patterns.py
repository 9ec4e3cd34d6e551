"""Every pattern of a secret is seen by both who look for it: `qalab check` in a job, `qalab results redact` in a log."""

from __future__ import annotations

import re
from base64 import b64encode
from unittest.mock import Mock

import pytest
from lxml import etree

from generator import secrets
from generator.differences import differences, render
from lab.results.secret_patterns import EXACT, PATTERNS
from lab.results.secrets import names
from lab.results.secrets.pattern import Anchor, I, SecretPattern
from lab.results.secrets.tokens import TOKENS
from tests import planted
from tests.reports.publications import a_redactor

LETTERS = "aB3dE5fG7h"
LABELS = {  # by what is found: lines with "<<" and ">>" around the secret
    "a private key": "<<-----BEGIN RSA2 PRIVATE KEY-----MIIE-----END RSA2 PRIVATE KEY----->>",
    "a password in a URL": "git clone https://bob:<<hunter22>>@git.example/x.git",
    "a secret in a header": "curl -H 'Authorization: Bearer <<hunter22>>'",
    "a cookie in a header": "curl -H 'Cookie: <<session=hunter22>>'",
    "a password of curl": "curl -u admin:<<hunter22>> https://x.example",
    "a password in an option": "tool --db-password <<hunter22>> x",
    "a password of sshpass": "sshpass -p <<hunter22>> ssh x",
    "a password of netrc": "machine x login bob password <<hunter22>>",
    "a secret in a variable": "export DB_PASSWORD='<<hunter22>>'",
    "a hash of a password": f"echo '<<$6$salt${LETTERS * 3}>>'",
    "a hash of a password in LDAP": f"echo <<{{SSHA}}{LETTERS * 3}>>",
    "a hash of a password in PostgreSQL": '"nova" "<<md5d41d8cd98f00b204e9800998ecf8427e>>"',
    "a password for chpasswd": "echo root:<<hunter22>> | chpasswd",
    "a password in the arguments of a command": "rabbitmqctl add_user openstack <<hunter22>>",
    "a password in SQL": "mysql -e \"GRANT ALL ON x.* TO y IDENTIFIED BY '<<hunter22>>'\"",
    "a password of PowerShell": 'ConvertTo-SecureString "<<hunter22>>" -AsPlainText -Force',
    "an answer to debconf": "printf 'nova nova/password password %s\\n' <<hunter22>> | debconf-set-selections",
    "a token of Jenkins": "echo <<11" + "0123456789abcdef" * 2 + ">>",
}


def marked(pattern: SecretPattern) -> str:
    """Return a planted token that a pattern finds, marked."""
    for template in planted.KINDS["token"]:
        text = planted.filled(template)
        if found := pattern.regex.search(text):
            return f"echo {text[: found.start()]}<<{found[0]}>>{text[found.end() :]}"
    raise AssertionError(pattern.what)


EXAMPLES = LABELS | {pattern.what: marked(pattern) for pattern in TOKENS}
GUESSES = {
    "url-token": "git clone https://bob@git.example",
    "curl-user": "  --user build:build",
    "header": "Bearer abcdef0123456789",
    "option": "tool --private-key id_rsa",
    "credential": "| token | 512 |",
    "encoded-credential": f"echo {b64encode(b'db_password = hunter22').decode()} | base64 -d",
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


def command(text: str) -> etree._Element:
    element = etree.Element("command")
    element.text = text
    return element


def test_every_pattern_has_an_example() -> None:
    assert {pattern.what for pattern in EXACT} == set(EXAMPLES)
    assert {pattern.name for pattern in PATTERNS if pattern.guess} == set(GUESSES)


# Several patterns can share an example: one for each what.
ONE_EACH = {pattern.what: pattern for pattern in EXACT}.values()


@pytest.mark.parametrize("pattern", ONE_EACH, ids=lambda pattern: pattern.what.replace(" ", "-"))
def test_both_see_each_pattern(pattern: SecretPattern) -> None:
    line, secret = parts(EXAMPLES[pattern.what])
    if pattern.name == "private-key":
        assert a_redactor().text(line) == "[REDACTED:private-key]"
    else:
        assert pattern.name in {hit.rule for hit in a_redactor().hits(line)}
        assert secret not in a_redactor().text(line)
    assert f"line 1: {pattern.what} in plain text" in of_check(line)
    shown = secrets.shown(command(f"true\n{line}\nfalse"))
    first, middle, last = shown.split("\n")
    assert (first, last, secret in middle, secrets.HIDDEN in middle) == ("true", "false", False, True)


@pytest.mark.parametrize("name", GUESSES)
def test_guesses_are_of_logs_alone(name: str) -> None:
    assert name in {hit.rule for hit in a_redactor().hits(GUESSES[name])}
    assert of_check(GUESSES[name]) == []


def test_secrets_side_by_side_and_within_each_other() -> None:
    line = f"TOKEN=ghp_{LETTERS * 4} PASSWORD=hunter22 curl -u a:hunter22 https://a:hunter22@x"
    shown = secrets.shown(command(line))
    assert shown == "TOKEN=(hidden) PASSWORD=(hidden) curl -u a:(hidden) https://a:(hidden)@x"


def lines_of_plants() -> list[str]:
    """Return planted lines, and each in capitals and after a letter whose small form is longer."""
    plain = [planted.parts(text, at)[0] for texts in planted.KINDS.values() for at, text in enumerate(texts)]
    lines = [line for text in plain for line in text.split("\n")]
    return [*lines, *map(str.upper, lines), *(f"\u0130 {line}" for line in lines)]


def test_names_begin_where_a_plain_search_finds_them() -> None:
    search = re.compile(f"(?={names.NAME})", I)
    for line in lines_of_plants():
        assert names.starts(line) == tuple(match.start() for match in search.finditer(line)), line


# A lower-case escape, of which the letter can be the first one of a word; and words that blanks or signs surround.
AROUND_A_WORD = ("{}", " {} ", "\\{}", "\\n{}", "x\\{}\\n", "\u0130 {}", "x:{}\\")
OWN_WORDS = {
    "newrelic-key": f"NRAK-{LETTERS * 3}"[:32],
    "npm-token": f"npm_{LETTERS * 4}"[:40],
    "tailscale-key": f"tskey-auth-{LETTERS * 3}",
    "readme-key": "rdme_" + "0123456789" * 7,
    "curl-user": "curl -u bot:hunter2hunter2",
}


@pytest.mark.parametrize("around", AROUND_A_WORD)
@pytest.mark.parametrize("name", OWN_WORDS)
def test_screen_finds_words_that_signs_surround(name: str, around: str) -> None:
    ours, line = a_redactor(), around.format(OWN_WORDS[name])
    chosen = ours.screen.lines(line.encode().lower()).get(0, 0)
    assert ours.hits(line, chosen) == ours.hits(line)


@pytest.mark.parametrize("count", [1, 100, 9000])
def test_screen_finds_a_word_among_many(count: int) -> None:
    """Few places of a word are looked at one by one, and many are not."""
    ours = a_redactor()
    lines = [*["token curl pro"] * count, "curl -u bot:hunter2hunter2"]
    chosen = ours.screen.lines("\n".join(lines).encode().lower())
    assert [hit.rule for hit in ours.hits(lines[-1], chosen[count])] == ["curl-user"]


@pytest.mark.integration
def test_screen_misses_nothing_that_a_rule_finds() -> None:
    ours, lines = a_redactor(), lines_of_plants()
    chosen = ours.screen.lines("\n".join(lines).encode().lower())
    for index, line in enumerate(lines):
        assert ours.hits(line, chosen.get(index, 0)) == ours.hits(line), line


@pytest.mark.parametrize("text", ["a_key=", "password ", "<password ", "'token' ", "env password ", "--a-", "string "])
def test_anchored_patterns_look_back_a_bounded_number_of_characters(text: str) -> None:
    """Each ``before`` sees at most ``reach`` characters, so its work grows with the number of names alone."""
    anchored = [pattern for pattern in PATTERNS if pattern.anchor and pattern.anchor.before]
    assert len(anchored) > 8
    for pattern in anchored:
        assert pattern.anchor is not None
        assert 0 < pattern.anchor.reach <= 300
        short, long = (len(tuple(pattern.anchor.starts(text * count))) for count in (50, 100))
        assert long <= 2 * short + 1


# The XML of a job with SECRET in it; each is a finding of the linter, and hidden in a plan.
IN_A_JOB = {
    "password parameter": "<p><hudson.model.PasswordParameterDefinition><name>X</name><defaultValue>{}</defaultValue></hudson.model.PasswordParameterDefinition></p>",
    "string parameter": "<p><hudson.model.StringParameterDefinition><name>API_TOKEN</name><defaultValue>{}</defaultValue></hudson.model.StringParameterDefinition></p>",
    "parameter of an old name": "<p><hudson.model.StringParameterDefinition><name>DB_PASS</name><defaultValue>{}</defaultValue></hudson.model.StringParameterDefinition></p>",
    "field": "<triggers><com.dabsquared.gitlabjenkins.GitLabPushTrigger><secretToken>{}</secretToken></com.dabsquared.gitlabjenkins.GitLabPushTrigger></triggers>",
    "variable": "<builders><hudson.tasks.Shell><command>export A_TOKEN={}</command></hudson.tasks.Shell></builders>",
    "registry": "<builders><hudson.tasks.Shell><command>docker login -u bot -p {} reg</command></hudson.tasks.Shell></builders>",
    "database": "<builders><hudson.tasks.Shell><command>mysql -u root -p{} db</command></hudson.tasks.Shell></builders>",
}
# Hidden in a plan, as in a log; no finding, because the linter would refuse too much.
GUESSED_IN_A_JOB = {
    "header": "<builders><hudson.tasks.Shell><command>curl -H 'X-Api-Key: {}' http://x/</command></hudson.tasks.Shell></builders>",
    "ansible": "<builders><hudson.tasks.Shell><command>registry_pass: {}</command></hudson.tasks.Shell></builders>",
}


@pytest.mark.parametrize("name", [*IN_A_JOB, *GUESSED_IN_A_JOB])
def test_linter_and_plan_agree(name: str) -> None:
    xml = (IN_A_JOB | GUESSED_IN_A_JOB)[name]
    one, two = (f"<project>{xml.format(secret)}</project>" for secret in ("hunter2first", "hunter3second"))
    found = [what for element in etree.fromstring(one).iter() for what, _ in secrets.of_element(element)]
    assert any("in plain text" in what for what in found) is (name in IN_A_JOB)
    shown = "\n".join(render(differences(one, two)) + render(differences(one, "<project/>")))
    assert secrets.HIDDEN in shown
    assert "hunter" not in shown


@pytest.mark.parametrize("text", ["True", "False", "true", "NONE", "${ENV,var='X'}", "$TOKEN", "{AQAAabc=}"])
def test_placeholders_are_no_secrets(text: str) -> None:
    """The Run Condition plugin has its expression in a field named token."""
    element = etree.fromstring(f"<p><token>{text}</token></p>")[0]
    assert list(secrets.of_element(element)) == []
    assert secrets.shown(element) == (secrets.HIDDEN if text.startswith("{AQAA") else text)


def test_encrypted_secret_hides_the_other_side() -> None:
    (found,) = differences("<project><x>{AQAAabc=}</x></project>", "<project><x>plain</x></project>")
    assert (found.before, found.after) == (secrets.HIDDEN, secrets.HIDDEN)


def test_secret_in_an_attribute_is_hidden_and_different() -> None:
    (found,) = differences("<project><x password='one'/></project>", "<project><x password='two'/></project>")
    assert (found.path, found.before, found.after) == ("x@password", secrets.HIDDEN, secrets.HIDDEN)


def test_probe_has_blanks_at_its_end_only() -> None:
    """A probe is searched in the parts of a text between blanks, in any order."""
    for pattern in PATTERNS:
        if pattern.probe:
            plain = re.sub(rb"\[\^[^\]]*\]", b"x", pattern.probe.pattern)
            assert not re.search(rb"(?:\\s|\\t| ).*[^\]+*?{}\d, ]", plain), pattern.probe.pattern


def test_pattern_is_asked_only_after_the_text_that_its_anchor_wants() -> None:
    """A pattern that reads to the end of a line, asked at each name of it, takes quadratic time."""
    asked: list[int] = []
    pattern = Mock(match=lambda _, at: asked.append(at))
    anchor = Anchor(lambda _: (), re.compile(r"-x"), 2)
    assert list(anchor.matches(pattern, "ab-xcdef", (0, 2, 4))) == []
    assert asked == [4]
