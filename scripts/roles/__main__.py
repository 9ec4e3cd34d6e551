"""Queries of roles to services, as a program that runs where it can reach them.

``answer URL SECONDS``: wait until the URL answers.  With JSON on standard input, ``enter``: enter services into the
catalog; ``alive``: wait until an API lists daemons as alive.  The program prints the error; the exit code is that of
the error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import requests

from lab.base.errors import LabError
from scripts.openstack import cloud


def answer(url: str, seconds: float) -> str:
    """Wait for an answer that is not a server error; return "" for one, else what came instead."""
    last = time.monotonic() + seconds
    http = requests.Session()
    http.trust_env = False  # no proxy is between here and the nodes
    while True:
        try:
            status = http.get(url, timeout=max(1.0, seconds)).status_code
            problem = "" if status < requests.codes.server_error else f"status {status}"
        except requests.RequestException as error:
            problem = type(error).__name__
        if not problem or time.monotonic() > last:
            return problem
        time.sleep(0.1)


def enter(settings: dict[str, str], services: list[dict[str, str]]) -> None:
    with cloud.sdk_errors_as_failures():
        connection = cloud.connect(settings)
        for service in services:
            cloud.enter(connection, service, settings["region"])


def alive(settings: dict[str, str], kind: str, wanted: dict[str, list[str]], seconds: float = 5) -> str:
    """Wait until an API lists daemons (hosts by name) as alive; "" when it does, else the first that is not."""
    last = time.monotonic() + seconds
    with cloud.sdk_errors_as_failures():
        connection = cloud.connect(settings)
        while True:
            services = LISTED[kind](connection)
            lacking = [f"{name} on {host}" for name in wanted for host in wanted[name] if (name, host) not in services]
            if not lacking or time.monotonic() > last:
                return f"{lacking[0]} is not alive" if lacking else ""
            time.sleep(0.5)


LISTED: dict[str, Callable[[cloud.Cloud], set[tuple[str, str]]]] = {
    "compute": lambda at: {(each.binary, each.host) for each in at.compute.services() if each.state == "up"},
    # Those only that servers can be put on: they are mapped to the cell.
    "hypervisor": lambda at: {("nova-compute", each.name) for each in at.compute.hypervisors() if each.state == "up"},
    "network": lambda at: {(each.binary, each.host) for each in at.network.agents() if each.is_alive},
    "volumev3": lambda at: {
        (each.binary, each.host.partition("@")[0]) for each in at.block_storage.services() if each.state == "up"
    },
}


def main(argv: list[str]) -> int:
    if argv[0] == "answer":
        problem = answer(argv[1], float(argv[2]))
        print(problem)  # noqa: T201
        return 1 if problem else 0
    arguments = json.load(sys.stdin)
    if argv[0] == "alive":
        problem = alive(**arguments)
        print(problem)  # noqa: T201
        return 1 if problem else 0
    enter(**arguments)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(error)  # noqa: T201
        sys.exit(error.exit_code)
