"""The outputs.  A new output is a module here and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.config.description import Lab
from reports.outputs import chat, commit_status, mail, mirror, reviews, site, webhook
from reports.outputs.delivery import Output, OutputContext

OUTPUTS: Mapping[str, Callable[[OutputContext], Output | None]] = {
    "site": site.open_output,
    "jenkins": mirror.open_output,
    "mail": mail.open_output,
    "reviews": reviews.open_output,
    "statuses": commit_status.open_output,
    "chat": chat.open_output,
    "webhook": webhook.open_output,
}


def configured(lab: Lab) -> list[str]:
    """Return the names of the outputs that lab.yaml configures."""
    notifications = lab.notifications
    settings = {
        "site": True,
        "jenkins": lab.public is not None and lab.public.jenkins is not None,
        "mail": notifications.mail is not None,
        "reviews": bool(lab.reviews),
        "statuses": bool(notifications.statuses),
        "chat": bool(notifications.chats),
        "webhook": notifications.webhook is not None,
    }
    return [name for name in OUTPUTS if settings[name]]
