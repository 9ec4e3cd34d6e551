"""Names of settings whose value is a secret.

The list is the union of two reference lists: the keys that `oslo_utils.strutils.mask_password` masks (OpenStack), and
the words of the rule ``generic-api-key`` of gitleaks.  A name says what its value is with its last words:
``admin_password`` is a secret, ``password_min_length`` is not.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from itertools import islice
from typing import Final

from lab.results.secrets.pattern import I

# Endings of a name that is about a secret, and whose value is none.
HARMLESS_ENDINGS: Final = (
    "count|counts|length|len|size|sizes|min|max|limit|limits|types?|kind|file|files|filename|path|paths|dir|directory|"
    "keyrings?|plugins?|drivers?|backends?|providers?|polic(?:y|ies)|format|algorithms?|alg|rounds|ttl|expiry|expires(?:_?(?:in|at))?|"
    "expiration|expire|expired|lifetime|age|days|hours|minutes|seconds|timeout|retries|attempts|interval|names?|url|uri|"
    "endpoint|headers?|fields?|column|prompt|hint|label|class|methods?|mode|status|required|enabled|disabled|allowed|"
    "valid|version|store|manager|cache|bits|strength|complexity|history|index|position|offset|usage|used|left|remaining|"
    "py|pyc|pyi|js|ts|c|h|cc|cpp|hpp|o|so|a|txt|rst|md|html?|css|log|json|ya?ml|toml|conf|cfg|ini|sh|pl|pm|go|rs|rb|java|class|xml|"
    "budget|window|accessor|renewable|duration|refs?|href|rotation|reset|creation|generation|validation|handling|support"
)
# Each alternative begins with a letter, and a condition on what is before it follows: that is faster.
_PLAIN: Final = r"pass(?:w(?:or)?d|phrase|code)|pswd|secret|credential"
# Kinds of keys that are secrets.  A public key is none, nor is the key of a table or a cache.
_OF_KEYS: Final = (
    r"api|app|application|access|auth|private|fernet|secret|signing|encryption|encrypted|decryption|master|account|shared|"
    r"storage|license|deploy|service|webhook|session|ssl|tls|admin|root|user|client|server|consumer|token|bot|registration|hmac|jwt|crypto|"
    r"cipher|aes|subscription|functions|vault|recovery|unseal|tempurl|temp_url|heartbeat|transport|sops"
)
_OF_SERVICES: Final = "ceph|octavia|pacemaker|designate|heat"
_KEYS: Final = (
    rf"(?:{_OF_KEYS})[_-]key"
    r"|(?:api|access|secret|master|encryption|signing)[ ]key|(?:api|access|private|fernet|secret|ssl|signing|encryption|account)key"
    rf"|(?:{_OF_SERVICES})[a-z]{{0,16}}key|auth(?<![a-z]auth)key|migrationsshkey"
)
_OTHERS: Final = r"(?:rabbit|erlang|cluster)_?cookie|swift_?hash(?:_path_)?(?:suffix|prefix)|(?:barbican)?simple_?crypto_?kek|cephclusterfsid|configdrive"
# `pass` and `pw` are words of their own, so they need a beginning: DB_PASS, adminPass, userpass.
_SHORT: Final = (
    r"pass(?![a-z])(?:(?<=[_.-]pass)|(?<=adminpass)|(?<=userpass)|(?<=rootpass)|(?<=dbpass)|(?<=newpass)|(?<=oldpass)|"
    r"(?<=sslpass)|(?<=storepass)|(?<=keypass)|(?<=rabbitpass)|(?<=sshpass)(?==)|(?-i:(?<=[a-z0-9]Pass))|(?-i:(?<![A-Za-z0-9_.-]PASS)(?<=PASS)(?==(?!\d{1,5}(?!\w)))))"
    r"|pw(?<![a-z0-9]pw)d?(?![a-z0-9])|pwd(?-i:(?<=[A-Z0-9]PWD)(?<!OLDPWD))(?=[\"']?\s?[:=]\s?[\"']?[^\s/\"'])"
)
WORD: Final = rf"(?:{_PLAIN}|token(?<!publickeytoken)|{_KEYS}|{_SHORT}|{_OTHERS})"
# The public key token of an assembly of .NET is no secret.  "unexpected token: x" is the word of a compiler, X-Auth-Token is a name.
WORD_BEFORE_COLON: Final = rf"""(?:{_PLAIN}|token(?<!publickeytoken)(?<=[\w"'-]token)|{_KEYS}|{_SHORT}|{_OTHERS})"""
# The rest of a name: a number, or more words that do not end with one of the harmless endings.
ENDING: Final = (
    # max_tokens=512 is a number of tokens.
    r"(?!s[\"'\])]{0,3}\s{0,60}[:=]\s{0,4}[\"']?\d{1,9}(?!\w|\.\w))"
    rf"s?\d{{0,3}}(?:(?:[_.-]|(?-i:(?<=[a-z])(?=[A-Z])))(?!(?:\w{{0,30}}(?:[_.-]|(?-i:(?<=[a-z])(?=[A-Z]))))?"
    rf"(?:{HARMLESS_ENDINGS})(?![a-z]))[\w.-]{{0,40}})?"
    r"(?![\w-])"
)
NAME: Final = WORD + ENDING
NAME_BEFORE_COLON: Final = WORD_BEFORE_COLON + ENDING
_NAME: Final = re.compile(NAME, I)
_BEFORE: Final = re.compile(r"[\w ./:-]*", I)
# What a line contains that has such a name; in lower case.  The rare ones are words of their own.
WORDS: Final = ("pass", "pw", "secret", "token", "key", "credential")
RARE_WORDS: Final = ("rabbitcookie", "clustercookie", "cookie", "swift", "swifthash", "swifthashsuffix", "swifthashprefix", "kek", "barbicansimplecryptokek",
                     "simplecryptokek", "cephclusterfsid", "configdrive", "pswd")  # fmt: skip

# Of these in one line; of 50 MB of logs and sources, the line with most has 24.
MOST_WORDS: Final = 64
_CROWD: Final = (*WORDS, "cookie", "pswd")
# A mark is no word, nor is `keystone` one.
_WORDS: Final = re.compile(
    r"\[redacted:[^\]\n]*\]|(" + "|".join(_CROWD).replace("key", "key(?!s[a-z]|[a-rt-z])") + ")",
)
# What each name begins with, and what the first word of each other name ends with; in lower case.
_LAST: Final = frozenset({"key", "cookie", "kek"})
# Both; in this form and without IGNORECASE it is found twenty times as fast.
_ANY: Final = re.compile("p(?:ass|swd|w)|s(?:ecret|wift)|c(?:redential|ephcluster|onfigdrive|ookie)|token|ke[yk]")
_ENDED: Final = re.compile(f"(?={_KEYS}|{_OTHERS})")
_LONGEST_WORD: Final = 28
# A word that ends with one of these, read from its end to where a name can begin: a search forwards costs more.
_BACKWARDS: Final = re.compile(
    f"yek(?=[_ -]?(?:{_OF_KEYS[::-1]})|[a-z]{{0,16}}?(?:{_OF_SERVICES[::-1]})|hssnoitargim)[_ -]?[a-z]*(?:_pmet)?"
    "|eikooc_?(?:tibbar|gnalre|retsulc)|kek_?otpyrc_?elpmis(?:nacibrab)?"
)
# A name ends soon after its part.
_WORD_ENDS: Final = re.compile(r"[\w-]{0,80}+(?![\w-])", I)
_GOES_ON: Final = re.compile(r"s[a-z]|[a-rt-z]")
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@lru_cache(1 << 11)  # the lines of a block are asked for their names up to three times
def starts(text: str) -> tuple[int, ...]:
    """Return the places where names of secrets begin in a text."""
    first = _ANY.search(_lower(text))
    if not first:
        return ()
    # Logs have the same texts from a name on again and again, and what is two words before it does not matter.
    begin = max(first.start() - _LONGEST_WORD, text.rfind(" ", 0, max(text.rfind(" ", 0, first.start()), 0)), 0)
    found = _starts(text[begin:])
    return tuple([begin + at for at in found]) if begin else found


@lru_cache(1 << 11)
def _starts(text: str) -> tuple[int, ...]:
    low, found, match = _lower(text), set[int](), None
    while match := _ANY.search(low, match.start() + 1 if match else 0):
        end = match.end()
        if match[0] not in _LAST:
            if _WORD_ENDS.match(text, end):
                found.add(match.start())
        elif not _GOES_ON.match(text, end) and (
            backwards := _BACKWARDS.match(low[max(0, end - _LONGEST_WORD) : end][::-1])
        ):
            found.update(each.start() for each in _ENDED.finditer(low, end - backwards.end(), end))
    return tuple(at for at in sorted(found) if _NAME.match(text, at))


def _lower(text: str) -> str:
    """Return a text with ASCII's letters in lower case."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def crowded(text: str) -> tuple[int, int] | None:
    """Return where the words of names in a text are half too many and too many, or None.

    Such a text is none that people write or programs need, and the search in it would take long.
    """
    low = _lower(text)
    if sum(map(low.count, _CROWD)) <= MOST_WORDS:
        return None
    found = islice((match.start() for match in _WORDS.finditer(low) if match.lastindex), MOST_WORDS + 1)
    places = list(found)
    return (places[MOST_WORDS // 2], places[-1]) if len(places) > MOST_WORDS else None


@lru_cache(1 << 11)  # tables have the same cells again and again
def is_secret(name: str) -> bool:
    """Return whether the value of a setting with this name is a secret."""
    return any(
        _NAME.fullmatch(text, at) and _BEFORE.fullmatch(text, 0, at)
        for text in {name.strip(), name.strip().replace(" ", "_")}
        for at in starts(text)
    )
