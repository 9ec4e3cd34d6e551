"""What a migration costs: the packages that apt on this machine knows, and every n-th source of them in a new version.

It is measured without hints, and with one that holds back the library that most packages need.

With two directories of Packages and Sources files as arguments (a release and the next one), it migrates between these.
"""

from __future__ import annotations

import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lab.base.run import output
from scripts.migration import dose, indexes, migrating
from tests.bench.__main__ import say

EVERY = 20
HELD = "glibc"


def packages() -> str:
    """Return the largest Packages file that apt has, in plain text."""
    files = output(["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"]).splitlines()
    largest = max(map(Path, files), key=lambda path: path.stat().st_size)
    return output(["/usr/lib/apt/apt-helper", "cat-file", largest])


def renew(text: str) -> str:
    """Return the packages with every n-th source in a new version, its binaries bound to each other as before."""
    paragraphs = text.split("\n\n")
    names = [re.search(r"^(?:Source|Package): (\S+)", part, re.MULTILINE) for part in paragraphs]
    sources = [
        (re.search(r"^Source: (\S+)", part, re.MULTILINE) or name) for part, name in zip(paragraphs, names, strict=True)
    ]
    chosen = {HELD, *sorted({source[1] for source in sources if source})[::EVERY]}
    for number, (part, source) in enumerate(zip(paragraphs, sources, strict=True)):
        if source and source[1] in chosen:
            version = re.search(r"^Version: (\S+)", part, re.MULTILINE)
            assert version
            new = part.replace(f"(= {version[1]})", f"(= {version[1]}+new1)")
            new = re.sub(r"^(Version: \S+)", r"\1+new1", new, flags=re.MULTILINE)
            paragraphs[number] = re.sub(r"^(Source: \S+) \(\S+\)", r"\1", new, flags=re.MULTILINE)
    return "\n\n".join(paragraphs)


def cpu() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def measure(target: Path, candidate: Path, hints: str = "") -> None:
    begin, wall = cpu(), time.monotonic()
    old = indexes.read([target])
    result = migrating.migrate(old, indexes.read([candidate]), dose.uninstallable, hint_text=hints)
    say(
        f"{hints or 'without hints'}: {sum(map(len, old.binaries.values()))} packages: {len(result.migrated)} items migrate, {len(result.held)} are held "
        f"back; {cpu() - begin:.1f} s of CPU, {time.monotonic() - wall:.1f} s"
    )


def main(argv: Sequence[str]) -> None:
    if argv:
        for hints in ("", f"block {HELD}"):
            measure(Path(argv[0]), Path(argv[1]), hints)
        return
    with tempfile.TemporaryDirectory() as directory:
        text = packages()
        for name, content in (("target", text), ("candidate", renew(text))):
            path = Path(directory, name, "Packages")
            path.parent.mkdir()
            path.write_text(content)
        for hints in ("", f"block {HELD}"):
            measure(Path(directory, "target"), Path(directory, "candidate"), hints)


if __name__ == "__main__":
    main(sys.argv[1:])
