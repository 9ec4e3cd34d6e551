"""Fields of the Git plugin that it reads and never writes: it saves an extension in their place.

Source: hudson.plugins.git.GitSCMBackwardCompatibility (``readBackExtensionsFromLegacy``).  Jenkins Job Builder still
writes some of these fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

GIT: Final = "hudson.plugins.git.GitSCM"
EXTENSIONS: Final = "hudson.plugins.git.extensions.impl."
# The extension of each field, with the field's name in it ("" for an extension without fields), in the plugin's order.
MIGRATED: Final[Mapping[str, tuple[str, str]]] = {
    "excludedUsers": ("UserExclusion", "excludedUsers"),
    "includedRegions": ("PathRestriction", "includedRegions"),
    "excludedRegions": ("PathRestriction", "excludedRegions"),
    "relativeTargetDir": ("RelativeTargetDirectory", "relativeTargetDir"),
    "skipTag": ("PerBuildTag", ""),
    "disableSubmodules": ("SubmoduleOption", "disableSubmodules"),
    "recursiveSubmodules": ("SubmoduleOption", "recursiveSubmodules"),
    "gitConfigName": ("UserIdentity", "name"),
    "gitConfigEmail": ("UserIdentity", "email"),
    "pruneBranches": ("PruneStaleBranch", ""),
    "clean": ("CleanCheckout", ""),
    "wipeOutWorkspace": ("WipeWorkspace", ""),
    "remotePoll": ("RemotePoll", ""),
    "authorOrCommitter": ("AuthorInChangelog", ""),
    "ignoreNotifyCommit": ("IgnoreNotifyCommit", ""),
}
# Read and never used, and never written.
DROPPED: Final = ("source", "branch", "choosingStrategy", "useShallowClone", "reference")


def migrate(scm: etree._Element) -> None:
    """Change the fields of a GitSCM into what the plugin saves, in place; an extension that exists stays as it is."""
    for name in DROPPED:
        _take(scm, name)
    made: dict[str, list[tuple[str, str]]] = {}
    for name, (extension, field) in MIGRATED.items():
        text = _take(scm, name)
        if text and text != "false":
            made.setdefault(extension, []).extend([(field, text)] if field else [])
    if not made:
        return
    extensions = scm.find("extensions")
    if extensions is None:
        extensions = etree.SubElement(scm, "extensions")
    extensions.extend(_missing(extensions, made))


def _missing(extensions: etree._Element, made: Mapping[str, list[tuple[str, str]]]) -> Iterator[etree._Element]:
    for extension, fields in made.items():
        tag = f"{EXTENSIONS}{extension}"
        if extensions.find(tag) is None:
            element = etree.Element(tag)
            for name, text in fields:
                etree.SubElement(element, name).text = text
            yield element


def _take(scm: etree._Element, name: str) -> str:
    """Remove a field; return its text."""
    field = scm.find(name)
    if field is None:
        return ""
    scm.remove(field)
    return (field.text or "").strip()
