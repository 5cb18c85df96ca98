"""Finding logged predictions again, without reading the whole log."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from penstock.data import head
from penstock.ids import time_of
from penstock.ledger import Ledger, Version
from penstock.monitor.compaction import compact
from penstock.monitor.labels import FEEDBACK, joined, labels_of
from penstock.project import ProjectFile
from penstock.store import Part, Store, Table

NEAR = timedelta(minutes=5)  # an id is made a moment before its record


def predictions(project: ProjectFile, ledger: Ledger, store: Store, *, limit: int) -> pl.DataFrame:
    """The newest predictions with their `truth` where it is known, newest first."""
    version, feedback = _current(project, ledger, store)
    if version is None:
        return pl.DataFrame()
    manifest = store.manifest(version.commit)
    rows = store.rows(Table(manifest.schema, newest(manifest.parts, limit)))
    ids = rows.select("id").top_k(limit, by="id").collect()["id"]
    found = rows.drop("vector").filter(pl.col("id").is_in(ids.implode())).sort("id", descending=True).collect()
    return joined(found, labels_of(feedback, found))


def find_prediction(project: ProjectFile, ledger: Ledger, store: Store, identifier: str) -> Mapping[str, Any] | None:
    """One prediction, whole: request, features, answer, model, and what came true. None when there is none."""
    try:
        made = time_of(identifier)
    except ValueError:
        return None
    version, feedback = _current(project, ledger, store)
    if version is None:
        return None
    # the time in the id lets Parquet skip all other row groups
    near = pl.col("at").is_between(made - NEAR, made + NEAR)
    rows = store.scan(version.commit).filter(near, pl.col("id") == identifier).collect()
    if rows.is_empty():
        return None
    (found,) = joined(rows, labels_of(feedback, rows)).to_dicts()
    for column in ("request", "vector", "probabilities"):
        found[column] = json.loads(found[column]) if found[column] else None
    return {**found, "logged_in": f"{version.dataset}@{version.commit}"}


def newest(parts: Sequence[Part], limit: int) -> tuple[Part, ...]:
    """The parts that hold the `limit` newest ids, by the least and greatest id of each."""
    falling = sorted(parts, key=lambda part: str(part.columns["id"]["max"]), reverse=True)
    rows, enough = 0, 0
    while enough < len(falling) and rows < limit:
        rows, enough = rows + falling[enough].rows, enough + 1
    oldest = min((part.columns["id"]["min"] for part in falling[:enough]), default="")
    return tuple(part for part in falling if part.columns["id"]["max"] >= oldest)


def _current(project: ProjectFile, ledger: Ledger, store: Store) -> tuple[Version | None, pl.LazyFrame]:
    """The predictions, with what the log has gained just now, and the feedback."""
    compact(project, ledger, store)
    endpoint = project.config.deliver.endpoint
    with ledger.read() as reader:
        version, labels = head(reader, f"predictions.{endpoint}"), head(reader, f"feedback.{endpoint}")
    return version, store.scan(labels.commit) if labels else pl.LazyFrame(schema=dict(FEEDBACK))
