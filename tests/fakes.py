"""Programs that stand in for those that make chroots and build in them: quick, and as odd as a test wants them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.step import describe
from scripts.chroots import sessions
from tests.conftest import Bench
from tests.sbuildlogs import log

DSC = "Format: 3.0 (native)\nSource: greet\nArchitecture: any\nVersion: 1.0\nBuild-Depends: debhelper-compat (= 13)\nFiles:\n {} greet_1.0.tar\n"
BUILDINFO = "Format: 1.0\nSource: greet\nInstalled-Build-Depends:\n make (= 4.3-4.1),\n bash (= 5.2.15-2+b7)\n"
# Those that only open namespaces: they call what comes behind their options.
PASS_ON = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
PROGRAMS = {
    "setpriv": PASS_ON,
    "unshare": PASS_ON,
    "mount": '#!/bin/sh\nfor place; do :; done\n[ ! -d "$place" ] || mkdir -p "$place/etc"\n',
    "chroot": '#!/bin/sh\necho >> "$0.calls"\ncat "$0.says"\nexit "$(cat "$0.status")"\n',
    "tar": "#!/bin/sh\ncat > /dev/null <&0\n",
    "schroot": "#!/bin/sh\n",
    "newuidmap": "#!/bin/sh\n",
    "zstd": "#!/bin/sh\n",
    # mmdebstrap --unshare-helper PROGRAM..., or the target behind the codename.
    "mmdebstrap": """\
#!/bin/sh
[ "$1" = --unshare-helper ] && { shift; exec "$@"; }
echo >> "$0.calls"
for word; do case $word in */chroot) mkdir "$word" ;; */chroot.tar.zst) : > "$word" ;; esac; done
cat "$0.says"
sleep "$(cat "$0.seconds")"
exit "$(cat "$0.status")"
""",
    "sbuild": """\
#!/bin/sh
echo >> "$0.calls"
number=$(wc -l < "$0.calls")
printf '%s\\n' "$@" > "$0.argv"
cp "$SBUILD_CONFIG" "$0.configuration"
for word; do case $word in --build-dir=*) directory=${word#*=} ;; esac; done
say="$0.$number"
[ -d "$say" ] || say="$0.always"
for file in "$say"/out/*; do [ -e "$file" ] && cp "$file" "$directory"; done
cat "$say/log"
sleep "$(cat "$say/seconds")"
exit "$(cat "$say/status")"
""",
}


@dataclass(frozen=True)
class Fakes:
    """A directory for PATH; beside each program is what it does and what it was called with."""

    bin: Path

    def write(self, name: str, text: object) -> None:
        (self.bin / name).write_text(str(text))

    def calls(self, program: str) -> list[str]:
        path = self.bin / f"{program}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def argv(self) -> list[str]:
        """The words of sbuild's last call."""
        return (self.bin / "sbuild.argv").read_text().splitlines()

    def sbuild(
        self,
        text: str,
        status: int = 0,
        *,
        call: int | str = "always",
        files: dict[str, str] | None = None,
        seconds: float = 0,
    ) -> None:
        """What sbuild says and leaves, in its n-th call or always."""
        say = self.bin / f"sbuild.{call}"
        shutil.rmtree(say, ignore_errors=True)
        (say / "out").mkdir(parents=True)
        for name, content in {"log": text, "status": status, "seconds": seconds}.items():
            (say / name).write_text(str(content))
        for name, content in (files or {}).items():
            (say / "out" / name).write_text(content)


def built(version: str = "1.0", architecture: str = "amd64") -> dict[str, str]:
    """Return the files that a build leaves: the native one makes the package for all architectures."""
    package = "all" if architecture == "amd64" else architecture
    files = {f"greet_{version}_{package}.deb": "a package\n", f"greet_{version}_{architecture}.buildinfo": BUILDINFO}
    digests = "".join(
        f" {hashlib.sha256(text.encode()).hexdigest()} {len(text)} {name}\n" for name, text in files.items()
    )
    return files | {
        f"greet_{version}_{architecture}.changes": f"Source: greet\nVersion: {version}\nChecksums-Sha256:\n{digests}"
    }


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Put the fakes before all else on PATH; a build that goes well is what they do."""
    fakes = Fakes(tmp_path / "bin")
    for directory in ("bin", "schroot", "scratch"):
        (tmp_path / directory).mkdir()
    for name, text in PROGRAMS.items():
        fakes.write(name, text)
        (fakes.bin / name).chmod(0o755)
    for name, text in {
        "chroot.status": 0,
        "chroot.says": "",
        "mmdebstrap.status": 0,
        "mmdebstrap.seconds": 0,
        "mmdebstrap.says": "",
    }.items():
        fakes.write(name, text)
    fakes.sbuild(log(build="dh build\n", status="successful"), files=built())
    monkeypatch.setenv("PATH", f"{fakes.bin}:/usr/bin:/bin")
    monkeypatch.setattr(sessions, "SCHROOT_CONFIGURATION", tmp_path / "schroot")
    monkeypatch.setattr(sessions, "SCRATCH", tmp_path / "scratch")
    return fakes


def ready_to_build(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], build: Mapping[str, Any], **lab: Any
) -> Bench:
    """A run that has a source package, in a lab whose mirror nobody answers for."""
    series = {"bookworm": {"mirror": "http://127.0.0.1:9/debian"}}
    place = bench(lab_factory(component={"build": build}, lab={"series": series, **lab}))
    (place.run.out / "greet_1.0.tar").write_text("a tarball\n")
    (place.run.out / "greet_1.0.dsc").write_text(DSC.format("0" * 32 + " 10"))
    sources = tuple(describe(place.run, path, "source") for path in sorted(place.run.out.iterdir()))
    place.pretend("source", version="1.0", artifacts=sources)
    return place
