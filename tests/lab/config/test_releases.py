"""Probable mistakes in lab.yaml: unknown releases with the nearest known one, unreplaced placeholders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.config import releases
from lab.config.description import Lab

HEADER = "version,codename,series,created,release,eol\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Releases as distro-info-data lists them."""
    place = tmp_path / "distro-info"
    place.mkdir()
    (place / "debian.csv").write_text(HEADER + "12,Bookworm,bookworm,2021-08-14\n13,Trixie,trixie,2023-06-10\n")
    (place / "ubuntu.csv").write_text(HEADER + "24.04 LTS,Noble Numbat,noble,2023-10-12\n")
    monkeypatch.setattr(releases, "DATA", place)
    return place


@pytest.mark.parametrize(
    "series, expected",
    [
        ({"bookworm": {}, "trixie": {}, "sid": {}, "experimental": {}}, []),
        ({"mine": {"codename": "trixie"}}, []),
        ({"bokworm": {}}, ["series.bokworm: distro-info-data knows no release bokworm of debian; did you mean bookworm?"]),
        ({"mine": {"codename": "trixi"}}, ["series.mine.codename: distro-info-data knows no release trixi of debian; did you mean trixie?"]),
        ({"noble": {}}, ["series.noble: distro-info-data knows no release noble of debian; it is one of ubuntu"]),
        ({"nobel": {"distribution": "ubuntu"}}, ["series.nobel: distro-info-data knows no release nobel of ubuntu; did you mean noble?"]),
        ({"noble": {"distribution": "ubuntu", "architectures": ["amd64", "arm64"], "mirror": "http://m.example"}}, []),
        ({"noble": {"distribution": "ubuntu", "architectures": ["amd64", "arm64"]}}, [
            "series.noble.mirror: several architectures need a mirror that has all of them; Ubuntu's own has amd64, and ports.ubuntu.com the others",
        ]),
        ({"zz2031": {}}, ["series.zz2031: distro-info-data knows no release zz2031 of debian"]),
    ],
)  # fmt: skip
def test_doubts_unknown_releases(lab_factory: Callable[..., Lab], series: dict[str, Any], expected: list[str]) -> None:
    assert list(releases.doubts(lab_factory(lab={"series": series}))) == expected


def test_doubts_without_distro_info(lab_factory: Callable[..., Lab], data: Path) -> None:
    (data / "debian.csv").unlink()
    assert list(releases.doubts(lab_factory(lab={"series": {"bokworm": {}}}))) == []


def test_doubts_component_in_no_track(lab_factory: Callable[..., Lab]) -> None:
    lost = {"upstream": {"git": "/srv/u"}, "packaging": {"git": "/srv/p"}}
    lab = lab_factory(track={"components": ["greet"]}, lab={"series": {"trixie": {}}, "components": {"lost": lost}})
    assert "components.lost: no track has it" in list(releases.doubts(lab))


@pytest.mark.parametrize("where", ["component", "defaults", "track"])
def test_doubts_of_unreplaced_placeholders(lab_factory: Callable[..., Lab], where: str) -> None:
    url = {"upstream": {"git": "https://git.example/{foo}/{component}.git"}}
    options: dict[str, Any] = {
        "component": {"component": url},
        "defaults": {"lab": {"defaults": url}},
        "track": {"track": {"defaults": url}},
    }[where]
    found = list(releases.doubts(lab_factory(**options)))
    key = {"component": "components.greet", "defaults": "defaults", "track": "tracks.trunk.defaults"}[where]
    assert found == [f"{key}.upstream.git: {{foo}} stays as it is: only {{component}} is replaced"]
