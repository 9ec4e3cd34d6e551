"""Pockets shaped like real cases, in real repositories of reprepro, judged by a real apt with the pins that qalab writes."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.config import apt
from lab.config.description import Lab
from scripts.archives.private_apt import own_apt
from scripts.deployment.installation import REMOVED
from scripts.pockets import proposed
from scripts.pockets.dependents import consequences
from scripts.pockets.proposed import Waiting
from tests.pockets import SUITE, Mirror, mirrored
from tests.scripts.pockets.test_selection import NOT_READY, NOT_WAITING, READY, Case, packages

pytestmark = [pytest.mark.integration, pytest.mark.full]
CODENAME = "toy"
POCKET = f"{CODENAME}-proposed-updates"
PROPOSED = {"trigger": "proposed", "phases": ["deploy", "exercise"]}
MORE = "Maintainer: Lab <lab@lab.example>\nSection: misc\nPriority: optional\nDescription: of a test\n"
DSC = "Source: {name}\nMaintainer: Lab <lab@lab.example>\nSection: misc\nPriority: optional\n"
LOG = "{name} ({version}) toy; urgency=low\n\n  * Toy.\n\n -- Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000\n"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    with mirrored(tmp_path_factory.mktemp("apt") / "mirror") as made:
        yield made


@dataclass(frozen=True)
class Repositories:
    """A release and its pocket of a case."""

    mirror: Mirror
    home: Path

    def fill(self, case: Case) -> None:
        (self.mirror.root / "conf").mkdir(parents=True)
        suites = "".join(SUITE.format(name=name) for name in (CODENAME, f"{CODENAME}-updates", POCKET))
        suites = suites.replace("Architectures: amd64", "Architectures: amd64 source")
        (self.mirror.root / "conf/distributions").write_text(suites)
        self.mirror._reprepro("export")
        for suite, text in ((CODENAME, case.released), (POCKET, case.waiting)):
            debs = [self._deb(control) for control in packages(text).split("\n\n") if control]
            if debs:
                self.mirror._reprepro("includedeb", suite, *debs)
        for line in filter(None, case.index.splitlines()):
            self.mirror._reprepro("includedsc", POCKET, self._dsc(*line.split()))

    def _deb(self, control: str) -> Path:
        root = self.home / hashlib.sha256(control.encode()).hexdigest()
        path = root.with_suffix(".deb")
        if not path.exists():  # reprepro refuses two files of a name
            (root / "DEBIAN").mkdir(parents=True)
            (root / "DEBIAN/control").write_text(f"{control}\n{MORE}")
            argv = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", root, path]
            subprocess.run(argv, check=True, capture_output=True)
        return path

    def _dsc(self, name: str, version: str, *binaries: str) -> Path:
        tree = self.home / f"{name}-{version}"
        (tree / "debian/source").mkdir(parents=True)
        stanzas = "".join(f"\nPackage: {binary}\nArchitecture: any\nDescription: toy\n" for binary in binaries)
        for path, text in {"control": DSC.format(name=name) + stanzas, "changelog": LOG.format(name=name, version=version),
                           "source/format": "3.0 (native)\n", "rules": "#!/usr/bin/make -f\n"}.items():  # fmt: skip
            (tree / "debian" / path).write_text(text)
        subprocess.run(["dpkg-source", "--build", tree], cwd=self.home, check=True, capture_output=True)
        return self.home / f"{name}_{version}.dsc"

    def apt(self, lab: Lab, found: Waiting, installed: str = "") -> list[str]:
        """Return the words of an apt that knows the release, the pocket and qalab's pins; ``installed``: its status."""
        series = lab.series["bookworm"].model_copy(update={"pockets": ("updates", "proposed-updates")})
        home = self.home / "apt"
        options = own_apt(home, apt.sources("bookworm", series))
        (home / "status").write_text(installed)
        (home / "preferences").write_text("\n".join(found.repository.pin) + "\n")
        options = [*options, f"-oDir::Etc::Preferences={home / 'preferences'}", "-oDir::Etc::PreferencesParts=-"]
        subprocess.run(["apt-get", *options, "update", "--error-on=any"], check=True, capture_output=True)
        return ["apt-get", *options, "--no-install-recommends", "--simulate", "install"]


@pytest.fixture
def at(mirror: Mirror, tmp_path: Path, request: pytest.FixtureRequest) -> Repositories:
    name = "".join(each if each.isalnum() else "-" for each in request.node.name)
    return Repositories(Mirror(mirror.root / name, f"{mirror.url}/{name}", mirror.gnupg), tmp_path / "made")


@pytest.fixture
def ask(lab_factory: Callable[..., Lab], at: Repositories, tmp_path: Path) -> Callable[[Case], tuple[Lab, Waiting]]:
    def make(case: Case) -> tuple[Lab, Waiting]:
        at.fill(case)
        series = {**at.mirror.series, "codename": CODENAME}
        lab = lab_factory(track=PROPOSED, lab={"series": {"bookworm": series}})
        with (tmp_path / "log").open("w") as log:
            pocket = proposed.asked(lab, "trunk", log)
        return lab, proposed.waiting_for(lab, "trunk", "greet", pocket)

    return make


def status(case: Case) -> str:
    """Return the status file of a machine with all that is released."""
    texts = packages(case.released).split("\n\n")
    return "".join(f"{text}\nStatus: install ok installed\n{MORE}\n" for text in texts if text)


def installs(words: list[str], names: list[str]) -> tuple[bool, dict[str, str], list[str]]:
    """Return whether apt can, the versions that it installs by name, and what it removes."""
    done = subprocess.run([*words, *names], check=False, capture_output=True, text=True)
    inst = [line.split() for line in done.stdout.splitlines() if line.startswith("Inst ")]
    new = {words[1]: next(word for word in words if word.startswith("(")).lstrip("(") for words in inst}
    removed = [match["package"] for line in done.stdout.splitlines() if (match := REMOVED.match(line))]
    return done.returncode == 0, new, removed


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in (READY | NOT_READY).items()])
def test_apt_agrees_with_the_update_of_a_pocket(
    at: Repositories, ask: Callable[[Case], tuple[Lab, Waiting]], case: Case
) -> None:
    lab, found = ask(case)
    (update,) = found.updates
    assert (update.impediment, update.breakage) == (case.impediment, case.breakage)
    pocket = found.pocket
    if update.impediment:
        if " needs " in update.impediment:  # apt finds no way either
            taken = proposed.repository(lab, "trunk", ["greet", *update.companions])
            words = at.apt(lab, Waiting((update,), {}, taken))
            assert not installs(words, ["greet"])[0]
        return
    assert tuple(update.companions) == case.companions
    names = found.packages["greet"]
    can, new, _ = installs(at.apt(lab, found), names)
    assert can
    from_pocket = {name for name, version in new.items() if pocket.everybodys.get(name) is None
                   or pocket.everybodys[name].version != version}  # fmt: skip
    assert from_pocket <= pocket.binaries(found.repository.only).keys()
    assert {name: new.get(name) for name in names} == {name: found.archive[name][0] for name in names}
    broken = {each.name for each in consequences(pocket, found.repository.only).dependents}
    assert bool(broken) is bool(case.breakage)
    upgraded = [name for name in names if name in pocket.everybodys]
    if status(case) and upgraded and "nosuch" not in case.released:
        can, _, removed = installs(at.apt(lab, found, status(case)), upgraded)
        assert broken <= {*removed} or not can


@pytest.mark.parametrize(("released", "waiting"), NOT_WAITING)
def test_apt_has_nothing_that_waits(ask: Callable[[Case], tuple[Lab, Waiting]], released: str, waiting: str) -> None:
    _, found = ask(Case(released, waiting))
    assert (found.updates, found.content) == ((), "")


SPLIT: Mapping[str, tuple[Case, list[str]]] = {
    "binaries that conflict with each other": (
        Case("", "greet-kvm 2 greet; Provides: hyp; Conflicts: hyp\ngreet-lxc 2 greet; Provides: hyp; Conflicts: hyp\ngreet-doc 2 greet"),
        ["greet-doc", "greet-kvm"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("case", "names"), [pytest.param(*each, id=name) for name, each in SPLIT.items()])
def test_binaries_that_go_together_can_be_installed(
    at: Repositories, ask: Callable[[Case], tuple[Lab, Waiting]], case: Case, names: list[str]
) -> None:
    lab, found = ask(case)
    assert found.packages["greet"] == names
    words = at.apt(lab, found)
    assert installs(words, names)[0]
    assert not installs(words, [*names, *found.left_out])[0]
