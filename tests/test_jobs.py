"""jobs/: what stock Jenkins Job Builder makes of a clean checkout, and of other labs' descriptions."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from lxml import etree

from cli.main import cli
from generator import jjb, render
from generator.canonical import parse
from generator.items import Item, ItemKey
from generator.lint import lint
from generator.plugins import PLUGINS, needed_plugins, plugins_of
from lab.base.errors import ConfigurationError
from lab.config import agents, loading
from lab.config.description import PHASES, Lab
from lab.store import step_command
from scripts.registry import STEPS

HOUSE = Path(__file__).parent.parent
JENKINS_JOBS = Path(sys.executable).parent / "jenkins-jobs"
FLAGSHIP = loading.load(HOUSE / "lab.yaml")
JENKINS = {"url": "https://jenkins.lab.example/"}

Items = dict[str, etree._Element]


def roots(items: list[Item]) -> Items:
    return {str(item.key): parse(item.xml) for item in items}


def texts(root: etree._Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path)]


def shells(root: etree._Element) -> list[str]:
    return texts(root, "builders/hudson.tasks.Shell/command")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """What `jenkins-jobs test` makes of jobs/, called elsewhere by somebody who has configured nothing."""
    place = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [JENKINS_JOBS, "test", "--config-xml", "-o", place / "out", HOUSE / "jobs"],
        cwd=place,
        env={"HOME": str(place), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {path.parent.relative_to(place / "out"): path.read_text() for path in (place / "out").rglob("config.xml")}
    return [
        Item(ItemKey("view" if "<hudson.model.ListView>" in xml else "job", str(name)), xml)
        for name, xml in made.items()
    ]


@pytest.fixture
def expanded(lab_factory: Callable[..., Lab], tmp_path: Path) -> Callable[..., Items]:
    """``expanded(jenkins={...}, ...)``: the jobs and views of a small lab, by kind and name."""

    def make(jenkins: dict[str, Any] | None = None, lab: dict[str, Any] | None = None, **options: Any) -> Items:
        made = lab_factory(lab={"jenkins": {**JENKINS, **(jenkins or {})}, **(lab or {})}, **options)
        jobs = tmp_path / "jobs"
        shutil.copytree(HOUSE / "jobs", jobs, ignore=shutil.ignore_patterns("generated"), dirs_exist_ok=True)
        render.write(made, jobs)
        items = jjb.expand(jobs, jjb.configuration(None))
        assert lint(items) == []
        assert plugins_of(items) == set(needed_plugins(made))
        return roots(items)

    return make


def test_what_is_generated_is_what_lab_yaml_says() -> None:
    assert render.stale(FLAGSHIP, HOUSE / "jobs") == []


@pytest.mark.integration
def test_stock_jenkins_job_builder_makes_every_job(stock: list[Item]) -> None:
    names = {item.key.name for item in stock if item.key.kind == "job"}
    builds = {f"openstack/{track}-{component}-build" for track, described in FLAGSHIP.tracks.items()
              for component in FLAGSHIP.components_of(track) if "build" in described.phases}  # fmt: skip
    phases = {f"openstack/{track}-{phase}" for track, described in FLAGSHIP.tracks.items()
              for phase in described.phases if phase != "build"}  # fmt: skip
    own = {f"openstack/lab-{name}" for name in ("apply", "backup", "publish", "housekeeping")}
    watches = {f"openstack/{name}-watch" for name in FLAGSHIP.tracks}
    assert len(watches) >= 2
    promotions = {f"openstack/{name}-promote" for name, track in FLAGSHIP.tracks.items() if track.promotion}
    assert promotions
    assert names == {"openstack"} | builds | phases | own | watches | promotions
    assert len(FLAGSHIP.components) >= 12
    assert len({name.split("/")[1].rsplit("-", 2)[0] for name in builds}) >= 3
    views = {item.key.name for item in stock if item.key.kind == "view"}
    assert views == {"openstack/lab", *(f"openstack/{track}" for track in FLAGSHIP.tracks)}


@pytest.mark.integration
def test_the_library_makes_the_same(stock: list[Item]) -> None:
    def plain(items: list[Item]) -> Iterator[tuple[ItemKey, bytes]]:
        for item in items:
            root = parse(item.xml)
            etree.indent(root)
            yield item.key, etree.tostring(root, method="c14n")

    assert dict(plain(stock)) == dict(plain(jjb.expand(HOUSE / "jobs", jjb.configuration(None))))


def test_nothing_is_wrong_with_them(stock: list[Item]) -> None:
    assert lint(stock) == []


def test_a_view_shows_the_jobs_of_its_track(stock: list[Item]) -> None:
    names = [item.key.name.rpartition("/")[2] for item in stock if item.key.kind == "job" and "/" in item.key.name]
    shown = {item.key.name.rpartition("/")[2]: re.compile(parse(item.xml).findtext("includeRegex", ""))
             for item in stock if item.key.kind == "view"}  # fmt: skip
    for name in names:
        assert [view for view, regex in shown.items() if regex.fullmatch(name)] == [
            next(view for view in shown if name.startswith(f"{view}-"))
        ]


@pytest.mark.integration
def test_a_build_runs_the_steps_of_its_phase(stock: list[Item]) -> None:
    items = roots(stock)
    builds = {name: root for name, root in items.items() if name.endswith("-build")}
    assert len(builds) >= 3 * 6
    for name, root in builds.items():
        checkout, *lines = shells(root)
        assert checkout == "qalab jenkins checkout https://git.lab.example/openstack-lab.git main --tries 3"
        assert [shlex.split(line)[:3] for line in lines] == [["qalab", "step", one] for one in PHASES["build"]]
        assert set(texts(root, "builders/hudson.tasks.Shell/unstableReturn")) == {"4"}
        first = step_options(lines[0])
        assert name == f"job openstack/{first.track}-{first.component}-build"
        assert first.commit == "$COMMIT"
        for line in lines:
            assert "\n" not in line
            assert (step_options(line).lab_file, step_options(line).tries) == (Path("lab/lab.yaml"), 3)


def step_options(line: str) -> Any:
    """What a step understands of its shell line."""
    _, _, name, *options = shlex.split(line)
    return step_command.Request(**step_command.command(name, STEPS[name].action).make_context(name, options).params)


def understood(words: list[str]) -> list[Any] | None:
    """What a command understands of its words; None where it refuses them."""
    command: click.Command | None = cli
    rest = words[1:]
    while isinstance(command, click.Group):
        name, *rest = rest
        command = command.get_command(click.Context(command), name)
    if words[1] == "step":
        command = step_command.command(words[2], STEPS[words[2]].action)
        rest = words[3:]
    assert command
    try:
        return [*command.make_context(command.name, rest).params.values()]
    except click.UsageError:
        return None


ODD = (
    "--help",
    "-h",
    "--",
    "--lab=x",
    "a b",
    "a\nb",
    "$(touch made)",
    "`touch made`",
    "';touch made;'",
    '"',
    "\\",
    "*",
    "",
)


@pytest.mark.integration
@pytest.mark.parametrize(
    "jenkins, lab",
    [
        (
            {"archive_agent": "vault", "build_agent": "b", "deploy_agent": "d"},
            {"archive": {"url": "https://a.example/"}},
        ),
        ({}, {"bisection": {"job": True}}),
    ],
    ids=["archive machine", "one machine"],
)
def test_no_parameter_of_a_build_is_an_option_or_code(
    expanded: Callable[..., Items], tmp_path: Path, jenkins: dict[str, Any], lab: dict[str, Any]
) -> None:
    """Whoever starts a build gives values: a help text, which succeeds, would be a green build of nothing."""
    phases = {"phases": ["build", "test", "deploy", "exercise"], "promotion": {"votes": ["staging"]}}
    items = expanded(jenkins, lab=lab, track=phases)
    program = tmp_path / "bin/qalab"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(repr(sys.argv))\n")
    program.chmod(0o755)
    lines = {line for root in items.values() for line in shells(root) if "$" in line}
    assert len(lines) >= 5
    path = f"{program.parent}:/usr/bin:/bin"
    for line in lines:
        names = dict.fromkeys(re.findall(r"\$(\w+)", line), "1")

        def words(values: dict[str, str], line: str = line) -> list[str]:
            argv = ["/bin/sh", "-xe", "-c", line]
            done = subprocess.run(argv, cwd=tmp_path, env={**values, "PATH": path}, capture_output=True, check=True)
            return list(ast.literal_eval(done.stdout.decode()))

        plain = words(names)
        for name in names:
            places = [before != after for before, after in zip(plain, words(names | {name: "2"}), strict=True)]
            for value in ODD:
                got = words(names | {name: value})
                assert got == [value if here else word for here, word in zip(places, plain, strict=True)]
                given = understood(got)  # click.exceptions.Exit: it would print its help
                assert given is None or value in given
    assert not (tmp_path / "made").exists()


def test_the_labs_own_jobs_call_verbs_that_there_are(stock: list[Item]) -> None:
    lines = [line for name, root in roots(stock).items() if "/lab-" in name or name.endswith("-watch")
             for line in shells(root)]  # fmt: skip
    assert len(lines) >= 5
    called = set()
    for line in lines:
        assert "\n" not in line
        program, verb, *options = shlex.split(line)
        assert program == "qalab"
        command = cli.get_command(click.Context(cli), verb)
        if isinstance(command, click.Group):
            inner, *options = options
            verb, command = f"{verb} {inner}", command.get_command(click.Context(command), inner)
        assert command is not None, verb
        command.make_context(verb, options)
        called.add(verb)
    assert "qalab jenkins drift --lab lab/lab.yaml --check" in lines  # what it finds is not green
    lab_jobs = {"generate", "apply", "backup", "drift", "checkout", "trigger"}
    assert called == {*(f"jenkins {verb}" for verb in lab_jobs), "doctor", "publish"}


def test_phases_hand_on_what_was_built(stock: list[Item]) -> None:
    items = roots(stock)
    trigger = "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs/*"
    for track, described in FLAGSHIP.tracks.items():
        first = f"{track}-keystone-build" if "build" in described.phases else f"{track}-{described.phases[0]}"
        chain, name = [], first
        while name:
            root = items[f"job openstack/{name}"]
            chain.append(name)
            assert len(root.findall(trigger)) < 2
            name = root.findtext(f"{trigger}/projects", "")
            if name:
                assert root.findtext(f"{trigger}/condition") == "UNSTABLE_OR_BETTER"
                file = f"{trigger}/configs/*/propertiesFile"
                assert root.findtext(file) == "results/parameters.properties"
                parameters = texts(items[f"job openstack/{name}"], ".//hudson.model.StringParameterDefinition/name")
                assert parameters == ["COMPONENT", "COMMIT", "VERSION", "ARCHIVE", "CAUSE", "PROPOSAL", "BASE"]
        assert [one.rpartition("-")[2] for one in chain] == list(described.phases)


def test_no_job_describes_disabled(stock: list[Item]) -> None:
    # Whoever disables a job in Jenkins keeps it disabled.
    assert [name for name, root in roots(stock).items() if root.find("disabled") is not None] == []


def test_deployments_share_a_throttle_category(stock: list[Item]) -> None:
    category = ".//hudson.plugins.throttleconcurrents.ThrottleJobProperty/categories/string"
    for name, root in roots(stock).items():
        if name.endswith(("-deploy", "-exercise")):
            assert root.findtext(category) == "openstack-nspawn"


def test_a_build_leaves_its_results_and_no_more(stock: list[Item]) -> None:
    for name, root in roots(stock).items():
        if name.endswith("-build"):
            assert texts(root, "publishers/hudson.tasks.ArtifactArchiver/artifacts") == ["run.json, results/**"]
            assert texts(root, "publishers/hudson.tasks.junit.JUnitResultArchiver/testResults") == ["results/*.xml"]
            assert texts(root, "concurrentBuild") == ["false"]
            assert texts(root, ".//timeoutMinutes") == ["150"]


def test_an_operator_sees_what_a_build_is_about(stock: list[Item]) -> None:
    """Without a plugin for names of builds, their parameters and artifacts say it; an empty list of changes would not."""
    phases = tuple(f"-{phase}" for phase in PHASES)
    seen = 0
    for name, root in roots(stock).items():
        if name.startswith("job openstack/") and name.endswith(phases):
            parameters = texts(root, ".//hudson.model.StringParameterDefinition/name")
            assert "COMMIT" in parameters, name
            assert name.endswith("-build") or {"COMPONENT", "VERSION", "ARCHIVE"} <= set(parameters), name
            assert root.find("scm[@class='hudson.plugins.git.GitSCM']") is None, name
            assert "results/**" in root.findtext("publishers/hudson.tasks.ArtifactArchiver/artifacts", ""), name
            seen += 1
    assert seen > len(FLAGSHIP.tracks)


def test_the_docs_name_the_plugins(stock: list[Item]) -> None:
    table = dict(
        re.findall(r"^\| `([a-z-]+)` \| ([^|]*) \|$", (HOUSE / "docs/how-to/jenkins.md").read_text(), re.MULTILINE)
    )
    assert table == PLUGINS
    assert plugins_of(stock) == set(needed_plugins(FLAGSHIP)) == set(PLUGINS) - {"copyartifact"}


def test_a_lab_at_the_top_of_jenkins(expanded: Callable[..., Items]) -> None:
    items = expanded()
    assert set(items) == {
        "job trunk-greet-build",
        "job trunk-watch",
        "job lab-backup",
        "job lab-housekeeping",
        "job lab-publish",
        "view trunk",
        "view lab",
    }


def test_a_lab_in_a_folder(expanded: Callable[..., Items]) -> None:
    items = expanded({"folder": "Große {QA}/mine"})
    jobs = {name for name in items if name.startswith("job ")}
    assert "job Große {QA}/mine" in jobs
    assert all(name.startswith("job Große {QA}/mine") for name in jobs)
    assert items["job Große {QA}/mine"].tag == "com.cloudbees.hudson.plugins.folder.Folder"
    assert items["view Große {QA}/mine/trunk"].findtext("includeRegex") == "trunk-(greet)-build|trunk-watch"


def test_the_labs_repository_is_polled_and_applied(expanded: Callable[..., Items]) -> None:
    own = {"git": "https://git.example/{lab}.git", "branch": "x{y}"}
    items = expanded({"repository": own, "command": "/opt/qa/qalab -v"})
    apply = items["job lab-apply"]
    assert texts(apply, "scm/userRemoteConfigs/*/url") == ["https://git.example/{lab}.git"]
    assert texts(apply, "scm/branches/*/name") == ["refs/heads/x{y}"]
    assert shells(apply) == [
        "/opt/qa/qalab -v jenkins generate --lab lab/lab.yaml --check",
        "/opt/qa/qalab -v jenkins apply --lab lab/lab.yaml --yes",
    ]
    assert texts(apply, "scm/extensions/*/relativeTargetDir") == ["lab"]
    own_jobs = {name: root for name, root in items.items() if name.startswith("job lab-") and root is not apply}
    for root in (items["job trunk-greet-build"], *own_jobs.values()):
        assert shells(root)[0] == "/opt/qa/qalab -v jenkins checkout 'https://git.example/{lab}.git' 'x{y}' --tries 3"
        # A checkout needs a directory that does not exist.
        assert root.find("buildWrappers/hudson.plugins.ws__cleanup.PreBuildCleanup") is not None
    assert shells(items["job lab-backup"])[1:] == ["/opt/qa/qalab -v jenkins backup --lab lab/lab.yaml"]


def test_lab_without_a_repository_reads_its_file_on_the_agent(expanded: Callable[..., Items]) -> None:
    items = expanded({"home": "/home/qa/lab"}, track={"phases": ["build", "deploy", "exercise"]})
    lines = [line for name, root in items.items() if name.startswith("job ") for line in shells(root)]
    assert len(lines) > len(PHASES["build"])
    for line in lines:
        program, *words = shlex.split(line)
        assert (program, words[words.index("--lab") + 1]) == ("qalab", "/home/qa/lab/lab.yaml")


APART = {"archive_agent": "vault", "build_agent": "build", "lab_agent": "trusted", "home": "/srv/lab"}


def test_archive_agent_has_its_own_jobs(expanded: Callable[..., Items]) -> None:
    """A build hands its packages over; the rest of its steps run where the archive is."""
    url = {"archive": {"url": "https://archive.lab.example/"}}
    items = expanded(APART, lab=url, track={"phases": ["build", "deploy", "exercise"]})
    build, archive = items["job trunk-greet-build"], items["job trunk-greet-archive"]
    assert (texts(build, "assignedNode"), texts(archive, "assignedNode")) == (["build"], ["vault"])
    assert texts(items["job lab-publish"], "assignedNode") == ["trusted"]
    lines = shells(archive)
    steps = [shlex.split(line)[2] for line in (*shells(build), *lines[1:])]
    assert steps == list(PHASES["build"])
    assert (step_options(lines[1]).track, step_options(lines[1]).lab_file) == (None, Path("/srv/lab/lab.yaml"))
    program, verb, *options = shlex.split(lines[0])
    context = cli.get_command(click.Context(cli), verb).make_context(verb, [*options[:-5], "7", *options[-4:]])
    assert (program, context.params["source"], context.params["component"]) == ("qalab", Path("handed-over"), "greet")
    assert texts(build, "publishers/hudson.tasks.ArtifactArchiver/artifacts") == ["run.json, results/**, out/**"]
    assert texts(build, "publishers/hudson.tasks.ArtifactArchiver/fingerprint") == ["true"]
    assert texts(archive, "publishers/hudson.tasks.ArtifactArchiver/artifacts") == ["run.json, results/**"]
    copy = archive.find("builders/hudson.plugins.copyartifact.CopyArtifact")
    assert (copy.findtext("project"), copy.findtext("selector/buildNumber")) == ("/trunk-greet-build", "$RUN")
    permitted = build.findtext(
        "properties/hudson.plugins.copyartifact.CopyArtifactPermissionProperty/projectNameList/string"
    )
    assert permitted == "trunk-greet-archive"
    given = build.findtext(".//hudson.plugins.parameterizedtrigger.PredefinedBuildParameters/properties", "")
    parameters = texts(archive, ".//hudson.model.StringParameterDefinition/name")
    assert given.splitlines() == ["RUN=$BUILD_NUMBER", "RUN_URL=$BUILD_URL", "COMMIT=$COMMIT"]
    assert parameters == [line.partition("=")[0] for line in given.splitlines()]
    starts = "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs/*/projects"
    chain = [build.findtext(starts), archive.findtext(starts), items["job trunk-deploy"].findtext(starts)]
    assert chain == ["trunk-greet-archive", "trunk-deploy", "trunk-exercise"]
    assert re.fullmatch(items["view trunk"].findtext("includeRegex", ""), "trunk-greet-archive")


def test_exercise_runs_on_the_agent_of_the_deployment(expanded: Callable[..., Items]) -> None:
    items = expanded(track={"phases": ["build", "deploy", "exercise"]})
    same = ".//hudson.plugins.parameterizedtrigger.NodeParameters"
    assert [name for name, root in items.items() if root.find(same) is not None] == ["job trunk-deploy"]


@pytest.mark.parametrize(
    "settings, labels",
    [
        ({}, ("qalab", "qalab")),
        ({"agent": "any"}, ("any", "any")),
        ({"build_agent": "b", "deploy_agent": "d"}, ("b", "d")),
        ({"architecture_agents": {"amd64": "intel"}}, ("qalab && intel", "qalab && intel")),
        ({"build_agent": "a || b", "architecture_agents": {"amd64": "intel"}}, ("(a || b) && intel", "qalab && intel")),
    ],
)
def test_labels_of_jobs(lab_factory: Callable[..., Lab], settings: dict[str, Any], labels: tuple[str, str]) -> None:
    lab = lab_factory(lab={"jenkins": {**JENKINS, **settings}})
    assert lab.jenkins
    assert tuple(agents.label_of_track(lab, lab.jenkins, "trunk", role) for role in ("build", "deploy")) == labels


URL = {"url": "https://archive.lab.example/"}


@pytest.mark.parametrize(
    "settings, archive, complaints",
    [
        ({}, {}, []),
        (APART, URL, []),
        (APART, {}, ["archive.url: missing; where all agents read the archive"]),
        (
            {**APART, "build_agent": "vault"},
            URL,
            ["jenkins.archive_agent: vault is also the label of the agents that build"],
        ),
        (
            {**APART, "deploy_agent": "vault"},
            URL,
            ["jenkins.archive_agent: vault is also the label of the agents that deploy"],
        ),
        ({"archive_agent": "vault"}, URL, ["jenkins.lab_agent: qalab is also the label of the agents that build"]),
        (
            {"archive_agent": "qalab", "lab_agent": "l"},
            URL,
            [
                f"jenkins.archive_agent: qalab is also the label of the agents that {role}"
                for role in ("build", "deploy")
            ],
        ),
        ({"architecture_agents": {"arm64": "arm"}}, {}, ["jenkins.architecture_agents.arm64: no series has"]),
    ],
)
def test_contradictions_of_agents(
    lab_factory: Callable[..., Lab], settings: dict[str, Any], archive: dict[str, Any], complaints: list[str]
) -> None:
    def make() -> Lab:
        return lab_factory(lab={"jenkins": {**JENKINS, **settings}, "archive": archive})

    if not complaints:
        assert make().jenkins
        return
    with pytest.raises(ConfigurationError) as raised:
        make()
    lines = str(raised.value).splitlines()
    assert len(lines) == len(complaints)
    for complaint in complaints:
        assert any(complaint in line for line in lines)


def test_archive_agent_promotes_what_other_agents_have_tested(expanded: Callable[..., Items]) -> None:
    track = {"phases": ["build", "test", "deploy", "exercise"], "promotion": {"votes": ["staging"]}}
    items = expanded(APART, lab={"archive": URL}, track=track)
    names = ("promote", "results", "vote")
    assert [texts(items[f"job trunk-{name}"], "assignedNode") for name in names] == [["vault"]] * 3
    promote, results = items["job trunk-promote"], items["job trunk-results"]
    starts = "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs/*"
    assert texts(promote, f"{starts}/projects") == ["trunk-deploy"]
    assert texts(promote, f"{starts}//failTriggerOnMissing") == ["true"]
    assert promote.find(".//hudson.plugins.throttleconcurrents.ThrottleJobProperty") is None  # it deploys nothing
    assert texts(results, f"{starts}/projects") == ["trunk-promote"]
    _, verb, *options = shlex.split(shells(results)[-1])
    assert (verb, options[0], options[-4:]) == ("archive", "result", ["--number", "$RUN", "--url", "$RUN_URL"])
    copied = "properties/hudson.plugins.copyartifact.CopyArtifactPermissionProperty/projectNameList/string"
    parameters = texts(results, ".//hudson.model.StringParameterDefinition/name")
    for job, then in (("greet-test", ["trunk-deploy"]), ("deploy", ["trunk-exercise"]), ("exercise", [])):
        root = items[f"job trunk-{job}"]
        assert texts(root, f"{starts}/projects") == ["trunk-results", *then]
        assert texts(root, f"{starts}/condition") == ["ALWAYS", *["UNSTABLE_OR_BETTER" for _ in then]]
        assert root.findtext(copied) == "trunk-results"
        given = root.findtext(".//hudson.plugins.parameterizedtrigger.PredefinedBuildParameters/properties", "")
        assert [line.partition("=")[0] for line in given.splitlines()] == parameters


def test_a_watch_starts_the_builds_of_a_track(expanded: Callable[..., Items]) -> None:
    items = expanded({"lab_agent": "trusted", "home": "/srv/lab"}, track={"schedule": "H/7 * * * *"})
    watch, build = items["job trunk-watch"], items["job trunk-greet-build"]
    assert texts(watch, "triggers/hudson.triggers.TimerTrigger/spec") == ["H/7 * * * *"]
    assert shells(watch) == ["qalab jenkins trigger --lab /srv/lab/lab.yaml trunk"]
    assert texts(watch, "assignedNode") == ["trusted"]  # it has the token
    assert build.findall("triggers/*") == []
    assert build.find("scm").get("class") == "hudson.scm.NullSCM"
    parameters = texts(build, ".//hudson.model.StringParameterDefinition/name")
    assert parameters == [
        "COMMIT",
        "CAUSE",
        "PACKAGING",
        "TESTING",
        "REASON",
        "INPUTS",
        "PROPOSAL",
        "DEPENDS_ON",
        "ONTO",
    ]
    assert step_options(shells(build)[0]).commit == "$COMMIT"


def test_a_track_of_changes_under_review(expanded: Callable[..., Items]) -> None:
    server = {"server": {"forge": "gerrit", "url": "https://review.example/", "trusted": ["*"]}}
    items = expanded(
        upstream="https://review.example/team/greet.git",
        track={"trigger": "review", "branch": "stable/1", "phases": ["build", "deploy"]},
        lab={"reviews": server},
    )
    assert texts(items["job trunk-watch"], "triggers/hudson.triggers.TimerTrigger/spec") == ["H/5 * * * *"]
    build = items["job trunk-greet-build"]
    assert len(build.findall("triggers/*")) == 0
    assert step_options(shells(build)[0]).commit == "$COMMIT"
    assert {"PROPOSAL", "DEPENDS_ON", "ONTO"} <= set(texts(build, ".//parameterDefinitions/*/name"))
    assert {"PROPOSAL", "BASE"} <= set(texts(items["job trunk-deploy"], ".//parameterDefinitions/*/name"))


def test_a_track_of_proposed_packages(expanded: Callable[..., Items]) -> None:
    items = expanded(track={"trigger": "proposed", "phases": ["deploy", "exercise"], "schedule": "H 5 * * *"})
    deploy, exercise = items["job trunk-deploy"], items["job trunk-exercise"]
    assert texts(items["job trunk-watch"], "triggers/hudson.triggers.TimerTrigger/spec") == ["H 5 * * *"]
    assert len(deploy.find("triggers")) == 0
    assert len(exercise.find("triggers")) == 0
    assert texts(exercise, "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger") == []


def test_agents_and_what_jenkins_keeps(expanded: Callable[..., Items]) -> None:
    jenkins = {"agent": "big && amd64", "lab_agent": "trusted", "keep_builds": 7, "keep_artifact_days": 3}
    items = expanded(jenkins, lab={"archive": {"keep_days": 11}, "runs": {"keep_days": 12}})
    assert texts(items["job trunk-greet-build"], "assignedNode") == ["big && amd64"]
    assert texts(items["job lab-backup"], "assignedNode") == ["trusted"]
    kept = items["job trunk-greet-build"].find("properties/jenkins.model.BuildDiscarderProperty/strategy")
    assert (kept.findtext("numToKeep"), kept.findtext("artifactDaysToKeep")) == ("7", "3")


def test_invalid_home_command_and_folder_are_refused(lab_factory: Callable[..., Lab]) -> None:
    with pytest.raises(
        loading.DescriptionError, match=r"jenkins\.home: not a plain absolute path: .*found: '/srv/q a'"
    ):
        lab_factory(lab={"jenkins": {**JENKINS, "home": "/srv/q a"}})
    for command in ("qalab\nrm", "{home}/qalab"):
        with pytest.raises(loading.DescriptionError, match=r"jenkins\.command: not a command: write it on one line"):
            lab_factory(lab={"jenkins": {**JENKINS, "command": command}})
    with pytest.raises(loading.DescriptionError, match=r"jenkins\.folder: not a folder's name: .*found: 'a//b'"):
        lab_factory(lab={"jenkins": {**JENKINS, "folder": "a//b"}})
