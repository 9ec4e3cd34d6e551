"""Start the command line: `qalab.py` in a checkout, the package `qalab` once installed."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# Of an installed qalab: the packages behind the command, which nothing else imports.
PRIVATE = Path(__file__).parent / "_private"


def main() -> int:
    """Run the command line and return its exit code."""
    if PRIVATE.is_dir():
        sys.path.insert(0, str(PRIVATE))
    code: int = import_module("cli.main").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
