"""A Jenkins to test against: small, with a state, and answering as a real one was recorded to.

    with Double() as jenkins:
        python_jenkins = jenkins_module.Jenkins(jenkins.url, "admin", "secret")

What is recorded and what is taken from Jenkins' sources, `tests.jenkins.routes` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Self

from tests.jenkins.calls import VERSION, Call, Refused, bare, page
from tests.jenkins.exported import Exporter
from tests.jenkins.faults import Fault, Kind
from tests.jenkins.folders import load_views, save_views
from tests.jenkins.rewriting import resaved
from tests.jenkins.routes import route
from tests.jenkins.server import Answer, Request, Server
from tests.jenkins.state import Build, Item, Parameter, State, View, stored_item, stored_view
from tests.jenkins.tree import Bean
from tests.jenkins.users import ANONYMOUS, DEFAULT, NOBODY, Caller, Gate, User

NO_CRUMB = "No valid crumb was included in the request"


@dataclass(frozen=True)
class Logged:
    """A request that came.  ``status`` 0: it was not answered; ``changed``: it changed something, answered or not."""

    method: str
    path: str
    user: str
    status: int
    changed: bool


class Double:
    """The Jenkins, from ``with`` on; what is not about HTTP may be called before it, too."""

    credentials = ("admin", "secret")
    """Of somebody who may do everything, unless ``users`` are given."""

    def __init__(
        self,
        *,
        users: Iterable[User] = DEFAULT,
        anonymous_read: bool = True,
        certificate: Path | None = None,
        run: Callable[[Build], None] | None = None,
    ) -> None:
        """``users``: who may log in; by default admin and reader, both with the password ``secret``.

        ``certificate``: a PEM file with key and chain, for https.  ``run``: called with each build that starts, to set
        its result, log, artifacts and test report; without it what is queued waits for `start`.
        """
        self.requests: list[Logged] = []
        self.run = run
        self.gap = 0
        """How many requests later a build appears that has left the queue."""
        self._certificate = certificate
        self._gate = Gate(tuple(users), ANONYMOUS if anonymous_read else NOBODY)
        self._state = State()
        self._faults: list[Fault] = []
        self._moved: dict[str, tuple[int, str]] = {}
        self._lock = RLock()
        self._exporter = Exporter(self._state, "")

    def __enter__(self) -> Self:
        self._server = Server(self._handle, self._certificate)
        scheme = "https" if self._certificate else "http"
        self._exporter.url = f"{scheme}://127.0.0.1:{self._server.port}/"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        """With a slash at its end."""
        return self._exporter.url

    # What a test looks at.

    def writes(self) -> list[Logged]:
        """The requests that changed something."""
        return [request for request in self.requests if request.changed]

    def jobs(self) -> list[str]:
        """The full names of all jobs and folders."""
        return [item.full_name for item in self._state.root.below()]

    def views(self) -> list[str]:
        """The full names of all views, but for those that show everything."""
        folders = (self._state.root, *self._state.root.below())
        return [f"{folder.full_name}/{name}".lstrip("/") for folder in folders for name in folder.views]

    def config(self, name: str) -> str:
        """The config.xml of ``folder/job``.  Raises KeyError."""
        return self._state.item(name).xml

    def view_config(self, name: str) -> str:
        """The config.xml of ``folder/view``.  Raises KeyError."""
        return self._state.view(name).xml

    def build(self, job: str, number: int) -> Build:
        """Raises KeyError."""
        return self._state.item(job).builds[number]

    # What a test does to it, behind HTTP's back.

    def create(self, name: str, xml: str) -> None:
        """Put a job or a folder in place, as createItem does."""
        folder, _, short = name.rpartition("/")
        with self._lock:
            load_views(self._state.item(folder).add(short, stored_item(xml)))

    def delete(self, name: str) -> None:
        """Delete a job, or a folder with its content."""
        with self._lock:
            item = self._state.item(name)
            del self._state.item(name.rpartition("/")[0]).children[item.name]

    def create_view(self, name: str, xml: str) -> None:
        """Put a view in place, as createView does."""
        folder, _, short = name.rpartition("/")
        with self._lock:
            owner = self._state.item(folder)
            owner.views[short] = View(short, owner, stored_view(xml, short))
            save_views(owner)

    def resave(self, name: str) -> None:
        """Save a job again, as Jenkins does after an upgrade or when somebody presses Save."""
        with self._lock:
            item = self._state.item(name)
            item.write(resaved(item.xml))

    def resave_all(self) -> None:
        for name in self.jobs():
            self.resave(name)

    def edit(self, name: str, old: str, new: str) -> None:
        """A hand edit in the web UI: XML text replaced in the config.xml, which is then saved.

        Raises ValueError when ``old`` is not there.
        """
        with self._lock:
            item = self._state.item(name)
            if old not in item.xml:
                raise ValueError(f"{name}: {old!r} is not in its config.xml")
            item.write(resaved(item.xml.replace(old, new)))

    def add_build(
        self, job: str, *, parameters: Mapping[str, str | bool | bytes] | None = None, **fields: Any
    ) -> Build:
        """A build that was; ``fields`` are those of `Build`: result, log, artifacts, test_report (JUnit XML) ..."""
        with self._lock:
            values = tuple(Parameter(*pair) for pair in (parameters or {}).items())
            return self._state.item(job).new_build(parameters=values, **fields)

    def start(self, queue_id: int, **fields: Any) -> Build:
        """Make a build of what waits in the queue; ``fields`` as of `add_build`."""
        with self._lock:
            return self._state.start(self._state.queue[queue_id], **fields)

    def wipe(self) -> None:
        """Nothing is left: no job, no view, no build."""
        with self._lock:
            self._state.root = Item("", None)
            self._state.queue.clear()

    def expire_crumbs(self) -> None:
        """End all sessions, as a restart does."""
        with self._lock:
            self._gate.sessions.clear()

    def fault(self, kind: int | Kind, **when: Any) -> Fault:
        """Let something go wrong: see `Fault`."""
        with self._lock:
            self._faults.append(Fault(kind, **when))
            return self._faults[-1]

    def moved(self, prefix: str, status: int = 302, to: str = "") -> str:
        """Redirect what is asked below a path, as a proxy does; the URL of that path.

        ``to``: where to, in which ``{}`` is the rest of the path; without it, to the same below the root.
        """
        with self._lock:
            self._moved[prefix] = (status, to or f"{self.url}{{}}")
        return f"{self.url.removesuffix('/')}{prefix}"

    def heal(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()

    # The way of a request.

    def _handle(self, request: Request) -> Answer:
        with self._lock:
            self._start_builds()
            struck = [fault for fault in self._faults if fault.strikes(request.method, request.target)]
            caller = self._gate.caller(request.headers.get("authorization"))
            call = Call(request, caller.user if caller else NOBODY, self._state, self._exporter, self.run, self.gap)
            answer = (
                self._elsewhere(request)
                or self._before(struck)
                or self._answer(call, caller, [fault.kind for fault in struck])
            )
            for fault in struck:
                if fault.kind == "slow":
                    answer.delay = fault.seconds
                if fault.kind == "lost":
                    answer.delivery = "reset"
            status = answer.status if answer.delivery == "send" else 0
            changed = call.changed and answer.status < 400
            self.requests.append(Logged(request.method, request.target, call.user.name, status, changed))
            return answer

    def _start_builds(self) -> None:
        for queued in tuple(self._state.queue.values()):
            if queued.starting:
                queued.starting -= 1
                if not queued.starting and self.run:
                    self.run(self._state.start(queued))

    def _elsewhere(self, request: Request) -> Answer | None:
        for prefix, (status, to) in self._moved.items():
            if request.target.startswith(prefix):
                return Answer(status, headers={"Location": to.format(request.target.removeprefix(prefix))})
        return None

    @staticmethod
    def _before(struck: Sequence[Fault]) -> Answer | None:
        """The answer of a fault that keeps the work from being done."""
        for fault in struck:
            match fault.kind:
                case int(status):
                    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                    return bare(status, "as a fault wants it", **headers)
                case "meanwhile":
                    fault.action()
                case "empty":
                    return Answer(200)
                case "page":
                    return page(200, "Sign in to continue")
                case "reset" | "silence" as delivery:
                    return Answer(500, delivery=delivery)
        return None

    def _answer(self, call: Call, caller: Caller | None, struck: Sequence[int | Kind]) -> Answer:
        if caller is None:
            return bare(401, "Unauthorized", **{"WWW-Authenticate": 'Basic realm="Jenkins"'})
        if [part for part in call.segments if part] == ["crumbIssuer", "api", "json"]:
            return self._crumb(call)
        if call.request.method == "POST" and not caller.by_token and not self._has_crumb(call, struck):
            return bare(403, NO_CRUMB)
        try:
            return route(call)
        except Refused as refused:
            return refused.answer

    def _crumb(self, call: Call) -> Answer:
        session = self._gate.session(call.request.headers.get("cookie", ""), call.user)
        headers = {"X-Jenkins": VERSION}
        if not session:
            session = self._gate.open_session(call.user)
            headers["Set-Cookie"] = f"JSESSIONID.double={session}; Path=/; HttpOnly"
        crumb = {"crumb": self._gate.crumb(session), "crumbRequestField": "Jenkins-Crumb"}
        answer = call.json(Bean("hudson.security.csrf.DefaultCrumbIssuer", crumb))
        answer.headers |= headers
        return answer

    def _has_crumb(self, call: Call, struck: Sequence[int | Kind]) -> bool:
        session = self._gate.session(call.request.headers.get("cookie", ""), call.user)
        sent = call.request.headers.get("jenkins-crumb", call.query.get("Jenkins-Crumb"))
        return bool(session) and sent == self._gate.crumb(session) and "crumb" not in struck
