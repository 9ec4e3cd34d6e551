"""The settings of the servers of a lab: its own Jenkins, and the public Jenkins and site."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.config.components import Branch
from lab.config.types import Folder, PlainPath, SettingsModel, Text, WebURL


class JenkinsSettings(SettingsModel):
    """A Jenkins; its credentials are named here and never given."""

    url: Text
    folder: Folder | None = Field(None, description="The folder that everything lies in; default: the top.")
    credentials: Text = Field("env", description="env (QALAB_JENKINS_USER, _TOKEN), ini:PATH, or keyring:SERVICE.")


class LabJenkinsSettings(JenkinsSettings):
    """The lab's own Jenkins, and how its jobs run there (see docs/how-to/jenkins.md)."""

    agent: Text = Field("qalab", description="Label of the agents that run builds, deployments and exercises.")
    lab_agent: Text | None = Field(
        None, description="Label of the agent for the lab's own jobs, who may change Jenkins; default: agent."
    )
    home: PlainPath = Field("/srv/qalab", description="Where agents keep a checkout of the lab's own repository.")
    repository: Branch | None = Field(
        None,
        description="The lab's own repository; its changes are applied to Jenkins. Default: not by Jenkins itself.",
    )
    keep_builds: int = Field(100, ge=1, description="How many builds of each job Jenkins keeps.")
    keep_artifact_days: int = Field(
        30,
        ge=1,
        description="Days after which Jenkins deletes the artifacts of a build (run.json and results/). The build "
        "itself stays as long as keep_builds says.",
    )


class PublicJenkinsSettings(JenkinsSettings):
    """The Jenkins that the public sees, and the jobs there that take builds in (see docs/how-to/publishing.md)."""

    credentials: Text = Field(
        "env", description="env (QALAB_PUBLIC_JENKINS_USER, _TOKEN), ini:PATH, or keyring:SERVICE."
    )
    agent: Text = Field("built-in", description="Label of the agents that take builds in; they need python3 alone.")
    keep_builds: int = Field(1000, ge=1, description="Builds that it remembers of each job.")
    receiver: Literal["freestyle", "external"] = Field(
        "freestyle",
        description="freestyle: jobs that check and unpack what they are sent, with tests and files; "
        "external: the plugin external-monitor-job, which shows result, log and duration.",
    )


class Public(SettingsModel):
    """What the public sees."""

    site_url: WebURL | None = Field(None, description="Where the site is published; links lead there.")
    jenkins: PublicJenkinsSettings | None = None
