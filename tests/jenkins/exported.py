"""What the API shows of a Jenkins' things: names, classes and order as recorded.

Of kinds of jobs that were not recorded in full (pipelines, matrices, external jobs) the fields that all jobs have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from lxml import etree

from tests.jenkins import junit, recordings
from tests.jenkins.folders import EVERYTHING, PRIMARY
from tests.jenkins.shapes import COMPUTED, FOLDER
from tests.jenkins.state import ITEMS, LABELS, PROJECTS, Build, Item, Parameter, Queued, State, View
from tests.jenkins.tree import Bean

COLORS: Mapping[str | None, str] = {
    "SUCCESS": "blue", "UNSTABLE": "yellow", "FAILURE": "red", "ABORTED": "aborted", "NOT_BUILT": "notbuilt",
}  # fmt: skip
# Which builds a permalink stands for.
PERMALINKS: Mapping[str, Callable[[Build], bool]] = {
    "lastBuild": lambda _: True,
    "lastCompletedBuild": lambda build: not build.building,
    "lastFailedBuild": lambda build: build.result == "FAILURE",
    "lastStableBuild": lambda build: build.result == "SUCCESS",
    "lastSuccessfulBuild": lambda build: build.result in {"SUCCESS", "UNSTABLE"},
    "lastUnstableBuild": lambda build: build.result == "UNSTABLE",
    "lastUnsuccessfulBuild": lambda build: build.result in {"UNSTABLE", "FAILURE", "ABORTED", "NOT_BUILT"},
}
USER_PROPERTIES = (
    "jenkins.security.ApiTokenProperty",
    "com.cloudbees.plugins.credentials.UserCredentialsProvider$UserCredentialsProperty",
    "hudson.tasks.Mailer$UserProperty",
    "hudson.plugins.emailext.watching.EmailExtWatchAction$UserProperty",
    "hudson.model.MyViewsProperty",
    "org.jenkinsci.plugins.displayurlapi.user.PreferredProviderUserProperty",
    "hudson.model.PaneStatusProperties",
    "jenkins.security.seed.UserSeedProperty",
    "hudson.search.UserSearchProperty",
    "hudson.model.TimeZoneProperty",
    "jenkins.model.experimentalflags.UserExperimentalFlagsProperty",
    "hudson.security.HudsonPrivateSecurityRealm$Details",
)
# What three of them say.
USER_FACTS: Mapping[str, Mapping[str, Any]] = {
    "hudson.tasks.Mailer$UserProperty": {"address": None},
    "hudson.plugins.emailext.watching.EmailExtWatchAction$UserProperty": {"triggers": []},
    "hudson.search.UserSearchProperty": {"insensitiveSearch": True},
}


def find_permalink(job: Item, name: str) -> Build | None:
    """The build that ``lastSuccessfulBuild`` and the like stand for."""
    fits = PERMALINKS[name]
    return next((job.builds[number] for number in sorted(job.builds, reverse=True) if fits(job.builds[number])), None)


def definitions(job: Item) -> Iterator[etree._Element]:
    """The job's parameter definitions."""
    for holder in job.root.iterfind("properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions"):
        yield from holder


def default_of(definition: etree._Element) -> str | bool | None:
    """A parameter's default, None when it has none (a file)."""
    match str(definition.tag).removeprefix("hudson.model."):
        case "ChoiceParameterDefinition":
            return next((element.text or "" for element in definition.iterfind("choices//string")), "")
        case "BooleanParameterDefinition":
            return definition.findtext("defaultValue") == "true"
        case "FileParameterDefinition":
            return None
    return definition.findtext("defaultValue") or ""


class Exporter:
    """Makes beans of the things of one Jenkins; ``url``: where it is."""

    def __init__(self, state: State, url: str) -> None:
        self.state = state
        self.url = url

    def root(self) -> Bean:
        views = [self.all_view(self.state.root), *map(self.view, self.state.root.views.values())]
        return Bean(
            "hudson.model.Hudson",
            {
                "assignedLabels": [Bean("", {"name": "built-in"})],
                "mode": "NORMAL",
                "nodeDescription": "the Jenkins controller's built-in node",
                "nodeName": "",
                "numExecutors": 2,
                "description": None,
                "jobs": lambda: [self.item(item) for item in self.state.root.sorted()],
                "overallLoad": {},
                "primaryView": views[0],
                "quietDownReason": None,
                "quietingDown": False,
                "slaveAgentPort": -1,
                "unlabeledLoad": Bean("jenkins.model.UnlabeledLoadStatistics", {}),
                "url": self.url,
                "useCrumbs": True,
                "useSecurity": True,
                "views": sorted(views, key=lambda view: view.fields["name"]),
            },
        )

    def user(self, name: str) -> Bean:
        facts: dict[str, Any] = {
            "absoluteUrl": f"{self.url}user/{quote(name)}",
            "description": None,
            "fullName": name,
            "id": name,
        }
        properties = [Bean(cls, USER_FACTS.get(cls, {})) for cls in USER_PROPERTIES]
        return Bean("hudson.model.User", {**facts, "property": properties})

    def plugins(self) -> Bean:
        every = [
            Bean("", {**plugin, "hasUpdate": False, "longName": plugin["shortName"]}, brief=())
            for plugin in recordings.plugins()
        ]
        return Bean("hudson.LocalPluginManager", {"plugins": every})

    def all_view(self, owner: Item) -> Bean:
        cls, name = EVERYTHING, owner.own_view
        description = owner.root.findtext(f"{PRIMARY}/description") if owner.parent else ""
        return self._view(cls, name, f"{self.url}{owner.path}", owner.sorted, description)

    def view(self, view: View) -> Bean:
        root = etree.fromstring(view.xml.encode())
        description = root.findtext("description")
        return self._view(str(root.tag), view.name, f"{self.url}{view.path}", view.jobs, description)

    def _view(self, cls: str, name: str, url: str, jobs: Callable[[], list[Item]], description: str | None) -> Bean:
        return Bean(
            cls,
            {
                "description": description or None,
                "jobs": lambda: [self.item(item) for item in jobs()],
                "name": name,
                "property": [],
                "url": url,
            },
            brief=("name", "url"),
        )

    def item(self, item: Item) -> Bean:
        cls, url = ITEMS[item.kind][0], f"{self.url}{item.path}"
        head: dict[str, Any] = {
            "actions": lambda: self._job_actions(item),
            "description": item.root.findtext("description"),
            "displayName": item.root.findtext("displayName") or item.name,
            "displayNameOrNull": item.root.findtext("displayName"),
            "fullDisplayName": item.full_name.replace("/", " » "),
            "fullName": item.full_name,
            "name": item.name,
            "url": url,
        }
        if item.kind in {FOLDER, *COMPUTED}:
            return Bean(cls, head | self._folder(item), brief=("name", "url"))
        last = {name: lambda name=name: self._maybe_build(find_permalink(item, name)) for name in PERMALINKS}
        builds = lambda: [self.build(item.builds[number]) for number in sorted(item.builds, reverse=True)]  # noqa: E731
        body: dict[str, Any] = {
            "buildable": item.kind != "hudson.model.ExternalJob" and not item.disabled,
            "builds": builds,
            "color": lambda: self.color(item),
            "firstBuild": lambda: self._maybe_build(item.builds[min(item.builds)] if item.builds else None),
            "healthReport": [],
            "inQueue": lambda: self._queued(item) is not None,
            "keepDependencies": item.root.findtext("keepDependencies") == "true",
            **last,
            "nextBuildNumber": item.next_number,
            "property": lambda: [self._property(element) for element in item.root.iterfind("properties/*")],
            "queueItem": lambda: self._queued(item),
        }
        project = self._project(item) if item.kind in PROJECTS else {}
        return Bean(cls, head | body | project, brief=("name", "url", "color"), hidden={"allBuilds": builds})

    def color(self, item: Item) -> str:
        last = find_permalink(item, "lastCompletedBuild")
        base = "disabled" if item.disabled else COLORS[last.result] if last else "notbuilt"
        return f"{base}_anime" if any(build.building for build in item.builds.values()) else base

    def _folder(self, item: Item) -> dict[str, Any]:
        views = [self.all_view(item), *map(self.view, item.views.values())]
        return {
            "healthReport": [],
            "jobs": lambda: [self.item(child) for child in item.sorted()],
            "primaryView": views[0],
            "views": views,
        }

    def _project(self, item: Item) -> dict[str, Any]:
        scm = item.root.find("scm")
        return {
            "concurrentBuild": item.root.findtext("concurrentBuild") == "true",
            "disabled": item.disabled,
            "downstreamProjects": lambda: [self.item(other) for other in self._downstream(item)],
            "labelExpression": item.label,
            "scm": Bean(str(scm.get("class")) if scm is not None else "hudson.scm.NullSCM", {}),
            "upstreamProjects": lambda: [
                self.item(other) for other in self.state.root.below() if item in self._downstream(other)
            ],
        }

    def _downstream(self, item: Item) -> list[Item]:
        siblings = (item.parent or self.state.root).children
        return [siblings[name] for name in item.triggered if name in siblings]

    def _job_actions(self, item: Item) -> list[Bean]:
        parameters = [Bean(str(element.tag), self._definitions(item, named=False))
                      for element in item.root.iterfind("properties/hudson.model.ParametersDefinitionProperty")]  # fmt: skip
        extra = ("org.jenkinsci.plugins.displayurlapi.actions.JobDisplayAction",
                 "com.cloudbees.plugins.credentials.ViewCredentialsAction")  # fmt: skip
        return [*parameters, *(Bean(cls, {}) for cls in extra)]

    def _property(self, element: etree._Element) -> Bean:
        is_parameters = element.tag == "hudson.model.ParametersDefinitionProperty"
        fields = self._definitions(element, named=True) if is_parameters else {}
        return Bean(str(element.tag), fields)

    def _definitions(self, holder: Item | etree._Element, *, named: bool) -> Mapping[str, Any]:
        elements = definitions(holder) if isinstance(holder, Item) else holder.iterfind("parameterDefinitions/*")
        return {"parameterDefinitions": [self._definition(element, named=named) for element in elements]}

    @staticmethod
    def _definition(element: etree._Element, *, named: bool) -> Bean:
        name, kind = element.findtext("name"), str(element.tag).removeprefix("hudson.model.")
        default = default_of(element)
        value = "Boolean" if isinstance(default, bool) else "String"
        shown = {"name": name, "value": default} if named else {"value": default}
        fields: dict[str, Any] = {
            "defaultParameterValue": None if default is None else Bean(f"hudson.model.{value}ParameterValue", shown),
            "description": element.findtext("description") or "",
            "name": name,
            "type": kind,
        }
        if kind == "ChoiceParameterDefinition":
            fields["choices"] = [choice.text or "" for choice in element.iterfind("choices//string")]
        return Bean(str(element.tag), fields)

    def _maybe_build(self, build: Build | None) -> Bean | None:
        return self.build(build) if build else None

    def build(self, build: Build) -> Bean:
        job = build.job
        name = build.display_name or f"#{build.number}"
        fields = {
            "actions": lambda: [*self._causes(build.parameters, build.causes), *self._build_actions(build)],
            "artifacts": [
                Bean("", {"displayPath": (base := path.rpartition("/")[2]), "fileName": base, "relativePath": path})
                for path in build.artifacts
            ],
            "building": build.building,
            "description": build.description,
            "displayName": name,
            "duration": build.duration,
            "estimatedDuration": build.duration,
            "executor": None,
            "fullDisplayName": f"{job.full_name.replace('/', ' » ')} {name}",
            "id": str(build.number),
            "inProgress": build.building,
            "keepLog": False,
            "number": build.number,
            "queueId": build.queue_id,
            "result": build.result,
            "timestamp": build.timestamp,
            "url": f"{self.url}{build.path}",
        }
        if job.kind in PROJECTS:
            changes = Bean("hudson.scm.EmptyChangeLogSet", {"items": [], "kind": None})
            fields |= {"builtOn": build.agent, "changeSet": changes, "culprits": []}
        return Bean(ITEMS[job.kind][1], fields, brief=("number", "url"))

    @staticmethod
    def _build_actions(build: Build) -> list[Bean]:
        display = Bean("org.jenkinsci.plugins.displayurlapi.actions.RunDisplayAction", {})
        if build.test_report is None:
            return [display]
        counts: dict[str, Any] = {**junit.counts(build.test_report), "urlName": "testReport"}
        return [Bean("hudson.tasks.junit.TestResultAction", counts), display]

    @staticmethod
    def _causes(parameters: tuple[Parameter, ...], users: tuple[str, ...]) -> list[Bean]:
        values = [
            Bean(
                f"hudson.model.{one.kind}ParameterValue",
                {"name": one.name} if one.kind == "File" else {"name": one.name, "value": one.value},
            )
            for one in parameters
        ]
        causes = [
            Bean(
                "hudson.model.Cause$UserIdCause",
                {"shortDescription": f"Started by user {user}", "userId": user, "userName": user},
            )
            for user in users
        ]
        first = [Bean("hudson.model.ParametersAction", {"parameters": values})] if values else []
        return [*first, *([Bean("hudson.model.CauseAction", {"causes": causes})] if causes else [])]

    def queue(self) -> Bean:
        waiting = [self.queue_item(queued) for queued in self.state.queue.values() if queued.waiting]
        return Bean("hudson.model.Queue", {"discoverableItems": [], "items": waiting})

    def _queued(self, item: Item) -> Bean | None:
        waiting = (queued for queued in self.state.queue.values() if queued.waiting and queued.job is item)
        return next(map(self.queue_item, waiting), None)

    def queue_item(self, queued: Queued) -> Bean:
        label = queued.job.label
        stuck = queued.waiting and label is not None and label not in LABELS
        why = f"‘Jenkins’ doesn’t have label ‘{label}’" if stuck else "Waiting for next available executor"
        said = ((one.name, one.name if one.kind == "File" else str(one.value)) for one in queued.parameters)
        fields = {
            "actions": self._causes(queued.parameters, tuple(queued.causes)),
            "blocked": False,
            "buildable": queued.waiting,
            "id": queued.id,
            "inQueueSince": queued.since,
            "params": "".join(
                f"\n{name}={value.lower() if value in {'True', 'False'} else value}" for name, value in said
            ),
            "stuck": stuck,
            "task": self.item(queued.job),
            "url": f"queue/item/{queued.id}/",
            "why": why if queued.waiting else None,
        }
        if queued.waiting:
            last = {"buildableStartMilliseconds": queued.since, "pending": False}
            return Bean("hudson.model.Queue$BuildableItem", fields | last)
        return Bean(
            "hudson.model.Queue$LeftItem",
            fields | {"cancelled": queued.cancelled, "executable": self._maybe_build(queued.build)},
        )
