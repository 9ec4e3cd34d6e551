"""How a Jenkins writes a config.xml: what it stores of what it is sent, and what it makes of that when it saves it.

Storing is an identity transformation (hudson.util.XMLUtils.safeTransform): the same document with another
declaration, other quotes and no white space around it.  Saving goes through objects (XStream): fields come in the
classes' order, missing ones are added, unknown ones dropped, and each plugin's name gets its version.
The ``<disabled>`` at the end of most of data/roundtrip/*.stored.xml is no work of Jenkins': Jenkins Job Builder adds
it to what it sends once the job is there (``JenkinsManager.fix_disabled``).  Secrets are saved encrypted.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from lxml import etree

from tests.jenkins.recordings import plugin_versions
from tests.jenkins.shapes import ALIASES, COLLECTIONS, GIT_EXTENSIONS, PLUGINS, SECRETS, SHAPES, Shape

_DECLARATION = re.compile(r"^\s*<\?xml\s[^>]*?version\s*=\s*[\"'](?P<version>[\d.]+)[\"'][^>]*\?>")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#xd;"})
_ATTRIBUTE = _TEXT | str.maketrans({"\n": "&#xa;", "\t": "&#x9;"})


class Malformed(ValueError):
    """What was sent is no XML."""


def parse(text: str) -> etree._Element:
    """The root of a document, whatever its declaration says.  Raises Malformed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_pis=True)
    try:
        return etree.fromstring(_DECLARATION.sub("", text, count=1).encode(), parser)
    except etree.XMLSyntaxError as error:
        raise Malformed(str(error)) from None


def stored(sent: str) -> str:
    """What ``GET config.xml`` of a job gives right after ``sent`` was sent.  Raises Malformed."""
    declared = _DECLARATION.match(sent)
    version = declared["version"] if declared else "1.0"
    return f'<?xml version="{version}" encoding="UTF-8"?>{etree.tostring(parse(sent), encoding="unicode")}'


def resaved(config: str, plugins: Mapping[str, str] | None = None) -> str:
    """What a job's config.xml becomes when Jenkins saves it; ``plugins``: their versions by their names."""
    return f"<?xml version='1.1' encoding='UTF-8'?>\n{_saved(parse(config), plugins)}"


def view_stored(sent: str, name: str, plugins: Mapping[str, str] | None = None) -> str:
    """What ``GET config.xml`` of a view gives: Jenkins keeps the object alone, and the name is what it was made with."""
    root = parse(sent)
    named = root.find("name")
    if named is None:
        named = etree.Element("name")
        root.insert(0, named)
    named.text = name
    return f'<?xml version="1.1" encoding="UTF-8"?>\n{_saved(root, plugins)}'


def _saved(root: etree._Element, plugins: Mapping[str, str] | None) -> str:
    etree.strip_tags(root, etree.Comment)
    _reshape(root, plugin_versions() if plugins is None else plugins, "")
    return "".join(_written(root, ""))


def class_of(element: etree._Element) -> str:
    """The class that an element holds; the name of its field when it does not say."""
    return str(element.get("class") or element.tag)


def plugin_of(name: str) -> str:
    """The plugin that brings a class, empty for Jenkins' own; XStream writes ``_`` in a tag as ``__``."""
    plain = name.replace("__", "_")
    return next((plugin for start, plugin in PLUGINS.items() if plain.startswith(start)), "")


def _reshape(element: etree._Element, plugins: Mapping[str, str], within: str) -> None:
    """Bring an element and all below it into the saved form; ``within``: the plugin of what is around it."""
    if element.tag == "triggers" and "class" in element.attrib:
        del element.attrib["class"]
    name = class_of(element)
    is_item = element.getparent() is None
    if name == "hudson.plugins.git.GitSCM":
        _read_legacy(element)
    if name in SHAPES and "reference" not in element.attrib and (is_item or name not in ALIASES):
        _fill(element, SHAPES[name])
    plugin = plugin_of(name)
    if plugin in plugins and plugin != within:
        element.set("plugin", f"{plugin}@{plugins[plugin]}")
    for secret in element.findall(SECRETS[name]) if name in SECRETS else ():
        secret.text = encrypted(secret.text or "")
    for child in element:
        _reshape(child, plugins, plugin or within)


def _read_legacy(git: etree._Element) -> None:
    """Make the extensions that the Git plugin makes of old fields."""
    fields = {field: git.findtext(field) or "" for field in GIT_EXTENSIONS}
    old = {field: text for field, text in fields.items() if text not in {"", "false"}}
    extensions = git.find("extensions")
    if extensions is None and old:
        extensions = etree.SubElement(git, "extensions")
    there = {str(child.tag) for child in git.iterfind("extensions/*")}
    for field, text in old.items():
        extension, name = GIT_EXTENSIONS[field]
        tag = f"hudson.plugins.git.extensions.impl.{extension}"
        if tag in there:
            continue
        made = git.find(f"extensions/{tag}")
        made = etree.SubElement(extensions, tag) if made is None else made
        if name:
            etree.SubElement(made, name).text = text


def encrypted(text: str) -> str:
    """A secret as Jenkins saves it; what is encrypted already stays as it is."""
    if text.startswith("{AQAA"):
        return text
    return f"{{AQAA{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}}}"


def _fill(element: etree._Element, shape: Shape) -> None:
    fields = [child for child in element if child.tag not in shape.drops]
    present = {child.tag for child in fields}
    fields += [etree.fromstring(xml) for name, xml in shape.defaults.items() if name not in present]
    places: list[int] = []
    for child in fields:  # one that is not known stays behind the one that it came after
        known = child.tag in shape.order
        places.append(shape.order.index(str(child.tag)) if known else places[-1] if places else -1)
    element[:] = [child for _, child in sorted(zip(places, fields, strict=True), key=lambda pair: pair[0])]


def _written(element: etree._Element, indent: str) -> list[str]:
    attributes = "".join(f' {name!s}="{str(value).translate(_ATTRIBUTE)}"' for name, value in element.attrib.items())
    tag, start = element.tag, f"{indent}<{element.tag}{attributes}"
    if len(element):
        inner = [part for child in element for part in (*_written(child, f"{indent}  "), "\n")]
        return [f"{start}>\n", *inner, f"{indent}</{tag}>"]
    if element.text:
        return [f"{start}>{element.text.translate(_TEXT)}</{tag}>"]
    is_text = not element.attrib and "." not in str(tag) and tag not in COLLECTIONS
    return [f"{start}></{tag}>" if is_text else f"{start}/>"]
