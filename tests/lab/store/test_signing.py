"""The lab's key: created once, reused, valid for a signature, without a leftover agent."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.base.run import ProgramFailed, output, run
from lab.config.description import Lab
from lab.store.runs import Store
from lab.store.signing import SigningKey, lab_key
from tests.processes import alive, python, wait_for

ASKER = """
import sys
from pathlib import Path
from lab.config.loading import load
from lab.store.signing import lab_key
from lab.store.runs import Store
lab = load(Path(sys.argv[1]))
with lab_key(lab, Store.of(lab)) as key:
    print(key.fingerprint)
"""


def agents(home: Path) -> list[int]:
    """Return the agents of a GnuPG home, for any path to it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].endswith("gpg-agent") and alive(int(process.name)):
            at = words[words.index("--homedir") + 1] if "--homedir" in words else ""
            found += [int(process.name)] if Path(at).resolve() == home.resolve() else []
    return found


def assert_signs(key: SigningKey, place: Path) -> None:
    """Assert that a signature of the key verifies with its exported public key only."""
    (place / "text").write_text("a release\n")
    run(["gpg", "--batch", "--yes", "--local-user", key.fingerprint, "--detach-sign", place / "text"], env=key.env)
    key.export(place / "key.asc")
    assert (place / "key.asc").read_text().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    run(["gpg", "--batch", "--yes", "--output", place / "key.gpg", "--dearmor", place / "key.asc"], env=key.env)
    verify = ["gpgv", "--keyring", place / "key.gpg", place / "text.sig", place / "text"]
    assert run(verify)
    (place / "text").write_text("another one\n")
    with pytest.raises(ProgramFailed):
        run(verify)


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory(lab={"lab": {"maintainer": "Zoë Łab <zoe@lab.example>"}})


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="q") as directory:
        yield Path(directory)


@pytest.mark.parametrize("state", ["s", "s" * 120])  # the path is too long for GnuPG's sockets
def test_key_is_created_once_and_signs(
    lab: Lab, tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(short / state))
    store = Store.of(lab)
    with (tmp_path / "log").open("w") as log, lab_key(lab, store, log) as key:
        assert_signs(key, tmp_path)
        assert agents(store.gnupg)
    with lab_key(lab, store) as again:
        assert again.fingerprint == key.fingerprint
        assert re.fullmatch("[0-9A-F]{40}", key.fingerprint)
        assert_signs(again, tmp_path)
        assert "Zoë Łab (testlab archive) <zoe@lab.example>" in output(["gpg", "--list-keys"], env=again.env)
    assert (tmp_path / "log").read_text().count("--gen-key") == 1
    assert store.gnupg.stat().st_mode & 0o777 == 0o700
    assert wait_for(lambda: not agents(store.gnupg))


def test_agent_ends_after_failure(lab: Lab) -> None:
    store = Store.of(lab)
    with pytest.raises(ProgramFailed), lab_key(lab, store) as key:
        run(["gpg", "--batch", "--local-user", key.fingerprint, "--sign", "/nowhere"], env=key.env)
    assert wait_for(lambda: not agents(store.gnupg))


@pytest.mark.integration
def test_key_is_shared_by_two_processes(lab: Lab, tmp_path: Path) -> None:
    with python(ASKER, tmp_path / "lab.yaml") as one, python(ASKER, tmp_path / "lab.yaml") as other:
        keys = {process.communicate(timeout=60)[0] for process in (one, other)}
    assert len(keys) == 1
    assert re.fullmatch("[0-9A-F]{40}\n", *keys)
    assert wait_for(lambda: not agents(Store.of(lab).gnupg))


@pytest.fixture
def team(own_home: Path) -> Iterator[SigningKey]:
    """Provide a key in a separate GnuPG home, with a running agent."""
    home = own_home / "team"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    for name in ("Team", "Other"):
        run(
            ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", f"{name} <x@lab.example>", "ed25519"],
            env=env,
        )
    keys = output(["gpg", "--with-colons", "--list-secret-keys", "Other"], env=env).splitlines()
    yield SigningKey(next(line.split(":")[9] for line in keys if line.startswith("fpr:")), home)
    run(["gpgconf", "--kill", "gpg-agent"], env=env)


def test_named_key_is_used_and_keeps_its_agent(
    lab_factory: Callable[..., Lab], team: SigningKey, tmp_path: Path
) -> None:
    lab = lab_factory(lab={"archive": {"signing_key": team.fingerprint, "gnupg_home": "~/team"}})
    running = agents(team.home)
    with lab_key(lab, Store.of(lab)) as key:
        assert key.fingerprint == team.fingerprint
        assert_signs(key, tmp_path)
    assert agents(team.home) == running != []
    assert not Store.of(lab).gnupg.exists()


@pytest.mark.parametrize("home", ["~/team", "~/nowhere"])
def test_missing_key_is_named(lab_factory: Callable[..., Lab], team: SigningKey, own_home: Path, home: str) -> None:
    wanted = "0123456789ABCDEF0123456789ABCDEF01234567"
    lab = lab_factory(lab={"archive": {"signing_key": wanted, "gnupg_home": home}})
    with pytest.raises(ConfigurationError) as caught, lab_key(lab, Store.of(lab)):
        pass
    place = home.replace("~", str(own_home))
    assert str(caught.value) == f"archive.signing_key: no secret key {wanted} in {place}"
    assert not (own_home / "nowhere").exists()


def test_no_key_is_made_while_gpg_cannot_list_keys(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: the key of the archive is there, and users know it."""
    gpg = tmp_path / "bin/gpg"
    gpg.parent.mkdir()
    gpg.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\necho gpg: no space >&2\nexit 2\n')
    gpg.chmod(0o755)
    monkeypatch.setenv("PATH", str(gpg.parent), prepend=":")
    told = pytest.raises(ProgramFailed, match="--with-colons ended with status 2: gpg: no space")
    with (tmp_path / "log").open("w") as log, told, lab_key(lab, Store.of(lab), log):
        pass
    assert "--gen-key" not in (tmp_path / "calls").read_text()
