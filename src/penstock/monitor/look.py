"""One look at production: compact the log, measure the windows that changed, open and resolve alerts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from penstock.bundle import Bundle
from penstock.data import head
from penstock.ledger import Alert, Cursor, Ledger, Reader, SeriesPoint, Transaction, node, utc_now
from penstock.monitor.compaction import Compacted, compact
from penstock.monitor.labels import FEEDBACK, joined
from penstock.monitor.measures import Judge, Measure, drifts, merged, quality, service
from penstock.monitor.rules import Change, judge
from penstock.monitor.windows import Window, window_of, window_starts
from penstock.project import ProjectFile
from penstock.store import Store
from penstock.validate import open_sealed

ALL = "*"


@dataclass(frozen=True)
class Look:
    """What a look found.

    opened, resolved   alerts that changed
    notices            problems that did not stop the look: a damaged log, a webhook that does not answer
    """

    compacted: Compacted
    points: tuple[SeriesPoint, ...]
    opened: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    notices: tuple[str, ...]


def look(project: ProjectFile, ledger: Ledger, store: Store, *, now: datetime) -> Look:
    """Measure every window that is over at `now` and has changed since the last look, then judge the rules.

    A window's quality is measured once its labels are due (`monitor.labels_after`); labels that come later
    still change it. Doing it again with nothing new changes nothing.
    """
    from penstock.monitor.routes import notify

    compacted = compact(project, ledger, store)
    points = tuple(_measured(project, ledger, store, now))
    changes = _judged(project, ledger, now)
    notices = (*compacted.damaged, *notify(project, ledger))
    opened = tuple(c.alert for c in changes if c.news and c.alert.state == "firing")
    resolved = tuple(c.alert for c in changes if c.news and c.alert.state == "resolved")
    return Look(compacted, points, opened, resolved, notices)


def _measured(project: ProjectFile, ledger: Ledger, store: Store, now: datetime) -> list[SeriesPoint]:
    endpoint = project.config.deliver.endpoint
    name = f"windows.{endpoint}"
    with ledger.read() as reader:
        predictions = _rows(reader, store, f"predictions.{endpoint}")
        feedback = _rows(reader, store, f"feedback.{endpoint}")
        cursor = reader.get(Cursor, name=name)
    if predictions is None:
        return []
    labels = feedback.collect() if feedback is not None else pl.DataFrame(schema=FEEDBACK)
    every = project.config.monitor.window
    # ids, keys and times are a small part of the log: enough to know which windows changed
    light = joined(predictions.select("id", "key", "event_time").collect(), labels)
    light = light.with_columns(window=window_starts(light["event_time"], every))
    seen = dict(cursor.position) if cursor else {}
    found: list[SeriesPoint] = []
    bundles: dict[str, Bundle] = {}
    for start, state in _states(project, light, now):
        key = start.isoformat()
        if seen.get(key) == state:
            continue
        window = window_of(start, every)
        inside = predictions.filter(pl.col("event_time").is_between(window.start, window.end, closed="left")).collect()
        rows = joined(inside, labels)
        found += _points(project, ledger, store, window, rows, bundles, now)
        seen[key] = state
    if found:
        with ledger.write() as tx:
            tx.put(*found)
            tx.put(Cursor(name, seen, utc_now()))
    return found


def _rows(reader: Reader, store: Store, dataset: str) -> pl.LazyFrame | None:
    version = head(reader, dataset)
    return store.scan(version.commit) if version else None


def _states(project: ProjectFile, light: pl.DataFrame, now: datetime) -> Iterator[tuple[datetime, list[Any]]]:
    """Each window that is over, with what its measures depend on: rows, labels, whether they are due."""
    every, labels_after = project.config.monitor.window, project.config.monitor.labels_after
    counts = (
        light.group_by("window").agg(pl.len(), pl.col("truth").is_not_null().sum().alias("labelled")).sort("window")
    )
    for start, rows, labelled in counts.iter_rows():
        window = window_of(start, every)
        if window.over(now):
            yield window.start, [rows, labelled, window.due(now, labels_after)]


def _points(
    project: ProjectFile,
    ledger: Ledger,
    store: Store,
    window: Window,
    rows: pl.DataFrame,
    bundles: dict[str, Bundle],
    now: datetime,
) -> list[SeriesPoint]:
    """Every measure of a window: of each model, and of all together."""
    config = project.config
    due = window.due(now, config.monitor.labels_after)
    each: list[tuple[int, Measure]] = []
    found: list[tuple[str, Measure]] = []
    for (model, digest), part in rows.group_by("model", "bundle", maintain_order=True):
        if digest not in bundles:
            bundles[digest] = open_sealed(project, ledger, store, digest)
        measures = [*service(part), *drifts(vectors_of(part, bundles[digest]), bundles[digest].profile)]
        measures += _quality(project, bundles[digest], part) if due else []
        found += [(model, one) for one in measures]
        each += [(part.height, one) for one in measures if one.metric in ("psi", "missing_rate")]
    together = [*service(rows), *merged(each)]
    if due and bundles:
        together += _quality(project, bundles[rows["bundle"][-1]], rows)
    found += [(ALL, one) for one in together]
    return [
        SeriesPoint(config.deliver.endpoint, m.metric, m.subject, window.start, window.end, model, m.value, m.n, now)
        for model, m in found
    ]


def _quality(project: ProjectFile, bundle: Bundle, rows: pl.DataFrame) -> list[Measure]:
    labelled = rows.filter(pl.col("truth").is_not_null())
    if labelled.is_empty():
        return []
    objective = project.config.objective
    positive = objective.target.positive if objective else None
    costs = objective.costs if objective else None
    return list(quality(labelled, Judge(bundle.task, bundle.classes or (), positive, bundle.threshold or 0.5, costs)))


def vectors_of(rows: pl.DataFrame, bundle: Bundle) -> pl.DataFrame:
    """The logged feature vectors as columns again, in the types that the model was trained on."""
    from penstock.bundle.dtypes import dtype_of

    kinds = {name: dtype_of(dtype) for name, dtype in bundle.features.spec.outputs}
    text = {name: pl.String() if kind.is_temporal() else kind for name, kind in kinds.items()}
    decoded = pl.DataFrame([json.loads(vector) for vector in rows["vector"]], schema=text, strict=False)
    times = [name for name, kind in kinds.items() if kind.is_temporal()]
    return decoded.with_columns(pl.col(name).str.to_datetime(strict=False).cast(kinds[name]) for name in times)


def _judged(project: ProjectFile, ledger: Ledger, now: datetime) -> list[Change]:
    """Open, continue and resolve alerts in one decision."""
    config = project.config
    endpoint = config.deliver.endpoint
    with ledger.write() as tx:
        firing = tx.find(Alert, endpoint=endpoint, state="firing")
        changes = [
            change
            for rule in config.monitor.alerts
            for change in judge(rule, endpoint, _history(tx, endpoint, rule.metric), firing, now)
        ]
        for change in changes:
            tx.put(change.alert)
            if change.news:
                _record(tx, endpoint, change)
    return changes


def _history(tx: Transaction, endpoint: str, metric: str) -> Sequence[SeriesPoint]:
    return tx.find(SeriesPoint, endpoint=endpoint, metric=metric, model=ALL)


def _record(tx: Transaction, endpoint: str, change: Change) -> None:
    """Tie an alert to the models and the predictions that it is about."""
    alert = change.alert
    points = tx.find(SeriesPoint, endpoint=endpoint, metric="volume", window_start=alert.window_start)
    for point in points:
        if point.model != ALL:
            tx.link(node("model", point.model), node("alert", alert.id), "observed")
    version = head(tx, f"predictions.{endpoint}")
    if version:
        tx.link(node("data", version.commit), node("alert", alert.id), "measured")
