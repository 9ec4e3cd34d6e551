"""Environments, whatever the driver."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.deployment import environments
from scripts.drivers.registry import TARGETS
from scripts.services import cloud_settings, deployed_state


@pytest.mark.parametrize("driver", TARGETS)
def test_reset_removes_deployment_records_first(driver: str, lab_factory: Callable[..., Lab]) -> None:
    own = {"ssh": {"hosts": ["root@192.0.2.1"], "restore": ["true"]}} if driver == "ssh" else {}
    archive = {"url": "http://archive.lab.example"}
    lab = lab_factory(lab={"deployment": {"target": driver, "applications": {}, **own}, "archive": archive})
    home = Store.of(lab).environments / "trunk"
    home.mkdir(parents=True)
    for record in (deployed_state.FILE, cloud_settings.FILE):
        (home / record).write_text("{}")
    with pytest.raises(InfrastructureError, match="trunk: there is no such environment"):
        environments.reset(lab, "trunk")
    assert not [*home.iterdir()]
