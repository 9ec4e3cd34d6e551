"""The public results site: static pages, their data, feeds and badges, built from bundles.  See docs/how-to/site.md."""

from reports.site.identity import Identity, identity
from reports.site.update import SiteReport, build

__all__ = ["Identity", "SiteReport", "build", "identity"]
