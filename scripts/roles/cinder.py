"""cinder: volumes; its API, scheduler and volume service.

Volumes are files of cinder's NFS driver, and the share is a directory of its node: a container has no NFS, so
mount.nfs binds the directory instead.  Everything else that cinder, nova and libvirt do is the same as with any other
share.  Only servers on cinder's own node can see a volume; for any other node, nova reports an error.
"""

from __future__ import annotations

from scripts.drivers.topology import Application, Endpoint
from scripts.roles import glance, keystone, mariadb, rabbitmq
from scripts.roles.config_files import fill, uwsgi
from scripts.services import serving, systemd, waiting
from scripts.services.api_server import ApiServer
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "cinder"
PACKAGES = ("cinder-api", "cinder-scheduler", "cinder-volume")
SUPPORTING = False
ENDPOINT = Endpoint("volumev3", 8776, "/v3/%(project_id)s")
DAEMONS = ("cinder-scheduler", "cinder-volume")
UNITS = tuple(f"{daemon}.service" for daemon in DAEMONS)
SHARE = "/srv/volumes"
SHARES = "/etc/cinder/nfs_shares"
# See mount(8) for the arguments of a helper: source, directory, options.
MOUNT = '#!/bin/sh\nexec mount --bind "${1#*:}" "$2"\n'


def describe(site: Site, application: Application) -> Service:
    settings = {"node": site.node_of(application).name, "url": site.url(application)}
    return site.service(application, [_server(site, application).unit, *UNITS], settings)


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    text = fill(
        "cinder.conf.j2",
        address=node.address,
        database=mariadb.database(site, NAME),
        queue=rabbitmq.url(site),
        glance=site.provider(glance.NAME).settings["url"],
        shares=SHARES,
        **keystone.client(site, NAME),
    )
    site.files.set_options(node, "/etc/cinder/cinder.conf", text)
    uwsgi(site, application, _server(site, application), threads=1)
    node.write(SHARES, f"{node.name}:{SHARE}\n")
    node.write("/sbin/mount.nfs", MOUNT, 0o755)
    site.must(node, application, ["install", "--directory", "--owner=cinder", "--group=cinder", SHARE])
    site.must(node, application, ["runuser", "-u", NAME, "--", "cinder-manage", "db", "sync"])


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    server = _server(site, application)
    serving.start(site, application, server)
    for unit in UNITS:
        systemd.restart(node, application, unit)
    serving.until_answers(site, application, server, site.url(application))
    waiting.until_alive(site, application, ENDPOINT.kind, {daemon: [node] for daemon in DAEMONS})


def _server(site: Site, application: Application) -> ApiServer:
    return site.server(application, ENDPOINT.port, "cinder-api")
