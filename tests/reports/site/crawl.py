"""A crawler: every page that links reach from the home page, and every address."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from lxml import etree, html

BASE = "http://site.test/"
RESOLVER = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass
class Crawl:
    """The visited addresses, and the problems with them."""

    seen: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def file_of(root: Path, url: str) -> Path:
    path = unquote(url.removeprefix(BASE))
    return root / (f"{path}index.html" if not path or path.endswith("/") else path)


def crawl(root: Path) -> Crawl:
    """Follow every link of every page below a document root."""
    result = Crawl()
    queue, anchors, wanted = [BASE], {}, set()
    while queue:
        url = queue.pop()
        if url in result.seen:
            continue
        result.seen.add(url)
        file = file_of(root, url)
        if not file.is_file():
            result.problems.append(f"dangling: {url}")
            continue
        anchors[url], links = read(file)
        for link in links:
            target, fragment = urldefrag(urljoin(url, link))
            target = target.partition("?")[0]  # a search is the same page
            if target.startswith(BASE):
                queue.append(target)
                wanted |= {(target, fragment, url)} if fragment else set()
            else:
                result.problems.append(f"external link: {link} on {url}")
    missing = (
        (target, anchor, url) for target, anchor, url in sorted(wanted) if anchor not in anchors.get(target, anchor)
    )
    result.problems += [f"no anchor: {target}#{anchor} on {url}" for target, anchor, url in missing]
    return result


def read(file: Path) -> tuple[set[str], list[str]]:
    """Return the anchors and links of a file."""
    if file.suffix == ".html":
        tree = html.fromstring(file.read_bytes())
        return set(tree.xpath("//@id")), tree.xpath("//@href | //@src")
    if file.suffix == ".atom":
        return set(), etree.fromstring(file.read_bytes(), RESOLVER).xpath("//@href")
    return set(), []


def tree_of(root: Path) -> dict[str, bytes]:
    """Return the files that a document root serves, by path; a dangling symlink serves nothing."""
    found: dict[str, bytes] = {}
    _collect(root, "", found)
    return found


def _collect(place: Path, name: str, found: dict[str, bytes]) -> None:
    for entry in sorted(place.iterdir()):
        below = f"{name}{entry.name}"
        if entry.is_dir():
            _collect(entry, f"{below}/", found)
        elif entry.exists():
            found[below] = entry.read_bytes()
