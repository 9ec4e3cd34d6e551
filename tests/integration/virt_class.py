"""autopkgtest's own test class for virtualisation servers, with qalab-virt-nspawn: SOURCE SERVER [NAME ...].

SOURCE is the directory of autopkgtest's source package, SERVER a program.  NAME selects tests by a part of their names.
"""

from __future__ import annotations

import sys
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path


def suite(source: Path, server: str, names: list[str]) -> unittest.TestSuite:
    """Return the tests of a system container that can reboot, as those of lxc are."""
    spec = spec_from_loader("theirs", SourceFileLoader("theirs", str(source / "tests/autopkgtest")))
    assert spec
    assert spec.loader
    theirs = module_from_spec(spec)
    sys.modules["theirs"] = theirs
    spec.loader.exec_module(theirs)
    runner = type(
        "NspawnRunner",
        (theirs.AdtTestCase, theirs.DebTestsCanReboot, theirs.DebTestsVirtSystemContainer),
        {"__init__": lambda self, name: theirs.AdtTestCase.__init__(self, [server, "bookworm"], name)},
    )
    found = unittest.TestLoader().getTestCaseNames(runner)
    return unittest.TestSuite(runner(name) for name in found if not names or any(part in name for part in names))


if __name__ == "__main__":
    tests = suite(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    done = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    sys.exit(not done.wasSuccessful())
