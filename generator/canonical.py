"""The normal form of a config.xml, which is independent of how Jenkins writes it.

Jenkins (XStream) rewrites a config.xml whenever it saves: it orders fields as the Java class has them, adds
fields that a newer plugin knows, leaves out those that are null, stamps plugin versions, and names collection
classes.  So, in the normal form:

- a *field* (a child named like a Java field) is found by its name; fields are sorted, and one that is empty or
  ``false`` is left out, because XStream reads it as an absent one;
- a *member* of a list (a child named like a class, or one of several of a name) is never left out, and the order of
  members stays, except where the order has no meaning;
- fields that the Git plugin reads and does not write are the extensions that it makes of them (see `generator.git_scm`);
- fields that a class does not have or use, or that Jenkins writes for itself, are left out;
- the ownership mark at the end of the description is left out (see `lab.results.ownership_mark`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from lxml import etree

from generator import git_scm
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

# Elements whose children are members, regardless of their names.
_LISTS = frozenset({"axes", "builders", "buildWrappers", "columns", "parameterDefinitions", "publishers"})
# Elements whose members, if they are classes, have an order without a meaning.
_UNORDERED = frozenset({"properties", "triggers"})
# A class, or XStream's name for a basic type.
_MEMBER = re.compile(r".*\..*|[A-Z].*|.*-.*|a|boolean|byte|char|double|entry|float|int|list|long|map|null|set|string")
# Fields in which ``false`` is a text, or differs from an absent field.
_FALSE_COUNTS = frozenset({"canRoam", "command", "defaultValue", "description", "script", "value"})
# Classes that name the implementation of a collection, or an absent value.
_SAYS_NOTHING = re.compile(
    r"(?:[a-z]+-)*(?:array|list|map|set)|vector"
    r"|java\.util\..*|hudson\.util\.(?:CopyOnWrite|Describable|Persisted).*|hudson\.model\.View\$PropertyList"
    r"|.*CaseInsensitiveComparator|hudson\.scm\.NullSCM"
)

# Fields that Jenkins Job Builder writes, and that the class does not have: Jenkins drops them.
_UNKNOWN = {"hudson.plugins.copyartifact.CopyArtifact": "exclude"}

# At the top of an item: state of runs that Jenkins keeps there; the name of a view, which is short on the server and
# full in JJB's XML, and its owner (no job has either field); and a folder's views, which are items themselves (Jenkins
# reads the first three from a folder without views).
_OF_ALL = ("actions", "name", "owner")
_OF_FOLDERS = (*_OF_ALL, "views", "viewsTabBar", "primaryView", "folderViews")
# What a project of branches has of every branch source, unless the description has another one.
_BRANCH_STRATEGY = "jenkins.branch.DefaultBranchPropertyStrategy"


def decoded(xml: str | bytes) -> str:
    """Return a config.xml as text; Jenkins and Jenkins Job Builder write UTF-8.  Raises InfrastructureError."""
    try:
        return (xml if isinstance(xml, str) else xml.decode()).removeprefix("\ufeff")
    except UnicodeError as error:
        raise InfrastructureError(f"config.xml: not UTF-8: {error}") from None


def parse(xml: str | bytes) -> etree._Element:
    """Return the root of a config.xml, XML 1.1 or 1.0, unchanged.

    libxml2 does not support XML 1.1: the declaration is removed, and a control character is replaced by its symbol
    (U+2400 and up).  Raises InfrastructureError for text that is not XML, or has a DOCTYPE.
    """
    text = _DECLARATION.sub("", decoded(xml))
    try:
        root = etree.fromstring(_CONTROL.sub(_picture, text).encode(), _PARSER)
    except (UnicodeError, etree.XMLSyntaxError) as error:
        raise InfrastructureError(f"config.xml: not XML: {' '.join(str(error).split())}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InfrastructureError("config.xml: has a DOCTYPE, which Jenkins never writes")
    return root


def _picture(reference: re.Match[str]) -> str:
    return chr(0x2400 + (int(reference[1], 16) if reference[1] else int(reference[2])))


def canonical(xml: str | bytes) -> etree._Element:
    """Return the normal form of a config.xml.  Raises InfrastructureError."""
    root = parse(xml)
    _settle_item(root)
    _settle(root)
    return root


def settled(element: etree._Element) -> etree._Element:
    """Change an element below an item's root into its normal form, in place; return the element."""
    _settle(element)
    return element


def digest(xml: str | bytes) -> str:
    """Return the SHA-256 of the normal form, as lower-case hexadecimal.  Raises InfrastructureError."""
    return hashlib.sha256(written(canonical(xml))).hexdigest()


def written(element: etree._Element) -> bytes:
    """Return Canonical XML 1.0 (W3C), which fixes the order of attributes and the quotes.  Raises InfrastructureError."""
    try:
        return etree.tostring(element, method="c14n")
    except etree.C14NError:
        raise InfrastructureError(
            "config.xml: has a relative namespace, which Canonical XML does not support"
        ) from None


def tag_of(element: etree._Element) -> str:
    """Return an element's name as text."""
    return str(element.tag)


def parts(element: etree._Element) -> tuple[dict[str, etree._Element], list[etree._Element]]:
    """Return the fields and the members among an element's children."""
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
    """Return True if the order of an element's members has no meaning."""
    return element.tag == "jobNames" or (element.tag in _UNORDERED and all("." in tag_of(one) for one in members))


def _settle_item(root: etree._Element) -> None:
    kind = tag_of(root)
    unused = _OF_FOLDERS if kind.endswith(("Folder", "Project")) else _OF_ALL
    # A job without a label can run anywhere, a job with a label cannot: Jenkins' own field adds nothing.
    roams = "false" if root.findtext("assignedNode") else "true"
    for child in list(root):
        if child.tag == "description" and child.text:
            child.text = MARKS.sub("", child.text)
        elif child.tag in unused or (child.tag == "canRoam" and child.text == roams):
            root.remove(child)


def _settle(element: etree._Element) -> None:
    if git_scm.GIT in {element.get("class"), element.tag}:
        git_scm.migrate(element)
    if (unknown := element.find(_UNKNOWN.get(tag_of(element), "-"))) is not None:
        element.remove(unknown)
    if element.get("plugin") is not None:
        del element.attrib["plugin"]
    if _SAYS_NOTHING.fullmatch(element.get("class", "")):
        del element.attrib["class"]
    if not len(element):
        element.text = _settled_text(element.text or "")
        return
    for child in element:
        _settle(child)
        child.tail = None  # layout, like the text before the first child: XStream ignores both
    element.text = None
    fields, members = parts(element)
    if unordered(element, members):
        members.sort(key=written)
    kept = [field for _, field in sorted(fields.items()) if not _is_default(field)]
    element[:] = [*kept, *members]


def _settled_text(text: str) -> str | None:
    """Return text with Unix line ends, None if it is only layout."""
    layout = not text or ("\n" in text and not text.strip())
    return None if layout else text.replace("\r\n", "\n")


def _is_default(field: etree._Element) -> bool:
    """Return True if a field in its normal form is equivalent to an absent field."""
    if field.get("class") == _BRANCH_STRATEGY and not len(field):
        return True
    if len(field) or field.attrib:
        return False
    return not field.text or (field.text == "false" and field.tag not in _FALSE_COUNTS)
