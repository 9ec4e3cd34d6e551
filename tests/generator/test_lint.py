"""What lint finds, and what it lets be; in jobs as Jenkins Job Builder makes them and as Jenkins keeps them."""

from __future__ import annotations

import pytest

from generator.items import Item, ItemKey
from generator.lint import lint
from tests.generator.roundtrips import DATA as RECORDED


def job(name: str, inside: str = "") -> Item:
    return Item(ItemKey("job", name), f"<?xml version='1.1' encoding='UTF-8'?><project>{inside}</project>")


def said(*items: Item) -> str:
    return "\n".join(map(str, lint(items)))


def shell(command: str) -> str:
    escaped = command.replace("&", "&amp;").replace("<", "&lt;")
    return f"<builders><hudson.tasks.Shell><command>{escaped}</command></hudson.tasks.Shell></builders>"


@pytest.mark.parametrize(
    "name, problem",
    [
        ("a?b", "it has '?'"),
        ("a*", "it has '*'"),
        ("a\\b", "it has '\\\\'"),
        ("50%", "it has '%'"),
        ("ship it!", "it has '!'"),
        ("a@2", "it has '@'"),
        ("c#", "it has '#'"),
        ("$HOME", "it has '$'"),
        ("a^b", "it has '^'"),
        ("a&b", "it has '&'"),
        ("a|b", "it has '|'"),
        ("<a>", "it has '<'"),
        ("a[1]", "it has '['"),
        ("a:b", "it has ':'"),
        ("a;b", "it has ';'"),
        ("a\tb", "it has '\\t'"),
        ("", "it is empty"),
        (".", "it ends with a dot"),
        ("..", "it ends with a dot"),
        ("v1.", "it ends with a dot"),
        (" a", "blanks around it"),
        ("folder//a", "it is empty"),
        ("folder/a*", "it has '*'"),
        ("fol*der/a", "it has '*'"),
    ],
)
def test_invalid_names_are_reported(name: str, problem: str) -> None:
    for kind in ("job", "view"):
        text = said(Item(ItemKey(kind, name), "<project/>"))  # type: ignore[arg-type]
        assert text.startswith(f"{kind} {name}: Jenkins refuses the name")
        assert problem in text


@pytest.mark.parametrize(
    "name", ["a", "QA lab", "lib++", "ä-ö", "v1.2", ".a", "a{b}", "a,b", "a'b", 'a"b', "x/y/z", "a=b"]
)
def test_valid_names_are_not_reported(name: str) -> None:
    assert said(job(name)) == ""


def test_duplicate_names_are_reported() -> None:
    assert said(job("f/a"), job("f/a")).startswith("job f/a: is there 2 times")
    assert said(job("Build"), job("build")).startswith("job build: differs from Build by case alone")
    assert said(job("f/a"), job("F/a")).startswith("job F/a: differs from f/a by case alone")
    assert said(job("a"), job("f/a"), Item(ItemKey("view", "a"), "<v/>"), Item(ItemKey("view", "A"), "<v/>")) == ""


REFERENCES = {
    "trigger": "<publishers><hudson.tasks.BuildTrigger><childProjects>{}</childProjects></hudson.tasks.BuildTrigger></publishers>",
    "parameterized": "<hudson.plugins.parameterizedtrigger.BuildTriggerConfig><projects>{}</projects>"
    "</hudson.plugins.parameterizedtrigger.BuildTriggerConfig>",
    "blocking": "<hudson.plugins.parameterizedtrigger.BlockableBuildTriggerConfig><projects>{}</projects>"
    "</hudson.plugins.parameterizedtrigger.BlockableBuildTriggerConfig>",
    "copyartifact": "<hudson.plugins.copyartifact.CopyArtifact><project>{}</project></hudson.plugins.copyartifact.CopyArtifact>",
    "promoted": "<hudson.plugins.promoted__builds.conditions.DownstreamPassCondition><jobs>{}</jobs>"
    "</hudson.plugins.promoted__builds.conditions.DownstreamPassCondition>",
    "reverse": "<jenkins.triggers.ReverseBuildTrigger><upstreamProjects>{}</upstreamProjects></jenkins.triggers.ReverseBuildTrigger>",
    "join": "<join.JoinTrigger><joinProjects>{}</joinProjects></join.JoinTrigger>",
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_references_to_missing_jobs_are_reported(kind: str) -> None:
    here = [job("there"), job("f/near"), job("f/g/deep")]
    names = "gone" if kind == "copyartifact" else "there, gone,near"
    text = said(*here, job("f/me", REFERENCES[kind].format(names)))
    assert text.startswith("job f/me: ")
    assert text.count("there is no job") == 1
    assert "there is no job gone (name a job that is described here" in text
    assert said(*here, job("f/me", REFERENCES[kind].format("there"))) == ""


@pytest.mark.parametrize(
    "name, known",
    [
        ("near", True),
        ("/f/near", True),
        ("f/near", True),
        ("../there", True),
        ("/there", True),
        ("./near", True),
        ("g/deep", True),
        ("../f/g/deep", True),
        ("$NEXT", True),
        ("build-${SERIES}", True),
        ("near/ARCH=amd64,SERIES=sid", True),
        ("near/ARCH=amd64,SERIES=sid/", True),
        ("near/", True),
        ("f//near", True),
        ("near//x/", False),
        ("", True),
        (" near ", True),
        ("/near", False),
        ("deep", False),
        ("../near", False),
        ("near/x", False),
        ("Near", False),
    ],
)
def test_job_names_resolve_as_in_jenkins(name: str, *, known: bool) -> None:
    here = [job("there"), job("f/near"), job("f/g/deep"), job("f/me", REFERENCES["copyartifact"].format(name))]
    assert (said(*here) == "") is known


SECRETS = [
    ("curl -u admin:hunter22 https://x.example", "a password of curl"),
    ("curl -sS --user 'admin:hunter22' https://x.example", "a password of curl"),
    ("git clone https://bob:hunter22@git.example/x.git", "a password in a URL"),
    ("psql postgresql://app:hunter22@localhost/app", "a password in a URL"),
    ("psql postgresql://hunter22:hunter22@db.example/app", "a password in a URL"),
    ("psql postgresql://hunter22:hunter22@localhost.example/app", "a password in a URL"),
    ("psql postgresql://hunter22:hunter22@127.0.0.1.example/app", "a password in a URL"),
    ("export DB_PASSWORD=hunter22", "a secret in a variable"),
    ("export DB_PASSWORD=fakehunter22", "a secret in a variable"),
    ("export API_TOKEN=example-hunter22", "a secret in a variable"),
    ("PASSWORD='hunter22' make", "a secret in a variable"),
    ('API_KEY="hunter22"', "a secret in a variable"),
    ("aws_secret_access_key=hunter22hunter22", "a secret in a variable"),
    ("mytool --password=hunter22", "a password in an option"),
    ("mytool --api-key hunter22", "a password in an option"),
    ("sshpass -p hunter22 ssh host", "a password of sshpass"),
    ("curl -H 'Authorization: Bearer abcdef0123456789' x", "a secret in a header"),
    ("echo ghp_" + "a1B2" * 9, "a token of GitHub"),
    ("echo glpat-" + "a1B2" * 5, "a token of GitLab"),
    ("aws configure set x AKIA" + "ABCD" * 4, "an access key of AWS"),
    ("echo xoxb-123456789012-abcdef", "a token of Slack"),
    ("echo 11" + "0123456789abcdef" * 2, "a token of Jenkins"),
    ("echo eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijkl", "a JSON web token"),
    ("cat <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nE", "line 2: a private key"),
    ("true\ntrue\nTOKEN=abcdef", "line 3: a secret in a variable"),
]


@pytest.mark.parametrize("command, what", SECRETS)
def test_secrets_in_shell_commands_are_reported(command: str, what: str) -> None:
    text = said(job("a", shell(command)))
    assert text.startswith("job a: builders/hudson.tasks.Shell/command: line ")
    assert what in text
    assert "keep it in Jenkins' credentials" in text
    for secret in ("hunter22", "a1B2", "ABCDABCD", "0123456789", "abcdef"):
        assert secret not in text


@pytest.mark.parametrize(
    "command, severity",
    [
        ("sshpass -p karaf ssh -p 8101 karaf@$HOST feature:list", "warning"),
        ("sshpass -p karaf ssh -o StrictHostKeyChecking=no \\\n  -p 8101 \\\n  karaf@${HOST} feature:list", "warning"),
        ("sshpass -p karaf $HOME/bin/client -u karaf bundle:list", "warning"),
        ("sshpass -p 'karaf' ssh -l karaf $HOST", "warning"),
        ("resp=$(curl -u admin:admin $URL)", "warning"),
        ("curl --user 'admin:admin' https://x.example", "warning"),
        ("psql postgresql://app:app@db.example/app", "warning"),
        ("sshpass -p karaf ssh -p 8101 root@$HOST", "error"),
        ("sshpass -p karaf ssh $HOST\nssh karaf@$HOST", "error"),
        ("sshpass -p hunter22 ssh karaf@$HOST", "error"),
        ("sshpass -p karaf ssh mykaraf@$HOST", "error"),
        ("curl -u admin:admin2 $URL", "error"),
        ("curl -u admin:admin $URL; curl -u admin:hunter22 $URL", "error"),
        ("# curl -u admin:hunter22 $URL", "warning"),
    ],
)
def test_password_that_is_the_name_of_its_user_is_a_warning(command: str, severity: str) -> None:
    """The login that a program comes with is no secret, and a bad idea."""
    [found] = lint([job("a", shell(command))])
    assert found.severity == severity
    assert ("which is the name of its user" in found.what) is (severity == "warning" and "#" not in command)


@pytest.mark.parametrize(
    "command",
    [
        'curl -u "$USER:$PASSWORD" https://x.example',
        "curl -u admin:$PASSWORD https://x.example",
        'curl --user "${CREDENTIALS}" https://x.example',
        "curl --upload-file x https://x.example:8080/y",
        "git clone ssh://git@git.example:29418/x.git",
        "git clone https://$USER:$TOKEN@git.example/x.git",
        "git clone https://git.example/a:b@c.git",
        'return "postgresql://app:app@localhost/app-${database}"',
        "DATABASE=mysql2://test:test@127.0.0.1:3306/test",
        'error "--token [t] or GITHUB_TOKEN= are required"',
        "docker build --secret id=REDIS_PASSWORD --secret id=KEY,src=/run/key .",
        "export CARGO_REGISTRIES_LOCAL_REGISTRY_TOKEN=foo",
        "RTD_TOKEN=fake-rtd-token",
        "DB_PASSWORD=dummy_password make",
        "mytool --api-key example-api-key",
        "PASSWORD=$(cat /run/secret) make",
        'PASSWORD="$DB_PASSWORD"',
        "PASSWORD=`pass show x`",
        "PASSWORD= make",
        "PASSWORD_FILE=/run/secret",
        "TOKEN=/run/secrets/token",
        "USE_TOKEN=true",
        "mytool --password-file /run/secret --password $PASSWORD",
        "mytool --token-count 5",
        '[ "$TOKEN" = "" ] || echo tokens=5',
        "qalab step sbuild --lab lab/lab.yaml --tries 3",
        "git checkout 0123456789abcdef0123456789abcdef01234567",
        "ssh-keygen -l -f key.pub # -----BEGIN PUBLIC KEY-----",
    ],
)
def test_commands_without_secrets_are_not_reported(command: str) -> None:
    assert said(job("a", shell(command))) == ""


PASSWORD = "<hudson.model.PasswordParameterDefinition><name>PW</name><defaultValue>{}</defaultValue></hudson.model.PasswordParameterDefinition>"
PARAMETER = "<hudson.model.StringParameterDefinition><name>{}</name><defaultValue>hunter22</defaultValue></hudson.model.StringParameterDefinition>"


@pytest.mark.parametrize(
    "inside, found",
    [
        ("<x><password>hunter22</password></x>", True),
        ("<x><bindPassword>hunter22</bindPassword></x>", True),
        ("<authToken>hunter22</authToken>", True),
        ("<x><apiKey>hunter22</apiKey></x>", True),
        ("<x><password>{AQAAABAAAAAQm2zY1Yx1rbbOZk3s7hyjRw==}</password></x>", False),
        ("<x><password>${PW}</password></x>", False),
        ("<x><password/></x>", False),
        ("<x><credentialsId>hunter22</credentialsId></x>", False),
        ("<x><passwordVariable>hunter22</passwordVariable></x>", False),
        ("<x><tokenCredentialId>hunter22</tokenCredentialId></x>", False),
        (PASSWORD.format("hunter22"), True),
        (PASSWORD.format("{AQAAABAAAAAQm2zY1Yx1rbbOZk3s7hyjRw==}"), False),
        (PASSWORD.format(""), False),
        (PARAMETER.format("DB_PASSWORD"), True),
        (PARAMETER.format("BRANCH"), False),
        ("<p><properties>A=b\nAPI_TOKEN=hunter22</properties></p>", True),
    ],
)
def test_secrets_in_fields_are_reported(inside: str, *, found: bool) -> None:
    text = said(job("a", inside))
    assert ("in plain text" in text) is found
    assert "hunter22" not in text


@pytest.mark.parametrize(
    "trigger", ["hudson.triggers.TimerTrigger", "hudson.triggers.SCMTrigger", "org.example.UrlTrigger"]
)
def test_invalid_schedules_are_reported(trigger: str) -> None:
    spec = f"<triggers><{trigger}><spec>{{}}</spec></{trigger}></triggers>"
    assert said(job("a", spec.format("H * * * *"))) == ""
    assert said(job("a", spec.format(""))) == ""
    text = said(job("a", spec.format("0 0 * * MON")))
    assert text.startswith(f"job a: triggers/{trigger}/spec: Jenkins would refuse the schedule '0 0 * * MON'")


def test_spec_of_another_class_is_not_a_schedule() -> None:
    assert said(job("a", "<org.example.Upload><spec>[1, 2]</spec></org.example.Upload>")) == ""


@pytest.mark.parametrize("form", ["sent", "stored", "resaved"])
def test_real_jobs_are_checked_in_each_form(form: str) -> None:
    """As Jenkins Job Builder sends them, and as a real Jenkins keeps and rewrites them."""
    items = [
        Item(ItemKey("job", path.name.split(".")[0]), path.read_text())
        for path in sorted(RECORDED.glob(f"*.{form}.xml"))
    ]
    assert len(items) > 5
    assert lint(items) == []
    (complaint,) = lint([item for item in items if item.key.name != "contract-deploy"])
    assert str(complaint).startswith("job contract-build: publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/")
    assert complaint.what == "there is no job contract-deploy"


def test_invalid_xml_is_an_error() -> None:
    assert said(Item(ItemKey("job", "a"), "<project>")).startswith("job a: config.xml: not XML")


def test_complaints_are_sorted_lines() -> None:
    found = [str(one) for one in lint([job("b", shell("TOKEN=abcdef\nTOKEN=abcdef")), job("a*")])]
    assert found == sorted(found)
    assert len(found) == 3
    assert not any("\n" in one for one in found)
