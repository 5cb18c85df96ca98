"""`penstock train mlflow`: scripts that log to MLflow, and what an MLflow server has."""

from typing import Annotated

import typer

from penstock.cli.shell import HERE, Actor, Environment, Where, group, guarded, project_at

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
