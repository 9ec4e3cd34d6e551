"""The exercises there are: add a module and name it here.

An exercise has a ``NAME`` and an ``exercise(scene, cases)`` that tries one thing after the other and cleans up
behind itself, however it went.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from scripts.exercises import command, ec2, floating_ip, image_bundle, installed, instance, token, volume

EXERCISES: Mapping[str, ModuleType] = {
    module.NAME: module for module in (installed, command, token, image_bundle, instance, floating_ip, volume, ec2)
}
ALWAYS = ("installed", "command")
