"""The Jenkins double, for verbs that speak to a Jenkins."""

from __future__ import annotations

from tests.generator.conftest import jenkins, there

__all__ = ["jenkins", "there"]
