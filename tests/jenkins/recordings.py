"""What was recorded of a real Jenkins 2.426.2: see data/exchanges.jsonl and data/roundtrip."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
ROUNDTRIP = DATA / "roundtrip"
JOBS = tuple(sorted(path.name.removesuffix(".sent.xml") for path in ROUNDTRIP.glob("*.sent.xml")
                    if path.name != "contract-view.sent.xml"))  # fmt: skip


@cache
def exchanges() -> tuple[Mapping[str, Any], ...]:
    """Every recorded request and its response, in their order."""
    return tuple(map(json.loads, (DATA / "exchanges.jsonl").read_text().splitlines()))


def exchange(why: str) -> Mapping[str, Any]:
    """The exchange that was made for one reason."""
    return next(one for one in exchanges() if one["why"] == why)


@cache
def plugins() -> tuple[Mapping[str, Any], ...]:
    """The recorded Jenkins' plugins, as its API shows them."""
    return tuple(json.loads(exchange("plugins")["response"]["body"])["plugins"])


@cache
def plugin_versions() -> Mapping[str, str]:
    """Their versions by their names."""
    return {plugin["shortName"]: plugin["version"] for plugin in plugins()}


def xml(name: str, form: str) -> str:
    """A recorded config.xml: ``form`` is sent, stored or resaved."""
    return (ROUNDTRIP / f"{name}.{form}.xml").read_bytes().decode()


def full_name(name: str) -> str:
    """The name in Jenkins of a job of the round trip: a file's name has no slash."""
    return name.replace("folder_inner", "folder/inner")
