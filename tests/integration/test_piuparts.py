"""The step piuparts with the real piuparts: packages that are broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lab.config.description import Lab
from scripts import piuparts
from tests.toylab import Toy, bench, promote, publish

pytestmark = [pytest.mark.integration, pytest.mark.full]
FAILING_POSTRM = '#!/bin/sh\nset -e\n[ "$1" != purge ] || exit 3\n'
LEAVING_POSTINST = "#!/bin/sh\nset -e\ntouch /etc/greet.left\n"
ORDINARY_POSTINST = (
    '#!/bin/sh\nset -e\nrm "$(mktemp)"\ncd ~\n[ -z "$XDG_CACHE_HOME$XDG_RUNTIME_DIR$PIP_CONFIG_FILE" ]\n'
)
LOGROTATE = "/var/log/greet.log {\n    missingok\n}\n"
FAILING_UPGRADE = '#!/bin/sh\nset -e\n[ "$1" != upgrade ] || exit 4\n'


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Lab:
    return lab_factory()


@pytest.mark.parametrize(
    ("files", "verdict", "message"),
    [
        ({}, "passed", "1 of 2 tests passed; no upgrade from bookworm: bookworm has no older version"),
        ({"DEBIAN/postinst": ORDINARY_POSTINST}, "passed", "1 of 2 tests passed"),
        ({"etc/logrotate.d/greet": LOGROTATE, "DEBIAN/conffiles": "/etc/logrotate.d/greet\n"}, "passed", "1 of 2 tests passed"),
        ({"DEBIAN/postrm": FAILING_POSTRM}, "failed",
         "install and purge: the post-removal script of greet fails with status 3"),
        ({"usr/bin/passwd": "greet\n"}, "failed", "install and purge: /usr/bin/passwd is also in package passwd"),
        ({"DEBIAN/postinst": LEAVING_POSTINST}, "failed",
         "install and purge: package purging left files on system: /etc/greet.left"),
    ],
    ids=["good", "temporary", "logrotate", "postrm", "file", "left"],
)  # fmt: skip
def test_piuparts_explains_broken_package(
    lab: Lab, tmp_path: Path, files: Mapping[str, str], verdict: str, message: str
) -> None:
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.0", files=files)]))
    record = work.execute(piuparts)
    assert (record.verdict, record.message.partition("; no upgrade")[0]) == (
        verdict,
        message.partition("; no upgrade")[0],
    )
    assert record.message.startswith(message), work.log("piuparts")


def test_piuparts_upgrades_from_baseline(lab: Lab, tmp_path: Path) -> None:
    publish(lab, tmp_path, [Toy("greet", "1.0")])
    promote(lab, tmp_path)
    good = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1")])).execute(piuparts)
    assert (good.verdict, good.facts["upgraded_from"]) == ("passed", {"trunk-tested": "1.0"})
    assert good.facts["tests"]["greet: upgrade from trunk-tested"] == "passed"
    toy = Toy("greet", "1.2", files={"DEBIAN/preinst": FAILING_UPGRADE})
    bad = bench(lab, "greet", publish(lab, tmp_path, [toy])).execute(piuparts)
    assert bad.verdict == "failed"
    assert bad.message.startswith("upgrade from trunk-tested: the pre-installation script of greet fails with status 4")


def test_piuparts_blames_no_packages_that_exclude_each_other(lab: Lab, tmp_path: Path) -> None:
    others = [Toy("one", "1.0"), Toy("two", "1.0", {"two": "Conflicts: one"})]
    good = {"greet": "", "greet-a": "Depends: one", "greet-b": "Depends: two"}
    work = bench(lab, "greet", publish(lab, tmp_path, [*others, Toy("greet", "1.0", good)]))
    record = work.execute(piuparts)
    assert record.verdict == "passed", work.log("piuparts")
    tested = [name for name, result in record.facts["tests"].items() if result == "passed"]
    assert tested == [f"{name}: install and purge" for name in good]
    assert record.message.endswith("; in 3 groups, which cannot be installed together")
    bad = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", {**good, "greet-c": "Depends: nosuch"})]))
    record = bad.execute(piuparts)
    assert record.verdict == "failed", bad.log("piuparts")
    assert record.message.startswith("install and purge: greet-c : Depends: nosuch but it is not installable")
    failed = [name for name, result in record.facts["tests"].items() if result == "failed"]
    assert failed == ["greet-c: install and purge"]
