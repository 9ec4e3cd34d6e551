"""The site in a real browser, before a real HTML checker, and killed by SIGKILL at each of its writes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest

from lab.results.build_identity import build_id
from reports.site import Identity, build, overview
from reports.site.api import KINDS
from reports.site.serve import server
from tests.reports.site import every_page
from tests.reports.site.crawl import crawl, tree_of
from tests.reports.site.every_page import EveryPage
from tests.reports.site.test_update import changing
from tests.reports.site.worlds import World, grown

pytestmark = pytest.mark.integration
HOUSE = Path(__file__).parent.parent.parent
NODE = ("playwright-core@1.65.1", "axe-core@4.14.1", "html-validate@10.17.0")
SITE = Identity("openstack", "Every upstream commit, packaged and tested")
EVERY = EveryPage(World(420, components=9, tracks=3, lines=900))
# Rules of taste, or about long names.
RULES = {"long-title": "off"}


def need(**packages: str) -> None:
    """Install the Debian packages of programs that are missing."""
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if missing:
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=env)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=env)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """node_modules with a driver of Chromium, axe-core and the HTML checker."""
    need(chromium="chromium", npm="npm")
    home = tmp_path_factory.mktemp("node")
    argv = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", "--ignore-scripts", *NODE]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)
    return home / "node_modules"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as small:
        small.setattr(overview, "BROKEN", 10)  # so that home has a second page
        report = build(EVERY, out, every_page.SITE, read=EVERY.read, view=every_page.view())
    assert (report.left_out, report.stale) == ({}, {})
    return out


def results_page(out: Path) -> str:
    """Return a page of the results of a build that has too many for its own page."""
    place = next(out.glob("editions/*/builds/*/*/tests-1.html"))
    return f"b/{place.parent.parent.name}/{place.parent.name}/{place.name}"


def pages(out: Path) -> list[str]:
    """Return one page of each kind, for a broken test or build."""
    index = json.loads((out / "current/api/v1/index.json").read_text())
    row = next(row for row in index["broken"] if row["part"]["test"] and row["part"]["good"])
    lane, bad, test = row["tracks"][0]["path"], row["part"]["last"], row["part"]["test"]["path"]
    component, month = f"p/{row['component']}/", f"{lane}{bad['started'][:7]}/"
    places = [lane, bad["path"], bad["commit_path"], test, month, f"{bad['path']}log-1.html"]
    return [
        "",
        component,
        *places,
        f"d/{bad['id'][:1]}/{bad['id']}.html",
        "compare/",
        "changes/",
        "health/",
        "flaky/",
        "slow/",
        "stale/",
        "search/",
        "about/",
        "broken/2.html",
        results_page(out),
        "order/",
        "promotions/",
        "promotions/trunk-trixie/",
        "promotions/trunk-noble/",  # nothing waits
        "bisections/",
        "bisections/1/",
        "bisections/2/",
        "p/keystone/trunk-trixie/",  # several phases
        "p/neutron/trunk-trixie/",  # long names and other scripts
        "p/glance/trunk-noble/",  # errors only
    ]


def to_find(out: Path) -> dict[str, object]:
    """Return words with the texts that a search for them finds, two builds of a lane, and filters of the home page.

    ``untested``: a build that ran no test, and the next one, in which some fail.
    """
    one = next(
        made for path in EVERY if (made := EVERY.read(path).build).verdict == "failed" and made.component == "nova"
    )
    commit = one.commits[0]
    month = json.loads((out / f"current/api/v1/p/nova/{one.track}/{one.started[:7]}.json").read_text())
    searches = [
        (commit.id, commit.id[:12]),
        (f"{commit.author} {one.track}", commit.author),
        ("exit code 1 nova", "exit code 1"),
    ]
    row = next(row for row in json.loads((out / "current/api/v1/index.json").read_text())["broken"] if row["authors"])
    track, author = row["tracks"][0]["track"], row["authors"][0]
    filters = [
        (f"component={row['component']}", ("component", row["component"])),
        (f"track={track}&state=broken", ("tracks", track), ("state", "broken")),
        (urlencode({"author": author}), ("author", author)),
    ]
    builds = [build["id"] for build in month["builds"][:2]]
    log = f"{month['builds'][0]['path']}log-1.html"
    lane = [EVERY.read(path).build for path in EVERY]
    lane = [build for build in lane if (build.component, build.track) == ("keystone", "proposed-noble")]
    pairs = ((build_id(one.id), build_id(other.id)) for one, other in pairwise(lane)
             if one.verdict == "error" and other.verdict == "failed")  # fmt: skip
    return {"filters": filters, "searches": searches, "builds": builds, "untested": next(pairs), "log": log}


@pytest.mark.full
def test_pages_are_of_all_kinds(site: Path) -> None:
    found = {json.loads((site / "current" / place).read_text())["kind"] for place in map(data_of, pages(site))}
    assert found == KINDS.keys()


def data_of(page: str) -> str:
    """Return the path of the JSON of a page."""
    if page.startswith("b/"):  # also of the pages of its logs and results
        return f"api/v1/{'/'.join(page.split('/')[:3])}.json"
    return f"api/v1/{page.removesuffix('.html').rstrip('/') or 'index'}.json"


@pytest.mark.full
def test_site_in_browser(site: Path, modules: Path) -> None:
    with server(site, 0) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        try:
            base = f"http://127.0.0.1:{running.server_port}/"
            files = f"{(site / 'current').as_uri()}/"
            more = json.dumps(to_find(site))
            program = HOUSE / "tests/integration/site.mjs"
            argv = ["node", program, modules, shutil.which("chromium"), base, files, more, *pages(site)]
            done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=1800)
        finally:
            running.shutdown()
            thread.join()
    assert json.loads(done.stdout) == []


@pytest.mark.full
def test_site_is_valid_html(site: Path, modules: Path, tmp_path: Path) -> None:
    config = tmp_path / "rules.json"
    config.write_text(json.dumps({"root": True, "extends": ["html-validate:recommended"], "rules": RULES}))
    found = [site / "current" / page / ("" if page.endswith(".html") else "index.html") for page in pages(site)]
    argv = [modules / ".bin/html-validate", "--config", config, *found]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


WRITES = ("write,pwrite64,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
          "ftruncate,fsync,fdatasync")  # fmt: skip
SMALL = World(12, components=2, tracks=2, tests=20, lines=5)
UPDATE = """
import sys
from pathlib import Path
from reports.site import build
from tests.integration.test_site import SITE, SMALL
from tests.reports.site.worlds import grown
world = grown(SMALL, int(sys.argv[2]))
build(world, Path(sys.argv[1]), SITE, read=world.read)
"""


def update(out: Path, count: int, *strace: str) -> subprocess.CompletedProcess[bytes]:
    argv = [*strace, sys.executable, "-B", "-c", UPDATE, str(out), str(count)]
    return subprocess.run(argv, cwd=HOUSE, check=False, capture_output=True, timeout=120)


@pytest.mark.full
def test_site_build_recovers_after_kill_at_every_write(tmp_path: Path) -> None:
    need(strace="strace")
    start, log = tmp_path / "start", tmp_path / "trace"
    for count in (9, 10, 11):  # so that all slots hold something else
        build(grown(SMALL, count), start, SITE, read=SMALL.read)
    before = changing(tree_of(start / "current"))
    shutil.copytree(start, whole := tmp_path / "whole", symlinks=True)
    assert update(whole, 12, "strace", "-o", str(log), "-e", f"trace={WRITES}").returncode == 0
    after = tree_of(whole / "current")
    assert before != changing(after)
    calls = Counter(re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE))
    moments = [(call, number) for call, count in sorted(calls.items()) for number in range(1, count + 1)]
    assert calls["rename"] > 15

    def kill(moment: tuple[str, int]) -> bool:
        call, number = moment
        out = tmp_path / f"{call}-{number}"
        shutil.copytree(start, out, symlinks=True)
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        done = update(out, 12, "strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
        assert done.returncode == -9, (moment, done.stderr)
        seen = changing(tree_of(out / "current"))
        assert seen in (before, changing(after)), moment
        assert crawl(out / "current").problems == [], moment
        build(grown(SMALL, 12), out, SITE, read=SMALL.read)
        assert tree_of(out / "current") == after, moment
        assert crawl(out / "current").problems == [], moment
        shutil.rmtree(out)
        return seen == before

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        published = Counter(pool.map(kill, moments))
    assert published[True] > 30
