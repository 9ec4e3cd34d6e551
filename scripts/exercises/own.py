"""An exercise of the lab's own: a program in the lab's repository, and the test cases that it reports.

The program and its files are copied to a directory of the place where it runs, and removed afterwards.  It starts
there with these variables:

- ``QALAB_DEPLOYMENT``: a JSON file, see `scripts.services.deployed_state.Deployed`: nodes and their addresses,
  applications with their settings (URLs, names, passwords), versions of packages;
- ``QALAB_ADDRESS_NAME``: the address of a node, or of an application's first node, in capitals and underscores;
- ``QALAB_RESULT``: the file for the result; an empty or missing one means that the result is standard output.

The case ``exit code`` is always there: a status other than 0 that no failing case explains is a failure.  A test that
ends with an error fails.  Generated passwords are hidden in what it prints.  Where all tests were skipped, so is that case.
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lab.base import resources
from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.run import Runner, Word, run, signal_name
from lab.base.text import plural
from lab.config.deployment import BESIDE, OwnExercise
from lab.config.loading import known_names
from lab.results import cases as results
from lab.results.cases import Case
from scripts.exercises.cases import SUITE, Cases, made
from scripts.exercises.scene import Scene
from scripts.services.passwords import Passwords

LAB = "lab"
DEPLOYMENT = "deployment.json"
RESULT = "result"
EXIT_CODE = "exit code"
INSTEAD = "standard output, as there is nothing in the file that QALAB_RESULT names"
# A longer result is a failure: a part of it would hide tests.
MOST_BYTES = 50_000_000
LONGEST_OUTPUT = 20_000
MINUTE_SECONDS = 60.0
KILL_AFTER_SECONDS = 10
UNPACK = 'rm -rf -- "$1"; mkdir -p -m 0700 -- "$1"; tar -x -C "$1"'
# $1: the directory, $2: the time limit in seconds, $3: the program, then NAME=VALUE ...
START = f"""\
cd "$1/{LAB}"; limit=$2; program=$3; shift 3
exec env "$@" timeout --kill-after={KILL_AFTER_SECONDS} "$limit" "./$program" > ../stdout 2> ../stderr < /dev/null
"""
# initramfs-tools mounts /run so that nothing in it can be executed.
ON_NODES = "/var/lib/qalab/exercises"
# $1: the directory.  End the programs that an exercise has left: their environment names its result.
END = f"""\
for round in 1 2 3 4 5; do
    left=$(grep -lzxF -e "QALAB_RESULT=$1/{RESULT}" /proc/[0-9]*/environ 2> /dev/null || true)
    [ -n "$left" ] || break
    for each in $left; do each=${{each%/environ}}; kill -KILL "${{each#/proc/}}" 2> /dev/null || true; done
done
"""
# Exit codes of timeout(1), and of shells for a program that they do not find.
NOT_STARTED = frozenset({125, 126, 127})
ENV = "/usr/bin/env"  # as an interpreter, it finds none of that name
SIGNALLED = 128


@dataclass(frozen=True)
class Place:
    """A directory on this machine or on a node, and the function that runs programs there as root of the node."""

    run: Runner
    path: str

    def shell(self, script: str, *words: Word, stdin: bytes | None = None, timeout: float | None = None) -> int:
        """Run a shell script with the directory as its first argument; return its status."""
        argv: list[Word] = ["sh", "-euc", script, "sh", self.path, *words]
        return self.run(argv, stdin=stdin, timeout=timeout, check=False).returncode

    def read(self, name: str) -> bytes:
        """Return a file's content, at most a byte more than `MOST_BYTES`; nothing when there is no such file."""
        shown = self.run(["head", "--bytes", str(MOST_BYTES + 1), f"{self.path}/{name}"], capture=True, check=False)
        return shown.stdout.encode("utf-8", "surrogateescape")


def faults(chosen: OwnExercise, base: Path, places: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an exercise, each with its key: a missing file, an unknown place.

    ``base``: the lab's directory.
    """
    for key, name in (("run", chosen.run), *(("files", name) for name in chosen.files)):
        if not (base / name).exists():
            yield key, f"{name}: no such file in {base}"
    program = base / chosen.run
    if program.exists() and not (program.is_file() and program.stat().st_mode & 0o111):
        yield "run", f"{chosen.run}: not an executable file (chmod +x)"
    if chosen.where not in places:
        yield "where", f"no {chosen.where}; {known_names(chosen.where, places)}"


class OwnRun(BaseModel):
    """A run of an exercise.  ``base``: the directory of the lab file; ``work``: a directory for temporary files."""

    model_config = ConfigDict(frozen=True)

    chosen: OwnExercise
    base: Path
    work: Path

    @property
    def NAME(self) -> str:  # noqa: N802 - as the modules of exercises have it
        """The name of the exercise."""
        return self.chosen.name

    def exercise(self, scene: Scene, cases: Cases) -> None:
        """Run it in its place of the deployment, and write its cases."""
        _exercise(self.chosen, self.base, self.work, scene, cases)


def _exercise(chosen: OwnExercise, base: Path, work: Path, scene: Scene, cases: Cases) -> None:
    place = _place(chosen, work, scene)
    if place.shell(UNPACK, stdin=_packed(chosen, base, scene)) != 0:
        raise InfrastructureError(f"its files cannot be copied to {chosen.where}")
    try:
        seconds = chosen.timeout_minutes * MINUTE_SECONDS
        variables = [f"{name}={value}" for name, value in _variables(place, scene).items()]
        began = time.monotonic()
        status = place.shell(START, str(seconds), chosen.run, *variables, timeout=seconds + 3 * KILL_AFTER_SECONDS)
        took = time.monotonic() - began
        output, errors = place.read("stdout"), _text(place.read("stderr"))
        written = place.read(RESULT)
    finally:
        if chosen.where == BESIDE:  # those on a node end with it
            place.shell(END)
        place.shell('rm -rf -- "$1"')
    found = [] if chosen.result == "exit" else convert(chosen, written or output, work, status)
    passwords = Passwords.given(
        chain.from_iterable(each.settings.values() for each in scene.deployed.services.values())
    )
    errors, shown = passwords.hidden(errors), passwords.hidden(_text(output))
    for case in found:
        if case.name in results.UNREAD and not written:
            case = case.model_copy(update={"message": f"{case.message} ({INSTEAD})"})  # noqa: PLW2901 - the same case
        texts = {
            name: passwords.hidden(getattr(case, name)) for name in ("name", "message", "evidence", "output", "errors")
        }
        results.append(cases.path, case.model_copy(update=texts))
    failed = sum(case.outcome in {"failed", "error"} for case in found)
    if found and not status and took < seconds and all(case.outcome == "skipped" for case in found):
        why = next(filter(None, (case.message for case in found)), "without a reason")
        results.append(cases.path, made(chosen.name, EXIT_CODE, "skipped", f"all tests were skipped: {why}", errors))
        return
    with cases.case(EXIT_CODE) as attempt:
        attempt.seconds = max(0.0, took - sum(case.seconds for case in found))
        attempt.output = errors if found else "\n".join(filter(None, [shown, errors]))
        if took >= seconds:
            raise Failed(f"it did not end within {plural(chosen.timeout_minutes, 'minute')}")
        _judge(chosen, base, status, errors, failed)


def convert(chosen: OwnExercise, native: bytes, work: Path, status: int) -> list[Case]:
    """Return the cases in a program's result, under the exercise's name; one that is too long is a failure.

    One that cannot be read is a failure too where the program did not end well.
    """
    if len(native) > MOST_BYTES:
        return [made(chosen.name, "result", "failed", f"is longer than {MOST_BYTES:,} bytes")]
    work.mkdir(parents=True, exist_ok=True)
    path = work / chosen.name
    path.write_bytes(native)
    argv: list[Word] = [sys.executable, "-m", "cli", "results", "convert", "--cases", chosen.result, path]
    converted = run(argv, cwd=resources.ROOT, capture=True, check=False)
    if converted.returncode not in {0, Failed.exit_code}:
        raise InfrastructureError(f"its result cannot be converted (status {converted.returncode})")
    return [_renamed(case, chosen, status) for case in results.parse(converted.stdout)]


def _renamed(case: Case, chosen: OwnExercise, status: int) -> Case:
    inner = dict.fromkeys((case.suite, case.classname)).keys() - {chosen.name, chosen.result}
    classname = ".".join([chosen.name, *(part for part in (case.suite, case.classname) if part in inner)])
    # The lab is at fault for a result that it cannot read, and for no test or program that ended with an error.
    is_failure = case.outcome == "error" and (status or case.name not in results.UNREAD)
    outcome = "failed" if is_failure else case.outcome
    return case.model_copy(update={"suite": SUITE, "classname": classname, "outcome": outcome})


def _judge(chosen: OwnExercise, base: Path, status: int, errors: str, failed: int) -> None:
    """Raise Failed or InfrastructureError for a status that no failing case explains."""
    last = errors.rstrip().rpartition("\n")[2]
    why = f": {last}" if last else ""
    if status < 0 or status > SIGNALLED:
        raise Failed(f"it was ended by {signal_name(-status if status < 0 else status - SIGNALLED)}{why}")
    first = (base / chosen.run).read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    by_limit = last.startswith("timeout: ") and f"./{chosen.run}" in last
    if status in NOT_STARTED and (by_limit or (first.startswith(f"#!{ENV}") and last.startswith(f"{ENV}: "))):
        hint = f"its first line is {first!r}" if first.startswith("#!") else ""
        raise InfrastructureError(f"it cannot be started, status {status}{why}", hint=hint)
    if status and not failed:
        raise Failed(f"it ended with status {status}{why}")


def _place(chosen: OwnExercise, work: Path, scene: Scene) -> Place:
    """Return where an exercise runs.  Raises ConfigurationError for a place that the deployment does not have."""
    if chosen.where == BESIDE:
        return Place(run, str(work / "place"))
    service = scene.deployed.services.get(chosen.where)
    node = scene.nodes.get(service.nodes[0] if service and service.nodes else chosen.where)
    if node is None:
        known = ", ".join([BESIDE, *scene.nodes, *scene.deployed.services])
        raise ConfigurationError(f"where: no {chosen.where} in the deployment; known: {known}")
    return Place(node.run, f"{ON_NODES}/{chosen.name}")


def _packed(chosen: OwnExercise, base: Path, scene: Scene) -> bytes:
    """Return a tar file of the program, its files and the deployment."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
        for name in dict.fromkeys((chosen.run, *chosen.files)):
            tar.add(base / name, f"{LAB}/{name}", filter=_of_nobody)
        described = scene.deployed.model_dump_json(indent=2, by_alias=True).encode()
        member = tarfile.TarInfo(DEPLOYMENT)
        member.size = len(described)
        tar.addfile(_of_nobody(member), io.BytesIO(described))
    return packed.getvalue()


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop the owner, which the place may not have."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _variables(place: Place, scene: Scene) -> Mapping[str, str]:
    nodes = scene.deployed.nodes
    first = {name: nodes[service.nodes[0]] for name, service in scene.deployed.services.items() if service.nodes}
    addresses = {f"QALAB_ADDRESS_{_capitals(name)}": address for name, address in (*nodes.items(), *first.items())}
    return {"QALAB_DEPLOYMENT": f"{place.path}/{DEPLOYMENT}", "QALAB_RESULT": f"{place.path}/{RESULT}"} | addresses


def _capitals(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _text(content: bytes) -> str:
    """Return the end of a program's output."""
    return content.decode("utf-8", "replace")[-LONGEST_OUTPUT:].rstrip("\n")
