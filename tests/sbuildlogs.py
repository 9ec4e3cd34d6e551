"""Logs as sbuild 0.85 writes them."""

from __future__ import annotations

HEADING = f"+{'-' * 78}+\n"


def log(
    *,
    before: str = "",
    build: str | None = None,
    after: str = "",
    status: str = "attempted",
    stage: str = "build",
    seconds: int = 7,
) -> str:
    """What comes before dpkg-buildpackage, what it says (None: it was not called), what comes behind; the summary."""
    built = ""
    if build is not None:
        built = (
            "dpkg-buildpackage\n-----------------\n\n"
            f"Command: dpkg-buildpackage --sanitize-env -us -uc -b -rfakeroot\n{build}"
            f"{'-' * 80}\nBuild finished at 2026-11-23T22:44:45Z\n\nFinished\n--------\n\n"
        )
    failed = f"Fail-Stage: {stage}\n" if status != "successful" else ""
    return (
        f"sbuild (Debian sbuild) 0.85.0 (04 January 2023) on host\n\n{before}{built}{after}\n"
        f"{HEADING}| Summary{' ' * 71}|\n{HEADING}\nBuild Type: binary\nBuild-Time: {seconds}\n{failed}"
        f"Install-Time: 3\nPackage: greet\nStatus: {status}\nVersion: 1.0\n{'-' * 80}\n"
    )
