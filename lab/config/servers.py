"""The settings of the servers of a lab: its own Jenkins, and the public Jenkins and site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from lab.config.components import Branch
from lab.config.types import MOST, CommandLine, Folder, Label, PlainPath, SettingsModel, Text, WebURL


class JenkinsSettings(SettingsModel):
    """A Jenkins. Its credentials are never in lab.yaml, only their source."""

    url: Text = Field(description="The URL of Jenkins.", examples=["https://jenkins.example.org/"])
    folder: Folder | None = Field(
        None, description="The folder for all jobs and views. Default: the top level.", examples=["qa/lab"]
    )
    create_folder: bool = Field(
        True,
        description="Whether the jobs include the folder itself. Set `false` if an administrator makes the folder, with "
        "permissions and credentials in it: stock Jenkins Job Builder would delete those.",
    )
    credentials: Text = Field(
        "env",
        description="The source of the credentials: `env` (QALAB_JENKINS_USER, QALAB_JENKINS_TOKEN), `ini:PATH` of a "
        "jenkins_jobs.ini, or `keyring:SERVICE`.",
        examples=["ini:/etc/jenkins_jobs/jenkins_jobs.ini"],
    )
    writes_per_second: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="The most requests per second that change something on this Jenkins. Default: no limit; qalab slows "
        "down by itself while Jenkins answers slowly, or asks to wait.",
        examples=[2],
    )

    @property
    def inside(self) -> str:
        """What the full names of jobs in the folder begin with."""
        return f"{self.folder}/" if self.folder else ""


class LabJenkinsSettings(JenkinsSettings):
    """The lab's own Jenkins, and its agents and jobs; see [Jenkins](../how-to/jenkins.md)."""

    agent: Text = Field("qalab", description="The label of the agents that build, deploy and exercise.")
    lab_agent: Text | None = Field(
        None,
        description="The label of the agent for the lab's own jobs, which can change Jenkins. Default: the label of "
        "`agent`.",
    )
    build_agent: Text | None = Field(
        None, description="The label of the agents that build. Default: the label of `agent`.", examples=["build"]
    )
    deploy_agent: Text | None = Field(
        None,
        description="The label of the agents that deploy and exercise. Default: the label of `agent`.",
        examples=["deploy"],
    )
    archive_agent: Text | None = Field(
        None,
        description="The label of the one agent that has the lab's archive, its keys, and the login for uploads. Builds "
        "hand their packages over to a job there, and all agents read the archive by `archive.url`; see "
        "[several agents](../how-to/agents.md). Default: builds and the archive are on the same agent.",
        examples=["archive"],
    )
    architecture_agents: Mapping[Label, Text] = Field(
        {},
        description="By architecture of a series: a label that the agents of its builds and deployments have in addition.",
        examples=[{"arm64": "arm64"}],
    )
    command: CommandLine = Field(
        "qalab", description="The command with which jobs call qalab: a program on the agents' PATH, or a path."
    )
    repository: Branch | None = Field(
        None,
        description="The lab's own repository, with lab.yaml at its top. Each build checks it out, and Jenkins applies "
        "its changes. Default: jobs read lab.yaml in `home`, and Jenkins does not apply changes by itself.",
    )
    home: PlainPath = Field(
        "/srv/qalab",
        description="Without `repository`: the directory on the agents that contains lab.yaml and jobs/.",
    )
    keep_builds: int = Field(100, ge=1, le=MOST, description="The number of builds of a job that Jenkins keeps.")
    keep_artifact_days: int = Field(
        30,
        ge=1,
        le=MOST,
        description="The days after which Jenkins deletes the artifacts of a build (`run.json` and `results/`). The "
        "build itself remains as long as `keep_builds` allows.",
    )


class PublicJenkinsSettings(JenkinsSettings):
    """The public Jenkins, which shows a mirrored build for each build, and its receiver jobs."""

    credentials: Text = Field(
        "env",
        description="The source of the credentials: `env` (QALAB_PUBLIC_JENKINS_USER, QALAB_PUBLIC_JENKINS_TOKEN), "
        "`ini:PATH` of a jenkins_jobs.ini, or `keyring:SERVICE`.",
    )
    folder: Folder | None = Field(None, description="The folder of the receiver jobs. Default: the top level.")
    agent: Text = Field(
        "built-in", description="The label of the agents that run the receiver jobs. They need only python3."
    )
    keep_builds: int = Field(
        1000, ge=1, le=MOST, description="The number of builds of a job that the public Jenkins keeps."
    )
    receiver: Literal["freestyle", "external"] = Field(
        "freestyle",
        description="The kind of the receiver jobs. `freestyle`: jobs that verify and unpack a build, with tests and "
        "files; `external`: jobs of the plugin external-monitor-job, which shows result, log and duration.",
    )


class Public(SettingsModel):
    """The public site and the public Jenkins of the lab."""

    site_url: WebURL | None = Field(
        None,
        description="The URL of the published [site](../how-to/site.md), for links in mails and other outputs. Default: no links.",
        examples=["https://qa.example.org/"],
    )
    jenkins: PublicJenkinsSettings | None = Field(
        None,
        description="A Jenkins that shows a mirrored build for each build; see [publishing](../how-to/publishing.md). "
        "Default: none.",
    )
