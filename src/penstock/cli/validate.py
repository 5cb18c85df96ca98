"""`penstock validate`: gates and model cards."""

from typing import Any

import typer

from penstock.cli import render
from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Output,
    Version,
    Where,
    answer,
    group,
    print_document,
    project_at,
    say,
    when,
    written,
)
from penstock.digest import short

app = group("validate", "Step 4: gates and model cards.")


@app.command()
def show(
    version: Version = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """Each gate's outcome, with its interval and reason. Ends with 3 when the verdict is not PASS.

    Example: penstock validate show 3
    """
    judgement = answer(lambda: project_at(where, environment).validate.show(version), _judgement, as_json)
    raise typer.Exit(0 if judgement.evaluation.verdict == "PASS" else 3)


def _judgement(found: Any) -> None:
    """Each gate."""
    mark, colour = render.MARKS[found.evaluation.verdict]
    typer.secho(f"{mark} {found.evaluation.verdict}", fg=colour, bold=True, nl=False)
    say(f"  bundle {short(found.evaluation.bundle)}, {when(found.evaluation.at)} UTC")
    render.gates(found.results)


@app.command()
def card(
    version: Version = None,
    output: Output = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """The model card, as Markdown or an HTML page.

    Example: penstock validate card 3 -o card.html
    """
    answer(
        lambda: written(project_at(where, environment).validate.card(version), output),
        lambda page: print_document(page, output),
        as_json,
    )
