"""`penstock monitor`: what happens in production."""

from datetime import datetime
from typing import Annotated, Any

import typer

from penstock.cli import render
from penstock.cli.shell import HERE, AsJson, At, Environment, Where, answer, group, project_at, table, utc, when

app = group("monitor", "Step 6: what happens in production.")


@app.command()
def look(at: At = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Measure the windows that changed; open and resolve alerts.

    Example: penstock monitor look
    """
    answer(lambda: project_at(where, environment).monitor.look(now=utc(at)), render.look, as_json)


@app.command()
def alerts(
    state: Annotated[str | None, typer.Option("--state", help="firing or resolved")] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first.

    Example: penstock monitor alerts --state firing
    """
    answer(lambda: project_at(where, environment).monitor.alerts(state=state), _alerts, as_json)


def _alerts(found: Any) -> None:
    """Alerts."""
    rows = [
        [a.state, a.severity, a.rule, a.subject, a.value, a.message, when(a.opened_at), when(a.resolved_at)]
        for a in found
    ]
    table(["state", "severity", "rule", "of", "value", "what", "opened", "resolved"], rows, empty="no alerts")


@app.command()
def series(
    metric: Annotated[str, typer.Argument(help="roc_auc, psi, latency_p95, volume ...")],
    subject: Annotated[str, typer.Option("--of", help="A feature, for psi and missing_rate.")] = "",
    model: Annotated[str, typer.Option("--model", help="One model version; all together otherwise.")] = "*",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """A monitored number, window by window.

    Example: penstock monitor series roc_auc
    """
    answer(
        lambda: project_at(where, environment).monitor.series(metric, subject=subject, model=model),
        _series,
        as_json,
    )


def _series(found: Any) -> None:
    """A number over time."""
    rows = [[when(p.window_start), p.value, p.n, p.model] for p in found]
    nothing = "nothing was measured under this name yet: penstock monitor look"
    table(["window from (UTC)", "value", "n", "model"], rows, empty=nothing)


@app.command()
def predictions(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """The newest logged predictions, with the truth where it is known.

    Example: penstock monitor predictions -n 5
    """
    answer(lambda: project_at(where, environment).monitor.predictions(limit=limit), _predictions, as_json)


def _predictions(found: Any) -> None:
    """Logged predictions, in what a person looks for; `trace` shows one whole."""
    names = {"id": "id", "at": "at (UTC)", "model": "model", "key": "key", "label": "answer", "score": "score"}
    columns = [name for name in (*names, "truth") if name in found.columns]
    if found.height and found["label"].null_count() == found.height:  # a regression: its score is the answer
        columns.remove("label")
        names["score"] = "answer"
        found = found.cast({"truth": float}, strict=False)
    rows = [[when(v) if isinstance(v, datetime) else v for v in row] for row in found.select(columns).rows()]
    table([names.get(name, name) for name in columns], rows, empty="no predictions yet: penstock serve")
