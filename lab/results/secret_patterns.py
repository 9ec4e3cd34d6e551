"""Patterns of secrets: the only table, for text that a public bundle hides and text that a job must not contain.

A pattern's groups ``value``, ``value2`` ... are the secret; without such a group all of the match is.  ``sure`` patterns
have a form that nothing else has.  A ``guess`` hides too much rather than too little: it is for logs alone, since in a
job it would refuse what is right (a file's name, a counter of tokens).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

A, I = re.ASCII, re.ASCII | re.IGNORECASE  # noqa: E741 - as in re


@dataclass(frozen=True)
class SecretPattern:
    """``words`` (any case) or, without them, ``probe`` tell quickly that a line has none.

    ``follows``: what must come after one of the words.  ``what``: the secret, in words.
    """

    name: str
    what: str
    regex: re.Pattern[str]
    words: tuple[str, ...] = ()
    follows: re.Pattern[bytes] | None = None
    probe: re.Pattern[bytes] | None = None
    sure: bool = False
    guess: bool = False


def values(regex: re.Pattern[str]) -> tuple[int | str, ...]:
    """Return the groups of a pattern that are the secret."""
    return tuple(name for name in regex.groupindex if name.startswith("value")) or (0,)


def _token(name: str, what: str, pattern: str, *words: str, probe: bytes = b"") -> SecretPattern:
    regex, quick = re.compile(rf"(?<![A-Za-z0-9]){pattern}", A), re.compile(probe) if probe else None
    return SecretPattern(name, what, regex, words, probe=quick, sure=True)


def _labelled(name: str, what: str, pattern: str, *words: str, more: bytes = b"", guess: bool = False) -> SecretPattern:
    """``more``: what follows the words, or without words the probe."""
    quick = re.compile(more) if more else None
    follows, probe = (quick, None) if words else (None, quick)
    return SecretPattern(name, what, re.compile(pattern, I), words, follows, probe, guess=guess)


NAMES = r"(?:passw(?:or)?d|passphrase|secret|{}|api[_-]?key|(?:access|auth|private|fernet)[_-]?key|credentials?)"
NAMED = NAMES.format("token")
NAMED_PLAINLY = NAMES.format("""(?<=[\\w"'-])token""")  # "unexpected token: x" is a compiler's word
NAME_WORDS = ("passw", "passphrase", "secret", "token", "key", "credential")
VARIABLE = r"(?:[\w.-]{0,60}[_.-])?(?:passw(?:or)?d|passphrase|secret|token|api_?key|(?:secret_|access_)key)"
OPTION = rb"--[a-z-]*(?:passw|passphrase|secret|token|key|credential)"
SET = rb"[\w.-]{0,60}[\"'\\\]]*\s{0,40}(?:=|\+=|:(?!:))"  # what follows a word where a value is set
ELEMENT = rb"<[\w.-]{0,40}(?:passw|passphrase|secret|token|key|credential)[^<>]{0,80}>"
VALUE = (
    r"""(?:"(?P<value>(?:[^"\\]|\\.)+)|'(?P<value2>(?:[^'\\]|\\.|'\\'')+)|\\+["'](?P<value3>.+?)(?=\\+["']|$)"""
    r"""|(?P<value4>[^\s"'\\<]\S*?)(?=["'`]?[,;)\]}]*["'`]?(?:\s|$|</)))"""
)

PRIVATE_KEY = SecretPattern(
    "private-key",
    "a private key",
    re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|.*)"),
    ("private key",),
    sure=True,
)  # fmt: skip
TOKENS = (
    _token("github-token", "a token of GitHub", r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})", probe=rb"gh[pousr]_|github_pat_"),
    _token("gitlab-token", "a token of GitLab", r"gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}", probe=rb"gl(?:pat|dt|rt|cbt|ptt)-"),
    _token("aws-key", "an access key of AWS", r"(?:AKIA|ASIA)[A-Z0-9]{16}", "akia", "asia"),
    _token("slack-token", "a token of Slack", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    _token("slack-webhook", "a webhook of Slack", r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/\w{20,}", "hooks.slack.com"),
    _token("google-key", "a key of Google", r"AIza[A-Za-z0-9_-]{35}", "aiza"),
    _token("pypi-token", "a token of PyPI", r"pypi-AgEI[A-Za-z0-9_-]{40,}", "pypi-agei"),
    _token("npm-token", "a token of npm", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _token("docker-token", "a token of Docker Hub", r"dckr_pat_[A-Za-z0-9_-]{20,}", "dckr_pat_"),
    _token("encoded-key", "a key in base64", r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}={0,2}", "ls0tls1crudjti"),  # -----BEGIN
    _token("web-token", "a JSON web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", "eyj"),
    _token("fernet-token", "a Fernet token", r"gAAAAA[A-Za-z0-9_-]{60,}={0,2}", "gaaaaa"),
)  # fmt: skip
LABELLED = (
    _labelled("url-password", "a password in a URL", r"://[^\s/@:\"'<>\[]*:(?P<value>[^\s/\"'<>]+)@", more=rb"://[^\s/@]*@"),
    _labelled("url-token", "a token in a URL", r"https?://(?P<value>[^\s/@:\"'<>]+)@", more=rb"://[^\s/@]*@", guess=True),
    _labelled("header", "a secret in a header", r"\bauthorization[\"']?\s*[:=]\s*\\*[\"']?\\?\s*(?:(?:basic|bearer|token|digest|negotiate|apikey)[\s\\]+)?(?P<value>[^\s\"'][^\"'\n]*)", "authorization"),
    _labelled("header", "a cookie in a header", r"\b(?:set-)?cookie2?[\"']?\s*:\s*[\"']?(?P<value>[^\s\"'][^\"'\n]*)", "cookie"),
    _labelled("header", "a secret in a header", r"\b(?:basic|bearer)\s+(?P<value>(?=[A-Za-z+/_.-]*[0-9=])[A-Za-z0-9+/_.~-]{12,}={0,2})", "basic", "bearer", guess=True),
    _labelled("curl-user", "a password of curl", r"\bcurl\b.*?\s(?:-u|--user|-U|--proxy-user)(?:[ =]*|\s+)[\"']?[^\s:\"'$]+:(?P<value>[^\s\"']+)", "curl"),
    _labelled("option", "a password in an option", rf"--(?:[a-z]+-){{0,8}}(?:password|passphrase|token|secret|api-key)(?:\s+(?!-)|=(?!=)){VALUE}", more=OPTION),
    _labelled("option", "a password in an option", rf"--[a-z-]{{0,40}}{NAMED}\s+(?!-){VALUE}", more=OPTION, guess=True),
    _labelled("option", "a password of sshpass", r"\bsshpass\s+-p\s*[\"']?(?P<value>[^\s\"']+)", "sshpass"),
    _labelled("option", "a password of a database client", r"\b(?:mysql|mariadb)\w*\b.*?\s-p(?P<value>[^\s\"']+)", "mysql", "mariadb"),
    _labelled("netrc", "a password of netrc", r"\blogin\s+\S+\s+password\s+(?P<value>\S+)", "passw"),
    _labelled("credential", "a secret in a variable", rf"(?<![\w$-]){VARIABLE}=(?!=){VALUE}", *NAME_WORDS, more=SET),
    _labelled("credential", "a secret in a setting", rf"^\s*[\w.-]{{0,60}}{NAMED}[\w.-]{{0,40}}\s{{1,40}}=\s+(?P<value>[^\s\"'].*?)\s*$", *NAME_WORDS, more=SET, guess=True),
    _labelled("credential", "a secret in a setting", rf"{NAMED}[\w.-]{{0,40}}\\*[\"']?\]?\s{{0,4}}(?:=>|[:+]=|=(?!=))\s{{0,4}}{VALUE}", *NAME_WORDS, more=SET, guess=True),
    _labelled("credential", "a secret in a setting", rf"{NAMED_PLAINLY}[\w.-]{{0,40}}(?:\\*[\"']\s?:\s{{0,4}}|\s?:\s{{1,4}}){VALUE}", *NAME_WORDS, more=SET, guess=True),
    _labelled("credential", "a secret in a setting", rf"\b(?:password|passphrase|secret):(?!:){VALUE}", "passw", "passphrase", "secret", more=SET, guess=True),
    _labelled("credential", "a secret in an element", rf"<(?:[\w.-]{{0,40}})?{NAMED}\b[^<>]{{0,80}}>(?P<value>[^<\n]+)", more=ELEMENT, guess=True),
    _labelled("password-hash", "a hash of a password", r"\$(?:1|2[abxy]?|5|6|y|7)\$[./A-Za-z0-9$,=]{20,}", more=rb"\$[1-7y][abxy]?\$"),
    _labelled("jenkins-token", "a token of Jenkins", r"(?<![A-Za-z0-9])11[0-9a-f]{32}(?![A-Za-z0-9])", more=rb"11[0-9a-f]{32}"),
)  # fmt: skip
# In the order of their rank: where two overlap, the first one's mark stands.
PATTERNS = (PRIVATE_KEY, *TOKENS, *LABELLED)
EXACT = tuple(pattern for pattern in PATTERNS if not pattern.guess)
