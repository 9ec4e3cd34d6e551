"""The demos: real source packages, the changes to them, and the deployment around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab import __version__


@dataclass(frozen=True)
class DemoCommit:
    """An upstream commit: in each file, a text and its replacement."""

    subject: str
    author: str
    files: tuple[str, ...]
    old: str
    new: str


@dataclass(frozen=True)
class Demo:
    """A source package of the distribution, the changes to it, and their visible effect."""

    component: str
    upstream_version: str
    commits: tuple[DemoCommit, ...]
    test: str
    """The stanza of debian/tests/control that the testing branch adds."""
    build: Mapping[str, tuple[str, ...]]
    install: str
    command: tuple[str, ...]
    always_prints: str
    """A regular expression of what the command prints, whichever commit was built."""
    prints: str
    """The last line that it prints when the last commit was built."""
    role: str = "package"
    around: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is deployed with it, roles by their names, and what each needs."""
    needs: tuple[str, ...] = ()
    exercises: tuple[str, ...] = ()
    tempest: bool = False
    from_checkout: bool = False
    """Whether upstream and packaging are the git history of this checkout, and no source package."""
    orig: Mapping[str, object] = field(default_factory=dict)
    piuparts: Mapping[str, str] = field(default_factory=dict)
    """Exceptions of piuparts, each with its reason."""


GREETING = ("src/hello.c", "tests/hello-1")
VERSION = ("keystone/version.py",)
ADA, BEA = "Ada Author <ada@upstream.example>", "Bea Buthor <bea@upstream.example>"

HELLO = Demo(
    component="hello",
    upstream_version="2.10",
    commits=(
        DemoCommit("Greet the packagers", ADA, GREETING, "Hello, world!", "Hello, packagers!"),
        DemoCommit("Greet whoever tests every commit", BEA, GREETING, "Hello, packagers!", "Hello, every commit!"),
    ),
    test="Test-Command: hello\nDepends: hello\n",
    build={},
    install="hello",
    command=("hello",),
    always_prints="Hello, .*!",
    prints="Hello, every commit!",
)
KEYSTONE = Demo(
    component="keystone",
    upstream_version="22.0.2",
    commits=(
        DemoCommit("Say that this is a snapshot", ADA, VERSION, "v3.14", "v3.14 snapshot"),
        DemoCommit("Say which lab made the snapshot", BEA, VERSION, "v3.14 snapshot", "v3.14 snapshot of the lab"),
    ),
    test="Test-Command: keystone-manage --version\nDepends: keystone\n",
    build={"options": ("nocheck", "nodoc"), "profiles": ("nocheck", "nodoc")},
    install="python3-keystone",
    command=("python3", "-c", "from keystone.version import release_string; print(release_string())"),
    always_prints="v3.14 snapshot.*",
    prints="v3.14 snapshot of the lab",
    role="keystone",
    around={"mariadb": (), "memcached": (), "glance": ("keystone", "mariadb")},
    needs=("mariadb", "memcached"),
    exercises=("token", "image-bundle"),
    piuparts={
        "--ignore=/etc/systemd/system/multi-user.target.wants/keystone.service": "the post-installation script calls "
        "`systemctl enable`, and nothing calls `systemctl disable`"
    },
)
# One commit, with a whole cloud around it.
OPENSTACK = replace(
    KEYSTONE,
    commits=KEYSTONE.commits[:1],
    prints="v3.14 snapshot",
    around={
        **dict.fromkeys(("mariadb", "rabbitmq", "memcached"), ()),
        "glance": ("keystone", "mariadb"),
        "placement": ("keystone", "mariadb"),
        "nova": ("glance", "keystone", "mariadb", "placement", "rabbitmq"),
        "neutron": ("keystone", "mariadb", "rabbitmq"),
        "nova-compute": ("neutron", "nova"),
        "cinder": ("glance", "keystone", "mariadb", "rabbitmq"),
    },
    exercises=("token", "image-bundle", "instance", "floating-ip", "volume", "ec2"),
    tempest=True,
)
# qalab packages itself: its own history, its own debian/.
LAB_IN_CONTAINER = 'd=$(mktemp -d) && qalab init "$d/lab" > /dev/null && cd "$d/lab" && qalab check && qalab --version'
# Its build backend is newer than Debian 12's, and the sdist has the wheels of what qalab needs.
SDIST = (
    "python3 -m venv ~/tools && ~/tools/bin/pip install --quiet build==1.6.1 hatchling==1.33.0 pip==26.3 && "
    "~/tools/bin/python -m build --sdist --no-isolation"
)
QALAB = Demo(
    component="qalab",
    upstream_version=__version__,
    commits=(
        DemoCommit(
            "Show that this is a snapshot", ADA, ("lab/__init__.py",), f'"{__version__}"', f'"{__version__}+demo"'
        ),
    ),
    test="Test-Command: qalab --version\nDepends: qalab\n",
    build={},
    install="qalab",
    command=("sh", "-euc", LAB_IN_CONTAINER),
    always_prints=r".*valid: [0-9]+ jobs, .*\nqalab .*",
    prints=f"qalab {__version__}+demo",
    from_checkout=True,
    orig={"method": "command", "command": SDIST, "packages": ["python3-venv"]},
)
DEMOS: Mapping[str, Demo] = {"hello": HELLO, "keystone": KEYSTONE, "openstack": OPENSTACK, "qalab": QALAB}
