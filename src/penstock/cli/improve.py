"""`penstock improve`: feedback and the loop."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli import render
from penstock.cli.shell import (
    HERE,
    AsJson,
    At,
    Environment,
    Where,
    answer,
    counted,
    group,
    project_at,
    say,
    spinner,
    table,
    utc,
    when,
)

app = group("improve", "Step 7: feedback and the loop.")


@app.command()
def feedback(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with `label`, `prediction` or `key`, perhaps `at`.")],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Take labels from a file.

    Example: penstock improve feedback outcomes.csv
    """
    answer(lambda: project_at(where, environment).improve.feedback(file), _feedback, as_json)


def _feedback(count: Any) -> None:
    """Labels taken."""
    say(f"{counted(count, 'label')} taken")
    if count:
        say("next: penstock monitor look   # or: penstock improve tick")


@app.command()
def tick(at: At = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Look once and do what is due: for cron or a Kubernetes CronJob. Ends with 5 when another one is at work.

    Example: penstock improve tick
    """

    def once() -> object:
        with spinner("looking"):
            return project_at(where, environment).improve.tick(now=utc(at))

    answer(once, _ticked, as_json)


def _ticked(done: Any) -> None:
    """What one tick saw and did."""
    render.look(done.look)
    for one in done.due:
        waits = f", waits until {when(one.waits)}" if one.waits else ""
        say(f"due: {one.trigger}: {one.reason}{waits}")
    if done.action is None:
        say(done.held or "nothing to do")
        return
    say(f"{done.action.kind} {done.action.state}: {done.action.reason}")
    for lack in done.action.outcome.get("lacks", []):
        say(f"  {lack}")
    if done.action.state == "registered" and done.turn and done.turn.version:
        version = done.turn.version
        say(f"{version.name} passed every gate and is a candidate")
        say(f"next: penstock promote {version.number}   # or look first: penstock validate card {version.number}")


@app.command()
def actions(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """What the loop has done by itself, and why.

    Example: penstock improve actions
    """
    answer(lambda: project_at(where, environment).improve.actions(), _actions, as_json)


def _actions(found: Any) -> None:
    """What the loop did."""
    rows = [
        [when(a.started_at), a.kind, a.state, a.trigger, a.reason, str(a.outcome.get("version", ""))] for a in found
    ]
    table(["when", "what", "outcome", "trigger", "why", "version"], rows, empty="the loop has done nothing yet")
