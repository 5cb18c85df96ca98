"""Runs side by side: what went in, what came out, and what of it is not the same."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from math import isclose, isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.digest import short
from penstock.errors import UsageError
from penstock.ledger import Artifact, Metric, MetricPoint, Param, Run, Tag, curve, values_of
from penstock.train.reproduction.causes import environment_causes
from penstock.train.run import IMPORTED, RECIPE
from penstock.train.runs.judged import Judged, judged
from penstock.train.runs.table import duration, plain

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store

_RECIPE = ("threads", "deterministic", "threshold")
_FACTS: Mapping[str, Callable[[Run], Any]] = {
    "name": lambda run: run.name or None,
    "experiment": lambda run: run.experiment or None,
    "status": lambda run: run.status,
    "started": lambda run: run.started_at,
    "duration": duration,
    "machine": lambda run: run.host.get("name"),
    "function": lambda run: run.function,
    "seed": lambda run: run.seed,
    "commit": lambda run: run.git_commit,
    "code": lambda run: run.code or None,
    "environment": lambda run: run.environment or None,
    "content hash": lambda run: run.content_hash,
}


class Row(NamedTuple):
    """A thing, and what it is in each run; None where a run has none."""

    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether it is not the same in all of them; numbers up to rounding."""
        return not all(_same(self.values[0], value) for value in self.values[1:])


def _same(first: Any, value: Any) -> bool:
    if isinstance(first, float) and isinstance(value, float):
        return isclose(first, value, rel_tol=1e-12) or (isnan(first) and isnan(value))
    return bool(first == value)


class Curve(NamedTuple):
    """The values of a metric of a run, at most 500 of them."""

    metric: str
    run: int  # its number
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side; the first is what the others are held against.

    facts         the function, seed, threads, code, ... of each
    params, tags, metrics
    data          dataset -> the commits that were read
    features      columns of requests and vectors, settings and digests of views
    holdout       commits of the rows that each was judged on: numbers of `slices` compare where these are one
    slices        "carrier = UA: roc_auc" -> the judged number of each
    changes       for each run but the first: how its data are not those of the first, in words
    code          for each run but the first: the unified difference of its sources
    environments  for each run but the first: what of the environment is not the same, of what a training loads
    """

    runs: tuple[Run, ...]
    facts: tuple[Row, ...]
    params: tuple[Row, ...]
    tags: tuple[Row, ...]
    data: tuple[Row, ...]
    features: tuple[Row, ...]
    metrics: tuple[Row, ...]
    holdout: Row
    slices: tuple[Row, ...]
    changes: tuple[tuple[str, ...], ...]
    code: tuple[str, ...]
    environments: tuple[tuple[str, ...], ...]
    curves: tuple[Curve, ...]


def compare_runs(reader: "Reader", store: "Store", runs: Sequence[Run]) -> RunComparison:
    """Two runs or more, side by side. UsageError for fewer."""
    if len({run.id for run in runs}) < 2:
        raise UsageError("a comparison takes two runs or more", hint="penstock train runs")
    params, tags, metrics = (values_of(reader, kind, runs) for kind in (Param, Tag, Metric))
    recipes = [_kept(reader, store, run, RECIPE) or {} for run in runs]
    judgements = judged(reader, store, runs)
    each_judged = [judgements.get(run.id) for run in runs]
    first, others = runs[0], runs[1:]
    return RunComparison(
        runs=tuple(runs),
        facts=tuple(_facts(runs, recipes)),
        params=_rows([{each.name: plain(each) for each in params[run.id]} for run in runs]),
        tags=_rows([{each.name: each.value for each in tags[run.id]} for run in runs]),
        data=_rows([run.data for run in runs]),
        features=_rows([dict(_features(run, recipe)) for run, recipe in zip(runs, recipes, strict=True)]),
        metrics=_rows([{each.name: each.value for each in metrics[run.id]} for run in runs]),
        holdout=Row("holdout", tuple(each.evaluation.data if each else None for each in each_judged)),
        slices=_rows([dict(_slices(each)) if each else {} for each in each_judged]),
        changes=tuple(tuple(_data_changes(store, first, run)) for run in others),
        code=tuple(_code_changes(store, first, run) for run in others),
        environments=tuple(_environment_changes(reader, store, first, run) for run in others),
        curves=tuple(_curves(reader, runs, metrics)),
    )


def _facts(runs: Sequence[Run], recipes: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for name, fact in _FACTS.items():
        yield Row(name, tuple(fact(run) for run in runs))
    for name in _RECIPE:
        yield Row(name, tuple(recipe.get(name) for recipe in recipes))


def _rows(columns: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """A row for every name that one of the mappings has."""
    names = sorted({name for column in columns for name in column})
    return tuple(Row(name, tuple(column.get(name) for column in columns)) for name in names)


def _features(run: Run, recipe: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Columns of requests and vectors, the settings of views, and a digest of each view's code and settings."""
    yield from run.features.items()
    told = recipe.get("features", {})
    for kind, part in (("request", "request"), ("feature", "outputs")):
        yield from ((f"{kind} {name}", type_) for name, type_ in told.get(part, ()))
    yield from ((f"data.{name}", told.get(name)) for name in ("key", "time") if told)
    for view in told.get("views", ()):
        yield from ((f"{view['name']} {name}", value) for name, value in view.items() if name not in ("name", "code"))


def _slices(judgement: Judged) -> Iterator[tuple[str, float | None]]:
    for (column, group), cut in judgement.slices.items():
        for name, number in cut.metrics.items():
            yield f"{column} = {group}: {name}", number.value


def _data_changes(store: "Store", first: Run, run: Run) -> Iterator[str]:
    from penstock.data import diff

    for dataset in sorted(first.data.keys() & run.data.keys()):
        then, now = first.data[dataset], run.data[dataset]
        if then == now or not (_is_here(store, then) and _is_here(store, now)):
            continue
        if store.manifest(then).content == store.manifest(now).content:
            yield f"{dataset}: the same rows, with another history"
            continue
        found = diff(store, then, now)
        columns = [f"column {change['column']} {change['change']}" for change in found.schema]
        rows = {"added": found.added, "removed": found.removed, "changed": found.changed}
        counts = [f"{count:,} row{'' if count == 1 else 's'} {what}" for what, count in rows.items() if count]
        told = ", ".join([*columns, *counts]) or "the same rows in other files"
        yield f"{dataset}: {told} (penstock data diff {dataset}@{short(then)} {dataset}@{short(now)})"


def _code_changes(store: "Store", first: Run, run: Run) -> str:
    """The unified difference of two runs' sources, as patches are written; empty where they are the same."""
    if first.code == run.code:
        return ""
    then, now = (_sources(store, each) for each in (first, run))
    changed = (path for path in sorted({*then, *now}) if then.get(path) != now.get(path))
    return "".join(_patch(path, then.get(path), now.get(path), first, run) for path in changed)


def _sources(store: "Store", run: Run) -> dict[str, str]:
    if not _is_here(store, run.code):
        return {}
    return {path: store.read_bytes(blob).decode(errors="replace") for path, blob in store.read_json(run.code).items()}


def _patch(path: str, then: str | None, now: str | None, first: Run, run: Run) -> str:
    names = (f"run {first.number}/{path}" if then is not None else "/dev/null",
             f"run {run.number}/{path}" if now is not None else "/dev/null")  # fmt: skip
    lines = unified_diff((then or "").splitlines(), (now or "").splitlines(), *names, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _environment_changes(reader: "Reader", store: "Store", first: Run, run: Run) -> tuple[str, ...]:
    if first.environment == run.environment or not all(_is_here(store, each.environment) for each in (first, run)):
        return ()
    loaded = {name for each in (first, run) for name in _kept(reader, store, each, IMPORTED) or ()}
    return environment_causes(store.read_json(first.environment), store.read_json(run.environment), loaded)


def _curves(reader: "Reader", runs: Sequence[Run], metrics: Mapping[str, list[Metric]]) -> Iterator[Curve]:
    for run in runs:
        for metric in metrics[run.id]:
            if metric.n > 1:
                yield curve_of(run, curve(reader, metric))


def curve_of(run: Run, points: Sequence[MetricPoint]) -> Curve:
    """Points of one metric as a line, in the order of their steps."""
    ordered = sorted(points, key=lambda point: point.step)
    steps, values = tuple(point.step for point in ordered), tuple(point.value for point in ordered)
    return Curve(points[0].name, run.number, steps, values)


def _is_here(store: "Store", digest: str) -> bool:
    """Whether the store holds it: a run that was only tracked names what other tools keep."""
    return len(digest) == 64 and store.has(digest)


def _kept(reader: "Reader", store: "Store", run: Run, name: str) -> Any:
    """An artifact in JSON; None where the run has none."""
    artifact = reader.get(Artifact, run=run.id, name=name)
    return store.read_json(artifact.digest) if artifact else None
