"""``qalab jenkins trigger`` on a track of changes under review, with the doubles of a Jenkins and of a GitHub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lab.config import loading
from lab.forges.proposals import proposal_of
from lab.store.archive import STATE_FILE, State
from lab.store.runs import Store
from scripts.reviews import states
from tests.cli.conftest import LAB
from tests.conftest import GitRepository
from tests.forges import Item, World
from tests.jenkins.double import Double
from tests.servers import Service

STRING = (
    "<hudson.model.StringParameterDefinition><name>{}</name><defaultValue/></hudson.model.StringParameterDefinition>"
)
NAMES = ("COMMIT", "CAUSE", "REASON", "PROPOSAL", "DEPENDS_ON", "ONTO")
JOB = (
    "<project><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>"
    f"{''.join(map(STRING.format, NAMES))}"
    "</parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties></project>"
)


@pytest.mark.integration
def test_trigger_builds_each_head_once(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QALAB_GITHUB_TOKEN", "t0ken")
    upstream = git_repository("greet")
    base = upstream.commit("Start", {"a.txt": "a\n"})
    heads = []
    for number in (7, 8):
        upstream.git("checkout", "--quiet", "--detach", base)
        heads.append(upstream.commit(f"Propose {number}", {f"{number}.txt": "b\n"}))
        upstream.git("update-ref", f"refs/pull/{number}/head", heads[-1])
    upstream.git("checkout", "--quiet", "main")
    upstream.git("update-server-info")
    world = World(
        [Item(7, heads[0]), Item(8, heads[1], author="eve")], repositories={"team/greet": upstream.path / ".git"}
    )
    with Service(world) as service:
        lab = {
            **LAB,
            "tracks": {"trunk": {"series": "bookworm", "trigger": "review", "branch": "main"}},
            "components": {"greet": {"upstream": {"git": f"{service.url}/team/greet"}, "packaging": {"git": "/srv/p"}}},
            "reviews": {"hub": {"forge": "github", "url": f"{service.url}/"}},
            "jenkins": {"url": jenkins.url},
        }
        (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
        jenkins.create("trunk-greet-build", JOB)
        code, said = call("trigger", "trunk")
        assert (code, said) == (
            0,
            f"greet: change under review, commit {heads[0][:7]}: team/greet 7 ({heads[0][:7]})\n",
        )
        [queued] = [
            {one.name: one.value for one in each.parameters} for each in jenkins._state.queue.values() if each.waiting
        ]
        proposal = proposal_of(queued["PROPOSAL"])
        assert proposal is not None
        assert (proposal.number, proposal.head, json.loads(queued["DEPENDS_ON"])) == (7, heads[0], [])
        assert call("trigger", "trunk") == (0, "trunk: nothing new\n")  # it waits
        for each in [*jenkins._state.queue.values()]:
            jenkins.start(each.id, result="FAILURE").artifacts = {"results/01-snapshot.json": b'{"verdict": "failed"}'}
        assert call("trigger", "trunk") == (0, "trunk: nothing new\n")
        world.items[0].say("alice", "recheck", "2099-01-01T00:00:00Z")
        assert call("trigger", "trunk")[1].startswith("greet: change under review")
        assert "ok to test" in world.items[1].bodies[0]

        (waits,) = [each for each in jenkins._state.queue.values() if each.waiting]
        world.items[0].status = "closed"
        line = f"trunk-greet-build: team/greet 7 ({heads[0][:7]}): the change is closed"
        assert call("trigger", "trunk", "--dry-run") == (0, f"{line} (not stopped)\n")
        jenkins.moved("/queue/cancelItem", 302, f"{jenkins.url}login?from={{}}")
        code, said = call("trigger", "trunk")
        assert (code, said.count("\n"), "stopped" in said, waits.waiting) == (2, 1, False, True)
        assert "redirects POST queue/cancelItem to" in said
        jenkins._moved.clear()
        jenkins.fault("lost", method="POST", path="cancelItem")
        assert call("trigger", "trunk") == (0, f"{line}: stopped\n")
        assert not waits.waiting
        world.items[0].status = "open"
        call("trigger", "trunk")
        jenkins.start(max(jenkins._state.queue), result=None)
        world.items[0].head = "9" * 40
        jenkins.fault(502, method="POST", path="/stop")
        assert call("trigger", "trunk")[0] == 3
        said = call("trigger", "trunk")[1]
        assert f"team/greet 7 ({heads[0][:7]}): {'9' * 12} has replaced {heads[0][:12]}: stopped\n" in said
        builds = jenkins._state.root.children["trunk-greet-build"].builds
        assert builds[max(builds)].result == "ABORTED"


@pytest.mark.integration
def test_change_is_built_with_a_change_of_another_project(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QALAB_GITHUB_TOKEN", "t0ken")
    items, repositories = [], {}
    for number, name in ((7, "meet"), (8, "greet")):
        upstream = git_repository(name)
        upstream.commit("Start", {"a.txt": "a\n"})
        head = upstream.commit("Propose", {f"{number}.txt": "b\n"})
        upstream.git("update-ref", f"refs/pull/{number}/head", head)
        upstream.git("reset", "--quiet", "--hard", "HEAD~")
        upstream.git("update-server-info")
        items.append(Item(number, head, f"team/{name}"))
        repositories[f"team/{name}"] = upstream.path / ".git"
    with Service(World(items, repositories=repositories)) as service:
        items[1].text = f"Greet\n\nDepends-On: {service.url}/team/meet/pull/7"
        own = {
            name: {"upstream": {"git": f"{service.url}/team/{name}"}, "packaging": {"git": "/srv/p"}}
            for name in ("greet", "meet")
        }
        description = {
            **LAB,
            "tracks": {"trunk": {"series": "bookworm", "trigger": "review", "branch": "main"}},
            "components": own,
            "reviews": {"hub": {"forge": "github", "url": f"{service.url}/"}},
            "jenkins": {"url": jenkins.url},
        }
        (tmp_path / "lab.yaml").write_text(yaml.safe_dump(description))
        for name in own:
            jenkins.create(f"trunk-{name}-build", JOB)
        assert call("trigger", "trunk")[1].startswith("meet: change under review")
        (waits,) = jenkins._state.queue.values()
        needed = proposal_of({one.name: one.value for one in waits.parameters}["PROPOSAL"])
        assert needed is not None
        jenkins.start(waits.id, result="SUCCESS")
        assert call("trigger", "trunk") == (0, "trunk: nothing new\n")
        assert "whose packages are not in the archive" in items[1].bodies[0]

        name = "trunk-20260101T000000Z-00000000"
        root = Store.of(loading.load(tmp_path / "lab.yaml")).archive
        made = State(name=name, track="trunk", number=1, created="", why=states.why(needed, "meet"))
        made.write(root / "dists" / name / STATE_FILE)
        assert call("trigger", "trunk")[1].startswith("greet: change under review")
        parameters = {one.name: one.value for one in jenkins._state.queue[max(jenkins._state.queue)].parameters}
        assert parameters["ONTO"] == name
        assert [one["number"] for one in json.loads(parameters["DEPENDS_ON"])] == [7]
