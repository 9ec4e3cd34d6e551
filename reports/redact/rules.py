"""The rules: what is hidden in a line, and what stands in its place.

A rule looks at a line only when one of its ``words`` (in any case) is in it, where ``follows`` matches, if it has
that; or its ``probe`` is.  Most lines of a log have none.  What is hidden is the groups ``value``, ``value2`` ... of the pattern, else all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from lab.description import Lab
from lab.publication import HiddenPattern
from reports.redact.known import Secret, core, forms
from reports.redact.pseudonyms import Pseudonyms

SHORTEST_CORE = 4
KEY_BEGINS = "-----BEGIN "


@dataclass(frozen=True)
class Rule:
    """``sure``: a hit in a finished bundle holds it back.  ``shown``: what stands in the place of what is hidden."""

    name: str
    pattern: re.Pattern[str]
    words: tuple[str, ...] = ()
    follows: re.Pattern[bytes] | None = None
    probe: re.Pattern[bytes] | None = None
    sure: bool = False
    shown: Callable[[str], str] | None = None

    @cached_property
    def groups(self) -> tuple[int | str, ...]:
        """The groups of the pattern that are hidden."""
        return tuple(name for name in self.pattern.groupindex if name.startswith("value")) or (0,)

    def wants(self, low: bytes) -> bool:
        """Whether it may find something in these bytes, which are in lower case."""
        if self.probe:
            return bool(self.probe.search(low))
        return not self.words or any(word.encode().lower() in low for word in self.words)

    def leaves(self, text: str) -> bool:
        """Whether it has nothing else to show for a text: what is public, though it is of a private domain."""
        return self.shown is not None and self.shown(text) == text

    def instead(self, hidden: str) -> str:
        return self.shown(hidden) if self.shown else f"[REDACTED:{self.name}]"


# What stands where a secret may stand and is none: a mark of ours, a variable, a mask, a word of programs.
HARMLESS = re.compile(
    r"\[REDACTED:.*|\$\{?[A-Z_][A-Z0-9_]*\}?|\$\(.*|%\w+%|\*+|<[^>]*>|"
    r"(?i:true|false|yes|no|none|null|nil|str|string|bytes|ok|passed|failed|error|skipped)",
    re.DOTALL,
)

NAMES = r"(?:passw(?:or)?d|passphrase|secret|{}|api[_-]?key|(?:access|auth|private|fernet)[_-]?key|credentials?)"
NAMED = NAMES.format("token")
NAMED_PLAINLY = NAMES.format("""(?<=[\\w"'-])token""")  # "unexpected token: x" is a compiler's word
NAME_WORDS = ("passw", "passphrase", "secret", "token", "key", "credential")
OPTION = rb"--[a-z-]*(?:passw|passphrase|secret|token|key|credential)"
SET = rb"[\w.-]{0,60}[\"'\\\]]*\s{0,40}(?:=|\+=|:(?!:))"  # what follows a word where a value is set
ELEMENT = rb"<[\w.-]{0,40}(?:passw|passphrase|secret|token|key|credential)[^<>]{0,80}>"
VALUE = (
    r"""(?:"(?P<value>(?:[^"\\]|\\.)+)|'(?P<value2>(?:[^'\\]|\\.|'\\'')+)|\\+["'](?P<value3>.+?)(?=\\+["']|$)"""
    r"""|(?P<value4>[^\s"'\\<]\S*?)(?=["'`]?[,;)\]}]*["'`]?(?:\s|$|</)))"""
)
A, I = re.ASCII, re.ASCII | re.IGNORECASE  # noqa: E741 - as in re
OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
PRIVATE = (
    rf"(?:10\.{OCTET}|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])"
    rf"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.{OCTET}\.{OCTET}"
)  # RFC 1918, 3927, 6598
HEX = "[0-9a-fA-F]"
# Domains that addresses of mail end in: foo@bar.service is a unit of systemd, en@quot.header a file of gettext.
TOP = (
    "(?:[a-z]{2}|com|org|net|edu|gov|mil|int|info|biz|name|pro|dev|app|cloud|tech|email|example|test|invalid|"
    "local|lan|internal|home|corp)"
)

# In the order of their rank: where two overlap, the first one's mark stands.
PRIVATE_KEY = Rule(
    "private-key",
    re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|.*)"),
    ("private key",),
    sure=True,
)  # fmt: skip
TOKENS = (
    ("github-token", r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})", (), rb"gh[pousr]_|github_pat_"),
    ("gitlab-token", r"gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}", (), rb"gl(?:pat|dt|rt|cbt|ptt)-"),
    ("aws-key", r"(?:AKIA|ASIA)[A-Z0-9]{16}", ("akia", "asia"), None),
    ("slack-token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", ("xox",), None),
    ("slack-webhook", r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/\w{20,}", ("hooks.slack.com",), None),
    ("google-key", r"AIza[A-Za-z0-9_-]{35}", ("aiza",), None),
    ("pypi-token", r"pypi-AgEI[A-Za-z0-9_-]{40,}", ("pypi-agei",), None),
    ("npm-token", r"npm_[A-Za-z0-9]{36}", ("npm_",), None),
    ("docker-token", r"dckr_pat_[A-Za-z0-9_-]{20,}", ("dckr_pat_",), None),
    ("encoded-key", r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}={0,2}", ("ls0tls1crudjti",), None),  # -----BEGIN, in base64
    ("web-token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", ("eyj",), None),
    ("fernet-token", r"gAAAAA[A-Za-z0-9_-]{60,}={0,2}", ("gaaaaa",), None),
)  # fmt: skip
CREDENTIALS = (
    ("url-password", r"://[^\s/@:\"'<>\[]*:(?P<value>[^\s/\"'<>]+)@", (), rb"://[^\s/@]*@"),
    ("url-token", r"https?://(?P<value>[^\s/@:\"'<>]+)@", (), rb"://[^\s/@]*@"),
    ("header", r"\bauthorization[\"']?\s*[:=]\s*\\*[\"']?\\?\s*(?:(?:basic|bearer|token|digest|negotiate|apikey)[\s\\]+)?(?P<value>[^\s\"'][^\"'\n]*)", ("authorization",), None),
    ("header", r"\b(?:set-)?cookie2?[\"']?\s*:\s*[\"']?(?P<value>[^\s\"'][^\"'\n]*)", ("cookie",), None),
    ("header", r"\b(?:basic|bearer)\s+(?P<value>(?=[A-Za-z+/_.-]*[0-9=])[A-Za-z0-9+/_.~-]{12,}={0,2})", ("basic", "bearer"), None),
    ("curl-user", r"\bcurl\b.*?\s(?:-u|--user|-U|--proxy-user)(?:[ =]*|\s+)[\"']?[^\s:\"'$]+:(?P<value>[^\s\"']+)", ("curl",), None),
    ("option", rf"--[a-z-]{{0,40}}{NAMED}\s+(?!-){VALUE}", (), OPTION),
    ("option", r"\bsshpass\s+-p\s*[\"']?(?P<value>[^\s\"']+)", ("sshpass",), None),
    ("option", r"\b(?:mysql|mariadb)\w*\b.*?\s-p(?P<value>[^\s\"']+)", ("mysql", "mariadb"), None),
    ("netrc", r"\blogin\s+\S+\s+password\s+(?P<value>\S+)", ("passw",), None),
    ("credential", rf"^\s*[\w.-]{{0,60}}{NAMED}[\w.-]{{0,40}}\s{{1,40}}=\s+(?P<value>[^\s\"'].*?)\s*$", NAME_WORDS, SET),
    ("credential", rf"{NAMED}[\w.-]{{0,40}}\\*[\"']?\]?\s{{0,4}}(?:=>|[:+]=|=(?!=))\s{{0,4}}{VALUE}", NAME_WORDS, SET),
    ("credential", rf"{NAMED_PLAINLY}[\w.-]{{0,40}}(?:\\*[\"']\s?:\s{{0,4}}|\s?:\s{{1,4}}){VALUE}", NAME_WORDS, SET),
    ("credential", rf"\b(?:password|passphrase|secret):(?!:){VALUE}", ("passw", "passphrase", "secret"), SET),
    ("credential", rf"<(?:[\w.-]{{0,40}})?{NAMED}\b[^<>]{{0,80}}>(?P<value>[^<\n]+)", (), ELEMENT),
    ("password-hash", r"\$(?:1|2[abxy]?|5|6|y|7)\$[./A-Za-z0-9$,=]{20,}", (), rb"\$[1-7y][abxy]?\$"),
    ("jenkins-token", r"(?<![A-Za-z0-9])11[0-9a-f]{32}(?![A-Za-z0-9])", (), rb"11[0-9a-f]{32}"),
)  # fmt: skip


def of_lab(lab: Lab, secrets: Iterable[Secret], pseudonyms: Pseudonyms, hosts: Iterable[str] = ()) -> tuple[Rule, ...]:
    """All the rules of a lab, by rank.  ``hosts``: private machines beside those that lab.yaml names."""
    publish = lab.publish
    public = {_host(url) for url in (lab.public.site_url if lab.public else None,
                                     lab.public.jenkins.url if lab.public and lab.public.jenkins else None)}  # fmt: skip
    private = {*publish.hosts, *(name.lower() for name in hosts), _host(lab.jenkins.url if lab.jenkins else None)}
    return (
        *of_secrets(secrets),
        PRIVATE_KEY,
        *(
            _rule(name, re.compile(rf"(?<![A-Za-z0-9]){pattern}", A), words, more, sure=True)
            for name, pattern, words, more in TOKENS
        ),
        *map(_of_pattern, publish.patterns),
        *(_rule(name, re.compile(pattern, I), words, more) for name, pattern, words, more in CREDENTIALS),
        *_of_places(pseudonyms, sorted(private - public - {""}), publish.domains, frozenset(public)),
        *([_emails()] if publish.emails == "hide" else []),
    )


def _rule(
    name: str, pattern: re.Pattern[str], words: tuple[str, ...], more: bytes | None, *, sure: bool = False
) -> Rule:
    """``more``: what follows the words, or of a rule without words its probe."""
    also = re.compile(more) if more else None
    return Rule(name, pattern, words, also if words else None, None if words else also, sure=sure)


def of_secrets(secrets: Iterable[Secret]) -> tuple[Rule, ...]:
    """One rule for each secret, whatever form it stands in."""
    return tuple(
        Rule(secret.name, re.compile("|".join(map(re.escape, every))), _cores(every), sure=True)
        for secret in secrets
        if (every := forms(secret.value))
    )


def _cores(every: Iterable[str]) -> tuple[str, ...]:
    """Few words that each form has one of."""
    words = {word if len(word := core(form)) >= SHORTEST_CORE else form for form in every}
    return tuple(sorted(word for word in words if not any(other in word for other in words - {word})))


def _of_pattern(hidden: HiddenPattern) -> Rule:
    return Rule(hidden.name, re.compile(hidden.pattern), hidden.words)


def _of_places(
    pseudonyms: Pseudonyms, hosts: Iterable[str], domains: Iterable[str], public: frozenset[str]
) -> Iterable[Rule]:
    """Machines, addresses and people of the lab: each has a name that says nothing."""

    def node(text: str) -> str:
        return text if text.lower() in public else pseudonyms.name("node", text)

    for domain in domains:
        pattern = rf"(?<![\w.-])(?:[\w.-]*\.)?{re.escape(domain)}(?!\w)"
        yield Rule("private-host", re.compile(pattern, I), (domain,), shown=node)
    for host in hosts:
        yield Rule("private-host", re.compile(rf"(?<!\w){re.escape(host)}(?!\w)", I), (host,), shown=node)
    # Not in a version, 10.0.1.2-1; but in a range of addresses, 10.0.1.2-10.0.1.9.
    single = rf"(?<![\w.+~-])(?P<value>{PRIVATE})(?:-(?P<value2>{PRIVATE}))?(?![\w+~-]|\.\d)"
    probe = re.compile(rb"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
    yield Rule("private-address", re.compile(single, A), probe=probe, shown=node)
    sixth = r"(?<![\w:.])(?:f[cd][0-9a-f]{2}|fe[89ab][0-9a-f])(?::[0-9a-f]{0,4}){2,7}(?![\w:])"
    probe = re.compile(rb"f[cde89ab][0-9a-f]{2}:[0-9a-f:]")
    yield Rule("private-address", re.compile(sixth, I), probe=probe, shown=node)
    for mark in (":", "-"):
        pattern = rf"(?<![\w:-]){HEX}{{2}}(?:{mark}{HEX}{{2}}){{5}}(?![\w:-])"
        probe = re.compile((mark + f"{mark}".join(["[0-9a-f]{2}"] * 4) + mark).encode())
        yield Rule("mac", re.compile(pattern, A), probe=probe, shown=lambda text: pseudonyms.name("mac", text))
    home = r"(?:/home/|/Users/|\bC:\\+Users\\+)(?P<value>(?!user-[0-9a-f]{6}\b)[A-Za-z0-9_][\w.-]*)"
    yield Rule("home", re.compile(home, A), ("/home/", "users"), shown=lambda text: pseudonyms.name("user", text))


def _emails() -> Rule:
    pattern = rf"(?<![\w.+-])(?P<value>(?!git@)[\w.+-]+)@(?=(?:[\w-]+\.)+{TOP}(?![\w-]|\.\w))"
    return Rule("email", re.compile(pattern, I), probe=re.compile(rb"@[a-z0-9.-]+\.[a-z]"), shown=lambda _: "***")


def _host(url: str | None) -> str:
    return (urlsplit(url or "").hostname or "").lower()
