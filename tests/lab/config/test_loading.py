"""lab.yaml, right and wrong: each complaint names its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.deployment import Tempest

GOOD = """\
lab:
  name: mine
  maintainer: Q A <qa@lab.example>
series:
  bookworm: {pockets: [updates]}
tracks:
  trunk: {series: bookworm, branch: master}
  stable: {series: bookworm, trigger: review, branch: stable/1.0}
defaults:
  build: {options: [nocheck], timeout_minutes: 5}
components:
  hello:
    upstream: {git: /srv/hello}
    packaging: {git: /srv/hello-packaging}
    build: {profiles: [nodoc]}
    tracks:
      stable: {build: {options: [parallel=1]}, packaging: {git: /srv/stable}, upstream: {git: https://g.example/hello}}
reviews: {g: {forge: gerrit, url: https://g.example/, trusted: [alice]}}
"""

# Each name ten times the one before: 10^9 in all.
BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 10)}]\n" for n in range(9))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    return path


KEPT = "keep, keep_days"
RUNS = "jobs, keep, keep_chroot_days, keep_chroots, keep_days"


def test_two_tracks_with_the_same_label(tmp_path: Path) -> None:
    text = GOOD.replace("branch: master}", "labels: [a-tested]}\n  trunk-a: {series: bookworm, labels: [tested]}")
    with pytest.raises(loading.DescriptionError, match="trunk-a-tested is a label of trunk already"):
        loading.load(write(tmp_path, text))


@pytest.mark.parametrize("key", ["runs: {keep_days: 1000000}", "archive: {keep: 99999999999999999999999999}"])
def test_load_refuses_huge_number(tmp_path: Path, key: str) -> None:
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, f"{GOOD}{key}\n"))
    assert "36500" in str(caught.value)


@pytest.mark.parametrize(
    "section, unknown, message",
    [
        (
            "archive",
            "keep_artifact_days",
            f"did you mean keep_days? known: gnupg_home, {KEPT}, signing_key, states, url",
        ),
        ("runs", "keep_builds", f"did you mean keep_days? known: {RUNS}"),
        ("runs", "days", f"known: {RUNS}"),
        ("jenkins", "keep_days", "home, keep_artifact_days, keep_builds, lab_agent"),
    ],
)
def test_load_refuses_key_of_other_section(tmp_path: Path, section: str, unknown: str, message: str) -> None:
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, f"{GOOD}{section}: {{{unknown}: 3}}\n"))
    line = f"{section}.{unknown}: unknown key; "
    assert [one for one in caught.value.complaints if line in one and message in one]


@pytest.mark.parametrize(
    "old, new, line, message",
    [
        (
            "  name: mine",
            "  nmae: mine",
            2,
            "lab.nmae: unknown key; did you mean name? known: description, known_failures, maintainer, name",
        ),
        ("  name: mine", "  name: Mine!", 2, "lab.name: not a name: lower-case letters"),
        ("Q A <qa@lab.example>", "nobody", 3, "not a maintainer: write it as Name <address@host>; found: 'nobody'"),
        ("{pockets: [updates]}", "{architectures: []}", 5, "series.bookworm.architectures: "),
        (
            "{pockets: [updates]}",
            "{architectures: [amd64, all]}",
            5,
            "must name each architecture once, as dpkg does: all",
        ),
        ("{pockets: [updates]}", "{architectures: [arm64, arm64]}", 5, "each architecture once, as dpkg does: arm64"),
        ("series: bookworm, branch: master", "series: sid, branch: master", 7, "no series sid; known: bookworm"),
        (
            "series: bookworm, branch",
            "series: [bookworm], branch",
            7,
            "a track has one series; describe a track for each",
        ),
        ("trigger: review", "trigger: email", 8, "Input should be 'commit', 'proposed' or 'review'; found: 'email'"),
        ("trigger: review", "trigger: proposed", 8, "leave the phase build out"),
        ("branch: master}", "phases: [exercise, build]}", 7, "phases must be in the order build, test, deploy"),
        (
            "branch: master}",
            "branch: master, phases: [test]}",
            7,
            "the phase test tests what the phase build has built",
        ),
        ("timeout_minutes: 5", "timeout_minutes: soon", 10, "valid integer; found: 'soon'"),
        ("timeout_minutes: 5", "timeout_minutes: 0", 10, "greater than or equal to 1; found: 0"),
        ("  hello:", "  Hello:", 12, "components.Hello: not a source package name"),
        (
            "upstream: {git: /srv/hello}",
            "upstream: {}",
            13,
            "components.hello.upstream.git: missing; The URL or the absolute path",
        ),
        (
            "upstream: {git: /srv/hello}",
            "upstream: {git: ../hello}",
            13,
            "write the absolute path, or a URL; found: '../hello'",
        ),
        ("upstream: {git: /srv/hello}", "upstream: {git: 3}", 13, "valid string; found: 3"),
        ("      stable: {build", "      old: {build", 17, "no track old; known: trunk, stable"),
        ("components:\n", "components: [\n", 13, "not YAML"),
        ("tracks:\n  trunk", "tracks:\n  stable: {series: bookworm}\n  trunk", 9, "tracks.stable: is there twice"),
    ],
)
def test_load_complaint_has_line_and_message(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        loading.load(path)
    assert [one for one in str(caught.value).splitlines() if one.startswith(f"{path}:{line}:") and message in one]


def test_load_reports_all_complaints(tmp_path: Path) -> None:
    text = GOOD.replace("name: mine", "nmae: mine").replace("pockets", "pocket")
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, text))
    assert len(caught.value.complaints) == 3  # two unknown keys, and the name is missing


def test_load_names_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"lab\.yaml: there is no such file; name it with --lab"):
        loading.load(tmp_path / "lab.yaml")


def test_component_of_track(tmp_path: Path) -> None:
    lab = loading.load(write(tmp_path, GOOD))
    trunk, stable = lab.component("hello", "trunk"), lab.component("hello", "stable")
    assert (trunk.build.options, trunk.build.profiles, trunk.build.timeout_minutes) == (("nocheck",), ("nodoc",), 5)
    assert (stable.build.options, stable.build.profiles) == (("parallel=1",), ("nodoc",))
    assert (trunk.upstream.branch, stable.upstream.branch) == ("master", "stable/1.0")
    assert (trunk.packaging.git, stable.packaging.git) == ("/srv/hello-packaging", "/srv/stable")


def test_schema_has_every_section() -> None:
    schema = json.loads(loading.schema())
    assert set(schema["properties"]) >= {"lab", "series", "tracks", "components", "archive", "jenkins", "public"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "text, message",
    [
        ('lab:\n- "\x00"\n', "2: not YAML: unacceptable character #x0000"),
        ("lab: 2026-13-45\n", "1:6: not YAML: month must be in 1..12"),
        ("lab: {}\nseries:\n- until: 2027-02-30\n", "3:10: not YAML: day is out of range for month"),
        ("lab: 2026-01-01T25:00:00\n", "1:6: not YAML: hour must be in 0..23"),
        ('lab: "\\UFFFFFFFF"\n', "not YAML: "),
        ("lab: !!int x\n", "1:6: not YAML: invalid literal for int() with base 10: 'x'"),
        ("a: &a [*a]\n", "not YAML: nested too deep, or an anchor that is in itself"),
        pytest.param(f"a: {'[' * 1000}{']' * 1000}\n", "not YAML: nested too deep", marks=pytest.mark.integration),
        ("[a]: b\n", "1: the key of several parts is no text to YAML: quote it"),
        ("2026-01-01: x\n", "1: the key 2026-01-01 is no text to YAML: quote it"),
        ("tracks:\n  2026.10: x\n", "2: the key 2026.10 is no text to YAML: quote it"),  # or it would be 2026.1
        ("~: x\n", "1: the key ~ is no text to YAML: quote it"),
        ('lab: "\\ud800"\n', "is no text: '\\ud800' stands for no character"),
        ("lab: !!python/name:os.system\n", "1:6: not YAML: could not determine a constructor"),
        ("lab: *x\n", "1:6: not YAML: found undefined alias"),
        ("a: &x 1\nb: &x 2\n", "2:4: not YAML: found duplicate anchor 'x', which line 1 has"),
        (
            "a: {git: /x/{component}.git}\n",
            "1:13: not YAML: expected ',' or '}', but got '{'; quote the value that has {component} in it",
        ),
        (
            "a: {b: [{c}]x}\n",
            "1:13: not YAML: expected ',' or '}', but got '<scalar>'; quote the value that has {c} in it",
        ),
        (
            "a: {host}: x\n",
            "1:10: not YAML: mapping values are not allowed here; quote the value that has {host} in it",
        ),
        ("lab: x\n y: z\n", "2:3: not YAML: mapping values are not allowed here"),
        ("", "1: lab.yaml: must have keys of its own; known: archive, bisection, components"),
        ("- a\n- b\n", "1: lab.yaml: must have keys of its own; known: archive, bisection, components"),
        ("3\n", "1: lab.yaml: must have keys of its own; known: archive, bisection, components"),
        (BOMB, "has more than 200,000 entries, those behind aliases counted"),
    ],
)
def test_load_error_of_invalid_yaml_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(path)
    (complaint,) = caught.value.complaints
    assert complaint.removeprefix(f"{path}:").strip().startswith(message)
    assert "\n" not in complaint


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        (
            "  trunk: {",
            '  "tr\\nu\\e[31mnk": {',
            "tracks.tr u [31mnk: not a name: ",
        ),  # shown as one line, with no colour
        ("Q A <qa@lab.example>", "x" * 10_000, f"found: '{'x' * 79}..."),
        (
            "    upstream: {git: /srv/hello}",
            "    upstream:",
            "must have keys of its own; known: branch, commit_url, git",
        ),
    ],
)
def test_load_complaint_is_short_and_printable(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, GOOD.replace(old, new, 1)))
    (message,) = str(caught.value).splitlines()
    assert complaint in message
    assert len(message) < 300 + len(str(tmp_path))


def test_load_names_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"caf\xe9")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path, f"is a directory; name the file: {tmp_path}/lab.yaml"),
        (tmp_path / "latin1", "cannot be read: 'utf-8' codec"),
        (tmp_path / "loop", "cannot be read: Too many levels of symbolic links"),
    ):
        with pytest.raises(loading.DescriptionError, match=f"^{path}: {message}") as caught:
            loading.load(path)
        assert "Errno" not in str(caught.value)


@pytest.mark.parametrize("value", ["1.10", "2026", "yes", "1.5e+3"])
def test_load_asks_to_quote_number(tmp_path: Path, value: str) -> None:
    with pytest.raises(
        loading.DescriptionError, match=r"tracks\.trunk\.branch: .*: quote it, YAML reads it as no text"
    ):
        loading.load(write(tmp_path, GOOD.replace("branch: master", f"branch: {value}")))


@pytest.mark.parametrize("value", ["010", "1:20", "0x10", "0b11", "-017"])
def test_load_refuses_number_that_is_another_one(tmp_path: Path, value: str) -> None:
    """An outlet 010 would be the outlet 8 of a power switch."""
    text = f"{GOOD}machines: {{node0: {{power: {{agent: fence_apc, options: {{plug: {value}}}}}}}}}\n"
    line = len(GOOD.splitlines()) + 1
    with pytest.raises(
        loading.DescriptionError, match=rf"lab.yaml:{line}: machines\.node0\.power\.options\.plug: .*: quote it"
    ):
        loading.load(write(tmp_path, text))


@pytest.mark.parametrize("value", ["0", "-1", "12", "1_000", "'010'", "08"])
def test_load_takes_decimal_numbers(tmp_path: Path, value: str) -> None:
    text = f"{GOOD}machines: {{node0: {{power: {{agent: fence_apc, options: {{plug: {value}}}}}}}}}\n"
    assert loading.load(write(tmp_path, text)).machines["node0"].power.options["plug"] in {0, -1, 12, 1000, "010", "08"}


@pytest.mark.parametrize("key", ["lab.name", "series", "tracks"])
@pytest.mark.parametrize("length", [63, 64])
def test_name_length_is_limited(tmp_path: Path, key: str, length: int) -> None:
    name = "n" * length
    text = {
        "lab.name": GOOD.replace("name: mine", f"name: {name}"),
        "series": GOOD.replace("bookworm", name),
        "tracks": GOOD.replace("trunk: {", f"{name}: {{"),
    }[key]
    if length == 63:
        loading.load(write(tmp_path, text))
        return
    with pytest.raises(loading.DescriptionError, match="63 characters at most"):
        loading.load(write(tmp_path, text))


def test_relations_need_known_applications(tmp_path: Path) -> None:
    deployment = """\
deployment:
  applications: {web: {role: web}, db: {role: db}}
  relations: [["web:store", "db:server"], [web, cache]]
"""
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, GOOD + deployment))
    (complaint,) = caught.value.complaints
    assert complaint.endswith("deployment.relations.cache: no application cache; known: web, db")


@pytest.mark.parametrize(
    "deployment, complaint",
    [
        ("{target: ssh, applications: {web: {role: web}}}", "deployment.ssh: missing; the hosts"),
        (
            (
                "{target: ssh, applications: {web: {role: web, to: [0, 2]}},"
                " ssh: {hosts: [root@one.example, root@two.example:2222], restore: [restore, '{host}']}}"
            ),
            "deployment.applications.web.to: no host 2 in deployment.ssh.hosts; known: 0 to 1",
        ),
        (
            "{target: ssh, applications: {web: {role: web}}, ssh: {hosts: [one.example], restore: [restore]}}",
            "deployment.ssh.hosts.0: not a login: write it as USER@HOST[:PORT]; found: 'one.example'",
        ),
        (
            "{target: metal, applications: {}, limits: {memory: 512}}",
            "deployment.limits.memory: the target metal has no such limit; nspawn and qemu have",
        ),
        (
            "{target: juju, applications: {web: {role: web, reboot: true}}, limits: {disk: 10}}",
            "deployment.limits.disk: the target juju has no such limit; nspawn and qemu have",
        ),
        (
            "{target: juju, applications: {web: {role: web, reboot: true}}}",
            "deployment.applications.web.reboot: Juju deploys charms, which reboot by themselves",
        ),
        (
            "{target: qemu, applications: {web: {role: web}}, limits: {memory: 64}}",
            "deployment.limits.memory: Input should be greater than or equal to 256",
        ),
        (
            "{applications: {web: {role: package, packages: ['nginx=1.22']}}}",
            "deployment.applications.web.packages.0: not the name of a binary package, without a version: lower-case",
        ),
        (
            "{applications: {web: {role: package, packages: [Nginx]}}}",
            "deployment.applications.web.packages.0: not the name of a binary package, without a version: lower-case",
        ),
        (
            "{applications: {web: {role: web}}, exercises: [./smoke.sh]}",
            "deployment.exercises.0: not the name of an exercise; one of your own is {name: NAME, run: PATH}",
        ),
    ],
)
def test_target_has_what_it_needs(tmp_path: Path, deployment: str, complaint: str) -> None:
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, f"{GOOD}deployment: {deployment}\n"))
    assert complaint in str(caught.value)


NEITHER = "neither a text, a number, true nor false"


@pytest.mark.parametrize(
    "deployment, complaint",
    [
        ("{applications: {web: {role: web, options: {a: [1]}}}}", f"applications.web.options.a: {NEITHER}"),
        ("{applications: {web: {role: web, options: {a: null}}}}", f"applications.web.options.a: {NEITHER}; found: None"),
        ("{applications: {web: {role: web}}, juju: {config: {a: {b: 1}}}}", f"juju.config.a: {NEITHER}"),
        ("{applications: {web: {role: web, to: [-1]}}}", "applications.web.to.0: Input should be greater than or equal to 0; found: -1"),
        ("{target: juju, applications: {}, juju: {overlays: [a.yaml]}}",
         "juju.overlays: there is no deployment.juju.bundle that they belong to"),
    ],
)  # fmt: skip
def test_fault_of_a_deployment_is_one_line(tmp_path: Path, deployment: str, complaint: str) -> None:
    archive = "archive: {url: 'http://a.example'}\n"
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, f"{GOOD}{archive}deployment: {deployment}\n"))
    (line,) = str(caught.value).splitlines()
    assert line.endswith(f"deployment.{complaint}")


def test_charms_refuse_proposed_track(tmp_path: Path) -> None:
    proposed = GOOD.replace("trigger: review", "trigger: proposed, phases: [deploy]")
    deployment = "deployment: {target: juju, applications: {web: {role: web}}}\n"
    with pytest.raises(
        loading.DescriptionError, match=r"tracks.stable.trigger: charms take no packages of a -proposed"
    ):
        loading.load(write(tmp_path, proposed + deployment))


def test_track_overrides_exercises(tmp_path: Path) -> None:
    deployment = "deployment: {applications: {web: {role: web}}, exercises: [token], tempest: {concurrency: 4}}\n"
    lab = loading.load(write(tmp_path, GOOD + deployment))
    own = {"exercises": (), "tempest": Tempest(tests=("identity",))}
    track = lab.tracks["trunk"].model_copy(update=own)
    other = lab.model_copy(update={"tracks": {**lab.tracks, "other": track}})
    of = [other.deployment_of(name) for name in ("trunk", "other")]
    assert [each.exercises for each in of] == [("token",), ()]
    assert [each.tempest.concurrency for each in of if each.tempest] == [4, 2]


def test_track_components_are_known(tmp_path: Path) -> None:
    text = GOOD.replace("branch: master}", "branch: master, components: [hello, goodbye]}")
    with pytest.raises(loading.DescriptionError) as caught:
        loading.load(write(tmp_path, text))
    (complaint,) = caught.value.complaints
    assert complaint.endswith(":7: tracks.trunk.components.goodbye: no component goodbye; known: hello")


@pytest.mark.parametrize("name", ["lab.yaml", "small.yaml"])
def test_lab_knows_its_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(GOOD)
    assert loading.load(path).file == path
    path.write_text("3\n")
    with pytest.raises(ConfigurationError, match=f"^{path}:1: {name}: must have keys of its own"):
        loading.load(path)
