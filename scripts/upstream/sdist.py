"""A project's own sdist (PEP 517), from the build tools of the series.

The clone has the commit's tags, so PBR and setuptools-scm find their version.  They leave it in PKG-INFO, where the
package's build finds it again: no PBR_VERSION is set, it would have to be repeated in every build of the package.

The build tools are Debian packages, by default the Build-Depends of the packaging: what builds the package also builds
its sdist, and nothing comes from PyPI.  A part of the step `snapshot`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from debian.deb822 import Deb822

from lab.base.errors import Failed
from lab.base.git import readable
from scripts.upstream.dist_command import DistCommand

TOOLS = ("python3-build", "python3-setuptools", "python3-wheel")
COMMAND = "python3 -m build --sdist --no-isolation"
# Without its plugins, a backend may make an sdist with the version 0.0.0.
MISSING = re.compile(r"Missing dependencies:\s*\n(?P<names>(?:\t.*\n?)+)")
MISSING_HINT = "orig.packages: the Debian packages that have them; orig.command: to build without the check"
# What build puts around an error: progress, the frames of tracebacks (indented), that a command ended.
NOISE = re.compile(r"|(?:\s|\* |Traceback|ERROR Backend |subprocess\.CalledProcessError).*")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def dist_command(packages: Sequence[str], control: str) -> DistCommand:
    """Return how the sdist is made; ``packages`` replace the Build-Depends of ``control``, the packaging's debian/control."""
    wanted = packages or [build_dependencies(control)]
    return DistCommand("the sdist", COMMAND, (*TOOLS, *filter(None, wanted)), failure)


def build_dependencies(control: str) -> str:
    """Return the field Build-Depends of a debian/control on one line, "" without it."""
    source = next(Deb822.iter_paragraphs(control, use_apt_pkg=False), Deb822())
    return " ".join(source.get("Build-Depends", "").split()).strip(", ")


def failure(lines: Sequence[str]) -> Failed:
    """Return the error for a build that failed, from its output."""
    if match := MISSING.search("\n".join(lines)):
        names = ", ".join(readable(line) for line in match["names"].split("\n") if line.strip())
        return Failed(f"the project makes no sdist: missing dependencies: {names}", hint=MISSING_HINT)
    return Failed(f"the project makes no sdist: {last_line(lines)}")


def last_line(lines: Sequence[str]) -> str:
    """Return the last informative line."""
    plain = (COLOUR.sub("", line).removeprefix("< ") for line in reversed(lines))
    return next((readable(line) for line in plain if not NOISE.fullmatch(line)), "it says nothing")
