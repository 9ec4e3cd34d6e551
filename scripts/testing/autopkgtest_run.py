"""One run of autopkgtest: its command line, its files, its results.

The rules are those of autopkgtest(1), "OUTPUT FORMAT" and "EXIT STATUS".  apt in the testbed gets its sources, keys and
preferences as files: that works with each version of autopkgtest, while ``--pin-packages`` of 5.28 leaves the rest of a
suite at the priority 500.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.base import environment, files, resources
from lab.base.errors import InfrastructureError
from lab.base.run import Result, Word, missing_program, run
from lab.results import cases
from lab.results.cases import Case, Outcome
from lab.store.step import StepContext
from scripts.testing import testbed_installation
from scripts.testing.mirror_proxy import ARCHIVE_HOST
from scripts.testing.regression import TestResult

BAD_PACKAGE: Final = frozenset({12, 14})
FAILED: Final = frozenset({4, 6})
# 0: passed, 2: skipped or flaky, 4: failed, 6: failed and skipped, 8: no test that counts: none, or all are skipped,
# flaky or superficial.
RAN: Final = frozenset({0, 2, 4, 6, 8, *BAD_PACKAGE})
# The names of the cases for a package without tests, and for one that cannot be tested: see `qalab results convert`.
NO_TESTS: Final = "no tests"
PACKAGE: Final = "[package]"
TESTBED: Final = "[testbed]"
INSTALL_SECONDS: Final = 3000  # autopkgtest's own limit
# The server's own error explains autopkgtest's.
SERVER_ERROR: Final = re.compile(r"^qalab-virt-nspawn: .*", re.MULTILINE)
TESTBED_ERROR: Final = re.compile(r"^(?:autopkgtest \[[\d:]+\]: )?(?:ERROR: )?(testbed failure: .*)", re.MULTILINE)
# The status 100 of its own setup commands counts as the package's fault for autopkgtest, even where apt-get update fails.
SETUP_ERROR: Final = re.compile(r"erroneous package: testbed (?:boot )?setup commands failed")
# autopkgtest fetches and unpacks the source package in the testbed.  Only dpkg-source's own complaint is the package's fault:
# the same status stands for a source package that apt does not know.
EXTRACT_ERROR: Final = re.compile(r"(?:erroneous package|testbed failure): rules extract failed with exit code (\d+)")
UNPACK_ERROR: Final = re.compile(r"^(?: *\d+s )?dpkg-source: error: (.*)", re.MULTILINE)
FULL: Final = "No space left on device"
APT_ERROR: Final = re.compile(r"^[EW]: (Failed to fetch .*|The repository .*)", re.MULTILINE)
# $@: NAME=VERSION.  apt keeps a package of the base back where its new version cannot be installed: the tests would be those
# of the old one.  autopkgtest takes the status 100 for the package's fault.
CHECK_VERSIONS: Final = """
for each; do
    found=$(dpkg-query --show --showformat='${db:Status-Status} ${Version}' "${each%%=*}" 2> /dev/null) || continue
    case $found in
    "installed ${each#*=}") ;;
    installed*) echo "E: ${each%%=*} stays at ${found#* }: ${each#*=} cannot be installed"; exit 100 ;;
    esac
done
"""
KEPT_BACK: Final = re.compile(r"^E: (\S+ stays at .* cannot be installed)$", re.MULTILINE)
OUTCOMES: Final[dict[Outcome, TestResult]] = {
    "passed": "passed",
    "failed": "failed",
    "error": "error",
    "skipped": "neutral",
}
# Of several tests with one name, the worst one counts.
WORST: Final[Sequence[Outcome]] = ("failed", "error", "passed", "skipped")


@dataclass(frozen=True)
class AptSuite:
    """A state of the lab's archive for apt; ``only``: the packages that are taken from it, None: all of them."""

    name: str
    only: tuple[str, ...] | None = None

    @property
    def source(self) -> str:
        return f"deb http://{ARCHIVE_HOST} {self.name} main\n"

    @property
    def preferences(self) -> str:
        """Paragraphs of apt_preferences(5): a later suite wins, and what is not named is not taken from it."""
        release = f"Pin: release n={self.name}\n"
        if self.only is None:
            return f"Package: *\n{release}Pin-Priority: 1001\n\n"
        named = f"Package: {' '.join(self.only)}\n{release}Pin-Priority: 1002\n\n" if self.only else ""
        return f"Package: *\n{release}Pin-Priority: -1\n\n{named}"


@dataclass(frozen=True)
class Autopkgtest:
    """A run of a source package's tests: ``tested`` is a .dsc file, or the name of a source package of the series.

    ``versions``: those that installed packages must have before the tests, by name.
    """

    tested: Word
    suites: Sequence[AptSuite]
    key: str
    trigger: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def argv(self, output: Path, inputs: Path, seconds: int, server: Sequence[Word]) -> list[Word]:
        """Return the command line; ``inputs``: the directory of `write_inputs`, ``server``: the virtualisation server."""
        copies = {
            "archive.asc": "/etc/apt/trusted.gpg.d/qalab.asc",
            "sources": "/etc/apt/sources.list.d/qalab.list",
            "preferences": "/etc/apt/preferences.d/qalab",
        }
        return [
            "autopkgtest", "--no-built-binaries", "--apt-upgrade", f"--output-dir={output}",
            *(f"--copy={inputs / name}:{path}" for name, path in copies.items()),
            *([f"--setup-commands={self._check_versions}"] if self.versions else []),
            *([f"--env=ADT_TEST_TRIGGERS={self.trigger}"] if self.trigger else []),
            f"--timeout-test={seconds}", f"--timeout-build={seconds}", f"--timeout-install={min(seconds, INSTALL_SECONDS)}", "--needs-internet=skip", self.tested, "--", *server,
        ]  # fmt: skip

    @property
    def _check_versions(self) -> str:
        return shlex.join(
            [
                "sh",
                "-euc",
                CHECK_VERSIONS,
                "sh",
                *(f"{name}={version}" for name, version in sorted(self.versions.items())),
            ]
        )

    def write_inputs(self, inputs: Path) -> None:
        """Write the files for apt in the testbed."""
        files.write_atomic(inputs / "archive.asc", self.key)
        files.write_atomic(inputs / "sources", "".join(suite.source for suite in self.suites))
        files.write_atomic(inputs / "preferences", "".join(suite.preferences for suite in self.suites))


@dataclass(frozen=True)
class FinishedRun:
    """What a run has given: its exit code, its cases, the directory of its files."""

    code: int
    directory: Path
    cases: Sequence[Case] = field(default_factory=list)


def server_argv(context: StepContext, archive: str, *options: Word) -> list[Word]:
    """Return the command line of `scripts.testing.virt_nspawn` for the series of a run."""
    words: list[Word] = [sys.executable, "-m", "scripts.testing.virt_nspawn", "--lab", context.lab.file.resolve()]
    return [*words, "--archive", archive, *options, context.series_name]


def execute(context: StepContext, output: Path, tests: Autopkgtest, archive: str, *options: Word) -> FinishedRun:
    """Run tests; their files are in the directory ``output``.

    Raises InfrastructureError for a testbed that does not work: its message is autopkgtest's.
    Raises ConfigurationError without autodep8: autopkgtest then reports packages that need it as having no tests.
    """
    if not environment.find_program("autodep8"):
        raise missing_program("autodep8")
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    inputs = context.run.work / "autopkgtest" / output.relative_to(context.run.results)
    tests.write_inputs(inputs)
    seconds = context.component.test.timeout_minutes * 60
    argv = tests.argv(output, inputs, seconds, server_argv(context, archive, *options))
    done, lines = context.try_sh(argv, cwd=resources.ROOT)
    said = "\n".join(lines)
    hangs = "" if done.returncode in RAN else testbed_installation.hanging(said, tests.versions)
    if not hangs:
        check_unpacked(done, said, tests.tested)
        check(done, said)
    check_tested(output, tests.versions)
    return finished(done.returncode, output, said, hangs)


def finished(code: int, output: Path, said: str, hangs: str = "") -> FinishedRun:
    """Return a run with its cases.  Raises InfrastructureError for results that are lost.

    ``hangs``: what did not end in a package under test.  The run has ended there, and the test fails that needs it.
    """
    found = [*_cases(output)]
    if hangs:
        test, message = testbed_installation.last_test(said) or PACKAGE, f"the installation does not end: {hangs}"
        failed = {"name": test, "outcome": "failed", "nuance": "timeout", "message": message}
        found = [case.model_copy(update=failed if case.name == TESTBED else {}) for case in found]
    check_complete(min(FAILED) if hangs else code, found)
    return FinishedRun(code, output, [*distinct(found, said)])


def explained(case: Case, said: str) -> str:
    """Return the message of a package that cannot be tested, by the output where the result itself does not say why."""
    if SETUP_ERROR.search(case.message) and (found := KEPT_BACK.search(said)):
        return found[1]
    if EXTRACT_ERROR.search(case.message) and (found := UNPACK_ERROR.search(said)):
        return f"the source package cannot be unpacked: {found[1]}"
    return testbed_installation.refused(said, "" if case.name == PACKAGE else case.name) or case.message


def result_of(case: Case) -> TestResult:
    """Return the result of a test by the case of one run."""
    is_bad = case.outcome == "failed" and case.nuance == "bad-package"
    return "uninstallable" if is_bad else OUTCOMES[case.outcome]


def check(done: Result, output: str) -> None:
    """Raise InfrastructureError for a status that says nothing about the package."""
    refused = done.returncode in BAD_PACKAGE and SETUP_ERROR.search(output)
    unfetched = APT_ERROR.findall(output) if refused else []
    if done.returncode in RAN and not unfetched:
        return
    found = unfetched or SERVER_ERROR.findall(output) or TESTBED_ERROR.findall(output)
    ended = f"autopkgtest ended with status {done.returncode}"
    raise InfrastructureError(f"the testbed does not work: {found[-1]}" if found else ended)


def check_tested(output: Path, versions: Mapping[str, str]) -> None:
    """Raise InfrastructureError for a test that ran with another version of a package under test.

    The files ``TEST-packages`` list what the tests have installed; a package of the base is checked before them.
    """
    suffix = "-packages"
    for path in sorted(output.glob(f"?*{suffix}")):
        for name, _, found in (line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines()):
            # The file testbed-packages has the base before its upgrade; a package without a version is not installed.
            if path.name != f"testbed{suffix}" and found and versions.get(name, found) != found:
                test = path.name.removesuffix(suffix)
                raise InfrastructureError(f"{test} ran with {name} {found}, and not the {versions[name]} to be tested")


def check_unpacked(done: Result, output: str, tested: Word) -> None:
    """Raise InfrastructureError for a source package that is not there, or a full disk: nothing was tested."""
    found = EXTRACT_ERROR.search(output) if done.returncode not in RAN - BAD_PACKAGE else None
    if not found or (UNPACK_ERROR.search(output) and FULL not in output):
        return
    if FULL in output:
        raise InfrastructureError(
            "the testbed is full: the source package cannot be unpacked", hint="free space in the cache of this machine"
        )
    if isinstance(tested, Path):
        what, hint = f"{tested.name} cannot be unpacked in the testbed", f"try: dpkg-source --extract {tested}"
    else:
        what = f"the testbed cannot fetch the source package {tested}"
        hint = f"see that the mirror of the series has its sources: apt-get source --download-only {tested}"
    raise InfrastructureError(f"{what} (status {found[1]})", hint=hint)


def check_complete(code: int, found: Iterable[Case]) -> None:
    """Raise InfrastructureError where the results and the exit code contradict each other: some results are lost."""
    seen = {(case.outcome, case.nuance == "bad-package") for case in found}
    failed, bad = any(outcome == "failed" for outcome, _ in seen), ("failed", True) in seen
    if not seen or (bad if code in BAD_PACKAGE else failed) is not (code in FAILED | BAD_PACKAGE):
        raise InfrastructureError(f"autopkgtest ended with status {code}, and its results do not explain this")


def distinct(found: Iterable[Case], said: str = "") -> Iterator[Case]:
    """Yield one case for each test, without that of a package without tests; ``said``: the output."""
    kept: dict[str, Case] = {}
    for case in found:
        other = kept.get(case.name)
        if other is None or WORST.index(case.outcome) < WORST.index(other.outcome):
            kept[case.name] = case
    for case in kept.values():
        if case.nuance == "bad-package":
            yield case.model_copy(update={"message": explained(case, said)})
        elif (case.name, case.outcome) != (NO_TESTS, "skipped"):
            yield case


def _cases(output: Path) -> Iterator[Case]:
    """Return the cases of an output directory, read by the one reader of all formats; none of an empty summary."""
    summary = output / "summary"
    if not (summary.is_file() and summary.read_bytes().strip()):
        return
    argv: list[Word] = [sys.executable, "-m", "cli", "results", "convert", "--cases", "autopkgtest", summary]
    converted = run(argv, cwd=resources.ROOT, capture=True, check=False)
    if converted.returncode not in {0, 1}:
        raise InfrastructureError(f"{output}: the results cannot be read (status {converted.returncode})")
    yield from cases.parse(converted.stdout)
