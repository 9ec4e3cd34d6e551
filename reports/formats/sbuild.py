"""sbuild's logs: a case for each stage that was come to, and for each check that sbuild ran after the build.

The package's fault (``failed``): a build that fails or stalls, build dependencies that nobody has.  All else is
the lab's (``error``, ``testbed``): a chroot that does not work, a log that ends without a summary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from reports.formats import texts
from reports.formats.texts import Unreadable
from reports.model import Case, Nuance, Outcome

FORMAT = "sbuild"
MARK = re.compile(rb"\Asbuild \(Debian sbuild\) |^\| Summary +\|\n\+-+\+\n\nBuild Architecture: ", re.MULTILINE)
FIELD = re.compile(r"^([A-Z][A-Za-z-]*): (.*)$", re.MULTILINE)
HEADING = re.compile(r"^\+-{78}\+\n\| (.+?) *\|\n\+-{78}\+\n", re.MULTILINE)
STALLED = re.compile(r"E: Build killed with signal \w+ after \d+ minutes of inactivity")
UNMET = re.compile(r"^The following packages have unmet dependencies:\n(?: .*\n)+", re.MULTILINE)
OF_APT = re.compile(r"^ *(sbuild-build-depends-\S+ : )?(Depends: )?")
COMPLAINT = re.compile(r".*\b(?:[Ee]rror|ERROR|FAIL(?:ED)?|fatal|No such file|undefined reference)\b.*")
SECOND_HAND = re.compile(r"make(?:\[\d+\])?: |dpkg-buildpackage: |dh_auto_|E: ")
BUILD_BEGINS = "Command: dpkg-buildpackage "
BUILD_ENDS = f"\n{'-' * 80}\nBuild finished at "
CHECKS = ("Lintian", "Piuparts", "Autopkgtest")
SECTIONS = {"install-deps": "Install package build dependencies", "arch-check": "Check architectures", "build": "Build"}
TIMES = {"install-deps": "Install-Time", "build": "Build-Time"}
Summary = Mapping[str, str]


def parse(path: Path) -> Iterator[Case]:
    log = texts.text(path)
    before, found, end = log.rpartition("\n| Summary ")
    summary = dict(FIELD.findall(end)) if found else {}
    package = summary.get("Package", "") or _package(log)
    if "Status" not in summary:
        if not log.startswith("sbuild "):
            raise Unreadable("is no log of sbuild's: it has neither its first line nor its summary")
        message = f"sbuild ended without a summary: {_last_word(log)}"
        yield _case(package, "build", "error", "testbed", message, texts.tail(log))
        return
    sections = _sections(before)
    yield from _stages(package, summary, sections, log)
    for check in CHECKS:
        if verdict := summary.get(check, ""):
            good = verdict in {"pass", "info", "warn", "skipped", "no tests"}
            said = "" if good else log.rpartition(f"\nRunning {check.lower()}...\n")[2]
            evidence = texts.tail(HEADING.split(said, maxsplit=1)[0].strip("\n"))
            yield _case(package, check.lower(), "passed" if good else "failed", "", verdict, evidence)


def _stages(package: str, summary: Summary, sections: Mapping[str, str], log: str) -> Iterator[Case]:
    failed = "" if summary["Status"] == "successful" else summary.get("Fail-Stage") or "build"
    for stage in ("install-deps", "build"):
        if stage == failed or (failed not in {"", "build"}):
            break
        yield _case(package, stage, "passed", seconds=_seconds(summary, stage))
    if failed:
        outcome, nuance, message = _why(failed, summary, sections, log)
        said = sections.get(SECTIONS.get(failed, ""), "") or log
        evidence = texts.tail(said[max(0, said.find(BUILD_BEGINS)) :].partition(BUILD_ENDS)[0], 200)
        yield _case(package, failed, outcome, nuance, message, evidence, _seconds(summary, failed))


def _why(stage: str, summary: Summary, sections: Mapping[str, str], log: str) -> tuple[Outcome, Nuance, str]:
    """How a stage ended that did not end well, in one line."""
    said = sections.get(SECTIONS.get(stage, ""), "")
    if summary["Status"] == "skipped":
        return "skipped", "", _last_word(log)
    if stage == "build":
        if stalled := STALLED.search(said):
            return "failed", "timeout", stalled[0].removeprefix("E: ")
        lines = said.split("\n")
        complaints = [line for line in lines if COMPLAINT.fullmatch(line) and not SECOND_HAND.match(line)]
        makes = [line for line in lines if "*** " in line]
        return "failed", "", [*complaints, *makes, _last_word(log)][0].strip()[: texts.LONGEST_NAME]
    if stage == "install-deps" and (unmet := UNMET.search(log)):
        return (
            "failed",
            "",
            "unmet build dependencies: " + "; ".join(OF_APT.sub("", line) for line in unmet[0].split("\n")[1:-1]),
        )
    if stage == "unpack":
        return "failed", "", _last_word(log)
    return "error", "testbed", f"sbuild failed at {stage}: {_last_word(log)}"


def _case(  # noqa: PLR0913, PLR0917 - what a case is, in its order
    package: str,
    stage: str,
    outcome: Outcome,
    nuance: Nuance = "",
    message: str = "",
    evidence: str = "",
    seconds: float = 0.0,
) -> Case:
    return Case(
        suite=FORMAT, classname=package, name=stage, outcome=outcome, nuance=nuance,
        seconds=seconds, message=message, evidence=evidence,
    )  # fmt: skip


def _sections(log: str) -> dict[str, str]:
    """The text below each heading."""
    parts = HEADING.split(log)
    return {name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _package(log: str) -> str:
    match = re.search(r"^Package: (\S+)$", log, re.MULTILINE)
    return match[1] if match else FORMAT


def _last_word(log: str) -> str:
    """The last complaint of sbuild, else the last line."""
    lines = [line for line in log.split("\n") if line.strip()]
    complaints = [line for line in lines if line.startswith("E: ")]
    return (complaints or lines or [""])[-1].removeprefix("E: ")[: texts.LONGEST_NAME]


def _seconds(summary: Summary, stage: str) -> float:
    told = summary.get(TIMES.get(stage, ""), "")
    return float(told) if told.isascii() and told.isdecimal() else 0.0
