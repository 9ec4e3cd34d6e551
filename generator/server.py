"""The operations on a Jenkins: each call is one or two requests through `lab.config.jenkins`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from generator import mark
from generator.canonical import digest
from generator.items import ItemKey
from lab.base.errors import ConfigurationError
from lab.config.access import Access
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import BadAnswer, JenkinsMissing, listed_only, reading

DEPTH = 4  # levels of folders in one request
MOST_FOLDERS = 100  # in each other
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
THROTTLE = "hudson.plugins.throttleconcurrents.ThrottleJobProperty"
ROOT = "hudson.model.Hudson"
ALL_VIEW = "hudson.model.AllView"
NO_NAME = re.compile("[\ufffd/\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
XML_TYPE = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass(frozen=True)
class ListedItem:
    """An entry of Jenkins' listing: a job or a view; ``kind`` is its Java class."""

    key: ItemKey
    kind: str
    description: str


@dataclass(frozen=True)
class Server:
    """A Jenkins, usable from many threads."""

    access: Access

    @cached_property
    def connection(self) -> Connection:
        return Connection(self.access)

    @property
    def url(self) -> str:
        return self.connection.url

    # Reading

    def listing(self) -> dict[ItemKey, ListedItem]:
        """Return all jobs, folders and views (except the view *all*), in as few requests as possible."""
        with reading(self.url):
            return dict(self._list("", ""))

    def plugins(self) -> dict[str, str]:
        """Return the versions of the active plugins by their short names."""
        found = self.connection.json("pluginManager/api/json?depth=1&tree=plugins[shortName,version,active]")
        with reading(self.url):
            return {plugin["shortName"]: plugin["version"] for plugin in found["plugins"] if plugin["active"]}

    def config(self, key: ItemKey) -> bytes:
        """Return an item's config.xml, byte for byte.  Raises Missing."""
        return self.connection.content(f"{path(key)}config.xml")

    def throttle_categories(self, key: ItemKey) -> list[str]:
        """Return the names of the throttle categories, as the form of a job offers them.  Raises Missing without the plugin."""
        where = f"{path(key)}descriptorByName/{THROTTLE}/fillCategoryItems"
        found = self.connection.json(where)
        with reading(f"{self.url}{where}"):
            return [str(one["value"]) for one in found["values"] if one["value"]]

    def is_there(self, key: ItemKey) -> bool:
        """Return True if an item exists, also one that is not listed."""
        try:
            self.config(key)
        except JenkinsMissing:
            return False
        return True

    def has(self, key: ItemKey, xml: bytes) -> bool:
        """Return True if an item has this content, including all of the mark."""
        try:
            there = self.config(key)
        except JenkinsMissing:
            return False
        return digest(there) == digest(xml) and str(mark.read(there)) == str(mark.read(xml))

    # Writing

    def create(self, key: ItemKey, xml: bytes) -> None:
        """Create an item.  Raises Refused if the name exists, or if Jenkins does not accept the XML."""
        call = "createItem" if key.kind == "job" else "createView"
        short = quote(key.name.rpartition("/")[2], safe="")
        self._write(f"{job_path(key.folder)}{call}?name={short}", xml, done=lambda: self.has(key, xml))

    def update(self, key: ItemKey, xml: bytes) -> None:
        """Change an item.  Raises Missing, and Refused if Jenkins does not accept the XML."""
        self._write(f"{path(key)}config.xml", xml, done=lambda: self.has(key, xml))

    def rename(self, key: ItemKey, name: str) -> None:
        """Rename a job in its folder; it keeps its builds.  Raises Missing, Refused."""
        new = ItemKey(key.kind, f"{key.folder}/{name}".lstrip("/"))
        self._write(f"{path(key)}doRename?newName={quote(name, safe='')}", None,
                    done=lambda: self.is_there(new) and not self.is_there(key))  # fmt: skip

    def delete(self, key: ItemKey) -> None:
        """Delete an item, a folder with all its content.  Raises Missing."""
        self._write(f"{path(key)}doDelete", None, done=lambda: not self.is_there(key))

    # How

    def _list(self, folder: str, prefix: str) -> Iterator[tuple[ItemKey, ListedItem]]:
        inner = "name,description"
        for _ in range(DEPTH):
            inner = f"name,description,jobs[{inner}],views[name,description]"
        try:
            found = self.connection.json(f"{job_path(folder)}api/json?tree={inner.removeprefix('name,description,')}")
        except JenkinsMissing:
            if not folder:
                hint = "is that a Jenkins? check the URL"
                raise ConfigurationError(f"{self.url}: nothing there", hint=hint) from None
            if self.connection.lists(folder):
                raise listed_only(self.url, f"folder {folder}", "content") from None
            return  # deleted meanwhile
        if not folder and found.get("_class", ROOT) != ROOT:
            hint = "configure the URL of the Jenkins itself; jenkins.folder names a folder"
            raise ConfigurationError(f"{self.url}: is a {found['_class']} in a Jenkins, not a Jenkins", hint=hint)
        if found.get("jobs") is None:  # taken for empty, its content would be created again, or deleted with the folder
            what = f"folder {folder}" if folder else "Jenkins"
            raise BadAnswer(f"{self.url}: is not what a Jenkins answers: no list of the content of the {what}")
        yield from self._entries(found, prefix, DEPTH)

    def _entries(self, node: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[ItemKey, ListedItem]]:
        for view in node.get("views") or ():
            name = _name(view["name"])
            if view.get("_class") != ALL_VIEW or not is_own_view(ItemKey("view", prefix + name)):
                key = ItemKey("view", prefix + name)
                yield key, ListedItem(key, view.get("_class", ""), _text(view.get("description") or ""))
        for job in node.get("jobs") or ():
            key, kind = ItemKey("job", prefix + _name(job["name"])), job.get("_class", "")
            yield key, ListedItem(key, kind, _text(job.get("description") or ""))
            # A multi-branch project or an organisation folder creates its content itself.
            if kind == FOLDER and depth > 1 and job.get("jobs") is not None:
                yield from self._entries(job, f"{key.name}/", depth - 1)
            elif kind == FOLDER:
                if key.name.count("/") > MOST_FOLDERS:
                    raise BadAnswer(f"{self.url}: has more than {MOST_FOLDERS} folders in each other")
                yield from self._list(key.name, f"{key.name}/")

    def _write(self, where: str, xml: bytes | None, *, done: Callable[[], bool]) -> None:
        headers = dict(XML_TYPE) if xml is not None else {}
        self.connection.write(where, done=done, data=xml, headers=headers)


def is_own_view(key: ItemKey) -> bool:
    """Return whether a view has the name of the one that Jenkins makes itself, at the top and in each folder."""
    return key.kind == "view" and key.name.rpartition("/")[2] == ("All" if key.folder else "all")


def _text(value: object) -> str:
    """Return a text of an answer.  Raises TypeError for something else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _name(value: object) -> str:
    """Return a name of an answer.  Raises ValueError for one that no item has, and that a terminal would obey."""
    name = _text(value)
    if name in {"", ".", ".."} or NO_NAME.search(name):
        raise ValueError(f"{name!r} is no name of a job or view")
    return name


def path(key: ItemKey) -> str:
    """Return the path of an item's URL, with its trailing slash."""
    return f"{job_path(key.folder)}{key.kind}/{quote(key.name.rpartition('/')[2], safe='')}/"
