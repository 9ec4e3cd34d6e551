"""The step autopkgtest in real containers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.archive_place import reader_of
from scripts import autopkgtest
from scripts.testing import autopkgtest_judging, autopkgtest_run
from scripts.testing.autopkgtest_run import FinishedRun
from tests.conftest import Bench
from tests.toylab import Toy, bench, promote, publish

pytestmark = [pytest.mark.integration, pytest.mark.full]
SMOKE = '#!/bin/sh\nset -e\ntest "$(cat /usr/share/greet/version)" = {version}\n'
REBOOT = """#!/bin/sh
set -e
[ -n "$AUTOPKGTEST_REBOOT_MARK" ] || { touch /var/tmp/before; /tmp/autopkgtest-reboot again; }
test "$AUTOPKGTEST_REBOOT_MARK" = again -a -e /var/tmp/before
"""
SERVICE = """#!/bin/sh
set -e
systemd-run --quiet --unit=toy sleep 1000
systemctl is-active toy
ip -brief address show host0 | grep 10.20.0.
"""


def control(*tests: str) -> str:
    return "\n\n".join(tests) + "\n"


def cases_of(work: Bench) -> dict[str, dict[str, Any]]:
    path = work.run.path / "results/native/autopkgtest.jsonl"
    return {each["name"]: each for each in map(json.loads, path.read_text().splitlines())}


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Lab:
    return lab_factory()


def test_autopkgtest_in_containers(lab: Lab, tmp_path: Path) -> None:
    tests = {
        "control": control(
            "Tests: smoke\nDepends: @\nRestrictions: superficial",
            "Tests: service\nDepends: @, iproute2\nRestrictions: isolation-container, needs-root",
            "Tests: reboot\nDepends: @\nRestrictions: needs-reboot, needs-root",
            "Tests: machine\nRestrictions: isolation-machine",
            "Tests: internet\nRestrictions: needs-internet",
        ),
        "smoke": SMOKE.format(version="1.0"),
        "service": SERVICE,
        "reboot": REBOOT,
        "machine": "#!/bin/sh\n",
        "internet": "#!/bin/sh\n",
    }
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.0", tests=tests)]))
    record = work.execute(autopkgtest)
    assert (record.verdict, record.message) == ("passed", "3 of 5 tests passed"), work.log("autopkgtest")
    outcomes = {name: case["outcome"] for name, case in cases_of(work).items()}
    assert outcomes == {
        "smoke": "passed", "service": "passed", "reboot": "passed", "machine": "skipped", "internet": "skipped",
    }  # fmt: skip
    assert (work.run.results / "parameters.properties").exists()


def test_autopkgtest_compares_with_baseline(lab: Lab, tmp_path: Path) -> None:
    tests = {
        "control": control("Tests: smoke always\nDepends: @"),
        "smoke": SMOKE.format(version="1.0"),
        "always": "#!/bin/sh\necho broken since ever >&2\nexit 1\n",
    }
    publish(lab, tmp_path, [Toy("greet", "1.0", tests=tests)])
    promote(lab, tmp_path)
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", tests=tests)]))
    record = work.execute(autopkgtest)
    assert record.verdict == "failed", work.log("autopkgtest")
    assert record.message.startswith("regression: smoke: non-zero exit status 1; does not fail in trunk-tested")
    assert "; always fails in trunk-tested" in record.message
    assert cases_of(work)["always"]["outcome"] == "skipped"
    assert cases_of(work)["smoke"]["outcome"] == "failed"
    assert record.facts["runs"] == {"candidate": 4, "retry": 4, "baseline": 4, "baseline-retry": 4}
    again = work.execute(autopkgtest)
    assert (again.message, again.facts["runs"]) == (record.message, {"candidate": 4, "retry": 4})
    mended = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.2", tests={**tests, "smoke": "#!/bin/sh\n"})]))
    record = mended.execute(autopkgtest)
    assert record.verdict == "passed"
    assert record.message.startswith("1 of 2 tests passed; always fails in trunk-tested")


FAILS = (
    "the package greet cannot be installed: installed greet package post-installation script subprocess returned error exit "
    "status 3 (no such user)"
)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("sleep infinity", "the installation does not end: Setting up greet (1.1) ..."),
        ("echo no such user >&2; exit 3", FAILS),
    ],
    ids=["hangs", "fails"],
)
def test_autopkgtest_blames_the_maintainer_script(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setattr(autopkgtest_run, "INSTALL_SECONDS", 60)
    tests = {"control": control("Tests: smoke\nDepends: @"), "smoke": "#!/bin/sh\n"}
    publish(lab, tmp_path, [Toy("greet", "1.0", tests=tests)])
    promote(lab, tmp_path)
    toy = Toy("greet", "1.1", files={"DEBIAN/postinst": f"#!/bin/sh\n{script}\n"}, tests=tests)
    work = bench(lab, "greet", publish(lab, tmp_path, [toy]))
    record = work.execute(autopkgtest)
    assert record.verdict == "failed", work.log("autopkgtest")
    assert record.message.startswith(f"regression: smoke: {message}; does not fail in trunk-tested")


def test_autopkgtest_counts_no_former_package(lab: Lab, tmp_path: Path) -> None:
    tests = {"control": control("Tests: smoke\nDepends: greet-tool"), "smoke": "#!/bin/sh\n"}
    publish(lab, tmp_path, [Toy("greet", "1.0", {"greet": "", "greet-tool": ""}, tests=tests)])
    promote(lab, tmp_path)
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", tests=tests)]))
    record = work.execute(autopkgtest)
    assert (record.verdict, record.message) == (
        "skipped",
        "all 1 tests were superficial or skipped; smoke ran with greet-tool 1.0, and with no package of the candidate",
    )


ASK = """#!/bin/sh
set -e
cd "$AUTOPKGTEST_TMP"
/usr/lib/apt/apt-helper download-file http://lab-archive/ready ready 2>&1
"""


def test_autopkgtest_tells_a_flaky_test(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = {"control": control("Tests: asks\nDepends: @"), "asks": ASK}
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.0", tests=tests)]))
    real = autopkgtest_judging.execute

    def then_ready(*of: Any) -> FinishedRun:
        """Have the archive offer after the first run what the test asks for: testbeds themselves keep nothing."""
        done = real(*of)
        Path(reader_of(lab).location, "ready").write_text("ready\n")
        return done

    monkeypatch.setattr(autopkgtest_judging, "execute", then_ready)
    record = work.execute(autopkgtest)
    assert (record.verdict, record.facts["runs"]) == ("unstable", {"candidate": 4, "retry": 0}), work.log("autopkgtest")
    assert record.message == "flaky: asks failed once, and passed once"
    path = work.run.path / "results/native/autopkgtest.jsonl"
    outcomes = [(case["outcome"], case["nuance"]) for case in map(json.loads, path.read_text().splitlines())]
    assert outcomes == [("passed", "flaky"), ("failed", "rerun")]


KINDS = {
    "stderr": ("Restrictions: allow-stderr", "echo said >&2", "passed"),
    "skips": ("Restrictions: skippable", "exit 77", "skipped"),
    "unknown": ("Restrictions: needs-the-moon", "exit 1", "skipped"),
    "classy": ("Classes: desktop\nFeatures: test-thing=1", "true", "passed"),
    "elsewhere": ("Architecture: s390x", "exit 1", "skipped"),
    "unsteady": ("Restrictions: flaky", "exit 1", "skipped"),
    "internet": ("Restrictions: needs-internet", "exit 1", "skipped"),
    "ordinary": ("", 'test "$(id -u)" != 0', "passed"),
    "root": ("Restrictions: needs-root", 'test "$(id -u)" = 0', "passed"),
    "sudo": ("Restrictions: needs-sudo", 'test "$(id -u)" != 0; test "$(sudo --non-interactive id -u)" = 0', "passed"),
    "breaks": ("Restrictions: breaks-testbed, needs-root", "rm /etc/debian_version", "passed"),
    "tree": ("Restrictions: rw-build-tree", "test -e /etc/debian_version; touch debian/made", "passed"),
}


def test_autopkgtest_knows_all_kinds_of_tests(lab: Lab, tmp_path: Path) -> None:
    tests = {name: f"#!/bin/sh\nset -e\n{script}\n" for name, (_, script, _) in KINDS.items()}
    stanzas = [f"Tests: {name}\n{fields}".strip() for name, (fields, _, _) in KINDS.items()]
    stanzas += [
        "Test-Command: true\nFeatures: test-name=named",
        "Test-Command: false\nDepends: hello\nRestrictions: hint-testsuite-triggers",
    ]
    toy = Toy("greet", "1.0", tests={"control": control(*stanzas), **tests})
    work = bench(lab, "greet", publish(lab, tmp_path, [toy]))
    record = work.execute(autopkgtest)
    outcomes = {name: case["outcome"] for name, case in cases_of(work).items()}
    assert outcomes == {name: outcome for name, (_, _, outcome) in KINDS.items()} | {
        "named": "passed", "command1": "skipped",
    }  # fmt: skip
    assert (record.verdict, record.message) == ("passed", "8 of 14 tests passed")


def test_autopkgtest_tells_a_testbed_that_does_not_come_up(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", "file:///nowhere/debian")  # and there is no base of earlier tests
    lab = lab_factory()
    tests = {"control": control("Test-Command: true")}
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.0", tests=tests)]))
    record = work.execute(autopkgtest)
    assert record.verdict == "error", work.log("autopkgtest")
    assert record.message.startswith("the testbed does not work: qalab-virt-nspawn: "), record.message
    assert "/nowhere/debian" in record.message
