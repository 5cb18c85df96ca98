"""`penstock audit`: the tamper-evident record of every decision."""

from typing import Any

import typer

from penstock.cli.shell import HERE, AsJson, Environment, Where, answer, group, project_at, table, when

app = group("audit", "The tamper-evident record of every decision.")


@app.command()
def log(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Every decision: who, what, when, why.

    Example: penstock audit log
    """
    answer(lambda: project_at(where, environment).audit.log(), _entries, as_json)


def _entries(found: Any) -> None:
    """Every decision."""
    rows = [[e.seq, when(e.at), e.actor, e.action, e.subject, e.reason] for e in found]
    table(["#", "when (UTC)", "who", "what", "of", "why"], rows, empty="nothing was decided yet")


@app.command()
def verify(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Check the chain of digests and every signature. Ends with 1 when something was changed.

    Example: penstock audit verify
    """
    check = answer(lambda: project_at(where, environment).audit.verify(), _chain, as_json)
    raise typer.Exit(1 if check.broken else 0)


def _chain(check: Any) -> None:
    """Whether the chain holds."""
    if not check.broken:
        typer.secho(f"{check.entries} entries, every digest and signature holds", fg="green")
    for one in check.broken:
        typer.secho(f"entry {one.seq}: {one.why}", fg="red")
