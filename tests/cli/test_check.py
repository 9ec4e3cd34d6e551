"""``qalab check`` on lab.yaml and on Jenkins Job Builder YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import qalab


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.parametrize("text, said", [
    ("- job: {name: a, triggers: [timed: '61 * * * *']}", "61 * * * *"),
    ("- job: {name: a, builders: [shell: 'curl -u bot:s3cret http://x/']}", "in plain text"),
    ("- job: {name: a, publishers: [trigger: {project: gone}]}", "gone"),
])  # fmt: skip
def test_check_looks_at_any_jobs(call: Callable[..., tuple[int, str]], text: str, said: str) -> None:
    write(text, "other.yaml")
    code, printed = call("check", "other.yaml")
    assert (code, said in printed) == (2, True), printed
    write("- job: {name: a}\n- view: {name: v, view-type: list}\n", "other.yaml")
    assert call("check", "other.yaml") == (0, "other.yaml: valid: 1 jobs, 1 views\n")


def test_check_counts_and_names_unknown_keys(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    assert qalab("check", "--lab", lab).stdout.endswith("valid: 1 components, 1 tracks, 1 combinations\n")
    lab.write_text(lab.read_text().replace("series: bookworm", "serie: bookworm"))
    wrong = qalab("check", "--lab", lab)
    assert wrong.returncode == 2
    assert "unknown key; did you mean series?" in wrong.stderr


def test_check_warns_of_what_is_probably_a_mistake(
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


def test_check_warns_of_packages_for_another_machine(
    call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.check.architecture", lambda: "riscv64")
    _, printed = call("check")
    expected = "series.bookworm.architectures: this machine builds for riscv64, and not for amd64"
    assert f"qalab: lab.yaml: warning: {expected}" in printed
