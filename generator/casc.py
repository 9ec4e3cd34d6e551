"""Jenkins Configuration as Code for a lab: what its jobs need of a controller and that no job describes.

The keys are those of the plugins' own documentation: configuration-as-code (nodes, credentials, jobs), ssh-slaves,
throttle-concurrents and job-dsl.  Values of one installation are variables, as JCasC expands them: ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from generator.plugins import needed_plugins
from lab.base.errors import ConfigurationError
from lab.config import agents, deployments
from lab.config.agents import Role
from lab.config.description import Lab
from lab.config.servers import LabJenkinsSettings

ROLES: Final[tuple[Role, ...]] = ("build", "deploy", "archive", "lab")
CREDENTIALS: Final = "qalab-agents"
EXECUTORS: Final = 2
HOME: Final = "/var/lib/jenkins"


def configuration(lab: Lab) -> dict[str, Any]:
    """Return the configuration.  Raises ConfigurationError for a lab without a Jenkins."""
    jenkins = lab.jenkins
    if jenkins is None:
        raise ConfigurationError(f"{lab.file}: jenkins: missing", hint="name the url of the Jenkins that runs the jobs")
    key = {
        "scope": "SYSTEM",
        "id": CREDENTIALS,
        "username": "jenkins",
        "privateKeySource": {"directEntry": {"privateKey": "${QALAB_AGENTS_KEY}"}},
    }
    found: dict[str, Any] = {
        "jenkins": {"nodes": [{"permanent": node} for node in _nodes(lab, jenkins)]},
        "credentials": {"system": {"domainCredentials": [{"credentials": [{"basicSSHUserPrivateKey": key}]}]}},
    }
    if needs_category(lab):
        found["unclassified"] = {"throttleJobProperty": {"categories": [_category(lab)]}}
    if jenkins.folder and not jenkins.create_folder:
        found["jobs"] = [{"script": "\n".join(f"folder('{path}')" for path in _paths(jenkins.folder))}]
    return found


def plugins(lab: Lab) -> tuple[str, ...]:
    """Return the plugins that the configuration needs, in addition to those of the jobs."""
    return ("configuration-as-code", "ssh-slaves", *(["job-dsl"] if "jobs" in configuration(lab) else []))


def _nodes(lab: Lab, jenkins: LabJenkinsSettings) -> Iterator[Mapping[str, Any]]:
    """Yield an agent for each label; more of them can be copied from it."""
    by_label: dict[str, list[Role]] = {}
    for role in ROLES:
        if role != "archive" or jenkins.archive_agent:
            by_label.setdefault(agents.label(jenkins, role), []).append(role)
    for label, roles in by_label.items():
        name = "-".join(roles)
        variable = re.sub(r"\W", "_", name).upper()
        yield {
            "name": f"{lab.lab.name}-{name}",
            "labelString": " ".join(re.findall(r"[^\s&|()!]+", label)),
            "mode": "EXCLUSIVE",
            "numExecutors": EXECUTORS,
            "remoteFS": HOME,
            "launcher": {
                "ssh": {
                    "host": f"${{{variable}_HOST}}",
                    "port": 22,
                    "credentialsId": CREDENTIALS,
                    "sshHostKeyVerificationStrategy": {
                        "manuallyProvidedKeyVerificationStrategy": {"key": f"${{{variable}_HOST_KEY}}"}
                    },
                }
            },
        }


def needs_category(lab: Lab) -> bool:
    """Return True if jobs of the lab are in its throttle category."""
    return "throttle-concurrents" in needed_plugins(lab)


def category_name(lab: Lab) -> str:
    """Return the name of the throttle category of deployments."""
    return "-".join((lab.lab.name, *(deployments.targets(lab) or ("target",))))


def _category(lab: Lab) -> Mapping[str, Any]:
    """Return the throttle category of deployments: one at a time on a machine, or on all where they share a target."""
    shared = not {*deployments.targets(lab)} <= {"nspawn", "qemu"}
    return {
        "categoryName": category_name(lab),
        "maxConcurrentTotal": int(shared),
        "maxConcurrentPerNode": 1,
        "nodeLabeledPairs": [],
    }


def _paths(folder: str) -> list[str]:
    """Return a folder with those above it, the outermost first."""
    parts = [part.replace("\\", "\\\\").replace("'", "\\'") for part in folder.split("/")]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]
