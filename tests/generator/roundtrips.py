"""What Jenkins made of the jobs that it was sent: sent, stored, and saved by itself again; and edits of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

from lxml import etree

DATA = Path(__file__).parent.parent / "jenkins/data/roundtrip"
FORMS = ("sent", "stored", "resaved")
NAMES = sorted({path.name.split(".")[0] for path in DATA.glob("*.xml")})

Edit = Callable[[etree._Element], None]


def forms(name: str) -> dict[str, str]:
    """Each recorded form of an item (a view is never saved again)."""
    paths = {form: DATA / f"{name}.{form}.xml" for form in FORMS}
    return {form: path.read_text() for form, path in paths.items() if path.exists()}


def tree(xml: str) -> etree._Element:
    return etree.fromstring(re.sub(r"^<\?xml.*?\?>", "", xml))


def edited(xml: str, edit: Edit) -> str:
    root = tree(xml)
    edit(root)
    return etree.tostring(root, encoding="unicode")


def find(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path)
    assert found is not None, path
    return found


def made(root: etree._Element, path: str) -> etree._Element:
    """The field at the end of a path; one that Jenkins leaves out is made."""
    parent_path, _, name = path.rpartition("/")
    parent = find(root, parent_path or ".")
    field = parent.find(name)
    return etree.SubElement(parent, name) if field is None else field


def put(path: str, value: str) -> Edit:
    """Give a field a text."""

    def edit(root: etree._Element) -> None:
        field = made(root, path)
        assert field.text != value
        field.text = value

    return edit


def replace(path: str, old: str, new: str) -> Edit:
    def edit(root: etree._Element) -> None:
        field = find(root, path)
        assert old in (field.text or "")
        field.text = (field.text or "").replace(old, new)

    return edit


def set_class(path: str, name: str) -> Edit:
    return lambda root: find(root, path).set("class", name)


def remove(path: str) -> Edit:
    def edit(root: etree._Element) -> None:
        element = find(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return edit


def add(path: str, xml: str) -> Edit:
    """Append to a list."""
    return lambda root: made(root, path).append(etree.fromstring(xml))


def swap(path: str) -> Edit:
    """Exchange the first two members of a list."""

    def edit(root: etree._Element) -> None:
        parent = find(root, path)
        assert len(parent) > 1
        parent.insert(0, parent[1])

    return edit


def shuffled(root: etree._Element, order: Callable[[list[str]], list[str]]) -> etree._Element:
    """The same with the fields of each object in another order."""
    copy = deepcopy(root)
    for element in _objects(copy):
        children = {child.tag: child for child in element}
        element[:] = [children[tag] for tag in order(list(children))]
    return copy


def _objects(root: etree._Element) -> Iterator[etree._Element]:
    for element in root.iter():
        tags = [str(child.tag) for child in element]
        if len(set(tags)) == len(tags) and not any("." in tag or tag == "string" for tag in tags):
            yield element
