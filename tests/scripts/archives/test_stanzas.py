"""The stanzas of packages that somebody else has made: they name the package that was verified, and its file in the pool."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from debian.deb822 import Deb822, Dsc

from lab.base import files
from lab.base.errors import Failed, InfrastructureError
from scripts.archives import stanzas, versions

PLACE = "pool/main/g/greet/greet_1.0-1_all.deb"
CONTROL = """\
Package: greet
Source: greet
Version: 1.0-1
Architecture: all
Maintainer: A <a@lab.example>
Section: misc
Priority: optional
Description: greet
 It greets.
 .
 It does no more.
"""
OTHER = CONTROL.replace(": greet\n", ": openssl\n").replace("1.0-1", "99")


def package(directory: Path, control: str) -> Path:
    """Make a package with this control file, which dpkg-deb would refuse to build."""
    (directory / "debian-binary").write_text("2.0\n")
    for name, inner in (("control", {"./control": control.encode()}), ("data", {})):
        with tarfile.open(directory / f"{name}.tar.gz", "w:gz") as tar:
            for path, data in inner.items():
                member = tarfile.TarInfo(path)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    target = directory / "greet_1.0-1_all.deb"
    subprocess.run(
        ["ar", "rc", target.name, "debian-binary", "control.tar.gz", "data.tar.gz"], cwd=directory, check=True
    )
    return target


@pytest.mark.parametrize("field", ["Filename", "filename", "SHA256", "Size", "MD5sum", "SHA1", "SHA512"])
def test_fields_of_an_index_are_not_taken_from_a_package(tmp_path: Path, field: str) -> None:
    """Filename led out of the archive, where add_files would have written, and gc deleted."""
    path = package(tmp_path, CONTROL.replace("Section:", f"{field}: ../../../../victim\n continued\nSection:"))
    made = stanzas.of_binary(path, PLACE)
    assert "victim" not in made.text
    assert (made.package, made.source, made.version, made.path) == ("greet", "greet", "1.0-1", PLACE)
    assert Deb822(made.text)["SHA256"] == files.sha256(path)
    assert made.text.startswith(CONTROL)


def test_names_of_fields_have_any_case(tmp_path: Path) -> None:
    made = stanzas.of_binary(
        package(tmp_path, CONTROL.replace("Package:", "package:").replace("Source", "SOURCE")), PLACE
    )
    assert (made.package, made.source, made.text.splitlines()[0]) == ("greet", "greet", "Package: greet")


@pytest.mark.parametrize(
    "control",
    [
        f"{CONTROL}\n{OTHER}",
        f"{CONTROL} \n{OTHER}",
        f"{CONTROL}\t\n{OTHER}",
        f"{CONTROL}Package: openssl\n",
        f"PACKAGE: openssl\n{CONTROL}",
        f"{CONTROL}version: 99\n",
        f"{CONTROL}nonsense\n",
        f"{CONTROL}#Package: openssl\n",
        f"{CONTROL}X: a\rPackage: openssl\n",
        f"{CONTROL}X: a\x0cPackage: openssl\n",
        f"{CONTROL}X: a\u2028Package: openssl\n",
    ],
)
def test_control_file_that_others_read_in_another_way_is_refused(tmp_path: Path, control: str) -> None:
    """Whoever verifies reads one package, and apt would read another one in the index."""
    with pytest.raises(Failed, match=r"greet_1\.0-1_all\.deb: its control file"):
        stanzas.of_binary(package(tmp_path, control), PLACE)


def dsc(path: Path, more: str = "", name: str = "greet_1.0.orig.tar.xz") -> Path:
    rows = {field: f"\n {'0' * length} 7 {name}" for field, length in (("Files", 32), ("Checksums-Sha256", 64))}
    text = f"Format: 3.0 (quilt)\nSource: greet\nVersion: 1.0-1\n{more}"
    path.write_text(text + "".join(f"{field}:{value}\n" for field, value in rows.items()))
    return path


@pytest.mark.parametrize("field", ["Package", "package", "Directory", "Priority", "Section"])
def test_fields_of_an_index_are_not_taken_from_a_source_package(tmp_path: Path, field: str) -> None:
    path = dsc(tmp_path / "greet_1.0-1.dsc", f"{field}: openssl\n")
    made = stanzas.of_source(path, "pool/main/g/greet", "misc", "optional")
    assert (made.package, made.source, made.path) == ("greet", "greet", "pool/main/g/greet")
    assert "openssl" not in made.text
    assert Dsc(made.text)["Priority"] == "optional"


@pytest.mark.parametrize(
    "name",
    [
        "../../../../victim",
        "/etc/victim",
        "x/../../../../../victim",
        "..",
        ".",
        "a/../victim",
        "a/victim",
        "vic tim",
        "-victim",
        ".victim",
    ],
)
def test_no_file_is_written_outside_of_the_pool(tmp_path: Path, name: str) -> None:
    root, victim = tmp_path / "state/archive", tmp_path / "victim"
    victim.write_text("mine\n")
    root.mkdir(parents=True)
    place = f"pool/main/g/greet/{name}"
    there = {Path(name).name: tmp_path / "payload"}
    (tmp_path / "payload").write_text("payload\n")
    with pytest.raises(InfrastructureError, match="is no place in the pool"):
        versions.add_files(root, there, {place: files.sha256(tmp_path / "payload")}, "greet")
    assert victim.read_text() == "mine\n"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["payload", "victim"]
