"""The lab's account on a Jenkins: what it may do, verified by doing it with a job of its own, and the plugins.

Jenkins tells nobody which permissions an account has.  So a disabled job and a view are created in the lab's folder,
read, changed and deleted; their names begin with `PROBE`.  The form of such a job offers the throttle categories.
The status of an answer proves no permission: what was changed is read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from generator.items import ItemKey
from generator.plugins import VERSIONS
from generator.server import FOLDER, Server, path
from lab.base.errors import InfrastructureError, LabError
from lab.config.jenkins_failures import JenkinsForbidden, JenkinsMissing, JenkinsRefused

PROBE: Final = "qalab-doctor"
JOB: Final = "<project><description>{}</description><disabled>true</disabled></project>"
VIEW: Final = "<hudson.model.ListView><name>{}</name><description>{}</description></hudson.model.ListView>"
# What a build of a disabled job is refused with, after the permission was checked.
DISABLED: Final = "409"


@dataclass(frozen=True)
class ServerCheck:
    """One thing that was checked on a server; ``fix``: what mends it."""

    what: str
    good: bool
    detail: str
    fix: str = ""


def good(what: str, detail: str) -> ServerCheck:
    return ServerCheck(what, good=True, detail=detail)


def bad(what: str, detail: str, fix: str = "") -> ServerCheck:
    return ServerCheck(what, good=False, detail=detail, fix=fix)


def examine(server: Server, folder: str, needed: Mapping[str, str], category: str = "") -> Iterator[ServerCheck]:
    """Yield the checks of a Jenkins: access, folder, permissions, plugins, throttle category.

    Raises LabError without access.
    """
    entries = server.listing()
    who = server.access.user or "anonymous"
    yield good("access", f"{who} reads {server.url}")
    there = entries.get(ItemKey("job", folder)) if folder else None
    if folder and (there is None or there.kind != FOLDER):
        parent = folder.rpartition("/")[0]
        if parent and ItemKey("job", parent) not in entries:
            fix = f"ask an administrator to create the folder {parent}"
            yield bad("folder", f"{parent} does not exist", fix)
            return
        yield good("folder", f"{folder} does not exist yet: apply creates it")
        folder = parent
    name = f"{folder}/{PROBE}-{os.getpid()}".lstrip("/")
    permissions = list(_permissions(server, folder, name))
    yield from permissions
    yield from _plugins(server, needed)
    if category and all(check.good for check in permissions):
        yield from _category(server, ItemKey("job", name), category)
    yield from _remains(server, name)


def _permissions(server: Server, folder: str, name: str) -> Iterator[ServerCheck]:
    job, view = ItemKey("job", name), ItemKey("view", name)
    short = name.rpartition("/")[2]
    changed = {job: JOB.format("changed").encode(), view: VIEW.format(short, "changed").encode()}
    yield from _exercised("Job", folder, {
        "Create": lambda: server.create(job, JOB.format("").encode()),
        "ExtendedRead or Configure": lambda: server.config(job),
        "Configure": lambda: _update(server, job, changed[job]),
        "Build": lambda: _build(server, job),
        "Delete": lambda: _delete(server, job),
    })  # fmt: skip
    yield from _exercised("View", folder, {
        "Create": lambda: server.create(view, VIEW.format(short, "").encode()),
        "Read": lambda: server.config(view),
        "Configure": lambda: _update(server, view, changed[view]),
        "Delete": lambda: _delete(server, view),
    })  # fmt: skip


def _update(server: Server, key: ItemKey, xml: bytes) -> None:
    server.update(key, xml)
    try:
        there = server.config(key)
    except JenkinsForbidden:  # a check of its own
        return
    if b"changed" not in there:
        raise InfrastructureError(f"Jenkins answered with success, and {key} has not changed")


def _delete(server: Server, key: ItemKey) -> None:
    server.delete(key)
    if key in server.listing():
        raise InfrastructureError(f"Jenkins answered with success, and {key} is still there")


def _remains(server: Server, name: str) -> Iterator[ServerCheck]:
    """Yield what stays on the server of what was created there."""
    keys, fix = [ItemKey("job", name), ItemKey("view", name)], "delete it by hand"
    try:
        stay = [key for key in keys if key in server.listing()]
    except LabError as error:
        yield bad("probe", f"{name} may have stayed on the server: {error}", fix)
        return
    for key in stay:
        yield bad("probe", f"{key} stays on the server", fix)


def _exercised(kind: str, folder: str, calls: Mapping[str, Callable[[], object]]) -> Iterator[ServerCheck]:
    """Make calls in order; without the first one, the others cannot be tried."""
    where = f" in {folder}" if folder else ""
    for right, call in calls.items():
        try:
            call()
        except JenkinsForbidden:
            fix = f"give the account the permission {kind}/{right}{where}"
            yield bad(f"{kind}/{right}", f"missing{where}", fix)
            if right == "Create":
                return
        except LabError as error:
            yield bad(f"{kind}/{right}", f"cannot be tried: {error}")
            if right == "Create":
                return
        else:
            yield good(f"{kind}/{right}", f"granted{where}")


def _build(server: Server, key: ItemKey) -> None:
    try:
        server.connection.send("POST", f"{path(key)}build")
    except JenkinsRefused as error:
        if DISABLED not in str(error):
            raise


def _category(server: Server, key: ItemKey, category: str) -> Iterator[ServerCheck]:
    """Check the throttle category, which a job's form offers to an account that may configure the job."""
    what = f"throttle category {category}"
    try:
        server.create(key, JOB.format("").encode())
        try:
            there = category in server.throttle_categories(key)
        finally:
            server.delete(key)
    except JenkinsMissing:  # the plugin is missing, which is a check of its own
        return
    except LabError as error:
        yield bad(what, f"cannot be checked: {error}")
        return
    fix = "create it in Manage Jenkins > System, as qalab jenkins casc prints it"
    yield (good(what, "exists") if there else bad(what, "missing: deployments on one target run at the same time", fix))


def _plugins(server: Server, needed: Mapping[str, str]) -> Iterator[ServerCheck]:
    try:
        there = server.plugins()
    except JenkinsForbidden:
        fix = "give the account Overall/SystemRead, or compare qalab jenkins plugins with Manage Jenkins > Plugins"
        yield bad("plugins", "this account may not list them: plan and backup go without", fix)
        return
    except LabError as error:
        yield bad("plugins", f"cannot be checked: {error}")
        return
    for name, why in sorted(needed.items()):
        if name in there:
            yield good(f"plugin {name}", f"{there[name]} (tested: {VERSIONS[name]})")
        else:
            yield bad(f"plugin {name}", f"missing: {why}", f"install {name}:{VERSIONS[name]} or newer")
