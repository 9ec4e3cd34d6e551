"""Jenkins Job Builder's YAML becomes items; what is wrong with it is one line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import jjb
from generator.items import ItemKey
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
        ("foo: 1", ":1:1: The topmost collection must be a list"),
        ("- job: {builders: []}", ":1:8: Missing required element: 'name'"),
        ("- frob: {}", ":1:3: Unknown topmost element type : 'frob'"),
        ("- job: {name: a, project-type: zork}", ":1:3: Unrecognized project-type: zork"),
        ("- project: {name: p, jobs: ['{x}-y']}", ":1:29: Failed to find suitable job/view/template named '{x}-y'"),
        ("- job: {name: a}\n- job: {name: a}", ":1:3: Previous job definition (Duplicate job: 'a')"),
        ("- job-template: {name: '{n}', builders: [shell: '{z}']}\n- project: {name: p, n: [1], jobs: ['{n}']}",
         ":1:50: While formatting string '{z}': Missing parameter: 'z'"),
        ("- job: {name: a, builders: [shell: !include-raw-verbatim: gone.sh]}", "gone.sh"),
        ("\t- job", "not YAML"),
        ("- job: {name: a, builders: [shell: 'find -exec x {} +']}", "write a literal brace twice"),
    ],
)  # fmt: skip
def test_invalid_yaml_is_an_error_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        expand(tmp_path, text)
    said = str(raised.value)
    assert complaint in said
    assert str(tmp_path / "jobs.yaml") in said
    assert "\n" not in said


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
