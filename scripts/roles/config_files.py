"""Configuration files from templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.drivers.topology import Application
from scripts.services.api_server import ApiServer
from scripts.services.site import Site


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # The output is not HTML; an undefined name is an error.
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)  # noqa: S701


def uwsgi(site: Site, application: Application, server: ApiServer, threads: int, *, start_time: bool = False) -> None:
    """Set the options of an API server that is uWSGI; others have their workers in their configuration."""
    if server.uwsgi:
        site.files.set_options(
            site.node_of(application), server.uwsgi, fill("uwsgi.ini.j2", threads=threads, start_time=start_time)
        )


def fill(name: str, **values: Any) -> str:
    """Return a rendered template.  Raises jinja2.UndefinedError when a value is missing."""
    return _environment().get_template(name).render(values)
