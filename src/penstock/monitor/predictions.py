"""Finding logged predictions again."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from penstock.data import head
from penstock.ids import time_of
from penstock.ledger import Ledger
from penstock.monitor.compaction import compact
from penstock.monitor.labels import FEEDBACK, joined
from penstock.project import ProjectFile
from penstock.store import Store

NEAR = timedelta(minutes=5)  # an id is made a moment before its record


def predictions(project: ProjectFile, ledger: Ledger, store: Store, *, limit: int) -> pl.DataFrame:
    """The newest predictions with their `truth` where it is known, newest first."""
    compact(project, ledger, store)
    endpoint = project.config.deliver.endpoint
    with ledger.read() as reader:
        version, labels = head(reader, f"predictions.{endpoint}"), head(reader, f"feedback.{endpoint}")
    if version is None:
        return pl.DataFrame()
    rows = store.scan(version.commit).drop("vector").sort("id", descending=True).head(limit).collect()
    feedback = store.scan(labels.commit).collect() if labels else pl.DataFrame(schema=FEEDBACK)
    return joined(rows, feedback)


def find_prediction(project: ProjectFile, ledger: Ledger, store: Store, identifier: str) -> Mapping[str, Any] | None:
    """One prediction, whole: request, features, answer, model, and what came true. None when there is none."""
    try:
        made = time_of(identifier)
    except ValueError:
        return None
    compact(project, ledger, store)
    endpoint = project.config.deliver.endpoint
    with ledger.read() as reader:
        version, labels = head(reader, f"predictions.{endpoint}"), head(reader, f"feedback.{endpoint}")
    if version is None:
        return None
    # the time in the id lets Parquet skip all other row groups
    near = pl.col("at").is_between(made - NEAR, made + NEAR)
    rows = store.scan(version.commit).filter(near, pl.col("id") == identifier).collect()
    if rows.is_empty():
        return None
    feedback = store.scan(labels.commit).collect() if labels else pl.DataFrame(schema=FEEDBACK)
    (found,) = joined(rows, feedback).to_dicts()
    for column in ("request", "vector", "probabilities"):
        found[column] = json.loads(found[column]) if found[column] else None
    return {**found, "logged_in": f"{version.dataset}@{version.commit}"}
