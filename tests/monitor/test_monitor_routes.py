import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from production import answer, february, log, noon, outcomes

from penstock import Project
from penstock.ledger import Cursor
from penstock.monitor.routes import post

SECRET = "token-4711"


class Webhook(ThreadingHTTPServer):
    """Answers with the next of `statuses`, then with 200; keeps what it was told."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.told: list[dict[str, Any]] = []
        self.refused = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.told.append(document)
        else:
            self.server.refused += 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def webhook(*statuses: int) -> Iterator[Webhook]:
    with Webhook(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def watched(live: Project, url: str) -> Project:
    rules = "[{metric: roc_auc, below: 0.7, severity: page, min_n: 20}]"
    sets = [f"monitor.webhook={url}", f"monitor.alerts={rules}"]
    return Project.open(live._workspace.project.root, actor="ada", sets=sets)


def day(project: Project, number: int, *, good: bool) -> None:
    rows = february(24, day=number, seed=number + 10, flip=not good)
    log(project, [*answer(project, rows), *outcomes(rows)])


def test_the_webhook_hears_what_opens_and_what_is_resolved_once(live: Project) -> None:
    with webhook() as server:
        project = watched(live, server.url)
        day(project, 1, good=False)
        for _ in range(3):
            assert project.monitor.look(now=noon(2)).notices == ()
        day(project, 2, good=True)
        project.monitor.look(now=noon(3))
    assert [told["state"] for told in server.told] == ["firing", "resolved"]
    first, second = server.told
    assert first["alert"] == second["alert"]
    assert (first["project"], first["endpoint"], first["severity"]) == ("parcels", "parcels", "page")
    assert first["rule"] == "roc_auc below 0.7"
    assert first["value"] < first["threshold"] == 0.7
    assert first["window_start"] == "2024-02-01T00:00:00+00:00"
    assert second["resolved_at"] == "2024-02-03T12:00:00+00:00"


def test_a_webhook_that_fails_is_told_at_the_next_look(live: Project) -> None:
    with webhook(503, 302) as server:
        project = watched(live, server.url)
        day(project, 1, good=False)
        (notice,) = project.monitor.look(now=noon(2)).notices
        assert notice == "alerts that wait for the webhook: 1, it answered 503"
        (notice,) = project.monitor.look(now=noon(2)).notices
        assert "302" in notice
        assert project.monitor.look(now=noon(2)).notices == ()
    assert (server.refused, [told["state"] for told in server.told]) == (2, ["firing"])


def test_what_was_resolved_meanwhile_is_told_once(live: Project) -> None:
    with webhook(500) as server:
        project = watched(live, server.url)
        day(project, 1, good=False)
        project.monitor.look(now=noon(2))
        day(project, 2, good=True)
        project.monitor.look(now=noon(3))
    assert [told["state"] for told in server.told] == ["resolved"]


def test_the_address_is_never_shown(live: Project, capfd: pytest.CaptureFixture[str]) -> None:
    with webhook() as server:
        url = server.url
    project = watched(live, url)  # nobody listens any more
    day(project, 1, good=False)
    found = project.monitor.look(now=noon(2))
    assert found.notices == ("alerts that wait for the webhook: 1, ConnectionRefusedError",)
    out, err = capfd.readouterr()
    assert SECRET not in repr(found) + out + err + repr(project._workspace.project.config)


@pytest.mark.parametrize(
    "url", [f"ftp://example.org/{SECRET}", f"file:///{SECRET}", f"http://[{SECRET}", f"https://exa mple/{SECRET}"]
)
def test_an_address_that_is_none_is_a_reason(url: str) -> None:
    reason = post(url, {})
    assert reason is not None
    assert SECRET not in reason


def test_alerts_from_before_there_was_a_webhook_are_not_told(live: Project) -> None:
    rules = "[{metric: roc_auc, below: 0.7, severity: page, min_n: 20}]"
    silent = Project.open(live._workspace.project.root, actor="ada", sets=[f"monitor.alerts={rules}"])
    day(silent, 1, good=False)
    assert len(silent.monitor.look(now=noon(2)).opened) == 1
    with webhook() as server:
        watched(live, server.url).monitor.look(now=noon(2))
    assert server.told == []
    with live._workspace.ledger.read() as reader:
        assert reader.get(Cursor, name="outbox.parcels") is None
