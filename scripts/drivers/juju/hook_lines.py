"""The kinds of lines that hooks print: whose fault a line tells, what explains a failure, and what explains nothing.

They are those of apt, dpkg, pip, snap, gpg, systemd, Python, and of the programs of Juju that hooks use.
"""

from __future__ import annotations

import re
from typing import Final

from lab.base.run import COMPLAINT
from scripts.drivers.juju.client import BUSY

# Where packages, charms and keys are got from: nothing of a deployment has such a name.
PUBLIC: Final = re.compile(
    r"\b(?:launchpad(?:content)?\.net|snapcraft\.io|ubuntu\.com|canonical\.com|charmhub\.io|debian\.org|pypi\.org|quay\.io"
    r"|pythonhosted\.org|github(?:usercontent)?\.com|opendev\.org|docker\.(?:io|com)|registry\.k8s\.io)\b"
)
UNREACHED: Final = re.compile(
    r"time(?:d )?out|max retries exceeded|connection (?:refused|reset)|no route to host|unreachable|failed to connect|unable to connect"
    r"|could(?: not|n't) connect|no such host|host not found|name or service not known|SSLError|unexpected EOF|\b(?:429|50[0234])\b",
    re.IGNORECASE,
)
# The machine has no disk or memory left, whatever else is said.
MACHINE: Final = re.compile(
    r"[Nn]o space left on device|Disk quota exceeded|disk is full|cannot write compressed block|[Cc]annot allocate memory"
    r"|(?:not|n't have) enough (?:free )?space\b"
    r"|^MemoryError$|^Killed$|: line \d+: +\d+ Killed\b"
    r"|script subprocess (?:was killed by signal \((?:Killed|Terminated)\)|returned error exit status 137$)"
)
# Trouble of a mirror, of the network, of the machine or of the controller: neither the package nor its charm is at fault.
LABS: Final = re.compile(
    r"^(?:E|W|Err|Error|Warning): ?.*(?:Failed to fetch|Unable to (?:fetch|acquire|lock)|Could not (?:get lock|open lock|connect|resolve)"
    r"|Hash Sum mismatch|Temporary failure resolving|Some index files failed|GPG error|NO_PUBKEY|dpkg was interrupted|unauthenticated packages"
    r"|The repository .* (?:Release file|is not signed)|Release file for .* is (?:not valid yet|expired)|retrieving gpg key timed out)"
    r"|^dpkg: error: dpkg frontend lock was locked|unable to contact snap store|api\.snapcraft\.io"
    r"|^- (?:(?:Download|Fetch|Mount|Setup) .*snap |Ensure prerequisites )"  # what snapd does before the snap itself runs
    r"|^(?:error: )?(?:too early for operation|cannot communicate with server: |snap .* has .* change in progress)"
    r"|^gpg: keyserver |^gpgkeys: "
    r"|Temporary failure in name resolution|[Cc]ould not resolve host|unable to resolve host address"
    # Of Juju's own commands in hooks, such as is-leader; a charm's library raises it again.
    rf"|^(?:\S+: (?:b')?)?ERROR .*(?:{BUSY}|lease manager stopped|i/o timeout|connection refused|unexpected EOF)"
    rf"|{MACHINE.pattern}"
)
OF_APT: Final = re.compile(r"^(?:E|W|Err|Error|Warning): |^dpkg: error: dpkg frontend lock")
# What says nothing: it is there in hooks that succeed as well, or follows from a reason given before it.
NOISE: Final = re.compile(
    r"^debconf: |^dpkg-preconfigure: |^locale: |^perl: warning|^sudo: unable to resolve host|^No apport report written"
    r"|^\(Background on this error at|^\[(?:SQL|parameters): "  # of SQLAlchemy, after an error of the database
    r"|^Error:\d+ |^gpg: (?:no valid OpenPGP data|Total number processed)"  # apt 3 and gpg tell it again
    # Of systemd and others, which point to a reason, or repeat it.
    r"|^See (?:system logs|\"systemctl)|^Hint: Some lines were ellipsized|^invoke-rc\.d: initscript"
    r"|^[●*] \S+\.service - |^\s*(?:Loaded|Active|Docs|Process|Main PID|Tasks|CPU): "
    r"|^run-parts: .* exited with return code|^E: mkinitramfs failure|^update-initramfs: failed for"
    r"|.*\b[Ww]ill retry\b"  # another attempt follows, with what it says
)
TASK: Final = re.compile(r"^- .*\bsnap ")  # of snapd's, with the reason for its failure in parentheses
# Of a service, in the journal that systemctl shows: it tells why it did not start, and systemd only that.
JOURNAL: Final = re.compile(r"^\w{3} [ \d]\d [\d:]{8} \S+ (?!systemd\[)\S+\[\d+\]: ")
UNMET: Final = re.compile(r"^\s*\S+ : (?:Pre)?Depends: |^\s*\S+ : (?:Conflicts|Breaks): ")
UNPROCESSED: Final = re.compile(r"^dpkg: error processing ")
BEGUN: Final = re.compile(r"^(?:Setting up|Unpacking|Preparing to unpack|\(Reading database) ")
DEPENDENT: Final = re.compile(r"^\s*dependency problems")  # of a package that waits for one with an error before it
# Indexes that apt or pip, and keys that a charm could not get, which is only a warning, what is then lacking, and indexes
# that apt got afterwards.
UNREAD: Final = re.compile(
    r"^(?:W|E|Warning|Error): ?.*(?:Failed to fetch|Some index files failed|GPG error|The repository .* (?:Release file|is not signed)"
    r"|Release file for|lock (?:directory )?/var/lib/apt/lists)"
    r"|^\s*(?:WARNING: )?Retrying .* connection broken by|^curl: .*Could not resolve host"
)
LACKING: Final = re.compile(
    r"^(?:E|Error): (?:Unable to (?:locate package|correct problems|satisfy)|Package .* has no installation candidate"
    r"|Version .* was not found)|^\s*\S+ : (?:Pre)?Depends: "
    r"|^\s*(?:ERROR: )?(?:Could not find a version|No matching distribution)|GPGKeyError"
)
READ: Final = re.compile(r"^(?:Hit|Get):\d+ \S+ \S+ InRelease")
EXCEPTION: Final = re.compile(r"^(?:[\w.]*\.)?\w*(?:Error|Exception|Exhausted|Timeout)\b")
RAISED: Final = re.compile(r"\w(?:Error|Exception)\b")
EXPLAINING: Final = (
    UNMET, LACKING, EXCEPTION, re.compile(r"^(?:E|Error): "), re.compile(r"\bFATAL\b"), COMPLAINT,
    RAISED, re.compile(r": not found$|command not found|No such file or directory|[Pp]ermission denied"),
    re.compile(r"^Failed to \w+|^Job for \S+ failed|[Dd]oes not exist"),
)  # fmt: skip
# Lines that follow from a reason given before them.
GENERIC: Final = re.compile(
    r"^(?:error: )?hook exit status|^Hook error:$|^error: exit status|Sub-process \S+ returned an error code|CalledProcessError"
    r"|^Uncaught exception while in charm code|^Traceback \(most recent|^Errors were encountered while processing"
    r"|^dpkg-deb: error: (?:paste subprocess|subprocess paste)"  # dpkg stops reading a package that it refuses
    r"|^SystemExit|The following information from --solver|^(?:E|Error): Unable to correct problems|pkgProblemResolver::"
    r"|returned non-zero exit status"
    r"|^needrestart is being skipped|\bcommand [\[(]'.* failed"  # an exception of a charm's libraries
    r"|^\s*(?:error: subprocess-exited-with-error|note: This error originates|[×╰│] ?|(?:ERROR: )?No matching distribution)"
    r"|^Command \".*\" failed with error code \d+ in |^\[end of output\]"  # of pip
)


def is_labs(line: str) -> bool:
    """Return whether a line tells trouble of the lab's; a busy service of the deployment is none."""
    return bool(LABS.search(line) or (PUBLIC.search(line) and UNREACHED.search(line)))


def explains(line: str) -> bool:
    """Return whether a line can be the reason for a failure."""
    return any(pattern.search(line) for pattern in EXPLAINING)
