"""How a node's packages serve an API: by a unit of their own, or by a site of Apache that all APIs of the node share.

Debian's packages have a unit for each API, mostly of uWSGI.  Ubuntu's have a site of Apache, a configuration of Apache,
or a daemon, which depends on the version of OpenStack and not on the release.  So the node is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application

APACHE: Final = "apache2.service"
# $1: the port, then names of units in their order; one that is masked, or linked to nothing, serves nothing.  Prints the unit and its uWSGI configuration, or Apache's unit, the
# file that listens on the port, the script that it names and its log.
ASK: Final = r"""
port=$1
shift
for name; do
    for directory in /etc /usr/lib /lib; do
        unit=$directory/systemd/system/$name.service
        if [ "$(readlink "$unit")" = /dev/null ]; then
            break
        elif [ -e "$unit" ]; then
            printf '%s\n' "$name.service" /etc/*/"$name-uwsgi.ini"
            exit 0
        fi
    done
done
for file in /etc/apache2/sites-enabled/*.conf /etc/apache2/conf-enabled/*.conf; do
    if [ -e "$file" ] && grep -Eiq "^[[:space:]]*Listen[[:space:]]+([^[:space:]]*:)?$port([[:space:]]|\$)" "$file"; then
        echo apache2.service
        echo "$file"
        sed -En 's/^[[:space:]]*WSGIScriptAlias[[:space:]]+[^[:space:]]+[[:space:]]+"?([^"[:space:]]+).*/\1/Ip' "$file" | head -n 1 | grep . || echo
        sed -En 's/^[[:space:]]*ErrorLog[[:space:]]+"?([^"[:space:]]+).*/\1/Ip' "$file" | head -n 1 | sed "s,\${APACHE_LOG_DIR},/var/log/apache2,"
        exit 0
    fi
done
"""


@dataclass(frozen=True)
class ApiServer:
    """The unit that serves an API; ``uwsgi``: the file of its options, "" for none.

    A site of Apache has its file, the script that Apache loads for it, and its log.
    """

    unit: str
    uwsgi: str = ""
    site: str = ""
    script: str = ""
    log: str = ""


def ask(node: Node, application: Application, port: int, names: Sequence[str]) -> ApiServer:
    """Return what serves a port on a node: the first of the units, else a site of Apache.  Raises the application's fault."""
    printed = node.run(["sh", "-c", ASK, "sh", str(port), *names], capture=True).stdout.splitlines()
    if not printed:
        known = ", ".join(f"{name}.service" for name in names)
        raise application.fault(
            f"nothing serves port {port} on {node.name}: neither {known} nor a site of Apache is there"
        )
    unit, *others = printed
    if unit == APACHE:
        site, script, log = (*others, "", "")[:3]
        return ApiServer(unit, site=site, script=script, log=log)
    return ApiServer(unit, uwsgi=next((path for path in others if "*" not in path), ""))
