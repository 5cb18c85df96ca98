"""`penstock data`: datasets, contracts, versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import data_versions
from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Where,
    answer,
    group,
    guarded,
    project_at,
    say,
    show_rows,
    spinner,
)
from penstock.digest import short

if TYPE_CHECKING:
    pass

app = group("data", "Step 2: datasets, contracts, versions.")
app.add_typer(data_versions.app)

Dataset = Annotated[str, typer.Argument(help="A dataset of the project file.")]
Versioned = Annotated[str, typer.Argument(help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")]


@app.command()
def ingest(
    dataset: Annotated[str | None, typer.Argument(help="A dataset; every one otherwise.")] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read everything again; call source functions again.")
    ] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Read what is new in the sources. Ends with 4 when a contract is broken.

    Example: penstock data ingest flights
    """

    def read() -> object:
        with spinner("reading"):
            return project_at(where, environment).data.ingest(dataset, refresh=refresh)

    answer(read, _ingested, as_json)


def _ingested(done: Any) -> None:
    """Each dataset."""
    for one in done:
        quarantined = f", {one.quarantined:,} quarantined" if one.quarantined else ""
        say(f"{one.dataset}@{short(one.commit)}  {one.rows:,} rows{quarantined}  ({one.why})")
        for reason, count in {**one.reasons, **one.warnings}.items():
            say(f"  {count:,}  {reason}")


@app.command()
def infer(file: Annotated[Path, typer.Argument(help="A CSV, Parquet, Arrow or NDJSON file.")]) -> None:
    """Draft a contract from a file, with a reason for each line.

    Example: penstock data infer customers.csv > contracts/customers.yaml
    """

    def draft() -> None:
        from penstock.data import infer_file

        typer.echo(infer_file(file), nl=False)

    guarded(draft, False)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file to check.")],
    dataset: Annotated[str, typer.Option("--dataset", help="The dataset whose contract counts.")],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Hold a file against a contract without ingesting it. Ends with 4 when it does not keep it.

    Example: penstock data check new.csv --dataset customers
    """
    answer(lambda: project_at(where, environment).data.check(file, dataset), _checked, as_json)


def _checked(found: Any) -> None:
    """A file that keeps its contract."""
    typer.secho(f"{found.rows:,} rows keep the contract", fg="green")
    for reason, count in {**found.reasons, **found.warnings}.items():
        say(f"  {count:,}  {reason}")


@app.command()
def quarantine(
    dataset: Dataset,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows.")] = 10,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Rows that the contract turned away, with the reasons.

    Example: penstock data quarantine flights
    """
    answer(lambda: project_at(where, environment).data.quarantine(dataset).head(limit).collect(), show_rows, as_json)
