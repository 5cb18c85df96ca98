"""From the server's log to dataset versions: `predictions.ENDPOINT` and `feedback.ENDPOINT`.

Each call appends what the log has gained since the last one. How far it has read is a cursor in the ledger
that moves in the same transaction as the datasets, so a crash or a second reader appends nothing twice.
Requests and feature vectors are kept as JSON text: their columns change from model to model.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from penstock.errors import Conflict
from penstock.ledger import Cursor, Ledger, ModelVersion, Transaction, node, utc_now
from penstock.monitor.appending import Appended, prepare, publish_appended
from penstock.monitor.labels import FEEDBACK, plain
from penstock.project import ProjectFile
from penstock.serve import PredictionRecord, read_segments
from penstock.store import Store

PREDICTIONS: Mapping[str, Any] = {
    "id": pl.String,
    "at": pl.Datetime("us", "UTC"),  # when it was answered
    "event_time": pl.Datetime("us", "UTC"),  # what it is about
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
Kind = Literal["predictions", "feedback"]

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=366)  # of the answer; beyond it, what a request says of its time is not believed
BATCH_ROWS = 100_000
TRIES = 5

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Compacted:
    """How many records were appended; `damaged` names places in the log that cannot be read."""

    predictions: int = 0
    feedback: int = 0
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Rows that are new in the log behind `cursor`, and how far it is read with them."""

    cursor: Cursor | None
    rows: pl.DataFrame
    position: Mapping[str, int]
    damaged: tuple[str, ...]


def compact(project: ProjectFile, ledger: Ledger, store: Store) -> Compacted:
    """Append what is new in the log to the datasets. Of several at once, in any process, one appends.

    Each batch is one decision; memory holds a batch and a segment.
    """
    time_column = project.config.data.time
    log = Log(project.home / "serve" / "log", ledger, store)
    predictions, bad = log.append("predictions", lambda records: prediction_rows(records, time_column))
    feedback, worse = log.append("feedback", feedback_rows)
    return Compacted(predictions, feedback, (*bad, *worse))


def prediction_rows(records: Iterable[Any], time_column: str | None) -> pl.DataFrame:
    """PredictionRecords as rows of PREDICTIONS."""
    rows = [_prediction(record, time_column) for record in records]
    return pl.DataFrame(rows, schema=dict(PREDICTIONS), orient="row")


def feedback_rows(records: Iterable[Any]) -> pl.DataFrame:
    """FeedbackRecords as rows of FEEDBACK and their endpoint."""
    rows = [(r.prediction, plain(r.key), plain(r.label), r.observed_at or r.at, r.endpoint) for r in records]
    return pl.DataFrame(rows, schema={**FEEDBACK, "endpoint": pl.String}, orient="row")


@dataclass(frozen=True)
class Log:
    """The log of a server, and where its records go."""

    directory: Path
    ledger: Ledger
    store: Store

    def append(self, kind: Kind, to_rows: Callable[[Iterable[Any]], pl.DataFrame]) -> tuple[int, tuple[str, ...]]:
        """Append all that is new; how many rows, and what is damaged."""
        appended, refused = 0, 0
        damaged: tuple[str, ...] = ()
        while batch := self._next(kind, to_rows):
            try:
                if self._publish(kind, batch):
                    appended, damaged = appended + batch.rows.height, (*damaged, *batch.damaged)
            except Conflict:  # the dataset has grown by a file of labels meanwhile
                refused += 1
                if refused == TRIES:
                    raise
        return appended, damaged

    def _next(self, kind: Kind, to_rows: Callable[[Iterable[Any]], pl.DataFrame]) -> Batch | None:
        """What comes behind the cursor; None at the end of the log."""
        with self.ledger.read() as reader:
            cursor = reader.get(Cursor, name=f"log.{kind}")
        start = dict(cursor.position) if cursor else {}
        position, frames, damaged = dict(start), [], []
        for read in read_segments(self.directory, kind, start):
            frames.append(to_rows(read.records))
            damaged += [str(place) for place in read.damaged]
            position[read.segment] = read.end
            if sum(frame.height for frame in frames) >= BATCH_ROWS:
                break
        return Batch(cursor, pl.concat(frames), position, tuple(damaged)) if frames else None

    def _publish(self, kind: Kind, batch: Batch) -> bool:
        """Datasets and cursor in one decision; False when another process has read the log meanwhile."""
        name = f"log.{kind}"
        parts = batch.rows.partition_by("endpoint", as_dict=True, maintain_order=True)
        grown = {
            endpoint: prepare(self.ledger, self.store, f"{kind}.{endpoint}", rows, "monitor.compact")
            for (endpoint,), rows in parts.items()
        }
        with self.ledger.write() as tx:
            if tx.get(Cursor, name=name) != batch.cursor:
                return False
            for endpoint, appended in grown.items():
                publish_appended(tx, appended)
                if kind == "predictions":
                    _link_models(tx, parts[(endpoint,)], appended)
            if batch.damaged:
                tx.audit("monitor.damaged", name, actor="monitor", reason="\n".join(batch.damaged))
            tx.put(Cursor(name, batch.position, utc_now()))
        return True


def _link_models(tx: Transaction, rows: pl.DataFrame, appended: Appended) -> None:
    for name in rows["model"].unique().sort():
        model, _, number = name.rpartition("@")
        if tx.get(ModelVersion, model=model, number=int(number)):
            tx.link(node("model", name), node("data", appended.version.commit), "predicted")


def _prediction(record: PredictionRecord, time_column: str | None) -> tuple[Any, ...]:
    return (
        record.id,
        record.at,
        event_time(record, time_column),
        record.endpoint,
        record.model,
        record.bundle,
        record.generation,
        record.role,
        plain(record.key),
        record.score,
        None if record.probabilities is None else _text(record.probabilities),
        plain(record.label),
        record.latency_us,
        _text(record.request),
        _text(record.vector),
    )


def event_time(record: PredictionRecord, column: str | None) -> datetime:
    """The request's time, which is UTC where it names no zone; without one that can be, when it was answered."""
    try:
        moment = datetime.fromisoformat(record.request[column or ""])
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return record.at
    return moment if EARLIEST <= moment <= record.at + AHEAD else record.at


def _text(row: Mapping[str, Any]) -> str:
    # JSON has no NaN and no infinity, but a feature can have them: they become texts, where msgspec writes null
    text: str = _encode(row).decode()
    if "null" not in text:
        return text
    told = {name: str(v) if isinstance(v, float) and not isfinite(v) else v for name, v in row.items()}
    return _encode(told).decode()
