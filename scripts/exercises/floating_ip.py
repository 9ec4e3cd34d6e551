"""floating-ip: a server boots, an address is allocated, associated, answers to ping and lets in by ssh; released, it is silent."""

from __future__ import annotations

import time

from lab.base.errors import Failed
from scripts.exercises.cases import Cases
from scripts.exercises.reachability import answers, ping, ssh
from scripts.exercises.scene import Scene
from scripts.exercises.servers import ADDRESS, CLEANED, EMPTIED, ROLES, project

NAME = "floating-ip"
NEEDS = ("keystone", *ROLES)
LAUNCHED, LEASED, ASSOCIATED, PINGED, ENTERED, SILENT = (
    "a server is launched",
    "its guest boots, and leases an address",
    "an address is allocated and associated",
    "it answers to ping",
    "it lets in by ssh, with the key of the key pair",
    "released, it no longer answers",
)
CASES = (EMPTIED, LAUNCHED, LEASED, ASSOCIATED, PINGED, ENTERED, SILENT, CLEANED)
SILENCE_SECONDS = 20


def exercise(scene: Scene, cases: Cases) -> None:
    with project(scene, cases, *ROLES) as at:
        with cases.case(LAUNCHED) as case:
            server = at.launch(NAME)
            case.output = server.id
        with cases.case(LEASED) as case:
            case.output = at.booted(server, ADDRESS)
        with cases.case(ASSOCIATED) as case:
            floating = at.address(server)
            address = floating.floating_ip_address
            case.output = f"{address} for {floating.fixed_ip_address}"
        with cases.case(PINGED) as case:
            case.output = answers(at, address)
        with cases.case(ENTERED) as case:
            case.output = ssh(at, address, "uname -a; ip -o -4 address show eth0")
            assert f" {floating.fixed_ip_address}/" in case.output, "it is another one's"  # noqa: S101 - a case is an assertion
        with cases.case(SILENT):
            at.cloud.network.delete_ip(floating)
            last = time.monotonic() + SILENCE_SECONDS
            while ping(address)[0]:
                if time.monotonic() > last:
                    raise Failed(f"{address} still answers after {SILENCE_SECONDS} s")
