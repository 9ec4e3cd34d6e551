"""Where credentials come from, and that they show nowhere."""

from __future__ import annotations

from pathlib import Path

import keyring
import pytest
from keyring.credentials import SimpleCredential

from lab.base.errors import ConfigurationError
from lab.config import access
from lab.config.access import Access
from lab.config.servers import JenkinsSettings

URL = "https://jenkins.lab.example/"
INI = "[jenkins]\nurl=https://other.lab.example/\nuser=bot\npassword=s%%cret\ntimeout=7\n[public]\nurl=http://p/\n"


def ring(service: str, _user: str | None) -> SimpleCredential | None:
    """A keyring with one entry."""
    return SimpleCredential("bot", "from the ring") if service == "jenkins" else None


def of(credentials: str, base: Path = Path("/nowhere")) -> Access:
    return access.for_lab(JenkinsSettings(url=URL, credentials=credentials), base)


def test_credentials_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    anonymous = of("env")
    assert (anonymous.user, anonymous.password) == (None, None)
    assert "QALAB_JENKINS_USER is not set" in anonymous.source
    monkeypatch.setenv("QALAB_JENKINS_USER", "bot")
    with pytest.raises(ConfigurationError, match="only one of QALAB_JENKINS_USER and QALAB_JENKINS_TOKEN"):
        of("env")
    monkeypatch.setenv("QALAB_JENKINS_TOKEN", "t0ken")
    assert (of("env").url, of("env").user, of("env").password) == (URL, "bot", "t0ken")
    assert "t0ken" not in repr(of("env"))


def test_credentials_from_ini(tmp_path: Path) -> None:
    (tmp_path / "j.ini").write_text(INI)
    found = of("ini:j.ini", tmp_path)  # beside lab.yaml, whose URL counts
    assert (found.url, found.user, found.password, found.timeout) == (URL, "bot", "s%cret", 7.0)
    alone = access.of_ini(tmp_path / "j.ini")
    assert alone.url == "https://other.lab.example/"
    public = access.of_ini(tmp_path / "j.ini", "public")
    assert (public.url, public.user, public.timeout) == ("http://p/", None, access.TIMEOUT_SECONDS)


def test_credentials_from_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_credential", ring)
    assert (of("keyring:jenkins").user, of("keyring:jenkins").password) == ("bot", "from the ring")
    with pytest.raises(ConfigurationError, match="the keyring has nothing for other"):
        of("keyring:other")


def test_missing_keyring_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise keyring.errors.NoKeyringError("No recommended backend was available.")

    monkeypatch.setattr(keyring, "get_credential", fail)
    with pytest.raises(ConfigurationError, match="the keyring cannot be read: No recommended backend"):
        of("keyring:jenkins")


@pytest.mark.parametrize("credentials", ["ini", "keyring:", "env:X", "file:/etc/passwd", "ini:"])
def test_unknown_credentials_source_is_an_error(credentials: str) -> None:
    with pytest.raises(ConfigurationError, match="no such place"):
        of(credentials)


def test_lab_without_jenkins_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="jenkins: missing"):
        access.for_lab(None, tmp_path)
    with pytest.raises(ConfigurationError, match="there is no such file"):
        access.of_ini(tmp_path / "gone.ini")
    (tmp_path / "half.ini").write_text("[jenkins]\nurl=http://j/\nuser=bot\n")
    with pytest.raises(ConfigurationError, match="only one of user and password"):
        access.of_ini(tmp_path / "half.ini")


def test_ini_of_another_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "all.ini").write_text("[mail]\nuser=post\npassword=p0st\n[jenkins]\nurl=http://j/\n")
    found = access.login("ini:all.ini", tmp_path, "notifications.mail")
    assert (found.user, found.password, found.source) == ("post", "p0st", f"{tmp_path / 'all.ini'} [mail]")
    assert "p0st" not in repr(found)
    monkeypatch.setenv("QALAB_GERRIT_USER", "bot")
    monkeypatch.setenv("QALAB_GERRIT_PASSWORD", "s3cret")
    assert access.login("env", tmp_path, "reviews.gerrit").user == "bot"
    monkeypatch.setattr(keyring, "get_credential", ring)
    assert access.login("keyring:jenkins", tmp_path, "notifications.mail").password == "from the ring"
    said = r"notifications\.mail\.credentials: plain: no such place \(known: env \(QALAB_SMTP_USER and QALAB_SMTP_PASSWORD\)"
    with pytest.raises(ConfigurationError, match=said):
        access.login("plain", tmp_path, "notifications.mail")


def test_public_jenkins_has_separate_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALAB_JENKINS_USER", "private")
    monkeypatch.setenv("QALAB_JENKINS_TOKEN", "t0ken")
    public = access.for_lab(JenkinsSettings(url=URL), tmp_path, "public.jenkins")
    assert (public.user, public.source) == (None, "anonymous: QALAB_PUBLIC_JENKINS_USER is not set")


@pytest.mark.parametrize("text", ["user=x\n", "[jenkins]\ntimeout=soon\n", "[other]\nurl=http://j/\n"])
def test_unreadable_ini_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.ini").write_text(text)
    with pytest.raises(ConfigurationError, match=r"odd\.ini: ") as raised:
        access.of_ini(tmp_path / "odd.ini")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"password=s3cret\n", r"line 1: must be \[power\], and below it lines such as user = NAME"),
        (b"[power]\nuser=a\ns3cret\n", r"line 3: must be \[power\]"),
        (b"[power]\nuser=a\npassword=s3cret%off\n", r"\[power\] password: write %% for %"),
        (b"[power]\nuser=a\npassword=\xe9s3cret\n", "must be text in UTF-8"),
        (b"[power]\nuser=a\npassword=s3cret\ntimeout=s3cret\n", r"\[power\] timeout: must be a number"),
        (b"[mail]\nuser=a\npassword=s3cret\n", "No section: 'power'"),
    ],
    ids=["no section", "no name", "percent", "another encoding", "timeout", "another section"],
)
def test_damaged_ini_file_tells_no_password(tmp_path: Path, text: bytes, fault: str) -> None:
    (tmp_path / "power.ini").write_bytes(text)
    with pytest.raises(ConfigurationError, match=fault) as caught:
        access.login("ini:power.ini", tmp_path, "power")
    assert "s3cret" not in str(caught.value)


def test_missing_ini_file_is_described(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        access.login("ini:power.ini", tmp_path, "power")
    assert caught.value.hint == "a file with [power], user and password"
