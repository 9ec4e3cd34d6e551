"""Patterns of secrets: the only table, for text that a public bundle hides and text that a job must not contain.

A pattern's groups ``value``, ``value2`` ... are the secret; without such a group all of the match is.  ``sure`` patterns
have a form that nothing else has.  A ``guess`` hides too much rather than too little: it is for logs alone, since in a
job it would refuse what is right (a file's name, a counter of tokens).
"""

from __future__ import annotations

import re

from lab.results.secrets.commands import COMMANDS
from lab.results.secrets.notations import NOTATIONS
from lab.results.secrets.pattern import LOGIN, SecretPattern, labelled
from lab.results.secrets.sentences import SENTENCES
from lab.results.secrets.settings import SETTINGS, VARIABLES
from lab.results.secrets.tokens import HASHES, TOKENS

PRIVATE_KEY = SecretPattern(
    "private-key",
    "a private key",
    re.compile(r"---- ?-?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-? ?----(?:.*?---- ?-?END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-? ?----|.*)"),
    programs=("private key",),
    sure=True,
)  # fmt: skip
_AUTHORIZATION = r"\bauthorization[\"']?\s*[:=]\s*\\{0,8}[\"']?\\?\s*(?:(?:basic|bearer|token|digest|negotiate|apikey)[\s\\]+)?(?P<value>[^\s\"'][^\"'\n]*)"
AT = rb"://[^\s/@]{0,256}(?:@|:[^\s]{1,256}@)"
HEADERS = (
    # The last @ ends the password, which can contain any character; a port is no password.
    labelled("url-password", "a password in a URL", r"://[^\s/@:\"'<>\[]*:(?P<value>(?!\d{1,5}[/?#])(?:(?!://)[^\s\"<>]){1,256})@(?=[\w\[])", probe=AT),
    labelled("url-token", "a token in a URL", r"https?://(?P<value>[^\s/@:\"'<>]+)(?::(?:x-oauth-basic)?)?@", probe=AT, guess=True),
    labelled("header", "a secret in a header", _AUTHORIZATION, programs=("authorization",), follows=rb"[\"']?\s*[:=]"),
    labelled("header", "a cookie in a header", r"\b(?:set-)?cookie2?[\"']?\s*:\s*[\"']?(?P<value>[^\s\"'][^\"'\n]*)", programs=("cookie", "cookie2"), follows=rb"[\"']?\s*:"),
    labelled("header", "a secret in a header", r"\bx-(?:jfrog-art-api|gerrit-auth|auth-key)[\"']?\s*[:=]\s*[\"']?(?P<value>[^\s\"',]+)", programs=("x-jfrog-art-api", "x-gerrit-auth", "x-auth-key"), follows=rb"[\"']?\s*[:=]"),
    labelled("header", "a secret in a header", r"\bbearer\s+(?P<value>(?=[A-Za-z+/_.-]*[0-9=])[A-Za-z0-9+/_.~-]{12,}={0,2})", programs=("bearer",), follows=rb"\s+[a-z0-9+/_.~-]{12}", guess=True),
    labelled("header", "a secret in a header", rf"\bbasic\s+(?P<value>{LOGIN})", programs=("basic",), follows=rb"\s+[a-z0-9+/]{12}", guess=True),
    labelled("header", "a secret in a header", r"\b(?:ntlm|negotiate|kerberos)\s+(?P<value>(?-i:TlRM|YI|oY|oU)[A-Za-z0-9+/]{16,}={0,2})(?![\w.-])", programs=("ntlm", "negotiate", "kerberos"), follows=rb"\s+(?:tlrm|yi|oy|ou)[a-z0-9+/]{16}", guess=True),
)  # fmt: skip
# In the order of their rank: where two overlap, the first one's mark stands.
LABELLED = (*HEADERS, *COMMANDS, *NOTATIONS, *SETTINGS, *SENTENCES, *HASHES)
PATTERNS = (PRIVATE_KEY, *TOKENS, *LABELLED)
# A variable is a setting too: the redactor needs no pattern of its own for it.
EXACT = (*(pattern for pattern in PATTERNS if not pattern.guess), *VARIABLES)
