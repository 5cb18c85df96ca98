"""Labels that arrive as a file."""

from pathlib import Path

import polars as pl

from penstock.errors import UsageError
from penstock.ledger import Ledger
from penstock.monitor import FEEDBACK, append_rows, plain
from penstock.project import ProjectFile
from penstock.store import Store


def feedback_file(project: ProjectFile, ledger: Ledger, store: Store, path: Path) -> int:
    """Append a CSV or Parquet file of labels to the endpoint's feedback; how many rows.

    Columns: `label`, and `prediction` (an id) or `key`; `at` (when it became known) if there is one.
    All rows or none. The same file again changes nothing that is measured: the newest label counts.
    """
    rows = feedback_rows(_read(path), str(path), ledger_time(ledger))
    if rows.is_empty():
        return 0
    endpoint = project.config.deliver.endpoint
    with ledger.write() as tx:
        append_rows(tx, store, f"feedback.{endpoint}", rows.with_columns(endpoint=pl.lit(endpoint)), "improve.feedback")
    return rows.height


def feedback_rows(given: pl.DataFrame, where: str, received: pl.Expr) -> pl.DataFrame:
    """Rows of FEEDBACK from a table with `label` and `prediction` or `key`. UsageError for any other table."""
    names = set(given.columns)
    if "label" not in names or not names & {"prediction", "key"}:
        raise UsageError(
            f"columns {', '.join(given.columns)} are no feedback",
            where=where,
            expected="a column `label`, and `prediction` (an id) or `key`",
        )
    unnamed = given.filter(pl.all_horizontal(pl.col(name).is_null() for name in sorted(names & {"prediction", "key"})))
    if not unnamed.is_empty():
        raise UsageError(
            f"{unnamed.height} rows name neither a prediction nor a key",
            where=where,
            expected="one of them in each row",
        )
    columns = [
        _text(given, "prediction"),
        _text(given, "key"),
        _text(given, "label"),
        given["at"].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        if "at" in names
        else pl.Series("at", [None] * given.height),
    ]
    table = pl.DataFrame(columns).with_columns(pl.col("at").cast(FEEDBACK["at"]).fill_null(received))
    return table.filter(pl.col("label").is_not_null())


def ledger_time(ledger: Ledger) -> pl.Expr:
    """Now, by the ledger's clock."""
    with ledger.read() as reader:
        return pl.lit(reader.now(), dtype=FEEDBACK["at"])


def _text(given: pl.DataFrame, name: str) -> pl.Series:
    if name not in given.columns:
        return pl.Series(name, [None] * given.height, dtype=pl.String)
    return pl.Series(name, [plain(value) for value in given[name]], dtype=pl.String)


def _read(path: Path) -> pl.DataFrame:
    if not path.exists():
        raise UsageError("there is no such file", where=str(path))
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path), expected="a CSV or Parquet file") from error
