"""Secrets in the notations of single programs and protocols."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final

from lab.results.secrets.names import NAME, RARE_WORDS, WORDS, starts
from lab.results.secrets.pattern import LOGIN, VALUE, Anchor, I, SecretPattern, labelled
from lab.results.secrets.settings import SET
from lab.results.secrets.tokens import encoded

WHAT: Final = "a secret in the notation of a program"
TEXT: Final = r"(?:<!\[CDATA\[)?(?P<value>[^<\n]*[^<\s][^<\n]*)"


def _named(pattern: str, *needs: str, before: str = "", reach: int = 0) -> SecretPattern:
    """Return the pattern of a secret after a name that the screen of settings finds, in lines with one of ``needs``."""
    anchor = Anchor(starts, re.compile(before, I | re.DOTALL) if before else None, reach)
    return labelled(
        "credential", WHAT, NAME + pattern, *WORDS,
        programs=RARE_WORDS, follows=SET, needs=needs, guess=True, anchor=anchor,
    )  # fmt: skip


def _by(
    pattern: str,
    *programs: str,
    words: tuple[str, ...] = (),
    follows: bytes = b"",
    needs: tuple[str, ...] = (),
    after: str = "",
) -> SecretPattern:
    return labelled(
        "credential", WHAT, pattern, *words,
        programs=programs, guess=True, follows=follows or None, needs=needs, after=re.compile(after, I) if after else None,
    )  # fmt: skip


def _maps(line: str) -> tuple[int, ...]:
    """Return the places of the data of a Secret of Kubernetes in a line."""
    return tuple(match.start() for match in DATA.finditer(line)) if SECRET.search(line) else ()


def _literals(line: str) -> tuple[int, ...]:
    """Return the places of kubectl's literals in a line, unless they are those of a map without secrets."""
    return () if "configmap" in line else tuple(match.start() for match in LITERAL.finditer(line))


def _blobs(line: str) -> tuple[int, ...]:
    """Return the places of base64 in a line with a setting in it that has the name of a secret."""
    return tuple(match.start() for match in BLOB.finditer(line) if ENCODED.search(match[0]) and _sets(match[0]))


def _sets(blob: str) -> bool:
    text = b64decode(blob[: len(blob.rstrip("=")) // 4 * 4]).decode("latin-1")
    return any(ENCODED_NAME.match(text, at) for at in starts(text))


WORDS_OF_FILES: Final = (
    *("password", "PASSWORD", "passwd", "PASS=", "secret", "SECRET"),
    *("token", "TOKEN", "_key=", "_KEY=", "_key:", '_key"'),
)
ENCODED_WORDS: Final = tuple(each for word in WORDS_OF_FILES for each in encoded(word))
ENCODED: Final = re.compile("|".join(ENCODED_WORDS))
ENCODED_NAME: Final = re.compile(rf"{NAME}[\"']?\s{{0,4}}[:=]\s{{0,4}}[^\s$]", I)
BLOB: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{20,}={0,2}(?![A-Za-z0-9+/])")
_QUOTE: Final = r"\\{0,8}[\"']"
SECRET: Final = re.compile(rf"{_QUOTE}kind{_QUOTE}\s?:\s?{_QUOTE}Secret{_QUOTE}")
DATA: Final = re.compile(rf"{_QUOTE}(?:data|stringData){_QUOTE}\s?:\s?\{{")
LITERAL: Final = re.compile("--from-literal")
QUOTED: Final = r"""(?:"(?P<value>[^"\n]+)"|'(?P<value2>[^'\n]+)'|["']?(?P<value3>[^\s"']+))"""

NOTATIONS: Final[tuple[SecretPattern, ...]] = (
    # Perl's q(), TOML's ''', a change shown by terraform, and Erlang's tuples.
    _named(r"[\"']?\s{0,9}(?:=>?|:|,)\s{0,4}qq?[(\[{|/!](?P<value>[^)\]}|/!\n]+)", "q(", "q[", "q{", "q|", "q/", "q!"),
    _named(r"""[\"']?\s{0,60}[=:]\s{0,4}(?:\"{3}|'{3})(?P<value>[^\n]+?)(?=\"{3}|'{3}|$)""", '"""', "'''"),
    _named(r"[\"']?\s{0,60}[=:]\s{0,4}\S{1,200}+\s+->\s+[\"']?(?P<value>[^\s\"']+)", "->"),
    _named(r"[\"']?\s{0,4},\s{0,4}(?:<<)?[\"'](?P<value>[^\"'\n]+)[\"']", "{", before=r".*\{\s*[\"']?[\w.-]*", reach=60),
    # A map of secrets in one line, to its end.
    _named(r"[\"']?\s{0,60}[=:]\s{0,4}\{\s{0,4}(?P<value>[^}\s][^}\n]*)", "{"),
    _by(r"""\bchpasswd["']?\s?:\s?\{[^\n]{0,200}?\blist["']?\s?:\s{0,4}(?:\[(?P<value>[^\]\n]+)\]|["'](?P<value2>[^"'\n]+)["']|(?P<value3>[^\s,"'\[{}]+))""", "chpasswd", follows=rb"[\"']?[ \t]?:"),
    # Credentials of Keystone, secrets of Barbican and Kubernetes.
    _by(r"""["']blob["']\s{0,4}:\s{0,4}u?(?:"(?P<value>(?:[^"\\\n]|\\.)+)"|'(?P<value2>(?:[^'\\\n]|\\.)+)')""", "blob", follows=rb"[\"'][ \t]{0,4}:"),
    labelled("credential", WHAT, rf"--from-literal(?:=|\s+)[\"']?[\w.-]{{1,253}}={QUOTED}", "--from-literal", guess=True, anchor=Anchor(_literals)),
    _by(rf":_(?:authToken|auth|password)\s+(?!=){QUOTED}", words=(":_auth", ":_password"), follows=rb"(?:token)?[ \t]"),
    labelled("credential", WHAT, DATA.pattern + r"\s?(?P<value>[^{}\n]+)", probe=rb"kind\\{0,8}[\"']", guess=True, anchor=Anchor(_maps)),
    labelled("encoded-credential", "a secret in base64", BLOB.pattern, *ENCODED_WORDS, guess=True, anchor=Anchor(_blobs)),
    # snmpd.conf
    _by(r"(?:^|\s)r[ow]community6?\s+[\"']?(?!public\b)(?P<value>[^\s\"']+)", "rocommunity", "rwcommunity", "rocommunity6", "rwcommunity6"),
    _by(r"(?:^|\s)com2sec6?\s+(?:-Cn\s+\S+\s+)?\S+\s+\S+\s+[\"']?(?!public\b)(?P<value>[^\s\"']+)", "com2sec", "com2sec6"),
    _by(r"(?:^|\s)(?:trap2?|inform)sink\s+\S+\s+[\"']?(?!public\b)(?P<value>[^\s\"']+)", "trapsink", "trap2sink", "informsink"),
    _by(r"(?:^|\s)createuser\s+(?:-e\s+\S+\s+)?\S+\s+(?:md5|sha[\d-]{0,4})\s+[\"']?(?P<value>[^\s\"']+)[\"']?(?:\s+(?:des|aes[\d-]{0,4})\s+[\"']?(?P<value2>[^\s\"']+))?", "createuser"),
    # The list of users of PgBouncer: alone, in a diff, or as grep shows it.
    labelled("credential", WHAT, r'^[\s+-]*(?:\S*userlist\S*:\s?)?"[\w.$-]{1,63}"\s+"(?P<value>(?!md5[0-9a-f]{32}"|scram-sha-|[\d.]+")[^"\s]{4,})"(?:\s+"[^"]*")?\s*$', probe=rb'"[a-z0-9_.$-]{1,63}" ', guess=True),
    # A key of BIND.
    _named(r"\s+\"(?P<value>[^\"\s]+)\";", '";'),
    # YAML with a tag or an anchor, and a token alone in its line.
    _named(r"[\"']?:\s{1,4}(?:[!&][\w!.-]{1,30}\s{1,3}){1,2}" + VALUE, " !", " &"),
    labelled("credential", WHAT, r"(?:^\s*|\s\s)(?:-\s+)?[\"']?token[\"']?:\s+[\"']?(?P<value>(?=\S*\d)[^\s\"']{8,})[\"']?\s*$", programs=("token",), follows=rb"[\"']?:[ \t]", guess=True),
    # XML: a name in an attribute, the secret in the element or in CDATA.
    _named(r"[\"'][^<>]{0,80}>\s*(?:<value>\s*)?" + TEXT, "<", before=r".*<[^<>]*\b(?:name|key|id)\s?=\s?[\"'][\w .:-]*", reach=120),
    _named(r"(?![\w-])[^<>]{0,80}><!\[CDATA\[(?P<value>[^<\n]+)", "CDATA[", before=r".*<[\w.:-]*", reach=50),
    # The private parameters of a JSON web key (RFC 7518), which are base64 of random bytes.
    _by(r"""["'](?:d|d?[pq]|qi|k)["']\s{0,4}:\s{0,4}["'](?P<value>(?-i:(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]{22,}))["']""",
        words=tuple(f"{quote}{name}{quote}" for quote in "\"'" for name in ("d", "p", "q", "dp", "dq", "qi", "k")), follows=rb"[ \t]{0,4}:[ \t]{0,4}[\"'][a-z0-9_-]{22}"),
    # URLs in URLs.
    _by(r"%3A%2F%2F(?:(?!%3A|%2F|%40)\S){0,60}%3A(?P<value>(?:(?!%2F|%40)\S){1,200})%40", words=("%3a%2f%2f",)),
    labelled("credential", WHAT, NAME + r"%3D(?P<value>(?:(?!%26)[^\s&\"'])+)", "%3d", guess=True, anchor=Anchor(starts)),
    # Logins of protocols, and base64 of USER:PASSWORD.
    _by(rf"(?<![a-z0-9])auth\s?[=:]\s?[\"']?(?P<value>{LOGIN})", "auth", follows=rb"[ \t]?[=:]"),
    _by(r"\bauth\s+(?:plain|login)\s+(?P<value>[a-z0-9+/]{8,}={0,2})", "auth", follows=rb"[ \t]+(?:plain|login)"),
    _by(r"(?-i:\b[A-Za-z]{0,4}\d{1,6} LOGIN)\s+\S+\s+(?P<value>\S+)", "login", follows=rb"(?<=[0-9] login)[ \t]", needs=(" LOGIN",)),
    _by(r"(?-i:(?:quote|>|C:)\s+PASS)\s+(?P<value>\S+)", "pass", follows=rb"[ \t]"),
    _by(r"\bcrumb[\"']?\s?[:=]\s?[\"']?(?P<value>[0-9a-z]{8,})", "crumb", follows=rb"[\"']?[ \t]?[:=]"),
    _by(r"[?&]code=(?P<value>(?=[\w.%~-]*\d)[\w.%~-]{20,})", words=("?code=", "&code=")),
    _by(r"\bcode_verifier=(?P<value>[\w.~-]{20,})", words=("code_verifier=",)),
    _by(r"\bsaml(?:response|request|art)(?:=|[\"']\s+value=[\"'])(?P<value>[a-z0-9+/=%]{40,})", "samlresponse", "samlrequest", "samlart"),
    _by(r"\b(?:jsessionid|phpsessid|sessionid|connect\.sid)[\"']?\s{0,3}[=:]\s{0,3}[\"']?(?P<value>[\w.%:+/-]{16,})", "jsessionid", "phpsessid", "sessionid", "connect.sid", follows=rb"[\"']?[ \t]{0,3}[=:]"),
    _by(r"<auth\s[^<>]{0,120}>\s*(?P<value>[a-z0-9+/]{8,}={0,2})", words=("<auth ",)),
    _by(r"\bnickserv\s?:?\s?identify\s+(?:\S+\s+)?(?P<value>\S+)\s*$", "nickserv"),
    _by(r"\bcontract[ _-]token[\"']?\s?[=:]\s?[\"']?(?P<value>C1\w{20,})", "token", follows=rb"[\"']?[ \t]?[=:][ \t]?[\"']?c1"),
    _by(r"[\"']s64[\"']\s{0,4}:\s{0,4}[\"'](?P<value>[\w+/=-]{20,})", words=('"s64"', "'s64'")),
    # The words of a wallet's key.
    _by(r"\b(?:mnemonic|(?:seed|recovery|backup)[ _-]?(?:phrase|words))[\"']?(?:\sis)?\s?[=:]\s?[\"']?(?P<value>[a-z]{3,8}(?:[ ,]{1,2}[a-z]{3,8}){11,23})", "mnemonic", "seed", "recovery", "backup", follows=rb"(?:[ _-]?(?:phrase|words))?[\"']?(?:[ ]is)?[ ]?[=:]"),
    # Databases and languages.
    _by(r"jdbc:oracle:[a-z]+:[^\s/@]{1,64}/(?P<value>[^\s@]+)@", words=("jdbc:oracle:",)),
    _by(r"\bcredentials\(\s?\"[^\"\n]{0,200}\",\s?\"[^\"\n]{0,200}\",\s?\"[^\"\n]{0,200}\",\s?\"(?P<value>[^\"\n]+)\"", words=("credentials(",)),
    _named(r"\]\s{0,4}=>\s{0,4}[\"']?(?P<value>[^\s\"'(]\S*)", "] =>", "]=>"),
    # Configuration of services, with a name and a value between blanks.
    _by(r"(?<![\w.-])(?:bind|olcroot|root)pw(?:\s?[:=]\s?|\s+)[\"']?(?P<value>[^\s\"']+)", "bindpw", "rootpw", "olcrootpw", follows=rb"[ \t]*[:=]?[ \t]*[^ \t\n]"),
    _by(r"\bauth_pass\s+[\"']?(?P<value>[^\s\"']+)", words=("auth_pass",)),
    _by(r"\binsecure-password\s+(?P<value>\S+)", words=("insecure-password",)),
    _by(r"\bcache_peer\s[^\n]{1,200}?\slogin=[^\s:]+:(?P<value>\S+)", words=("cache_peer",), follows=rb"[ \t]"),
    _by(r":\s(?:PSK|XAUTH|EAP)\s+[\"'](?P<value>[^\"'\n]+)[\"']", "psk", "xauth", "eap", follows=rb"[ \t]+[\"']"),
    _by(r"\b(?:neighbor\s+\S+\s+password|enable\s+(?:secret|password)(?:\s\d)?|username\s+\S+\s+(?:privilege\s+\d+\s+)?(?:password|secret)\s\d)\s+(?P<value>(?=\S*\d)\S{4,})", "neighbor", "enable", "username", follows=rb"[ \t]+[^\n]{0,80}(?:password|secret)[ \t]"),
    _by(r"^\s*[\w.-]*[_-](?:password|passwd|secret)\s+[\"']?(?P<value>(?=\S*\d)(?=\S*[a-z])[^\s\"'=:]{6,})[\"']?\s*$", words=("_password", "-password", "_passwd", "-passwd", "_secret", "-secret"), follows=rb"[ \t]+[^ \t\n]+[ \t]*(?:\n|\Z)"),
    _by(r"^\s*New value: (?P<value>(?=\S*\d)\S{8,})\s*$", words=("new value: ",)),
    _by(r"anaconda\.org/t/(?:[a-z]{2}-)?(?P<value>[\w-]{8,})/", words=("anaconda.org/t/",)),
    # Configuration by commands, and files without a separator.
    _by(rf"\b(?:crudini|openstack-config|iniset)\b(?:(?!\b(?:crudini|iniset|openstack-config)\b)[^\n]){{1,200}}\s[\w.-]{{0,40}}?{NAME}\s+{VALUE}", "crudini", "openstack-config", "iniset"),
    _by(r"\s(?:wifi-sec\.psk|password)\s+[\"']?(?P<value>[^\s\"']+)", "nmcli", after=r"\bnmcli\b"),
    _by(r"\bmaas\s+login\s+\S+\s+\S+\s+(?P<value>\S+)", "maas", follows=rb"[ \t]+login"),
    _by(r"/user:\S{1,200}+\s+(?P<value>[^\s/]\S*)", "net", follows=rb"[ \t]+use", after=r"\bnet\s+use\b"),
    _by(r"(?<=\s)-p(?P<value>\S+)", "7z", "7za", "7zr", after=r"\b7z[ar]?\s+\w\s"),
    _by(r"\d(?:\[\d+\])?>\s+auth\s+(?:\S+\s+)?[\"']?(?P<value>[^\s\"']+)[\"']?\s*$", "auth", follows=rb"[ \t]", needs=(">",)),
    _by(r"\bacl\s+setuser\s[^\n>]{1,200}\s>(?P<value>[^\s\"']+)", "acl", follows=rb"[ \t]+setuser"),
    _by(rf"\bconfig\s+set\s+\S+\s+environment\.\w{{0,60}}?{NAME}\s+{VALUE}", "environment", follows=rb"\.[a-z0-9_]+[ \t]"),
    _by(r"--certificate-key\s+(?P<value>[0-9a-f]{64})", words=("--certificate-key",)),
    _by(r"-setcookie\s+[\"']?(?P<value>[^\s\"']+)", "setcookie", follows=rb"[ \t]"),
    _by(rf"(?:<--\s+SET|\bdb_set)\s+[\w.+-]{{1,60}}/[\w./+-]{{0,60}}?{NAME}\s+(?P<value>\S.*?)\s*$", "db_set", words=("<-- set",), follows=rb"[ \t]"),
    _by(r"\b(?:requirepass|masterauth)\s+[\"']?(?P<value>[^\s\"']+)", "requirepass", "masterauth"),
    _by(r"sonar\.login[\"']?\s?[=:]\s?[\"']?(?P<value>[^\s\"']+)", "login", follows=rb"[\"']?[ \t]?[=:]"),
    _by(r"\bstats\s+auth\s+[^\s:]+:(?P<value>\S+)", "stats", follows=rb"[ \t]+auth"),
    _by(r"(?<![a-z0-9])psk\s?[=:]\s?[\"']?(?P<value>[^\s\"']{8,})", "psk", follows=rb"[ \t]?[=:]"),
    _by(r"\bwsrep_sst_auth\s?=\s?[\"']?[^\s:\"']+:(?P<value>[^\s\"']+)", words=("wsrep_sst_auth",)),
    _by(r"\boauth_signature=[\"']?(?P<value>[^\s,&\"']+)", words=("oauth_signature=",)),
    _by(r"\b(?:unseal|recovery) key \d+: (?P<value>\S+)", "unseal", "recovery", follows=rb" key [0-9]"),
    _by(r"\b(?:root|client) token: (?P<value>\S+)", "token", follows=rb":"),
    _by(r"^[^|\u2502]*[|\u2502]\s*(?:payload|blob)\s*[|\u2502]\s*(?P<value>[^|\u2502\s](?:[^|\u2502]*[^|\u2502\s])?)\s*[|\u2502]\s*$", "payload", "blob", follows=rb"[ \t]+(?:\||\xe2\x94\x82)"),
    _by(r",pass(?:word)?=(?P<value>[^\s,\"']+)", words=(",pass=", ",password=")),
    _by(r"\bset\s+[\w.+-]{1,60}/[\w./+-]{0,60}pass(?:word|phrase)?\s+(?P<value>\S.*?)\s*$", "debconf"),
)  # fmt: skip
