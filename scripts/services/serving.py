"""The start of API servers: units of their own, or sites of an Apache that all APIs of a node share."""

from __future__ import annotations

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.services import systemd, waiting
from scripts.services.api_server import APACHE, ApiServer
from scripts.services.site import Site


def start(site: Site, application: Application, server: ApiServer) -> None:
    """Start a server.  Raises the application's fault.

    Apache is started once for all sites of a node, and never restarted: that would break requests to the others.  It
    loads a script at the first request after a change of the file's time, so it reads the present configuration.
    """
    node = site.node_of(application)
    if server.unit != APACHE:
        systemd.restart(node, application, server.unit)
        return
    if server.script:
        if not node.run(["test", "-e", server.script], check=False):
            raise application.fault(f"{server.site} names the script {server.script}, which is not on {node.name}")
        node.run(["touch", server.script])
    result, lines = node.attempt(["apache2ctl", "configtest"])
    if not result:  # the last line only names a log
        number = next((number for number, line in enumerate(lines) if "Syntax error" in line), max(len(lines) - 1, 0))
        why = " ".join(line.strip() for line in lines[number : number + 2])
        raise application.fault(f"apache2ctl configtest on {node.name}: {why}")
    systemd.restart(node, application, APACHE, verb="start")


def until_answers(site: Site, application: Application, server: ApiServer, url: str) -> None:
    """Wait until a server answers.  Raises the application's fault, with the end of a site's log."""
    node = site.node_of(application)

    def explain() -> str:
        return log_end(node, server)

    waiting.until_answers(site, node, application, server.unit, url, explain)


def log_end(node: Node, server: ApiServer) -> str:
    """Return the line that explains most in the log of a site of Apache, "" for a unit of its own."""
    if not server.log:
        return ""
    return systemd.journal(node, server.unit, log=server.log.rpartition("/")[2])
