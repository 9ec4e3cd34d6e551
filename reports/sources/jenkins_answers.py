"""The answers of a Jenkins, validated: a server that is broken, or that somebody has taken over, is not trusted.

Fields that qalab does not use are ignored.  Parts that are no objects (Jenkins writes ``{}`` and null among actions) are
left out.  See the remote access API: ``api/json`` of jobs, builds and test reports.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lab.config.jenkins_failures import BadAnswer

LATEST_MS: Final = 253_402_300_799_000  # the end of the year 9999
LONGEST_MS: Final = 10 * 366 * 86_400_000
Number = Annotated[int, Field(strict=True, ge=1, le=2**31)]
Moment = Annotated[int, Field(strict=True, ge=0, le=LATEST_MS)]


def _objects(value: Any) -> Any:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else value


def _text(value: Any) -> Any:
    return "" if value is None else value


OptionalText = Annotated[str, BeforeValidator(_text)]
Agent = str | None
"""The name of a node; "" for the built-in one, None for a build that Jenkins does not assign to one node."""


class JenkinsAnswer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LastBuild(JenkinsAnswer):
    """The last completed build of a job."""

    number: Number
    timestamp: Moment


class ListedJob(JenkinsAnswer):
    """A job of a folder."""

    name: str
    description: OptionalText = ""
    last: LastBuild | None = Field(None, alias="lastCompletedBuild")
    newest: Any = Field(None, alias="lastBuild")
    """For `StartedBuild`: what is only shown does not decide about what is published."""


class StartedBuild(JenkinsAnswer):
    """The newest build of a job, which can run."""

    number: Number
    timestamp: Moment
    building: bool
    agent: Agent = Field(None, alias="builtOn")


class QueueTask(JenkinsAnswer):
    """What waits: a job; the name of anything else is empty."""

    name: OptionalText = ""
    url: OptionalText = ""


class QueueItem(JenkinsAnswer):
    """An item of the queue."""

    task: QueueTask = QueueTask()
    since: Moment = Field(alias="inQueueSince")
    why: OptionalText = ""
    stuck: bool = False


class QueueAnswer(JenkinsAnswer):
    """The queue."""

    items: tuple[QueueItem, ...]


class ListedBuild(JenkinsAnswer):
    """A build of a job; ``result`` is None while it runs."""

    number: Number
    timestamp: Moment
    building: bool
    result: str | None

    @property
    def is_over(self) -> bool:
        return self.result is not None and not self.building


class ListedBuilds(JenkinsAnswer):
    """A page of the builds of a job."""

    builds: tuple[ListedBuild, ...] = Field(alias="allBuilds")


class PublisherBuild(JenkinsAnswer):
    """A build of the job that publishes."""

    result: str | None
    agent: Agent = Field(None, alias="builtOn")


class PublisherBuilds(JenkinsAnswer):
    """The newest builds of the job that publishes, newest first."""

    builds: tuple[PublisherBuild, ...] = Field(alias="allBuilds")
    good: PublisherBuild | None = Field(None, alias="lastSuccessfulBuild")


class ListedJobs(JenkinsAnswer):
    """A page of the jobs of a folder; each is validated alone."""

    jobs: tuple[Any, ...]


class Parameter(JenkinsAnswer):
    """A parameter of a build; the value of a file or a password is missing."""

    name: str
    value: Any = None


class BuildCause(JenkinsAnswer):
    """Why a build was started."""

    text: OptionalText = Field("", alias="shortDescription")


class BuildAction(JenkinsAnswer):
    """The parameters or the causes of a build, or neither; ``url``: the path of a page of its own."""

    url: OptionalText = Field("", alias="urlName")
    parameters: Annotated[tuple[Parameter, ...], BeforeValidator(_objects)] = ()
    causes: Annotated[tuple[BuildCause, ...], BeforeValidator(_objects)] = ()


class ArtifactName(JenkinsAnswer):
    """An archived file of a build."""

    path: str = Field(alias="relativePath")


class ChangeAuthor(JenkinsAnswer):
    """The author of a change."""

    name: OptionalText = Field("", alias="fullName")


class Change(JenkinsAnswer):
    """A change that a build is the first to have."""

    commit: OptionalText = Field("", alias="commitId")
    subject: OptionalText = Field("", alias="msg")
    address: OptionalText = Field("", alias="authorEmail")
    author: ChangeAuthor | None = None


class ChangeSet(JenkinsAnswer):
    """The changes from one repository."""

    items: Annotated[tuple[Change, ...], BeforeValidator(_objects)] = ()


class BuildInfo(JenkinsAnswer):
    """A finished build."""

    timestamp: Moment
    duration: Annotated[int, Field(strict=True, ge=0, le=LONGEST_MS)]
    result: str
    agent: Agent = Field(None, alias="builtOn")
    artifacts: Annotated[tuple[ArtifactName, ...], BeforeValidator(_objects)]
    actions: Annotated[tuple[BuildAction, ...], BeforeValidator(_objects)]
    change_set: ChangeSet | None = Field(None, alias="changeSet")
    change_sets: Annotated[tuple[ChangeSet, ...], BeforeValidator(_objects)] = Field((), alias="changeSets")


class ReportedCase(JenkinsAnswer):
    """A test in a test report."""

    classname: OptionalText = Field("", alias="className")
    name: OptionalText = ""
    status: str
    duration: Annotated[float, Field(allow_inf_nan=False), BeforeValidator(lambda value: value or 0.0)] = 0.0
    details: OptionalText = Field("", alias="errorDetails")
    trace: OptionalText = Field("", alias="errorStackTrace")
    skipped: OptionalText = Field("", alias="skippedMessage")


class ReportedSuite(JenkinsAnswer):
    """A suite in a test report."""

    name: OptionalText = ""
    cases: tuple[ReportedCase, ...]


class TestReportAnswer(JenkinsAnswer):
    """The test report of a build."""

    suites: tuple[ReportedSuite, ...]


def agent_name(agent: Agent) -> str:
    """Return the name of a node, as Jenkins shows it; "" if it is not known."""
    return "built-in" if agent == "" else agent or ""


A = TypeVar("A", bound=JenkinsAnswer)


def answered(model: type[A], answer: Any, where: str) -> A:
    """Return an answer as a model.  Raises BadAnswer, with the first error as one line."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadAnswer(f"{where}: {place}: {first['msg']}" if place else f"{where}: {first['msg']}") from None
