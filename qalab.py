"""Start the command line: `qalab.py` in a checkout, the package `qalab` once installed."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# Of an installed qalab: the packages behind the command, which nothing else imports.
PRIVATE = Path(__file__).parent / "_private"


def main() -> int:
    """Run the command line and return its exit code."""
    return _run("cli.main")


def virt_nspawn() -> int:
    """Serve testbeds to autopkgtest; see `scripts.testing.virt_nspawn`."""
    return _run("scripts.testing.virt_nspawn")


def _run(module: str) -> int:
    if PRIVATE.is_dir():
        sys.path.insert(0, str(PRIVATE))
    code: int = import_module(module).main()
    return code


if __name__ == "__main__":
    sys.exit(main())
