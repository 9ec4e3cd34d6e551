"""The outputs.  A new output is a module here and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reports.outputs import gerrit, mail, mirror, site, webhook
from reports.outputs.delivery import Output, OutputContext

OUTPUTS: Mapping[str, Callable[[OutputContext], Output | None]] = {
    "site": site.open_output,
    "jenkins": mirror.open_output,
    "mail": mail.open_output,
    "gerrit": gerrit.open_output,
    "webhook": webhook.open_output,
}
