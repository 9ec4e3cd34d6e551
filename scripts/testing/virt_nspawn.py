"""qalab-virt-nspawn: a virtualisation server of autopkgtest whose testbeds are containers of systemd-nspawn.

autopkgtest starts it: ``autopkgtest ... -- qalab-virt-nspawn SERIES``.  The protocol is that of autopkgtest's
README.virtualisation-server; its library VirtSubproc reads the commands and copies files.  The series is one of
lab.yaml, or a codename of Debian if no ``--lab`` is given.
"""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, NoReturn, TextIO, cast

import click

from lab.base import signals
from lab.base.errors import ConfigurationError, LabError
from lab.base.signals import ENDING
from lab.config.description import Series
from lab.config.loading import load
from scripts.testing import testbed
from scripts.testing.testbed import USER, NspawnBed

LIBRARY: Final = Path("/usr/share/autopkgtest/lib")
CAPABILITIES: Final = (
    "isolation-container", "reboot", "revert", "revert-full-system", "root-on-testbed", f"suggested-normal-user={USER}",
)  # fmt: skip
# autopkgtest installs it to unpack a source package; a layer has it for all tests.
PACKAGES: Final = ("dpkg-dev",)
# A testbed has no code of others, so that its scratch directory is for each of its users.
SCRATCH: Final = """
made=${1:-$(mktemp --directory --tmpdir autopkgtest.XXXXXX)}
mkdir --parents "$made"
chmod 777 "$made"
echo "$made"
"""


def end(number: int, _: object) -> NoReturn:
    """End the server by an exception, so that it removes what it has made; later signals do not disturb that."""
    for each in ENDING:
        signal.signal(each, lambda *_: None)
    raise SystemExit(128 + number)


def handle_signals() -> None:
    """Have signals end this process by an exception, from whatever it does.

    The handler of the library cleans up in the middle of that, knows no testbed whose opening has not ended, and is gone
    after the first testbed.  It also ends the server where a client of the proxy goes away in the middle of a download:
    SIGPIPE is about any pipe and any connection, see send(2).
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number in ENDING:
        signal.signal(number, end)


@dataclass
class Hooks:
    """The functions that VirtSubproc calls."""

    library: Any
    name: str
    series: Series
    held: ExitStack
    archive: str = ""
    deb_src: bool = False
    bed: NspawnBed | None = None

    def hook_capabilities(self) -> list[str]:
        return [*CAPABILITIES]

    def hook_open(self) -> None:
        try:
            handle_signals()
            opening = testbed.opened(self.name, self.series, self.archive, PACKAGES, deb_src=self.deb_src)
            self.bed = self.held.enter_context(opening)
        except LabError as error:
            self.held.close()
            self.library.bomb(f"{error.args[0]}{f' ({error.hint})' if error.hint else ''}")
        else:
            self.library.auxverb = self.bed.enter

    def hook_downtmp(self, path: str | None) -> str:
        """Make the scratch directory, after a revert where it was.  The library's own function changed its arguments."""
        made: str = self.library.check_exec(["sh", "-euc", SCRATCH, "sh", path or ""], downp=True, outp=True)
        return made

    def hook_revert(self) -> None:
        self._in_bed("revert")

    def hook_wait_reboot(self, **_: object) -> None:
        self._in_bed("wait_for_reboot")

    def hook_cleanup(self) -> None:
        # A signal can come in the middle of a copy: the end of the copy's time must not end this.
        signal.alarm(0)
        self.bed = None
        handle_signals()
        with signals.held_back():
            self.held.close()

    def _in_bed(self, action: str) -> None:
        try:
            getattr(self.bed, action)()
        except LabError as error:
            self.library.bomb(str(error.args[0]))


@dataclass
class Commands:
    """The commands of the caller, line by line.

    The library takes the end of its input for an empty line, and waits for more: without this, the testbed of an
    autopkgtest that was killed would run for ever.
    """

    library: Any
    stream: IO[str]

    def readline(self) -> str:
        """Return the next line, "" if there is none yet.  Ends the server, and with it the testbed, after the last one."""
        line = self.stream.readline()
        # What can be read, and is empty, has ended; what cannot be read is a pipe that does not block.
        if not line and select.select([self.stream], [], [], 0)[0]:
            line = self.stream.readline()
            if not line:
                self.library.bomb("the caller is gone")
        return line


def library() -> Any:
    """Return autopkgtest's module VirtSubproc.  Raises ConfigurationError where autopkgtest is not installed."""
    if not (LIBRARY / "VirtSubproc.py").is_file():
        raise ConfigurationError(f"{LIBRARY}: missing", hint="apt-get install autopkgtest")
    sys.path.insert(0, str(LIBRARY))
    return import_module("VirtSubproc")


def serve(virt: Any) -> None:
    """Obey the commands of this program's caller until it is gone."""
    sys.stdin = cast("TextIO", Commands(virt, sys.stdin))
    virt.main()


@click.command("qalab-virt-nspawn")
@click.argument("series")
@click.option("--lab", type=click.Path(path_type=Path), help="The lab file that describes the series.")
@click.option(
    "--archive", default="", metavar="URL", help="The lab's archive on this machine; apt: http://lab-archive."
)
@click.option("--deb-src", is_flag=True, help="apt knows the source packages of the series too.")
@click.option("--debug", "-d", is_flag=True, help="Print debugging messages.")
def command(series: str, lab: Path | None, archive: str, *, deb_src: bool, debug: bool) -> None:
    """Serve testbeds of a series to autopkgtest."""
    found = load(lab).series.get(series) if lab else Series()
    if found is None:
        raise ConfigurationError(f"{lab}: no series {series}")
    virt = library()
    if debug:
        import_module("adtlog").verbosity = 2  # type: ignore[attr-defined] # autopkgtest's, without types
    virt.progname = "qalab-virt-nspawn"
    with ExitStack() as held:
        virt.caller = Hooks(virt, series, found, held, archive, deb_src)
        serve(virt)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; return its exit code."""
    try:
        command.main(None if argv is None else [*argv], standalone_mode=False)
    except (LabError, click.ClickException) as error:
        print(f"qalab-virt-nspawn: {error}", file=sys.stderr)  # noqa: T201 - its only output
        return ConfigurationError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
