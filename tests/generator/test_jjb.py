"""Jenkins Job Builder's YAML becomes items; what is wrong with it is one line that says where."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from generator import jjb
from generator.items import ItemKey
from generator.jjb import Settings
from lab.base.errors import ConfigurationError

GOOD = """\
- job:
    name: b
    builders: [shell: 'echo {{literal}} <&> "ä"']
- job: {name: a, project-type: folder}
- job: {name: a/inner, project-type: pipeline, dsl: 'node {{}}'}
- view: {name: v, view-type: list, regex: '.*'}
"""


def expand(tmp_path: Path, text: str, ini: str = "") -> list[str]:
    (tmp_path / "jobs.yaml").write_text(text)
    config = None
    if ini:
        config = tmp_path / "jenkins_jobs.ini"
        config.write_text(ini)
    return [str(item.key) for item in jjb.expand(tmp_path / "jobs.yaml", jjb.configuration(config))]


def test_items_are_sorted(tmp_path: Path) -> None:
    (tmp_path / "jobs.yaml").write_text(GOOD)
    items = jjb.expand(tmp_path, jjb.configuration(None))
    assert [item.key for item in items] == [
        ItemKey("job", "a"),
        ItemKey("job", "a/inner"),
        ItemKey("job", "b"),
        ItemKey("view", "v"),
    ]
    assert 'echo {literal} &lt;&amp;&gt; "ä"' in items[2].xml
    assert jjb.expand(tmp_path, jjb.configuration(None)) == items


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("- job: {name: a, builders: [nosuch: 1]}", ":1:3: Unknown entry point or macro 'nosuch'"),
        ("- job:\n    name: x\n   foo: [", ":3:4: not YAML: expected <block end>"),
        ("- job: {name: a, builders: [shell: 1]}", ":1:3: job a: Jenkins Job Builder cannot make it"),
        (f"foo: {[*range(999)]}", ":1:1: The topmost collection must be a list, but is: {'foo': [0, 1, 2, "),
        ("- job: {name: &n a}\n- job: {name: &n b}", ":2:15: not YAML: found duplicate anchor 'n', which line 1 has"),
        ("foo: 1", ":1:1: The topmost collection must be a list"),
        ("- job: {builders: []}", ":1:8: Missing required element: 'name'"),
        ("- frob: {}", ":1:3: Unknown topmost element type : 'frob'"),
        ("- job: {name: a, project-type: zork}", ":1:3: Unrecognized project-type: zork"),
        ("- project: {name: p, jobs: ['{x}-y']}", ":1:29: Failed to find suitable job/view/template named '{x}-y'"),
        ("- job: {name: a}\n- job: {name: a}", ":2:3: Duplicate job: 'a'; previous job definition: "),
        ("- job-template: {name: '{n}', builders: [shell: '{z}']}\n- project: {name: p, n: [1], jobs: ['{n}']}",
         ":1:50: While formatting string '{z}': Missing parameter: 'z'"),
        ("- job: {name: a, builders: [shell: !include-raw-verbatim: gone.sh]}", "gone.sh"),
        ("\t- job", "not YAML"),
        ("- job: {name: a, builders: [shell: 'find -exec x {} +']}", ": {0} in find -exec x {} + (write a literal brace twice"),
        ("- job: {name: a}\n- job: {name: b, triggers: }", ":2:3: job b: Jenkins Job Builder cannot make it: TypeError"),
        ("- job:\n    name: a\n    description: !j2: '{{ x | nosuch }}'", ":3:18: Jinja2: No filter named 'nosuch'"),
        ("- job:\n    name: a\n    description: !j2: '{{ x '", ":3:18: Jinja2: "),
        ("- job:\n    name: a\n    description: !j2: '{{ 1 / 0 }}'", "ZeroDivisionError"),
        ("- project: {name: p, jobs: 3}", ":1:"),
    ],
)  # fmt: skip
def test_invalid_yaml_is_an_error_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        expand(tmp_path, text)
    said = str(raised.value)
    assert complaint in said
    assert str(tmp_path / "jobs.yaml") in said
    assert "\n" not in said
    assert len(said) < len(str(tmp_path)) + 400


def test_filter_modules_must_be_importable(tmp_path: Path) -> None:
    ini = "[job_builder]\nfilter_modules=nosuch_filters\n"
    with pytest.raises(
        ConfigurationError, match=r"No module named 'nosuch_filters' .does PYTHONPATH name its directory"
    ):
        expand(tmp_path, "- job: {name: a, description: !j2: '{{ x }}'}", ini)


def test_paths_are_those_of_jenkins_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "one/deep", "one/skipped", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "jobs.yaml").write_text(f"- job: {{name: {Path(name).name}}}")
    for text, settings, names in (
        ("one", Settings(), ["one"]),
        ("one:two", Settings(), ["one", "two"]),
        ("one:two/jobs.yaml", Settings(recursive=True), ["deep", "one", "skipped", "two"]),
        ("one", Settings(recursive=True, excludes=("skip*",)), ["deep", "one"]),
        ("one", Settings(recursive=True, excludes=("skip*:de*",)), ["one"]),
    ):
        items = jjb.expand(jjb.paths_of(text), settings.configuration())
        assert [item.key.name for item in items] == names, text
    (tmp_path / "a:b").mkdir()
    assert jjb.paths_of("a:b") == (Path("a:b"),)
    monkeypatch.setattr("sys.stdin", io.StringIO("- job: {name: piped}"))
    assert [item.key.name for item in jjb.expand(jjb.paths_of("-"), Settings().configuration())] == ["piped"]
    monkeypatch.setattr("sys.stdin", io.StringIO("- job: {name: a, builders: [nosuch: 1]}"))
    with pytest.raises(ConfigurationError, match="standard input:1:3: Unknown entry point or macro 'nosuch'"):
        jjb.expand(jjb.paths_of("-"), Settings().configuration())


def test_ini_is_found_as_jenkins_jobs_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jjb.found_ini() in {None, Path("/etc/jenkins_jobs/jenkins_jobs.ini")}
    own = tmp_path / ".config/jenkins_jobs/jenkins_jobs.ini"
    own.parent.mkdir(parents=True)
    own.write_text("[job_builder]\n")
    assert jjb.found_ini() == own
    monkeypatch.setenv("JJB_CONF", "other.ini")
    assert jjb.found_ini() == Path("other.ini")


def test_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file or directory"):
        jjb.expand(tmp_path / "gone", jjb.configuration(None))


def test_ini_settings_are_read(tmp_path: Path) -> None:
    twice = "- job: {name: a}\n- job: {name: a, disabled: true}"
    assert expand(tmp_path, twice, "[job_builder]\nallow_duplicates=True\n") == ["job a"]
    (tmp_path / "more").mkdir()
    (tmp_path / "more/b.yaml").write_text("- job: {name: b}")
    (tmp_path / "jobs.yaml").write_text("- job: {name: a}")
    (tmp_path / "deep.ini").write_text("[job_builder]\nrecursive=True\n")
    names = [[item.key.name for item in jjb.expand(tmp_path, jjb.configuration(ini))] for ini in
             (None, tmp_path / "deep.ini")]  # fmt: skip
    assert names == [["a"], ["a", "b"]]


@pytest.mark.parametrize("text", ["[jenkins\n", "[jenkins]\ntimeout=soon\n", "url=1\n"])
def test_invalid_ini_is_an_error_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.ini").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        jjb.configuration(tmp_path / "bad.ini")
    assert str(raised.value).startswith(str(tmp_path / "bad.ini"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "said, wants", [("", False), ("query_plugins_info=True", True), ("query_plugins_info=no", False)]
)
def test_wants_plugins(tmp_path: Path, said: str, *, wants: bool) -> None:
    ini = tmp_path / "jenkins_jobs.ini"
    ini.write_text(f"[jenkins]\nurl=http://j/\n{said}\n")
    assert jjb.wants_plugins(jjb.configuration(ini)) is wants


@pytest.mark.parametrize("yaml, said", [
    ('- job: {name: "a\\ud83d\\udc27"}', r"job a\ud83d\udc27: has U+D83D, half a character"),
    ('- job: {name: a, builders: [shell: "x\\ud83d"]}', "job a: has U+D83D, half a character"),
    ('- view: {name: "v\\udc00", view-type: list}', r"view v\udc00: has U+DC00, half a character"),
    ('- job: {name: a, parameters: [string: {name: "\\udfff"}]}', "job a: has U+DFFF, half a character"),
])  # fmt: skip
def test_half_a_character_is_named(tmp_path: Path, yaml: str, said: str) -> None:
    (tmp_path / "jobs.yaml").write_text(yaml)
    with pytest.raises(ConfigurationError) as raised:
        jjb.expand(tmp_path / "jobs.yaml", jjb.configuration(None))
    assert str(raised.value).startswith(f"{tmp_path}/jobs.yaml:1:3: {said}")
