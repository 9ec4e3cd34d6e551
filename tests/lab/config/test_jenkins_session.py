"""What python-jenkins reads of an answer itself ends, whatever the server sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.base.errors import LabError
from lab.config import jenkins_session
from lab.config.access import Access
from lab.config.jenkins import Connection
from tests.impostor import Impostor, Reply, for_ever

CRUMB = Reply({"crumbRequestField": "Jenkins-Crumb", "crumb": "c"})
TEXT = {"Content-Type": "text/plain"}


@pytest.fixture
def server() -> Iterator[Impostor]:
    with Impostor(lambda path: CRUMB if "crumbIssuer" in path else Reply("done", TEXT)) as one:
        yield one


def connection(server: Impostor, timeout: float = 30.0) -> Connection:
    return Connection(Access(server.url, "admin", "secret", timeout))


def slowly() -> Iterator[bytes]:
    """Yield a byte at a time, without an end."""
    while True:
        yield b"x"


@pytest.mark.integration
@pytest.mark.parametrize(
    "where, reply, line",
    [
        ("job/a/doDelete", Reply(for_ever(b"x" * 65_536), TEXT), ""),
        ("job/a/doDelete", Reply(for_ever(b"x" * 65_536), {"Content-Type": "text/html"}), "with a page"),
        ("job/a/doDelete", Reply(for_ever(b"x" * 65_536), TEXT, 403), "admin may not POST job/a/doDelete"),
        ("job/a/doDelete", Reply(for_ever(b"x" * 65_536), TEXT, 500), "answers 500"),
        ("job/a/doDelete", Reply(for_ever(b"x" * 65_536), {"Location": "/ci/job/a/x"}, 302), "redirects POST"),
        ("job/a/doDelete", Reply(b"no gzip", {"Content-Encoding": "gzip", **TEXT}), "cannot be reached: .*decompress"),
        ("crumbIssuer", Reply(for_ever(b" " * 65_536)), "something else than JSON"),
        ("crumbIssuer", Reply(for_ever(b"x" * 65_536), {"Location": "?again"}, 302), "cannot be reached: Exceeded"),
    ],
)
def test_answer_without_an_end(server: Impostor, where: str, reply: Reply, line: str) -> None:
    server.odd = {where: reply}
    if line:
        with pytest.raises(LabError, match=line) as raised:
            connection(server).send("POST", "job/a/doDelete")
        assert "\n" not in str(raised.value)
    else:
        assert len(connection(server).send("POST", "job/a/doDelete").content) > jenkins_session.MOST_BYTES


def test_read_that_is_forbidden_without_an_end(server: Impostor) -> None:
    server.odd = {"config.xml": Reply(for_ever(b"x" * 65_536), TEXT, 403)}
    with pytest.raises(LabError, match=r"admin may not GET job/a/config\.xml"):
        connection(server).content("job/a/config.xml")


def test_slow_answer_ends(server: Impostor) -> None:
    server.odd = {"doDelete": Reply(slowly, TEXT)}
    assert connection(server, timeout=0.2).send("POST", "job/a/doDelete").status_code == 200


def test_connection_is_kept_after_a_short_answer(server: Impostor) -> None:
    """The content is complete, and is read as text with the charset of its header."""
    server.odd = {"describe": Reply("schön".encode("latin-1"), {"Content-Type": "text/plain; charset=iso-8859-1"})}
    assert connection(server).send("POST", "job/a/describe").text == "schön"
