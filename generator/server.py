"""What the lab does at a Jenkins: each call is a request or two through `lab.config.jenkins`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from generator import mark
from generator.canonical import digest
from generator.items import ItemKey
from lab.config.access import Access
from lab.config.jenkins import Connection, JenkinsMissing, job_path

DEPTH = 4  # levels of folders in one request
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
ALL_VIEW = "hudson.model.AllView"
XML_TYPE = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass(frozen=True)
class ListedItem:
    """What Jenkins' listing says of a job or a view; ``kind`` is its Java class."""

    key: ItemKey
    kind: str
    description: str


@dataclass(frozen=True)
class Server:
    """A Jenkins, for many threads."""

    access: Access

    @cached_property
    def connection(self) -> Connection:
        return Connection(self.access)

    @property
    def url(self) -> str:
        return self.connection.url

    # Reading

    def listing(self) -> dict[ItemKey, ListedItem]:
        """All jobs, folders and views (but those that show everything), in as few requests as can be."""
        return dict(self._list("", ""))

    def plugins(self) -> dict[str, str]:
        """The versions of the active plugins by their short names."""
        found = self.connection.json("pluginManager/api/json?depth=1&tree=plugins[shortName,version,active]")
        return {plugin["shortName"]: plugin["version"] for plugin in found["plugins"] if plugin["active"]}

    def config(self, key: ItemKey) -> bytes:
        """An item's config.xml, byte for byte.  Raises Missing."""
        return self.connection.get(f"{path(key)}config.xml").content

    # Writing

    def create(self, key: ItemKey, xml: bytes) -> None:
        """Make an item.  Raises Refused when there is one of that name, or Jenkins does not take the XML."""
        call = "createItem" if key.kind == "job" else "createView"
        short = quote(key.name.rpartition("/")[2], safe="")
        self._write(f"{job_path(key.folder)}{call}?name={short}", xml, done=lambda: self._is(key, xml))

    def update(self, key: ItemKey, xml: bytes) -> None:
        """Change an item.  Raises Missing, and Refused when Jenkins does not take the XML."""
        self._write(f"{path(key)}config.xml", xml, done=lambda: self._is(key, xml))

    def rename(self, key: ItemKey, name: str) -> None:
        """Give a job another name in its folder; its builds stay with it.  Raises Missing, Refused."""
        new = ItemKey(key.kind, f"{key.folder}/{name}".lstrip("/"))
        self._write(f"{path(key)}doRename?newName={quote(name, safe='')}", None,
                    done=lambda: self._exists(new) and not self._exists(key))  # fmt: skip

    def delete(self, key: ItemKey) -> None:
        """Delete an item, a folder with all that is in it.  Raises Missing."""
        self._write(f"{path(key)}doDelete", None, done=lambda: not self._exists(key))

    # How

    def _list(self, folder: str, prefix: str) -> Iterator[tuple[ItemKey, ListedItem]]:
        inner = "name,description"
        for _ in range(DEPTH):
            inner = f"name,description,jobs[{inner}],views[name,description]"
        found = self.connection.json(f"{job_path(folder)}api/json?tree={inner.removeprefix('name,description,')}")
        yield from self._entries(found, prefix, DEPTH)

    def _entries(self, node: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[ItemKey, ListedItem]]:
        for view in node.get("views") or ():
            if view.get("_class") != ALL_VIEW:
                key = ItemKey("view", prefix + view["name"])
                yield key, ListedItem(key, view.get("_class", ""), view.get("description") or "")
        for job in node.get("jobs") or ():
            key, kind = ItemKey("job", prefix + job["name"]), job.get("_class", "")
            yield key, ListedItem(key, kind, job.get("description") or "")
            # What a multi-branch project or an organisation folder holds, it makes itself.
            if kind == FOLDER and depth > 1:
                yield from self._entries(job, f"{key.name}/", depth - 1)
            elif kind == FOLDER:
                yield from self._list(key.name, f"{key.name}/")

    def _exists(self, key: ItemKey) -> bool:
        try:
            self.config(key)
        except JenkinsMissing:
            return False
        return True

    def _is(self, key: ItemKey, xml: bytes) -> bool:
        """Whether an item is what it should be, the mark included."""
        try:
            there = self.config(key)
        except JenkinsMissing:
            return False
        return digest(there) == digest(xml) and mark.read(there) == mark.read(xml)

    def _write(self, where: str, xml: bytes | None, *, done: Callable[[], bool]) -> None:
        headers = dict(XML_TYPE) if xml is not None else {}
        self.connection.write(where, done=done, data=xml, headers=headers)


def path(key: ItemKey) -> str:
    """The path of an item's URL, with its last slash."""
    return f"{job_path(key.folder)}{key.kind}/{quote(key.name.rpartition('/')[2], safe='')}/"
