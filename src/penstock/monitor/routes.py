"""Where alerts go: a webhook, at least once each time one opens or is resolved."""

from datetime import UTC, datetime
from typing import Any

from penstock.ledger import Alert, Cursor, Ledger, utc_now
from penstock.project import ProjectFile

TIMEOUT_SECONDS = 5.0


def notify(project: ProjectFile, ledger: Ledger) -> tuple[str, ...]:
    """Tell the webhook what it has not heard yet; what could not be told is tried again at the next look.

    Returns a sentence for each failure.
    """
    webhook = project.config.monitor.webhook
    if webhook is None:
        return ()
    endpoint = project.config.deliver.endpoint
    name = f"notified.{endpoint}"
    with ledger.read() as reader:
        told = dict(cursor.position) if (cursor := reader.get(Cursor, name=name)) else {}
        waiting = [a for a in reader.find(Alert, endpoint=endpoint, order_by="opened_at") if told.get(a.id) != a.state]
    failures = []
    for alert in waiting:
        failure = _post(webhook.get_secret_value(), body(project, alert))
        if failure:
            failures.append(f"alert {alert.rule} was not delivered: {failure}")
            break
        told[alert.id] = alert.state
        with ledger.write() as tx:
            tx.put(Cursor(name, told, utc_now()))
    return tuple(failures)


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
        "sent_at": datetime.now(UTC).isoformat(),
    }


def _post(url: str, document: dict[str, Any]) -> str | None:
    """Send it; the reason when that fails. The address may hold a secret and is not repeated."""
    import httpx

    try:
        response = httpx.post(url, json=document, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        return type(error).__name__
    return None if response.is_success else f"the webhook answered {response.status_code}"
