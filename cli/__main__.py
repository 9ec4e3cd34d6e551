"""``python -m cli``: the command line, as qalab's own programs call it."""

from __future__ import annotations

import sys

from cli.main import main

sys.exit(main())
