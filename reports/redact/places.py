"""The rules of machines, addresses and people: each name is replaced by a pseudonym."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from lab.results.secrets.pattern import A, Anchor, I
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.rule import Rule

OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
PRIVATE = (
    rf"(?:10\.{OCTET}|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])"
    rf"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.{OCTET}\.{OCTET}"
)  # RFC 1918, 3927, 6598
FIRST_OCTETS = (
    rb"1(?:0\.[0-9]{1,3}|92\.168|69\.254|72\.(?:1[6-9]|2[0-9]|3[01])|00\.(?:6[4-9]|[7-9][0-9]|1[012][0-9]))"
    rb"\.[0-9]{1,3}\.[0-9]"
)
DASHED = rf"(?:10-{OCTET}|192-168|172-(?:1[6-9]|2\d|3[01]))-{OCTET}-{OCTET}"
REVERSED = rf"(?:(?:{OCTET}\.){{1,3}}10|(?:{OCTET}\.){{0,2}}(?:168\.192|254\.169|(?:1[6-9]|2\d|3[01])\.172))"
INTERFACE = r"-(?:eth|ens|enp|eno|br|bond|veth|tap|vlan|wlan|lo|node|host)"
HEX = "[0-9a-fA-F]"
ADDRESS = re.compile(
    r"1(?<!\d1)(?:0|92\.168|69\.254|72\.(?:1[6-9]|2\d|3[01])|00\.(?:6[4-9]|[7-9]\d|1[012]\d))\.(?=\d)", A
)
LONGEST_NODE = 12
NODE = re.compile(r"(?<![A-Za-z0-9])(?:node|host|server|vm|ip|addr|compute|controller)[_-]\Z", I)
# A version without a revision looks like an address.  Text before it tells: dependencies, and messages of apt and dpkg.
DEPENDENCY = re.compile(r"\((?:>=|<=|<<|>>|=|>|<)\s?\Z")
NAMED_VERSION = re.compile(r"\bversion(?::? |=[\"']?)\Z", I)
FETCHED = re.compile(r"\bGet:\d+ \S+ \S+ \S+ \S+ \S+ \Z", A)
INSTALLED = re.compile(r"(?:\b(?:Setting up|Unpacking|Removing|Installing|Selecting) \S+ (?:\S+ )?|\bover )\(\Z", A)
CHANGED = re.compile(r"\S+ \(\S+\) [\w, -]+; urgency=", A)
BEFORE = 300
# foo@bar.service is a unit of systemd, en@quot.header a file of gettext, logo@2x.png an image.
NO_TOP = (
    "service|socket|timer|target|mount|automount|path|slice|scope|device|swap|header|html?|txt|log|xml|json|yaml|yml|conf|cfg|"
    "png|jpe?g|gif|svg|css|mjs|tsx?|jsx?|cjs|map|tgz|zip|deb|udeb|dsc|changes|patch|diff|sed|sin|pot?|gmo|class|jar|java|"
    "cpp|hpp|bin|exe|dll|lib|tar|bak|tmp|old|orig|swp|pem|crt|key|git|python|perl|override|preset|link|network|netdev"
)
# A name of several labels whose last is no ending of a file; a package of Java begins with a top-level domain.
# What every such name begins with comes first, so that most of what is none ends there.
DOMAIN = (
    rf"(?=[\w-]+\.[\w-][\w.-])(?!(?:com|org|net|java|javax|io)\.)(?:[\w-]+\.)+(?!(?:{NO_TOP})(?![\w-]))(?:[^\W\d_]{{2,24}}|xn--[\w-]+)"
    r"(?![\w-]|\.(?!(?:txt|log|xml|json|html?|eml|gz|xz|csv|pem|key|crt|conf|ya?ml|tar|tgz|zip|asc)(?!\w))\w)"
)


def of_places(
    pseudonyms: Pseudonyms, hosts: Iterable[str], domains: Iterable[str], public: frozenset[str]
) -> Iterable[Rule]:
    """Yield the rules of machines, addresses and users."""

    def node(text: str) -> str:
        return text if text.lower() in public else pseudonyms.name("node", text)

    for domain in domains:
        pattern = rf"(?<![\w.-])(?:[\w.-]*\.)?{re.escape(domain)}(?!\w)"
        yield Rule("private-host", re.compile(pattern, I), words=(domain,), shown=node)
    for host in hosts:
        yield Rule("private-host", re.compile(rf"(?<!\w){re.escape(host)}(?!\w)", I), words=(host,), shown=node)
    # Not in a version (10.0.1.2-1), but in a range of addresses (10.0.1.2-10.0.1.9).
    single = (
        rf"(?<![\w.+~-])(?P<value>{PRIVATE})(?:-(?P<value2>{PRIVATE}))?(?={INTERFACE}|(?![\w+~-]|\.\d))"
        rf"|(?<=[A-Za-z][_-])(?P<value3>{PRIVATE})(?![\d.])"
    )
    yield Rule(
        "private-address", re.compile(single, A), probe=re.compile(FIRST_OCTETS), anchor=Anchor(_addresses),
        shown=node, harmless=_is_no_address,
    )  # fmt: skip
    dashed = rf"(?<![\w-])(?i:ip|node|host)-(?P<value>{DASHED})(?![\w-]?\d)"
    probe = re.compile(rb"-1(?:0-[0-9]{1,3}|92-168|72-[123][0-9])-[0-9]{1,3}-[0-9]")
    yield Rule("private-address", re.compile(dashed, A), probe=probe, shown=node)
    reverse = rf"(?<![\w.])(?P<value>{REVERSED}\.in-addr\.arpa)"
    yield Rule("private-address", re.compile(reverse, I), programs=("arpa",), shown=node)
    sixth = r"(?<![\w:.])(?:f[cd][0-9a-f]{2}|fe[89ab][0-9a-f])(?::[0-9a-f]{0,4}){2,7}(?![\w:])"
    yield Rule(
        "private-address", re.compile(sixth, I), probe=re.compile(rb"f[cde89ab][0-9a-f]{2}:[0-9a-f:]"), shown=node
    )
    yield from _cards(pseudonyms)
    yield from _users(pseudonyms)


@lru_cache(4)
def _addresses(line: str) -> tuple[int, ...]:
    """Return the places where private addresses can begin in a line."""
    return tuple(match.start() for match in ADDRESS.finditer(line))


def _is_no_address(match: re.Match[str], _: str) -> bool:
    """Return whether a match is a version, or a part of a name that is none of a machine."""
    line, at = match.string, match.start()
    first = max(0, at - BEFORE)
    if match["value3"]:
        return not NODE.search(line, max(0, at - LONGEST_NODE), at)
    end = match.end("value")
    before, after = line[at - 1 : at], line[end : end + 2]
    if before == "(":
        return after[:1] == ")" and bool(INSTALLED.search(line, first, at) or CHANGED.match(line))
    if DEPENDENCY.search(line, max(0, at - 4), at):
        return after[:1] == ")"
    if before == "/":  # a repository of Maven: derby/10.1.1.0/derby-10.1.1.0.pom
        return after[:1] == "/" and f"-{match['value']}." in line[end:]
    if NAMED_VERSION.search(line, max(0, at - 9), at):
        return not re.match(r"[\w.]", after)
    return before == " " and after == " [" and bool(FETCHED.search(line, first, at))


def _cards(pseudonyms: Pseudonyms) -> Iterable[Rule]:
    """Yield the rules of the addresses of network cards: 52:54:00:ab:cd:ef, 52-54-..., 5254.00ab.cdef."""

    def card(text: str) -> str:
        return pseudonyms.name("mac", text)

    for mark in (":", "-"):
        pattern = rf"(?<![\w:-]){HEX}{{2}}(?:{mark}{HEX}{{2}}){{5}}(?![\w:-])"
        probe = re.compile((mark + f"{mark}".join(["[0-9a-f]{2}"] * 4) + mark).encode())
        yield Rule("mac", re.compile(pattern, A), probe=probe, shown=card)
    dotted = rf"(?<![\w.-])(?=[\d.]*[a-fA-F]){HEX}{{4}}\.{HEX}{{4}}\.{HEX}{{4}}(?![\w.-])"
    yield Rule("mac", re.compile(dotted, A), probe=re.compile(rb"\.[0-9a-f]{4}\.[0-9a-f]{4}"), shown=card)


def _users(pseudonyms: Pseudonyms) -> Iterable[Rule]:
    """Yield the rules of users: home directories, ``~NAME``, and what id(1) prints."""

    def user(text: str) -> str:
        return pseudonyms.name("user", text)

    name = r"(?P<value>(?!user-[0-9a-f]{6}\b)[A-Za-z0-9_][\w.-]*)"
    home = rf"(?:/home\\?/|/Users/|C(?<=\bC):\\+Users\\+){name}"
    yield Rule(
        "home",
        re.compile(home, A),
        words=("home",),
        programs=("users",),
        follows=re.compile(rb"\\{0,4}/|\\"),
        shown=user,
    )
    tilde = rf"(?:(?<=[\s\"'=(\[])|^)~{name}(?=[/\s\"']|$)"
    yield Rule(
        "home", re.compile(tilde, A), probe=re.compile(rb"~(?<![^\s\"'=(\[]~)[a-z_][a-z0-9_.-]*[/\s\"']"), shown=user
    )
    identity = rf"\be?[ug]id=[1-9]\d{{3,}}\({name}\)"
    yield Rule(
        "home", re.compile(identity, A), words=("id=",), follows=re.compile(rb"(?<=[ug]id=)[1-9][0-9]{3}"), shown=user
    )


def emails() -> Iterable[Rule]:
    """Yield the rules of mail addresses: the part before the @ is hidden, which a URL can write as %40."""
    plain = rf"(?<![\w.+-])(?P<value>(?!git@)[\w.+-]+)@(?={DOMAIN})"
    quoted = rf"(?:(?<=mailto:)|(?<![\w.+%-]))(?P<value>[\w.+-]+)%40(?={DOMAIN})"
    yield Rule("email", re.compile(plain, re.IGNORECASE), probe=re.compile(rb"@[^\s@/]{1,64}\.[^\s./]"), shown=_mask)
    yield Rule("email", re.compile(quoted, re.IGNORECASE), words=("%40",), shown=_mask)


def _mask(_: str) -> str:
    return "***"
