"""The steps there are: add a module, name it here and in `lab.description.PHASES`."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from scripts import (
    archive,
    changelog,
    configure,
    deploy,
    exercise,
    lintian,
    packaging,
    push,
    reset,
    sbuild,
    snapshot,
    source,
    tempest,
    upload,
)

STEPS: Mapping[str, ModuleType] = {
    module.NAME: module
    for module in (
        *(snapshot, packaging, changelog, source, sbuild, lintian, archive, upload, push),
        *(deploy, configure),
        *(exercise, tempest, reset),
    )
}
