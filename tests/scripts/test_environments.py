"""Environments, whatever the driver."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.description import Lab
from lab.errors import InfrastructureError
from lab.store import Store
from scripts import environments
from scripts.targets import configured, deployed
from scripts.targets.registry import TARGETS


@pytest.mark.parametrize("driver", TARGETS)
def test_a_reset_first_forgets_what_was_deployed(driver: str, lab_factory: Callable[..., Lab]) -> None:
    own = {"ssh": {"hosts": ["root@192.0.2.1"], "restore": ["true"]}} if driver == "ssh" else {}
    archive = {"url": "http://archive.lab.example"}
    lab = lab_factory(lab={"deployment": {"target": driver, "applications": {}, **own}, "archive": archive})
    home = Store.of(lab).environments / "trunk"
    home.mkdir(parents=True)
    for record in (deployed.FILE, configured.FILE):
        (home / record).write_text("{}")
    with pytest.raises(InfrastructureError, match="trunk: there is no such environment"):
        environments.reset(lab, "trunk")
    assert not [*home.iterdir()]
