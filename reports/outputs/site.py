"""The public site, see `reports.site`: updated with all bundles at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from reports.outputs.delivery import DeliveryOutcome, Output, OutputContext, PendingDelivery, Tombstone, parked
from reports.site import SiteReport, build, identity


@dataclass(frozen=True)
class SiteOutput:
    """The site of a lab; the site's state knows which bundles it has."""

    context: OutputContext
    is_ordered: ClassVar[bool] = False
    is_news: ClassVar[bool] = False
    is_live: ClassVar[bool] = True

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        done = self._update()
        for item in items:
            error = done.left_out.get(item.path)
            yield parked(item, error) if error else DeliveryOutcome(item.name, "delivered")
        for where, error in done.stale.items():
            raise type(error)(f"pages of {where}: {error.args[0]}", hint=error.hint)

    def withdraw(self, gone: Sequence[Tombstone]) -> None:  # noqa: ARG002 - their bundles are no longer published
        self._update()

    def _update(self) -> SiteReport:
        paths = [item.path for item in self.context.published()]
        site = replace(identity(self.context.lab), bisections=self.context.bisections())
        return build(paths, self.context.site, site, view=self.context.view(), now=self.context.clock.now())


def open_output(context: OutputContext) -> Output | None:
    return SiteOutput(context)
