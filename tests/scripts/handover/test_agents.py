"""Agents without state: builds on any agent, the archive on one machine, deployments of the state that they name.

The jobs are the generated ones, with their own command lines.  The steps that need a chroot, sbuild and lintian, make
packages in no time here.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from debian.deb822 import Changes, Dsc
from debian.debian_support import Version

from generator import jjb, render
from generator.canonical import parse
from lab.base import files
from lab.base.errors import InfrastructureError
from lab.base.git import git
from lab.base.run import output, run
from lab.config import loading
from lab.config.description import Lab
from lab.store import source_history, step_command
from lab.store.archive import SOURCE_LOCK, ArchiveReader
from lab.store.step import StepContext, StepOutcome
from scripts import configure, content, deploy, exercise, lintian, reset, sbuild, tempest
from scripts.archives import series_index
from tests.archives import deb, served
from tests.conftest import GitRepository, packaging_files
from tests.controller import Agent, Controller, Finished, Killed

HOUSE = Path(__file__).parents[3]
COMPONENTS = ("greet", "hail", "salute", "wave")


def fake_sbuild(context: StepContext) -> StepOutcome:
    """Make the binary package of a source package; it holds the upstream commit."""
    source = context.earlier("source")
    dsc = next(context.run.path / item.path for item in source.artifacts if item.path.endswith(".dsc"))
    fields, name = Dsc(dsc.read_bytes()), context.component_name
    version = fields["Version"]
    path = context.run.out / f"{name}_{version}_all.deb"
    deb(path, name, version, data=context.run.info.commit.encode())
    return StepOutcome(version=source.version, artifacts=[(path, "binary")])


@dataclass
class Field:
    """A lab with two build agents and a machine for the archive."""

    root: Path
    lab: Lab
    controller: Controller
    upstream: dict[str, GitRepository]
    builders: list[Agent]
    vault: Agent
    url: str

    @property
    def reader(self) -> ArchiveReader:
        return ArchiveReader(self.url)

    def build(self, component: str, agent: Agent, between: Callable[[int], None] = lambda _: None) -> Finished:
        """Build the tip of a component on an agent."""
        commit = self.upstream[component].heads[-1]
        return self.controller.build(f"trunk-{component}-build", agent, {"COMMIT": commit}, between)

    def follow(self, build: Finished, agent: Agent) -> list[Finished]:
        """Run the jobs that a build starts."""
        return [self.controller.build(job, agent, parameters) for job, parameters in build.triggered]

    def commit(self, component: str, text: str) -> str:
        return self.upstream[component].commit(text, {f"{component}.txt": f"{text}\n"})

    def agent(self, name: str) -> Agent:
        return Agent(self.root / name)


Repositories = Callable[..., GitRepository]


def quick_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make packages in no time, and ask no mirror."""
    monkeypatch.setattr(sbuild, "action", fake_sbuild)
    monkeypatch.setattr(lintian, "action", lambda _context: StepOutcome())
    monkeypatch.setattr(content, "owners", lambda *_: {})
    monkeypatch.setattr(content, "distribution_build", lambda *_, **__: None)
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", "file:///nowhere/debian")


def make_field(root: Path, repositories: Repositories, url: str, controller: type[Controller] = Controller) -> Field:
    """Make the components, the lab and its jobs; the archive is read by its URL."""
    upstream = {}
    for name in COMPONENTS:
        upstream[name] = repositories(name)
        upstream[name].commit("Start", {f"{name}.txt": "hello\n"})
        upstream[name].tag("v1.0")
        repositories(f"{name}-packaging").commit("Package it", packaging_files(name))
    (root / "lab.yaml").write_text(yaml.safe_dump({
        "lab": {"name": "testlab", "maintainer": "Test Lab <lab@lab.example>"},
        "archive": {"url": url},
        "jenkins": {"url": "https://jenkins.lab.example/", "home": str(root), "build_agent": "build",
                    "archive_agent": "vault", "lab_agent": "vault", "deploy_agent": "deploy"},
        "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm", "phases": ["build", "deploy", "exercise"]}},
        "components": {
            name: {"upstream": {"git": str(root / name)}, "packaging": {"git": str(root / f"{name}-packaging")}}
            for name in COMPONENTS
        },
    }))  # fmt: skip
    lab = loading.load(root / "lab.yaml")
    jobs = root / "jobs"
    shutil.copytree(HOUSE / "jobs", jobs, ignore=shutil.ignore_patterns("generated"))
    render.write(lab, jobs)
    items = {item.key.name: parse(item.xml) for item in jjb.expand(jobs, jjb.configuration(None))}
    agents = [Agent(root / name) for name in ("a1", "a2")]
    return Field(root, lab, controller(items, root / "artifacts"), upstream, agents, Agent(root / "vault"), url)


def archive_of(root: Path) -> Path:
    """Return the directory of the archive, which the machine of the archive serves."""
    path = root / "vault/state/qalab/testlab/archive"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def field(tmp_path: Path, git_repository: Repositories, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    quick_steps(monkeypatch)
    with served(archive_of(tmp_path)) as url:
        yield make_field(tmp_path, git_repository, url)


def apt_of(field: Field, suite: str) -> tuple[Path, list[str]]:
    """Return an empty system with a suite of the archive, by its URL, and the command of its apt."""
    root = field.root / "apt" / suite
    for name in ("lists/partial", "archives/partial", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "key.asc").write_text(field.reader.key())
    (root / "sources.list").write_text(f"deb [signed-by={root}/key.asc] {field.url} {suite} main\n")
    options = [
        f"-oDir::State::Lists={root}/lists", f"-oDir::Cache={root}", f"-oDir::State::Status={root}/status",
        f"-oDir::Etc::SourceList={root}/sources.list", f"-oDir::Etc::SourceParts={root}/etc",
        f"-oDir::Etc::Parts={root}/etc", f"-oDir::Etc::Preferences={root}/none", f"-oDir::Etc::PreferencesParts={root}/etc",
        "-oAPT::Architecture=amd64", "-oAPT::Architectures=amd64", "-oAPT::Sandbox::User=root", "-oDebug::NoLocking=1",
    ]  # fmt: skip
    return root, ["apt-get", *options]


def installed(field: Field, suite: str, package: str) -> str:
    """Return the version of a package that apt installs from a suite of the archive."""
    root, apt = apt_of(field, suite)
    run([*apt, "-qq", "update"], cwd=root)
    text = output([*apt, "--simulate", "install", package], cwd=root)
    return next(line.split("(")[1].split()[0] for line in text.splitlines() if line.startswith(f"Inst {package} "))


def commits_named(build: Finished) -> list[str]:
    """Return the subjects of the commits that the changelog entry of a build names."""
    record = yaml.safe_load((build.artifacts / "results/03-changelog.json").read_text())
    return [commit["subject"] for commit in record["facts"]["named"]]


@pytest.mark.integration
def test_twelve_builds_on_two_agents(field: Field) -> None:
    """Versions rise, each deployment installs the state that it names, and a lost agent loses nothing."""
    chance = random.Random(16)
    order = [name for name in COMPONENTS for _ in range(3)]
    chance.shuffle(order)
    deployed: dict[str, list[str]] = {name: [] for name in COMPONENTS}
    named = []
    for number, component in enumerate(order):
        commit = field.commit(component, f"Change {number}")
        agent = chance.choice(field.builders)
        if number == 5:  # an agent is killed in the middle of a build, and a new one takes its place
            lost = field.build(component, agent, killed_before(4))
            assert (lost.result, lost.triggered) == ("FAILURE", ())
            shutil.rmtree(agent.home)
            field.builders[field.builders.index(agent)] = agent = field.agent("a3")
        moment = chance.randrange(8)  # the disk of the agent is lost between two steps
        build = field.build(component, agent, lambda place, agent=agent, at=moment: place == at and agent.lose_disk())
        assert build.result == "SUCCESS", field.controller.output[-1]
        assert commits_named(build) == [f"Change {number}"]
        [imported] = field.follow(build, field.vault)
        assert imported.result == "SUCCESS", field.controller.output[-1]
        [(job, parameters)] = imported.triggered
        assert (job, parameters["COMMIT"]) == ("trunk-deploy", commit)
        state = field.reader.existing("trunk")
        assert (parameters["ARCHIVE"], parameters["COMPONENT"]) == (state.name, component)
        assert state.number == number + 1
        deployed[component].append(parameters["VERSION"])
        named.append((parameters["ARCHIVE"], component, parameters["VERSION"]))
    for versions in deployed.values():
        assert len(versions) == 3
        assert sorted(set(versions), key=Version) == versions
    for state_name, component, version in named:  # of all states, long after newer ones were made
        assert installed(field, state_name, component) == version
    for agent in field.builders:
        assert (
            not list(agent.home.glob("state/qalab/testlab/*"))
            or not (agent.home / "state/qalab/testlab/archive").exists()
        )
        assert not list(agent.home.rglob("gnupg"))


def killed_before(builder: int) -> Callable[[int], None]:
    def between(place: int) -> None:
        if place == builder:
            raise Killed

    return between


@pytest.mark.integration
def test_the_same_commit_on_another_agent(field: Field) -> None:
    """It gets the next build number, and an entry without upstream changes."""
    versions = []
    for agent in field.builders:
        build = field.build("greet", agent)
        [imported] = field.follow(build, field.vault)
        versions += [parameters["VERSION"] for _, parameters in imported.triggered]
    first, second = versions
    assert (first[-2:], second[-2:]) == ("+1", "+2")
    history = source_history.read(field.reader, "greet")
    assert [each.commit for each in history.of_track("trunk")] == [field.upstream["greet"].heads[-1]] * 2
    assert "rebuilt" in (build.artifacts / "results/changelog.log").read_text()


@pytest.mark.integration
def test_builds_that_are_imported_in_another_order(field: Field) -> None:
    """The archive keeps the newer version; the older one is neither deployed nor an error."""
    older = field.build("greet", field.builders[0])
    field.commit("greet", "Change it")
    newer = field.build("greet", field.builders[1])
    assert [done.result for build in (newer, older) for done in field.follow(build, field.vault)] == ["SUCCESS"] * 2
    newest = source_history.read(field.reader, "greet").of_track("trunk")
    assert len(newest) == len(field.reader.states("trunk")) == 1
    assert installed(field, "trunk", "greet") == newest[0].version
    record = field.controller.builds[-1].artifacts / "results/08-archive.json"
    assert yaml.safe_load(record.read_text())["message"] == f"trunk has greet {newest[0].version} and keeps it"


@pytest.mark.integration
def test_upload_and_push_from_the_machine_of_the_archive(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent that builds has no key: the source package is signed where it is uploaded, and the branch comes along."""
    queue, remote = tmp_path / "queue", tmp_path / "remote.git"
    queue.mkdir()
    git(["clone", "--quiet", "--bare", tmp_path / "greet-packaging", remote])
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", keys, "--batch"]
    run([*gpg, "--passphrase", "", "--quick-generate-key", "Lab <lab@lab.example>", "ed25519", "sign", "never"])
    listing = output([*gpg, "--with-colons", "--list-secret-keys"])
    fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
    described = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    described["archive"] |= {"signing_key": fingerprint}
    described["components"]["greet"] |= {"upload": {"to": f"file://{queue}"}}
    described["components"]["greet"]["packaging"] |= {"push": {"git": str(remote), "branch": "tested"}}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(described))

    def hand_keys_over(_place: int) -> None:
        """Give the key to the machine of the archive alone, by its GnuPG home in the state."""
        home = field.vault.home / "state/qalab/testlab/gnupg"
        if not home.exists():
            home.symlink_to(keys)

    build = field.build("greet", field.builders[0])
    assert build.result == "SUCCESS"
    assert not list(field.builders[0].home.glob("state/qalab/testlab/gnupg"))
    [(job, parameters)] = build.triggered
    imported = field.controller.build(job, field.vault, parameters, hand_keys_over)
    assert imported.result == "SUCCESS", field.controller.output[-1]
    [(_, deployed)] = imported.triggered
    uploaded = queue / f"greet_{deployed['VERSION']}_source.changes"
    for path in (uploaded, uploaded.with_name(f"greet_{deployed['VERSION']}.dsc")):
        run([*gpg, "--verify", path])
    for row in Changes(uploaded.read_bytes())["Checksums-Sha256"]:
        assert files.sha256(queue / row["name"]) == row["sha256"]
    assert deployed["VERSION"] in git(["show", "tested:debian/changelog"], cwd=remote).splitlines()[0]
    assert git(["log", "-1", "--format=%s", "tested"], cwd=remote).startswith("Update the changelog for")


@pytest.fixture
def tested(field: Field, monkeypatch: pytest.MonkeyPatch) -> Field:
    """The same lab with a promotion, whose deployments pass in no time,."""
    described = yaml.safe_load((field.root / "lab.yaml").read_text())
    described["tracks"]["trunk"]["promotion"] = {}
    (field.root / "lab.yaml").write_text(yaml.safe_dump(described))
    field.lab = loading.load(field.root / "lab.yaml")
    render.write(field.lab, field.root / "jobs")
    items = {item.key.name: parse(item.xml) for item in jjb.expand(field.root / "jobs", jjb.configuration(None))}
    field.controller.jobs = items

    def deployed(context: StepContext) -> StepOutcome:
        context.run.hand_over(context.run.info.version, context.run.info.archive)
        return StepOutcome()

    monkeypatch.setattr(deploy, "action", deployed)
    for step in (configure, tempest, reset):
        monkeypatch.setattr(step, "action", lambda _context: StepOutcome())
    monkeypatch.setattr(series_index, "packages_files", lambda *_: [])
    return field


def promoted(field: Field) -> list[str]:
    """Run the job of the promotion and all jobs that it starts; return their names."""
    done: list[Finished] = []
    todo: list[tuple[str, Mapping[str, str]]] = [("trunk-promote", {})]
    while todo:
        job, parameters = todo.pop(0)
        agent = field.vault if field.controller.label(job) == "vault" else field.agent("d1")
        done.append(field.controller.build(job, agent, parameters))
        todo += done[-1].triggered
        assert len(done) < 40
    return [each.job.removeprefix("trunk-") for each in done]


@pytest.mark.integration
def test_promotion_of_what_other_machines_have_deployed(tested: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that fails is held back, with the builds of Jenkins as evidence; errors of the lab end the chain."""
    field = tested

    def exercised(context: StepContext) -> StepOutcome:
        versions = dict(field.reader.lock(context.run.info.archive, SOURCE_LOCK))
        if "+2" in versions.get("salute", "") or versions == {}:
            return StepOutcome("salute is rude", verdict="failed")
        return StepOutcome()

    monkeypatch.setattr(exercise, "action", exercised)
    for component in ("greet", "salute"):
        field.follow(field.build(component, field.builders[0]), field.vault)
    asked = ["promote", "deploy", "results", "exercise", "results", "promote", "promote"]
    assert sorted(promoted(field)) == sorted(asked)  # each result continues the promotion
    first = dict(field.reader.lock("trunk-tested", SOURCE_LOCK))
    assert sorted(first) == ["greet", "salute"]

    for component in ("greet", "salute"):
        field.follow(field.build(component, field.builders[0]), field.vault)
    names = promoted(field)
    assert names.count("deploy") == 3  # both, the present state, greet alone
    second = dict(field.reader.lock("trunk-tested", SOURCE_LOCK))
    assert (second["greet"][-2:], second["salute"]) == ("+2", first["salute"])
    move = field.reader.moves("trunk-tested")[-1]
    assert [run.split("/job/")[1].split("/")[0] for run in move.runs] == ["trunk-deploy", "trunk-exercise"]
    assert promoted(field) == ["promote"]

    def without_machine(_context: StepContext) -> StepOutcome:
        raise InfrastructureError("no machine")

    field.follow(field.build("greet", field.builders[0]), field.vault)
    with monkeypatch.context() as patch:
        patch.setattr(deploy, "action", without_machine)
        patch.setattr(step_command, "PAUSES_SECONDS", (0.0,))
        assert promoted(field).count("deploy") == 2
        assert field.controller.builds[-1].result == "FAILURE"
    assert promoted(field).count("deploy") == 1
    assert dict(field.reader.lock("trunk-tested", SOURCE_LOCK))["greet"][-2:] == "+3"


@pytest.mark.integration
def test_results_that_nobody_asked_for_move_nothing(tested: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promotion asks once; results of another build, or with names that lead elsewhere, are refused."""
    field = tested
    monkeypatch.setattr(exercise, "action", lambda _context: StepOutcome())
    field.follow(field.build("greet", field.builders[0]), field.vault)
    store = field.vault.home / "state/qalab/testlab"
    state = field.reader.existing("trunk").name
    unasked = field.controller.build("trunk-deploy", field.agent("d1"), {"ARCHIVE": state, "CAUSE": "promotion"})
    [(job, parameters), _] = unasked.triggered
    assert field.controller.build(job, field.vault, parameters).result == "SUCCESS"
    assert not (store / "probes").exists()

    first = field.controller.build("trunk-promote", field.vault, {})
    again = field.controller.build("trunk-promote", field.vault, {})
    assert [[job for job, _ in build.triggered] for build in (first, again)] == [["trunk-deploy"], []]
    deployed = field.controller.build("trunk-deploy", field.agent("d1"), first.triggered[0][1])
    (job, parameters), _ = deployed.triggered
    other = {**parameters, "RUN_URL": "https://jenkins.lab.example/job/trunk-deploy/77/"}
    assert field.controller.build(job, field.vault, other).result == "FAILURE"
    path = deployed.artifacts / "run.json"
    good = path.read_text()
    path.write_text(json.dumps(json.loads(good) | {"version": "../../../x", "cause": "upstream commit"}))
    assert field.controller.build(job, field.vault, parameters).result == "FAILURE"
    path.write_text(good)
    assert field.controller.build(job, field.vault, parameters).result == "SUCCESS"
    assert [path.name for path in (store / "probes" / state).iterdir() if path.is_dir()] == ["deploy"]
