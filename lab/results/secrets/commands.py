"""Passwords and tokens in the options and arguments of commands.

A command is searched once in a line, and its options after it, so that no line takes quadratic time.
"""

from __future__ import annotations

import re
from typing import Final

from lab.results.secrets.names import NAME, starts
from lab.results.secrets.pattern import VALUE, Anchor, I, SecretPattern, labelled

ENDS: Final = re.compile(
    rb"(?![a-z0-9_./=-])"
)  # after a program: it is no part of a path, no variable, nor of the name of a package
OPTION: Final = rb"--(?![a-z0-9._-]{0,20}--)[a-z0-9._-]{0,50}(?:pass|pw|secret|token|key|credential|bearer)"
WORD: Final = r"""["']?(?!\[REDACTED:)(?P<value>[^\s"']+)"""
# A text in PowerShell; without quotes it has a digit, and other words are prose.
TEXT: Final = (
    r"""(?:\\?"(?P<value>[^"\\\n$][^"\\\n]*)|'(?P<value2>[^'\n]+)'|(?P<value3>(?=\S*\d)[^\s"'$(|-][^\s"')]*))"""
)
# USER:PASSWORD, quoted as a whole or in parts; the user or the password can be absent, then the other one is a token.
LOGIN: Final = r"""(?!["']?\[REDACTED:)(?:["']?(?:[^\s:"'$]|\$\{?\w+\}?)*["']?:(?:["'](?![\s,\]]))?(?P<value>[^\s"']+)|["']?(?P<value2>[^\s:"'$]{8,}):(?=\s|$|["'](?:[\s,\]]|$)))"""

# Between two arguments: on a command line, or in a list of Python's or JSON's, as CalledProcessError shows commands.
BLANK: Final = r"(?:[\"']?\s+|[\"'],\s*)[\"']?"

# Programs, and what is before the secret in their arguments: in both, `\s+` is any `BLANK`.
PROGRAMS: Final = (
    ("mysql mysqladmin mysqldump mysqlimport mysqlcheck mysqlshow mysqlsh mariadb mariadb-admin mariadb-dump", r"(?:mysql|mariadb)[\w-]*", r"[\"']?-p[\"']?", r"(?P<value>[^\s\"']+)"),
    ("mysqladmin mariadb-admin", r"(?:mysql|mariadb-)admin", r"password\s+", WORD),
    ("docker podman buildah skopeo helm oras az oc registry nerdctl crane", r"(?:docker|podman|buildah|skopeo|helm|oras|az|oc|registry|nerdctl|crane)\s+(?:(?:registry|auth)\s+)?login", r"(?:-p|-s)(?:\s+|=)", WORD),
    ("ldapsearch ldapadd ldapmodify ldapdelete ldappasswd ldapwhoami ldapcompare ldapmodrdn", r"ldap[a-z]+", r"-[xZLnvcCrMIQENk]{0,8}w(?:\s+)?", WORD),
    ("ldappasswd", r"ldappasswd", r"-[xZnvcCrMIQENk]{0,8}[sa](?:\s+)?", WORD),
    ("keytool jarsigner apksigner", r"(?:keytool|jarsigner|apksigner)", r"-(?:(?:src|dest)?(?:store|key)pass|new|ks-pass)\s+", WORD),
    ("openssl", r"openssl", r"-(?:pass(?:in|out|word)?\s+[\"']?pass:|k\s+)", WORD),
    ("htpasswd", r"htpasswd", r"-\w*b\w*\s+[^\s\"']+\s+[^\s\"']+\s+", WORD),
    ("htpasswd", r"htpasswd", r"-\w*(?:nb|bn)\w*\s+[^\s\"']+\s+", WORD),
    ("ipmitool", r"ipmitool", r"-P(?:\s+)?", WORD),
    ("smbclient smbget rpcclient wmic winexe net", r"(?:smbclient|smbget|rpcclient|wmic|winexe|net)", r"(?:-U|--user)(?:\s+|=)?[\"']?[^\s%\"']+%", WORD),
    ("useradd usermod", r"user(?:add|mod)", r"-p\s+(?=[\"']?\S*[\d$])", WORD),
    ("redis-cli", r"redis-cli", r"-a\s+", WORD),
    ("zip unzip 7z 7za rar unrar", r"(?:zip|unzip|7z[ar]?|rar|unrar)", r"-P\s+", WORD),
    ("mongo mongosh mongodump mongorestore mongoexport mongoimport", r"mongo[a-z]*", r"-p\s+", WORD),
    ("sqlcmd bcp", r"(?:sqlcmd|bcp)", r"-P\s+", WORD),
    ("swift", r"swift", r"-K\s+", WORD),
    ("snmpget snmpwalk snmpset snmpbulkwalk snmptrap", r"snmp[a-z]+", r"-[AXc]\s+(?![\"']?public\b)", WORD),
    ("rabbitmqctl", r"rabbitmqctl", r"(?:change_password|add_user|authenticate_user)\s+[^\s\"']+\s+", WORD),
    ("virsh", r"virsh", r"secret-set-value\s+(?:--secret\s+)?[^\s\"']+\s+(?:--(?:base64\s+)?)?", WORD),
    ("vault", r"vault", r"(?:login|unwrap|operator\s+unseal)\s+(?![\"']?[-=])", WORD),
    ("ssh-keygen", r"ssh-keygen", r"-[NP]\s+", WORD),
    ("kadmin", r"kadmin", r"-w\s+", WORD),
    ("twine", r"twine", r"-p\s+", WORD),
    ("pro ua ubuntu-advantage", r"(?:pro|ua|ubuntu-advantage)", r"attach\s+", r"""["']?(?P<value>[A-Za-z0-9]{20,})"""),
    ("openstack barbican", r"(?:openstack|barbican)", r"--payload(?:\s+|=)", WORD),
    ("rabbitmqadmin", r"rabbitmqadmin", r"-p\s+", WORD),
    ("jenkins-cli.jar", r"jenkins-cli\.jar", r"-auth\s+", LOGIN),
    ("qemu-img qemu-io qemu-nbd qemu qemu-system-x86_64 qemu-system-aarch64 qemu-system-arm kvm", r"(?:qemu(?:-[a-z0-9_-]+)?|kvm)", r"--?object\s+[\"']?secret,(?:[^\s,]+,)*data=", r"(?P<value>[^\s,\"']+)"),
    ("juju", r"juju", r"(?:add|update)-secret\s+\S+\s+[\w#-]+=", WORD),
    ("juju", r"juju", r"register\s+", r"""["']?(?P<value>[A-Za-z0-9_=-]{20,})"""),
    ("skopeo buildah podman", r"(?:skopeo|buildah|podman)", r"--(?:src-|dest-)?creds(?:\s+|=)[\"']?[^\s:\"']+:", WORD),
    ("curl wget", r"(?:curl|wget)", r"(?:-b|--cookie)(?:\s+|=)[\"']?[\w.%-]+=", r"(?P<value>[^\s;\"']+)"),
    ("sqlplus sqlldr impdp expdp", r"(?:sqlplus|sqlldr|impdp|expdp)", r"[\w.-]+/", r"(?P<value>[^\s@/\"']+)"),
    ("mc", r"mc", r"alias\s+set\s+\S+\s+\S+\s+\S+\s+", WORD),
    ("ipa-server-install ipa-client-install ipa-replica-install", r"ipa-(?:server|client|replica)-install", r"-[paw]\s+", WORD),
    ("samba-tool", r"samba-tool", r"user\s+(?:create|add)\s+[^\s\"']+\s+(?!-)", WORD),
    ("iscsiadm", r"iscsiadm", r"-n\s+\S*password\s+-v\s+", WORD),
    ("cargo", r"cargo", r"login\s+(?!-)", WORD),
    ("nuget", r"nuget", r"-(?:password|apikey)\s+", WORD),
    ("composer", r"composer", r"http-basic\.\S+\s+\S+\s+", WORD),
    ("poetry", r"poetry", r"config\s+(?:http-basic\.\S+\s+\S+|pypi-token\.\S+)\s+", WORD),
    ("bundle", r"bundle", r"config\s+(?:set\s+)?(?:--\w+\s+)?\S+\s+[^\s:/]+:", WORD),
    ("vault", r"vault\s+kv\s+(?:put|patch)", r"\w[\w./-]*=", WORD),
    ("redfishtool", r"redfishtool", r"-p\s+", WORD),
    ("pcs", r"pcs", r"-p\s+", WORD),
    ("ceph", r"ceph\s+dashboard", r"ac-user-(?:create|set-password)\s+[^\s\"']+\s+(?!-)", WORD),
    ("dig nsupdate delv", r"(?:dig|nsupdate|delv)", r"-y\s+(?:hmac-[\w-]+:)?[\w.-]+:", WORD),
    ("aws", r"aws\s+ssm\s+put-parameter", r"--value(?:\s+|=)", WORD),
    ("az", r"az\s+keyvault\s+secret\s+set", r"--value(?:\s+|=)", WORD),
    ("curl", r"curl", r"(?:-E|--cert|--proxy-cert)(?:\s+|=)[^\s:\"']+:", WORD),
    ("lftp", r"lftp", r"-u\s+[\"']?[^\s,\"']+,", WORD),
)  # fmt: skip
IN_ARGUMENTS: Final = "a password in the arguments of a command"


def _of(name: str, what: str, pattern: str, *programs: str, after: str = "") -> SecretPattern:
    begins = re.compile(after, I) if after else None
    return SecretPattern(name, what, re.compile(pattern, I), programs=programs, follows=ENDS, after=begins)


def _program(words: str, name: str, before: str, secret: str) -> SecretPattern:
    name, before = (part.replace(r"\s+", BLANK) for part in (name, before))
    if any(letter.isupper() for letter in before):
        before = f"(?-i:{before})"
    return _of(
        "option", IN_ARGUMENTS, rf"[\s\"']{before}{secret}", *words.split(), after=rf"(?<![\w.-]){name}(?![\w./-])"
    )


COMMANDS: Final[tuple[SecretPattern, ...]] = (
    _of("curl-user", "a password of curl", rf"[\s\"'](?-i:-[a-zA-Z]{{0,20}}[uU]|--user|--proxy-user)(?:[ =]{{0,9}}|[\"'],\s*){LOGIN}", "curl", after=r"\bcurl\b"),
    # The options of curl on a line of their own; the numbers of a user and a group are no login.
    labelled("curl-user", "a password of curl", rf"^\s*(?:-u|--(?:proxy-)?user)[ =]\s{{0,9}}(?![\"']?\d{{1,9}}:\d{{1,9}}\b){LOGIN}", programs=("u", "user"), follows=rb"[ =][ \t]{0,8}+[^ \t\n:]{0,100}+:", guess=True),
    labelled("option", "a password in an option", rf"--(?:[a-z0-9]+[-_]){{0,8}}(?:password|passphrase|passwd|token|secret|bearer|(?:api|access|secret)[-_]key)(?:[\"']?(?:\s+(?![-|>]|<<<)|=(?!=))|[\"'],\s{{0,4}}(?=[\"'](?!-))){VALUE}", probe=OPTION),
    labelled("option", "a password in an option", rf"{NAME}[\"']?(?:\s+(?![-|>]|<<<)|=(?!=)){VALUE}", probe=OPTION, guess=True,
             anchor=Anchor(starts, re.compile(r".*(?<![\w-])--(?:[a-z][a-z_-]*)?", I | re.DOTALL), 50)),
    _of("option", "a password of sshpass", rf"\bsshpass{BLANK}-p(?:{BLANK})?[\"']?(?P<value>[^\s\"']+)", "sshpass"),
    _of("option", "a password for chpasswd", r"(?:^|[\s\"'])[\w.-]{1,64}:(?P<value>[^\s\"':|]+)[\"']?\s*\|\s*(?:sudo\s+)?[\w/]*\bchpasswd", "chpasswd"),
    _of("option", "a password for chpasswd", r"\bchpasswd\b[^\n<]{0,40}<<<\s*[\"']?[\w.-]+:(?P<value>[^\s\"']+)", "chpasswd"),
    labelled("option", "a password on standard input", rf"(?:echo|printf)\s+(?:-[a-z]+\s+)?{WORD}[\"']?\s*\|[^|\n]{{0,200}}?(?:\bsudo\s+-S|-stdin|--passphrase-fd)\b", programs=("sudo", "stdin", "passphrase-fd"), follows=rb"(?:(?<=-stdin)|(?<=-passphrase-fd))(?![a-z0-9_.-])|[ \t]+-s", needs=("|",), guess=True),
    labelled("option", "a password on standard input", rf"\b(?:sudo\s[^\n<]{{0,80}}?-\w*S|passw\w*|(?<=/dev/)stdin|(?:gpg2?|cryptsetup|kinit|smbpasswd|juju)(?=\s)|(?<=-)stdin)\b[^\n<]{{0,200}}<<<\s*{WORD}", needs=("<<<",), probe=rb"<<<", guess=True),
    labelled("option", "a password on standard input", rf"(?:echo|printf)\s+(?:-[a-z]+\s+)?{WORD}[\"']?\s*\|[^|\n]{{0,80}}?(?<![\w/.-])(?:kinit|cryptsetup|realm\s+join|juju\s+(?:login|change-user-password))\b", programs=("kinit", "cryptsetup", "realm", "juju"), needs=("|",), guess=True),
    labelled("option", "a password of HTTPie", rf"(?:-a|--auth)[\s=]{{1,4}}{LOGIN}", programs=("http", "https", "xh"), follows=rb"[ \t]+[^\n]{0,400}?-(?:a|-auth)[ \t=]", guess=True, after=re.compile(r"\b(?:https?|xh|http-prompt)\s", I)),
    labelled("option", "an answer to a question", r"\bsend\s+(?:--\s+)?\\{0,2}[\"'](?P<value>(?=[^\s\"']*[\d!@#$%^&*])[^\s\"'\\$]{4,})\\{1,2}[rn]\\{0,2}[\"']", programs=("send",), follows=rb"[ \t]+(?:--[ \t]+)?\\{0,2}[\"']", guess=True),
    labelled("option", "a password in an option", rf"--(?:basic|http|proxy)-auth(?:[ =]\s{{0,4}}|[\"'],\s*){LOGIN}", probe=rb"-auth[=\"' ]", guess=True),
    # The arguments after a format for debconf: one of them is the answer.
    labelled("option", "an answer to debconf", r"%[sb][^\n\"'|]{0,100}[\"']\s+(?P<value>[^|\s]++(?:[ \t]++[^|\s]++){0,20}+)\s*\|[^|\n]{0,40}\bdebconf-set-selections", programs=("debconf-set-selections",), after=re.compile(r"\bprintf\s", I)),
    # PowerShell: a text that becomes a password, in the argument or before the bar; and the password of a login.
    _of("option", "a password of PowerShell", rf"\bconvertto-securestring(?:\s+-(?:string|asplaintext|force))*[\s(]+(?:-string\s+)?{TEXT}", "convertto-securestring"),
    _of("option", "a password of PowerShell", r"""["'](?P<value>[^"'\n$][^"'\n]*)["']\s*\|\s*convertto-securestring\b""", "convertto-securestring"),
    _of("option", "a password of PowerShell", r"""\b(?:network|ps)credential["']?\]?(?:::new)?(?:\s+-argumentlist)?[\s(,@]{1,8}["'][^"'\n]*["'],\s*["'](?P<value>[^"'\n$][^"'\n]*)["']""", "networkcredential", "pscredential"),
    *(_program(*program) for program in PROGRAMS),
)  # fmt: skip
