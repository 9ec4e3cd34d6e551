"""A cloud's APIs through the OpenStack SDK: a connection, and the SDK's errors as failures of exercises.

It is used where the nodes are reachable (see `Provisioner.beside`).  The import of the SDK takes a third of a second,
so it happens only in processes that connect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from lab.base.errors import Failed
from lab.base.text import without_middle

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from openstack.block_storage.v3._proxy import Proxy as BlockStorage
    from openstack.compute.v2._proxy import Proxy as Compute
    from openstack.identity.v3._proxy import Proxy as Identity
    from openstack.image.v2._proxy import Proxy as Image
    from openstack.network.v2._proxy import Proxy as Network

# Servers that have just started sometimes reset connections; idempotent requests are retried.
TRIES = 3
TIMEOUT_SECONDS = 60
UNAVAILABLE = 503
LONGEST = 200
T = TypeVar("T")
DOMAIN = "default"  # its id; keystone-manage makes it


class Cloud(Protocol):
    """A connection of the SDK's, with the versions of the APIs that there still are."""

    session: Session
    identity: Identity
    image: Image
    compute: Compute
    network: Network
    block_storage: BlockStorage


class CloudRefused(Failed):
    """A server answered, and not as was wanted."""

    def __init__(self, method: str, url: str, status: int, text: str) -> None:
        super().__init__(f"{method} {url}: {status}: {without_middle(' '.join(text.split()), LONGEST)}")
        self.status = status


def connect(settings: Mapping[str, str], *, user: str = "", password: str = "", project: str = "") -> Cloud:
    """Return a connection for a user in a project; by default for the administrator in keystone's ``settings``.

    The SDK gets all its parameters here: it reads no clouds.yaml, no environment variables, and uses no proxy.
    """
    import requests  # noqa: PLC0415
    from keystoneauth1.identity.v3 import Password  # noqa: PLC0415
    from keystoneauth1.session import Session  # noqa: PLC0415
    from openstack.connection import Connection  # noqa: PLC0415
    from urllib3.util import Retry  # noqa: PLC0415

    from scripts.openstack.trust import TrustingAdapter  # noqa: PLC0415

    http = requests.Session()
    http.trust_env = False
    # Not the SDK's connect_retries, which also retry other requests: they could create two servers.
    again = Retry(TRIES - 1, status_forcelist=[UNAVAILABLE], raise_on_status=False, backoff_factor=0.5)
    http.mount("http://", requests.adapters.HTTPAdapter(max_retries=again))
    http.mount("https://", TrustingAdapter(again, settings.get("ca", "")))
    # The administrator of an external deployment can be in another domain.
    domain = None if user else settings.get("domain")
    credentials = Password(
        auth_url=settings["auth_url"],
        username=user or settings["user"],
        password=password or settings["password"],
        project_name=project or "admin",
        user_domain_id=None if domain else DOMAIN,
        user_domain_name=domain,
        project_domain_id=None if domain else DOMAIN,
        project_domain_name=domain,
    )
    session = Session(auth=credentials, session=http, timeout=TIMEOUT_SECONDS)
    return cast("Cloud", Connection(session=session, region_name=settings["region"]))


@contextmanager
def sdk_errors_as_failures() -> Iterator[None]:
    """Raise errors of the SDK as Failed, in one line; as Refused where a server has answered."""
    try:
        yield
    except Exception as error:
        if complaint := _complaint(error):
            raise complaint from None
        raise


def _complaint(error: Exception) -> Failed | None:
    """Return an error of the SDK as a failure of the exercise; None for any other error."""
    from keystoneauth1.exceptions import ClientException, HttpError  # noqa: PLC0415
    from openstack.exceptions import HttpException, SDKException  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    match error:
        case HttpException():
            return CloudRefused(str(error.method), str(error.url), error.status_code or 0, str(error.details))
        case HttpError():
            return CloudRefused(
                str(error.method), str(error.url), error.http_status, str(error.details or error.message)
            )
        case ClientException() | SDKException() | RequestException():
            chain = _chain(error)
            sent = next((each.request for each in chain if isinstance(each, RequestException) and each.request), None)
            where = f"{sent.method} {sent.url}: no answer: " if sent else ""
            return Failed(f"{where}{without_middle(' '.join(str(chain[-1]).split()), LONGEST)}")
    return None


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, the innermost (which has the details) last."""
    return [error, *(_chain(error.__context__) if error.__context__ else [])]


def first(found: Iterable[T]) -> T | None:
    """Return the first element; None for an empty iterable."""
    return next(iter(found), None)


def enter(cloud: Cloud, service: Mapping[str, str], region: str) -> None:
    """Enter a service (name, kind, url, password) into the catalog, with a user who may act for others."""
    identity, name = cloud.identity, service["name"]
    project = first(identity.projects(name="service")) or identity.create_project(name="service", domain_id=DOMAIN)
    user = first(identity.users(name=name)) or identity.create_user(
        name=name, password=service["password"], domain_id=DOMAIN, default_project_id=project.id
    )
    for each in ("admin", "service"):
        role = first(identity.roles(name=each)) or identity.create_role(name=each)
        identity.assign_project_role_to_user(project, user, role)
    entered = first(identity.services(name=name)) or identity.create_service(name=name, type=service["kind"])
    for interface in ("public", "internal", "admin"):
        if not first(identity.endpoints(service_id=entered.id, interface=interface)):
            identity.create_endpoint(service_id=entered.id, interface=interface, url=service["url"], region_id=region)
