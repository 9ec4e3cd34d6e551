"""The shape of a source package: its format, its orig tarballs, and what is not in them.

All of it is the packaging's word: debian/source/format, debian/changelog, debian/copyright, debian/watch and
debian/gbp.conf.  A part of the steps `snapshot`, `packaging`, `changelog` and `source`.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from typing import Any, Literal

from debian.debian_support import Version
from pydantic import BaseModel, ConfigDict

from lab.base.errors import ConfigurationError, Failed
from lab.base.git import readable
from scripts.upstream.packaged_version import newest

Format = Literal["1.0", "3.0 (native)", "3.0 (quilt)"]
FORMATS: tuple[Format, ...] = ("1.0", "3.0 (native)", "3.0 (quilt)")
# The later file has the last word, see gbp.conf(5).
GBP_FILES = (".gbp.conf", "debian/gbp.conf")
FILES = ("debian/source/format", "debian/changelog", "debian/copyright", "debian/watch", *GBP_FILES)
# Policy of names: dpkg-source(1), "3.0 (quilt)".
COMPONENT = "[A-Za-z0-9][A-Za-z0-9-]*"
EXCLUDING = re.compile(rf"^Files-Excluded(?:-(?P<component>{COMPONENT}))?:", re.MULTILINE | re.IGNORECASE)
# uscan(1): an option of a line (component=doc), with blanks where it is quoted, or a field of version 5 (Component: doc).
WATCHED = re.compile(rf"(?:\bcomponent[ \t]*=[ \t]*|^(?i:Component):\s*)(?P<component>{COMPONENT})", re.MULTILINE)
REPACK = re.compile(
    r"(?:\brepacksuffix[ \t]*=[ \t]*|^(?i:Repack-Suffix):\s*)(?P<suffix>[+~.][A-Za-z0-9.+~]*[A-Za-z0-9])", re.MULTILINE
)
SUFFIX = re.compile(r"[+~.-](?:dfsg|ds|repack)[0-9.]*$")
DEFAULT_SUFFIX = "+dfsg"


class SourceShape(BaseModel):
    """The source format and the orig tarballs that a packaging needs.

    ``components`` are the additional orig tarballs that it needs; ``excluding`` those (with "" for the main one) that
    debian/copyright excludes files from; ``suffix`` marks the version of a repacked tarball.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Format
    native: bool
    components: tuple[str, ...] = ()
    excluding: tuple[str, ...] = ()
    suffix: str = ""

    @property
    def extension(self) -> str:
        """The extension of its tarballs: format 1.0 knows gzip alone."""
        return "gz" if self.format == "1.0" else "xz"

    def fact(self) -> dict[str, Any]:
        """Return it as the fact of a record."""
        return self.model_dump(mode="json")


def read(files: Mapping[str, str | None]) -> SourceShape:
    """Return the shape of a packaging; ``files``: the text of each of `FILES`, or None for a missing one.

    Raises ConfigurationError for a format that the lab does not build, Failed for a gbp.conf that cannot be read.
    """
    text = {path: files[path] or "" for path in FILES}
    form = source_format(files["debian/source/format"])
    version = newest(text["debian/changelog"])
    native = form == "3.0 (native)" or (form == "1.0" and bool(version) and Version(version).debian_revision is None)
    components = {match["component"] for match in WATCHED.finditer(_uncommented(text["debian/watch"]))}
    for path in GBP_FILES:
        components |= gbp_components(path, text[path])
    return SourceShape(
        format=form,
        native=native,
        components=tuple(sorted(components)) if form == "3.0 (quilt)" else (),
        excluding=tuple(sorted({match["component"] or "" for match in EXCLUDING.finditer(text["debian/copyright"])})),
        suffix=repack_suffix(text["debian/watch"], version),
    )


def source_format(text: str | None) -> Format:
    """Return the format that debian/source/format names; without that file it is 1.0, see dpkg-source(1).

    Raises ConfigurationError for one that the lab does not build.
    """
    name = "1.0" if text is None else text.split("\n")[0]
    if name not in FORMATS:
        blank = name.strip() in FORMATS  # dpkg-source refuses it too
        hint = "remove the blanks around it" if blank else f"the lab builds {', '.join(FORMATS)}"
        raise ConfigurationError(f"debian/source/format: {readable(name) or 'is empty'}: no source format of the lab",
                                 hint=hint)  # fmt: skip
    return name


def repack_suffix(watch: str, version: str) -> str:
    """Return what marks a repacked version: by debian/watch, else by the newest changelog version, else ""."""
    if match := REPACK.search(_uncommented(watch)):
        return match["suffix"]
    upstream = str(Version(version).upstream_version) if version else ""
    found = SUFFIX.search(upstream)
    return found[0].replace("-", "+", 1) if found else ""


def gbp_components(path: str, text: str) -> set[str]:
    """Return the components that a gbp.conf names, in any of its sections: ``component = ['doc', 'data']``, see gbp.conf(5)."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text, path)
    except configparser.Error as error:
        raise Failed(f"{path}: {readable(str(error))}") from None
    sections = [parser.defaults(), *(parser[name] for name in parser.sections())]
    return {name for section in sections for name in re.findall(COMPONENT, section.get("component", ""))}


def _uncommented(text: str) -> str:
    """Return a watch file without comments, its continued lines joined."""
    return re.sub(r"\\\n", "", re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE))
