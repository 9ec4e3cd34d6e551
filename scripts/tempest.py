"""tempest: run OpenStack's own tests against the deployment.

Tempest comes from the series, in a disposable system next to the nodes: the step installs nothing on the tested
nodes, and the tests see the cloud as its users do.  lab.yaml selects the tests.

Afterwards it looks at the nodes: a service that died, was restarted or crashed during the tests is a failed case, also
when all tests passed.  Errors that services log are none, as tests cause them on purpose.

``results/native/tempest.subunit`` has the results of the tests, ``tempest.subunit.known.json`` the reasons of the
known failures among them, ``results/native/tempest-nodes.jsonl`` the cases of services; ``results/tempest/tempest.log``
is Tempest's own log; logs of all nodes are in ``results/nodes``.  The verdict is ``error`` when Tempest did not finish,
``failed`` when tests failed and none passed, ``unstable`` when some passed, and ``skipped`` when lab.yaml names no
tests, or all skipped themselves; the cases of services can make it worse.

Facts: ``environment``, ``tests`` (the number by outcome), ``known_failures`` and ``mended`` (the reasons of listed
tests that failed, or passed).  On a track of proposed packages, a test that fails in the baseline is a known failure.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from lab.base import environment, files, resources
from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError, Verdict
from lab.base.run import ProgramFailed, TimedOut, Word
from lab.config.deployment import Tempest
from lab.results import subunit
from lab.results.cases import Case, line
from lab.results.known_failures import Excused
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.chroots.sessions import Session, opened
from scripts.deployment import environments, expectation
from scripts.drivers import layers
from scripts.drivers.interfaces import Pristine, Provisioner
from scripts.exercises import cases, judgement, stability
from scripts.exercises.cases import Cases, Over
from scripts.exercises.judgement import CaseJudgement
from scripts.exercises.scene import Scene
from scripts.openstack.tempest_conf import AUTHORITY, LOG, PLACE
from scripts.openstack.test_results import BadTestResult, Results, results_of
from scripts.pockets import baseline
from scripts.pockets.baseline import BaselineCases
from scripts.services import node_health
from scripts.services.deployed_state import Deployed, NodeBaseline
from scripts.testing.conclusion import expected

NAME = "tempest"
NODES = "tempest-nodes"
"""The exercise that looks at the nodes after the tests, and the name of its results."""
FORMAT = "subunit"
PACKAGES = ("python3-tempest",)
STREAM = "tempest.subunit"
LONGEST_SECONDS = 4 * 3600.0
LONGEST_TEST_SECONDS = 900
WORST: tuple[Verdict, ...] = ("error", "failed", "unstable", "skipped", "passed")
NOTHING = b"doesn't match with anything"


def script(concurrency: int) -> str:
    """Lines of sh that run the tests, a line of the log each; the status is not about how they went."""
    run = f"tempest run --config-file tempest.conf --include-list tests --concurrency {concurrency} --subunit"
    pipe = f"{run} | tee {STREAM} | subunit-trace --no-failure-debug; exit ${{PIPESTATUS[0]}}"
    return f"cd {PLACE}\nexport OS_TEST_TIMEOUT={LONGEST_TEST_SECONDS}\nexec bash -c {shlex.quote(pipe)}\n"


@contextmanager
def system(context: StepContext) -> Iterator[Session]:
    """Yield a disposable system with Tempest installed.

    Raises ConfigurationError where overlays are not supported, InfrastructureError when the series has no Tempest.
    """
    chroots = layers.local_layers(environment.cache_home() / "targets", context.log)
    if chroots.way.mode != "schroot":
        raise ConfigurationError(f"Tempest's own system is made of overlays, and here {chroots.way.reason}")
    wanted = Pristine(context.series_name, context.series, packages=PACKAGES)
    with layers.prepared(chroots, wanted) as made:
        if made.facts["layer"] is None:
            raise InfrastructureError(f"Tempest cannot be installed from series {context.series_name}: see the log")
        with opened(chroots.way, NAME, made.stack, log=context.log, keep=made.locks) as session:
            yield session


def configuration(context: StepContext, target: Provisioner) -> str:
    """tempest.conf.  Raises the error that `scripts.openstack.tempest_conf` ended with."""
    argv: list[Word] = [
        sys.executable,
        "-m",
        "scripts.openstack.tempest_conf",
        context.store.environments / context.track_name,
    ]
    result = target.beside(argv, cwd=resources.ROOT, capture=True, check=False)
    if not result:
        kinds = {kind.exit_code: kind for kind in (Failed, ConfigurationError)}
        why = result.stdout.strip() or "no tempest.conf could be made: see the log"
        raise kinds.get(result.returncode, InfrastructureError)(why)
    return result.stdout


def carry_out(context: StepContext, target: Provisioner, chosen: Tempest, settings: str, authority: str) -> str:
    """Run the tests into the run's results; return why they were broken off, "" when they finished."""
    with system(context) as session:
        place = session.upper / PLACE.removeprefix("/")
        place.mkdir(parents=True, mode=0o700)  # it has passwords
        files.write_atomic(place / "tempest.conf", settings)
        if authority:
            files.write_atomic(place / AUTHORITY, authority)
        files.write_atomic(place / "tests", "".join(f"{pattern}\n" for pattern in chosen.tests))
        try:
            session.shell(script(chosen.concurrency), by=target.beside, timeout=LONGEST_SECONDS)
        except TimedOut:
            return f"Tempest did not end within {LONGEST_SECONDS / 3600:g} hours"
        except ProgramFailed as error:
            # The stream reports failed and unfinished tests; newer stestr also exits with an error for them.
            if not subunit.is_it(stream := content(place / STREAM)):
                raise without_tests(context.lab.file, chosen, stream, error.result.complaint) from None
        finally:
            for name, into in ((STREAM, "native"), (LOG, NAME)):
                files.write_atomic(context.run.results / into / name, content(place / name))
    return ""


def content(path: Path) -> bytes:
    """Return a file's content; empty when it does not exist."""
    return path.read_bytes() if path.exists() else b""


def without_tests(lab_file: Path, chosen: Tempest, output: bytes, complaint: str) -> LabError:
    """Return why no test ran; a selection in lab.yaml that matches no test is a configuration error."""
    if NOTHING in output:
        return ConfigurationError(f"{lab_file}: tempest.tests: Tempest has no test like {' or '.join(chosen.tests)}")
    return InfrastructureError(f"Tempest has run no test: {complaint or 'it did not say why'}")


def results(
    native: Path, excuse: Callable[[list[Case]], Excused], broken: str, before: BaselineCases | None = None
) -> Results:
    """Return the test results; write the known failures among them to a file next to the stream.

    ``before``: the results of a baseline, whose failures are known.
    """
    tests = tuple(results_of(native.read_bytes()))
    counted = {test.id: case_of(test) for test in tests if test.outcome != "error"}
    found = excuse([*counted.values()])
    why = {test: each.why for test, each in {**found.known, **found.mended}.items()}
    reasons = {test: why[case.id] for test, case in counted.items() if case.id in why}
    released = before.failed if before else {}
    reasons |= {test.id: f"fails in the release too: {released[test.name]}" for test in tests if test.name in released}
    files.write_atomic(native.with_name(f"{STREAM}.known.json"), json.dumps(reasons, indent=1, sort_keys=True) + "\n")
    return Results(tests, reasons, broken or ("" if tests else "Tempest reported no tests"))


def compared(
    context: StepContext, deployed: Deployed, before: BaselineCases | None, found: Results
) -> tuple[Verdict, str]:
    """Return the verdict and the line of the record; keep the results of a track's baseline.

    Without a baseline, a failure with updates of a pocket is no verdict: it may be one of the release.
    """
    if not deployed.baseline or found.verdict == "error":
        return found.verdict, str(found)
    if not deployed.waiting:
        failed = {test.name: test.why for test in found.of("failed")}
        baseline.keep(context, deployed.state, NAME, failed, (test.name for test in found.of("passed")))
        return found.verdict, f"the release: {found}"
    if before is None and found.of("failed"):
        return "error", f"{found}; there is no baseline to compare with"
    return found.verdict, str(found)


def of_nodes(context: StepContext, scene: Scene, before: Mapping[str, NodeBaseline]) -> tuple[Path, CaseJudgement]:
    """Look at the nodes since a baseline; return the file of the cases, and the judgement on them."""
    path = context.run.results / "native" / f"{NODES}.jsonl"
    path.unlink(missing_ok=True)
    found = Cases(NODES, path)
    with suppress(Over), redirect_stdout(context.log):
        try:
            stability.look(scene, found, before, errors=False)
        except LabError:
            with found.case("goes to its end"):
                raise
    result = expected(context, scene.deployed.version, cases.read(path))
    judged = judgement.judge(context, scene.deployed, result.cases, NODES)
    files.write_atomic(path, "".join(map(line, judged.cases)))
    said = [] if judged.verdict == "passed" else [f"services: {judged.message}"]
    return path, replace(judged, message="; ".join([*said, *result.notes]))


def worse(tests: Verdict, nodes: Verdict) -> Verdict:
    """Return the verdict on tests and nodes: well nodes make none better, such as that of tests that were all skipped."""
    return min(tests, nodes, key=WORST.index)


def case_of(test: BadTestResult) -> Case:
    """Return a result as a case, with the identity that the format gives it."""
    classname, name = subunit.names(test.id)
    return Case(suite=FORMAT, classname=classname or FORMAT, name=name, outcome=test.outcome, message=test.why)


def action(context: StepContext) -> StepOutcome:
    chosen = context.lab.deployment_of(context.track_name).tempest
    if chosen is None:
        return StepOutcome("lab.yaml names no tests of Tempest", verdict="skipped")
    target = environments.target(context.lab, context.track_name, context.log)
    with environments.exclusive_turn(context.lab, context.track_name):
        if why := environments.in_use_error(context):
            return StepOutcome(why, version=context.run.info.version, verdict="skipped")
        deployed = environments.deployed(context, target)
        if skipped := expectation.another(context, deployed):
            return skipped
        scene = Scene(deployed, {node.name: node for node in target.nodes()})
        baselines = {name: node_health.baseline(scene.nodes[name]) for name in deployed.baselines}
        settings = configuration(context, target)
        authority = next(
            (each.settings.get("ca", "") for each in deployed.services.values() if each.role == "keystone"), ""
        )
        try:
            broken = carry_out(context, target, chosen, settings, authority)
            path, nodes = of_nodes(context, scene, baselines)
        finally:
            target.collect_logs(context.run.results / "nodes")
    native = context.run.results / "native" / STREAM
    before = baseline.kept(context.lab, context.track_name, deployed.baseline, NAME) if deployed.waiting else None
    found = results(native, partial(expected, context, deployed.version), broken, before)
    verdict, message = compared(context, deployed, before, found)
    return StepOutcome(
        "; ".join(filter(None, [message, nodes.message])),
        version=deployed.version,
        commit=deployed.commit,
        verdict=worse(verdict, nodes.verdict),
        native=[(native, FORMAT), *([(path, cases.FORMAT)] if nodes.cases else [])],
        facts={
            "environment": context.track_name,
            "tests": dict(Counter(test.outcome for test in found.tests)),
            "known_failures": {test.name: found.known[test.id] for test in found.of("failed", known=True)},
            "mended": {test.name: found.known[test.id] for test in found.of("passed", known=True)},
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
