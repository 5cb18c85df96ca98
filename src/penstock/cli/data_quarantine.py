"""`penstock data quarantine`: rows that a contract turned away, and the way back."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.data_versions import written_rows
from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Where,
    answer,
    group,
    place_for,
    project_at,
    say,
    show_rows,
    table,
    when,
)
from penstock.digest import short
from penstock.errors import UsageError

app = group("quarantine", "Rows that a contract turned away, and the way back.")

Dataset = Annotated[str, typer.Argument(help="A dataset of the project file.")]
Why = Annotated[str | None, typer.Option("--reason", help="Only rows with this reason.")]


@app.command("list")
def list_(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Datasets with rows in quarantine: how many, why, since when.

    Example: penstock data quarantine list
    """
    answer(lambda: project_at(where, environment).data.quarantined(), _datasets, as_json)


def _datasets(found: Any) -> None:
    """Each dataset, a line for each reason."""
    rows: list[list[object]] = [
        [one.dataset, count, reason, when(one.since)] for one in found for reason, count in one.reasons.items()
    ]
    table(["dataset", "rows", "reason", "since (UTC)"], rows, empty="no row is in quarantine")


@app.command()
def show(
    dataset: Dataset,
    reason: Why = None,
    file: Annotated[str | None, typer.Option("--file", help="Only rows of this file of the source.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows.")] = 10,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Rows with their reasons, file and row number. Personal values read ***.

    Example: penstock data quarantine show flights --reason "dep_delay: above 3000"
    """

    def rows() -> object:
        data = project_at(where, environment).data
        return data.quarantine(dataset, reason=reason, file=file, whole=False).head(limit).collect()

    answer(rows, show_rows, as_json)


@app.command()
def export(
    dataset: Dataset,
    output: Annotated[Path, typer.Option("--output", "-o", help="A file that ends in .csv or .parquet.")],
    reason: Why = None,
    file: Annotated[str | None, typer.Option("--file", help="Only rows of this file of the source.")] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Write whole rows, personal values too, to a file in which they can be corrected.

    Example: penstock data quarantine export flights -o rows.csv
    """

    def write() -> str:
        from penstock.data import as_export

        rows = project_at(where, environment).data.quarantine(dataset, reason=reason, file=file)
        return written_rows(as_export(rows, output.suffix), place_for(output))

    answer(write, show_rows, as_json)


@app.command()
def readmit(
    dataset: Dataset,
    note: Annotated[str, typer.Option("--note", "-m", help="Why these rows are good; kept in the audit trail.")],
    file: Annotated[
        Path | None, typer.Option("--file", help="An exported file in which rows were corrected.", exists=False)
    ] = None,
    reason: Why = None,
    everything: Annotated[bool, typer.Option("--all", help="Every row, under the contract as it is now.")] = False,
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Rows that keep the contract by now become part of the next version. Ends with 4 when none does.

    Example: penstock data quarantine readmit flights --file rows.csv --note "the airline sent the right delays"
    """

    def back() -> Any:
        if sum((file is not None, reason is not None, everything)) != 1:
            raise UsageError("which rows?", expected="one of --file, --reason and --all")
        data = project_at(where, environment, actor=actor).data
        return data.readmit(dataset, note=note, reason=reason, corrected=file)

    answer(back, _readmitted, as_json)


def _readmitted(done: Any) -> None:
    """What came back, and what did not."""
    say(f"{done.dataset}@{short(done.commit)}  {done.readmitted:,} readmitted, {done.rows:,} rows now")
    if done.superseded:
        say(f"  {done.superseded:,} superseded by a later row of the same key")
    say(f"  {done.quarantined:,} stay in quarantine")
    for reason, count in done.reasons.items():
        say(f"  {count:,}  {reason}")
