"""The health of a whole node: crashes, kills for memory, failed and restarted units, errors in journals and logs.

A program on the node prints everything that happened since a baseline; pure functions read its output.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.base.run import LONGEST
from lab.base.text import plural
from scripts.drivers.interfaces import Node
from scripts.services import routine_errors
from scripts.services.deployed_state import NodeBaseline
from scripts.services.journals import TRACEBACK

# Signals that end a process on request are no crash.  The syntax is common to journalctl's, Perl's and Python's.
CRASHES = (
    r"code=(?:dumped|killed), status=\d+/(?!TERM|HUP|INT|QUIT|USR|PIPE)",
    r"Failed with result '(?:core-dump|oom-kill|watchdog)'",
    r"killed by the OOM killer|Out of memory: Killed process",
    r"[Ss]egmentation [Ff]ault|segfault at |general protection fault",
    r"\(core dumped\)|dumped core",
    r"(?:exited on|terminated by) signal (?:4|6|7|8|9|11)\b",
    r"double free or corruption|stack smashing detected|AddressSanitizer: |malloc\(\): corrupted",
    # Of systemd itself, which then lacks units; one of systemd's own fails on some machines without a consequence.
    r"^/\S+/system-generators/(?!systemd-)\S+ (?:failed with exit status|terminated by signal)",
    r"^panic: |^thread '.*' panicked at ",
)
CRASH = "|".join(CRASHES)
# What systemd says of a unit, which its state does not show any more once it was started again, or was unloaded.
ENDED = re.compile(r"(?P<unit>\S+): Failed with result '(?P<result>[a-z-]+)'\.?")
AGAIN = re.compile(r"(?P<unit>\S+): Scheduled restart job, restart counter is at \d+\.?")
ORDER = re.compile(r"(?P<order>Stopping|Starting|Started) (?P<unit>\S+\.[a-z]+)(?: - .*?)?\.+")
NOTICES = r": (?:Failed with result '|Scheduled restart job, )|^(?:Stopping|Starting|Started) "
MOST_LINES = 5  # of one log file: the first crashes say enough
SECTIONS = f"""\
section() {{ printf '=== %s\\n' "$1"; }}
logs() {{
    find /var/log -type f ! -path '/var/log/journal/*' ! -name '*.[gx]z' ! -name lastlog ! -name '[bw]tmp' -printf '%s %p\\n'
}}
section cursor; journalctl --quiet --lines=0 --show-cursor
section failed; systemctl list-units --failed --plain --no-legend --full
section restarts; systemctl show --property=Id,NRestarts,SubState,ControlGroup '*.service'
section populated
(cd /sys/fs/cgroup/systemd 2> /dev/null || cd /sys/fs/cgroup; find . -name cgroup.procs -exec grep -sl . {{}} + || true)
section killed; cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2> /dev/null || true
section sizes; logs
[ "$#" != 0 ] || exit 0
fields=MESSAGE,PRIORITY,UNIT,COREDUMP_UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER
# With a filter, --after-cursor of systemd 252 leaves out the first entry that matches.
entries() {{ journalctl --quiet --no-pager --output=json --output-fields="$fields" ${{cursor:+--cursor="$cursor"}} "$@" || true; }}
cursor=$1 crash=$2 known=$3
section entries
entries --case-sensitive=yes --grep="$crash|{TRACEBACK.pattern}|{NOTICES}"
entries --priority=err
section lines
logs | perl -e '
    my ($crash, $known) = @ARGV;
    my %before = map {{ /^(\\d+) (.*)$/ ? ($2, $1) : () }} split /\\n/, $known;
    while (<STDIN>) {{
        /^(\\d+) (.*)$/ or next;
        my ($size, $path, $found) = ($1, $2, 0);
        my $from = $before{{$path}} // 0;
        open my $log, "<", $path or next;
        seek $log, $size < $from ? 0 : $from, 0;
        while (my $line = <$log>) {{
            next unless $line =~ /$crash/;
            last if $found++ == {MOST_LINES};
            $line =~ s/\\s+$//;
            print "$path: ", substr($line, 0, 500), "\\n";
        }}
    }}' "$crash" "$known"
"""


@dataclass(frozen=True)
class LoggedEntry:
    """An entry of the journal: the unit that it is about, and its text."""

    unit: str
    text: str
    is_error: bool

    @property
    def is_crash(self) -> bool:
        return bool(re.search(CRASH, self.text, re.MULTILINE))

    def said_by_systemd(self, notice: re.Pattern[str]) -> re.Match[str] | None:
        """Return the match of a notice about the unit that the entry is about."""
        match = notice.fullmatch(self.text)
        return match if match and match["unit"] == self.unit else None


@dataclass(frozen=True)
class NodeHealth:
    """What happened on a node since a baseline.

    ``lines``: crashes in log files, each with its file; ``failed``: units that are failed; ``restarted``: how often, by
    unit; ``ended``: systemd's result of units that failed, whatever became of them; ``killed``: how many processes for
    lack of memory; ``rebooted``: whether the node was; ``emptied``: units that are active still, though none of the programs that they left runs any more; ``left``:
    those that have left programs running, as in a baseline.
    """

    entries: tuple[LoggedEntry, ...] = ()
    lines: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    restarted: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, str] = field(default_factory=dict)
    killed: int = 0
    rebooted: bool = False
    emptied: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def crashes(self) -> list[tuple[str, str]]:
        """The crashes, each with its unit ("" where that is not known) and the line that reports it."""
        of_journal = [(each.unit, each.text) for each in self.entries if each.is_crash]
        others = [*self.lines, *([f"killed for lack of memory ({plural(self.killed, 'program')})"] * bool(self.killed))]
        return [*dict.fromkeys((*of_journal, *(("", line) for line in others)))]

    def errors(self, unit: str, accepted: str = "") -> list[str]:
        """Return the errors of a unit's own processes, and of systemd about it, without those of its routine.

        ``accepted``: a regular expression of further errors to leave out; "" for none.
        """
        of_unit = [each.text for each in self.entries if each.unit == unit and each.is_error]
        unusual = [text for text in of_unit if not routine_errors.is_routine(unit, text)]
        return [text for text in unusual if not (accepted and re.search(accepted, text))]


def baseline(node: Node) -> NodeBaseline:
    """Return the health of a node now."""
    return parse_baseline(node.run(["sh", "-c", SECTIONS], capture=True).stdout)


def since(node: Node, before: NodeBaseline) -> NodeHealth:
    """Return what happened on a node since a baseline."""
    known = "".join(f"{size} {path}\n" for path, size in before.sizes.items())
    output = node.run(["sh", "-c", SECTIONS, "sh", before.cursor, CRASH, known], capture=True).stdout
    return parse_health(output, before)


def parse_baseline(output: str) -> NodeBaseline:
    """Return a baseline from the output of the program."""
    sections = _sections(output)
    cursor = next((line.partition(": ")[2] for line in sections["cursor"] if line.startswith("-- cursor: ")), "")
    return NodeBaseline(
        cursor=cursor,
        failed=tuple(line.split()[0] for line in sections["failed"] if line),
        restarts=dict(_restarts(sections["restarts"])),
        killed=sum(int(line.split()[1]) for line in sections.get("killed", ()) if line.startswith("oom_kill ")),
        sizes={path: int(size) for size, _, path in (line.partition(" ") for line in sections["sizes"])},
        left=_left(sections),
    )


def parse_health(output: str, before: NodeBaseline) -> NodeHealth:
    """Return the health of a node from the output of the program, compared with a baseline."""
    now, sections = parse_baseline(output), _sections(output)
    logged = {each["__CURSOR"]: each for each in map(json.loads, sections["entries"])}
    logged.pop(before.cursor, None)
    entries = [_entry(each) for each in logged.values()]
    # A start by hand sets systemd's own count to 0.
    again = Counter(match["unit"] for each in entries if (match := each.said_by_systemd(AGAIN)))
    restarted = {unit: count - before.restarts.get(unit, 0) for unit, count in now.restarts.items()}
    return NodeHealth(
        entries=tuple(dict.fromkeys(entries)),
        lines=tuple(sections["lines"]),
        failed=tuple(unit for unit in now.failed if unit not in before.failed),
        restarted={unit: count for unit, count in (again | Counter(restarted)).items() if count > 0},
        ended=_ended(entries),
        killed=max(now.killed - before.killed, 0),
        rebooted=len({*map(_boot_of, (before.cursor, now.cursor))} - {""}) > 1,
        emptied=tuple(unit for unit in _exited(sections) if unit in before.left and unit not in now.left),
        left=now.left,
    )


def _sections(output: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in output.splitlines():
        if line.startswith("=== "):
            name = line.removeprefix("=== ")
            found[name] = []
        else:
            found[name].append(line)
    return found


def _ended(entries: Iterable[LoggedEntry]) -> dict[str, str]:
    """Return systemd's result of units that failed, unless they were being stopped: many daemons exit with 143 then."""
    stopping: set[str] = set()
    found: dict[str, str] = {}
    for each in entries:
        if order := each.said_by_systemd(ORDER):
            (stopping.add if order["order"] == "Stopping" else stopping.discard)(order["unit"])
        elif (match := each.said_by_systemd(ENDED)) and match["unit"] not in stopping:
            found[match["unit"]] = match["result"]
    return found


def _boot_of(cursor: str) -> str:
    """Return the identity of the boot in which an entry of the journal was written; "" for no entry."""
    return next((part for part in cursor.split(";") if part.startswith("b=")), "")


def _services(lines: list[str]) -> Iterator[dict[str, str]]:
    for block in "\n".join(lines).split("\n\n"):
        yield dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _restarts(lines: list[str]) -> Iterator[tuple[str, int]]:
    for shown in _services(lines):
        if int(shown.get("NRestarts") or 0):
            yield shown["Id"], int(shown["NRestarts"])


def _exited(sections: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the control group of each unit whose own program has ended while it is active."""
    services = (shown for shown in _services(sections["restarts"]) if shown.get("SubState") == "exited")
    return {shown["Id"]: shown.get("ControlGroup", "") for shown in services}


def _left(sections: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return those of `_exited` that have processes, in their control group or in one below it."""
    populated = [path.removeprefix(".").removesuffix("cgroup.procs") for path in sections.get("populated", ())]
    return tuple(
        unit
        for unit, group in _exited(sections).items()
        if group and any(path.startswith(f"{group}/") for path in populated)
    )


def _entry(fields: Mapping[str, Any]) -> LoggedEntry:
    """Return an entry from JSON, in which text that is not UTF-8 is a list of bytes: see systemd.journal-fields(7)."""
    message = fields.get("MESSAGE") or ""
    text = message if isinstance(message, str) else bytes(message).decode("utf-8", "replace")
    names = ("COREDUMP_UNIT", "UNIT", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER")
    unit = next((str(fields[name]) for name in names if fields.get(name)), "")
    unit = "" if unit == "init.scope" or unit.startswith("(sd-") else unit  # systemd itself
    error = int(fields.get("PRIORITY", 6)) <= 3 or bool(TRACEBACK.search(text))  # noqa: PLR2004 - LOG_ERR, syslog(3)
    return LoggedEntry(unit, text.strip()[: LONGEST * 2], error)
