"""``qalab shell`` with real chroots: in the chroot of a failed build, and in a new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from scripts import sbuild
from scripts.chroots import backends, kept_sessions
from tests.command import qalab
from tests.conftest import Bench
from tests.integration.test_sbuild import assert_nothing_left, does, make_source, needs

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("shared_cache")]
BROKEN = "echo made > made.txt; echo 'greet.c:1:1: error: no such thing'; false"


def shell(run: str, lab: Path, *words: str) -> tuple[int, str, str]:
    done = qalab("shell", run, "--lab", lab, *words)
    return done.returncode, done.stdout, done.stderr


def test_shell_in_kept_and_in_new_chroot(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], tmp_path: Path
) -> None:
    lab = lab_factory(component={"build": {"options": ["nocheck"]}})
    places = [bench(lab), bench(lab)]
    for place in places:
        make_source(place, needs("bsdextrautils") | does(BROKEN))
        record = place.execute(sbuild)
        assert (record.verdict, record.facts["chroot_kept"]) == ("failed", True)
    assert_nothing_left()
    home = backends.find_backend().home
    assert [each.manifest.run for each in kept_sessions.kept(home)] == ["trunk/greet/2"]  # one, the newest
    name = tmp_path / "lab.yaml"

    code, out, err = shell(
        "trunk/greet/2",
        name,
        "--",
        "sh",
        "-c",
        "cat made.txt; id -un; hexdump --version | wc -l; echo $DEB_BUILD_OPTIONS; ls -d debian; pwd",
    )
    assert code == 0, err
    assert out.splitlines()[:5] == ["made", "sbuild", "1", "nocheck", "debian"]
    assert "kept since" in err
    assert shell("trunk/greet/2", name, "--root", "--", "sh", "-c", "id -un; echo more > left; exit 7")[:2] == (
        7,
        "root\n",
    )
    assert shell("trunk/greet/2", name, "--", "cat", "left")[1] == "more\n"  # it is the same chroot

    code, out, err = shell(
        "trunk/greet/1",
        name,
        "--",
        "sh",
        "-c",
        "id -un; ls made.txt || ls debian/rules; hexdump --version > /dev/null && pwd",
    )
    assert code == 0, err
    assert out == "sbuild\ndebian/rules\n/build/source/greet-1.0\n"
    assert "no chroot of this build is kept; making a new one" in err
    assert_nothing_left()

    shutil.rmtree(home / "kept")  # for the tests that share the cache
