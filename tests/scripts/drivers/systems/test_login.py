"""The way of a node to the mirrors, through what this machine has."""

from __future__ import annotations

import pytest

from scripts.drivers.systems import login


@pytest.mark.parametrize(
    ("own", "kept_by", "forwards"),
    [
        pytest.param([], "http://127.0.0.1:4000", ("1080", "1081:127.0.0.1:4000"), id="the proxy that keeps packages"),
        pytest.param(['Acquire::http::Proxy "http://p.example:3128";'], "", ("1080", "1081:p.example:3128"), id="its own"),
        pytest.param(
            ['Acquire::https::Proxy "http://p.example:3128";'], "http://127.0.0.1:4000",
            ("1080", "1081:127.0.0.1:4000", "1082:p.example:3128"), id="its own for https",
        ),
    ],
)  # fmt: skip
def test_nodes_use_the_proxy_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, own: list[str], kept_by: str, forwards: tuple[str, ...]
) -> None:
    monkeypatch.setattr(login, "proxies", lambda: own)
    monkeypatch.setattr(login.mirror_cache, "url", lambda: kept_by)
    way = login.way_out()
    assert way.forwards == forwards
    assert 'Acquire::http::Proxy "http://127.0.0.1:1081";' in way.apt_conf
    assert 'Acquire::http::Proxy::127.0.0.1 "socks5h://127.0.0.1:1080";' in way.apt_conf, "the lab's own archive"
