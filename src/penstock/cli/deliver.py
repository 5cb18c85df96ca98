"""`penstock deliver`: the registry and the endpoint."""

from typing import Annotated, Any

import typer

from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Version,
    Where,
    answer,
    group,
    project_at,
    say,
    table,
    when,
)
from penstock.digest import short

app = group("deliver", "Step 5: the registry and the endpoint.")


@app.command()
def models(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Every model version and its state.

    Example: penstock deliver models
    """
    answer(lambda: project_at(where, environment).deliver.models(), _models, as_json)


def _models(found: Any) -> None:
    """The registry."""
    rows = [[v.name, v.state, when(v.created_at), v.note, short(v.bundle)] for v in found]
    table(["version", "state", "registered (UTC)", "note", "bundle"], rows, empty="no model versions yet: penstock run")


@app.command()
def history(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Every change of state: who, when, why.

    Example: penstock deliver history
    """
    answer(lambda: project_at(where, environment).deliver.history(), _transitions, as_json)


def _transitions(found: Any) -> None:
    """Every change of state."""
    rows = [
        [when(t.at), f"{t.model}@{t.number}", f"{t.before or ''} → {t.after}".strip(), t.actor, t.reason] for t in found
    ]
    table(["when (UTC)", "version", "change", "by", "why"], rows, empty="nothing was promoted yet: penstock promote")


@app.command()
def lacks(
    version: Version = None,
    to: Annotated[str, typer.Option("--to", help="staging or production")] = "production",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """What still stands between a version and a state. Ends with 3 when something does.

    Example: penstock deliver lacks 3
    """
    missing = answer(lambda: project_at(where, environment).deliver.lacks(version, to=to), _lacking, as_json)
    raise typer.Exit(3 if missing else 0)


def _lacking(missing: Any) -> None:
    """What lacks."""
    if not missing:
        typer.secho("nothing lacks", fg="green")
    for lack in missing:
        say(f"lacks: {lack}")


@app.command()
def refresh(actor: Actor = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Give the endpoint the newest rows of its feature views.

    Example: penstock deliver refresh
    """
    answer(lambda: project_at(where, environment, actor=actor).deliver.refresh(), _refreshed, as_json)


def _refreshed(deployment: Any) -> None:
    """A refresh of the views."""
    say(f"generation {deployment.generation}" if deployment else "the endpoint has the newest rows")
