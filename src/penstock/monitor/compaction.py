"""From the server's log to dataset versions: `predictions.ENDPOINT` and `feedback.ENDPOINT`.

Each call appends what the log has gained since the last one. How far it has read is a cursor in the ledger
that moves in the same transaction as the datasets, so a crash or a second reader appends nothing twice.
Requests and feature vectors are kept as JSON text: their columns change from model to model.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from penstock.data import head, publish
from penstock.ledger import Cursor, Ledger, ModelVersion, Transaction, Version, node, utc_now
from penstock.monitor.labels import FEEDBACK, plain
from penstock.project import ProjectFile
from penstock.serve.log import FeedbackRecord, Kind, PredictionRecord, Record, read_segments
from penstock.store import Manifest, Store

PREDICTIONS: Mapping[str, Any] = {
    "id": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "event_time": pl.Datetime("us", "UTC"),
    "endpoint": pl.String,
    "model": pl.String,
    "bundle": pl.String,
    "generation": pl.Int64,
    "role": pl.String,
    "key": pl.String,
    "score": pl.Float64,
    "probabilities": pl.String,
    "label": pl.String,
    "latency_us": pl.Int64,
    "request": pl.String,
    "vector": pl.String,
}


@dataclass(frozen=True)
class Compacted:
    """How many records were appended; `damaged` names places in the log that cannot be read."""

    predictions: int = 0
    feedback: int = 0
    damaged: tuple[str, ...] = ()


def compact(project: ProjectFile, ledger: Ledger, store: Store) -> Compacted:
    """Append what is new in the log to the datasets. Idempotent; of several at once one acts."""
    time_column = project.config.data.time
    predictions, bad_predictions = _append(
        project, ledger, store, "predictions", lambda r: prediction_rows(r, time_column)
    )
    feedback, bad_feedback = _append(project, ledger, store, "feedback", feedback_rows)
    return Compacted(predictions, feedback, (*bad_predictions, *bad_feedback))


def prediction_rows(records: Iterable[Record], time_column: str | None) -> pl.DataFrame:
    """Logged predictions as rows of PREDICTIONS; they are about the request's time, or the time they were asked at."""
    rows = [_prediction(record, time_column) for record in records if isinstance(record, PredictionRecord)]
    return pl.DataFrame(rows, schema=dict(PREDICTIONS), orient="row")


def feedback_rows(records: Iterable[Record]) -> pl.DataFrame:
    """Logged feedback as rows of FEEDBACK and its endpoint."""
    rows = [
        (r.prediction, plain(r.key), plain(r.label), r.at, r.endpoint) for r in records if isinstance(r, FeedbackRecord)
    ]
    return pl.DataFrame(rows, schema={**FEEDBACK, "endpoint": pl.String}, orient="row")


def append_rows(tx: Transaction, store: Store, dataset: str, rows: pl.DataFrame, producer: str) -> Version:
    """Publish `rows` as further parts of a dataset, inside the caller's decision."""
    before = head(tx, dataset)
    table = store.write_table(rows)
    parts = (*(store.manifest(before.commit).parts if before else ()), *table.parts)
    manifest = Manifest(table.schema, parts, parents=(before.commit,) if before else (), producer=producer)
    commit = store.commit(manifest)
    version = Version(
        commit=commit,
        dataset=dataset,
        content=manifest.content,
        schema=manifest.schema_digest,
        rows=manifest.rows,
        bytes=manifest.bytes,
        producer=producer,
        created_at=utc_now(),
    )
    publish(tx, version, expected=before.commit if before else None)
    if before:
        tx.link(node("data", before.commit), node("data", commit), "parent")
    return version


def _append(
    project: ProjectFile, ledger: Ledger, store: Store, kind: Kind, to_rows: Callable[[Sequence[Record]], pl.DataFrame]
) -> tuple[int, tuple[str, ...]]:
    directory = project.home / "serve" / "log"
    name = f"log.{kind}"
    with ledger.read() as reader:
        cursor = reader.get(Cursor, name=name)
    position = dict(cursor.position) if cursor else {}
    records: list[Record] = []
    damaged: list[str] = []
    for read in read_segments(directory, kind, position):
        records += read.records
        damaged += [str(one) for one in read.damaged]
        position[read.segment] = read.end
    if not records:
        return 0, tuple(damaged)
    rows = to_rows(records)
    with ledger.write() as tx:
        if tx.get(Cursor, name=name) != cursor:
            return 0, ()  # another process has read the log meanwhile
        for (endpoint,), part in rows.group_by("endpoint", maintain_order=True):
            _publish(tx, store, f"{kind}.{endpoint}", part)
        tx.put(Cursor(name, position, utc_now()))
    return rows.height, tuple(damaged)


def _publish(tx: Transaction, store: Store, dataset: str, rows: pl.DataFrame) -> None:
    version = append_rows(tx, store, dataset, rows, producer="monitor.compact")
    if "model" in rows.columns:
        for name in rows["model"].unique().sort():
            model, _, number = name.rpartition("@")
            if tx.get(ModelVersion, model=model, number=int(number)):
                tx.link(node("model", name), node("data", version.commit), "predicted")


def _prediction(record: PredictionRecord, time_column: str | None) -> tuple[Any, ...]:
    return (
        record.id,
        record.at,
        _event_time(record, time_column),
        record.endpoint,
        record.model,
        record.bundle,
        record.generation,
        record.role,
        plain(record.key),
        record.score,
        None if record.probabilities is None else _json(record.probabilities),
        None if record.label is None else plain(record.label),
        record.latency_us,
        _json(record.request),
        _json(record.vector),
    )


def _event_time(record: PredictionRecord, column: str | None) -> datetime:
    value = record.request.get(column) if column else None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return record.at
    # a time without a zone counts as UTC
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
