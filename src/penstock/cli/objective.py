"""`penstock objective`: the agreed goal and its signatures."""

from typing import Annotated, Any

import typer

from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Output,
    Where,
    answer,
    group,
    print_document,
    project_at,
    say,
    written,
)
from penstock.digest import short

app = group("objective", "Step 1: the agreed goal, as a sheet that people sign.")


@app.command()
def show(output: Output = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """The requirements sheet with its signatures, as Markdown or an HTML page.

    Example: penstock objective show -o objective.html
    """
    answer(
        lambda: written(project_at(where, environment).objective.show(), output),
        lambda sheet: print_document(sheet, output),
        as_json,
    )


@app.command()
def sign(
    role: Annotated[str, typer.Option("--role", help="In which role you agree: owner, risk, legal ...")],
    actor: Actor = None,
    note: Annotated[str, typer.Option("--note", "-m", help="Kept with the signature.")] = "",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Agree to the objective as it stands. Any later change of it needs a new signature.

    Example: penstock objective sign --as ada --role owner
    """
    answer(lambda: project_at(where, environment, actor=actor).objective.sign(role=role, note=note), _signed, as_json)


def _signed(given: Any) -> None:
    """A signature."""
    say(f"{given.name} ({given.role}) has signed objective {short(given.objective)}")
