"""The public results site: static pages, their data, feeds and badges, built from bundles.  See docs/how-to/site.md."""

from reports.site.overview import Identity
from reports.site.update import SiteReport, build

__all__ = ["Identity", "SiteReport", "build"]
