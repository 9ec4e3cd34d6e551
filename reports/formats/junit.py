"""JUnit XML of qalab and of others: pytest (xunit1, xunit2), surefire, gtest, CTest, PHPUnit, node, bats, Eclipse ...

There is no standard; the reading is that of the junit plugin of Jenkins (``SuiteResult``, ``CaseResult``), without its
exceptions for what it drops:

- Suites are nested.  A suite that could not be loaded (an ``error`` or ``failure`` of its own) is a case ``[suite]``.
- Output and properties of a suite belong to its first failing cases without output, else to its first case.  The
  system properties of a Java machine, which surefire and Ant dump into each suite, are left out.  surefire's
  ``NAME-output.txt`` next to ``TEST-NAME.xml`` is the output of its suite.
- TAP in the output of a suite (Meson's) is asked for what its tests do not say: a broken plan, "Bail out!".
- A test in an element that is no suite (node's ``undefined``) is a test of the suite around it.
- A suite whose header counts more errors and failures than it has, or tests where it has none, is a failing case
  ``[counts]``.  It is skipped where the document says so: its header counts as many skipped tests as are missing.
- Eclipse's root is ``testrun``: it counts the tests and those that ``started``; a run that was stopped has fewer of them.
- The time of a suite whose cases have none is that of its first case.
- Several tests of one name are runs of one test, as pytest-rerunfailures writes them: the test is bad if one of them is.
- A document that is cut short has the tests before that, and an error.  A DOCTYPE is refused.

See `reports.formats.junit_case` for a test.  The XML of qalab is read back unchanged: the ``type`` of a result is the
case's nuance, and the output of a passing case begins with its message and nuance (see `reports.junit`).  Earlier tries
are cases of their own with the nuance ``rerun``, after the case that they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from lab.results.cases import MOST_CASES, Case
from reports.formats import excerpts, junit_case, tap, xml_input
from reports.formats.excerpts import Unreadable

FORMAT = "junit"
MARK = re.compile(xml_input.BEGIN + rb"<(?:(?:\w+:)?testsuites?\b|testrun\s[^<>]*\bstarted=)|\A(?:\xff\xfe|\xfe\xff)")
RUN = "testrun"
SUITES = frozenset({"testsuites", "testsuite", RUN})
READ = SUITES | {"testcase"}
"""The elements that are read and freed one by one."""
JAVA = re.compile(r"\[\[PROPERTY\|(?:java\.(?:version|vendor)|surefire\.)")
FAILING = frozenset({"failed", "error"})
MOST_CARRIERS = 10
NO_TESTS = "the header counts tests; the suite has none"
# node writes no element for a test with subtests; comments at the end of its file have the counts.
NODE = re.compile(
    rb"<!-- fail (\d{1,9}) -->\s*<!-- cancelled (\d{1,9}) -->(?:\s*<!-- [a-z_]+ [\d.]+ -->)*\s*(?:</\w+>\s*)*\Z"
)
SUREFIRE = re.compile(r"TEST-(.+)\.xml")


@dataclass
class _Suite:
    """A suite while it is read."""

    name: str
    declared: int
    """The errors and failures that its header counts; -1: tests, where there must be one."""
    started: str
    element: etree._Element
    cases: list[Case] = field(default_factory=list)
    inner: list[Case] = field(default_factory=list)
    """The cases of the suites in it."""
    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    properties: list[str] = field(default_factory=list)
    results: int = 0
    """The number of elements that are results of failing tests."""
    tests: int = 0
    miscounted: bool = False

    @classmethod
    def of(cls, element: etree._Element, stem: str) -> _Suite:
        name = ".".join(filter(None, (element.get("package"), element.get("name")))) or stem
        declared = sum(junit_case.count(element.get(key)) for key in ("errors", "failures"))
        declared = max(declared, junit_case.count(element.get("failed")))
        if not declared and junit_case.count(element.get("tests")) and xml_input.name(element) != "testsuites":
            declared = -1
        return cls(name, declared, junit_case.moment(element.get("timestamp")), element)

    def end(self) -> Iterator[Case]:
        """Yield the cases of this suite, and of those in it."""
        if (self.output or self.errors or self.properties) and self.cases:
            self._carry()
        if self.started and self.cases and not any(case.started for case in self.cases):
            self.cases[0] = self.cases[0].model_copy(update={"started": self.started})
        yield from self.cases
        yield from self._of_tap()
        yield from self.inner
        if not self.miscounted and (fault := self._fault()):
            self.miscounted = True
            yield Case(suite=self.name, classname=self.name, name="[counts]", outcome="failed", message=fault)

    def _of_tap(self) -> Iterator[Case]:
        """Yield what TAP in the output of the suite says of its whole: Meson writes the tests of TAP alone."""
        output = "\n".join(self.output)
        if tap.begins(output) and len(tap.OUTER_POINTS.findall(output)) == self.tests:
            yield from (case.model_copy(update={"suite": self.name}) for case in tap.faults(self.name, output))

    def _carry(self) -> None:
        """Give the output of the suite to cases, and its properties to the first of them."""
        failing = [number for number, case in enumerate(self.cases) if case.outcome in FAILING and not case.output]
        more = [] if JAVA.search("\n".join(self.properties)) else self.properties
        for number in failing[:MOST_CARRIERS] or [0]:
            case = self.cases[number]
            output = junit_case.joined([case.output, *self.output, *more])
            errors = junit_case.joined([case.errors, *self.errors])
            self.cases[number] = case.model_copy(update={"output": output, "errors": errors})
            more = []

    def _fault(self) -> str:
        if self.declared > self.results:
            return f"the header counts {self.declared} errors and failures; the suite has {self.results}"
        tests, started = (junit_case.count(self.element.get(key)) for key in ("tests", "started"))
        if xml_input.name(self.element) == RUN and started < tests:
            return f"the run was stopped: {started} of {tests} tests began"
        return NO_TESTS if self.declared < 0 and not self.tests else ""

    def skips_missing(self, cases: Iterable[Case]) -> bool:
        """Return whether the header counts the missing tests as skipped; mocha writes no test that is pending."""
        skipped = junit_case.count(self.element.get("skipped")) - sum(case.outcome == "skipped" for case in cases)
        return junit_case.count(self.element.get("tests")) - self.tests == skipped > 0


def parse(path: Path) -> Iterator[Case]:
    data = excerpts.read(path)
    if not data.strip():
        return
    open_suites: list[_Suite] = []
    try:
        for root in _suites(data, path, open_suites):
            cases = list(root.end())
            if root.skips_missing(cases):
                cases = [_skipped(case) if case.message == NO_TESTS else case for case in cases]
            yield from cases
            if (counts := NODE.search(data)) and not any(case.outcome in FAILING for case in cases):
                yield from _of_node(path.stem, sum(map(int, counts.groups())))
    except Unreadable:
        yield from _cut_short(open_suites)
        raise


def _skipped(case: Case) -> Case:
    return case.model_copy(update={"outcome": "skipped"})


def _of_node(name: str, failing: int) -> Iterator[Case]:
    """Yield a case for the failing tests that node counts at the end of a file that has none."""
    if failing:
        message = f"node counts {failing} failing tests; the file has none: a test with subtests failed itself"
        yield Case(suite=name, classname=name, name="[counts]", outcome="failed", message=message)


def _suites(data: bytes, path: Path, suites: list[_Suite]) -> Iterator[_Suite]:
    """Yield the outermost suite at its end; ``suites`` has the open ones."""
    _, root = next(xml_input.events(data))
    if xml_input.name(root) not in SUITES or (xml_input.name(root) == RUN and "started" not in root.attrib):
        raise Unreadable(f"is XML, but not JUnit: its root is <{root.tag}>")
    tests = 0
    for event, element in xml_input.events(data, READ):
        if xml_input.name(element) == "testcase":
            if event == "start":
                continue
            _add_test(suites[-1], element)
            tests += 1
            if tests > MOST_CASES:
                raise Unreadable(f"has more than {MOST_CASES:,} tests: the rest is not read")
        elif event == "start":
            suites.append(_Suite.of(element, path.stem))
            continue
        else:
            suite = suites.pop()
            _add_others(suite)
            suite.output += _surefire(path) if not (suite.output or suite.errors or suites) else []
            if not suites:
                yield suite
            else:
                _close(suites[-1], suite)
        _drop(element)


def _close(outer: _Suite, suite: _Suite) -> None:
    outer.inner += suite.end()
    outer.results += suite.results
    outer.tests += suite.tests
    outer.miscounted |= suite.miscounted


def _add_test(suite: _Suite, element: etree._Element) -> None:
    suite.tests += 1
    if plain := junit_case.plain(suite.name, element):
        suite.cases.append(plain)
        return
    cases = junit_case.cases(suite.name, element)
    suite.cases += cases
    if (len(element) and cases[0].nuance != "expected-failure") or cases[0].outcome in FAILING:
        elements = sum(
            junit_case.ALIASES.get(xml_input.name(child).lower()) in {"error", "failure"} for child in element
        )
        suite.results += max(elements, sum(case.outcome in FAILING for case in cases))


def _add_others(suite: _Suite) -> None:
    """Add the parts of a suite that are neither tests nor suites."""
    parts = junit_case.parts_of(suite.element)
    suite.output += filter(str.strip, map(xml_input.text, parts.get("system-out", ())))
    suite.errors += filter(str.strip, map(xml_input.text, parts.get("system-err", ())))
    suite.properties += (line for each in parts.get("properties", ()) for line in junit_case.properties_of(each))
    for kind in ("error", "failure"):
        outcome = junit_case.RESULTS[kind]
        for element in parts.get(kind, ()):
            nuance, message, evidence = junit_case.result(outcome, [element])
            suite.results += 1
            suite.cases.append(Case(
                suite=suite.name, classname=suite.name, name="[suite]", outcome=outcome, nuance=nuance,
                message=message, evidence=evidence,
            ))  # fmt: skip


def _drop(element: etree._Element) -> None:
    """Free an element that was read, and those before it."""
    element.clear()
    parent = element.getparent()
    while (before := element.getprevious()) is not None and parent is not None and xml_input.name(before) in READ:
        parent.remove(before)


def _surefire(path: Path) -> list[str]:
    match = SUREFIRE.fullmatch(path.name)
    output = path.with_name(f"{match[1]}-output.txt") if match else path
    return [excerpts.text(output)] if match and output.is_file() else []


def _cut_short(suites: list[_Suite]) -> list[Case]:
    """Return the cases of suites that did not end."""
    for suite in suites:
        suite.declared = 0
        _add_others(suite)
    while len(suites) > 1:
        suite = suites.pop()
        _close(suites[-1], suite)
    return list(suites.pop().end()) if suites else []
