"""The only module that reads the environment and the clock."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

# The variables that programs of the lab inherit: enough to find programs, a home and the network, and none that
# changes the result of a build.
PASSED_ON = (
    "HOME", "USER", "LOGNAME", "PATH", "TMPDIR", "TERM", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
    "PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT", "PIP_CONFIG_FILE",
    "SSH_AUTH_SOCK", "JUJU_DATA",
    "QALAB_MIRROR_DEBIAN", "QALAB_MIRROR_UBUNTU",  # for qalab's own programs, such as testbeds
)  # fmt: skip
ADMIN_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def variable(name: str) -> str | None:
    """Return the value of an environment variable, None when it is unset or empty."""
    return os.environ.get(name) or None


def clean() -> dict[str, str]:
    """Return the environment of a child process: the allow-list, C.UTF-8, UTC, and no interactive questions."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = kept.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    kept["PATH"] = ":".join([*path, *(entry for entry in ADMIN_PATH if entry not in path)])
    kept.setdefault("HOME", str(Path.home()))
    return kept | {
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "DEBIAN_FRONTEND": "noninteractive",
        "GIT_TERMINAL_PROMPT": "0",
    }


def own() -> dict[str, str]:
    """Return the environment of this process, for another qalab that continues its work."""
    return dict(os.environ)


def find_program(name: str) -> str | None:
    """Return the path of a program, as children find it; None for a missing program."""
    return shutil.which(name, path=clean()["PATH"])


def is_root() -> bool:
    return os.geteuid() == 0


def on_terminal() -> bool:
    return bool(sys.stdout) and sys.stdout.isatty()  # None if it was closed before the start


def user() -> str:
    """Return the name of the user who runs this process; the one before sudo."""
    return variable("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name


def machine() -> str:
    """Return an identity of this machine that can be stored; "" where machine-id(5) is not there.

    It is a digest, because that identity is confidential.
    """
    try:
        text = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return hashlib.sha256(f"qalab {text}".encode()).hexdigest()[:32] if text else ""


def process() -> int:
    """Return the id of this process."""
    return os.getpid()


def arguments() -> list[str]:
    """Return the command line of this process, starting with its program."""
    return list(sys.argv)


def now() -> datetime:
    """Return the current time in UTC, in milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def state_home() -> Path:
    """Return the directory of runs, archives and keys (XDG Base Directory Specification)."""
    return _base_directory("XDG_STATE_HOME", ".local/state") / "qalab"


def cache_home() -> Path:
    """Return the directory of mirrors and chroots, which can be recreated."""
    return _base_directory("XDG_CACHE_HOME", ".cache") / "qalab"


def _base_directory(name: str, default: str) -> Path:
    path = Path(variable(name) or "")
    return path if path.is_absolute() else Path.home() / default  # the specification: ignore a relative path
