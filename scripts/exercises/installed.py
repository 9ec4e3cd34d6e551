"""installed: the deployed packages are still installed as packaged, and their services run."""

from __future__ import annotations

from contextlib import suppress

from scripts.exercises.cases import Cases, Over
from scripts.exercises.scene import Scene
from scripts.services import systemd

NAME = "installed"
NEEDS: tuple[str, ...] = ()
CASES: tuple[str, ...] = ()


def exercise(scene: Scene, cases: Cases) -> None:
    for name, node in scene.nodes.items():
        ours = [each for each in scene.deployed.packages if each.node == name and each.ours]
        with suppress(Over), cases.case(f"{name}: dpkg has nothing half done") as case:
            case.output = node.run(["dpkg", "--audit"], capture=True).stdout
            kind, *lines = case.output.splitlines() or [""]
            package = next((line.split()[0] for line in lines if line.startswith(" ")), "dpkg")
            assert not case.output, f"{package}: {kind}"  # noqa: S101 - a case is an assertion
        if names := [each.name for each in ours]:
            with suppress(Over), cases.case(f"{name}: the lab's packages are as they were packaged") as case:
                query = ["dpkg-query", "--show", "--showformat=${Package}=${Version}\n", *names]
                case.output = node.run(query, capture=True, check=False).stdout  # its status is 1 where one is missing
                gone = sorted({f"{each.name}={each.version}" for each in ours} - {*case.output.split()})
                assert not gone, f"{gone[0]} is not installed any more"  # noqa: S101
                changed = node.run(["dpkg", "--verify", *names], capture=True, check=False).stdout
                # The second word of a line marks a configuration file, whose changes are allowed.
                wrong = [line for line in changed.splitlines() if line.split()[1] != "c"]
                assert not wrong, wrong[0]  # noqa: S101
    for name, service, node in scene.places():
        for unit in service.units_on(node.name):
            with suppress(Over), cases.case(f"{name}: {unit} runs on {node.name}") as case:
                state = systemd.states(node, [unit])[unit]
                case.output = state["ActiveState"]
                assert systemd.is_well(state), f"it is {case.output}"  # noqa: S101
