"""What a Jenkins holds: items in folders, views, builds, the queue."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lxml import etree

from tests.jenkins import rewriting
from tests.jenkins.rewriting import parse
from tests.jenkins.shapes import COMPUTED, FOLDER

# An item's root element: its class, and the class of its builds.
ITEMS: Mapping[str, tuple[str, str]] = {
    "project": ("hudson.model.FreeStyleProject", "hudson.model.FreeStyleBuild"),
    "matrix-project": ("hudson.matrix.MatrixProject", "hudson.matrix.MatrixBuild"),
    "maven2-moduleset": ("hudson.maven.MavenModuleSet", "hudson.maven.MavenModuleSetBuild"),
    "flow-definition": (
        "org.jenkinsci.plugins.workflow.job.WorkflowJob",
        "org.jenkinsci.plugins.workflow.job.WorkflowRun",
    ),
    "hudson.model.ExternalJob": ("hudson.model.ExternalJob", "hudson.model.ExternalRun"),
    "com.tikal.jenkins.plugins.multijob.MultiJobProject": (
        "com.tikal.jenkins.plugins.multijob.MultiJobProject",
        "com.tikal.jenkins.plugins.multijob.MultiJobBuild",
    ),
    **{kind: (kind, "") for kind in (FOLDER, *COMPUTED)},
}
PROJECTS = frozenset({"project", "matrix-project", "maven2-moduleset"})
VIEWS = frozenset({
    "au.com.centrumsystems.hudson.plugin.buildpipeline.BuildPipelineView",
    "hudson.model.AllView",
    "hudson.model.ListView",
    "hudson.model.MyView",
    "hudson.plugins.nested__view.NestedView",
    "hudson.plugins.sectioned__view.SectionedView",
    "hudson.plugins.view.dashboard.Dashboard",
    "org.jenkinsci.plugins.categorizedview.CategorizedJobsView",
    "se.diabol.jenkins.pipeline.DeliveryPipelineView",
})  # fmt: skip
LABELS = frozenset({"built-in"})
"""What agents there are."""


class Unreadable(ValueError):
    """XML of something that Jenkins has no class for, or of another class than it has there."""


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Parameter:
    """A build's parameter; a file's value is its content."""

    name: str
    value: str | bool | bytes

    @property
    def kind(self) -> str:
        return {str: "String", bool: "Boolean", bytes: "File"}[type(self.value)]


@dataclass(eq=False)
class Build:
    """A build of a job; ``log`` may hold Jenkins' hidden console notes.  Times are in milliseconds."""

    job: Item
    number: int
    parameters: tuple[Parameter, ...] = ()
    result: str | None = "SUCCESS"
    log: str = ""
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    test_report: str | bytes | None = None
    """JUnit XML."""
    description: str | None = None
    display_name: str | None = None
    duration: int = 0
    timestamp: int = field(default_factory=now)
    causes: tuple[str, ...] = ()
    """The users who started it."""
    queue_id: int = -1
    agent: str = ""
    """The node that ran it; "" is the built-in one."""

    @property
    def building(self) -> bool:
        return self.result is None

    @property
    def path(self) -> str:
        return f"{self.job.path}{self.number}/"


@dataclass(eq=False)
class View:
    """A view, of the root or of a folder."""

    name: str
    owner: Item
    xml: str

    @property
    def path(self) -> str:
        return f"{self.owner.path}view/{quote(self.name, safe='')}/"

    def jobs(self) -> list[Item]:
        """What a list view chooses: by its pattern, or by name."""
        root = parse(self.xml)
        pattern, recurse = root.findtext("includeRegex"), root.findtext("recurse") == "true"
        names = {element.text for element in root.iterfind("jobNames/string")}
        all_ = [item for item in self.owner.below() if recurse or item.parent is self.owner]
        start = len(self.owner.full_name) + 1 if self.owner.full_name else 0
        return [item for item in all_ if item.full_name[start:] in names
                or (pattern and re.fullmatch(pattern, item.full_name[start:]))]  # fmt: skip


@dataclass(eq=False)
class Item:
    """A job or a folder; the root of all is a folder without a name."""

    name: str
    parent: Item | None
    xml: str = ""
    children: dict[str, Item] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    builds: dict[int, Build] = field(default_factory=dict)
    next_number: int = 1
    _root: etree._Element | None = field(default=None, repr=False)
    _triggered: tuple[str, ...] | None = None

    @property
    def root(self) -> etree._Element:
        """The config.xml, parsed; not to be changed."""
        if self._root is None:
            self._root = parse(self.xml)
        return self._root

    @property
    def kind(self) -> str:
        return str(self.root.tag) if self.parent else FOLDER

    @property
    def full_name(self) -> str:
        return f"{self.parent.full_name}/{self.name}".lstrip("/") if self.parent else ""

    @property
    def path(self) -> str:
        return f"{self.parent.path}job/{quote(self.name, safe='')}/" if self.parent else ""

    @property
    def own_view(self) -> str:
        """The name of the view that Jenkins makes in a folder itself."""
        return "All" if self.parent else "all"

    @property
    def disabled(self) -> bool:
        return self.root.findtext("disabled") == "true"

    @property
    def label(self) -> str | None:
        return self.root.findtext("assignedNode")

    @property
    def triggered(self) -> tuple[str, ...]:
        """The names of the jobs that its publishers start."""
        if self._triggered is None:
            fields = [
                field for tag in ("projects", "childProjects") for field in self.root.iterfind(f"publishers//{tag}")
            ]
            self._triggered = tuple(name.strip() for field in fields for name in (field.text or "").split(","))
        return self._triggered

    def write(self, xml: str) -> None:
        self.xml, self._root, self._triggered = xml, None, None

    def sorted(self) -> list[Item]:
        """The children, as Jenkins lists them."""
        return sorted(self.children.values(), key=lambda item: item.name.lower())

    def below(self) -> Iterator[Item]:
        for item in self.sorted():
            yield item
            yield from item.below()

    def has(self, name: str) -> bool:
        """Whether a child has the name, in whatever case: Jenkins takes no two that differ in it alone."""
        return name.lower() in map(str.lower, self.children)

    def add(self, name: str, xml: str) -> Item:
        self.children[name] = Item(name, self, xml)
        return self.children[name]

    def rename(self, name: str) -> None:
        siblings = self.parent.children if self.parent else {}
        siblings[name] = siblings.pop(self.name)
        self.name = name

    def new_build(self, **fields: Any) -> Build:
        number = fields.pop("number", self.next_number)
        self.next_number = max(self.next_number, number + 1)
        self.builds[number] = Build(self, number, **fields)
        return self.builds[number]


@dataclass(eq=False)
class Queued:
    """A build that waits, or waited: then it has left as ``build``, or was cancelled."""

    id: int
    job: Item
    parameters: tuple[Parameter, ...]
    causes: list[str]
    since: int = field(default_factory=now)
    build: Build | None = None
    cancelled: bool = False
    starting: int = 0
    """It has left the queue, and its build appears after so many requests (seen on a real one for ten seconds)."""

    @property
    def waiting(self) -> bool:
        return self.build is None and not self.cancelled and not self.starting

    def is_like(self, job: Item, parameters: tuple[Parameter, ...]) -> bool:
        """Whether it is folded with such another; one with a file never is."""
        return self.waiting and self.job is job and self.parameters == parameters and not any(
            isinstance(parameter.value, bytes) for parameter in parameters
        )  # fmt: skip


@dataclass
class State:
    """All of it."""

    root: Item = field(default_factory=lambda: Item("", None))
    queue: dict[int, Queued] = field(default_factory=dict)
    throttle_categories: list[str] = field(default_factory=list)

    def item(self, full_name: str) -> Item:
        """Raises KeyError."""
        item = self.root
        for name in filter(None, full_name.split("/")):
            item = item.children[name]
        return item

    def view(self, full_name: str) -> View:
        """Raises KeyError."""
        folder, _, name = full_name.rpartition("/")
        return self.item(folder).views[name]

    def enqueue(self, job: Item, parameters: tuple[Parameter, ...], user: str) -> tuple[Queued, bool]:
        """The queue's item, and whether it is new."""
        for queued in self.queue.values():
            if queued.is_like(job, parameters):
                queued.causes.append(user)
                return queued, False
        queued = Queued(max(self.queue, default=0) + 1, job, parameters, [user])
        self.queue[queued.id] = queued
        return queued, True

    def start(self, queued: Queued, **fields: Any) -> Build:
        """Make a build of a queued one; ``fields``: what it does (see Build)."""
        queued.build = queued.job.new_build(
            parameters=queued.parameters, causes=tuple(queued.causes), queue_id=queued.id, **fields
        )
        return queued.build


def stored_item(xml: str, kind: str = "") -> str:
    """The config.xml that is stored of what was sent; ``kind``: what the item is already.

    Raises Malformed, and Unreadable for a class that is unknown, or is not what the item is.
    """
    tag = str(parse(xml).tag)
    if tag not in ITEMS or (kind and tag != kind):
        raise Unreadable(f"{tag} is no {kind or 'item'}")
    return rewriting.stored(xml)


def stored_view(xml: str, name: str, kind: str = "") -> str:
    """The same of a view, whose name is kept whatever the XML says (hudson.model.View.updateByXml)."""
    tag = str(parse(xml).tag)
    if tag not in VIEWS or (kind and tag != kind):
        raise Unreadable(f"{tag} is no {kind or 'view'}")
    return rewriting.view_stored(xml, name)
