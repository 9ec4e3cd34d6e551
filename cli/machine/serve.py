"""``qalab machine serve``: the server that bare machines boot from."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base import environment, failures, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import missing_program, run
from lab.config.options import lab_option
from lab.store.runs import Store
from scripts.machines import dnsmasq
from scripts.machines.lab_server import BootHTTPServer, BootServer


@click.command("serve")
@lab_option
def command(lab_file: Path) -> None:
    """Serve the network boot of bare machines (DHCP, TFTP, HTTP) until it is ended.

    It needs root, and runs on the machine on which deployments run.  It reads the lab file once.
    """
    lab = load_lab(lab_file)
    if lab.lab_server is None:
        raise ConfigurationError("lab_server: missing", hint="the network of the bare machines")
    for program in ("dnsmasq", "setpriv"):
        if not environment.find_program(program):
            raise missing_program(program)
    store, server = Store.of(lab), lab.lab_server
    try:
        with files.locked(store.lock_path("lab-server"), wait=False):
            argv = dnsmasq.prepare(lab, server, store.lab_server)
            with BootHTTPServer(BootServer(lab, server), str(server.address), server.port) as http:
                threading.Thread(target=http.serve_forever, daemon=True).start()
                done = run(argv, log=sys.stderr, check=False)
                http.shutdown()
    except files.Busy:
        raise InfrastructureError("another lab server runs") from None
    except OSError as error:
        why = failures.failure(error).message
        raise InfrastructureError(f"the lab server on {server.address}:{server.port}: {why}") from None
    raise InfrastructureError(f"dnsmasq ended with status {done.returncode}")
