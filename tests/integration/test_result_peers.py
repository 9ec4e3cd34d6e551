"""The counts and the verdict of results are those of independent readers: TAP::Parser, tap-parser, junitparser, python-subunit.

The files are the recorded outputs and files made by chance; the variable QALAB_RESULTS_CORPUS names a directory with
more, whose differences are shown (``pytest -s``) and must not be a failure that only the other reader sees.  A
difference is accepted for a reason that is in the file, or in what the other reader says; each has its line below.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.results.cases import Case
from reports.formats import registry
from tests.integration.peers import generated
from tests.reports.formats import fixtures

pytestmark = pytest.mark.integration
PEERS = Path(__file__).parent / "peers"
CORPUS = os.environ.get("QALAB_RESULTS_CORPUS", "")
Said = dict[str, object]
# Differences of the other reader: a pattern of the file's content or of the reader's output, the reason, and what
# alone may differ for it.  "stricter": we say that a document is bad, and it does not; "looser": the other way round.
REASONS: dict[str, dict[str, tuple[str, set[str]]]] = {
    "TAP::Parser": {
        r"YAMLish|it did not end": ("it understands a part of YAML only, and loses points", {"count", "bad", "looser"}),
        r"TAP specified version 14|Got version 12|TAP version is present": ("it knows version 13 only, on the first line", {"looser"}),
        r"Tests out of sequence": ("it wants the points in order", {"looser"}),
        r"^1\.\.\d+ +todo": ("it knows the plan of TAP 12 with todo tests", {"bad", "stricter"}),
        r"^1\.\.\d+ *#(?s:.*)No plan found": ("it knows no comment after a plan", {"looser"}),
        r"^    +not ok": ("it does not read subtests", {"stricter"}),
        r"^Bail out!": ("a bail out is no problem for it", {"stricter"}),
        r"^not ok.*# *(?i:skip)": ("it fails a skipped test that is not ok", {"looser"}),
        r"^pragma \+strict": ("its strict mode accepts more lines", {"stricter"}),
        r"\A(?:.*\n)?\S+ \.\.+ *$": ("it does not read the output of prove", {"count", "bad"}),
        r"could not determine iterator": ("it does not read an empty file", {"died"}),
    },
    "tap-parser": {
        r"^Bail out!": ("it does not count the points after a bail out", {"count", "stricter"}),
        r"\A(?:(?!^(?:not )?ok\b)[\s\S])*\Z": ("a file without tests is good for it", {"stricter"}),
        r"^1\.\.0(?s:.*)^(?:not )?ok": ("it does not count points after a plan without tests", {"count", "stricter"}),
        r"^1\.\.[1-9](?s:.*)no plan": ("it accepts no blank after a plan in places", {"looser"}),
        r"incorrect number of tests": ("it does not count points after the plan that ends a document", {"count"}),
        r"^1\.\.(\d+)\n1\.\.\1$": ("it accepts a plan that is repeated", {"stricter"}),
        r"# *TODO\w": ("a directive needs no end of its word", {"bad", "stricter"}),
        r"^not *$": ("it does not join `not` and `ok` of VMS", {"bad", "stricter"}),
        r"\A(?:.*\n)?\S+ \.\.+ *$": ("it does not read the output of prove", {"count", "bad"}),
        r"\A(?:(?!^1\.\.)[\s\S])*\Z": ("a document of indented points needs no plan", {"stricter"}),
    },
    "junitparser": {
        r"status=.(?:disabled|notrun|skipped)|result=.(?:suppressed|skipped)": ("it knows no status of a test", {"skipped"}),
        r"tagged with !mayfail": ("it does not know the tests of Catch2 that may fail", {"bad", "skipped"}),
        r"Unable to find executable|Fixture dependency failed": ("it takes what CTest could not run for skipped", {"bad", "skipped"}),
        r"test passes unexpectedly": ("it takes the unexpected successes of nose2 for skipped", {"bad", "skipped"}),
        r"<warning": ("it knows no warnings of PHPUnit", {"bad"}),
        r"^died: (?:XMLSyntax|JUnitXml)Error: ": ("it does not read the file at all", {"died"}),
        r"<testsuites[^>]*>\s*<testcase|</testsuite>\s*<testcase": ("it does not read tests outside of a suite", {"count", "bad", "skipped"}),
    },
    "python-subunit": {
        r"month must be": ("it raises for the time of Perl's emitter", {"died"}),
        r"^error: .* \[ .* \]$": ("it knows no details on the line of a result (cmocka)", {"count", "bad"}),
        r"(?s)\xb3.*setUpClass": ("a class that cannot be set up is a test more for it", {"count", "bad"}),
    },
}  # fmt: skip


def ways(differs: dict[str, tuple[object, object]], *, died: bool) -> set[str]:
    """Return the names of what differs; of a verdict, in which direction."""
    verdict = {"looser" if differs["good"][0] else "stricter"} if "good" in differs else set()
    return {"died"} if died else {*differs, *verdict} - {"good"}


@dataclass(frozen=True)
class Peer:
    """An independent reader: its program reads names of files, and writes a line of JSON for each."""

    name: str
    formats: tuple[str, ...]
    keys: tuple[str, ...]

    def difference(self, path: Path, ours: Said, said: Said) -> str:
        """Return a difference, with its reason after a ``#`` if there is one; "" for none."""
        differs = {key: (ours[key], said[key]) for key in self.keys if key in said and ours[key] != said[key]}
        if not differs and "died" not in said:
            return ""
        text = path.read_bytes().decode("latin-1") + f"\n{said.get('why', '')}\ndied: {said.get('died', '')}"
        found = ways(differs, died="died" in said)
        reasons = [
            why
            for pattern, (why, may) in REASONS[self.name].items()
            if found <= may and re.search(pattern, text, re.MULTILINE)
        ]
        reason = next(iter(reasons), "")
        return f"{self.name}: {path}: {differs or said.get('died')}{f' # {reason}' if reason else ''}"


PERL = Peer("TAP::Parser", ("tap",), ("count", "bad", "good"))
NODE = Peer("tap-parser", ("tap",), ("count", "bad", "good"))
JUNITPARSER = Peer("junitparser", ("junit",), ("count", "bad", "skipped"))
SUBUNIT = Peer("python-subunit", ("subunit",), ("count", "bad", "skipped"))


def ours(format_name: str, path: Path) -> Said:
    cases = [case for case in registry.cases(format_name, path) if case.nuance != "rerun"]
    own = [case for case in cases if _is_counted(case, format_name, path)]
    return {
        "count": len(own),
        "bad": sum(case.outcome in {"failed", "error"} for case in own),
        "skipped": sum(case.outcome == "skipped" for case in own),
        "good": not any(case.outcome in {"failed", "error"} for case in cases),
    }


def _is_counted(case: Case, format_name: str, path: Path) -> bool:
    if re.match(r"\[[a-z ]+\](?: \[\d+\])?$", case.name):
        return False  # messages about the document
    return format_name != "tap" or (case.classname == path.stem and case.name != "all tests")  # no subtests


def files(formats: Sequence[str], directory: Path) -> list[tuple[str, Path]]:
    """Return recorded, made and, if there is a corpus, other files."""
    found = [(fixtures.format_of(path), path) for path in fixtures.outputs() if fixtures.format_of(path) in formats]
    makers = [name for name in generated.MAKERS if name.partition("-")[0] in formats]
    found += [(name.partition("-")[0], path) for name in makers for path in generated.made(name, directory)]
    for path in sorted(Path(CORPUS).rglob("*")) if CORPUS else []:
        name = (
            "tap" if path.suffix == ".tap" else registry.recognise(path) if path.suffix in {".xml", ".subunit"} else ""
        )
        if name in formats and path.is_file():
            found.append((name, path))
    return found


def compared(peer: Peer, argv: Sequence[str | Path], directory: Path, cwd: Path | None = None) -> None:
    chosen = files(peer.formats, directory)
    names = "".join(f"{path}\n" for _, path in chosen)
    done = subprocess.run(argv, input=names, capture_output=True, text=True, check=True, cwd=cwd, timeout=1200)
    said = {each["file"]: each for each in map(json.loads, done.stdout.splitlines())}
    differences = [peer.difference(path, ours(name, path), said[str(path)]) for name, path in chosen]
    found = [each for each in differences if each]
    sys.stderr.write("\n".join([f"{peer.name}: {len(chosen)} files, {len(found)} differ", *found, ""]))
    assert [each for each in found if " # " not in each] == []


def test_tap_with_perl(tmp_path: Path) -> None:
    compared(PERL, ["perl", PEERS / "tap.pl"], tmp_path)


@pytest.mark.full
def test_tap_with_node(tmp_path: Path) -> None:
    install = ["npm", "install", "--prefix", tmp_path, "--silent", "--no-audit", "--no-fund", "tap-parser@18"]
    subprocess.run(install, check=True, timeout=600)
    (tmp_path / "tap.mjs").write_text((PEERS / "tap.mjs").read_text())
    compared(NODE, ["node", tmp_path / "tap.mjs"], tmp_path)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with junitparser and python-subunit."""
    directory = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    packages = ["junitparser==5.0.3", "python-subunit", "testtools", "lxml"]
    subprocess.run([directory / "bin/pip", "--quiet", "install", *packages], check=True, timeout=600)
    return directory / "bin/python"


@pytest.mark.full
@pytest.mark.parametrize(("peer", "program"), [(JUNITPARSER, "junit_counts.py"), (SUBUNIT, "subunit_counts.py")])
def test_with_python_libraries(peer: Peer, program: str, python: Path, tmp_path: Path) -> None:
    compared(peer, [python, PEERS / program], tmp_path)
