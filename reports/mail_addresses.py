"""The addresses of authors that can get mail."""

from __future__ import annotations

import re
from typing import Final

ADDRESS: Final = re.compile(r"[!-?A-~]+@[A-Za-z0-9][A-Za-z0-9.-]*")  # accepted by any mail server
NOBODY: Final = re.compile(
    r"(?i)(?:^|[.@+_-])(?:no-?reply|donotreply)(?=[.@+_-])|\.(?:invalid|localdomain)$|@localhost$"
)
"""Addresses of forges that nobody reads, names that no server has (RFC 2606), and those of a machine's own accounts."""


def gets_mail(address: str) -> bool:
    return ADDRESS.fullmatch(address) is not None and NOBODY.search(address) is None
