"""Connections to servers whose certificates an authority of their own has signed."""

from __future__ import annotations

import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class TrustingAdapter(HTTPAdapter):
    """Trusts an authority besides those that everybody trusts; ``authority``: its certificate as PEM, "" for none.

    Raises ssl.SSLError for text that is no certificate.
    """

    def __init__(self, retries: Retry, authority: str) -> None:
        self._trust = ssl.create_default_context()
        if authority:
            self._trust.load_verify_locations(cadata=authority)
        super().__init__(max_retries=retries)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the connections with this trust."""
        super().init_poolmanager(*args, **options, ssl_context=self._trust)
