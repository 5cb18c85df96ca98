"""What contracts have turned away: how much and why, the rows themselves, and rows that somebody corrected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from penstock.data.contracts.personal import masked
from penstock.data.ingestion.dataset_contract import named_contract
from penstock.data.reserved import FILE, REASONS, ROW
from penstock.data.sources import csvfile
from penstock.data.versions.position import QUARANTINE
from penstock.data.versions.refs import current
from penstock.errors import UsageError
from penstock.ledger import Ledger, Reader, Version
from penstock.scratch import scratch_directory
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.project import ProjectFile

SHOWN = 5  # rows that an error names


@dataclass(frozen=True)
class Quarantined:
    """What a dataset's quarantine holds. `since`: when the oldest of its rows came into it."""

    dataset: str
    rows: int
    reasons: Mapping[str, int]
    since: datetime


def quarantined(project: "ProjectFile", ledger: Ledger, store: Store) -> tuple[Quarantined, ...]:
    """The datasets of the project with rows in quarantine, by name."""
    found = []
    with ledger.read() as reader:
        for dataset in sorted(project.config.data.datasets):
            aside = current(reader, dataset + QUARANTINE, project.branch)
            if aside and aside.rows:
                since = _since(reader, store, aside)
                found.append(Quarantined(dataset, aside.rows, _reasons(store.scan(aside.commit)), since))
    return tuple(found)


def quarantined_rows(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    dataset: str,
    *,
    reason: str | None = None,
    file: str | None = None,
) -> pl.LazyFrame:
    """The rows of a dataset's quarantine, their values texts, with `__file__`, `__row__` and `__reasons__`.

    UsageError when the dataset, or a reason or file to choose by, is not there.
    """
    with ledger.read() as reader:
        aside = current(reader, dataset + QUARANTINE, project.branch)
    if aside is None:
        datasets = project.config.data.datasets
        raise UsageError.unknown("dataset with a quarantine", dataset, datasets, hint="penstock data ingest")
    rows = store.scan(aside.commit)
    if reason is not None:
        _must_be_among("reason", reason, pl.col(REASONS).explode(empty_as_null=True, keep_nulls=False), rows)
        rows = rows.filter(pl.col(REASONS).list.contains(reason))
    if file is not None:
        _must_be_among("file", file, pl.col(FILE), rows)
        rows = rows.filter(pl.col(FILE) == file)
    return rows


def masked_rows(project: "ProjectFile", dataset: str, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of a quarantine as they may be shown: values that the contract calls personal read `***`."""
    spec = project.config.data.datasets.get(dataset)
    return masked(rows, named_contract(project, dataset)) if spec and spec.contract else rows


def as_export(rows: pl.LazyFrame, suffix: str) -> pl.LazyFrame:
    """Rows as a file can hold them: in CSV the reasons are one text."""
    return rows.with_columns(pl.col(REASONS).list.join("; ")) if suffix == ".csv" else rows


def read_corrected(path: Path, names: list[str]) -> pl.DataFrame:
    """Rows of an exported file that somebody corrected: `names` as texts, `__file__` and `__row__`.

    UsageError when there is no such file, columns lack or a row stands there twice.
    """
    if not path.is_file():
        hint = "correct a file that `penstock data quarantine export` wrote"
        raise UsageError("there is no such file", where=str(path), hint=hint)
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else _texts(path)
    except pl.exceptions.PolarsError as error:
        hint = "save it as CSV with the columns that were exported, or as Parquet"
        raise UsageError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path), hint=hint) from error
    if lacking := [name for name in (*names, FILE, ROW) if name not in frame.columns]:
        what = f"it lacks {', '.join(lacking)}"
        raise UsageError(what, where=str(path), hint="correct a file that `penstock data quarantine export` wrote")
    rows = frame.select(pl.col([*names, FILE]).cast(pl.String), pl.col(ROW).cast(pl.Int64, strict=False))
    places = rows.select(FILE, ROW)
    if wrong := list(_shown(places.filter(pl.any_horizontal(pl.all().is_null()) | places.is_duplicated()))):
        what = f"rows without a place, or twice: {', '.join(wrong)}"
        raise UsageError(what, where=str(path), expected=f"{FILE} and {ROW} as they were exported, each row once")
    return rows


def refuse_strangers(corrected: pl.DataFrame, rows: pl.LazyFrame, path: Path) -> None:
    """UsageError when corrected rows are not in the quarantine, or nobody can tell which of its rows they are."""
    known = rows.select(FILE, ROW)
    strangers = corrected.lazy().select(FILE, ROW).join(known, on=[FILE, ROW], how="anti").collect()
    if strangers.height:
        what = f"{strangers.height:,} of its rows are not in the quarantine: {', '.join(_shown(strangers))}"
        raise UsageError(what, where=str(path), hint="export them again: they were readmitted, or their file changed")
    several = known.group_by(FILE, ROW).len("rows").filter(pl.col("rows") > 1).collect()
    shared = corrected.select(FILE, ROW).join(several, on=[FILE, ROW], how="semi")
    if shared.height:
        what = f"several rows of the quarantine stand at one place: {', '.join(_shown(shared))}"
        raise UsageError(what, where=str(path), hint="correct them in their source, or readmit by --reason")


def _since(reader: Reader, store: Store, aside: Version) -> datetime:
    """When the first of the versions came that share a part with this one, without a break."""
    parts = {part.digest for part in store.manifest(aside.commit).parts}
    oldest = aside
    while parents := store.manifest(oldest.commit).parents:
        before = reader.get(Version, dataset=aside.dataset, commit=parents[0])
        if before is None or not parts & {part.digest for part in store.manifest(before.commit).parts}:
            break
        oldest = before
    return oldest.created_at


def _reasons(rows: pl.LazyFrame) -> dict[str, int]:
    each = rows.select(pl.col(REASONS).explode(empty_as_null=True, keep_nulls=False).alias("reason"))
    counted = each.group_by("reason").len("rows").sort("rows", "reason", descending=[True, False]).collect()
    return dict(counted.iter_rows())


def _must_be_among(kind: str, wanted: str, values: pl.Expr, rows: pl.LazyFrame) -> None:
    known = rows.select(values.alias("known")).unique().collect()["known"].to_list()
    if wanted not in known:
        raise UsageError.unknown(f"{kind} in the quarantine", wanted, known)


def _texts(path: Path) -> pl.DataFrame:
    """A CSV file as spreadsheets save it: other delimiters, encodings and line ends are read too."""
    with scratch_directory() as scratch:
        csv = csvfile.describe(csvfile.plain_text(path, str(path), scratch), str(path))
        return pl.read_csv(csv.path, separator=csv.delimiter, infer_schema=False, glob=False)


def _shown(places: pl.DataFrame) -> Iterator[str]:
    return (f"{file} row {row}" for file, row in places.head(SHOWN).iter_rows())
