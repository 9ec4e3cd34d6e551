"""Redaction: private text is not in the final bytes of a bundle; public text still is."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from lab.base.errors import Aborted, ConfigurationError
from lab.config.description import Lab
from lab.config.forges import CommitStatuses
from lab.config.publication import KnownSecret, Notifications
from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case
from reports import bundle
from reports.model import Build, Commit, File, Log, StepSummary
from reports.redact import file_names, known_secrets, publication
from reports.redact.publication import Publication
from reports.redact.redactor import Redactor
from reports.redact.scan import Held
from tests.reports.publications import COMMIT, KEY, SECRET, Press, a_build, final_bytes, lab_that_publishes, press

NODE, OTHER = KEY.name("node", "10.0.1.2"), KEY.name("node", "192.168.7.9")
HOST = KEY.name("node", "builder7.corp.example")
ALICE = KEY.name("user", "alice")
BLOB = "QUFBQUJCQkJDQ0NDRERERA=="
BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
MARK = "[REDACTED:private-key]"
PUBLISH = {
    "secrets": [{"name": "cloud", "env": "CLOUD_SECRET"}],
    "patterns": [{"name": "ticket", "pattern": r"TICKET-(?P<value>\d+)"}],
    "hosts": ["builder7", "bastion"],
    "domains": ["corp.example"],
    "artifacts": ["*.txt", "*.tar*", "*.zip", "*.gz", "*.html", "*.png"],
    "parameters": ["COMPONENT", "NOTE"],
}


@pytest.fixture
def ready(lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Press:
    monkeypatch.setenv("CLOUD_SECRET", SECRET)
    lab = lab_that_publishes(lab_factory, **PUBLISH)
    return press(lab, tmp_path, ("ci-agent-3",))


def in_base64(before: str, after: str = "") -> str:
    return base64.b64encode((before + SECRET + after).encode()).decode()


KNOWN = {
    "as it is": SECRET,
    "URL": quote(SECRET, safe=""),
    "URL, its path": quote(SECRET),
    "form": quote_plus(SECRET),
    "shell": shlex.quote(SECRET),
    "shell, with backslashes": re.sub(r"([^\w/])", r"\\\1", SECRET),
    "JSON": json.dumps(SECRET),
    "JSON in JSON": json.dumps(json.dumps({"it": SECRET})),
    "Python": repr(SECRET),
    "XML": escape(SECRET),
    "XML, text alone": escape(SECRET, quote=False),
    "XML in JSON": json.dumps(escape(SECRET)),
    "base64": in_base64(""),
    "base64, one on": in_base64("u"),
    "base64, two on": in_base64("ab", "more"),
    "base64 for URLs": base64.urlsafe_b64encode(("u:" + SECRET).encode()).decode(),
    "URL in a URL": quote(quote(SECRET, safe=""), safe=""),
    "JSON in JSON in JSON": json.dumps(json.dumps(json.dumps(SECRET))),
    "XML in XML": escape(escape(SECRET)),
    "YAML": "'" + SECRET.replace("'", "''") + "'",
    "hexadecimal": SECRET.encode().hex(),
    "hexadecimal, capitals": SECRET.encode().hex().upper(),
    "C": "".join(f"\\x{byte:02x}" for byte in SECRET.encode()),
    "URL, all escaped": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    "JSON, all escaped": "".join(f"\\u{ord(character):04x}" for character in SECRET),
    "JSON, all escaped, capitals": "".join(f"\\u{ord(character):04X}" for character in SECRET),
    "XML, all escaped": "".join(f"&#{ord(character)};" for character in SECRET),
    "capitals": SECRET.upper(),
    "within a word": f"abc{SECRET}def",
    "in colours": SECRET[:3] + "\x1b[31m" + SECRET[3:7] + "\x1b[0m" + SECRET[7:],
    "with NUL": SECRET[:3] + "\0" + SECRET[3:],
    "with a mark of direction": SECRET[:3] + "\u202e" + SECRET[3:],
}


@pytest.mark.parametrize("form", KNOWN)
def test_known_secret_is_redacted(ready: Press, form: str) -> None:
    shown = ready.line(f"before {KNOWN[form]} after\n")
    assert shown.startswith(("before ", "\x1b[0mbefore "))
    assert shown.endswith(" after\n")
    assert "[REDACTED:cloud]" in shown
    # In base64, the characters of the neighbours can stay.
    for piece in ("s3cr3t", "w0rd", in_base64("")[2:10], in_base64("u")[3:10], in_base64("ab")[4:10]):
        assert piece not in shown


LINES = [
    # The value only.
    ("export OS_PASSWORD=hunter2 OS_USERNAME=admin", "export OS_PASSWORD=[REDACTED:credential] OS_USERNAME=admin"),
    ("ADMIN_PASSWORD=nomoresecret", "ADMIN_PASSWORD=[REDACTED:credential]"),  # devstack's localrc
    ("SERVICE_TOKEN=azertytoken", "SERVICE_TOKEN=[REDACTED:credential]"),
    ("admin_password = x y;z", "admin_password = [REDACTED:credential]"),
    ("OS_PASSWORD='it is \"quoted\"' next", "OS_PASSWORD='[REDACTED:credential]' next"),
    ('{"password": "a\\"b", "user": "u"}', '{"password": "[REDACTED:credential]", "user": "u"}'),
    (r'"{\"password\": \"ab\", \"user\": 1}"', r'"{\"password\": \"[REDACTED:credential]\", \"user\": 1}"'),
    ("X-Auth-Token: 0123456789abcdef", "X-Auth-Token: [REDACTED:credential]"),
    ("<password>hush</password>", "<password>[REDACTED:credential]</password>"),
    ("openstack --os-password hush token issue", "openstack --os-password [REDACTED:option] token issue"),
    ("curl -u user:pw https://x.example/", "curl -u user:[REDACTED:curl-user] https://x.example/"),
    ("curl -s --user 'user:pw' x", "curl -s --user 'user:[REDACTED:curl-user]' x"),
    (f"Authorization: Basic {BLOB}", "Authorization: Basic [REDACTED:header]"),
    ("curl -H 'Authorization: Bearer abc.def-1' x", "curl -H 'Authorization: Bearer [REDACTED:header]' x"),
    ("sent Bearer abcdef0123456789", "sent Bearer [REDACTED:header]"),
    ("Set-Cookie: JSESSIONID=abc; Path=/", "Set-Cookie: [REDACTED:header]"),
    ("git clone https://u:p%40ss@git.example/x.git", "git clone https://u:[REDACTED:url-password]@git.example/x.git"),
    ("https://0123abcd@git.example/x", "https://[REDACTED:url-token]@git.example/x"),
    ("mysql+pymysql://root:p@ss@db/x", "mysql+pymysql://root:[REDACTED:url-password]@db/x"),
    ("machine h login me password hush", "machine h login me password [REDACTED:netrc]"),
    ("root:$6$saltsalt$abcdefghijklmnopqrstuvwxyz:1", "root:[REDACTED:password-hash]:1"),
    ("sshpass -p hush ssh h", "sshpass -p [REDACTED:option] ssh h"),
    ("ghp_" + "a1" * 20, "[REDACTED:github-token]"),
    ("key AKIAABCDEFGHIJKLMNOP", "key [REDACTED:aws-key]"),
    ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSM", "[REDACTED:web-token]"),
    ("gAAAAA" + "Bk" * 40 + "==", "[REDACTED:fernet-token]"),
    (f"tls.key: {base64.b64encode(f'{BEGIN} MIIE{BLOB}{BLOB}'.encode()).decode()}", "tls.key: [REDACTED:encoded-key]"),
    ("see TICKET-4711", "see TICKET-[REDACTED:ticket]"),
    ("the password:hush", "the password:[REDACTED:credential]"),
    # Text that only looks like a secret.
    ("passwd_1:4.13+dfsg1-1 base-passwd_3.6.1", None),
    ("Setting up libsecret-1-0:amd64 (0.20.5-3) ...", None),
    ("passing: test_password_is_hashed ok", None),
    ("PASSED tests/test_token.py::test_get", None),
    ("error: expected ')' before 'else' token", None),
    ("set OS_PASSWORD=$ADMIN_PASSWORD", None),
    ("password=None token=***", None),
    ("http://mirror.example/debian bookworm/main", None),
    ("git@github.com:x/y.git ssh://git@host.example/y", None),
    ("gcc -DKEY=1 -O2 -c key.c basic configuration", None),
    ("PWD=/build/greet-1.0", None),
    # Lines of public build logs, and their relatives.
    ("Number of tries to enter a password: 3", None),
    ("export DEPLOY_PASSWORD=[secure] API_TOKEN=[FILTERED]", None),
    ("Running Basic Interpolation - Unadorned tags", None),
    ("basic HttpClientBuilder auth: InterpolationTest", None),
    ("gpg --no-default-keyring --secret-keyring /tmp/tmp.DCveuYNsl7 --keyring x", None),
    ("User@31b0afa9[id=1,password=<null>,interests=[movie, sports]]", None),
    ("User(password=None, interests=x)", None),
    ("[id=1,password=<null>,token=hush12hush]", "[id=1,password=<null>,token=[REDACTED:credential]]"),
    ("export DEPLOY_PASSWORD=[hush12]", "export DEPLOY_PASSWORD=[[REDACTED:credential]]"),
    ("Authorization basic dXNlcjpoVXNoaHVzaA==", "Authorization basic [REDACTED:header]"),
    # A version in a message, and an address.
    ("Setting up foo (10.0.1.2) ... over (10.0.1.2) foo (>= 10.0.1.2)", None),
    ("foo (10.0.1.2) trixie; urgency=medium", None),
    ("http://m/org/apache/derby/10.0.1.2/derby-10.0.1.2.pom", None),
    ("http://10.0.1.2/derby/derby-1.pom", f"http://{NODE}/derby/derby-1.pom"),
    ("Get:3 http://m trixie/main amd64 foo amd64 10.0.1.2 [1 kB]", None),
    ("xnode-10.0.1.2 node-10.0.1.2 (10.0.1.2)", f"xnode-10.0.1.2 node-{NODE} ({NODE})"),
    # Standard input, options of more programs, and sentences.
    ("echo hush12 | sudo -S apt-get update", "echo [REDACTED:option] | sudo -S apt-get update"),
    ("echo 'hush12' | docker login -u me --password-stdin", "echo '[REDACTED:option]' | docker login -u me --password-stdin"),
    ("echo hush12 | passwd --stdin root", "echo [REDACTED:option] | passwd --stdin root"),
    ("echo deb http://x | sudo tee /etc/apt/x.list", None),
    ("ssh-keygen -q -N hush12 -f k", "ssh-keygen -q -N [REDACTED:option] -f k"),
    ("ssh-keygen -q -N '' -f k", None),
    ("kadmin -w hush12 -q x", "kadmin -w [REDACTED:option] -q x"),
    ("sudo -S apt-get update <<< hush12", "sudo -S apt-get update <<< [REDACTED:option]"),
    ('sudo -kS true <<<"hush12"', 'sudo -kS true <<<"[REDACTED:option]"'),
    ("cryptsetup open /dev/sda x --key-file - <<< hush12", "cryptsetup open /dev/sda x --key-file - <<< [REDACTED:option]"),
    ("docker login -u u --password-stdin <<< hush12", "docker login -u u --password-stdin <<< [REDACTED:option]"),
    ("juju login -u admin <<< hush12", "juju login -u admin <<< [REDACTED:option]"),
    ("grep x <<< hello12", "grep x <<< hello12"),
    ("echo hush12 | juju login -u admin", "echo [REDACTED:option] | juju login -u admin"),
    ("echo hush12 | kinit admin", "echo [REDACTED:option] | kinit admin"),
    ("echo hello12 | tee /tmp/kinit", "echo hello12 | tee /tmp/kinit"),
    ("juju register MFATBXBvd2VycwMDAyEx12", "juju register [REDACTED:option]"),
    ("http -a u:hush12 POST https://x.example/api", "http -a u:[REDACTED:option] POST https://x.example/api"),
    ("https GET x.example --auth=u:hush12", "https GET x.example --auth=u:[REDACTED:option]"),
    ("see http://x.example -a b:c12", "see http://x.example -a b:c12"),
    ('expect "assword:"; send "hush12\\r"', 'expect "assword:"; send "[REDACTED:option]\\r"'),
    ("expect -c 'send -- \"hush12\\r\"'", "expect -c 'send -- \"[REDACTED:option]\\r\"'"),
    ('send "ls\\r"', 'send "ls\\r"'),
    ("mvn sonar:sonar -Dsonar.login=hush12", "mvn sonar:sonar -Dsonar.login=[REDACTED:credential]"),
    ("sonar.login: hush12", "sonar.login: [REDACTED:credential]"),
    (" admin_password | hush12", " admin_password | [REDACTED:credential]"),
    (" password_encryption_method | scram", " password_encryption_method | scram"),
    (" Password | Last change", " Password | Last change"),
    ("twine upload -u me -p hush12 dist/x", "twine upload -u me -p [REDACTED:option] dist/x"),
    ("The admin password is Hush12hush.", "The admin password is [REDACTED:credential]"),
    ("a temporary password is generated for root@localhost: Hush12hush",
     "a temporary password is generated for root@localhost: [REDACTED:credential]"),
    ("User password set to: Hush12hush", "User password set to: [REDACTED:credential]"),
    ("the password is required to be longer than 8 characters", None),
    ("password for user postgres: ok", None),
    # Two readings of one name.
    ("| Secret Key | hush12 |", "| Secret Key | [REDACTED:credential] |"),
    ("run --secret key123hush", "run --secret [REDACTED:option]"),
    # Pseudonyms of private names.
    ("ping 10.0.1.2, then 10.0.1.2:8080 and 192.168.7.9/24.", f"ping {NODE}, then {NODE}:8080 and {OTHER}/24."),
    ("range 10.0.1.2-192.168.7.9", f"range {NODE}-{OTHER}"),
    ("http://10.0.1.2/x?y=(10.0.1.2)", f"http://{NODE}/x?y=({NODE})"),
    ("greet 10.0.1.2-1 greet_10.0.1.2 v10.0.1.2 10.0.1.2+dfsg 10.0.1.2.3 10.0.1.2~rc1", None),
    ("8.8.8.8 127.0.0.1 172.32.0.1 10.0.1", None),
    ("inet6 fe80::1ff:fe23:4567:890a/64", f"inet6 {KEY.name('node', 'fe80::1ff:fe23:4567:890a')}/64"),
    ("fd12:3456::1 2001:db8::1", f"{KEY.name('node', 'fd12:3456::1')} 2001:db8::1"),
    ("ether 52:54:00:ab:cd:ef up", f"ether {KEY.name('mac', '52:54:00:ab:cd:ef')} up"),
    ("SHA1 52:54:00:ab:cd:ef:01 12:34:56", None),
    ("on Builder7.corp.example", f"on {HOST}"),
    ("builder7: up; bastion-eth0; rebuilder7x", f"{KEY.name('node', 'builder7')}: up; {KEY.name('node', 'bastion')}-eth0; rebuilder7x"),
    ("agent ci-agent-3", f"agent {KEY.name('node', 'ci-agent-3')}"),
    ("corp.example notcorp.example", f"{KEY.name('node', 'corp.example')} notcorp.example"),
    ("cd /home/alice/src /Users/alice", f"cd /home/{ALICE}/src /Users/{ALICE}"),
    (r"C:\Users\alice\x", rf"C:\Users\{ALICE}\x"),
    ("Signed-off-by: Ada <ada.l@upstream.example>", "Signed-off-by: Ada <***@upstream.example>"),
    ("foo@bar.service en@quot.header pkg@v1.2.3", None),
    # Terminal sequences.
    ("\x1b[01;31m\x1b[Kerror:\x1b[m\x1b[K bad", "\x1b[1;31merror:\x1b[0m bad"),
    ("\x1b[38;5;9mx\x1b[38;2;1;2;3my\x1b[48;5;1mz\x1b[4;7mu\x1b[39m", "\x1b[91mxyzu\x1b[0m"),
    ("\x1b[31mpassword=hush\x1b[0m", "\x1b[0mpassword=[REDACTED:credential]"),
    ("\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\", "here"),
    ("\x1b]0;title\x07text\x1b[2J\x1b[10;10Hmore\x1bcend\x1b[", "texttitle"[:4] + "moreend"),
    ("a\0b\u202ec\u2066d\u200be\u009b31mf\x7f", "abcdef"),
    ("a\rb", "a\nb"),
    ("crlf\r", "crlf"),
    ("x \x1b[8mha:////4AAAA+abc==\x1b[0mStarted", "x Started"),
    ("x \x1b[8mha:////4AAAAunterminated", "x "),
    ("a:////4AAAAcut==\x1b[0mStarted".replace("a:", "8mha:", 1), "Started"),
    ("[[ATTACHMENT|/etc/passwd]]", "[ [ATTACHMENT|/etc/passwd]]"),
    ("[[ATTA\0CHMENT|/etc/passwd]]", "[ [ATTACHMENT|/etc/passwd]]"),
    # Markup is text; the site escapes it.
    ('<script>alert(1)</script> "><img src=x> {{7*7}} javascript:x', None),
]  # fmt: skip


@pytest.mark.parametrize("raw, shown", LINES, ids=lambda value: ascii(value)[1:40] if value else "stays")
def test_redacted_form_of_line(ready: Press, raw: str, shown: str | None) -> None:
    assert ready.line(f"first\n{raw}\nlast\n") == f"first\n{raw if shown is None else shown}\nlast\n"


@pytest.mark.parametrize(
    "raw, shown",
    [
        ([BEGIN, "MIIE", "AAAA", END, "after"], [MARK, MARK, MARK, MARK, "after"]),
        ([BEGIN, "MIIE", "AAAA", "", "after"], [MARK, MARK, MARK, "", "after"]),
        (
            [BEGIN, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES", "", "MIIE", "", "after"],
            [MARK, MARK, MARK, "", MARK, "", "after"],
        ),
        ([f"key={BEGIN}", "MIIE"], [f"key={MARK}", MARK]),
        ([f"10:00:00 {BEGIN}", "10:00:01 MIIE", "10:00:02 ", "after"], [f"10:00:00 {MARK}", MARK, "10:00:02 ", "after"]),
        ([rf"x {BEGIN}\nMIIE\n{END} y"], [f"x {MARK} y"]),
        (["-----BEGIN CERTIFICATE-----", "MIIE", ""], ["-----BEGIN CERTIFICATE-----", "MIIE", ""]),
        (["-----BEGIN PGP PRIVATE KEY BLOCK-----", "", "lQ", "-----END PGP PRIVATE KEY BLOCK-----", "x"], [MARK, "", MARK, MARK, "x"]),
    ],
)  # fmt: skip
def test_private_key_is_redacted(ready: Press, raw: list[str], shown: list[str]) -> None:
    assert ready.line("\n".join([*raw, ""])) == "\n".join([*shown, ""])


def test_invalid_utf8_is_visible(ready: Press) -> None:
    assert ready.line(b"caf\xe9 \xed\xa0\x80 ok\n") == "caf\ufffd \ufffd\ufffd\ufffd ok\n"


def everywhere(text: str) -> tuple[Build, list[str]]:
    """Return a build with a text in every text field."""
    case = Case(
        suite=text, classname=text, name=text, outcome="failed", message=text, evidence=f"a\n{text}\n", output=text, errors=text
    )  # fmt: skip
    named = {"origin", "job", "lab", "track", "component", "series", "architecture", "phase", "branch", "commit"}
    named |= {"version", "step", "message"}
    build = a_build(
        **dict.fromkeys(named, text),
        commits=(Commit(id=text, subject=text, author=text),),
        steps=(StepSummary(step=text, verdict="passed", message=text, log=f"{text}.log"),),
        cases=(case,),
        logs=(Log(name=f"{text}.log", path="logs/1", size=0, lines=0),),
        files=(
            File(name=f"{text}.txt", sha256="0" * 64, size=1, kind="other", path="files/1"),
            File(name=f"{text}.deb", sha256="0" * 64, size=1, kind="binary", path="files/2"),
        ),
        parameters={"COMPONENT": text, "NOTE": text},
        notes=(text,),
    )
    return build, sorted(named)


@pytest.mark.parametrize("text", [SECRET, "ghp_" + "a1" * 20], ids=["known", "token"])
def test_secret_in_any_field_is_redacted(ready: Press, text: str) -> None:
    build, _ = everywhere(text)
    fields = json.dumps(build.model_dump(mode="json")).count(json.dumps(text)[1:-1])
    assert fields >= 30
    for name in ("raw.log", "raw.txt"):
        (ready.home / name).write_text(f"x {text} y\n")
    path = ready.path(build, {"logs/1": ready.home / "raw.log", "files/1": ready.home / "raw.txt", "files/2": ready.home / "raw.txt"})  # fmt: skip
    raw = final_bytes(path)
    for form in known_secrets.forms(text):
        assert form.encode() not in raw
    actual = bundle.read(path).build
    assert len(re.findall(r"REDACTED[:_]", actual.model_dump_json())) >= fields
    assert actual.steps[0].log == actual.logs[0].name
    assert set(bundle.read(path).sizes) == {
        "junit.xml",
        actual.logs[0].path,
        actual.files[0].path,
    }  # no list has the .deb


def test_identity_of_build_is_unchanged(ready: Press) -> None:
    """Version, commit and identity are published even if they look like addresses; other texts are redacted."""
    build, fields = everywhere("10.0.1.2")
    actual = ready.publish(a_build(**{field: getattr(build, field) for field in fields})).build
    kept = {name for name in fields if getattr(actual, name) == "10.0.1.2"}
    assert set(fields) - kept == {"branch", "message"}
    assert actual.branch == actual.message == NODE
    assert ready.publish(a_build()).build == a_build()
    assert a_build().commit == COMMIT


def test_pseudonym_is_stable_within_lab(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_that_publishes(lab_factory)
    shown = {Press(tmp_path, Publication.of(lab)).line("10.9.8.7\n") for _ in range(2)}
    other = Press(tmp_path, Publication.of(lab_that_publishes(lab_factory).model_copy(update={
        "lab": lab.lab.model_copy(update={"name": "otherlab"})})))  # fmt: skip
    assert len(shown) == 1
    assert shown != {other.line("10.9.8.7\n")}
    (key,) = (tmp_path / "state/qalab/testlab").glob("*.key")
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)


VERSIONS = {
    "passwd": "1:4.13+dfsg1-1+deb12u1",
    "libapp-api-token-perl": "1.0-2",
    "libsecret-1-0": "0.20.5-3",
    "openssl-key": "10.0.1.2-1",
    "python3-oslo.policy": "4.0.0~rc1-1",
}


@pytest.mark.parametrize("field", ["packages", "environment"])
def test_versions_of_packages_are_unchanged(ready: Press, field: str) -> None:
    """Two builds with another version of passwd would be equal otherwise."""
    made = (
        a_build(packages=VERSIONS) if field == "packages" else a_build(environment=BuildEnvironment(packages=VERSIONS))
    )
    found = ready.publish(made).build
    assert (found.packages if field == "packages" else found.environment.packages) == VERSIONS


@pytest.mark.parametrize(
    "name, version", [("password", SECRET), ("Password", "1.0"), ("a1", f"token={SECRET}"), ("note", "at 10.0.1.2")]
)
def test_packages_that_are_none_are_redacted(ready: Press, name: str, version: str) -> None:
    found = ready.publish(a_build(packages={name: version})).build
    assert list(found.packages.values()) != [version]


def test_unlisted_parameter_is_not_published(ready: Press) -> None:
    build = a_build(parameters={"COMPONENT": "greet", "NOTE": "from 10.0.1.2", "OS_CLOUD": "x", "note": "y"})
    assert ready.publish(build).build.parameters == {"COMPONENT": "greet", "NOTE": f"from {NODE}"}


@pytest.mark.parametrize(
    "jobs, job, published",
    [
        ([], "trunk/greet/build", False),
        (["trunk/*"], "trunk/greet/build", True),
        (["trunk/*"], "secret/trunk/build", False),
        (["TRUNK/*"], "trunk/greet/build", False),
    ],
)
def test_unlisted_job_is_not_published(
    lab_factory: Callable[..., Lab], tmp_path: Path, jobs: list[str], job: str, *, published: bool
) -> None:
    ready = press(lab_that_publishes(lab_factory, jobs=jobs), tmp_path)
    if published:
        assert ready.path(a_build(job=job)).exists()
        return
    with pytest.raises(ConfigurationError, match=r"this job is not published \(add the job to publish\.jobs\)"):
        ready.path(a_build(job=job))
    assert not (tmp_path / "bundles").exists()


NAMES = [
    ("greet_1.0+git1-0qalab1~bookworm1_amd64.changes", "greet_1.0+git1-0qalab1~bookworm1_amd64.changes"),
    (".htaccess", "_htaccess"),
    ("-rf", "_rf"),
    ("a b;$(id)\n\u202e.txt", "a_b___id___.txt"),
    ("con.txt", "_con.txt"),
    ("é.txt", "é.txt"),
    ("sub/dir.txt", "sub/dir.txt"),
    ("./x", "x"),
    ("x.", "x_"),
    ("../x", None),
    ("a/../../x", None),
    ("/etc/passwd", None),
    ("C:\\x", None),
    ("C:x", None),
    ("\\\\host\\x", None),
    ("a\\..\\x", None),
    ("x\0", None),
    ("", None),
    ("..", None),
]


@pytest.mark.parametrize("name, made", NAMES, ids=lambda value: ascii(value)[1:20])
def test_safe_file_name(name: str, made: str | None) -> None:
    if made is None:
        with pytest.raises(ValueError, match="points outside the directory"):
            file_names.safe(name)
    else:
        assert file_names.safe(name) == made
        assert file_names.safe(made) == made


def test_long_file_name_stays_unique() -> None:
    one, two = (file_names.safe("é" * 300 + end) for end in (".txt", "2.txt"))
    assert one != two
    assert one.endswith(".txt")
    assert len(one.encode()) <= file_names.LONGEST


@pytest.mark.parametrize(
    "name", ["../x.txt", "/etc/x.txt", "C:\\x.txt", ".htaccess.txt", "a" * 300 + ".txt", "x\0.txt"]
)
def test_unsafe_artifact_name_is_replaced_and_noted(ready: Press, name: str) -> None:
    found, content = ready.artifact(name, b"content\n")
    assert content == b"content\n"
    (file,) = found.build.files
    assert file.path == f"files/{file.name}"
    assert found.build.notes == (f"{file.path}: renamed",)
    assert re.fullmatch(r"[\w.-]{1,120}", file.name)
    assert not file.name.startswith(".")


def test_artifacts_with_same_name_stay_separate(ready: Press) -> None:
    files = []
    for number in range(2):
        path = ready.home / str(number)
        path.write_text(f"{number}\n")
        files.append(File(name="a?.txt" if number else "a*.txt", sha256="0" * 64, size=2, kind="other", path=f"files/{number}"))  # fmt: skip
    found = ready.publish(a_build(files=tuple(files)), {f"files/{n}": ready.home / str(n) for n in range(2)})
    assert [file.name for file in found.build.files] == ["a_.txt", "a_.txt-2"]


def test_links_and_devices_are_omitted_and_noted(ready: Press) -> None:
    target = ready.home / "target"
    target.write_text("x")
    link = ready.home / "link"
    link.symlink_to(target)
    one = File(name="x.txt", sha256="0" * 64, size=1, kind="other", path="files/x.txt")
    log = Log(name="x.log", path="logs/x.log", size=0, lines=0)
    for path in (link, Path("/dev/null"), ready.home):
        found = ready.publish(a_build(files=(one,), logs=(log,)), {"files/x.txt": path, "logs/x.log": link})
        assert not found.sizes
        assert found.build.files[0].path == ""
        assert found.build.logs == ()
        assert found.build.notes == (
            "logs/x.log: not published: it is not a plain file",
            "files/x.txt: not published: it is not a plain file",
        )


def test_redacted_artifact_is_noted(ready: Press) -> None:
    found, content = ready.artifact("x.html", f"<p>\n{SECRET} at 10.0.1.2\n".encode())
    assert content == f"<p>\n[REDACTED:cloud] at {NODE}\n".encode()
    assert found.build.notes == ("files/x.html: changed: 1 of its lines were redacted",)


def boom(*_: object, **__: object) -> None:
    raise RuntimeError(f"the value was {SECRET}")


def forever(*_: object, **__: object) -> None:
    re.match(r"(?:a+)+b", "a" * 60)  # takes thousands of years


@pytest.mark.integration
@pytest.mark.parametrize(
    "fault, message",
    [(boom, r"held back: the filter failed: RuntimeError in test_redact\.py:\d+"), (forever, "did not end within 1 seconds")],
)  # fmt: skip
def test_failing_filter_publishes_and_quotes_nothing(
    ready: Press, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None], message: str
) -> None:
    monkeypatch.setattr(Redactor, "spans", fault)
    monkeypatch.setattr(publication, "SECONDS_A_MINUTE", 0.1 if fault is forever else 60.0)
    with pytest.raises(Held) as caught:
        ready.line(f"password={SECRET}\n")
    assert re.search(message, str(caught.value))
    assert caught.value.exit_code == 3
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not (ready.home / "bundles").exists()


def test_interruption_is_not_held(ready: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: object) -> None:
        raise Aborted("ended by SIGTERM")

    monkeypatch.setattr(Redactor, "spans", ended)
    with pytest.raises(Aborted, match="ended by SIGTERM"):
        ready.line("password=x\n")
    monkeypatch.setattr(Redactor, "spans", lambda *_: Path("/nowhere/at/all").read_text())
    with pytest.raises(Held, match="held back: No such file or directory"):
        ready.line("password=x\n")


@pytest.mark.parametrize("text", [SECRET, in_base64("u:"), "ghp_" + "a1" * 20, BEGIN])
def test_final_scan_finds_missed_secret(ready: Press, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(Redactor, "spans", lambda *_: [])
    with pytest.raises(Held, match=r"held back: the rule (cloud|github-token|private-key) still matches") as caught:
        ready.line(f"x {text} y\n")
    assert text not in str(caught.value)
    assert not list(ready.home.glob("bundles/**/*"))


@pytest.mark.parametrize("wrap", ["\n", "\n    ", "\r\n"])
def test_wrapped_secret_prevents_publication(ready: Press, wrap: str) -> None:
    with pytest.raises(Held, match="the rule cloud still matches"):
        ready.line(f"x {SECRET[:8]}{wrap}{SECRET[8:]} y\n")
    with pytest.raises(Held):
        ready.publish(a_build(message=f"x {SECRET[:8]}{wrap}{SECRET[8:]} y"))


@pytest.mark.parametrize(
    "source, message",
    [
        ({"env": "NOT_SET"}, "the secret cloud: NOT_SET: is not set"),
        ({"env": "SHORT"}, "the secret cloud: SHORT: is too short: at least 6 characters are required"),
        ({"file": "/nowhere/at/all"}, "the secret cloud: /nowhere/at/all: cannot be read"),
    ],
)
def test_unreadable_secret_prevents_publication(
    lab_factory: Callable[..., Lab],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setenv("SHORT", "abcde")
    lab = lab_that_publishes(lab_factory, secrets=[{"name": "cloud"} | source])
    with pytest.raises(ConfigurationError, match=message):
        press(lab, tmp_path)


def test_each_line_of_secret_file_is_redacted(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("line-one-of-it\n\nline-two-of-it\n")
    ready = press(lab_that_publishes(lab_factory, secrets=[{"name": "k", "file": str(tmp_path / "key")}]), tmp_path)
    assert ready.line("line-two-of-it, line-one-of-it\n") == "[REDACTED:k], [REDACTED:k]\n"


def test_name_of_public_site_is_public(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory(
        lab={
            "publish": {"jobs": ["*"], "domains": ["lab.example"], "emails": "show"},
            "public": {"site_url": "https://qa.lab.example/"},
            "jenkins": {"url": "https://ci.inner.example/"},
        }
    )
    shown = press(lab, tmp_path).line("qa.lab.example db.lab.example ci.inner.example me@x.example\n")
    db, ci = KEY.name("node", "db.lab.example"), KEY.name("node", "ci.inner.example")
    assert shown == f"qa.lab.example {db} {ci} me@x.example\n"


@pytest.mark.parametrize("own", known_secrets.OWN, ids=lambda own: own.name)
def test_own_credentials_are_redacted(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: KnownSecret
) -> None:
    monkeypatch.setenv(own.env or "", SECRET)
    assert press(lab_that_publishes(lab_factory), tmp_path).line(f"{SECRET}\n") == f"[REDACTED:{own.name}]\n"


def test_tokens_of_outputs_are_redacted(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALAB_GITHUB_TOKEN", SECRET)
    file = tmp_path / "token"
    statuses = [{"forge": "github"}, {"forge": "gitlab", "token": {"file": "/srv/token"}}]
    own = Notifications.model_validate_json(json.dumps({"statuses": statuses})).credentials
    own = (own[0], own[1].model_copy(update={"file": str(file)}))
    assert [secret.value for secret in known_secrets.gather((), own)] == [SECRET]  # a file of another machine
    file.write_text("glpat-0123456789\n")
    assert [secret.value for secret in known_secrets.gather((), own)] == [SECRET, "glpat-0123456789"]
    lab = lab_that_publishes(lab_factory)
    settings = {"notifications": lab.notifications.model_copy(update={"statuses": (CommitStatuses(forge="github"),)})}
    assert press(lab.model_copy(update=settings), tmp_path).line(f"{SECRET}\n") == "[REDACTED:github-token]\n"


def test_pattern_that_matches_its_mark_hides_line(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_that_publishes(lab_factory, patterns=[{"name": "odd", "pattern": "d+"}])
    ready = press(lab, tmp_path)
    assert ready.line("one\ntwo d\n") == "one\n[REDACTED:line]\n"


def test_lone_surrogate_is_visible(ready: Press) -> None:
    assert ready.publication.redactor.text("caf\udce9") == "caf\ufffd"


def test_shortened_log_is_noted(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    ready = press(lab_that_publishes(lab_factory, logs={"first": 0, "last": 0, "line": 80}), tmp_path)
    shown = ready.line("line\n" * 200_000)
    assert re.fullmatch(r"line\n\[\.\.\. 999,995 bytes of this log are left out here \.\.\.\]\n", shown)
    (actual,) = ready.home.glob("bundles/*/*")
    build = bundle.read(actual).build
    assert build.notes == ("logs/x.log: only its beginning and its end are published",)
    assert (build.logs[0].cut, build.logs[0].lines, build.logs[0].size) == (True, 2, len(shown))
