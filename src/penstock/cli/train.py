"""`penstock train`: step 3."""

import typer

from penstock.cli import train_image, train_mlflow, train_runs, train_search
from penstock.cli.shell import HERE, Environment, Where, answer, group, project_at
from penstock.cli.train_runs import RunName

app = group("train", "Step 3: runs.")
app.add_typer(train_runs.app)
app.add_typer(train_mlflow.app)
app.add_typer(train_search.app)
app.add_typer(train_image.app)


@app.command()
def log(run: RunName, where: Where = HERE, environment: Environment = None) -> None:
    """What a training printed.

    Example: penstock train log 3
    """
    answer(lambda: project_at(where, environment).train.log(run), lambda text: typer.echo(text, nl=False), False)
