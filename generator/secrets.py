"""Secrets that stand in a config.xml in plain text, where anybody who may read a job reads them.

What is found is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from generator.canonical import tag_of

HIDDEN = "(hidden)"
HINT = "keep it in Jenkins' credentials and name their id"
# What stands for a secret and is none: a variable, what Jenkins has encrypted, a file that holds it, a mask.
NO_SECRET = re.compile(
    r"\$.*|.*\$[A-Za-z_{(].*|%\w+%|\{AQAA[A-Za-z0-9+/]+=*\}|(?:~|\.{1,2})?/.*|<.*|\**|true|false|yes|no|none|null",
    re.DOTALL,
)
FIELD_OF_ONE = re.compile(r"(?:.*[._a-z])?(?:password|passphrase|passwd|secret|token|apikey|privatekey)", re.IGNORECASE)
NAME_OF_ONE = r"(?:[A-Za-z0-9_.-]*[_.-])?(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|(?:SECRET_|ACCESS_)KEY)"
NAMED = re.compile(NAME_OF_ONE, re.IGNORECASE)
VALUE = r"""(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s"'`;|&()<>]+)"""

# Each with what it is; a group named value must be no variable.
PATTERNS = tuple(
    (what, re.compile(pattern, flags))
    for what, pattern, flags in (
        ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----", 0),
        ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})", 0),
        ("a token of GitLab", r"\bgl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}", 0),
        ("an access key of AWS", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", 0),
        ("a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", 0),
        ("a webhook of Slack", r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/\w{20,}", 0),
        ("a key of Google", r"\bAIza[A-Za-z0-9_-]{35}\b", 0),
        ("a token of PyPI", r"\bpypi-AgEI[A-Za-z0-9_-]{40,}", 0),
        ("a token of npm", r"\bnpm_[A-Za-z0-9]{36}\b", 0),
        ("a token of Docker Hub", r"\bdckr_pat_[A-Za-z0-9_-]{20,}", 0),
        ("a token of Jenkins", r"\b11[0-9a-f]{32}\b", 0),
        ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", 0),
        ("a password in a URL", r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'$]+:(?P<value>[^\s/@\"']+)@", re.IGNORECASE),
        ("a password of curl", rf"\bcurl\b[^\n|;&]*?\s(?:-u|--user|--proxy-user)[ =]*[\"']?[^\s:\"'$]+:{VALUE}", 0),
        ("a password of sshpass", rf"\bsshpass\s+-p\s*{VALUE}", 0),
        (
            "a password in an option",
            rf"--(?:[a-z]+-)*(?:password|passphrase|token|secret|api-key)[ =]{VALUE}",
            re.IGNORECASE,
        ),
        ("a secret in a variable", rf"(?<![\w$-]){NAME_OF_ONE}=(?!=){VALUE}", re.IGNORECASE),
        ("a secret in a header", rf"\bAuthorization:\s*(?:Basic|Bearer|token)\s+{VALUE}", re.IGNORECASE),
    )
)


def of_element(element: etree._Element) -> Iterator[tuple[str, str]]:
    """What is wrong with an element's own text, and what would be right."""
    text = (element.text or "").strip()
    if not text:
        return
    if _names_a_secret(element) and len(element) == 0 and not NO_SECRET.fullmatch(text):
        yield "a secret in plain text", HINT
        return
    for number, line in enumerate((element.text or "").splitlines(), 1):
        for what, pattern in PATTERNS:
            if any(_is_secret(match) for match in pattern.finditer(line)):
                yield f"line {number}: {what} in plain text", HINT


def hidden(field: str, text: str) -> str:
    """A field's text with the secrets in it taken out: fit for the log of a job that everybody may read."""
    if FIELD_OF_ONE.fullmatch(field.rpartition(".")[2]):
        return text if NO_SECRET.fullmatch(text.strip()) else HIDDEN
    for _, pattern in PATTERNS:
        text = pattern.sub(_without, text)
    return text


def _without(match: re.Match[str]) -> str:
    if not _is_secret(match):
        return match[0]
    begin, end = match.span("value" if "value" in match.re.groupindex else 0)
    return match.string[match.start() : begin] + HIDDEN + match.string[end : match.end()]


def _is_secret(match: re.Match[str]) -> bool:
    value = match.groupdict().get("value")
    return value is None or not NO_SECRET.fullmatch(value.strip("\"'"))


def _names_a_secret(element: etree._Element) -> bool:
    """Whether an element holds a secret by its own name, or by the name that stands beside it."""
    tag = tag_of(element)
    if FIELD_OF_ONE.fullmatch(tag.rpartition(".")[2]):
        return True
    owner = element.getparent() if tag in {"defaultValue", "value"} else None
    return owner is not None and (
        "Password" in tag_of(owner) or bool(NAMED.fullmatch(owner.findtext("name", "").strip()))
    )
