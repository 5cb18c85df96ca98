"""Where alerts go: a webhook, told at least once of each alert that opens or is resolved.

What it has to hear lies in an outbox, written together with the alert; what it has heard leaves it.
"""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from penstock.ledger import Alert, Cursor, Ledger, utc_now
from penstock.project import ProjectFile

TIMEOUT_SECONDS = 5.0


def outbox_name(endpoint: str) -> str:
    """The cursor that holds what an endpoint's webhook has to hear: alert -> state."""
    return f"outbox.{endpoint}"


def notify(project: ProjectFile, ledger: Ledger) -> tuple[str, ...]:
    """Tell the webhook what it has not heard; what it does not take stays for the next look.

    An alert that was resolved before the webhook heard of it is told once, as resolved. Returns a sentence when
    the webhook fails; the rest then waits, too.
    """
    webhook = project.config.monitor.webhook
    name = outbox_name(project.config.deliver.endpoint)
    with ledger.read() as reader:
        outbox = reader.get(Cursor, name=name)
        waiting = reader.find(Alert, id=list(outbox.position), order_by="opened_at") if outbox else []
    if webhook is None:
        return ()
    for alert in waiting:
        failure = post(webhook.get_secret_value(), body(project, alert))
        if failure:
            return (f"alerts that wait for the webhook: {len(waiting)}, {failure}",)
        _heard(ledger, name, alert)
        waiting = waiting[1:]
    return ()


def body(project: ProjectFile, alert: Alert) -> dict[str, Any]:
    """The JSON document that a webhook receives."""
    return {
        "project": project.config.name,
        "endpoint": alert.endpoint,
        "alert": alert.id,
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": alert.severity,
        "state": alert.state,
        "value": alert.value,
        "threshold": alert.threshold,
        "message": alert.message,
        "window_start": alert.window_start.isoformat(),
        "opened_at": alert.opened_at.isoformat(),
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
        "sent_at": utc_now().isoformat(),
    }


def post(url: str, document: Mapping[str, Any]) -> str | None:
    """Send it; the reason when that fails. The address may hold a secret and is never repeated."""
    if not url.lower().startswith(("http://", "https://")):
        return "its address is neither http:// nor https://"
    try:
        request = Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS):
            return None
    except HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except URLError as error:
        return type(error.reason).__name__
    except (OSError, ValueError, HTTPException) as error:
        return type(error).__name__


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without the alert."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


def _heard(ledger: Ledger, name: str, alert: Alert) -> None:
    with ledger.write() as tx:
        outbox = tx.get(Cursor, name=name)
        waiting = dict(outbox.position) if outbox else {}
        if waiting.get(alert.id) == alert.state:  # it may have been resolved while the webhook listened
            del waiting[alert.id]
            tx.put(Cursor(name, waiting, utc_now()))
