"""The line that explains most in what a service prints."""

from __future__ import annotations

import pytest

from scripts.services.journals import STOPPED, failure_line

NOTE = "AH00558: apache2: Could not reliably determine the server's fully qualified domain name, using 10.20.0.11."
ERROR = "[wsgi:error] [pid 7] RuntimeError: no schema"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([NOTE], "its journal says nothing", id="nothing but the note"),
        pytest.param([ERROR, NOTE], ERROR, id="before the note"),
        pytest.param(
            [f"[Mon Nov 30] [core:warn] {NOTE}", "caught SIGTERM"], "caught SIGTERM", id="after the note, in the log"
        ),
        pytest.param(["2024-05-02 10:12:30.1 7 ERROR nova [-] no such table"], "no such table", id="another service"),
    ],
)
def test_note_of_apache_explains_nothing(lines: list[str], expected: str) -> None:
    assert failure_line("\n".join(lines), "apache2.service") == expected


FRAMES = [
    "Traceback (most recent call last):",
    '  File "wsgi.py", line 3, in <module>',
    "    raise RuntimeError('no schema')",
]
APACHE = "[Mon Nov 30 10:21:53.351270 2026] [wsgi:error] [pid 7:tid 8] [remote 10.20.0.1:50606] "


@pytest.mark.parametrize(
    "before", ["", APACHE, "2024-05-02 10:12:30.1 7 ERROR nova [-] "], ids=["plain", "Apache", "oslo.log"]
)
def test_exception_after_a_traceback_is_the_error(before: str) -> None:
    lines = [f"{before}{line}" for line in (*FRAMES, "RuntimeError: no schema")]
    assert failure_line("\n".join(lines), "apache2.service").endswith("RuntimeError: no schema")


STOPS = [
    "Stopping cron.service - Regular jobs...",
    "cron.service: Deactivated successfully.",
    "Stopped cron.service - Regular jobs.",
]
STARTS = ["Starting cron.service - Regular jobs...", "Started cron.service - Regular jobs."]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([*STARTS, "(CRON) INFO (Running jobs)", *STOPS], STOPPED, id="stopped"),
        pytest.param(["Started cron.service.", "Stopping cron.service...", "Received signal 15; terminating."], STOPPED,
                     id="without a description"),
        pytest.param([*STARTS, *STOPS, *STARTS, "bye"], "bye", id="started again"),
        pytest.param([*STARTS, "error: disk is full", *STOPS], "error: disk is full", id="with an error before"),
        pytest.param([*STARTS, "Stopping other.service...", "bye"], "bye", id="another unit"),
        pytest.param([*STARTS, "cron.service: Deactivated successfully."], "its journal says nothing", id="ended by itself"),
    ],
)  # fmt: skip
def test_stopped_unit_is_told_as_such(lines: list[str], expected: str) -> None:
    assert failure_line("\n".join(lines), "cron.service") == expected


ENDED = "Main process exited, code=exited, status=3/NOTIMPLEMENTED"
ENDS = {
    "without a word": ([f"greet.service: {ENDED}"], ENDED),
    "for the second time": ([f"greet.service: {ENDED.replace('3', '4')}", "greet.service: Scheduled restart job.",
                             f"greet.service: {ENDED}"], ENDED),
    "a oneshot without a word": (["Finished greet.service.", "Finished greet.service - Greeter."], "its journal says nothing"),
    "before it has started": (["greet.service: Control process exited, code=exited, status=1/FAILURE"],
                              "Control process exited, code=exited, status=1/FAILURE"),
    "with a reason of systemd": (["greet.service: Failed at step EXEC spawning /x: No such file or directory",
                                  f"greet.service: {ENDED}"], "Failed at step EXEC spawning /x: No such file or directory"),
    "after a word": (["bye", f"greet.service: {ENDED}"], "bye"),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDS)
def test_program_that_ends_has_its_status(what: str) -> None:
    lines, expected = ENDS[what]
    assert failure_line("\n".join(lines), "greet.service") == expected


def test_socket_has_the_reason_of_systemd() -> None:
    lines = ["Listening on a.socket.", "a.socket: Trigger limit hit, refusing further activation.",
             "a.socket: Failed with result 'trigger-limit-hit'."]  # fmt: skip
    assert failure_line("\n".join(lines), "a.socket") == "Trigger limit hit, refusing further activation."


UNBOUND = """\
Starting unbound.service - Unbound DNS server...
[434:0] notice: init module 1: validator
[434:0] error: unable to open /var/lib/unbound/root.key for reading: No such file or directory
[434:0] error: error reading auto-trust-anchor-file: /var/lib/unbound/root.key
[434:0] error: validator: error in trustanchors config
[434:0] error: module init for module validator failed
[434:0] fatal error: failed to setup modules
unbound.service: Main process exited, code=exited, status=1/FAILURE
unbound.service: Failed with result 'exit-code'.
Failed to start unbound.service - Unbound DNS server.
"""
BIND = "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)"
DENIED = '(pymysql.err.OperationalError) (1045, "Access denied for user")'
APACHE = """\
Starting apache2.service - The Apache HTTP Server...
AH00558: apache2: Could not reliably determine the server's fully qualified domain name, using 10.20.0.11.
(98)Address already in use: AH00072: make_sock: could not bind to address [::]:80
(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:80
no listening sockets available, shutting down
AH00015: Unable to open logs
Action 'start' failed.
The Apache error log may have more information.
apache2.service: Control process exited, code=exited, status=1/FAILURE
"""
POSTGRESQL = """\
LOG:  starting PostgreSQL 15.13 (Debian 15.13-0+deb12u1)
LOG:  could not bind IPv4 address "127.0.0.1": Address already in use
HINT:  Is another postmaster already running on port 5432? If not, wait a few seconds and retry.
WARNING:  could not create listen socket for "localhost"
FATAL:  could not create any TCP/IP sockets
LOG:  database system is shut down
"""
REDIS = """\
# Configuration loaded
# Warning: Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in use
# Failed listening on port 6379 (TCP), aborting.
"""
CASCADES = {
    "a key that is missing": (UNBOUND, UNBOUND.splitlines()[2]),
    "the last of several starts": (
        UNBOUND.replace("root.key", "old.key") + UNBOUND, UNBOUND.splitlines()[2],
    ),
    "a port in use": (f"{BIND}\n{BIND}\nnginx: [emerg] still could not bind()\n", BIND),
    "an exception with a hint": (f"{DENIED}\n(Background on this error at: https://sqlalche.me/e/14/e3q8)\n", DENIED),
    "an error before the one that ends it": (
        "error: cannot set the limit of files\nlistening on port 80\nfatal: no licence\n", "fatal: no licence",
    ),
    "a port in use, of Apache": (APACHE, "(98)Address already in use: AH00072: make_sock: could not bind to address [::]:80"),
    "a port in use, of PostgreSQL": (POSTGRESQL, POSTGRESQL.splitlines()[1]),
    "a port in use, of Redis": (REDIS, REDIS.splitlines()[1]),
    "a program killed for memory": (
        "head: error writing 'standard output': Broken pipe\nKilled\n", "Killed (by SIGKILL, as for lack of memory)",
    ),
    "a module that is missing": (
        "Can't locate Not/There.pm in @INC\nBEGIN failed--compilation aborted.\n", "Can't locate Not/There.pm in @INC",
    ),
    "blank lines between them": ("error: no licence\n\nerror: exiting\n", "error: no licence"),
}  # fmt: skip


@pytest.mark.parametrize("what", CASCADES)
def test_first_error_in_a_row_is_the_cause(what: str) -> None:
    output, expected = CASCADES[what]
    assert failure_line(output, "unbound.service") == expected


def test_reason_at_the_end_of_a_long_line_is_kept() -> None:
    where = "Syntax error on line 146 of /etc/apache2/apache2.conf: Syntax error on line 1 of /etc/apache2/mods-enabled/qos.load: "
    module = "/usr/lib/apache2/modules/mod_qos.so"
    line = failure_line(
        f"{where}Cannot load {module} into server: {module}: undefined symbol: pcre_free", "apache2.service"
    )
    assert line.startswith("Syntax error on line 146 of ")
    assert line.endswith(f"{module}: undefined symbol: pcre_free")


def test_mount_that_fails_has_the_line_of_mount() -> None:
    unit, said = "proc-fs-nfsd.mount", "mount: /proc/fs/nfsd: unknown filesystem type 'nfsd'."
    lines = [
        f"Mounting {unit} - NFSD configuration filesystem...",
        said,
        "       dmesg(1) may have more information after failed mount system call.",
        f"{unit}: Mount process exited, code=exited, status=32/n/a",
        f"{unit}: Failed with result 'exit-code'.",
        f"Failed to mount {unit} - NFSD configuration filesystem.",
    ]
    assert failure_line("\n".join(lines * 2), unit) == said
