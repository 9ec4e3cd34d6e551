"""lintian: check the source and binary packages against Debian's policy.

The tags go to ``results/native/lintian.txt`` as lintian prints them (``C: PACKAGE [TYPE]: TAG ...``),
after a line with the severities that lab.yaml does not accept.
A run is unstable when a tag has a severity that lab.yaml names in ``build.lintian_fail_on``.

Facts: the number of tags by severity (``error``, ``warning``, ``info``, ``pedantic``), and
``suppressed``: the tags that are not looked for; ``packages``: the digest of what was checked.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import Word
from lab.base.text import first_of
from lab.results.lintian_tags import skipped, tags, with_policy
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome

NAME = "lintian"
COUNTED = ("error", "warning", "info", "pedantic")
# Tags that the lab itself causes, whatever it packages.
SUPPRESSED = (
    "bad-distribution-in-changes-file",  # the series is the lab's choice; this lintian may be older than it
    "no-nmu-in-changelog",  # the lab is not the package's maintainer ...
    "source-nmu-has-incorrect-version-number",  # ... and numbers its builds in its own way
    "orig-tarball-missing-upstream-signature",  # upstream signs releases, not commits
    "package-has-long-file-name",  # the version of a snapshot is long
    # A new symbol gets the version of the build, which has a revision.  The step sbuild names it.
    "symbols-file-contains-current-version-with-debian-revision",
)


def command(changes: Iterable[Path], distribution: str, *, root: bool) -> list[Word]:
    """Return the command line of lintian for .changes files, by the policy of ``debian`` or ``ubuntu``."""
    return [
        "lintian", "--no-cfg", "--no-user-dirs", *(["--allow-root"] if root else []), "--profile", distribution,
        "--display-info", "--pedantic", "--suppress-tags", ",".join(SUPPRESSED),
        "--color", "never", "--tag-display-limit", "0", "--fail-on", "none", *changes,
    ]  # fmt: skip


@contextmanager
def in_ascii(directory: Path) -> Iterator[Path]:
    """Yield a path of a directory in ASCII, a link if need be: lintian encodes an absolute path twice."""
    if str(directory).isascii():
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="qalab-lintian-") as place:
        link = Path(place, "unpacked")
        link.symlink_to(directory)
        yield link


def action(context: StepContext) -> StepOutcome:
    made = (*context.earlier("source").artifacts, *context.earlier("sbuild").artifacts)
    out = context.run.out  # from where the names are in ASCII: see in_ascii
    changes = [(context.run.path / item.path).relative_to(out) for item in made if item.kind == "changes"]
    argv = command(changes, context.series.distribution, root=environment.is_root())
    unpacked = context.run.work / NAME
    shutil.rmtree(unpacked, ignore_errors=True)  # of a try that was killed
    unpacked.mkdir(parents=True)
    try:
        with in_ascii(unpacked) as place:
            result, complaints = context.try_sh(argv, capture=True, env={"TMPDIR": str(place)}, cwd=out)
    finally:
        shutil.rmtree(unpacked)  # it leaves files behind
    context.say(result.stdout.rstrip("\n"))
    if not result:
        hint = f"it says why in {context.run.log_path(NAME)}"
        raise InfrastructureError(f"lintian itself broke, with status {result.returncode}", hint=hint)
    if not_checked := next(skipped(complaints), ""):
        raise InfrastructureError(f"lintian did not check everything: {not_checked}")
    report = context.run.results / "native" / "lintian.txt"
    fail_on = context.component.build.lintian_fail_on
    files.write_atomic(report, with_policy(result.stdout, fail_on))
    found = list(tags(result.stdout))
    refused = [f"{tag.severity} {tag.name}" for tag in found if tag.severity in fail_on]
    counts = {severity: sum(tag.severity == severity for tag in found) for severity in COUNTED}
    return StepOutcome(
        first_of(refused) or ", ".join(f"{count} {severity}" for severity, count in counts.items() if count),
        verdict="unstable" if refused else "passed",
        native=[(report, "lintian")],
        facts={**counts, "suppressed": list(SUPPRESSED), "packages": context.packages},
    )


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
