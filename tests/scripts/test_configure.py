"""configure without a cloud: skipped and refused calls."""

from __future__ import annotations

from collections.abc import Callable

from lab.config.description import Lab
from lab.store.runs import Store
from scripts import configure, deploy
from scripts.configure import described
from scripts.services.cloud_settings import Configured
from tests.conftest import Bench
from tests.scripts.test_deploy import offer

ALL = {"phases": ["build", "deploy", "exercise"]}
TARGET = {"applications": {"greet": {"role": "package", "packages": ["greet"]}}}


def begin(lab_factory: Callable[..., Lab], version: str = "") -> Bench:
    lab = lab_factory(track=ALL, lab={"deployment": TARGET})
    return Bench(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy", version=version))


def test_configure_needs_a_deployment(lab_factory: Callable[..., Lab]) -> None:
    record = begin(lab_factory).execute(configure)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert record.message.startswith("trunk: nothing is deployed (qalab run trunk greet")


def test_configure_is_skipped_after_skipped_deploy(lab_factory: Callable[..., Lab]) -> None:
    at = begin(lab_factory, "1.9")
    offer(at.lab, "1.10")
    skipped = at.execute(deploy)
    record = at.execute(configure)
    assert (skipped.verdict, record.verdict, record.version) == ("skipped", "skipped", "1.9")
    assert record.message == skipped.message


def test_configured_resources_are_listed() -> None:
    who = Configured(user="lab", password="p", project="lab", access="a", secret="s")
    assert described(who) == "the user lab"
    most = who.model_copy(update={"network": "n", "flavor": "f", "image": "i"})
    text = "the user lab, networks, a router and a security group, a flavour and a key pair, the guest's image"
    assert described(most) == text
