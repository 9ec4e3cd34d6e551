"""The votes of other CI systems: files that others write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store import promotions
from lab.store.runs import Store

VOTE = {"state": "trunk-1", "name": "staging", "verdict": "passed"}


def text(**changes: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(VOTE | changes))


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        pytest.param(lambda path: path.write_bytes(b""), "Invalid JSON", id="empty"),
        pytest.param(lambda path: path.write_bytes(b"{"), "Invalid JSON", id="half of one"),
        pytest.param(lambda path: path.write_bytes(b"\xff"), "Invalid JSON", id="not UTF-8"),
        pytest.param(lambda path: path.write_text("[" * 9000), "Invalid JSON", id="deep"),
        pytest.param(lambda path: path.write_text("[]"), "must be a JSON object", id="a list"),
        pytest.param(text(state="trunk-0"), "is the vote of staging for trunk-0", id="replayed for another state"),
        pytest.param(text(name="other"), "is the vote of other for trunk-1", id="of another system"),
        pytest.param(text(verdict="yes"), "verdict: Input should be 'passed' or 'failed'", id="another verdict"),
        pytest.param(text(more="1"), "more: Extra inputs", id="more"),
        pytest.param(text(url="https://x/" + "y" * 2000), "url: String should have at most 2000", id="a long address"),
        pytest.param(text(when="x" * 41), "when: String should have at most 40", id="a long time"),
        pytest.param(text(when="x" * 10_000), "is no vote: right is a file of 10000 bytes at most", id="large"),
        pytest.param(Path.mkdir, "is no vote: right is a file", id="a directory"),
        pytest.param(os.mkfifo, "is no vote: right is a file", id="a pipe"),
    ],
)
def test_vote_that_is_none_is_refused(
    lab_factory: Callable[..., Lab], place: Callable[[Path], object], wrong: str
) -> None:
    store = Store.of(lab_factory())
    path = promotions.vote_path(store, "trunk-1", "staging")
    path.parent.mkdir(parents=True)
    place(path)
    with pytest.raises(ConfigurationError, match=rf"votes/trunk-1/staging\.json: .*{wrong}"):
        promotions.votes(store, "trunk-1", ["staging"])
    assert promotions.votes(store, "trunk-1", ["another"]) == {}


def test_vote_counts_for_its_state_alone(lab_factory: Callable[..., Lab]) -> None:
    store = Store.of(lab_factory())
    promotions.StateVote.model_validate(VOTE).write(promotions.vote_path(store, "trunk-1", "staging"))
    assert promotions.votes(store, "trunk-1", ["staging"])["staging"].verdict == "passed"
    assert promotions.votes(store, "trunk-2", ["staging"]) == {}
