"""The content of a clean chroot: mmdebstrap's command line, and the lines of sh that run apt."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from lab.base import environment
from lab.base.run import Word, output
from lab.config.apt import KEYRINGS

BUILD_FIELDS = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep",
                "Build-Conflicts", "Build-Conflicts-Arch", "Build-Conflicts-Indep")  # fmt: skip
RESTRICTED = re.compile(r"[\[<]")
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
SIGNED_BY = re.compile(r"\bsigned-by=([^\]]+)\]")
NO_DAEMONS = "#!/bin/sh\nexit 101\n"  # policy-rc.d(8)
NO_DAEMONS_HOOKS = (
    f'printf %s {shlex.quote(NO_DAEMONS)} > "$1"/usr/sbin/policy-rc.d',
    'chmod 0755 "$1"/usr/sbin/policy-rc.d',
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
APT_OPTIONS = (
    # An index that cannot be had is an error: a build on old lists is not the one that was asked for.
    'APT::Update::Error-Mode "any"',
    'Acquire::Languages "none"',
    # The lab's own archive may have an older version, which is to be taken.
    'APT::Get::allow-downgrades "true"',
    'Acquire::http::Proxy::127.0.0.1 "DIRECT"',
    # Each of four attempts waits twice so long for a mirror that accepts and never answers: less than two minutes.
    *(f'Acquire::{scheme}::Timeout "10"' for scheme in ("http", "https")),
    'Acquire::Retries "3"',
)
APT_GET = (
    "apt-get --quiet --yes --no-install-recommends"
    " --option APT::Keep-Downloaded-Packages=false --option Dpkg::Use-Pty=false"
)
# The last of such options counts.
RECOMMENDED = "--install-recommends"
TRUSTED = "/etc/apt/trusted.gpg.d/qalab.asc"
SOURCES = "/etc/apt/sources.list.d/qalab.list"
PREFERENCES = "/etc/apt/preferences.d/qalab"
MIRROR_PROXY = "/etc/apt/apt.conf.d/99qalab-mirror-proxy"  # that of the process that uses a session
SOURCE = "/tmp/source"  # noqa: S108 - in a chroot that nobody else is in


def preseed(answers: Sequence[str]) -> str:
    """Return a line of sh that gives debconf answers before packages ask: see debconf-set-selections(1)."""
    return f"printf '%s\\n' {shlex.join(answers)} | debconf-set-selections\n" if answers else ""


@dataclass(frozen=True)
class Repository:
    """A package archive for apt in a chroot: where it is, its suite, and what is taken from it.

    It is signed by ``key``, or else by one of the file ``keyring``, which is there.  apt_preferences(5) knows it by
    ``release``, which by default is its origin.  ``only``: source packages that are taken from it, and no others;
    none: all that it has.  ``replaces``: source packages of which its versions
    replace newer ones of other archives, the newest version of all others is taken; None: all.  ``held``: packages of any
    archive with the version that is taken, even if that is a downgrade.
    """

    url: str
    codename: str
    key: str = ""
    origin: str = ""
    keyring: str = ""
    release: str = ""
    areas: tuple[str, ...] = ("main",)
    only: tuple[str, ...] = ()
    replaces: tuple[str, ...] | None = None
    held: tuple[tuple[str, str], ...] = ()

    @property
    def setup(self) -> str:
        """Return a line of sh that has apt trust it and take its packages as `pin` says.

        It has no ``%``, because sbuild reads that as an escape.
        """
        key = base64.b64encode(self.key.encode()).decode()
        trust = f"echo {key} | base64 --decode > {TRUSTED};" if key else ""
        signed = f"[signed-by={self.keyring}] " if self.keyring else ""
        source = shlex.quote(f"deb {signed}{self.url} {self.codename} {' '.join(self.areas)}")
        pin = map(shlex.quote, self.pin)
        return (
            f"set -e; {trust} echo {source} > {SOURCES};"
            f" {{ {' '.join(f'echo {line};' for line in pin)} }} > {PREFERENCES}"
        )

    @property
    def pin(self) -> tuple[str, ...]:
        """Return the lines of apt_preferences(5) that say which of its packages replace newer ones, and which are held."""
        held = (
            (f"Package: {name}", f"Pin: version {version}", "Pin-Priority: 1002", "") for name, version in self.held
        )
        return (*(line for lines in held for line in lines), *self._pin)

    @property
    def _pin(self) -> tuple[str, ...]:
        release = f"Pin: release {self.release or f'o={self.origin}'}"
        # -1: never, also where no other archive has the package; 500: equal to other archives.
        others, names = ("-1", self.only) if self.only else ("500", self.replaces)
        if names is None:
            return "Package: *", release, "Pin-Priority: 1001"
        rest = ("Package: *", release, f"Pin-Priority: {others}")
        named = " ".join(f"src:{name}" for name in names)
        return (*rest, "", f"Package: {named}", release, "Pin-Priority: 1001") if named else rest

    @property
    def places(self) -> tuple[str, ...]:
        """The names of the archive in the output of apt-cache policy."""
        return tuple(f" {self.url} {self.codename}/{area} " for area in self.areas)

    @property
    def identity(self) -> str:
        """Return a text that stays the same for the same archive and pins, wherever it is served."""
        replaces = "all" if self.replaces is None else " ".join(self.replaces)
        return f"{self.origin} {self.codename} {replaces} {self.key}" + "".join(
            f" {name}={of}" for name, of in self.held
        )


def dependencies(dsc: str, more: Sequence[str] = ()) -> str:
    """Return the build dependencies that a .dsc names, as the control file of a source package with nothing else.

    ``more``: further packages.  Of alternatives it is the first one, as sbuild takes them; where one of them is for
    some architectures or profiles only, the choice is apt's.
    """
    fields = Deb822(dsc)
    wanted = {"Build-Depends": {*more}, "Build-Conflicts": set[str]()}
    for name in BUILD_FIELDS:
        relations = (_first(" ".join(each.split())) for each in fields.get(name, "").split(","))
        wanted["-".join(name.split("-")[:2])] |= {each for each in relations if each}
    lines = (f"{name}: {', '.join(sorted(relations))}\n" for name, relations in wanted.items() if relations)
    return "Source: dependencies\n" + "".join(lines)


def _first(relation: str) -> str:
    return relation if RESTRICTED.search(relation) else relation.partition("|")[0].strip()


def proxies() -> list[str]:
    """Return how this machine's apt reaches a mirror through a proxy, as lines of an apt.conf; none without a proxy."""
    lines = []
    for scheme in ("http", "https"):
        name = f"Acquire::{scheme}::Proxy"
        set_up = output(["apt-config", "dump", "--no-empty", "--format", '%f "%v";%n', name]).splitlines()
        variable = environment.variable(f"{scheme}_proxy")
        lines += set_up or ([f'{name} "{variable}";'] if variable else [])
    return lines


def base_argv(  # noqa: PLR0913 - what goes into a base, by name
    codename: str,
    sources: Sequence[str],
    *,
    target: Word,
    architecture: str,
    builder: tuple[int, int],
    apt_conf: Path | None = None,
) -> list[Word]:
    """Return the command line of mmdebstrap for a base to build in.

    ``builder``: ids of the user sbuild on this machine, because schroot goes by them.
    """
    uid, gid = builder
    account = f"--uid {uid} --gid {gid} --home-dir /var/lib/sbuild --no-create-home --shell /bin/bash"
    hooks = [
        *written({"etc/hosts": HOSTS}),
        f'chroot "$1" groupadd --non-unique --gid {gid} sbuild',
        f'chroot "$1" useradd --system --non-unique {account} sbuild',
    ]
    return mmdebstrap_argv(
        "buildd", codename, sources, ["fakeroot"], hooks,
        target=target, architecture=architecture, apt_conf=apt_conf,
    )  # fmt: skip


def mmdebstrap_argv(  # noqa: PLR0913 - what mmdebstrap is told, by name
    variant: str,
    codename: str,
    sources: Sequence[str],
    packages: Sequence[str],
    hooks: Sequence[str],
    *,
    target: Word,
    architecture: str,
    apt_conf: Path | None,
) -> list[Word]:
    """Return the words that all bases share: apt's options, the indices kept, certificates and keyrings copied in."""
    packages, hooks = [*packages], [*hooks]
    if any("https:" in line for line in sources):
        packages.append("ca-certificates")
        hooks.append(f"upload {CERTIFICATES} {CERTIFICATES}")
    signed = [*dict.fromkeys(path for line in sources for path in SIGNED_BY.findall(line))]
    if signed and Path(signed[0]) in KEYRINGS.values():
        del signed[0]  # the mirror's, which the release has itself
    for quoted in map(shlex.quote, signed):
        hooks += [f'mkdir -p "$1"/"$(dirname {quoted})"', f"upload {quoted} {quoted}"]
    return [
        "mmdebstrap",
        f"--variant={variant}",
        f"--architectures={architecture}",
        f"--include={','.join(packages)}",
        *(f"--aptopt={option}" for option in (*APT_OPTIONS, apt_conf) if option),
        "--dpkgopt=force-unsafe-io",
        # mmdebstrap would replace qalab's policy-rc.d and remove it at its end.
        "--skip=cleanup/apt/lists,output/dev,chroot/policy-rc.d",
        *(f"--essential-hook={hook}" for hook in NO_DAEMONS_HOOKS),
        *(f"--customize-hook={hook}" for hook in hooks),
        codename,
        target,
        *sources,
    ]


def written(contents: Mapping[str, str]) -> list[str]:
    """Return hooks of mmdebstrap that write files."""
    return [f'printf %s {shlex.quote(text)} > "$1"/{name}' for name, text in contents.items()]


def update(repository: Repository | None) -> str:
    """Return lines of sh that have apt read its indices, and those of another archive."""
    setup = f"{repository.setup}\n" if repository else ""
    return f"{setup}apt-get --quiet update\n"


def resolve_script(control: str, profiles: Sequence[str], repository: Repository | None, host: str = "") -> str:
    """Return lines of sh that print what apt would install for build dependencies, one ``Inst`` or ``Remv`` a line.

    An ``Inst`` line has what apt would download, as ``--print-uris`` does, with size and digest: that takes a third of
    the time of a simulation.  It names no removals: where there are some, the lines are those of ``--simulate``.
    See `dependencies`.  ``host``: the other architecture that the package is built for.  All else, and all of apt's words where it cannot install them, is on standard error.
    """
    resolved, planned = f"{SOURCE}/resolved", f"{SOURCE}/planned"
    foreign = f"dpkg --add-architecture {host}\n" if host else ""
    return (
        f"{{\n{foreign}{update(repository)}"
        f"mkdir -p {SOURCE}/debian\n"
        f"printf %s {shlex.quote(control)} > {SOURCE}/debian/control\n"
        f'plan() {{ {APT_GET} --print-uris "$@" > {planned} || {{ cat {planned}; return 100; }}\n'
        f"if grep -q ', 0 to remove and ' {planned}; then sed -n {shlex.quote(_planned(repository))} {planned};"
        f' else {APT_GET} --simulate "$@"; fi; }}\n'
        f"{{ plan dist-upgrade && plan {_build_dep(profiles, host)}; }} > {resolved} || {{ cat {resolved}; exit 100; }}\n"
        "} >&2\n"
        f"sed -n '/^Inst /p;/^Remv /p' {resolved}\n"
    )


def _planned(repository: Repository | None) -> str:
    """Return a program of sed that prints ``Inst`` lines for those of ``--print-uris``.

    The origin of an archive takes the place of its URL, which is another one each time.
    """
    if not (repository and repository.origin):
        return "s#^'#Inst '#p"
    place = re.sub(r"[][.*^$\\#]", r"\\\g<0>", repository.url.rstrip("/"))
    return f"s#^'{place}/#Inst {repository.origin}:/#;s#^'#Inst '#;/^Inst /p"


def layer_script(control: str, profiles: Sequence[str], repository: Repository | None, host: str = "") -> str:
    """Return lines of sh that install build dependencies in a chroot, and leave nothing else.

    They print what `resolve_script` prints.
    """
    return (
        f"{resolve_script(control, profiles, repository, host)}"
        f"{{\n{APT_GET} dist-upgrade\n{APT_GET} {_build_dep(profiles, host)}\n"
        f"rm -rf {SOURCE} {TRUSTED} {SOURCES} {PREFERENCES}\n}} >&2\n"
    )


def _build_dep(profiles: Sequence[str], host: str) -> str:
    chosen = f"--build-profiles={','.join(profiles)} " if profiles else ""
    foreign = f"--host-architecture={host} " if host else ""
    return f"{chosen}{foreign}build-dep {SOURCE}"


def install_script(package: str, command: Sequence[str], repository: Repository | None) -> str:
    """Return a shell script that installs a package and runs a command; only its output is on standard output."""
    return f"{{\n{update(repository)}{APT_GET} install {shlex.quote(package)}\n}} >&2\nexec {shlex.join(command)}\n"
