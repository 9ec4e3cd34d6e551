"""The APT sources of a series: from lab.yaml, else from the environment, else this machine's own mirror."""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.base.run import run
from lab.config.description import Series

KEYRINGS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
# Debian 12 has no package with Ubuntu's keys; that of Debian 13 can be unpacked there.
KEYRING_PACKAGES = {
    "debian": "apt-get install debian-archive-keyring",
    "ubuntu": "apt-get install ubuntu-keyring, which Debian has from 13 on",
}
# What apt answers from changes with these.
APT_STATE = tuple(map(Path, ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/var/lib/apt/lists")))
# The cache of an apt with another Dir::Cache: apt validates it, and replaces it atomically.
KEPT_CACHE = ("-oDir::Cache::pkgcache=pkgcache.bin", "-oDir::Cache::srcpkgcache=")
NO_CACHE = ("-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache=")
# A pocket's suite, where it is not CODENAME-POCKET on the release's own mirror.
DEBIAN_SECURITY = "security"
# The pocket of waiting packages, and the field of its Release file with the name of its suite: see apt_preferences(5).
PROPOSED = {"debian": ("proposed-updates", "n"), "ubuntu": ("proposed", "a")}


def machine_mirror(distribution: str, *, security: bool = False) -> str | None:
    """Return the URL of this machine's APT mirror of a distribution; None without one."""
    paths = [path for place in APT_STATE for path in (place, *place.glob("*.list"), *place.glob("*.sources"))]
    state = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)
    targets = _index_targets(environment.find_program("apt-get"), state)
    wanted = {"debian": "Debian-Security" if security else "Debian", "ubuntu": "Ubuntu"}[distribution]
    for line in targets.splitlines():
        uri, _, label = line.partition(" ")
        if label == wanted:
            return uri.rstrip("/")
    return None


@functools.cache
def _index_targets(program: str | None, state: tuple[int, ...]) -> str:  # noqa: ARG001 - what the answer depends on
    """Return this machine's APT repositories with their labels.

    apt has a cache of the lab's own.  It could not keep that of the machine: a user may not write there, and many
    container images have none.  Without a cache it reads all indices each time, for a CPU second.
    """
    cache = environment.cache_home() / "apt"
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    options = (f"-oDir::Cache={cache}", *KEPT_CACHE)
    question = ("indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages")
    answer = run(["apt-get", *options, *question], capture=True, check=False)
    if not answer:  # a full disk, or a directory that may not be written: without a cache, it takes longer
        answer = run(["apt-get", *NO_CACHE, *question], capture=True, check=False)
    return answer.stdout


def mirror(name: str, series: Series) -> str:
    """Return the URL of a series' mirror.  Raises ConfigurationError when no source names one."""
    variable = f"QALAB_MIRROR_{series.distribution.upper()}"
    url = series.mirror or environment.variable(variable) or machine_mirror(series.distribution)
    if not url:
        hint = f"name it as series.{name}.mirror in lab.yaml, or in the variable {variable}; try apt-get update"
        raise ConfigurationError(
            f"series {name}: this machine's apt knows no mirror of {series.distribution}", hint=hint
        )
    return url


def keyring(name: str, series: Series) -> Path:
    """Return the keyring that signs a series.  Raises ConfigurationError for a missing file."""
    path = Path(series.keyring) if series.keyring else KEYRINGS[series.distribution]
    if not path.is_file():
        hint = f"{KEYRING_PACKAGES[series.distribution]}, or name series.{name}.keyring"
        raise ConfigurationError(f"series {name}: no keyring {path}", hint=hint)
    return path


def keyrings(name: str, series: Series) -> tuple[Path, ...]:
    """Return the keyrings of a series and of its further archives.  Raises ConfigurationError for a missing file."""
    found = [keyring(name, series)]
    for number, archive in enumerate(series.archives):
        found.append(Path(archive.keyring))
        if not found[-1].is_file():
            where = f"series.{name}.archives.{number}.keyring"
            raise ConfigurationError(f"{where}: no keyring {archive.keyring}", hint=KEYRING_PACKAGES["ubuntu"])
    return tuple(found)


def sources(name: str, series: Series, *, kind: str = "deb") -> list[str]:
    """Return the lines of a sources.list (``deb`` or ``deb-src``) for a series, its pockets and its further archives."""
    signed, *others = keyrings(name, series)
    lines = _own_sources(name, series, f"{kind} [signed-by={signed}]")
    for archive, ring in zip(series.archives, others, strict=True):
        areas = " ".join(archive.components)
        lines.append(f"{kind} [signed-by={ring}] {archive.url.rstrip('/')} {archive.suite} {areas}")
    return lines


def unsigned_sources(name: str, series: Series) -> list[str]:
    """Return the lines for a series and its pockets in a system of that distribution, whose apt has its keys."""
    return _own_sources(name, series, "deb")


def _own_sources(name: str, series: Series, first: str) -> list[str]:
    codename, url, areas = series.codename or name, mirror(name, series), " ".join(series.components)
    lines = [f"{first} {url} {codename} {areas}"]
    for pocket in series.pockets:
        at = url
        if series.distribution == "debian" and pocket == DEBIAN_SECURITY:
            at = machine_mirror("debian", security=True) or f"{url.removesuffix('/debian')}/debian-security"
        lines.append(f"{first} {at} {codename}-{pocket} {areas}")
    return lines
