"""The undescribed parts of an item on the Jenkins, which an update keeps.

A config.xml contains more than a job description: credentials and permissions of a folder, the switch
*Disable project*, the state of a trigger plugin.  An update sends the whole file, so absent parts are deleted.
These parts of an item are *undescribed*, and stay as they are on the server, unless its description names them:

- ``disabled``;
- permissions and the owner of a job;
- of a folder: each property whose class is not described, views, health metrics, and the icon;
- fields that trigger plugins write for themselves (`RUN_TIME`).

An item that is identical to the last applied one has no undescribed parts: its whole content came from a description,
and an update deletes the parts that the description no longer has.

Jenkins writes secrets as ``{AQAA...}``, which cannot be compared with a plain text.  Where the object that holds a
secret is otherwise as described, and the description is the one that was applied last, the encrypted text counts as
the described one and stays, also where the description has an empty text, which Jenkins encrypts as well.
A description that has changed is sent with its own secrets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

from generator import mark
from generator.canonical import digest, parse, settled, tag_of, written
from generator.secrets import ENCRYPTED

FOLDER: Final = "com.cloudbees.hudson.plugins.folder.Folder"
PROPERTIES_OF_PEOPLE: Final = frozenset({
    "hudson.security.AuthorizationMatrixProperty",
    "com.synopsys.arc.jenkins.plugins.ownership.jobs.JobOwnerJobProperty",
})  # fmt: skip
"""Properties of a job that people set in the web UI; any other one that is not described is an edit by hand."""
RUN_TIME: Final[Mapping[str, Collection[str]]] = {"org.jenkinsci.plugins.ghprb.GhprbTrigger": ("pullRequests",)}
"""Fields that plugins write for themselves, by class."""
VIEWS: Final = ("views", "viewsTabBar", "primaryView", "folderViews")  # the first three: older ones', and JJB's
STOCK_ICON: Final = "com.cloudbees.hudson.plugins.folder.icons.StockFolderIcon"


@dataclass(frozen=True)
class Part:
    """The children of one name of the element at ``within`` ("." is the root)."""

    within: str
    tag: str

    def of(self, root: etree._Element) -> list[etree._Element]:
        parent = root.find(self.within)
        return [] if parent is None else parent.findall(self.tag)

    def replace(self, root: etree._Element, those: Sequence[etree._Element]) -> None:
        """Replace an item's part with copies of ``those``."""
        parent = root.find(self.within)
        if parent is None:
            if not those:
                return
            parent = etree.SubElement(root, self.within)
        for element in parent.findall(self.tag):
            parent.remove(element)
        parent.extend(map(deepcopy, those))


def is_folder(xml: str | bytes) -> bool:
    return tag_of(parse(xml)) == FOLDER


def merged(there: bytes, described: str) -> bytes:
    """Return the config.xml to send: the description with the undescribed parts and encrypted secrets of the server."""
    old, new = parse(there), parse(described)
    parts = _undescribed(there, old, new)
    secrets = list(_same_secrets(old, new)) if _may_be_applied(there, described) else []
    if not parts and not secrets:
        return described.encode()
    for part in parts:
        part.replace(new, part.of(old))
    for encrypted, plain in secrets:
        plain.text = encrypted.text
    return etree.tostring(new, encoding="utf-8", xml_declaration=True)


def described_part(there: bytes, described: str) -> bytes:
    """Return the live config.xml, with undescribed parts replaced by those of the description."""
    old, new = parse(there), parse(described)
    for part in _undescribed(there, old, new):
        part.replace(old, part.of(new))
    return etree.tostring(old, encoding="utf-8", xml_declaration=True)


def has_secrets(there: bytes, described: str) -> bool:
    """Return True if Jenkins has encrypted a secret outside the undescribed parts."""
    old, new = parse(there), parse(described)
    for part in _undescribed(there, old, new):
        part.replace(old, ())
    return any(ENCRYPTED.fullmatch(one.text or "") for one in old.iter())


def _is_applied(there: bytes, xml: str | bytes) -> bool:
    """Return True if this config.xml is the last one that was applied to the live item."""
    applied = mark.read(there)
    return applied is not None and applied.digest == digest(xml)


def _may_be_applied(there: bytes, xml: str) -> bool:
    """Return True if this config.xml is the last one that was applied, or if nobody knows which one was."""
    applied = mark.read(there)
    return applied is not None and applied.digest in {"", digest(xml)}


def _undescribed(there: bytes, old: etree._Element, new: etree._Element) -> list[Part]:
    if old.tag != new.tag:
        return []
    views = [Part(".", tag) for tag in VIEWS] if old.find("folderViews") is not None else []
    candidates = [*_properties(old, new), *_run_time(old, new)]
    if new.find("disabled") is None:
        candidates.append(Part(".", "disabled"))
    if _is_folder(new):
        candidates += [Part(".", tag) for tag in ("healthMetrics", "icon") if not _is_described(new.find(tag))]
    found = [part for part in candidates if part.of(old)]
    return [*views, *(found if found and not _is_applied(there, there) else ())]


def _is_folder(root: etree._Element) -> bool:
    """Return True for a folder, and for a project that makes its content itself, for each branch."""
    name = tag_of(root).rpartition(".")[2]
    return name.endswith("Folder") or "MultiBranch" in name


def _is_described(field: etree._Element | None) -> bool:
    """Return True if a field of a folder differs from the one that Jenkins Job Builder writes for every folder."""
    return field is not None and (len(field) > 0 or field.get("class") not in {None, STOCK_ICON})


def _properties(old: etree._Element, new: etree._Element) -> Iterator[Part]:
    described = {tag_of(one) for one in new.iterfind("properties/*")}
    for tag in sorted({tag_of(one) for one in old.iterfind("properties/*")} - described):
        if _is_folder(new) or tag in PROPERTIES_OF_PEOPLE:
            yield Part("properties", tag)


def _run_time(old: etree._Element, new: etree._Element) -> Iterator[Part]:
    for trigger in old.iterfind("triggers/*"):
        described = new.find(f"triggers/{trigger.tag}")
        for tag in RUN_TIME.get(tag_of(trigger), ()):
            if described is not None and described.find(tag) is None:
                yield Part(f"triggers/{trigger.tag}", tag)


def _same_secrets(old: etree._Element, new: etree._Element) -> Iterator[tuple[etree._Element, etree._Element]]:
    """Yield each encrypted text on the server with the described text for it.

    Their objects are otherwise equal; among several equal objects, the order decides.
    """
    taken: set[etree._Element] = set()
    holders = {one.getparent() for one in old.iter() if ENCRYPTED.fullmatch(one.text or "")} - {None}
    for holder in (one for one in old.iter() if one in holders):
        names = [tag_of(one) for one in holder if ENCRYPTED.fullmatch(one.text or "")]
        same = _without(holder, names)
        for other in new.iter(tag_of(holder)):
            if other not in taken and _has(other, names) and _without(other, names) == same:
                taken.add(other)
                yield from ((_child(holder, name), _child(other, name)) for name in names)
                break


def _has(element: etree._Element, names: Sequence[str]) -> bool:
    return all(len(element.findall(name)) == 1 for name in names)


def _child(element: etree._Element, name: str) -> etree._Element:
    return next(one for one in element if one.tag == name)


def _without(element: etree._Element, names: Sequence[str]) -> bytes:
    """Return the normal form of an object without some of its fields."""
    copy = deepcopy(element)
    copy.tail = None
    for child in list(copy):
        if child.tag in names:
            copy.remove(child)
    return written(settled(copy))
