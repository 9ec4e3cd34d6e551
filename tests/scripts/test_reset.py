"""reset where there is nothing."""

from __future__ import annotations

from collections.abc import Callable

from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from scripts import reset
from tests.conftest import Bench


def test_reset_without_environment_passes(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track={"phases": ["deploy", "exercise"]})
    record = Bench(lab, Store.of(lab).new_run(lab, "trunk", WHOLE, phase="exercise")).execute(reset)
    assert (record.verdict, record.message) == ("passed", "there was nothing")
