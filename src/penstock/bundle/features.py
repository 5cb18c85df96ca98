"""Features: the one implementation that training, batch scoring and the server use.

A view `from: request` is a function of the request's own columns; a stored view is a function of a
dataset, whose newest row known at the request's time is looked up by entity. The vector X is the
columns of all views in the order of the project file. Where no view is `from: request`, the request's
columns themselves are features. The request's key and time never are: they name the example.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from penstock.bundle.dtypes import Schema, conform, dtype_name, dtype_of, same_kind, schema_of
from penstock.bundle.pointintime import AVAILABLE, Integers, ViewRows, microseconds
from penstock.digest import digest_value
from penstock.errors import FunctionError, UsageError

if TYPE_CHECKING:
    from penstock.project import Data, Function

REQUEST = "request"
Rows = Mapping[str, pl.DataFrame | ViewRows]  # of stored views, as `view_rows` made them or as `prepare` indexed them


@dataclass(frozen=True)
class ViewSpec:
    """A feature view as the project file declares it, and the digest of its code."""

    name: str
    function: str  # pipeline:weather
    source: str  # "request", or a dataset
    entity: tuple[str, ...] = ()
    time: str | None = None
    available_s: float = 0.0
    ttl_s: float | None = None
    code: str = ""

    def __post_init__(self) -> None:
        if self.ttl_s is not None and self.ttl_s < self.available_s:
            raise UsageError(
                f"feature view {self.name!r} never has a value: "
                f"its rows are known {self.available_s:g}s after their time and expire {self.ttl_s:g}s after it",
                expected="a ttl longer than `available`",
            )

    @property
    def stored(self) -> bool:
        """Whether its rows come from a dataset."""
        return self.source != REQUEST

    @property
    def digest(self) -> str:
        """Names the view's code and settings: another digest, another feature."""
        return digest_value(asdict(self))


@dataclass(frozen=True)
class FeatureSpec:
    """What a request holds and which views make the vector of it; `outputs` is X once it is known."""

    request: Schema
    time: str | None = None
    key: str | None = None
    views: tuple[ViewSpec, ...] = ()
    outputs: Schema = ()
    without: tuple[str, ...] = ()  # features of the views that are not part of X

    def __post_init__(self) -> None:
        names = {name for name, _ in self.request}
        wanted = (self.time, self.key, *(name for view in self.stored for name in view.entity))
        for name in filter(None, wanted):
            if name not in names:
                raise UsageError.unknown("request column", name, names, hint="list it under data.request")
        if self.stored and not self.time:
            raise UsageError(
                f"feature view {self.stored[0].name!r} is joined as of the request's time, but data.time is not set",
                hint="name the request column that says when the prediction is asked for under data.time",
            )

    @property
    def stored(self) -> tuple[ViewSpec, ...]:
        """Views of datasets."""
        return tuple(view for view in self.views if view.stored)

    @property
    def on_demand(self) -> tuple[ViewSpec, ...]:
        """Views of the request."""
        return tuple(view for view in self.views if not view.stored)

    def view(self, name: str) -> ViewSpec:
        """The view of that name. UsageError if there is none."""
        for view in self.views:
            if view.name == name:
                return view
        raise UsageError.unknown("feature view", name, (view.name for view in self.views))

    def to_json(self) -> dict[str, Any]:
        """For the manifest. What leaves nothing out is written as it was before anything could be left out."""
        written = asdict(self)
        if not self.without:
            del written["without"]
        return written

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FeatureSpec":
        """What `to_json` wrote."""
        views = tuple(ViewSpec(**{**view, "entity": tuple(view["entity"])}) for view in value["views"])
        request, outputs = (tuple((name, dtype) for name, dtype in value[part]) for part in ("request", "outputs"))
        return cls(request, value["time"], value["key"], views, outputs, tuple(value.get("without", ())))


@dataclass(frozen=True)
class FeatureSet:
    """A specification with its functions loaded, one per view."""

    spec: FeatureSpec
    functions: Mapping[str, "Function"]

    @classmethod
    def load(cls, spec: FeatureSpec, root: Path) -> "FeatureSet":
        """Import the views' functions from `root`: a project, or the code of a bundle."""
        return cls(spec, {view.name: _loaded(root, view.function, view.source) for view in spec.views})

    def declare(self, vectors: pl.DataFrame) -> "FeatureSet":
        """The same features, bound from now on to the columns and types of `vectors`."""
        return FeatureSet(replace(self.spec, outputs=schema_of(vectors)), self.functions)

    def view_rows(self, view: str, rows: pl.LazyFrame) -> pl.DataFrame:
        """Run a stored view over its dataset: entity, time, features and `_available_at`, sorted by it.

        Rows without entity or time are left out: nothing could look them up. Of rows with the same
        entity and time the function's last one stays.
        """
        spec = self.spec.view(view)
        if spec.time is None:
            raise UsageError(f"feature view {view!r} is computed from the request; it has no stored rows")
        result = self._run(spec, rows)
        _require(result, (*spec.entity, spec.time), spec, self.functions[view].where)
        known = result.drop_nulls([*spec.entity, spec.time])
        moments = pl.Series(AVAILABLE, microseconds(known[spec.time]) + round(spec.available_s * 1e6))
        ordered = known.with_columns(moments.cast(pl.Datetime("us"))).sort(AVAILABLE, *spec.entity, maintain_order=True)
        return ordered.unique([*spec.entity, AVAILABLE], keep="last", maintain_order=True)

    def prepare(self, view: str, rows: pl.DataFrame) -> ViewRows:
        """Index a stored view's rows once, so that `vectors` need not do it for each request."""
        spec = self.spec.view(view)
        _require(rows, (*spec.entity, AVAILABLE), spec, self.functions[view].where)
        request = dict(self.spec.request)
        for name in spec.entity:
            if not same_kind(dtype_of(request[name]), rows.schema[name]):
                raise FunctionError(
                    f"feature view {view!r} gives entity {name!r} as {rows.schema[name]}, "
                    f"the request holds {request[name]}: they never match",
                    where=self.functions[view].where,
                    hint=f"cast {name!r} in {spec.function}",
                )
        ttl = None if spec.ttl_s is None else round((spec.ttl_s - spec.available_s) * 1e6)
        return ViewRows.of(rows, spec.entity, ttl_us=ttl, drop=[name for name in rows.columns if name == spec.time])

    def vectors(self, requests: pl.DataFrame, views: Rows) -> pl.DataFrame:
        """X: one row per request, in order.

        `views` holds the rows of each stored view.
        """
        asked = conform(requests, self.spec.request, "the request")
        parts = [] if self.spec.on_demand else [("the request", asked)]
        for view in self.spec.views:
            parts.append((view.name, self._look_up(view, asked, views) if view.stored else self._compute(view, asked)))
        vectors = self._side_by_side(parts)
        return conform(vectors, self.spec.outputs, "the feature vector", exact=True) if self.spec.outputs else vectors

    def needed(self, view: str, requests: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of a stored view that these requests look up; on them alone the join gives the same."""
        spec = self.spec.view(view)
        asked = conform(requests, self.spec.request, "the request")
        return rows[self.prepare(view, rows).rows_at(*self._asked(spec, asked))]

    def _asked(self, view: ViewSpec, requests: pl.DataFrame) -> tuple[list[pl.Series], Integers]:
        assert self.spec.time is not None  # FeatureSpec refuses stored views without it
        times = microseconds(requests.get_column(self.spec.time))
        return [requests.get_column(name) for name in view.entity], times

    def _compute(self, view: ViewSpec, requests: pl.DataFrame) -> pl.DataFrame:
        result = self._run(view, requests)
        if result.height != requests.height:
            raise FunctionError(
                f"feature view {view.name!r} got {requests.height} requests and gave {result.height} rows",
                where=self.functions[view.name].where,
                expected="one row per request, in the same order",
                hint=f"a view `from: request` may not filter, join or aggregate rows; look at {view.function}",
            )
        return result

    def _look_up(self, view: ViewSpec, requests: pl.DataFrame, views: Rows) -> pl.DataFrame:
        if view.name not in views:
            expected = f"the rows of {view.source!r} as view_rows made them"
            raise UsageError(f"no rows of feature view {view.name!r} were given", expected=expected)
        rows = views[view.name]
        index = rows if isinstance(rows, ViewRows) else self.prepare(view.name, rows)
        return index.at(*self._asked(view, requests))

    def _side_by_side(self, parts: Iterable[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
        columns: dict[str, pl.Series] = {}
        owner: dict[str, str] = {}
        for view, part in parts:
            for column in part.get_columns():
                if column.name in (self.spec.key, self.spec.time):
                    continue
                if column.name in owner:
                    raise FunctionError(
                        f"feature {column.name!r} comes from both {owner[column.name]!r} and {view!r}",
                        hint="give one of them another name",
                    )
                columns[column.name], owner[column.name] = column, view
        for name in self.spec.without:
            if name not in columns:
                known = {*columns, *(view.name for view in self.spec.views)}
                raise UsageError.unknown("feature or feature view", name, known, where="train.without")
        return pl.DataFrame({name: column for name, column in columns.items() if name not in self.spec.without})

    def _run(self, view: ViewSpec, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        from penstock.project import call

        function = self.functions[view.name]
        result = call(function, frame)
        if isinstance(result, pl.LazyFrame):
            result = function.collect(result)
        if not isinstance(result, pl.DataFrame):
            raise FunctionError(
                f"feature view {view.name!r} gave a {type(result).__name__}",
                where=function.where,
                expected="a Polars DataFrame or LazyFrame",
            )
        return result


def feature_set(data: "Data", root: Path, examples: pl.Schema, without: Sequence[str] = ()) -> FeatureSet:
    """The features that a project's `data` section declares, over examples of the given columns.

    `without` names views, which are not computed at all, and single features.
    """
    if not data.request:
        raise UsageError(
            "data.request is empty", expected="the columns of an example that are known when a prediction is asked for"
        )
    for name in data.request:
        if name not in examples:
            raise UsageError.unknown("column", name, examples, where="data.request")
    declared = {name: view for name, view in data.features.items() if name not in without}
    functions = {name: _loaded(root, view.function, view.source) for name, view in declared.items()}
    views = tuple(
        ViewSpec(
            name=name,
            function=view.function,
            source=view.source,
            entity=tuple(view.entity),
            time=view.time,
            available_s=view.available.total_seconds(),
            ttl_s=view.ttl.total_seconds() if view.ttl else None,
            code=functions[name].code,
        )
        for name, view in declared.items()
    )
    request = tuple((name, dtype_name(examples[name])) for name in data.request)
    left_out = tuple(name for name in without if name not in data.features)
    return FeatureSet(FeatureSpec(request, data.time, data.key, views, without=left_out), functions)


def _loaded(root: Path, reference: str, source: str) -> "Function":
    from penstock.bundle.openmp import provide
    from penstock.project import load_function

    provide()  # the module may import LightGBM beside its feature functions
    return load_function(root, reference, parameters=["requests" if source == REQUEST else "rows"])


def _require(frame: pl.DataFrame, columns: Iterable[str], view: ViewSpec, where: str) -> None:
    lacking = [name for name in columns if name not in frame.columns]
    if lacking:
        raise FunctionError(
            f"feature view {view.name!r} gave no column {', '.join(map(repr, lacking))}",
            where=where,
            expected=f"entity {list(view.entity)} and time {view.time!r} beside the features",
        )
