"""A limit of time for a whole HTTP request, also while its headers, chunk sizes or trailers are read.

The time limit of a socket begins anew with each byte.  `http.client` reads lines without looking at a clock, and trailers
without a limit, so that a server can hold a request for ever.  After the limit, another thread ends the connection.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

_OF_THREAD = threading.local()


@dataclass
class RequestWatch:
    """The sockets of a block, and whether its time is over."""

    sockets: list[socket.socket] = field(default_factory=list)
    is_over: bool = False

    def end(self) -> None:
        self.is_over = True
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def ended_after(seconds: float) -> Iterator[RequestWatch]:
    """End the connections that the sessions of `watched` use in this thread, in a block that takes longer."""
    watch = RequestWatch()
    timer = threading.Timer(seconds, watch.end)
    timer.daemon = True
    before, _OF_THREAD.watch = getattr(_OF_THREAD, "watch", None), watch
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
        _OF_THREAD.watch = before


def watched(session: requests.Session) -> requests.Session:
    """Make a session one whose connections `ended_after` ends."""
    for prefix, before in [*session.adapters.items()]:
        session.mount(prefix, _Adapter(max_retries=before.max_retries if isinstance(before, HTTPAdapter) else 0))
    return session


def _note(connection: HTTPConnection) -> None:
    watch = getattr(_OF_THREAD, "watch", None)
    if watch is not None and connection.sock is not None:
        watch.sockets.append(connection.sock)
        if watch.is_over:
            watch.end()


class _Plain(HTTPConnection):
    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _note(self)
        return super().getresponse(*args, **kwargs)


class _Encrypted(HTTPSConnection):
    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _note(self)
        return super().getresponse(*args, **kwargs)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        _use(manager)
        return manager


def _use(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}
