"""A testbed: one container of the driver nspawn, pristine again in less than a second.

Its network has no other machines.  apt reaches the mirrors of the series and the lab's archive through a proxy.
Testbeds are below the cache; one whose process is gone is destroyed by the next.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import Word
from lab.config import apt
from lab.config.description import Series
from scripts.archives import mirror_cache
from scripts.chroots.bootstrap import proxies
from scripts.drivers.commands import SETTINGS
from scripts.drivers.interfaces import Pristine
from scripts.drivers.layers import HOUSEKEEPING
from scripts.drivers.nspawn.driver import BOOT_SECONDS, Container, NspawnTarget
from scripts.drivers.nspawn.keeper import GATEWAY, wait_until
from scripts.testing.mirror_proxy import ARCHIVE_HOST, serving

NODE: Final = "testbed"
USER: Final = "tester"
PROXY: Final = re.compile(r'Acquire::http::Proxy "(http[^"]*)";')
# Of the units that the base masks, those that tests of packages can start: they do not start before, except at a reboot.
# apt-daily would lock the packages in the middle of a test, and hardware is the host's.
UNMASKED: Final = (
    *(unit for unit in HOUSEKEEPING if not unit.startswith("apt-daily")), "networking.service",
)  # fmt: skip
# $1: the proxy, $2: the ordinary user, $3: lines of a sources.list; the rest: `UNMASKED`.  The base keeps services from
# starting when they are installed, a system does not.
SET_UP: Final = """
rm -f /usr/sbin/policy-rc.d
printf 'Acquire::%s "%s";\\n' http::Proxy "$1" http::Proxy::127.0.0.1 "$1" https::Proxy "$1" > /etc/apt/apt.conf.d/99qalab-proxy
useradd --create-home --shell /bin/bash "$2"
sources=$3
shift 3
cd /etc/systemd/system
rm -f "$@"
systemctl daemon-reload
[ -n "$sources" ] || exit 0
printf '%s\\n' "$sources" > /etc/apt/sources.list.d/qalab-sources.list
apt-get --quiet update
"""
# autopkgtest takes the status 254 and 255 for a failure of the way into the testbed: README.virtualisation-server, and
# Testbed.execute of adt_testbed.  It waits for the end of the output, so what a command has left in the background with its
# output must end.
INSIDE: Final = """
status=0
"$@" || status=$?
[ "$status" -lt 254 ] || status=253
for number in 1 2; do
    pipe=$(readlink "/proc/$$/fd/$number" | tr "[]" "??")
    case $pipe in pipe:*) ;; *) continue ;; esac
    for pid in $(find /proc/[0-9]*/fd -lname "$pipe" 2> /dev/null | cut -d/ -f3 2> /dev/null); do
        [ "$pid" = "$$" ] || kill -KILL "$pid" 2> /dev/null || :
    done
done
exit "$status"
"""
# $1: a file with the process id of the container's first process and the name of its namespace, and its control groups; the
# rest: a command.  The command becomes a part of the container, so that logind finds it, and ends with it.  A container that is
# gone is no failure of the command, and another process can have its number.
ENTER: Final = f"""
{{
    read -r pid space
    if [ "$(readlink "/proc/$pid/ns/pid")" != "$space" ]; then
        echo "qalab-virt-nspawn: the testbed is gone" >&2
        exit 255
    fi
    while read -r group; do echo 0 > "$group/cgroup.procs" || :; done
}} < "$1"
shift
exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup --root --wd -- \\
    env -i {" ".join(SETTINGS)} sh -c {shlex.quote(INSIDE)} sh "$@"
"""


@dataclass(frozen=True)
class NspawnBed:
    """A running container in an environment of its own."""

    target: NspawnTarget
    proxy: str
    sources: str = ""

    @property
    def node(self) -> Container:
        node = next(iter(self.target.nodes()), None)
        if not isinstance(node, Container):
            raise InfrastructureError(f"{self.target.home}: the testbed is gone")
        return node

    @property
    def _place(self) -> Path:
        return self.target.home / "place"

    @property
    def enter(self) -> list[str]:
        """Return the beginning of a command that runs in the testbed; it stays the same after a reboot and a revert."""
        return ["sh", "-euc", ENTER, "sh", str(self._place)]

    def set_up(self) -> None:
        """Prepare a pristine container for tests."""
        self.node.run(["sh", "-euc", SET_UP, "sh", self.proxy, USER, self.sources, *UNMASKED])
        self.note()

    def note(self) -> None:
        """Write down where the container is: its first process and its control groups."""
        node = self.node
        # A control group with children has no processes of its own in version 2: see cgroups(7).
        scopes = [path / "init.scope" if (path / "init.scope").is_dir() else path for path in node.group.paths]
        first = f"{node.init} {Path(f'/proc/{node.init}/ns/pid').readlink()}"
        files.write_atomic(self._place, "\n".join([first, *map(str, scopes)]) + "\n")

    def revert(self) -> None:
        """Make the testbed pristine again."""
        self.target.reset()
        self.set_up()

    def wait_for_reboot(self) -> None:
        """Wait until the container has booted again.  Raises InfrastructureError if it does not."""
        before = int(self._place.read_text().split()[0])
        group = self.node.group
        if not wait_until(lambda: group.first_process() not in {0, before}, BOOT_SECONDS):
            raise InfrastructureError("the testbed does not reboot")
        self.node.come_up()
        self.note()

    def run(self, argv: Sequence[Word]) -> str:
        """Run a command in the testbed and return its output."""
        return self.node.run(argv, capture=True).stdout


@contextmanager
def opened(
    name: str, series: Series, archive: str = "", packages: Sequence[str] = (), *, deb_src: bool = False
) -> Iterator[NspawnBed]:
    """Provide a testbed of a series; ``archive``: the URL of the lab's archive on this machine.

    Its apt knows the archive as ``http://lab-archive``.  Raises ConfigurationError where this machine supports no
    containers, InfrastructureError for a testbed that does not come up.
    """
    home = environment.cache_home() / "testbeds"
    home.mkdir(parents=True, exist_ok=True)
    sweep(home)
    directory = Path(tempfile.mkdtemp(prefix="testbed-", dir=home))
    with ExitStack() as held:
        held.enter_context(files.locked(directory / "owner.lock"))
        held.callback(shutil.rmtree, directory, ignore_errors=True)
        # What programs say of a testbed that does not come up is in the message.
        log = held.enter_context((directory / "log").open("a", encoding="utf-8", errors="surrogateescape"))
        target = NspawnTarget(directory / "env", log)
        held.callback(target.destroy)
        with target.prepare(Pristine(name, series, tuple(packages))) as snapshot:
            target.create(snapshot, [NODE])
        proxy = held.enter_context(
            serving(
                target.keeper.pid,
                GATEWAY,
                hosts=mirror_hosts(name, series),
                places={ARCHIVE_HOST: urlsplit(archive).netloc} if archive else {},
                upstream=next((match[1] for line in proxies() if (match := PROXY.match(line))), mirror_cache.url()),
            )
        )
        sources = "\n".join(apt.sources(name, series, kind="deb-src")) if deb_src else ""
        bed = NspawnBed(target, proxy, sources)
        bed.set_up()
        yield bed


def mirror_hosts(name: str, series: Series) -> frozenset[str]:
    """Return the hosts of a series' mirrors."""
    words = (word for line in apt.sources(name, series) for word in line.split())
    return frozenset(urlsplit(word).netloc for word in words if "://" in word)


def sweep(home: Path) -> None:
    """Destroy the testbeds of processes that were killed."""
    for directory in home.glob("testbed-*"):
        lock = directory / "owner.lock"
        if lock.exists() and not files.is_locked(lock):
            with suppress(files.Busy), files.locked(lock, wait=False):
                NspawnTarget(directory / "env").destroy()
                shutil.rmtree(directory, ignore_errors=True)
