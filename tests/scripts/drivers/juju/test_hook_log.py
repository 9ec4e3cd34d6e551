"""The reason for the failure of a hook, in logs shaped like those of real units."""

from __future__ import annotations

import pytest

from scripts.drivers.juju.hook_log import MOST_LINES, HookFailure, failure

FAILED = 'ERROR juju.worker.uniter.operation hook "{hook}" (via explicit, bespoke hook script) failed: exit status 1'
RAN = 'INFO juju.worker.uniter.operation ran "{hook}" hook (via explicit, bespoke hook script)'


def log(text: str, *, hook: str = "install", date: str = "", end: str = FAILED) -> list[str]:
    """Return a log whose lines are printed by a hook: ``> `` on standard output, others on standard error.

    A line that begins with ``| `` belongs to the entry before it; one that begins with ``- `` ends an earlier hook.
    """
    head, lines = f"unit-nova-0: {date}10:12:31", []
    for line in text.strip().splitlines():
        match line[:2]:
            case "> ":
                lines.append(f"{head} DEBUG unit.nova/0.{hook} {line[2:]}")
            case "| ":
                lines.append(line[2:])
            case "- ":
                lines.append(f"{head} {line[2:]}")
            case _:
                lines.append(f"{head} WARNING unit.nova/0.{hook} {line}")
    return [*lines, *([f"{head} {end.format(hook=hook)}"] if end else [])]


APT = """
> Reading package lists...
> The following packages have unmet dependencies:
>  nova-api : Depends: python3-nova (= 2:29.0.1-0ubuntu1) but 2:29.0.0-0ubuntu1 is to be installed
E: Unable to correct problems, you have held broken packages.
Traceback (most recent call last):
|   File "hooks/install", line 4, in <module>
| subprocess.CalledProcessError: Command '['apt-get', 'install', 'nova-api']' returned non-zero exit status 100.
"""
POSTINST = """
> Setting up nova-compute (2:29.0.1-0ubuntu1) ...
> Job for nova-compute.service failed because the control process exited with error code.
dpkg: error processing package nova-compute (--configure):
|  installed nova-compute package post-installation script subprocess returned error exit status 1
> Errors were encountered while processing:
>  nova-compute
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
OPS = """
Uncaught exception while in charm code:
| Traceback (most recent call last):
|   File "./src/charm.py", line 262, in <module>
|     ops.main(HardwareObserverCharm)
| redfish.rest.v1.RetriesExhaustedError

"""
DB = """
> 2024-05-02 10:12:30.123 4711 CRITICAL glance [-] Unhandled error
oslo_db.exception.DBError: (pymysql.err.OperationalError) (1054, "Unknown column 'visibility' in 'images'")
error: hook exit status 1
"""
LOCK_LONG_AGO = """
E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)
- ERROR juju.worker.uniter.operation hook "install" (via explicit, bespoke hook script) failed: exit status 100
- INFO juju.worker.uniter.operation ran "install" hook (via explicit, bespoke hook script)
oslo_db.exception.DBError: (1045, "Access denied for user 'glance'")
"""
LOCK_THEN_FINE = """
E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)
> Setting up nova-common (2:29.0.1-0ubuntu1) ...
dpkg: error processing archive /var/cache/apt/archives/nova-api_29.0.1_all.deb (--unpack):
|  trying to overwrite '/etc/nova/api-paste.ini', which is also in package nova-common 2:29.0.0-0ubuntu1
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
PASTE = """
> Unpacking python3-nova (3:30.0.0-0lab1) over (3:29.0.0-0ubuntu1) ...
> dpkg: error processing archive /var/cache/apt/archives/python3-nova_3%3a30_all.deb (--unpack):
>  trying to overwrite '/usr/bin/nova-policy', which is also in package nova-common 3:29.0.0-0ubuntu1
dpkg-deb: error: paste subprocess was killed by signal (Broken pipe)
> Errors were encountered while processing:
>  /var/cache/apt/archives/python3-nova_3%3a30_all.deb
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
UNREAD = """
> Err:1 http://192.168.1.93/ubuntu noble InRelease
>   Could not connect to 192.168.1.93:80 (192.168.1.93). - connect (111: Connection refused)
> Reading package lists...
W: Failed to fetch http://192.168.1.93/ubuntu/dists/noble/InRelease  Could not connect to 192.168.1.93:80
W: Some index files failed to download. They have been ignored, or old ones used instead.
"""
UNREAD_TOLD = (
    "W: Failed to fetch http://192.168.1.93/ubuntu/dists/noble/InRelease  Could not connect to 192.168.1.93:80"
)
READ_THEN = "> Hit:1 http://192.168.1.93/ubuntu noble InRelease\n> Reading package lists...\n"
ABSENT = "E: Unable to locate package nova-apo\nsubprocess.CalledProcessError: Command '['apt-get']' returned non-zero exit status 100."
TRACEBACK = """
Traceback (most recent call last):
|   File "hooks/install", line 4, in <module>
|     main()
"""
DEPENDENTS = """
> Setting up a (1.0) ...
dpkg: error processing package a (--configure):
|  installed a package post-installation script subprocess returned error exit status 1
dpkg: dependency problems prevent configuration of b:
|  b depends on a (= 1.0); however:
|   Package a is not configured yet.
dpkg: error processing package b (--configure):
|  dependency problems - leaving unconfigured
Errors were encountered while processing:
|  a
|  b
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
APPORT = (
    DEPENDENTS.partition("Errors")[0]
    + """
> No apport report written because the error message indicates its a followup error from a previous failure.
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
)
NOISE = """
sudo: unable to resolve host juju-5e3-0-lxd-1: Temporary failure in name resolution
debconf: (Dialog frontend will not work on a dumb terminal, and cannot be used.)
dpkg-preconfigure: unable to re-open stdin: No such file or directory
locale: Cannot set LC_ALL to default locale: No such file or directory
"""
JOURNAL = """
> Setting up nova-compute (3:29) ...
Job for nova-compute.service failed because the control process exited with error code.
> May 02 10:12:31 juju-1 nova-compute[123]: ModuleNotFoundError: No module named 'oslo_limit'
> May 02 10:12:31 juju-1 systemd[1]: Failed to start nova-compute.service - OpenStack Compute.
dpkg: error processing package nova-compute (--configure):
|  installed nova-compute package post-installation script subprocess returned error exit status 1
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
PIP = """
>   WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': Network is unreachable')': /simple/pip/
ERROR: Could not find a version that satisfies the requirement pip>=18.1 (from versions: none)
ERROR: No matching distribution found for pip>=18.1
"""
UNSIGNED = """
W: GPG error: http://m trunk InRelease: The following signatures couldn't be verified: NO_PUBKEY 01
E: The repository 'http://m trunk InRelease' is not signed.
"""
LISTS = """
E: Could not get lock /var/lib/apt/lists/lock. It is held by process 2358 (apt-get)
E: Unable to lock directory /var/lib/apt/lists/
"""
SQL = """
| oslo_db.exception.DBError: (pymysql.err.OperationalError) (1054, "Unknown column 'visibility' in 'images'")
| [SQL: ALTER TABLE images DROP COLUMN errors_no_such]
| (Background on this error at: https://sqlalche.me/e/20/e3q8)
"""
ENDED = "subprocess.CalledProcessError: Command '['x']' returned non-zero exit status 1."
WHEELHOUSE = """
> Processing ./wheelhouse/exceptiongroup-1.1.2.tar.gz
  error: subprocess-exited-with-error
  \u00d7 pip subprocess to install build dependencies did not run successfully.
  \u2570\u2500> [3 lines of output]
      ERROR: Could not find a version that satisfies the requirement flit_scm (from versions: none)
      ERROR: No matching distribution found for flit_scm
      [end of output]
  note: This error originates from a subprocess, and is likely not a problem with pip.
error: subprocess-exited-with-error
note: This error originates from a subprocess, and is likely not a problem with pip.
"""
SYSTEMD = """
> Setting up nova-compute (2:29.0.1-0ubuntu1) ...
Job for nova-compute.service failed because the control process exited with error code.
See "systemctl status nova-compute.service" and "journalctl -xe" for details.
invoke-rc.d: initscript nova-compute, action "start" failed.
> \u25cf nova-compute.service - OpenStack Compute
>    Loaded: loaded (/lib/systemd/system/nova-compute.service; enabled; vendor preset: enabled)
>    Active: activating (auto-restart) (Result: exit-code) since Wed 2020-12-09 03:16:56 UTC; 6ms ago
>  Main PID: 31109 (code=exited, status=1/FAILURE)
dpkg: error processing package nova-compute (--configure):
 installed nova-compute package post-installation script subprocess returned error exit status 1
"""
INITRAMFS = """
> Setting up linux-image-6.8.0-1-generic (6.8.0-1.1) ...
> update-initramfs: Generating /boot/initrd.img-6.8.0-1-generic
zstd: error 25 : Write error : No space left on device (cannot write compressed block)
E: mkinitramfs failure zstd -q -1 -T0 25
update-initramfs: failed for /boot/initrd.img-6.8.0-1-generic with 1.
run-parts: /etc/kernel/postinst.d/initramfs-tools exited with return code 1
dpkg: error processing package linux-image-6.8.0-1-generic (--configure):
 installed linux-image-6.8.0-1-generic package post-installation script subprocess returned error exit status 1
"""
SNAP = """
error: cannot perform the following tasks:
> - Download snap "core22" (1908) from channel "stable" (download too slow: 3372.79 bytes/sec)
Traceback (most recent call last):
|   File "charm.py", line 4, in <module>
| charms.operator_libs_linux.v2.snap.SnapError: Snap: 'x'; command ['snap', 'install', 'x'] failed with output = ''
"""
SIZE = """
E: Failed to fetch http://m/Packages.bz2  File has unexpected size (8667 != 7635). Mirror sync in progress?
   Hashes of expected file:
    - Filesize:7635 [weak]
E: Some index files failed to download. They have been ignored, or old ones used instead.
"""
KEYS = """
gpgkeys: key 283EC8CD can't be retrieved
gpg: no valid OpenPGP data found.
"""
LOCATE = """
E: Unable to locate package linux-modules-extra-6.8
E: Couldn't find any package by glob 'linux-modules-extra-6.8'
E: Couldn't find any package by regex 'linux-modules-extra-6.8'
"""
STATUS_FILE = """
E: Failed to fetch http://m/Packages  Error writing to output file - write (28: No space left on device)
E: Write error - write (28: No space left on device)
E: The package lists or status file could not be parsed or opened.
"""
UDEV = """
error: cannot perform the following tasks:
> - Setup snap "snapd" (24505) security profiles (cannot reload udev rules: exit status 1
> udev output:
> Failed to send reload request: No such file or directory
> )
charms.operator_libs_linux.v2.snap.SnapError: Snap: 'x'; command ['snap', 'install', 'x'] failed with output = ''
"""
SNAP_HOOK = """
error: cannot perform the following tasks:
> - Run install hook of "microk8s" snap if present (run hook "install":
> -----
> + mkdir /var/snap/microk8s/492/certs
> mkdir: cannot create directory: File exists
> -----)
"""
NGINX = """
> Setting up nginx-core (1.10.3-1) ...
Job for nginx.service failed because the control process exited with error code.
> Nov 14 20:04:58 juju-1 nginx[2790]: nginx: [emerg] bind() to [::]:80 failed (98: Address already in use)
> Nov  4 20:05:00 juju-1 systemd[1]: nginx.service: Control process exited, code=exited status=1
> Nov  4 20:05:00 juju-1 systemd[1]: nginx.service: Failed with result 'exit-code'.
> Hint: Some lines were ellipsized, use -l to show in full.
dpkg: error processing package nginx-core (--configure):
|  subprocess installed post-installation script returned error exit status 1
"""
DIVERT = """
> Setting up udev (166-0ubuntu2) ...
dpkg-divert: error: mismatch on package
|   when removing `diversion of /sbin/udevadm to /sbin/udevadm.upgrade by udev'
|   found `local diversion of /sbin/udevadm to /sbin/udevadm.upgrade'
dpkg: error processing udev (--configure):
|  subprocess installed post-installation script returned error exit status 2
"""
OLD_PIP = """
>   Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Network is unreachable',)': /simple/flask/
  Could not find a version that satisfies the requirement flask (from versions: )
No matching distribution found for flask
"""
PROGRESS = "\n".join(f"> Setting up python3-part{number} (1.0) ..." for number in range(3000))
NO_ANSWER = (
    "requests.exceptions.ConnectTimeout: HTTPSConnectionPool(host='{}', port=443): Max retries exceeded with url: /x"
)
MIRROR = """
> Err:4 http://archive.ubuntu.com/ubuntu noble/main amd64 python3-nova all 2:29.0.1-0ubuntu1
E: Failed to fetch http://archive.ubuntu.com/ubuntu/pool/main/n/nova/x.deb  503  Service Unavailable [IP: 10.0.0.1 80]
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
subprocess.CalledProcessError: Command '['apt-get', 'install']' returned non-zero exit status 100.
"""
MIRROR_TOLD = "E: Failed to fetch http://archive.ubuntu.com/ubuntu/pool/main/n/nova/x.deb  503  Service Unavailable [IP: 10.0.0.1 80]"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            APT, "nova-api : Depends: python3-nova (= 2:29.0.1-0ubuntu1) but 2:29.0.0-0ubuntu1 is to be installed",
            id="unmet dependency on standard output",
        ),
        pytest.param(
            POSTINST,
            "dpkg: error processing package nova-compute (--configure): installed nova-compute package post-installation "
            "script subprocess returned error exit status 1 (Job for nova-compute.service failed because the control",
            id="maintainer script",
        ),
        pytest.param(OPS, "redfish.rest.v1.RetriesExhaustedError", id="exception of a charm"),
        pytest.param(
            DB, "oslo_db.exception.DBError: (pymysql.err.OperationalError) (1054, \"Unknown column 'visibility' in 'images'\")",
            id="database",
        ),
        pytest.param(LOCK_LONG_AGO, "oslo_db.exception.DBError: (1045, \"Access denied for user 'glance'\")", id="earlier hook"),
        pytest.param(
            LOCK_THEN_FINE,
            "dpkg: error processing archive /var/cache/apt/archives/nova-api_29.0.1_all.deb (--unpack): trying to overwrite "
            "'/etc/nova/api-paste.ini', which is also in package nova-common 2",
            id="lock that was got, then a conflict of files",
        ),
        pytest.param(
            "> all good\n/bin/sh: 1: ovs-vsctl: command not found\nerror: hook exit status 127",
            "/bin/sh: 1: ovs-vsctl: command not found", id="missing program",
        ),
        pytest.param(
            "FATAL ERROR: Could not derive OpenStack version for codename: None\nSystemExit: 1",
            "FATAL ERROR: Could not derive OpenStack version for codename: None", id="fatal error of charmhelpers",
        ),
        pytest.param("E: Unable to locate package nova-apo", "E: Unable to locate package nova-apo", id="apt"),
        pytest.param(DEPENDENTS, "dpkg: error processing package a (--configure): installed a package", id="package before those that need it"),
        pytest.param(
            DEPENDENTS.partition("Errors")[0].partition("dpkg: dep")[2].join(["dpkg: dep", ""]),
            "dpkg: dependency problems prevent configuration of b: b depends on a (= 1.0); however: Package a is not",
            id="package that needs what is not there",
        ),
        pytest.param(
            f"sed: cannot read /etc/old: No such file or directory\n{TRACEBACK}| keystoneauth1.exceptions.http.Unauthorized: 401",
            "keystoneauth1.exceptions.http.Unauthorized: 401", id="exception with a name of its own",
        ),
        pytest.param(
            f"{TRACEBACK}| KeyError: 'a'\n| During handling of the above exception, another exception occurred:\n{TRACEBACK}"
            "| charm.Bootstrap: no leader", "charm.Bootstrap: no leader", id="exception of an exception",
        ),
        pytest.param(
            f"{TRACEBACK}| tenacity.RetryError: RetryError[<Future state=finished raised CalledProcessError>]",
            "tenacity.RetryError: RetryError", id="exception that names a generic one",
        ),
        pytest.param("\x1b[1;31mE: \x1b[0mUnable to locate package nova-apo", "E: Unable to locate package", id="colours"),
        pytest.param("Error: Unable to locate package nova-apo", "Error: Unable to locate package", id="apt 3"),
        pytest.param(
            f"{APT.partition('Traceback')[0]}E: The following information from --solver 3.0 may provide additional context:\n"
            "|    Unable to satisfy dependencies. Reached two conflicting decisions:", "nova-api : Depends: python3-nova (=",
            id="unmet dependency, with more of the solver of apt 3",
        ),
        pytest.param(
            "E: Unable to satisfy dependencies. Reached two conflicting decisions:\n|    1. nova-api is selected for install\n"
            "|    2. nova-api Depends python3-nova (= 2:29)", "E: Unable to satisfy dependencies. Reached two conflicting "
            "decisions: 1. nova-api is selected for install 2. nova-api Depends python3-nova (= 2:29)", id="solver of apt 3",
        ),
        pytest.param(PASTE, "dpkg: error processing archive /var/cache/apt/archives/python3-nova_3%3a30_all.deb (--unpack): trying to "
                     "overwrite '/usr/bin/nova-policy', which is also in package nova-common 3:29", id="conflict of files"),
        pytest.param(UNREAD + READ_THEN + ABSENT, "E: Unable to locate package nova-apo", id="absent, in indexes that were got"),
        pytest.param(UNREAD + READ_THEN + APT, "nova-api : Depends: python3-nova (=", id="unmet, in indexes that were got"),
        pytest.param(UNREAD + DB, "oslo_db.exception.DBError", id="database, beside indexes that were not got"),
        pytest.param("E: Could not get lock /var/lib/dpkg/lock-frontend\n> Unpacking nova-common (2:29) ...\n> ok", 'hook "install"',
                     id="lock that was got, then no reason"),
        pytest.param(f"{MIRROR}> Setting up nova-common (2:29.0.1-0ubuntu1) ...\nrm: missing operand", 'hook "install"',
                     id="mirror that came back, then no reason"),
        pytest.param("W: Failed to fetch http://m/InRelease  503\n> Setting up nova-common (2:29) ...\nnova-manage: no such option",
                     "nova-manage: no such option", id="index, then a reason"),
        pytest.param(APPORT, "dpkg: error processing package a (--configure): installed a package", id="report of Ubuntu's, not written"),
        pytest.param(f"{TRACEBACK}{SQL}", "oslo_db.exception.DBError: (pymysql.err.OperationalError) (1054", id="database, with more lines"),
        pytest.param(JOURNAL, "dpkg: error processing package nova-compute (--configure): installed nova-compute package post-installation "
                     "script subprocess returned error exit status 1 (May 02 10:12:31 juju-1 nova-compute[123]: ModuleNotFoundError",
                     id="maintainer script, with the journal of its service"),
        pytest.param(f"{NOISE}Failed to restart nova-cpu.service: Unit nova-cpu.service not found.\n{ENDED}", "Failed to restart nova-cpu",
                     id="unit that is not there, after what is always printed"),
        pytest.param(f"E: Unable to locate package nova-apo\n{NOISE}", "E: Unable to locate", id="before what is always printed"),
        pytest.param(f"{NOISE}{ENDED}", 'hook "install"', id="only what is always printed"),
        pytest.param(f"Job for nova.service failed because a timeout was exceeded.\nSee journalctl for details.\n{ENDED}",
                     "Job for nova.service failed because a timeout", id="service that does not start in time"),
        pytest.param("AH00526: Syntax error on line 12 of /etc/apache2/sites-enabled/keystone.conf:\nUnknown command 'WSGIDaemonProcess'\n"
                     + ENDED, "AH00526: Syntax error on line 12 of /etc/apache2/sites-enabled/keystone.conf: Unknown command",
                     id="configuration of Apache"),
        pytest.param(f"ERROR permission denied\n{ENDED}", "ERROR permission denied", id="command of Juju's that a hook may not use"),
        pytest.param(f"{UNSIGNED}{READ_THEN}{ABSENT}", "E: Unable to locate package", id="absent, in indexes that were signed later"),
        pytest.param(PASTE.replace("paste subprocess", "subprocess paste"), "dpkg: error processing archive", id="conflict of files, older dpkg"),
        pytest.param(WHEELHOUSE + ENDED, "ERROR: Could not find a version that satisfies the requirement flit_scm", id="charm without a wheel"),
        pytest.param("> ImportError: No module named 'setuptools'\nCommand \"python setup.py egg_info\" failed with error code 1 in /tmp/x/\n"
                     + ENDED, "ImportError: No module named", id="package of Python's that does not build"),
        pytest.param(SYSTEMD.replace("\u25cf", "*"), "dpkg: error processing package nova-compute (--configure): installed nova-compute package "
                     "post-installation script subprocess returned error exit status 1 (Job for nova-compute.service failed", id="the same, in ASCII"),
        pytest.param(SYSTEMD, "dpkg: error processing package nova-compute (--configure): installed nova-compute package post-installation "
                     "script subprocess returned error exit status 1 (Job for nova-compute.service failed", id="status of a service"),
        pytest.param("> Setting up x (1) ...\nFailed to restart x.service: Unit x.service not found.\nSee system logs and 'systemctl status "
                     "x.service' for details.\ndpkg: error processing package x (--configure):\n exit status 5", "dpkg: error processing "
                     "package x (--configure): exit status 5 (Failed to restart x.service", id="hint of systemd's"),
        pytest.param(TRACEBACK + "| " + NO_ANSWER.format("10.0.0.3"), "requests.exceptions.ConnectTimeout", id="service that does not answer"),
        pytest.param("curl: (7) Failed to connect to keystone.lab.internal port 5000: Connection refused\n" + ENDED, 'hook "install"',
                     id="the same of the deployment's, for curl"),
        pytest.param("Traceback (most recent call last):\n  File \"x\", line 1\n> Installing the snap ...\nKeyError: 'a'\n> done", "KeyError",
                     id="exception between lines of standard output"),
        pytest.param(APT.partition("Traceback")[0] + "E: Could not read response to hello message from hook advise-snap: Success\n",
                     "nova-api : Depends: python3-nova (=", id="unmet dependency, then an error of a hook of apt's"),
        pytest.param(APT.partition("E: ")[0] + "E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.\n"
                     f"{TRACEBACK}| apt_pkg.Error: E:Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.",
                     "nova-api : Depends: python3-nova (=", id="unmet dependency, for python-apt"),
        pytest.param(LOCATE, "E: Unable to locate package linux-modules-extra-6.8", id="first of the errors of apt"),
        pytest.param("/bin/sh: 1: charmed-kafka.keytool: not found\n" + ENDED, "/bin/sh: 1: charmed-kafka.keytool: not found",
                     id="missing program, for dash"),
        pytest.param("> error: stat /root/kubeconfig: no such file or directory\nFailed to remove label gpu. Will retry.\n" + ENDED,
                     "error: stat /root/kubeconfig", id="why another attempt was made"),
        pytest.param(NGINX, "dpkg: error processing package nginx-core (--configure): subprocess installed post-installation script returned "
                     "error exit status 1 (Nov 14 20:04:58 juju-1 nginx[2790]: nginx: [emerg] bind()", id="journal of a service, not systemd's"),
        pytest.param(DIVERT, "dpkg: error processing udev (--configure): subprocess installed post-installation script returned error exit "
                     "status 2 (dpkg-divert: error: mismatch on package)", id="error with details after it"),
        pytest.param(f"> - see the snap (there\n{PROGRESS}\n> nova-manage: no such option", "nova-manage: no such option",
                     id="list of a charm's, with a parenthesis that is never closed"),
        pytest.param(SNAP_HOOK + ENDED, '- Run install hook of "microk8s" snap if present (run hook', id="hook of a snap"),
        pytest.param(
            "> ok\n> never mind", 'hook "install" (via explicit, bespoke hook script) failed: exit status 1', id="no reason"
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("date", ["", "2024-05-02 "])
def test_failure_of_package_or_charm(text: str, line: str, date: str) -> None:
    found = failure(log(text, date=date))
    assert not found.is_labs
    assert found.line.startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(MIRROR, MIRROR_TOLD, id="mirror"),
        pytest.param("E: Unable to fetch some archives, maybe run apt-get update?", "E: Unable to fetch", id="archives"),
        pytest.param(UNREAD + ABSENT, UNREAD_TOLD, id="absent, in indexes that were not got"),
        pytest.param(UNREAD + APT, UNREAD_TOLD, id="unmet, in indexes that were not got"),
        pytest.param(UNREAD + "E: Package 'nova-api' has no installation candidate", UNREAD_TOLD, id="no candidate, in the same"),
        pytest.param(UNREAD + "E: Version '2:29' for 'nova-api' was not found", UNREAD_TOLD, id="no version, in the same"),
        pytest.param(UNREAD + "E: Unable to satisfy dependencies. Reached two conflicting decisions:", UNREAD_TOLD, id="solver, in the same"),
        pytest.param(UNSIGNED + ABSENT, "W: GPG error", id="absent, in indexes without a known key"),
        pytest.param(LISTS + ABSENT, "E: Could not get lock", id="absent, in indexes that were locked"),
        pytest.param("E: The repository 'http://m trunk Release' does not have a Release file.\n" + APT, "E: The repository",
                     id="unmet, in indexes that are not there"),
        pytest.param("\n".join([*reversed(PIP.strip().splitlines())]), "WARNING: Retrying", id="index of Python's packages, told last"),
        pytest.param("> - Download snap core (1577) (unexpected EOF)\nerror: cannot perform the following tasks:", "- Download snap",
                     id="snap store, with the streams in another order"),
        pytest.param(SNAP, "- Download snap", id="snap store, in an exception of a charm's library"),
        pytest.param(SIZE, "E: Failed to fetch", id="mirror in the middle of a change"),
        pytest.param(SIZE.replace("E: ", "Error: ") + "> Error:13 http://m stable Packages", "Error: Failed to fetch", id="the same of apt 3"),
        pytest.param(INITRAMFS, "zstd: error 25", id="disk of a maintainer script's"),
        pytest.param(INITRAMFS.replace("No space left on device (cannot write compressed block)", "cannot write compressed block"),
                     "zstd: error 25", id="the same, without the system's words"),
        pytest.param(INITRAMFS.replace("dpkg: error", "> Processing triggers for systemd (255) ...\ndpkg: error").replace(
            "):\n installed", "):\n> Setting up y (1) ...\n installed"), "zstd: error 25", id="the same, between lines of standard output"),
        pytest.param(KEYS + ENDED, "gpgkeys: key", id="server of keys, without a key"),
        pytest.param("gpg: keyserver receive failed: Server indicated a failure", "gpg: keyserver", id="server of keys, in trouble"),
        pytest.param("Error: retrieving gpg key timed out.", "Error: retrieving", id="server of keys, away"),
        pytest.param("error: too early for operation, device not yet seeded or device model not acknowledged\n" + ENDED, "error: too early",
                     id="snapd that starts"),
        pytest.param('error: snap "lxd" has "auto-refresh" change in progress\n' + ENDED, "error: snap", id="snapd at work"),
        pytest.param('error: cannot communicate with server: Get "http://localhost/v2/snaps": dial unix /run/snapd.socket: connect: no such file '
                     "or directory", "error: cannot communicate", id="snapd that is not there"),
        pytest.param(TRACEBACK + "| " + NO_ANSWER.format("github.com"), "requests.exceptions.ConnectTimeout", id="public download"),
        pytest.param("Cannot add PPA: 'HTTPSConnectionPool(host='ppa.launchpadcontent.net', port=443): Read timed out.'.\n" + ENDED,
                     "Cannot add PPA", id="Launchpad"),
        pytest.param("curl: (7) Failed to connect to streams.canonical.com port 443: Connection timed out\n" + ENDED, "curl: (7)",
                     id="public download, with curl"),
        pytest.param(PIP + ENDED, "WARNING: Retrying", id="index of Python's packages"),
        pytest.param("curl: (6) Could not resolve host: keyserver.ubuntu.com" + TRACEBACK + "| charmhelpers.fetch.ubuntu.GPGKeyError: no key",
                     "curl: (6)", id="server of keys"),
        pytest.param("fatal: unable to access 'https://opendev.org/x/': Could not resolve host: opendev.org", "fatal:", id="repository of git"),
        pytest.param('error: cannot install "vault": Post "https://api.snapcraft.io/v2/snaps/refresh": dial tcp: i/o timeout\n' + ENDED,
                     "error: cannot install", id="store of snaps"),
        pytest.param("ERROR could not get leadership: lease operation timed out\n" + ENDED, "ERROR could not", id="controller, busy"),
        pytest.param('ERROR cannot read settings for unit "nova/0": connection is shut down\n' + ENDED, "ERROR cannot", id="controller, away"),
        pytest.param("hooks/install: line 12:  1234 Killed                  apt-get install -y nova-api", "hooks/install", id="memory of a shell's"),
        pytest.param(TRACEBACK + "| MemoryError", "MemoryError", id="memory of Python's"),
        pytest.param("write /var/lib/juju/agents/x: no space left on device", "write /var", id="disk, of a program in Go"),
        pytest.param(POSTINST.replace("returned error exit status 1", "was killed by signal (Killed)"), "installed nova-compute package",
                     id="memory of a maintainer script's"),
        pytest.param(POSTINST.replace("error exit status 1", "error exit status 137"), "installed nova-compute", id="the same in a shell"),
        pytest.param("E: You don't have enough free space in /var/cache/apt/archives/.", "E: You don't", id="disk for packages"),
        pytest.param("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", "E: dpkg was", id="machine that went down"),
        pytest.param("W: Could not resolve 'archive.ubuntu.com'", "W: Could not resolve", id="name server"),
        pytest.param("Error: Failed to fetch http://m/x.deb  503  Service Unavailable", "Error: Failed to fetch", id="apt 3"),
        pytest.param("E: The repository 'http://m trunk Release' does not have a Release file.", "E: The repository", id="release"),
        pytest.param("E: The repository 'http://m trunk InRelease' is not signed.", "E: The repository", id="unsigned"),
        pytest.param("W: GPG error: http://m trunk InRelease: NO_PUBKEY 01\nE: The repository 'http://m trunk InRelease' is not signed.",
                     "W: GPG error", id="key"),
        pytest.param("E: Release file for http://m is not valid yet (invalid for another 3h).", "E: Release file", id="clock"),
        pytest.param("dpkg: error: dpkg frontend lock was locked by another process with pid 7", "dpkg: error: dpkg", id="lock of dpkg"),
        pytest.param("E: Write error - write (12: Cannot allocate memory)", "E: Write error", id="memory"),
        pytest.param("error: cannot perform the following tasks:\n> - Download snap core (1577) (unexpected EOF)"
                     + TRACEBACK + "| subprocess.CalledProcessError: Command '['snap']' returned non-zero exit status 1.",
                     "- Download snap", id="snap store"),
        pytest.param(STATUS_FILE, "E: Failed to fetch http://m/Packages", id="disk, in what follows from it"),
        pytest.param("tar: ./x: Cannot write: No space left on device\n> ok\ncharm.NotReadyError: x", "tar: ./x", id="disk, then what lacks"),
        pytest.param("> Setting up libc6 (2.35) ...\nFailed to reload daemon: Refusing to reexecute, not enough space available on /run/systemd.\n"
                     "dpkg: error processing package libc6 (--configure):\n|  exit status 1", "Failed to reload daemon", id="disk of systemd"),
        pytest.param(UDEV, '- Setup snap "snapd" (24505) security profiles (cannot reload udev rules: exit status 1 udev output: Failed to send',
                     id="snapd in a container"),
        pytest.param('> - Download snap "a" (1) from channel "stable" (bad record MAC)\n> - Download snap "b" (1) from channel "stable" (x)\n'
                     "dpkg: error processing archive firefox.deb (--unpack):\n|  exit status 1", '- Download snap "a"', id="package of a snap"),
        pytest.param(f"{TRACEBACK}| ops.model.ModelError: ERROR connection is shut down\n| ", "ops.model.ModelError", id="controller, raised again"),
        pytest.param(f"{TRACEBACK}| ops.model.ModelError: b'ERROR connection is shut down\\n'", "ops.model.ModelError", id="the same, as bytes"),
        pytest.param("E: There were unauthenticated packages and -y was used without --allow-unauthenticated", "E: There were", id="unauthenticated"),
        pytest.param(OLD_PIP + ENDED, "Retrying (Retry(total=0))", id="pip of older releases"),
        pytest.param("?: keyserver.ubuntu.com: Host not found\ngpg: keyserver internal error\ngpg: Total number processed: 0\n"
                     "gpg: keyserver receive failed: keyserver error", "?: keyserver.ubuntu.com", id="host of keys"),
        pytest.param("E: Could not get lock /var/lib/dpkg/lock-frontend", "E: Could not get lock", id="lock"),
        pytest.param("E: Failed to fetch http://m/x  Hash Sum mismatch", "E: Failed to fetch", id="digest"),
        pytest.param("tar: ./usr/lib/x: Cannot write: No space left on device", "tar: ./usr/lib/x", id="disk"),
        pytest.param(
            "E: Failed to fetch http://m/x  Could not connect to m:80\nE: Some index files failed to download.",
            "E: Failed to fetch", id="index",
        ),
    ],
)  # fmt: skip
def test_failure_of_lab(text: str, line: str) -> None:
    found = failure(log(text))
    assert (found.is_labs, found.line[: len(line)]) == (True, line)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(APT + PROGRESS, id="before much output"),
        pytest.param(PROGRESS + APT, id="after much output"),
        pytest.param(PROGRESS + LOCK_LONG_AGO + APT, id="after an earlier hook with much output"),
    ],
)
def test_failure_is_found_in_a_long_log(text: str) -> None:
    assert failure(log(text)).line.startswith("nova-api : Depends: python3-nova (= 2:29.0.1-0ubuntu1)")


def test_failure_is_sought_near_to_the_end_of_a_hook() -> None:
    text = APT + "> done\n" * MOST_LINES
    assert failure(log(text)).line.startswith('hook "install"')


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (['unit-greet-0: 10:12:31 INFO juju.worker.uniter awaiting error resolution for "install" hook'],
         'unit-greet-0: 10:12:31 INFO juju.worker.uniter awaiting error resolution for "install" hook'),
        (["not a line of a log"], "not a line of a log"),
        ([], ""),
    ],
)  # fmt: skip
def test_failure_of_log_without_hook(lines: list[str], line: str) -> None:
    assert failure(lines).line == line


def test_failure_of_log_that_ends_with_awaiting_lines() -> None:
    waiting = 'unit-nova-0: 10:13:31 INFO juju.worker.uniter awaiting error resolution for "install" hook'
    assert failure([*log(DB), waiting, waiting]).line.startswith("oslo_db.exception.DBError")
    only = ['unit-nova-0: 10:12:31 ERROR juju.worker.uniter.operation hook "install" failed: exit status 1', waiting]
    assert failure(only).line == 'hook "install" failed: exit status 1'


@pytest.mark.parametrize(
    ("why", "is_labs"),
    [
        ("signal: killed", True), ("signal: terminated", True), ("signal: segmentation fault", False),
        ("fork/exec /hooks/install: cannot allocate memory", True), ("fork/exec /hooks/install: exec format error", False),
    ],
)  # fmt: skip
def test_hook_that_is_stopped(why: str, *, is_labs: bool) -> None:
    """A machine without memory, or one that goes down, stops the hook, whatever it printed before."""
    end = FAILED.replace("exit status 1", why)
    found = failure(log("> Setting up nova-common (2:29.0.1-0ubuntu1) ...", end=end))
    assert found == (HookFailure(f'hook "install" (via explicit, bespoke hook script) failed: {why}', is_labs=is_labs))
