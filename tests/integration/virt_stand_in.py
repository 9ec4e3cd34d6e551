"""qalab-virt-nspawn with an autopkgtest library of choice: LIBRARY.  Its testbed is this machine: never send reboot."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from lab.config.description import Series
from scripts.testing import virt_nspawn


class StandIn(virt_nspawn.Hooks):
    """Hooks that need no container; a revert removes the scratch directory."""

    scratch: str

    def hook_open(self) -> None:
        self.library.auxverb = ["env"]

    def hook_downtmp(self, path: str | None) -> str:
        self.scratch = super().hook_downtmp(path)
        return self.scratch

    def hook_revert(self) -> None:
        Path(self.scratch).rmdir()

    def hook_cleanup(self) -> None:
        sys.stderr.write("cleaned up\n")


if __name__ == "__main__":
    virt_nspawn.LIBRARY = Path(sys.argv.pop(1))  # type: ignore[misc]
    virt = virt_nspawn.library()
    with ExitStack() as held:
        virt.caller = StandIn(virt, "trixie", Series(), held)
        virt_nspawn.serve(virt)
