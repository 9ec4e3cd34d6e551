r"""Text within a line in the notation of another text: a secret in it has other separators than in plain text.

- Lines of a text in a string: ``\n`` in JSON, in repr(), in a log of JSON.
- A quote in a quoted argument of a shell: ``'\''``.
- Quotes as HTML and some writers of JSON have them: ``&quot;``, ``\u0022``.
- URL-encoded text, also if it is encoded twice or three times.

Each is redacted as the text that it stands for.  Only where that hides something is it shown, in plain form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from reports.redact import plain_text

# A separator of settings, a blank, a quote, a bar or a line end; not the epoch of a package, as in xauth_1%3a1.1.2-1.
PERCENT = re.compile(r"%(?<!_\d%)(?:25){0,2}(?:3[AaDd]|2[027]|7[Cc]|0[Aa])")
# With the end of the string, which is no part of its last line.
LINE_END = re.compile(r"(\\{1,3}[nr]|[\"'][\]}),]*\s*\Z)")
BACKSLASH = re.compile(r"\\(?:[nr']|u002[27])")  # one pattern for each sign: a search for a sign alone is fast
KEY = "PRIVATE KEY"
ENTITY = re.compile("&(?:quot|apos|#0?3[49]|#x2[27]);", re.IGNORECASE)
QUOTES = (
    ("'", re.compile(r"'\\''|&(?:apos|#0?39|#x27);|\\u0027", re.IGNORECASE)),
    ('"', re.compile(r"&(?:quot|#0?34|#x22);|\\u0022", re.IGNORECASE)),
)
MOST_PIECES = 400
Redact = Callable[[str], Sequence[str]]


def lines(text: str) -> set[int]:
    """Return the indexes of the lines that can have such a text in them."""
    found = set[int]()
    for sign, pattern in (("\\", BACKSLASH), ("%", PERCENT), ("&", ENTITY)):
        index = at = 0
        for match in pattern.finditer(text) if sign in text else ():
            index += text.count("\n", at, match.start())
            at = match.start()
            found.add(index)
    return found


def shown(line: str, redact: Redact) -> str:
    """Return a line with the texts in it redacted.  ``redact``: the redacted lines of a text of several lines."""
    pieces = LINE_END.split(line) if "\\n" in line or "\\r" in line else []
    if 1 < len(pieces) <= MOST_PIECES and KEY not in line:  # a key in one line has a rule, which shows what is after it
        pieces[::2] = redact("\n".join(pieces[::2]))
        line = "".join(pieces)
    plain = line
    for quote, pattern in QUOTES:
        plain = pattern.sub(quote, plain)
    if plain != line:
        (told,) = redact(plain)
        line = line if told == plain else told
    if "%" in line and PERCENT.search(line):
        plain = plain_text.bare(plain_text.clean(unquote(line)))
        lines = redact(plain)
        line = line if "\n".join(lines) == plain else "%0A".join(lines)
    return line
