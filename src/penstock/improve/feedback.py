"""Labels that arrive as a file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from penstock.deliver import in_production
from penstock.errors import Conflict, UsageError
from penstock.ledger import Ledger
from penstock.monitor import (
    FEEDBACK,
    is_label,
    plain,
    prepare,
    publish_appended,
    read_plain,
    reads_plain,
    reference_of,
)
from penstock.project import ProjectFile
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.bundle import Target

SHOWN = 10  # problems
TRIES = 5


def feedback_file(project: ProjectFile, ledger: Ledger, store: Store, path: Path) -> int:
    """Append a CSV or Parquet file of labels to the endpoint's feedback; how many rows.

    Columns: `label`, and `prediction` (an id) or `key`; `at` (when it became known, UTC where it names no zone)
    if there is one. Rows without a label are not known yet and are left out. All others or none: UsageError with
    what is wrong in which row. The same file again changes nothing that is measured: the newest label counts.
    """
    with ledger.read() as reader:
        now, production = reader.now(), in_production(reader, project.config.name)
    reference = reference_of(store, production.bundle) if production else None
    target, key_is_text = (reference.target, reference.key_is_text) if reference else (None, True)
    rows = feedback_rows(read_labels(path), str(path), now, target, key_is_text=key_is_text)
    if not rows.is_empty():
        _append(ledger, store, project.config.deliver.endpoint, rows)
    return rows.height


def feedback_rows(
    given: pl.DataFrame, where: str, received: datetime, target: "Target | None", *, key_is_text: bool = True
) -> pl.DataFrame:
    """Rows of FEEDBACK from a table with `label` and `prediction` or `key`. UsageError for any other table.

    Where neither the keys nor the classes are texts, "3.0" means 3: in a CSV file everything is written as text.
    """
    names = set(given.columns)
    if "label" not in names or not names & {"prediction", "key"}:
        raise UsageError(
            f"columns {', '.join(given.columns)} are no feedback",
            where=where,
            expected="a column `label`, and `prediction` (an id) or `key`",
        )
    written = {"key": not key_is_text, "label": target is not None and reads_plain(target)}
    texts = [_texts(given, name, read=written.get(name, False)) for name in ("prediction", "key", "label")]
    times = _times(given["at"], received) if "at" in names else pl.Series("at", [received] * given.height)
    rows = pl.DataFrame([*texts, times.cast(FEEDBACK["at"])]).with_row_index("row", offset=1)
    rows = rows.filter(pl.col("label").is_not_null())
    if problems := list(_problems(rows, target)):
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise UsageError("no row was taken: " + "; ".join([*problems[:SHOWN], *more]), where=where)
    return rows.drop("row")


def read_labels(path: Path) -> pl.DataFrame:
    """A CSV file as texts, so that a key keeps its zeros; a Parquet file as it is."""
    if not path.is_file():
        raise UsageError("there is no such file", where=str(path))
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        with path.open("rb") as file:
            separator = ";" if b";" in file.readline() else ","
        return pl.read_csv(path, infer_schema=False, separator=separator)
    except (pl.exceptions.PolarsError, OSError) as error:
        what = f"cannot be read: {str(error).splitlines()[0]}"
        raise UsageError(what, where=str(path), expected="a CSV or Parquet file") from error


def _problems(rows: pl.DataFrame, target: "Target | None") -> Iterator[str]:
    for row, prediction, key, label, at in rows.iter_rows():
        if prediction is None and key is None:
            yield f"row {row} names neither a prediction nor a key"
        if target and not is_label(label, target):
            expected = "a number" if target.task == "regression" else f"one of {', '.join(map(str, target.classes))}"
            yield f"row {row}: the label {label!r} is not {expected}"
        if at is None:
            yield f"row {row}: `at` is not a time such as 2013-05-01T12:00:00Z"


def _append(ledger: Ledger, store: Store, endpoint: str, rows: pl.DataFrame) -> None:
    dataset = f"feedback.{endpoint}"
    labelled = rows.with_columns(endpoint=pl.lit(endpoint))
    for attempt in range(1, TRIES + 1):
        appended = prepare(ledger, store, dataset, labelled, "improve.feedback")
        try:
            with ledger.write() as tx:
                return publish_appended(tx, appended)
        except Conflict:  # the server's feedback was appended meanwhile
            if attempt == TRIES:
                raise
    return None


def _texts(given: pl.DataFrame, name: str, *, read: bool) -> pl.Series:
    values = given[name] if name in given.columns else [None] * given.height
    texts = [plain(value) for value in values]
    return pl.Series(name, [read_plain(text) if read and text else text for text in texts], dtype=pl.String)


def _times(given: pl.Series, received: datetime) -> pl.Series:
    """Times in UTC; now where there is none, null where it is not a time."""
    values = [received if value in (None, "") else _moment(value) for value in given]
    return pl.Series("at", values, dtype=pl.Datetime("us", "UTC"))


def _moment(value: object) -> datetime | None:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
