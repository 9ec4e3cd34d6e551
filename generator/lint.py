"""Checks of jobs without a server: names, references to missing jobs, schedules, secrets.

The checks read each config.xml, regardless of the tool that wrote it.  An *error* is what Jenkins refuses, what never
runs, or a secret that everybody can read; a *warning* is what works on some servers only, a secret in a comment, or a
password that is the name of its user, which everybody can guess.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from generator import cron, secrets
from generator.canonical import parse, tag_of
from generator.items import Item, ItemKey
from lab.base.errors import InfrastructureError

REFUSED = "?*/\\%!@#$^&|<>[]:;"  # jenkins.model.Jenkins.checkGoodName()
# Fields that name other jobs, by the beginning of their class.
REFERENCES = (
    ("hudson.tasks.BuildTrigger", "childProjects"),
    ("jenkins.triggers.ReverseBuildTrigger", "upstreamProjects"),
    ("hudson.plugins.parameterizedtrigger.", "projects"),
    ("hudson.plugins.copyartifact.CopyArtifact", "project"),
    ("hudson.plugins.promoted_builds.conditions.DownstreamPassCondition", "jobs"),
    ("au.com.centrumsystems.hudson.plugin.buildpipeline.trigger.BuildPipelineTrigger", "downstreamProjectNames"),
    ("com.sonyericsson.hudson.plugins.gerrit.trigger.hudsontrigger.GerritTrigger", "dependencyJobsNames"),
    ("com.tikal.jenkins.plugins.multijob.PhaseJobsConfig", "jobName"),
    ("join.JoinTrigger", "joinProjects"),
)
Severity = Literal["error", "warning"]
ONE_ALONE = frozenset({"project", "jobName"})  # the other fields take a list, separated by commas


@dataclass(frozen=True, order=True)
class Complaint:
    """A problem: its item, its place in the item, and the correction."""

    item: str
    where: str
    what: str
    hint: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.item}: {self.where}" if self.where else self.item
        return f"{place}: {self.what} ({self.hint})"


def lint(items: Sequence[Item]) -> list[Complaint]:
    """Return all problems, sorted by item."""
    known = frozenset(item.key.name for item in items if item.key.kind == "job")
    found = {*_alike(items)}
    for item in items:
        found |= {*_name(item), *_inside(item, known)}
    return sorted(found)


def refused_name(key: ItemKey) -> str:
    """Return why Jenkins refuses the name of an item, "" for a name that it takes."""
    problems = ((part, _bad(part)) for part in key.name.split("/"))
    return next((f"Jenkins refuses the name {part!r}: {problem}" for part, problem in problems if problem), "")


def _name(item: Item) -> Iterator[Complaint]:
    if refused := refused_name(item.key):
        hint = f"a name has no {' '.join(REFUSED)}, does not end with a dot, and is not empty"
        yield Complaint(str(item.key), "", refused, hint)


def _bad(part: str) -> str:
    if part != part.strip():
        return "blanks around it"
    if not part:
        return "it is empty"
    if part.endswith("."):
        return "it ends with a dot"
    refused = [character for character in part if character in REFUSED or not character.isprintable()]
    return f"it has {refused[0]!r}" if refused else ""


def _alike(items: Sequence[Item]) -> Iterator[Complaint]:
    """Yield items that Jenkins would store in the same directory: of the same name, or of names that differ by case."""
    count = Counter(item.key for item in items)
    first: dict[tuple[str, str], str] = {}
    for item in items:
        kind, name = item.key.kind, item.key.name
        if count[item.key] > 1:
            yield Complaint(str(item.key), "", f"is there {count[item.key]} times", "give each a name of its own")
        other = first.setdefault((kind, name.casefold()), name)
        if other != name and kind == "job":  # a view is no directory
            hint = "Jenkins on Windows and macOS cannot distinguish them"
            yield Complaint(str(item.key), "", f"differs from {other} by case alone", hint, "warning")


def _inside(item: Item, known: frozenset[str]) -> Iterator[Complaint]:
    try:
        root = parse(item.xml)
    except InfrastructureError as error:
        yield Complaint(str(item.key), "", str(error), "well-formed XML")
        return
    tree = etree.ElementTree(root)
    for element in root.iter(etree.Element):
        where = tree.getelementpath(element)
        for what, hint in (*_references(item, element, known), *_schedule(element)):
            yield Complaint(str(item.key), where, what, hint)
        for what, hint in secrets.of_element(element):
            is_harmless = what.startswith(secrets.COMMENT) or what.endswith(secrets.DEFAULT)
            severity: Severity = "warning" if is_harmless else "error"
            yield Complaint(str(item.key), where, what, hint, severity)


def _references(item: Item, element: etree._Element, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    parent = element.getparent()
    if parent is None or not element.text:
        return
    owner = tag_of(parent).replace("__", "_")
    if any(owner.startswith(start) and element.tag == field for start, field in REFERENCES):
        names = [element.text] if element.tag in ONE_ALONE else element.text.split(",")
        for name in map(str.strip, names):
            if name and not _is_known(name, item.key.folder, known):
                yield f"there is no job {name}", "name a job that is described here, relative to the folder or from /"


def _is_known(name: str, folder: str, known: frozenset[str]) -> bool:
    """Return True if Jenkins would find a job by its name, as hudson.model.Jenkins.getItem() does.

    A name with a variable counts as known, because only a run resolves it.  ``JOB/AXIS=VALUE`` is a part of a matrix
    job.  Empty parts of a path count for nothing.
    """
    if "$" in name:
        return True
    plain = re.sub(r"/[^/=]+=[^/]*$", "", re.sub("/+", "/", name).rstrip("/"))
    if plain.startswith("/"):
        return plain.strip("/") in known
    return posixpath.normpath(f"{folder}/{plain}").strip("/") in known or plain in known


def _schedule(element: etree._Element) -> Iterator[tuple[str, str]]:
    parent = element.getparent()
    if element.tag == "spec" and element.text and parent is not None and tag_of(parent).endswith("Trigger"):
        problem = cron.complaint(element.text)
        if problem:
            yield f"Jenkins would refuse the schedule {problem}", "for example H/15 * * * *"
