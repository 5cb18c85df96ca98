"""The training set: features of the examples that a model learns from, and the requests it is judged on.

`train` holds X, as the bundle's features make it, and the target as its last column. `holdout` holds raw
requests and the target under its own name: the gates ask the sealed bundle, as the server will.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.errors import UsageError, did_you_mean
from penstock.store import Manifest, Store

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import FeatureSet
    from penstock.project import ProjectFile, Target, Train

TARGET = "__target__"


@dataclass(frozen=True)
class TrainingSet:
    """Tables in the store, by commit, and how they came about.

    views       rows of each stored feature view
    features    `FeatureSpec.to_json()`, bound to the columns and types of X
    unlabelled  examples without a target, which are in no table
    """

    train: str
    holdout: str
    views: Mapping[str, str]
    features: Mapping[str, Any]
    train_rows: int
    holdout_rows: int
    unlabelled: int

    def to_json(self) -> dict[str, Any]:
        """The value as JSON."""
        return asdict(self)


def training_set(project: "ProjectFile", store: Store, commits: Mapping[str, str], *, examples: str) -> TrainingSet:
    """Cut the examples into train and holdout, and compute the features of the former.

    `commits` holds the version of every dataset and transform, `examples` names the one with a row per example.
    The same commits, code and settings give the same tables. UsageError when there is nothing to learn from.
    """
    from penstock.bundle import feature_set

    config = project.config
    if config.objective is None or config.train is None:
        raise UsageError("training needs the sections `objective` and `train`", where=project.path.name)
    rows = store.scan(commits[examples])
    features = feature_set(config.data, project.root, rows.collect_schema(), config.train.without)
    labelled, unlabelled = _examples(project, rows, examples)
    requests, held_out = _cut(project, labelled, config.train)
    target = config.objective.target
    _refuse_hopeless(requests, held_out, unlabelled, target, config.train.holdout)
    views = {one.name: features.view_rows(one.name, store.scan(commits[one.source])) for one in features.spec.stored}
    X = features.vectors(requests.drop(target.column), views)
    origin = {"examples": commits[examples], "holdout": config.train.holdout, "since": config.train.since}
    return TrainingSet(
        train=_kept(store, _beside(X, requests.get_column(target.column)), "train", origin),
        holdout=_kept(store, held_out, "holdout", origin),
        views={
            name: _kept(store, table, f"view {name}", {"data": _source(features, name, commits)})
            for name, table in views.items()
        },
        features=features.declare(X).spec.to_json(),
        train_rows=requests.height,
        holdout_rows=held_out.height,
        unlabelled=unlabelled,
    )


def training_rows(
    project: "ProjectFile", store: Store, commits: Mapping[str, str], *, examples: str, columns: Sequence[str]
) -> "pl.DataFrame":
    """Columns of the examples that the training set learns from, row by row as in its `train` table.

    The columns need not be in the request. UsageError for one that the examples do not have.
    """
    assert project.config.train is not None
    labelled, _ = _examples(project, store.scan(commits[examples]), examples, also=columns)
    learned_from, _ = _cut(project, labelled, project.config.train)
    return learned_from.select(columns)


def load_train(store: Store, commit: str) -> "tuple[pl.DataFrame, pl.Series]":
    """X and the target of a `train` table."""
    table = store.scan(commit).collect()
    return table.select(table.columns[:-1]), table.to_series(table.width - 1).alias(TARGET)


def load_holdout(store: Store, commit: str, target: str) -> "tuple[pl.DataFrame, pl.Series]":
    """Raw requests and the target of a `holdout` table."""
    table = store.scan(commit).collect()
    return table.drop(target), table.get_column(target)


def has_label(target: str, dtype: "pl.DataType") -> "pl.Expr":
    """Whether a row's outcome is known: a number that is none is no outcome."""
    import polars as pl

    label = pl.col(target).fill_nan(None) if dtype.is_float() else pl.col(target)
    return label.is_not_null()


def _beside(X: "pl.DataFrame", target: "pl.Series") -> "pl.DataFrame":
    """X and the target, under a name that no feature has."""
    name = TARGET
    while name in X.columns:
        name += "_"
    return X.with_columns(target.alias(name))


def _source(features: "FeatureSet", view: str, commits: Mapping[str, str]) -> str:
    return commits[features.spec.view(view).source]


def _examples(
    project: "ProjectFile", rows: "pl.LazyFrame", name: str, also: Sequence[str] = ()
) -> "tuple[pl.DataFrame, int]":
    """Requests with a target, and how many had none; `also` are columns beside those of the request."""
    config = project.config
    assert config.objective is not None
    target, schema = config.objective.target.column, rows.collect_schema()
    where = project.where("objective", "target", "column")
    if target not in schema:
        raise UsageError(f"{name!r} has no column {target!r}{did_you_mean(target, schema)}", where=where)
    if target in config.data.request:
        raise UsageError(f"the target {target!r} is in `data.request`: nobody knows it when they ask", where=where)
    for column in also:
        if column not in schema:
            raise UsageError.unknown(f"column of {name!r}", column, schema)
    more = [column for column in also if column not in config.data.request and column != target]
    frame = rows.select(*config.data.request, *more, target).collect()
    if frame.height and config.train and (config.train.since or config.train.holdout.startswith("last")):
        _refuse_timeless(project, frame)
    if frame.height and config.train and config.train.since:
        frame = _since(frame, config.data.time, config.train.since)
    labelled = frame.filter(has_label(target, schema[target]))
    return labelled, frame.height - labelled.height


def _refuse_timeless(project: "ProjectFile", frame: "pl.DataFrame") -> None:
    """`train.since` and a holdout of the last rows compare times."""
    time = project.config.data.time
    if time is None:
        raise UsageError("`train.since` and `holdout: last …` need a time", hint="name the column under data.time")
    if not str(frame.schema[time]).startswith("Date"):
        raise UsageError(
            f"the time {time!r} is {frame.schema[time]}",
            where=project.where("data", "time"),
            expected="a Date or a Datetime",
            hint="declare its type in the contract of the dataset, or parse it in a transform",
        )


def _since(frame: "pl.DataFrame", time: str | None, since: str) -> "pl.DataFrame":
    import polars as pl

    assert time is not None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"train.since is {since!r}", expected="a time such as 2013-01-01 or 2013-01-01T06:00"
        ) from None
    return frame.filter(pl.col(time) >= _comparable(moment, frame.schema[time]))


def _comparable(moment: datetime, dtype: "pl.DataType") -> "pl.Expr":
    """The moment as values of a column are: a day, in UTC without a zone, or in the column's own zone."""
    import polars as pl

    if isinstance(dtype, pl.Date):
        return pl.lit(moment.date())
    aware = pl.lit(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).dt.convert_time_zone("UTC")
    zone = getattr(dtype, "time_zone", None)
    return aware.dt.convert_time_zone(zone) if zone else aware.dt.replace_time_zone(None)


def _cut(project: "ProjectFile", labelled: "pl.DataFrame", train: "Train") -> "tuple[pl.DataFrame, pl.DataFrame]":
    from penstock.data.split import holdout_mask

    config = project.config
    assert config.objective is not None
    target, task = config.objective.target.column, config.objective.target.task
    mask = holdout_mask(
        labelled,
        train.holdout,
        time=config.data.time,
        key=(config.data.key,) if config.data.key else config.data.request,
        strata=None if task == "regression" else target,
        seed=train.seed,
    )
    return labelled.filter(~mask), labelled.filter(mask)


def _refuse_hopeless(
    train: "pl.DataFrame", holdout: "pl.DataFrame", unlabelled: int, target: "Target", rule: str
) -> None:
    """Stop before training where it cannot end well."""
    if not train.height or not holdout.height:
        there = f"{train.height + holdout.height:,} examples have a {target.column!r}, {unlabelled:,} have none"
        raise UsageError(
            f"`holdout: {rule}` leaves {train.height:,} rows to train on and {holdout.height:,} to judge by; {there}",
            expected="rows on both sides",
            hint="bring more data, or change train.holdout or train.since",
        )
    labels = train.get_column(target.column)
    if target.task == "regression":
        if not labels.dtype.is_numeric():
            raise UsageError(f"the target {target.column!r} is {labels.dtype}", expected="numbers, for a regression")
        return
    seen = labels.unique().to_list()
    if target.task == "binary" and target.positive not in seen:
        shown = ", ".join(sorted(map(repr, seen))[:10])
        raise UsageError(
            f"no row to train on has {target.column} = {target.positive!r}", expected=f"positive: one of {shown}"
        )
    if len(seen) < 2:
        raise UsageError(f"every row to train on has {target.column} = {seen[0]}: there is nothing to tell apart")


def _kept(store: Store, rows: "pl.DataFrame", name: str, origin: Mapping[str, Any]) -> str:
    table = store.write_table(rows)
    notes = {"dataset": f"training set: {name}", **origin}
    return store.commit(Manifest(table.schema, table.parts, producer="training set", notes=notes))
