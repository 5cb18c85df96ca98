"""`penstock train mlflow`: scripts that log to MLflow, and what an MLflow server has."""

from typing import Annotated, Any

import typer

from penstock.cli.shell import HERE, Actor, AsJson, Environment, Where, answer, group, guarded, project_at, say

app = group("mlflow", "Scripts that log to MLflow log here.")


@app.callback()
def mlflow() -> None:
    """Scripts that log to MLflow log here."""


@app.command()
def serve(
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; the project file's otherwise.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
) -> None:
    """Answer MLflow's clients until SIGTERM or Ctrl-C. `penstock up` does it too.

    Example: penstock train mlflow serve --port 5000
    """
    guarded(lambda: project_at(where, environment, actor=actor).train.mlflow.serve(host=host, port=port), False)


@app.command("import")
def import_(
    uri: Annotated[str, typer.Argument(metavar="URI", help="The address of an MLflow server.")],
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Bring runs, files and registered models that are not here yet. Safe to repeat, and to interrupt.

    Example: penstock train mlflow import http://127.0.0.1:5000
    """
    told = None if as_json else say
    answer(lambda: project_at(where, environment, actor=actor).train.mlflow.bring(uri, told=told), _brought, as_json)


def _brought(found: Any) -> None:
    say(f"{found.runs} runs with {found.files} files and {found.versions} model versions came")
    for number, what in ((found.known, "were here already"), (found.running, "still run there, and are left")):
        say(f"{number} {what}") if number else None
    for version in found.without_files:
        say(f"{version}: its files are not handed out by the server, so it was left")
