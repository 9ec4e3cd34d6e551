"""The normal form of a config.xml: what is left of it when Jenkins' own way of writing is taken away.

Jenkins (XStream) rewrites what it is sent whenever it saves: it orders fields as the Java class has them, adds
fields that a newer plugin knows, leaves out those that are null, stamps plugin versions, and names collection
classes.  So, in the normal form:

- a *field* (a child named like a Java field) is found by its name; fields are sorted, and one that is empty or
  ``false`` is left out, since XStream makes the same of it and of none;
- a *member* of a list (a child named like a class, or one of several of a name) is never left out, and the order of
  members stays, except where it means nothing;
- what a class of item does not use, or Jenkins writes there for itself, is left out;
- so is the end of the description that says who manages the item (see `lab.results.ownership_mark`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from lxml import etree

from lab.base.errors import InfrastructureError
from lab.results.ownership_mark import MARKS

_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)
_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]*\?>")
# What XML 1.1 allows, as a reference, and 1.0 does not.
_CONTROL = re.compile(r"&#(?:x0*([1-8bcefBCEF]|1[0-9a-fA-F])|0*([1-8]|1[124-9]|2\d|3[01]));")

# Elements whose children are members, whatever they are named.
_LISTS = frozenset({"axes", "builders", "buildWrappers", "columns", "parameterDefinitions", "publishers"})
# Those whose members, when they are classes, are in an order that means nothing.
_UNORDERED = frozenset({"properties", "triggers"})
# A class, or XStream's name for a basic type.
_MEMBER = re.compile(r".*\..*|[A-Z].*|.*-.*|a|boolean|byte|char|double|entry|float|int|list|long|map|null|set|string")
# Fields in which ``false`` is a text, or not what their absence means.
_FALSE_COUNTS = frozenset({"canRoam", "command", "defaultValue", "description", "script", "value"})
# Classes that say how a collection is implemented, or that there is nothing.
_SAYS_NOTHING = re.compile(
    r"(?:[a-z]+-)*(?:array|list|map|set)|vector"
    r"|java\.util\..*|hudson\.util\.(?:CopyOnWrite|Describable|Persisted).*|hudson\.model\.View\$PropertyList"
    r"|.*CaseInsensitiveComparator|hudson\.scm\.NullSCM"
)

# At the top of an item: what Jenkins keeps there of what runs did, and a folder's views, which are items themselves
# (Jenkins reads the first three of a folder that has none yet).
_RUN_TIME = ("actions",)
_OF_FOLDERS = (*_RUN_TIME, "views", "viewsTabBar", "primaryView", "folderViews")
_OF_VIEWS = (*_RUN_TIME, "owner", "name")  # the name of one in a folder is short there, and full in JJB's XML


def decoded(xml: str | bytes) -> str:
    """A config.xml as text; Jenkins and Jenkins Job Builder both write UTF-8.  Raises InfrastructureError."""
    try:
        return (xml if isinstance(xml, str) else xml.decode()).removeprefix("\ufeff")
    except UnicodeError as error:
        raise InfrastructureError(f"config.xml: not UTF-8: {error}") from None


def parse(xml: str | bytes) -> etree._Element:
    """The root of a config.xml, XML 1.1 or 1.0, as it is.

    libxml2 knows no XML 1.1: the declaration is not shown to it, and a control character is read as its picture
    (U+2400 and up).  Raises InfrastructureError for what is not XML, or has a DOCTYPE.
    """
    text = _DECLARATION.sub("", decoded(xml))
    try:
        root = etree.fromstring(_CONTROL.sub(_picture, text).encode(), _PARSER)
    except (UnicodeError, etree.XMLSyntaxError) as error:
        raise InfrastructureError(f"config.xml: not XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InfrastructureError("config.xml: has a DOCTYPE, which Jenkins never writes")
    return root


def _picture(reference: re.Match[str]) -> str:
    return chr(0x2400 + (int(reference[1], 16) if reference[1] else int(reference[2])))


def canonical(xml: str | bytes) -> etree._Element:
    """The normal form of a config.xml.  Raises InfrastructureError."""
    root = parse(xml)
    _settle_item(root)
    _settle(root)
    return root


def settled(element: etree._Element) -> etree._Element:
    """Bring an element below an item's root into its normal form, in place; the element."""
    _settle(element)
    return element


def digest(xml: str | bytes) -> str:
    """The SHA-256 of the normal form, as lower-case hexadecimal.  Raises InfrastructureError."""
    return hashlib.sha256(written(canonical(xml))).hexdigest()


def written(element: etree._Element) -> bytes:
    """Canonical XML 1.0 (W3C), which orders attributes and quotes one way."""
    return etree.tostring(element, method="c14n")


def tag_of(element: etree._Element) -> str:
    """An element's name as text."""
    return str(element.tag)


def parts(element: etree._Element) -> tuple[dict[str, etree._Element], list[etree._Element]]:
    """The fields and the members among an element's children."""
    if element.tag in _LISTS:
        return {}, list(element)
    count = Counter(map(tag_of, element))
    fields, members = {}, []
    for child in element:
        tag = tag_of(child)
        if count[tag] > 1 or _MEMBER.fullmatch(tag):
            members.append(child)
        else:
            fields[tag] = child
    return fields, members


def unordered(element: etree._Element, members: list[etree._Element]) -> bool:
    """Whether the order of an element's members means nothing."""
    return element.tag == "jobNames" or (element.tag in _UNORDERED and all("." in tag_of(one) for one in members))


def _settle_item(root: etree._Element) -> None:
    kind = tag_of(root)
    unused = _OF_VIEWS if kind.endswith("View") else _OF_FOLDERS if kind.endswith(("Folder", "Project")) else _RUN_TIME
    # A job without a label runs anywhere, one with a label does not: that Jenkins says so adds nothing.
    roams = "false" if root.findtext("assignedNode") else "true"
    for child in list(root):
        if child.tag == "description" and child.text:
            child.text = MARKS.sub("", child.text)
        elif child.tag in unused or (child.tag == "canRoam" and child.text == roams):
            root.remove(child)


def _settle(element: etree._Element) -> None:
    if element.get("plugin") is not None:
        del element.attrib["plugin"]
    if _SAYS_NOTHING.fullmatch(element.get("class", "")):
        del element.attrib["class"]
    if not len(element):
        element.text = _settled_text(element.text or "")
        return
    for child in element:
        _settle(child)
        child.tail = None  # layout, like the text before the first child: XStream does not read them
    element.text = None
    fields, members = parts(element)
    if unordered(element, members):
        members.sort(key=written)
    kept = [field for _, field in sorted(fields.items()) if not _is_default(field)]
    element[:] = [*kept, *members]


def _settled_text(text: str) -> str | None:
    """Text with the line ends of Unix; None where there is but layout."""
    layout = not text or ("\n" in text and not text.strip())
    return None if layout else text.replace("\r\n", "\n")


def _is_default(field: etree._Element) -> bool:
    """Whether a field, settled, says no more than none would."""
    if len(field) or field.attrib:
        return False
    return not field.text or (field.text == "false" and field.tag not in _FALSE_COUNTS)
