"""The archive cache of this machine: squid keeps what apt downloads, for all chroots, layers, images and machines of its labs.

As Debian configures it, squid answers this machine alone.  apt is told of it for the whole machine, and the lab hands
apt's proxy on to all that it makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

import requests

from lab.base import environment
from lab.base.run import Word, output
from scripts.host import as_root
from scripts.host.prerequisites import Finding

WHAT: Final = "archive cache"
SETUP: Final = "qalab setup --archive-cache"
URL: Final = "http://127.0.0.1:3128"
SQUID_FILE: Final = Path("/etc/squid/conf.d/qalab.conf")
APT_FILE: Final = Path("/etc/apt/apt.conf.d/30qalab-archive-cache")
# The files of a pool and those by their digest never change; what names them does.
SQUID: Final = f"""\
# Written by `{SETUP}`.
maximum_object_size 2 GB
cache_dir aufs /var/spool/squid 20000 16 256
refresh_pattern -i \\.(deb|udeb|dsc|tar\\.[a-z0-9]+|asc)$ 129600 100% 129600 override-expire
refresh_pattern /by-hash/ 129600 100% 129600 override-expire
refresh_pattern /dists/ 0 0% 0
"""
APT: Final = f"""\
// Written by `{SETUP}`.
Acquire::http::Proxy "{URL}";
Acquire::http::Proxy::127.0.0.1 "DIRECT";
"""
PATIENCE_SECONDS: Final = 5


def set_up(say: Callable[[str], None], log: IO[str]) -> None:
    """Install squid, have it keep packages, and tell apt of it, at the end, as apt fails where its proxy does not answer.

    Raises InfrastructureError.
    """
    say("installing squid, which keeps up to 20 GB of packages in /var/spool/squid")
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    commands: tuple[tuple[Sequence[Word], str], ...] = (
        ([*install, "squid"], ""),
        (["tee", SQUID_FILE], SQUID),
        (["service", "squid", "restart"], ""),
        (["tee", APT_FILE], APT),
    )
    as_root.set_up("the archive cache", commands, log)


def state() -> Finding:
    """Return whether apt uses a cache, and what squid has saved since it was started."""
    told = output(["apt-config", "dump", "--no-empty", "--format", "%v%n", "Acquire::http::Proxy"]).splitlines()
    proxy = told[0] if told else environment.variable("http_proxy")
    if not proxy:
        return Finding(WHAT, good=True, detail=f"none: apt asks the mirrors each time; {SETUP} keeps what it downloads")
    if proxy.rstrip("/") != URL:
        return Finding(WHAT, good=True, detail=f"apt asks {urlsplit(proxy).hostname or 'a proxy'}")
    try:
        answer = requests.get(f"{URL}/squid-internal-mgr/counters", timeout=PATIENCE_SECONDS, proxies={"no_proxy": "*"})
        answer.raise_for_status()
    except requests.RequestException:
        detail = f"apt asks squid at {URL}, which does not answer"
        return Finding(WHAT, good=False, detail=detail, fix="service squid restart")
    found = {name: int(value) for name, value in re.findall(r"^client_http\.(\w+) = (\d+)$", answer.text, re.MULTILINE)}
    given, kept = found.get("kbytes_out", 0), found.get("hit_kbytes_out", 0)
    saved = f"{kept / 1000:.0f} of {given / 1000:.0f} MB" + (f" ({kept / given:.0%})" if given else "")
    return Finding(WHAT, good=True, detail=f"squid has given {saved} without asking a mirror since it was started")
