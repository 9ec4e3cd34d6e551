"""The store of a lab on this machine: its runs, its archive and its keys.

::

    STATE/LAB/runs/TRACK/COMPONENT/NUMBER/   run directories, see docs/reference/run-directory.md
    STATE/LAB/local/TRACK/COMPONENT/NUMBER/  likewise, of `qalab build`: only `Store.local_runs` and `Store.run` know them
    STATE/LAB/postponed/TRACK/COMPONENT/VERSION/
                                             builds of Jenkins whose uploads and pushes wait, see `scripts.handover.keeping`
    STATE/LAB/jenkins/TRACK/COMPONENT/PHASE/NUMBER/
                                             results of Jenkins builds, see `scripts.handover.jenkins_results`
    STATE/LAB/archive/                       the package archive
    STATE/LAB/gnupg/                         the lab's own signing key
    STATE/LAB/proposed/TRACK-contents.json   tested contents of a -proposed pocket
    STATE/LAB/environments/NAME/             deployments on this machine, see `scripts.drivers`
    STATE/LAB/machines/NAME.json             who has a bare machine, see `lab.store.leases`
    STATE/LAB/machines/NAME/                 what it boots by network, see `scripts.machines.netboot`
    STATE/LAB/juju.mark                      the mark of the lab's Juju models, see `scripts.drivers.juju.driver`
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.base.schema import NewerSchemaError
from lab.config.description import Lab, Phase
from lab.store.records import WorkingTree
from lab.store.run_directory import LOCAL_PREFIX, Run, check_known, open_run, run_at
from lab.store.run_order import RunPlace, in_order

RUNS, LOCAL = "runs", "local"


class Survey(NamedTuple):
    """The runs whose run.json is readable, and an error for each run.json that is damaged or of a newer qalab."""

    runs: list[Run]
    errors: list[ConfigurationError]

    def of_this_release(self) -> list[Run]:
        """Return the runs.  Raises NewerSchemaError if a newer qalab wrote one."""
        for error in self.errors:
            if isinstance(error, NewerSchemaError):
                raise error
        return self.runs


def _surveyed(runs: Iterable[Run]) -> Survey:
    survey = Survey([], [])
    for run in runs:
        try:
            run.info  # noqa: B018 - reads run.json
        except ConfigurationError as error:
            survey.errors.append(error)
        else:
            survey.runs.append(run)
    return survey


def _place(run: Run) -> RunPlace:
    """Return the place of a run; one without a readable start is the oldest."""
    info, started = run.info, 0.0
    with suppress(ValueError, OverflowError):
        started = datetime.fromisoformat(info.started).timestamp()
    return RunPlace((info.origin, info.phase if info.origin == "jenkins" else ""), info.number, started)


@dataclass(frozen=True)
class Store:
    """One lab's state on this machine."""

    root: Path

    @classmethod
    def of(cls, lab: Lab) -> Store:
        # Without symbolic links, as the kernel names mounts and as the paths of runs are compared.
        return cls((environment.state_home() / lab.lab.name).resolve())

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def environments(self) -> Path:
        """The deployments on this machine: a directory for each track."""
        return self.root / "environments"

    @property
    def gnupg(self) -> Path:
        return self.root / "gnupg"

    def postponed(self, track: str, component: str, version: str) -> Path:
        """Return the directory of a build from elsewhere whose upload and push wait for its promotion."""
        return self.root / "postponed" / track / component / version

    def jenkins_results(self, track: str, component: str, phase: str) -> Path:
        """Return the directory with the results of a Jenkins job, of each build in a directory of its number."""
        return self.root / "jenkins" / track / component / phase

    def machine_lease(self, machine: str) -> Path:
        """Return the path of the file that says who has a bare machine."""
        return self.root / "machines" / f"{machine}.json"

    def machine_boots(self, machine: str) -> Path:
        """Return the directory of what a bare machine boots by network."""
        return self.root / "machines" / machine

    @property
    def lab_server(self) -> Path:
        """The directory of what the lab server has read at its beginning."""
        return self.root / "lab-server"

    def lock_path(self, *names: str) -> Path:
        return self.root / "locks" / ("+".join(names) + ".lock")

    def runs(self, track: str | None = None, component: str | None = None, phase: Phase | None = None) -> list[Run]:
        """Return the runs that can be read, by track, component and number, oldest first.

        Raises NewerSchemaError for a run of a newer qalab: a caller that works on runs must not ignore one.
        """
        return [run for run in self.survey(track, component).of_this_release() if phase in {None, run.info.phase}]

    def history(self, track: str, component: str) -> list[Run]:
        """Return the runs of a track's component on this machine and in Jenkins, oldest first.  Raises as `runs`."""
        home = self.jenkins_results(track, component, "*")
        found = self.root.glob(f"{(home / '[0-9]*' / 'run.json').relative_to(self.root)}")
        jenkins = _surveyed(Run(path.parent) for path in found).of_this_release()
        return in_order([*self.runs(track, component), *jenkins], _place)

    def local_runs(self, track: str | None = None, component: str | None = None) -> Survey:
        """Read the run.json of each build of a working tree."""
        return self._survey(LOCAL, track, component)

    def survey(self, track: str | None = None, component: str | None = None) -> Survey:
        """Read each run.json once."""
        return self._survey(RUNS, track, component)

    def _survey(self, home: str, track: str | None, component: str | None) -> Survey:
        return _surveyed(self._runs(home, track or "*", component or "*"))

    def _runs(self, home: str, track: str, component: str) -> list[Run]:
        found = (self.root / home).glob(f"{track}/{component}/*/run.json")
        paths = [path.parent for path in found if path.parent.name.isdecimal()]  # not a copy of a run directory
        return [Run(path) for path in sorted(paths, key=lambda path: (path.parts[:-1], int(path.name)))]

    def run(self, track: str, component: str, number: str) -> Run | None:
        """Return a run by its place, without reading any other; None for a missing run."""
        home, digits = (LOCAL, number.removeprefix(LOCAL_PREFIX)) if number.startswith(LOCAL_PREFIX) else (RUNS, number)
        if not digits.isdecimal() or {track, component} & {"", ".", ".."}:
            return None
        return run_at(self.root / home / track / component / digits)

    def new_run(  # noqa: PLR0913 - the identity of a run, by name
        self,
        lab: Lab,
        track: str,
        component: str,
        revision: str = "",
        *,
        phase: Phase = "build",
        version: str = "",
        working_tree: WorkingTree | None = None,
    ) -> Run:
        """Create the next run directory of a track's component.  Raises ConfigurationError for an unknown one."""
        check_known(lab, track, component, phase)
        home = self.root / (LOCAL if working_tree else RUNS) / track / component
        home.mkdir(parents=True, exist_ok=True)
        number = max((int(path.name) for path in home.iterdir() if path.name.isdecimal()), default=0) + 1
        while True:
            path = home / str(number)
            try:
                path.mkdir()
                break
            except FileExistsError:
                number += 1
        return open_run(
            path, lab, track, component,
            revision=revision, phase=phase, version=version, number=number, working_tree=working_tree,
        )  # fmt: skip
