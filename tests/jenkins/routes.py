"""What a Jenkins does at each of its addresses.

Recorded (data/exchanges.jsonl): the statuses and headers of creating, changing, disabling, deleting, building, of
logs, test reports, artifacts, the queue, external results and of all that is missing or refused.  From Jenkins'
sources and from what python-jenkins expects: renaming, copying and describing; views (a changed one keeps its name, another
class answers 500); a plain build of what is already queued answers 201 with the queued item; building a disabled job
409, one without parameters with some 500; a GET of what must be POSTed 405; ``application/xml`` of a config.xml.
Seen on a real one: the form of a folder's description changes the view that the folder shows first.
From the source of throttle-concurrents (doFillCategoryItems): the throttle categories that a job's form offers.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from tests.jenkins.builds import job_route
from tests.jenkins.calls import Call, broken, failure, missing, page
from tests.jenkins.folders import EVERYTHING, PRIMARY, load_views, save_views
from tests.jenkins.rewriting import Malformed, parse, resaved
from tests.jenkins.server import Answer
from tests.jenkins.shapes import FOLDER
from tests.jenkins.state import Item, Unreadable, View, stored_item, stored_view
from tests.jenkins.tree import Bean

_UNSAFE = frozenset("?*/\\%!@#$^&|<>[]:;")


def route(call: Call) -> Answer:
    """The answer to a request of somebody who is known and has his crumb.  Raises Refused."""
    call.need("Read")
    item, rest = call.state.root, [part for part in call.segments if part]
    while len(rest) > 1 and rest[0] == "job":
        if rest[1] not in item.children:
            raise missing()
        item, rest = item.children[rest[1]], rest[2:]
    if len(rest) > 1 and rest[0] == "view":
        return _view(call, item, rest[1], rest[2:])
    return _root(call, rest) if item.parent is None else _item(call, item, rest)


def _root(call: Call, rest: list[str]) -> Answer:
    exporter = call.exporter
    match rest:
        case []:
            return page(200, "Dashboard [Jenkins]")
        case ["api", "json"]:
            return call.json(exporter.root())
        case ["me", "api", "json"]:
            return call.json(exporter.user(call.user.name))
        case ["pluginManager", "api", "json"]:
            call.need("SystemRead")
            return call.json(exporter.plugins())
        case ["queue", *below]:
            return _queue(call, below)
    return _container(call, call.state.root, rest)


def _queue(call: Call, rest: list[str]) -> Answer:
    queue = call.state.queue
    match rest:
        case ["api", "json"]:
            return call.json(call.exporter.queue())
        case ["item", number, "api", "json"] if number.isdecimal() and int(number) in queue:
            return call.json(call.exporter.queue_item(queue[int(number)]))
        case ["cancelItem"] if (number := call.query.get("id", "")).isdecimal() and int(number) in queue:
            call.writes("Build")
            queue[int(number)].cancelled = True
            return call.redirect("queue/")
    raise missing()


def _container(call: Call, folder: Item, rest: list[str]) -> Answer:
    name = call.query.get("name", "")
    match rest:
        case ["createItem"]:
            call.writes("Create")
            return _create(call, folder, name)
        case ["createView"]:
            call.writes("Create")
            _check_name(name)
            if name in folder.views or name == folder.own_view:
                raise failure(f"A view already exists with the name ‘{name}’")
            folder.views[name] = View(name, folder, _read(lambda: stored_view(call.text, name)))
            save_views(folder)
            return Answer(200)
    raise missing()


def _create(call: Call, folder: Item, name: str) -> Answer:
    _check_name(name)
    if folder.has(name):
        raise failure(f"A job already exists with the name ‘{name}’")
    if call.query.get("mode") == "copy":
        source = call.query.get("from", "")
        if source not in folder.children:
            raise failure(f"No such job: {source}")
        made = folder.add(name, resaved(folder.children[source].xml))
        return call.redirect(f"{made.path}configure")
    load_views(folder.add(name, _read(lambda: stored_item(call.text))))
    return Answer(200)


def _check_name(name: str) -> None:
    """See jenkins.model.Jenkins.checkGoodName."""
    if not name.strip():
        raise failure("No name is specified")
    for character in name:
        if character in _UNSAFE:
            raise failure(f"‘{character}’ is an unsafe character")
    if name.endswith("."):
        raise failure("A name cannot end with ‘.’")


def _read(made: Callable[[], str]) -> str:
    try:
        return made()
    except (Malformed, Unreadable) as error:
        raise broken(error) from None


def _view(call: Call, owner: Item, name: str, rest: list[str]) -> Answer:
    view = owner.views.get(name)
    if view is None:
        return _own_view(call, owner, name, rest)
    match rest:
        case []:
            return page(200, f"{name} [Jenkins]")
        case ["api", "json"]:
            return call.json(call.exporter.view(view))
        case ["config.xml"] if call.request.method == "GET":
            return call.xml(view.xml)
        case ["config.xml"]:
            call.writes("Configure")
            view.xml = _read(lambda: stored_view(call.text, name, str(parse(view.xml).tag)))
            save_views(owner)
            return Answer(200)
        case ["doDelete"]:
            call.writes("Delete")
            del owner.views[name]
            save_views(owner)
            return call.redirect(owner.path)
    raise missing()


def _own_view(call: Call, owner: Item, name: str, rest: list[str]) -> Answer:
    """The view that Jenkins makes itself, which nothing changes here."""
    if name == owner.own_view and rest == ["api", "json"]:
        return call.json(call.exporter.all_view(owner))
    if name == owner.own_view and rest == ["config.xml"] and call.request.method == "GET":
        return call.xml(
            f"<?xml version='1.1' encoding='UTF-8'?>\n<{EVERYTHING}>\n  <name>{name}</name>\n</{EVERYTHING}>"
        )
    raise missing()


def _item(call: Call, item: Item, rest: list[str]) -> Answer:  # noqa: PLR0911 - one line an address
    match rest:
        case [] | ["configure"]:
            return page(200, f"{item.name} [Jenkins]")
        case ["api", "json"]:
            return call.json(call.exporter.item(item))
        case ["config.xml"] if call.request.method == "GET":
            return call.xml(item.xml)
        case ["config.xml"]:
            call.writes("Configure")
            item.write(_read(lambda: stored_item(call.text, item.kind)))
            load_views(item)
            return Answer(200)
        case ["submitDescription"]:
            call.writes("Configure")
            return _describe(call, item)
        case ["doDelete"]:
            call.writes("Delete")
            folder = item.parent or call.state.root
            del folder.children[item.name]
            return call.redirect(folder.path)
        case ["doRename"]:
            call.writes("Configure")
            return _rename(call, item)
        case ["descriptorByName", "hudson.plugins.throttleconcurrents.ThrottleJobProperty", "fillCategoryItems"]:
            call.need("Configure")
            return call.json(_choices(["(none)", *call.state.throttle_categories]))
    return _container(call, item, rest) if item.kind == FOLDER else job_route(call, item, rest)


def _choices(names: list[str]) -> Bean:
    """A list of choices in a form; the first one is for none of them."""
    values = [{"name": name, "selected": False, "value": name if at else ""} for at, name in enumerate(names)]
    return Bean("hudson.util.ListBoxModel", {"values": [Bean("", value) for value in values]})


def _describe(call: Call, item: Item) -> Answer:
    """Whoever sets the description has Jenkins save the item; the address of a folder's is its first view's."""
    root = parse(resaved(item.xml))
    described = root.find(PRIMARY) if item.kind == FOLDER else root
    if described is None:
        raise missing()
    description = described.find("description")
    if description is None:
        description = etree.Element("description")
        described.insert(2 if item.kind == FOLDER else len(described), description)  # behind owner and name
    description.text = str(call.form.get("description", ""))
    item.write(resaved(etree.tostring(root, encoding="unicode")))
    return call.redirect(item.path)


def _rename(call: Call, item: Item) -> Answer:
    name, folder = call.query.get("newName", ""), item.parent or call.state.root
    _check_name(name)
    if name == item.name or (folder.has(name) and name.lower() != item.name.lower()):
        raise failure(f"The name “{name}” is already in use.")
    item.rename(name)
    return call.redirect(item.path)
