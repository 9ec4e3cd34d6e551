"""``qalab check`` on lab.yaml and on Jenkins Job Builder YAML."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import check
from lab.config.description import Lab
from tests.command import qalab


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.parametrize("text, said", [
    ("- job: {name: a, triggers: [timed: '61 * * * *']}", "61 * * * *"),
    ("- job: {name: a, builders: [shell: 'curl -u bot:s3cret http://x/']}", "in plain text"),
    ("- job: {name: a, publishers: [trigger: {project: gone}]}", "gone"),
])  # fmt: skip
def test_check_reports_errors_of_jobs(call: Callable[..., tuple[int, str]], text: str, said: str) -> None:
    write(text, "other.yaml")
    code, printed = call("check", "other.yaml")
    assert (code, said in printed) == (2, True), printed
    write("- job: {name: a}\n- view: {name: v, view-type: list}\n", "other.yaml")
    assert call("check", "other.yaml") == (0, "other.yaml: valid: 1 jobs, 1 views\n")


def test_check_runs_as_the_project_does(
    call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tree/deep").mkdir(parents=True)
    write("- job: {name: a}", "tree/a.yaml")
    write("- job: {name: b, triggers: [timed: '61 * * * *']}", "tree/deep/b.yaml")
    assert call("check", "tree") == (0, "tree: valid: 1 jobs, 0 views\n")
    assert call("check", "tree", "-r")[0] == 2
    assert call("check", "tree", "a", "-r") == (0, "tree: valid: 1 jobs, 0 views\n")
    assert call("check", "tree", "nosuch*") == (
        2, "qalab: no job or view in tree matches nosuch* (a pattern matches the full name of a job or view)\n"
    )  # fmt: skip
    write("[job_builder]\nrecursive=True\n", "j.ini")
    assert call("check", "tree", "--ini", "j.ini")[0] == 2
    monkeypatch.setenv("JJB_CONF", "j.ini")
    assert call("check", "tree")[0] == 2
    assert call("check", "tree", "a") == (0, "tree: valid: 1 jobs, 0 views, with the settings of j.ini\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("- job: {name: x}\n"))
    assert call("check", "-")[1].startswith("-: valid: 1 jobs")


SECRET = "- job: {name: %s, builders: [shell: 'sshpass -p karaf ssh x'], triggers: [timed: '61 * * * *']}\n"


def test_findings_are_told_once_and_can_be_excepted(call: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    write("".join(SECRET % name for name in ("a", "b", "c")), "tree/jobs.yaml")
    code, said = call("check", "tree")
    assert (code, said.count("\n"), said.count("job a and 2 more: ")) == (2, 2, 2), said
    write("[[exception]]\nwhat = '*sshpass*'\nreason = 'the default of what is tested'\n", "tree/qalab-check.toml")
    code, said = call("check", "tree")
    assert (code, said.count("\n"), "sshpass" in said) == (2, 1, False)
    write("[[exception]]\njob = 'a'\nreason = 'x'\n[[exception]]\njob = 'gone'\nreason = 'y'\n", "more.toml")
    code, said = call("check", "tree", "--exceptions", "more.toml")
    assert (code, said.count("job b and 1 more: ")) == (2, 2), said
    assert "tree: the exception for job gone (y) covers nothing: remove it" in said
    found = json.loads(call("check", "tree", "--json", "--exceptions", "more.toml")[1].partition("\nqalab:")[0])[
        "findings"
    ]
    assert [(one["severity"], one["items"]) for one in found] == [("error", ["job b", "job c"])] * 2


@pytest.mark.parametrize("text, said", [
    ("[[exception]]\njob = 'a'\n", "exception.0.reason: Field required"),
    ("[[exception]]\nreason = ''\n", "exception.0.reason: String should have at least 1 character"),
    ("[[exceptions]]\n", "exceptions: Extra inputs are not permitted"),
    ("a", "not TOML"),
])  # fmt: skip
def test_bad_exceptions_are_an_error(call: Callable[..., tuple[int, str]], text: str, said: str) -> None:
    write(text, "jobs/qalab-check.toml")
    code, printed = call("check", "jobs")
    assert (code, said in printed, printed.count("\n")) == (2, True, 1), printed


def test_warnings_do_not_fail_a_check(call: Callable[..., tuple[int, str]]) -> None:
    write("- job: {name: a, builders: [shell: '# sshpass -p karaf ssh x']}\n- job: {name: A}\n", "other.yaml")
    code, said = call("check", "other.yaml")
    assert (code, said.count("qalab: job")) == (0, 2), said
    assert "in a comment: line 1: a password of sshpass in plain text" in said


def test_check_counts_and_names_unknown_keys(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    assert qalab("check", "--lab", lab).stdout.endswith("valid: 1 components, 1 tracks, 1 combinations\n")
    lab.write_text(lab.read_text().replace("series: bookworm", "serie: bookworm"))
    wrong = qalab("check", "--lab", lab)
    assert wrong.returncode == 2
    assert "unknown key; did you mean series?" in wrong.stderr


def test_check_refuses_statuses_for_a_mirror(
    call: Callable[..., tuple[int, str]], small_lab: Callable[..., Path]
) -> None:
    lab = small_lab()
    text = lab.read_text()
    lab.write_text(
        f"{text}public: {{site_url: 'https://qa.example/'}}\nnotifications:\n  statuses:\n  - forge: github\n"
    )
    code, printed = call("check", "--lab", str(lab))
    line = text.count("\n") + 4
    assert code == 2
    assert (
        f"{lab}:{line}: notifications.statuses.0: https://github.com/: no upstream repository of a component is there"
        in printed
    )


def test_check_warns_of_probable_mistakes(
    call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.config.releases.codenames", lambda _: frozenset({"trixie"}))
    text = Path("lab.yaml").read_text()
    Path("lab.yaml").write_text(
        "\n".join(line for line in text.splitlines() if "jenkins" not in line and "url" not in line)
    )
    code, printed = call("check")
    assert code == 0
    assert "qalab: lab.yaml: warning: series.bookworm: distro-info-data knows no release bookworm of debian" in printed
    assert "lab.yaml: valid: 1 components" in printed
    code, printed = call("check", "--json")
    assert (code, '"warnings": [\n    "lab.yaml: warning: series.bookworm' in printed) == (0, True)


@pytest.mark.parametrize(
    "application, exercises, fault",
    [
        ("{role: postgresql}", "[]", "deployment.applications.web.role: no postgresql; known: package, "),
        ("{role: mariab}", "[]", "deployment.applications.web.role: no mariab; did you mean mariadb? "),
        ("{role: package, options: {helth: x}}", "[]", "deployment.applications.web.options.helth: no helth; did you mean health? "),
        ("{role: package, options: {command: \"echo 'x\"}}", "[]", "deployment.applications.web.options.command: not a command: "),
        ("{role: package, options: {health: ''}}", "[]", "deployment.applications.web.options.health: is empty"),
        ("{role: package, options: {prints: '('}}", "[]", "deployment.applications.web.options.prints: not a regular expression"),
        ("{role: package, options: {patience: soon}}", "[]", "deployment.applications.web.options.patience: not a number of seconds"),
        ("{role: package, options: {patience: 5}}", "[]", "deployment.applications.web.options.patience: does nothing without health"),
        ("{role: package, options: {prints: web}}", "[]", "deployment.applications.web.options.prints: does nothing without command"),
        ("{role: keystone, options: {accept_errors: '['}}", "[]", "deployment.applications.web.options.accept_errors: not a regular expression"),
        ("{role: keystone, options: {region: Two}}", "[]", "deployment.applications.web.options.region: no region; known: "),
        ("{role: glance, options: {starts_nothing: 1}}", "[]", "deployment.applications.web.options.starts_nothing: must be true or false"),
        ("{role: nova, options: {health: 'true'}}", "[]", "deployment.applications.web.options.health: no health; known: "),
        ("{role: neutron, options: {mechanism: linuxbridge}}", "[]",
         "deployment.applications.web.options.mechanism: linuxbridge; known: openvswitch, ovn"),
        ("{role: neutron, options: {external_cidr: 192.0.2.1/24}}", "[]",
         "deployment.applications.web.options.external_cidr: 192.0.2.1/24 has host bits set; such as 172.24.4.0/24"),
        ("{role: neutron, options: {external_cidr: 192.0.2.1/32}}", "[]",
         "deployment.applications.web.options.external_cidr: too small for floating addresses: 192.0.2.1/32"),
        ("{role: package, to: []}", "[]", "deployment.applications.web.to: names no node"),
        ("{role: package}", "[tokn]", "deployment.exercises.0: no exercise tokn; did you mean token? known: "),
        ("{role: glance}", "[token]", "deployment.exercises.0: token: needs the role keystone, which no application has"),
        ("{role: keystone}", "[token, image-bundle]", "deployment.exercises.1: image-bundle: needs the role glance, which no application has"),
        ("{role: keystone}", "[instance]", "deployment.exercises.0: instance: needs the role glance, which no application has"),
        ("{role: package}, api: {role: package}}, relations: [[web, api], [api, web]", "[]", "deployment.relations: a circle: "),
        ("{role: package}", "[{name: smoke, run: nowhere}]", "deployment.exercises.0.run: nowhere: no such file in "),
    ],
)  # fmt: skip
def test_check_finds_faults_of_the_deployment(
    small_lab: Callable[..., Path], application: str, exercises: str, fault: str
) -> None:
    lab = small_lab(track={"phases": ["build", "deploy", "exercise"]})
    closing = "]" if "relations" in application else "}"
    deployment = f"deployment: {{applications: {{web: {application}{closing}, exercises: {exercises}}}\n"
    lab.write_text(lab.read_text() + deployment)
    checked = qalab("check", "--lab", lab)
    line = len(lab.read_text().splitlines())
    assert (checked.returncode, f"qalab: {lab}:{line}: {fault}" in checked.stderr) == (2, True), checked.stderr
    named = deployment.replace("deployment: ", "deployments: {other: ").replace("\n", "}\n")
    text = lab.read_text().replace(deployment, named)
    lab.write_text(text.replace("  trunk:\n", "  trunk:\n    deployment: other\n"))
    checked = qalab("check", "--lab", lab)
    fault = fault.replace("deployment.", "deployments.other.", 1)
    assert (checked.returncode, fault in checked.stderr) == (2, True), checked.stderr


def test_name_that_the_terminal_cannot_show(
    call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("- job: {name: a}", "grün.yaml")
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii", write_through=True))
    assert call("check", "grün.yaml")[0] == 0
    assert shown.getvalue() == b"gr\\xfcn.yaml: valid: 1 jobs, 0 views\n"


def test_check_warns_of_packages_for_another_machine(
    call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.check.architecture", lambda: "riscv64")
    _, printed = call("check")
    expected = "series.bookworm.architectures: this machine builds for riscv64, and not for amd64"
    assert f"qalab: lab.yaml: warning: {expected}" in printed


def test_check_warns_of_missing_architectures(lab_factory: Callable[..., Lab]) -> None:
    series = {"bookworm": {"architectures": ["amd64", "arm64", "amd46"]}}
    lab = lab_factory(lab={"series": series}, component={"build": {"cross": False}})
    assert [*check.not_built_here(lab)] == [
        "series.bookworm.architectures: dpkg knows no architecture amd46",
        "greet on trunk is not built for arm64, amd46 (build.cross: false)",
    ]
