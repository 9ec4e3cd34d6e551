"""The step upgrade in real containers: a service that survives, one that does not, a conffile that is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.runs import Store
from scripts import upgrade
from scripts.drivers.nspawn import leftovers
from tests.toylab import Toy, bench, promote, publish

pytestmark = [pytest.mark.integration, pytest.mark.full]
POSTINST = """#!/bin/sh
set -e
deb-systemd-helper enable greet.service >/dev/null
[ ! -d /run/systemd/system ] || { systemctl daemon-reload; deb-systemd-invoke restart greet.service || :; }
"""
NOTHING = "#!/bin/sh\n"  # it restarts no service
UNIT = "[Service]\nExecStart={}\n[Install]\nWantedBy=multi-user.target\n"


def files(start: str = "/bin/sleep infinity", postinst: str = POSTINST) -> Mapping[str, str]:
    return {
        "lib/systemd/system/greet.service": UNIT.format(start),
        "etc/greet.conf": "greeting = hello\n",
        "DEBIAN/conffiles": "/etc/greet.conf\n",
        "DEBIAN/postinst": postinst,
    }


@pytest.fixture
def removing_lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Lab:
    places = {name: {"git": f"/nowhere/{name}"} for name in ("upstream", "packaging")}
    tests = {"upgrade": [{"removes": "extra", "reason": "nobody uses it"}]}
    components = dict.fromkeys(("other", "extra", "renamed"), places) | {"greet": {**places, "test": tests}}
    return lab_factory(track={"phases": ["build", "test", "deploy"]}, lab={"components": components})


def test_upgrade_tells_what_it_removes(removing_lab: Lab, tmp_path: Path) -> None:
    lab, old = removing_lab, {"greet": "Depends: other, extra, renamed"}
    others = [Toy(name, "1.0") for name in ("other", "extra", "renamed")]
    publish(lab, tmp_path, [*others, Toy("greet", "1.1", old)])
    promote(lab, tmp_path)
    takes_over = {"greet": "Conflicts: renamed (<< 2), extra\nReplaces: renamed (<< 2)"}
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.2", takes_over)]))
    record = work.execute(upgrade)
    told = {"extra": "nobody uses it", "renamed": "greet replaces it"}
    assert (record.verdict, record.facts["removed"]) == ("passed", told), work.log("upgrade")
    assert record.message.endswith("; removed: extra (nobody uses it), renamed (greet replaces it)")
    loses = {"greet": "Conflicts: other"}
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.3", loses)]))
    record = work.execute(upgrade)
    lost = "upgrade: the upgrade removes other 1.0 from node0, and no package that it installs replaces it"
    assert (record.verdict, record.message[: len(lost)]) == ("failed", lost), work.log("upgrade")


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Lab:
    return lab_factory(track={"phases": ["build", "test", "deploy"], "settle_seconds": 2})


def test_upgrade_tells_what_breaks(lab: Lab, tmp_path: Path) -> None:
    publish(lab, tmp_path, [Toy("greet", "1.0", files=files())])
    first = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", files=files())])).execute(upgrade)
    assert (first.verdict, first.message) == ("skipped", "bookworm has no older version of greet")
    promote(lab, tmp_path)
    tried = [
        (files(), "passed", "9 of 9 passed after the upgrade from 1.1 of trunk-tested"),
        (files(postinst=POSTINST + "rm /etc/greet.conf\n"), "failed",
         "upgrade: the conffile /etc/greet.conf is lost in the upgrade"),
        (files(start="/bin/false"), "failed", "greet: greet.service runs on node0: it is failed"),
        (files(postinst=NOTHING), "passed", "9 of 9 passed after the upgrade from 1.1 of trunk-tested"),
        (files(start="/bin/false", postinst=NOTHING), "failed", "greet: greet.service runs on node0: it is failed"),
        (files(postinst="#!/bin/sh\nexit 5\n"), "failed", "upgrade: the package greet cannot be installed: "),
    ]  # fmt: skip
    for number, (content, verdict, message) in enumerate(tried, start=2):
        work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", f"1.{number}", files=content)]))
        record = work.execute(upgrade)
        assert (record.verdict, record.message[: len(message)]) == (verdict, message), work.log("upgrade")
        restarted = ["greet.service on node0"] if content["DEBIAN/postinst"] == NOTHING else []
        assert record.facts["restarted"] == restarted
    assert [leftovers.left_by(path) for path in Store.of(lab).environments.iterdir()] in ([], [[]])
