"""`penstock audit`: the tamper-evident record of every decision."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Where,
    answer,
    counted,
    group,
    project_at,
    say,
    table,
    when,
)
from penstock.digest import short

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
def verify(
    where: Where = HERE,
    environment: Environment = None,
    trust: Annotated[list[str] | None, typer.Option("--trust", help="A public key that may sign too. Repeat.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the chain of digests and every signature. Ends with 1 when something was changed.

    Example: penstock audit verify
    """
    trusted = tuple(trust or ())
    check = answer(
        lambda: project_at(where, environment).audit.verify(trusted=trusted),
        lambda found: _chain(found, trusted),
        as_json,
    )
    raise typer.Exit(1 if check.broken else 0)


def _chain(check: Any, trusted: Sequence[str]) -> None:
    """Whether the chain holds, and whose keys signed it."""
    if not check.broken:
        typer.secho(f"{check.entries} entries, every digest and signature holds", fg="green")
    for one in check.broken:
        typer.secho(f"entry {one.seq}: {one.why}", fg="red")
    for key, count in sorted(check.signers.items(), key=lambda one: -one[1]):
        if key == check.own:
            say(f"  {counted(count, 'signature')} by this project's key, {short(key)}")
        else:
            whose = "a key that is trusted here" if key in trusted else "another key: do you know whose it is?"
            typer.secho(f"  {counted(count, 'signature')} by {key}, {whose}", fg="yellow")
    if any("not trusted" in one.why for one in check.broken):
        say("next: penstock audit verify --trust KEY   # if you know whose it is")
