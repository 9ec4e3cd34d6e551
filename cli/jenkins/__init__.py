"""``qalab jenkins``: jobs as code, from lab.yaml to a Jenkins."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup(
    "jenkins",
    {
        name: f"cli.jenkins.{name}"
        for name in (
            "generate",
            "plan",
            "apply",
            "prune",
            "drift",
            "adopt",
            "backup",
            "restore",
            "checkout",
            "trigger",
            "doctor",
            "casc",
            "plugins",
        )
    },
    help="Generate Jenkins jobs from lab.yaml, and keep a Jenkins in line with them.",
)
