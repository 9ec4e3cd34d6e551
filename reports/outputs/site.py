"""The public site, see `reports.site`: it is brought up to date with all bundles at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.outputs.delivery import Context, Item, Outcome, Output, Tombstone
from reports.site import Identity, build


@dataclass(frozen=True)
class Site:
    """The site of a lab; it knows by itself which bundles it has."""

    context: Context

    def deliver(self, items: Sequence[Item]) -> Iterator[Outcome]:
        refused = self._update()
        for item in items:
            problem = next((line for line in refused if str(item.path) in line), "")
            yield Outcome(item.name, "parked" if problem else "delivered", problem)

    def withdraw(self, gone: Sequence[Tombstone]) -> None:  # noqa: ARG002 - their bundles are no longer published
        self._update()

    def _update(self) -> tuple[str, ...]:
        about, public = self.context.lab.lab, self.context.lab.public
        url = ((public.site_url if public else None) or "").rstrip("/")
        identity = Identity(about.name, about.description, f"{url}/" if url else "")
        paths = [item.path for item in self.context.published()]
        return build(paths, self.context.site, identity).refused


def open_output(context: Context) -> Output | None:
    return Site(context)
