"""The program of a probe that builds nothing: it looks at what the run would build, and writes the records.

Arguments: the run directory, the last step, and a JSON file with ``upstream`` (a repository), ``phase`` and its ``steps``, ``fails`` and ``skips``
(what the content of a point must have), ``rate`` (how often it fails anyway) and ``seconds``.  It imports nothing of qalab, to be fast.
"""

import gzip
import json
import random
import subprocess
import sys
import time
from pathlib import Path

run, until, settings = Path(sys.argv[1]), sys.argv[2], json.loads(Path(sys.argv[3]).read_text())
info = json.loads((run / "run.json").read_text())
store = run.parents[3]
STEPS = ("snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "content", "archive")
NOW = "2026-01-01T00:00:00.000Z"


def seen() -> set[str]:
    """Return what the point has: words of the upstream file, versions of components and packages, the packaging."""
    text = subprocess.run(
        ["git", "show", f"{info['revision']}:greet.txt"],
        cwd=settings["upstream"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {*text.split(), f"packaging={info['probe']['packaging']}"}
    installed = {**settings["installed"], **info["probe"]["held"]}
    found |= {f"{name}={version}" for name, version in installed.items()}
    for lock in (store / "archive/dists").glob(f"{info['track']}/sources.lock.gz"):
        found |= set(gzip.decompress(lock.read_bytes()).decode().split())
    return found


def record(home: Path, number: int, step: str, verdict: str, **more: object) -> None:
    code = {"passed": 0, "failed": 1, "unstable": 4}[verdict]
    data = {
        "schema": 1, "step": step, "component": info["component"], "track": info["track"], "series": info["series"],
        "architecture": "amd64", "commit": info["revision"], "version": "1", "verdict": verdict, "started": NOW,
        "finished": NOW, "exit_code": code, "log": f"results/{step}.log", "message": f"{step} {verdict}", **more,
    }  # fmt: skip
    (home / "results").mkdir(exist_ok=True)
    (home / f"results/{number:02d}-{step}.json").write_text(json.dumps(data))


def case(home: Path, *, failed: bool) -> list[dict[str, str]]:
    (home / "results/native").mkdir(parents=True, exist_ok=True)
    line = {"schema": 1, "suite": "s", "classname": "c", "name": "greets", "outcome": "failed" if failed else "passed"}
    (home / "results/native/cases.jsonl").write_text(json.dumps(line) + "\n")
    return [{"path": "results/native/cases.jsonl", "format": "cases"}]


has = seen()
with Path(settings["log"]).open("a") as log:
    log.write(f"{info['revision']} {' '.join(sorted(has))}\n")
time.sleep(settings["seconds"])
fails = any(word in has for word in settings["fails"])
if settings["rate"]:
    seed = f"{settings['seed']} {len(Path(settings['log']).read_text())}"
    fails = fails or random.Random(seed).random() < settings["rate"]
unbuildable = any(word in has for word in settings["skips"])
info["commit"] = info["revision"]
info["until"] = until if until in STEPS else ""
(run / "run.json").write_text(json.dumps(info))
phase = settings["phase"]
last = STEPS.index(until) if until in STEPS else len(STEPS) - 1
built = {**settings["installed"], **info["probe"]["held"]}
for number, step in enumerate(STEPS[: last + 1], 1):
    if step == "sbuild":
        bad = unbuildable or (phase == "build" and settings["step"] and fails)
        native = [] if bad else case(run, failed=phase == "build" and fails)
        verdict = "failed" if bad or (phase == "build" and fails) else "passed"
        record(run, number, step, verdict, native=native, facts={"installed": built})
        if verdict == "failed":
            sys.exit(1)
    else:
        record(run, number, step, "passed")
if phase != "build":
    home = run.parent / "2"
    home.mkdir()
    info |= {"phase": phase, "number": 2, "until": ""}
    native = case(home, failed=fails)
    for number, step in enumerate(settings["steps"], 1):
        has_case = step in {"autopkgtest", "exercise"}
        record(home, number, step, "failed" if has_case and fails else "passed", native=native if has_case else [])
    (home / "run.json").write_text(json.dumps(info))
