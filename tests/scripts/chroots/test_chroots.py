"""Kept chroots around a pretended mmdebstrap: made once, reused, replaced by age, removed."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.config.description import Lab, Series
from lab.store.records import rfc3339
from lab.store.runs import Store
from scripts.archives.serving import served
from scripts.chroots.backends import SessionBackend
from scripts.chroots.bootstrap import Repository
from scripts.chroots.chroots import MOST_KEPT, ChrootManifest, Chroots
from tests import fakes
from tests.fakes import Fakes
from tests.processes import python

SERIES = Series(mirror="http://127.0.0.1:9/debian", refresh_days=7)
CONTROL = "Source: dependencies\nBuild-Depends: a\n"
REPOSITORY = Repository("http://127.0.0.1:1", "trunk", "KEY", "testlab")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return fakes.install(tmp_path, monkeypatch)


@pytest.fixture
def kept(fake: Fakes, tmp_path: Path) -> Chroots:
    return Chroots(SessionBackend("schroot", "a test", tmp_path / "chroots"))


def make_older(place: Chroots, name: str, days: float) -> None:
    """Change the creation and the last use of a chroot to a number of days ago."""
    note = place.way.home / f"{name}.json"
    then = environment.now() - timedelta(days=days)
    made = ChrootManifest.read(note)
    made.model_copy(update={"created": rfc3339(then)}).write(note)
    os.utime(note, (then.timestamp(), then.timestamp()))


def names(place: Chroots, kind: str) -> list[str]:
    return sorted(path.name for path in place.way.home.glob(f"{kind}-*") if path.suffix != ".json")


def test_base_is_reused(kept: Chroots, fake: Fakes) -> None:
    with kept.base("bookworm", SERIES) as first:
        assert first.path.is_dir()
        assert (first.reused, first.age_days) == (False, 0.0)
        with kept.base("bookworm", SERIES) as second:
            assert (second.path, second.reused) == (first.path, True)
    assert len(fake.calls("mmdebstrap")) == 1
    assert first.path.name.startswith(f"base-{first.key}-")


@pytest.mark.parametrize(
    "series",
    [
        SERIES.model_copy(update={"mirror": "http://127.0.0.1:8/debian"}),
        SERIES.model_copy(update={"pockets": ("updates",)}),
        SERIES.model_copy(update={"components": ("main", "contrib")}),
        SERIES.model_copy(update={"codename": "sid"}),
    ],
)
def test_base_depends_on_series(kept: Chroots, fake: Fakes, series: Series) -> None:
    with kept.base("bookworm", SERIES) as one, kept.base("bookworm", series) as other:
        assert one.key != other.key
    assert len(fake.calls("mmdebstrap")) == 2


def test_base_key_ignores_refresh_days(kept: Chroots, fake: Fakes) -> None:
    with kept.base("bookworm", SERIES), kept.base("bookworm", SERIES.model_copy(update={"refresh_days": 9})) as other:
        assert other.reused


def test_base_beyond_refresh_days_is_replaced(kept: Chroots, fake: Fakes) -> None:
    with kept.base("bookworm", SERIES) as first:
        make_older(kept, first.path.name, 7.1)
        with kept.base("bookworm", SERIES) as second:
            assert (second.key, second.reused) == (first.key, False)
            # A build still uses the old base.
            assert first.path.is_dir()
    kept.prune()
    assert names(kept, "base") == [second.path.name]


def test_base_of_earlier_time_is_kept(kept: Chroots, fake: Fakes) -> None:
    """A search holds the bases of its start: they outlast newer ones and their own age."""
    with kept.base("bookworm", SERIES) as first:
        make_older(kept, first.path.name, 6.9)
        start = environment.now()
    with kept.held_bases():
        make_older(kept, first.path.name, 7.1)
        start -= timedelta(days=0.2)
        with kept.base("bookworm", SERIES, as_of=start) as again:
            assert (again.path, again.reused) == (first.path, True)
        with kept.base("bookworm", SERIES) as newer:
            assert not newer.reused
        with kept.base("bookworm", SERIES, as_of=start) as again:
            assert again.path == first.path
    kept.prune()
    with kept.base("bookworm", SERIES, as_of=start) as other:
        assert (other.path, other.reused) == (newer.path, True)
    assert len(fake.calls("mmdebstrap")) == 2


def test_base_creation_failure_is_an_infrastructure_error(kept: Chroots, fake: Fakes, tmp_path: Path) -> None:
    fake.write("mmdebstrap.status", 1)
    fake.write("mmdebstrap.says", "I: on it\nE: apt-get update failed\n")
    with (tmp_path / "log").open("w") as log:
        place = Chroots(kept.way, log)
        expected = "series bookworm: no chroot could be made: apt-get update failed"
        with pytest.raises(InfrastructureError, match=expected), place.base("bookworm", SERIES):
            pass
    assert names(kept, "base") == []
    assert not any(files.is_locked(lock) for lock in (kept.way.home / "locks").iterdir())


def test_base_manifest_omits_proxy_password(kept: Chroots, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept.base("bookworm", SERIES) as plain:
        pass
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.example")
    with kept.base("bookworm", SERIES) as proxied:
        assert proxied.key != plain.key
    assert "secret" not in "".join(path.read_text() for path in kept.way.home.glob("*.json"))


@pytest.mark.integration
def test_base_is_created_once_by_two_processes(kept: Chroots, fake: Fakes) -> None:
    fake.write("mmdebstrap.seconds", 0.5)
    code = (
        "import sys; from pathlib import Path; from lab.config.description import Series\n"
        "from scripts.chroots.chroots import Chroots; from scripts.chroots.backends import SessionBackend\n"
        "place = Chroots(SessionBackend('schroot', '', Path(sys.argv[1])))\n"
        "with place.base('bookworm', Series(mirror='http://127.0.0.1:9/debian')) as base: print(base.reused)\n"
    )
    with python(code, kept.way.home) as one, python(code, kept.way.home) as other:
        said = sorted(process.communicate(timeout=60)[0].strip() for process in (one, other))
    assert said == ["False", "True"]
    assert len(fake.calls("mmdebstrap")) == 1


def resolves(fake: Fakes, *lines: str) -> None:
    """Let apt resolve the build dependencies so."""
    fake.write("chroot.says", "".join(f"Inst {line}\n" for line in lines))


def test_layer_is_reused(kept: Chroots, fake: Fakes) -> None:
    """It is that of all who get the same packages, whatever words they ask with."""
    resolves(fake, "a (1 Debian:12/stable [all])", "b (2 Debian:12/stable [all])")
    with kept.base("bookworm", SERIES) as base:
        with kept.layer(base, CONTROL, ("nodoc", "nocheck"), None) as first:
            assert first is not None
            assert (first.reused, first.path.is_dir()) == (False, True)
        assert len(fake.calls("chroot")) == 2
        resolves(fake, "b (2 Debian:12/stable [all])", "a (1 Debian:12/stable [all])")
        with kept.layer(base, f"{CONTROL}Build-Conflicts: c\n", (), None) as second:
            assert second is not None
            assert (second.reused, second.path) == (True, first.path)
        assert len(fake.calls("chroot")) == 3
        with kept.session("x", base, first) as session:
            assert session.lower == f"{first.path}:{base.path}"


@pytest.mark.integration
@pytest.mark.parametrize(
    "now",
    [
        ["a (1.1 Debian:12/stable [all])", "b (2 Debian:12/stable [all])"],
        ["a (1 Debian:12/stable [all])"],
        ["a (1 Debian:12/stable [all])", "b (2 Debian:12/stable [all])", "c (3 Debian:12/stable [all])"],
        ["a (1 Debian:12/stable [all])", "b (2 testlab:trunk [all])"],
    ],
    ids=["a newer version", "one package less", "one package more", "from another archive"],
)
def test_layer_depends_on_resolved_packages(kept: Chroots, fake: Fakes, now: list[str]) -> None:
    with kept.base("bookworm", SERIES) as base:
        resolves(fake, "a (1 Debian:12/stable [all])", "b (2 Debian:12/stable [all])")
        with kept.layer(base, CONTROL, (), None) as first:
            assert first is not None
        resolves(fake, *now)
        with kept.layer(base, CONTROL, (), None) as other:
            assert other is not None
            assert (other.reused, other.key == first.key) == (False, False)


def test_layer_is_dropped_if_mirror_changes(kept: Chroots, fake: Fakes) -> None:
    """What was installed is not what was resolved: there is no layer of it."""
    fake.write(
        "chroot", '#!/bin/sh\necho >> "$0.calls"\necho "Inst a ($(wc -l < "$0.calls") Debian:12/stable [all])"\n'
    )
    with (
        kept.base("bookworm", SERIES) as base,
        pytest.raises(InfrastructureError, match="the mirror changed"),
        kept.layer(base, CONTROL, (), None),
    ):
        pass
    assert names(kept, "layer") == []


@pytest.mark.integration
def test_layer_is_removed_with_its_base(kept: Chroots, fake: Fakes) -> None:
    with kept.base("bookworm", SERIES) as base, kept.layer(base, CONTROL, (), None) as layer:
        assert layer is not None
    make_older(kept, base.path.name, 8)
    with kept.base("bookworm", SERIES) as new, kept.layer(new, CONTROL, (), None) as other:
        assert other is not None
        assert other.reused is False
        assert names(kept, "layer") == [other.path.name]


def test_layer_creation_failure_gives_no_layer(kept: Chroots, fake: Fakes) -> None:
    """sbuild reports the reason later."""
    fake.write("chroot.status", 100)
    with kept.base("bookworm", SERIES) as base, kept.layer(base, CONTROL, (), REPOSITORY) as layer:
        assert layer is None
    assert names(kept, "layer") == []


# What apt resolves where the lab's archive is set up, and where it is not.
def test_layer_has_the_date_of_the_mirror(kept: Chroots, fake: Fakes) -> None:
    """A mirror with new indices and the same packages has the same layer."""
    resolves(fake, "a (1 Debian:12/stable [all])")
    fake.write("chroot", '#!/bin/sh\ncat "$0.says"\ncase $* in *lists*) cat "$0.date" ;; esac\n')
    layers = []
    with kept.base("bookworm", SERIES) as base:
        for day in (27, 28):
            fake.write("chroot.date", f"/var/lib/apt/lists/m_InRelease:Date: Sat, {day} Nov 2026 20:17:18 UTC\n")
            with kept.layer(base, CONTROL, (), None) as layer:
                assert layer is not None
                layers.append(layer)
    assert [layer.mirror_date[:10] for layer in layers] == ["2026-11-27", "2026-11-28"]
    assert layers[0].path == layers[1].path


RESOLVES = """\
#!/bin/sh
echo >> "$0.calls"
case $* in *"base64 --decode"*) cat "$0.ours" ;; *) cat "$0.theirs" || exit 100 ;; esac
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    "ours, theirs, calls, expected",
    [
        ("a (1 Debian:12/stable [all])", "a (1 Debian:12/stable [all])", 2, (True, True)),
        ("a (2 testlab:trunk [all])", "a (1 Debian:12/stable [all])", 3, (False, True)),
        ("a (2 testlab:trunk [all])", None, 3, (True, False)),
    ],
    ids=["not needed", "newer", "needed"],
)
def test_layer_depends_on_lab_archive_if_needed(  # noqa: PLR0917 - a table
    kept: Chroots, fake: Fakes, ours: str, theirs: str | None, calls: int, expected: tuple[bool, bool]
) -> None:
    """A layer is everybody's, wherever it is served, but one that needs the lab's packages: that is its archive's."""
    fake.write("chroot", RESOLVES)
    fake.write("chroot.ours", f"Inst {ours}\n")
    if theirs:
        fake.write("chroot.theirs", f"Inst {theirs}\n")
    moved = Repository("http://127.0.0.1:2", "trunk", "KEY", "testlab")
    other = Repository("http://127.0.0.1:2", "trunk", "ANOTHER KEY", "testlab")
    with kept.base("bookworm", SERIES) as base:
        with kept.layer(base, CONTROL, (), REPOSITORY) as first:
            assert len(fake.calls("chroot")) == calls
        with kept.layer(base, CONTROL, (), moved) as second, kept.layer(base, CONTROL, (), other) as third:
            assert first is not None
            assert second is not None
            assert third is not None
            assert second.path == first.path
            assert (first.ready, third.path == first.path) == expected


@pytest.mark.integration
def test_prune_removes_least_recently_used_layers(kept: Chroots, fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MOST_KEPT, "layer", 2)
    made = []
    with kept.base("bookworm", SERIES) as base:
        for number in (1, 2, 3):
            if number == 3:
                make_older(kept, made[1], 2)
            resolves(fake, f"a ({number} Debian:12/stable [all])")
            with kept.layer(base, CONTROL, (), None) as layer:
                assert layer is not None
                made.append(layer.path.name)
    assert names(kept, "layer") == sorted([made[0], made[2]])


def test_prune_removes_unused_base(kept: Chroots, fake: Fakes) -> None:
    with kept.base("bookworm", SERIES) as base:
        pass
    make_older(kept, base.path.name, 31)
    (kept.way.home / "base-0123456789ab-20260101000000000000").mkdir()  # never finished
    (kept.way.home / "layer-0123456789ab-20260101000000000000.json").write_text("{")
    kept.prune()
    assert sorted(path.name for path in kept.way.home.glob("[bl]a*-*")) == []


@pytest.mark.parametrize("gone", ["base", "layer", "both"])
def test_removed_chroot_is_made_again(kept: Chroots, fake: Fakes, gone: str) -> None:
    """Somebody has freed space, and not removed the notes."""
    resolves(fake, "a (1 Debian:12/stable [all])")
    with kept.base("bookworm", SERIES) as base, kept.layer(base, CONTROL, (), None) as layer:
        assert layer is not None
    for path in {"base": [base.path], "layer": [layer.path], "both": [base.path, layer.path]}[gone]:
        path.rmdir()
    with kept.base("bookworm", SERIES) as again, kept.layer(again, CONTROL, (), None) as other:
        assert other is not None
        assert (again.path.is_dir(), other.path.is_dir()) == (True, True)
        assert (again.reused, other.reused) == (gone == "layer", False)
    kept.prune()
    assert (names(kept, "base"), names(kept, "layer")) == ([again.path.name], [other.path.name])
    assert {path.stem for path in kept.way.home.glob("*.json")} == {again.path.name, other.path.name}


def test_prune_keeps_chroot_in_creation(kept: Chroots, fake: Fakes) -> None:
    name = "base-0123456789ab-20260101000000000000"
    (kept.way.home / name).mkdir(parents=True)
    with files.locked(kept.way.home / "locks/base-0123456789ab.lock"):
        kept.prune()
    assert names(kept, "base") == [name]


def test_served_repository_of_track(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory()
    with served(lab, "trunk") as nothing:
        assert nothing is None
    root = Store.of(lab).archive
    (root / "dists/trunk").mkdir(parents=True)
    (root / "dists/trunk/Release").write_text("Origin: testlab\n")
    (root / "archive-key.asc").write_text("KEY\n")
    with served(lab, "trunk") as repository:
        assert repository is not None
        assert (repository.codename, repository.key, repository.origin) == ("trunk", "KEY\n", "testlab")
        assert repository.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{repository.url}/dists/trunk/Release") as answer:
            assert answer.read() == b"Origin: testlab\n"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{repository.url}/dists/trunk/Release", timeout=60)
