"""Jenkins Job Builder's library: it expands YAML into jobs and views with their config.xml, as ``jenkins-jobs`` does.

Each of its errors, and of the Jinja2 and YAML libraries, becomes one line: ``file:line:column: problem``.
"""

from __future__ import annotations

import configparser
import inspect
import logging
import os
import re
import sys
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from generator.items import Item, ItemKey, Kind
from generator.jjb_errors import unreadable
from generator.made_jobs import MadeJobs
from lab.base import environment
from lab.base.errors import ConfigurationError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pkg_resources, which JJB requires
    import jenkins_jobs.config
    import pkg_resources
    from jenkins_jobs.config import JJBConfig
    from jenkins_jobs.errors import JenkinsJobsException
    from jenkins_jobs.loader import enum_expanded_paths, load_files
    from jenkins_jobs.registry import ModuleRegistry
    from jenkins_jobs.roots import Roots
    from jenkins_jobs.utils import recurse_path
    from jenkins_jobs.xml_config import XmlGenerator, XmlJob, XmlJobGenerator, XmlViewGenerator

Plugins = Mapping[str, str]
"""Versions of a Jenkins' plugins by their short names."""


STDIN: Final = Path("-")
SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Settings:
    """The options of ``jenkins-jobs`` that decide what is expanded: the ini file and its section, -r and -x."""

    ini: Path | None = None
    section: str = "jenkins"
    recursive: bool = False
    excludes: tuple[str, ...] = ()

    def configuration(self) -> JJBConfig:
        """Return the settings of the file and the options, which override it.  Raises ConfigurationError."""
        config = configuration(self.ini, self.section)
        config.recursive = config.recursive or self.recursive
        config.excludes = [part for text in self.excludes for part in text.split(os.pathsep)] or config.excludes
        return config


class CachingRegistry(ModuleRegistry):  # type: ignore[misc]  # it has no types
    """JJB's registry, which inspects the signature of a component's function once, not for each use."""

    @staticmethod
    def _filter_kwargs(func: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
        return {name: value for name, value in kwargs.items() if name in _parameters(func)}


class CachingJobGenerator(XmlJobGenerator):  # type: ignore[misc]  # it has no types
    """JJB's generator of jobs, which looks up the module of a project type once, not for each job."""

    def _getXMLForData(self, data: Any) -> XmlJob:  # noqa: N802 - JJB calls it
        kind = data.get(self.kind_attribute, self.kind_default)
        module = _project_module(kind)
        if module is None:
            return super()._getXMLForData(data)  # raises
        xml = module(self.registry).root_xml(data)
        if "view-type" not in data:  # as JJB does
            self._gen_xml(xml, data)
        return XmlJob(xml, data["name"])


@cache
def _parameters(func: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.getfullargspec(func).args)


@cache
def _project_module(kind: str) -> Any:
    found = next(pkg_resources.iter_entry_points(group=XmlJobGenerator.entry_point_group, name=kind), None)
    return found and found.load()


def found_ini() -> Path | None:
    """Return the jenkins_jobs.ini that ``jenkins-jobs`` would read without --conf, None if there is none."""
    if named := environment.variable("JJB_CONF"):
        return Path(named)
    library = Path(jenkins_jobs.config.__file__).parent
    places = (library, Path.home() / ".config/jenkins_jobs", Path("/etc/jenkins_jobs"))
    return next((path for place in places if (path := place / "jenkins_jobs.ini").is_file()), None)


def paths_of(text: str) -> tuple[Path, ...]:
    """Return the paths of an argument of ``jenkins-jobs``: ``A:B`` is two paths, and - is standard input."""
    if not text or Path(text).exists():
        return (Path(text),)
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


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


def expand(
    paths: Path | Sequence[Path], config: JJBConfig, plugins: Plugins | None = None, made: MadeJobs | None = None
) -> list[Item]:
    """Return the jobs and views that files or directories of JJB YAML describe, sorted by name.

    ``plugins``: the server's plugins, if `wants_plugins`.  ``made``: jobs that were made before, with the same settings
    and plugins.  Raises ConfigurationError.
    """
    chosen = [paths] if isinstance(paths, Path) else list(paths)
    for path in chosen:
        if path != STDIN and not path.exists():
            raise ConfigurationError(f"{path}: there is no such file or directory", hint="name a directory of JJB YAML")
    known = [{"shortName": name, "version": version} for name, version in (plugins or {}).items()]
    try:
        with _quiet():
            read = yaml_files(chosen, config)
            return sorted(_expanded(read, config, known, made or MadeJobs()), key=lambda item: item.key)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - JJB does not foresee all errors of YAML, Jinja2 and Python in its input
        raise unreadable(error, os.pathsep.join(map(str, chosen))) from None


def yaml_files(paths: Sequence[Path], config: JJBConfig) -> list[Path]:
    """Return the files that JJB reads, without the files that they include."""
    directories: list[Path] = []
    for path in paths:
        recursed = config.recursive and path.is_dir()
        directories += map(Path, recurse_path(str(path), config.excludes)) if recursed else [path]
    return [STDIN if path == STDIN else Path(found) for path in directories for found in _enumerated(path)]


def _enumerated(path: Path) -> Sequence[Path]:
    return [path] if path == STDIN else list(enum_expanded_paths([path]))


def _expanded(
    paths: Sequence[Path], config: JJBConfig, plugins: list[dict[str, str]], made: MadeJobs
) -> Iterator[Item]:
    # Like jenkins_jobs.cli.subcommand.base.JobsSubCommand, which requires a server.
    roots = Roots(config)
    load_files(config, roots, [sys.stdin if path == STDIN else path for path in paths])
    registry = CachingRegistry(config, plugins)
    registry.set_macros(roots.macros)
    jobs, views = roots.generate_jobs(), roots.generate_views()
    for job in jobs:
        with _placed(f"job {job.name}", job.data.pos):
            registry.amend_job_dicts([job])
    made.expanding(roots.macros, roots.defaults)
    generator = CachingJobGenerator(registry)
    for job in jobs:
        xml = made.found(job.name, job.data)
        yield from _items("job", generator, [job]) if xml is None else [Item(ItemKey("job", job.name), xml)]
    yield from _items("view", XmlViewGenerator(registry), views)


def _items(kind: Kind, generator: XmlGenerator, described: Sequence[Any]) -> Iterator[Item]:
    for one in described:
        with _placed(f"{kind} {one.name}", one.data.pos):
            (made,) = generator.generateXML([one])
            ET.indent(made.xml)
            item = Item(ItemKey(kind, made.name), ET.tostring(made.xml, encoding="unicode"))
            refuse_surrogates(f"{kind} {item.key.name}", f"{item.key.name}{item.xml}", one.data.pos)
        yield item


def refuse_surrogates(what: str, text: str, pos: Any) -> None:
    """Raise JenkinsJobsException for half a character: UTF-16, and so JSON, writes one above U+FFFF as two of them."""
    if found := SURROGATE.search(text):
        said = what.encode("utf-8", "backslashreplace").decode()
        raise JenkinsJobsException(
            f"{said}: has U+{ord(found[0]):04X}, half a character: write the whole one, or \\UXXXXXXXX", pos=pos
        )


@contextmanager
def _placed(what: str, pos: Any) -> Iterator[None]:
    """Name the item in an error that JJB does not expect, for example for a text instead of a mapping."""
    try:
        yield
    except JenkinsJobsException:
        raise
    except Exception as error:
        said = f"{what}: Jenkins Job Builder cannot make it: {type(error).__name__}: {error}"
        raise JenkinsJobsException(said, pos=pos) from error


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
