"""A client of Juju that answers as it is told, by the documented words: a program to be put on PATH.

Beside it is a directory with what there is (models, with their marks), what it says next, and what it was called
with.  Machines run nothing: what is run on one is answered by a program of the same name in ``machine``.
"""

from __future__ import annotations

import copy
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data/juju"
JUJU = """\
#!/bin/sh
here=${0%/*}/juju.d
{ printf '%s\\0' "$@"; echo; } >> "$here/calls"
[ ! -e "$here/away" ] || [ "$1" = whoami ] || { cat "$here/away" >&2; exit 1; }
# What was asked for is done, and whoever asked is killed before he knows.
[ ! -e "$here/$1.kills" ] || { rm "$here/$1.kills"; trap 'kill -9 "$PPID"' EXIT; }
say() { [ ! -e "$here/$1.refuses" ] || { cat "$here/$1.refuses" >&2; exit 1; }; cat "$here/$1"; }
case $1 in
whoami) say whoami ;;
show-user) say show-user ;;
version) say version ;;
ssh-keys) say ssh-keys ;;
add-ssh-key) ;;
models)
    printf '{"models": ['
    between=
    for model in "$here"/models/*; do [ ! -e "$model" ] || { printf '%s' "$between"; cat "$model"; between=,; }; done
    echo ']}' ;;
add-model)
    for word; do case $word in extra-info=*) mark=${word#*=} ;; esac; done
    name=$(cat "$here/name")
    sed "s/NAME/$name/g" "$here/model" > "$here/models/$name"
    printf %s "$mark" > "$here/mark" ;;
model-config) say mark ;;
add-machine) echo 'created machine 0' >&2 ;;
status)
    set -- "$here"/status/*
    refused=
    if grep -q '^ERROR' "$1"; then refused=1; cat "$1" >&2; else cat "$1"; fi
    [ $# = 1 ] || rm "$1"
    exit $refused ;;
deploy)
    # Refused as often as there are lines.
    if [ -s "$here/deploy.busy" ]; then head -n 1 "$here/deploy.busy" >&2; sed -i 1d "$here/deploy.busy"; exit 1; fi
    say deploy >&2
    for status in "$here"/then/*; do mv "$status" "$here/status/"; done
    rm "$here"/status/0-* ;;
debug-log) say debug-log ;;
resolved) say resolved ;;
config) say config ;;
run)
    echo 'Running operation 1 with 1 task' >&2
    for action; do :; done
    if [ -s "$here/$action.busy" ]; then head -n 1 "$here/$action.busy" >&2; sed -i 1d "$here/$action.busy"; exit 1; fi
    # One that fails has its result on standard output nevertheless.
    refused=
    [ ! -e "$here/$action.fails" ] || { refused=1; cat "$here/$action.fails" >&2; }
    case $action in get-root-ca) say get-root-ca ;; generate-root-ca) cat "$here/generate-root-ca" 2> /dev/null || say run ;; *) say run ;; esac
    exit $refused ;;
destroy-model)
    case " $* " in *' --force '*) how=forced ;; *) how=gentle ;; esac
    [ ! -e "$here/$how.sleeps" ] || exec sleep 60
    [ -e "$here/$how.stays" ] || rm -f "$here/models/${3##*:}" "$here/models/$(cat "$here/name")" ;;
ssh)
    if [ -s "$here/ssh.busy" ]; then head -n 1 "$here/ssh.busy" >&2; sed -i 1d "$here/ssh.busy"; exit 1; fi
    PATH=$here/bin exec /bin/sh -c "$5" ;;
*) echo "ERROR juju: \\"$1\\" is not a juju command" >&2; exit 2 ;;
esac
"""
# What is run as root there: options of sudo and env, settings, and the command.
SUDO = """\
#!/bin/sh
here=${0%/*}/..
{ printf '%s\\0' "$@"; echo; } >> "$here/machine.calls"
[ "$1 $2 $3" = '--non-interactive env -i' ] || exit 99
shift 3
while case $1 in *=*) true ;; *) false ;; esac do shift; done
name=$1
shift
PATH=/usr/bin:/bin exec "$here/machine/$name" "$@"
"""
MACHINE = {
    "dpkg-query": """\
rows=${0%/*}/../installed
case "$*" in *db:Status-Status*) exec cat "$rows" ;; esac
shift 2
for name; do awk -F '\\t' -v name="$name" '$1 == name { print $1 "=" $2 }' "$rows"; done""",
    "dpkg": ":",
    "apt-cache": 'cat "${0%/*}/../policy"',
    "greet": "echo hello",
    # A script: one that runs a command, one that packs logs, or one that writes a file whose path is its first word.
    "sh": 'case "$*" in *errors=*) exec "${0%/*}/$4" ;; *tar*) cat "${0%/*}/../logs.tgz" ;; *) cat > "${0%/*}/../written/${4##*/}" ;; esac',
}
MODEL = {"name": "admin/NAME", "short-name": "NAME", "model-uuid": "2fd1c8d5-7a3c-4d35-8f0e-3d3c8b6f9a11",
         "model-type": "iaas", "owner": "admin", "life": "alive", "cloud": "lxd", "region": "default",
         "status": {"current": "available", "since": "just now"}, "access": "admin", "agent-version": "3.6.8"}  # fmt: skip
RESULTS = {"admin-password": "sesame", "return-code": 0}
PASSWORD = {"keystone/0": {"id": "2", "results": RESULTS, "status": "completed", "unit": "keystone/0"}}


@dataclass(frozen=True)
class Juju:
    """The fake: what there is, what it says, what it was called with."""

    home: Path

    def write(self, name: str, text: object = "") -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text))

    def statuses(self, *before: Mapping[str, Any] | str, then: tuple[Mapping[str, Any] | str, ...] = ()) -> None:
        """What it says of machines until a bundle is deployed, and what one after the other from then on: texts are errors."""
        for directory, documents in (("status", before), ("then", then)):
            shutil.rmtree(self.home / directory, ignore_errors=True)
            (self.home / directory).mkdir()
            for number, document in enumerate(documents):
                self.write(f"{directory}/{directory == 'then':d}-{number:03d}", document)

    def model(self, name: str, mark: str, **fields: Any) -> None:
        """A model that is there already."""
        self.write(f"models/{name}", MODEL | {"name": f"admin/{name}", "short-name": name} | fields)
        self.write("mark", mark)

    @property
    def models(self) -> list[str]:
        return [path.name for path in (self.home / "models").iterdir()]

    def calls(self, command: str = "") -> list[list[str]]:
        return [call for call in _calls(self.home / "calls") if command in {"", call[0]}]

    def on_machines(self) -> list[list[str]]:
        """What was run as root there, without the settings of its environment."""
        commands = [call[3:] for call in _calls(self.home / "machine.calls")]
        return [[word for word in call if not word.startswith(("HOME=", "LANG=", "LC_ALL=", "DEBIAN_", "PATH="))]
                for call in commands]  # fmt: skip


def _calls(path: Path) -> list[list[str]]:
    texts = path.read_bytes().decode().split("\0\n")[:-1] if path.exists() else []
    return [text.split("\0") for text in texts]


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "qalab-testlab-trunk") -> Juju:
    """Put it before all else on PATH: logged in at a controller that has nothing."""
    juju = Juju(tmp_path / "bin/juju.d")
    for directory in ("models", "written"):
        (juju.home / directory).mkdir(parents=True)
    said = {
        "whoami": {"controller": "lab", "user": "admin"},
        "show-user": {
            "user-name": "admin",
            "display-name": "admin",
            "access": "superuser",
            "date-created": "2024-05-02",
        },
        "model": MODEL,
        "name": name,
        "version": "3.6.8-genericlinux-amd64\n",
        "ssh-keys": "Keys used in model: admin/NAME\n37:99:ab:96:c4:e8:dc:4f:2b:f0:21:bf:bb:c1:bd:1c (juju-client-key)\n",
        "deploy": "",
        "resolved": "",
        "run": PASSWORD,
        "config": {
            "application": "keystone",
            "settings": {"region": {"value": "RegionTwo"}, "vip": {"type": "string"}},
        },
    }
    for each, text in said.items():
        juju.write(each, text)
    juju.write("debug-log", "unit-keystone-0: 10:12:31 INFO juju.worker.uniter awaiting error resolution\n")
    programs = {"../juju": JUJU, "bin/sudo": SUDO} | {
        f"machine/{each}": f"#!/bin/sh\n{text}\n" for each, text in MACHINE.items()
    }
    for each, text in programs.items():
        juju.write(each, text)
        (juju.home / each).chmod(0o755)
    (juju.home / "logs.tgz").write_bytes(
        packed({"var/log/juju/unit-greet-0.log": b"a hook has run\n", "journal.log": b"booted\n"})
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return juju


def packed(files: Mapping[str, bytes]) -> bytes:
    """What tar makes of files."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def status(name: str = "active") -> dict[str, Any]:
    """A document of tests/data/juju."""
    return dict(json.loads((DATA / f"{name}.json").read_text()))


def changed(document: Mapping[str, Any], *changes: tuple[Callable[[Any], Any], dict[str, Any]]) -> dict[str, Any]:
    """A document with entries of some of its parts replaced."""
    made = copy.deepcopy(dict(document))
    for find, entries in changes:
        find(made).update(entries)
    return made


def machine(number: int) -> Callable[[Any], Any]:
    return lambda document: document["machines"][str(number)]


def unit(name: str) -> Callable[[Any], Any]:
    return lambda document: document["applications"][name.partition("/")[0]]["units"][name]


def bare(document: Mapping[str, Any]) -> dict[str, Any]:
    """The machines alone."""
    return dict(document) | {"applications": {}}
