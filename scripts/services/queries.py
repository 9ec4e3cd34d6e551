"""Queries to the services of a deployment, sent by a program that runs where it can reach the nodes.

The program is `scripts.roles.__main__`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from lab.base import resources
from scripts.services.site import Site

PROGRAM = (sys.executable, "-m", "scripts.roles")


def ask_cloud(site: Site, verb: str, **arguments: Any) -> str:
    """Send the cloud a query; return "" when all is well, else the error."""
    settings = dict(site.provider("keystone").settings)
    request = json.dumps({"settings": settings, **arguments}).encode()
    result = site.beside([*PROGRAM, verb], cwd=resources.ROOT, stdin=request, capture=True, check=False)
    return "" if result else result.stdout.strip() or f"status {result.returncode}"


def ask_url(site: Site, url: str) -> str:
    """Wait for an answer from a URL; return "" for a good answer, else what came instead."""
    result = site.beside([*PROGRAM, "answer", url, "5"], cwd=resources.ROOT, capture=True, check=False)
    return "" if result else f"{url}: {result.stdout.strip()}"
