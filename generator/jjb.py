"""Jenkins Job Builder's library: it expands a directory of YAML into jobs and views with their config.xml.

Each of its errors becomes one line: ``file:line:column: problem``.
"""

from __future__ import annotations

import configparser
import logging
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from generator.items import Item, ItemKey, Kind
from lab.base.errors import ConfigurationError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pkg_resources, which JJB requires
    from jenkins_jobs.config import JJBConfig
    from jenkins_jobs.errors import JenkinsJobsException
    from jenkins_jobs.loader import enum_expanded_paths, load_files
    from jenkins_jobs.registry import ModuleRegistry
    from jenkins_jobs.roots import Roots
    from jenkins_jobs.utils import recurse_path
    from jenkins_jobs.xml_config import XmlGenerator, XmlJobGenerator, XmlViewGenerator

Plugins = Mapping[str, str]
"""Versions of a Jenkins' plugins by their short names."""


def configuration(ini: Path | None, section: str = "jenkins") -> JJBConfig:
    """Return the settings of a jenkins_jobs.ini, or the defaults without a file.  Raises ConfigurationError."""
    if ini is not None and not ini.is_file():
        raise ConfigurationError(f"{ini}: there is no such file", hint="name a jenkins_jobs.ini")
    try:
        if ini:  # parsed here first, because JJB leaves an invalid file open
            parser = configparser.ConfigParser()
            parser.read_string(ini.read_text(encoding="utf-8"), ini.name)
            parser.getfloat(section, "timeout", fallback=0.0)
        with _quiet():
            return JJBConfig(str(ini) if ini else "", config_section=section)
    except (configparser.Error, ValueError, JenkinsJobsException) as error:
        raise ConfigurationError(f"{ini}: {' '.join(str(error).split())}") from None


def wants_plugins(config: JJBConfig) -> bool:
    """Return True if JJB's output depends on the versions of the server's plugins (``query_plugins_info``)."""
    return config.builder["plugins_info"] is None


def expand(path: Path, config: JJBConfig, plugins: Plugins | None = None) -> list[Item]:
    """Return the jobs and views that a file or a directory of JJB YAML describes, sorted by name.

    ``plugins``: the server's plugins, if `wants_plugins`.  Raises ConfigurationError.
    """
    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file or directory", hint="name a directory of JJB YAML")
    known = [{"shortName": name, "version": version} for name, version in (plugins or {}).items()]
    try:
        with _quiet():
            return sorted(_expanded(yaml_files(path, config), config, known), key=lambda item: item.key)
    except JenkinsJobsException as error:
        raise ConfigurationError(complaint(error)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{mark.name}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigurationError(f"{where}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from None
    except (IndexError, KeyError, ValueError) as error:  # raised by str.format; JJB does not catch them
        hint = "write a literal brace twice: {{ }}"
        raise ConfigurationError(f"{path}: cannot fill in a text: {error}", hint=hint) from None


def yaml_files(path: Path, config: JJBConfig) -> list[Path]:
    """Return the files that JJB reads in a directory, or the one file, without the files that they include."""
    directories = recurse_path(str(path), config.excludes) if config.recursive and path.is_dir() else [path]
    return [Path(found) for found in enum_expanded_paths(map(Path, directories))]


def _expanded(paths: Sequence[Path], config: JJBConfig, plugins: list[dict[str, str]]) -> Iterator[Item]:
    # Like jenkins_jobs.cli.subcommand.base.JobsSubCommand, which requires a server.
    roots = Roots(config)
    load_files(config, roots, paths)
    registry = ModuleRegistry(config, plugins)
    registry.set_macros(roots.macros)
    jobs, views = roots.generate_jobs(), roots.generate_views()
    registry.amend_job_dicts(jobs)
    yield from _items("job", XmlJobGenerator(registry), jobs)
    yield from _items("view", XmlViewGenerator(registry), views)


def _items(kind: Kind, generator: XmlGenerator, described: Sequence[Any]) -> Iterator[Item]:
    for one in described:
        try:
            (made,) = generator.generateXML([one])
        except JenkinsJobsException:
            raise
        except Exception as error:  # an input that JJB does not expect, for example a text instead of a mapping
            what = f"{kind} {one.name}: Jenkins Job Builder cannot make it: {type(error).__name__}: {error}"
            raise JenkinsJobsException(what, pos=one.data.pos) from error
        ET.indent(made.xml)
        yield Item(ItemKey(kind, made.name), ET.tostring(made.xml, encoding="unicode"))


def complaint(error: JenkinsJobsException) -> str:
    """Return an error of JJB as one line, at the innermost place that it names."""
    said = " ".join(str(error.message).split())
    places = [error.pos, *(context.pos for context in reversed(error.ctx))]
    pos = next((pos for pos in places if pos), None)
    within = next((context.message for context in reversed(error.ctx)), "")
    told = f"{said} ({' '.join(within.split())})" if within and within != said else said
    return f"{pos.path}:{pos.line + 1}:{pos.column + 1}: {told}" if pos else told


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress JJB's logging of errors that it also raises, and its warnings."""
    logger = logging.getLogger("jenkins_jobs")
    before, logger.disabled = logger.level, False
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
