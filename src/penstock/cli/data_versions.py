"""`penstock data`: versions of a dataset."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Where,
    answer,
    counted,
    place_for,
    project_at,
    say,
    show_rows,
    table,
    when,
)
from penstock.digest import short
from penstock.errors import UsageError
from penstock.ids import new_id

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer()

Dataset = Annotated[str, typer.Argument(help="A dataset of the project file.")]
Versioned = Annotated[str, typer.Argument(help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")]


@app.command()
def log(
    dataset: Dataset,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Versions of a dataset, newest first.

    Example: penstock data log flights
    """
    answer(lambda: project_at(where, environment).data.history(dataset), _versions, as_json)


def _versions(found: Any) -> None:
    """A dataset's history."""
    rows = [[short(v.commit), v.rows, v.bytes, when(v.created_at), short(v.content)] for v in found]
    table(["commit", "rows", "bytes", "created (UTC)", "content"], rows, empty="it has no version here yet")


@app.command()
def show(
    reference: Versioned,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows.")] = 10,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write every row to this Parquet or CSV file, or every file to this directory."
        ),
    ] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Rows of a version: time travel.

    Example: penstock data show flights@2013-03-31 -n 5
    """

    def rows() -> object:
        data = project_at(where, environment).data
        if output and not output.suffix:
            return f"wrote {counted(data.write_files(reference, output), 'file')} to {output}"
        frame = data.show(reference)
        return written_rows(frame, place_for(output)) if output else _shown(frame).head(limit).collect()

    answer(rows, show_rows, as_json)


def _shown(rows: "pl.LazyFrame") -> "pl.LazyFrame":
    """Without the bytes of files."""
    import polars as pl

    return rows.select(pl.exclude(pl.Binary))


def written_rows(rows: "pl.LazyFrame", output: Path) -> str:
    """Write every row, streaming. The file appears, or takes the place of another, when all of them are there."""
    import polars as pl

    if output.suffix not in (".csv", ".parquet"):
        what = f"{output.suffix or 'no suffix'} is no format of rows"
        raise UsageError(what, where=str(output), expected="a file that ends in .csv or .parquet")
    for name, dtype in rows.collect_schema().items():
        if output.suffix == ".csv" and (dtype.is_nested() or dtype == pl.Binary):
            what = f"a CSV file cannot hold {name!r}: each value is a {dtype}"
            raise UsageError(what, where=str(output), expected="a file that ends in .parquet")
    draft = output.with_name(f".{output.name}.{new_id()}")
    try:
        rows.sink_csv(draft) if output.suffix == ".csv" else rows.sink_parquet(draft)
        os.replace(draft, output)
    finally:
        draft.unlink(missing_ok=True)
    return f"wrote {output}"


@app.command()
def lineage(
    reference: Annotated[str, typer.Argument(help="TRANSFORM, TRANSFORM@COMMIT or TRANSFORM@DATE.")],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Which columns each column of a transform is computed from.

    Example: penstock data lineage daily
    """
    answer(lambda: project_at(where, environment).data.lineage(reference), _lineage, as_json)


def _lineage(found: Any) -> None:
    """A line for each column."""
    if found is None:
        say("it cannot be known: the function does not return a lazy frame that it left uncomputed")
        return
    table(["column", "computed from"], [[name, ", ".join(columns)] for name, columns in found.items()])


@app.command()
def diff(
    before: Versioned,
    after: Versioned,
    key: Annotated[
        list[str], typer.Option("--key", help="A column that rows are matched by; those of the contract otherwise.")
    ] = [],  # noqa: B006
    distribution: Annotated[
        bool, typer.Option("--distribution", help="Read every row, and tell how far each column has shifted.")
    ] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """What changed between two versions. Columns, parts, rows by key.

    Example: penstock data diff flights@3f9c2a flights --key flight --key day
    """

    def compare() -> object:
        return project_at(where, environment).data.diff(before, after, key=key, distribution=distribution)

    answer(compare, _difference, as_json)


def _difference(found: Any) -> None:
    """What changed."""
    say(f"{short(found.before)} → {short(found.after)}: {found.rows_before:,} → {found.rows_after:,} rows")
    by = f"by {', '.join(found.key)}" if found.key else "by whole rows"
    say(f"  rows {by}: {found.added:,} added, {found.removed:,} removed, {found.changed:,} changed")
    say(f"  parts: {found.parts_added} added, {found.parts_removed} removed")
    if found.schema:
        table(["column", "change", "before", "after"], [list(change.values()) for change in found.schema])
    if found.downstream:
        table(["column", "change", "read by", "what it means"], [list(effect.values()) for effect in found.downstream])
    if found.shifts:
        rows = [_shift(one) for one in found.shifts]
        table(["column", "shifted", "psi", "js", "ks", "missing", "new", "vanished"], rows)


def _shift(one: Any) -> list[object]:
    """A column's distances; `psi` less what chance adds."""
    drift = one.drift
    ks = "" if drift.ks is None else f"{drift.ks:.3f}"
    levels = [", ".join(some[:3]) + (" …" if len(some) > 3 else "") for some in (one.new, one.vanished)]
    said = "yes" if one.shifted else ""
    return [one.column, said, f"{drift.debiased:.3f}", f"{drift.js:.3f}", ks, f"{one.missing_change:+.1%}", *levels]


@app.command()
def tag(
    reference: Versioned,
    name: Annotated[str, typer.Argument(help="The tag; it never moves.")],
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Give a version a name that never moves.

    Example: penstock data tag flights before-the-fix
    """
    answer(lambda: project_at(where, environment, actor=actor).data.tag(reference, name), _version, as_json)


def _version(found: Any) -> None:
    """One version."""
    say(f"{found.dataset}@{short(found.commit)}, {counted(found.rows, 'row')}")


@app.command()
def branches(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Branches and tags of every dataset, with their heads. A Git branch is a data branch.

    Example: penstock data branches
    """
    answer(lambda: project_at(where, environment).data.branches(), _refs, as_json)


def _refs(found: Any) -> None:
    """Each name, by dataset."""
    rows = [[ref.dataset, ref.name, ref.kind, short(ref.commit), when(ref.updated_at)] for ref in found]
    table(["dataset", "name", "kind", "commit", "moved (UTC)"], rows, empty="no dataset has a version yet")


@app.command()
def merge(
    branch: Annotated[str, typer.Argument(help="The branch to take from.")],
    dataset: Annotated[str | None, typer.Argument(help="A dataset; every one otherwise.")] = None,
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Bring what a branch has into the one that is checked out. Ends with 5 when they cannot be made one.

    Example: penstock data merge add-delays
    """
    answer(lambda: project_at(where, environment, actor=actor).data.merge(branch, dataset), _merged, as_json)


def _merged(done: Any) -> None:
    """Each dataset."""
    for one in done:
        say(f"{one.dataset}@{short(one.commit)}  {one.how}")


@app.command()
def checkout(
    reference: Annotated[
        str | None,
        typer.Argument(metavar="REF", help="A ref of every dataset, or DATASET@REF; penstock.lock otherwise."),
    ] = None,
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Put the datasets to what penstock.lock pins. They stay there until the next ingest.

    Example: penstock data checkout
    """
    answer(lambda: project_at(where, environment, actor=actor).data.checkout(reference), _checked_out, as_json)


def _checked_out(done: Any) -> None:
    """Each dataset."""
    for one in done:
        was = "" if one.before == one.commit else f", was at {short(one.before)}" if one.before else ", is new here"
        say(f"{one.dataset}@{short(one.commit)}  {counted(one.rows, 'row')}{was}")


@app.command()
def verify(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Read every stored byte and compare it with its digest. Ends with 1 when something is damaged.

    Example: penstock data verify
    """
    damage = answer(lambda: project_at(where, environment).data.verify(), _damage, as_json)
    raise typer.Exit(1 if damage else 0)


def _damage(found: Any) -> None:
    """Damaged blobs."""
    if not found:
        typer.secho("every stored byte is what was written", fg="green")
    for one in found:
        typer.secho(str(one), fg="red")


@app.command()
def collect(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Delete stored bytes that nothing leads to. What is younger than a day stays.

    Example: penstock data collect
    """
    answer(lambda: project_at(where, environment).data.collect(), _swept, as_json)


def _swept(found: Any) -> None:
    """What was collected."""
    young = f", {found.young:,} too young to go" if found.young else ""
    say(f"{counted(found.removed, 'blob')} removed, {found.freed:,} bytes freed; {found.kept:,} kept{young}")
