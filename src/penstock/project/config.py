"""The project file, typed. One class per section, in the order of the seven steps.

Every model is frozen and refuses unknown keys. A default shown here is the default.
"""

import codecs
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    SecretStr,
    Tag,
    WithJsonSchema,
    model_validator,
)

from penstock.errors import did_you_mean

LONGEST = timedelta(days=365_000)  # a thousand years: what is added to a date is still one
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)"


def parse_duration(text: object) -> timedelta:
    """`20ms`, `90s`, `10m`, `3h`, `31d` or `2w` as a timedelta. ValueError otherwise."""
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(_DURATION, str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration such as 20ms, 90s, 10m, 3h, 31d or 2w")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text} is longer than a thousand years")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """The shortest text that `parse_duration` reads back."""
    seconds = value.total_seconds()
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count = seconds / _UNITS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds * 1000:g}ms"


def _parse_percent(value: object) -> object:
    """`5%` is 0.05."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return round(float(value.strip()[:-1]) / 100, 12)
    return value


def _possible_holdout(rule: str) -> str:
    """`last 20%`, `last 28d` or `random 20%`, with something on both sides."""
    kind, amount = rule.split(" ")
    if amount.endswith("%") and not 0 < float(amount[:-1]) < 100:
        raise ValueError(f"{amount} leaves nothing to train on or nothing to judge by")
    if kind == "random" and not amount.endswith("%"):
        raise ValueError("a random holdout is a share: `random 20%`")
    if not amount.endswith("%"):
        parse_duration(amount)
    return rule


def _known_encoding(name: str) -> str:
    """A name that Python knows."""
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"{name!r} is no encoding such as utf-8, cp1252, latin-1 or utf-16-le") from None
    return name


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$"}),
]
Share = Annotated[float, BeforeValidator(_parse_percent, json_schema_input_type=float | str), Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="module:function")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
Window = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}(m|h|d|w|mo)$", description="1h, 1d, 1w, 1mo")]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda v: (v,) if isinstance(v, str) else v, json_schema_input_type=str | list[str]),
]


Delimiter = Annotated[str, Field(pattern=r"^[^\r\n\"]$", description="one character")]
Encoding = Annotated[str, AfterValidator(_known_encoding)]


class Section(BaseModel):
    """A part of the project file.

    Validators are built on first use, and defaults are made by factories for the same reason: importing
    this module costs a third of what it would.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True, allow_inf_nan=False
    )


# --- 1 objective ---------------------------------------------------------------------------------


class Target(Section):
    """What is predicted."""

    column: str  # a column of the examples
    task: Literal["binary", "multiclass", "regression"]
    positive: bool | int | str | None = None  # binary: the value that counts as the event

    @model_validator(mode="after")
    def _binary_names_its_event(self) -> "Target":
        if self.task == "binary" and self.positive is None:
            raise ValueError("a binary target needs `positive`: the value that counts as the event")
        if self.task != "binary" and self.positive is not None:
            raise ValueError(f"`positive` has no meaning for a {self.task} target")
        return self


class Costs(Section):
    """What each kind of mistake costs, for a binary target."""

    false_negative: float = Field(ge=0)  # an event that was not predicted
    false_positive: float = Field(ge=0)  # an event that was predicted and did not come
    unit: str = ""  # EUR, minutes, ...


class Kpi(Section):
    """A number the business watches; a gate on `metric` later."""

    name: str
    metric: str  # a metric's name, or module:function
    goal: Literal["minimise", "maximise"]
    target: float  # the worst value that is good enough
    unit: str = ""


class Bound(Section):
    """The least or the most a metric may be."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _one_side_at_least(self) -> "Bound":
        if self.min is None and self.max is None:
            raise ValueError("a threshold needs `min` or `max`")
        return self


class Slas(Section):
    """What the service promises."""

    latency_p95: Duration | None = None  # one request, through the packaged bundle
    availability: Share | None = None  # written on the sheet; no gate can prove it
    freshness: Duration | None = None  # age of the newest training row


class Objective(Section):
    """The agreed goal; its digest is what stakeholders sign."""

    problem: str  # who suffers from what today
    decision: str  # what is done differently because of a prediction
    owner: str  # who answers for it
    serving: Literal["realtime", "batch", "streaming"] = "realtime"  # written on the sheet; served is realtime
    target: Target
    costs: Costs | None = None
    kpis: tuple[Kpi, ...] = ()  # each is a gate
    thresholds: dict[str, Bound] = {}  # a bound per metric; each is a gate
    slas: Slas = Field(default_factory=Slas.model_construct)


# --- 2 data --------------------------------------------------------------------------------------

BENCH_KINDS = (
    "schema", "missing", "constant", "duplicate_rows", "duplicate_columns", "outlier", "multivariate_outlier",
    "shift", "multivariate_shift", "category", "leakage", "overlap", "label_conflict", "mislabelled",
    "class_balance", "freshness",
)  # fmt: skip


def _known_kind(kind: str) -> str:
    if kind not in BENCH_KINDS:
        raise ValueError(f"unknown kind of finding {kind!r}{did_you_mean(kind, BENCH_KINDS)}")
    return kind


class Bench(Section):
    """What each new version is searched for before anything trains.

    stop: [leakage, schema]    a warning or an error of these kinds ends the run with exit code 4
    """

    depth: Literal["quick", "full", "off"] = "quick"  # full: also what takes a model to find
    stop: Annotated[
        tuple[Annotated[str, AfterValidator(_known_kind)], ...],
        BeforeValidator(lambda v: (v,) if isinstance(v, str) else v, json_schema_input_type=str | list[str]),
        Field(description=f"of {', '.join(BENCH_KINDS)}"),
    ] = ()


class FileSource(Section):
    """Files that need to be told how they are read; what is not said is found out.

    {path: exports/*.txt, delimiter: "~", encoding: cp1250}
    {path: s3://lake/2024/*.xlsx, sheet: Flights, header: 3}
    """

    path: str  # a path or a glob, in the project or under s3://, gs:// or az://
    delimiter: Delimiter | None = None  # between the cells of a text file
    encoding: Encoding | None = None  # of a text file: utf-8, cp1252, utf-16-le, ...
    sheet: str | None = None  # of an Excel workbook that has several
    header: int | None = Field(default=None, ge=1)  # the row of an Excel sheet that names the columns


class SqlSource(Section):
    """Rows of a database: PostgreSQL, MySQL or MariaDB, SQLite.

    {url: "${WAREHOUSE_URL}", table: sales.orders}
    {url: "${WAREHOUSE_URL}", sql: "SELECT id, total FROM orders WHERE paid", changed: "SELECT max(paid) FROM orders"}
    """

    url: SecretStr  # postgresql://USER:PASSWORD@HOST/DATABASE, mysql://…, sqlite:///FILE
    sql: str | None = None  # a query; in append mode `:since` is the newest watermark that is there, NULL at first
    table: str | None = None  # TABLE or SCHEMA.TABLE: all of its rows
    changed: str | None = None  # a query; while its answer is the same, the rows are not read again

    @model_validator(mode="after")
    def _query_or_table(self) -> "SqlSource":
        if (self.sql is None) == (self.table is None):
            raise ValueError("a database source has either `sql` or `table`")
        return self


def _kind_of_source(value: object) -> str:
    """Which of the kinds below is meant, so that an error is about that one alone."""
    if isinstance(value, list | tuple):
        return "<list>"
    if isinstance(value, SqlSource) or (isinstance(value, dict) and value.keys() & {"url", "sql", "table", "changed"}):
        return "<database>"
    return "<files>" if isinstance(value, dict | FileSource) else "<text>"


def _some(sources: tuple[object, ...]) -> tuple[object, ...]:
    if not sources:
        raise ValueError("the list of sources is empty")
    return sources


OneSource = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[FileSource, Tag("<files>")] | Annotated[SqlSource, Tag("<database>")],
    Discriminator(_kind_of_source),
]
Source = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[FileSource, Tag("<files>")]
    | Annotated[SqlSource, Tag("<database>")]
    | Annotated[tuple[OneSource, ...], AfterValidator(_some), Tag("<list>")],
    Discriminator(_kind_of_source),
]


class Dataset(Section):
    """Where rows come from and what identifies them."""

    source: Source  # a path, a glob, images/, s3://…, module:function, a mapping as below, or a list of these
    # append: what was not seen before is added; upsert: rows replace those of the same key
    mode: Literal["snapshot", "append", "upsert"] = "snapshot"
    watermark: str | None = None  # append: only rows after the newest one kept; upsert: the larger one wins
    key: Names = ()  # the columns that name a row
    time: str | None = None  # the column that says when it happened
    contract: str | None = None  # contracts/NAME.yaml
    max_quarantined: Share = 0.05  # more bad rows than this are a break
    bench: Bench = Field(default_factory=Bench.model_construct)


class Transform(Section):
    """A function from dataset versions to a dataset version: `def f(a: LazyFrame, b: LazyFrame) -> LazyFrame`."""

    function: Reference
    inputs: Names = Field(alias="from")  # datasets or transforms
    bench: Bench | None = None  # without it, the examples are searched for leakage and wrong labels, others are not


class FeatureView(Section):
    """A function that computes features.

    from: request     def f(requests: DataFrame) -> DataFrame            rows out == rows in, same order
    from: DATASET     def f(rows: LazyFrame) -> LazyFrame                keeps `entity` and `time`; joined as of
                                                                         the time the prediction is asked for
    """

    function: Reference
    source: str = Field(alias="from")  # request, a dataset or a transform
    entity: Names = ()  # columns that requests and rows share
    time: str | None = None  # the column that says when a row was true
    available: Duration = timedelta(0)  # rows are known this long after `time`
    ttl: Duration | None = None  # older rows count as missing

    @model_validator(mode="after")
    def _stored_views_name_entity_and_time(self) -> "FeatureView":
        if self.source == "request":
            if self.entity or self.time or self.ttl or self.available:
                raise ValueError("a view `from: request` takes no entity, time, available or ttl")
        elif not self.entity or not self.time:
            raise ValueError(f"a view from dataset {self.source!r} needs `entity` and `time`")
        return self


class Data(Section):
    """Datasets, what is derived from them, and the features of an example."""

    branch: str = Field(default="git", pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")  # git: the one that is checked out
    remote: str | None = None  # s3://BUCKET/PREFIX, gs://…, az://… or a directory, for push and pull
    datasets: dict[Name, Dataset] = {}
    transforms: dict[Name, Transform] = {}
    examples: str | None = None  # the dataset or transform with one row per example
    request: tuple[str, ...] = ()  # columns of an example that are known when a prediction is asked for
    key: str | None = None  # the request column that names an example; feedback joins on it
    time: str | None = None  # the request column that says when the prediction is asked for
    features: dict[Name, FeatureView] = {}


# --- 3 train -------------------------------------------------------------------------------------


class Train(Section):
    """How a model is made: `def fit(X: DataFrame, y: Series, *, seed, **params) -> estimator`."""

    function: Reference
    params: dict[str, Any] = {}  # given to the function by name
    seed: Seed = 7  # given to the function, and to Python, NumPy and the libraries before it
    threads: int = Field(default=2, ge=1)  # recorded: some libraries sum in another order with another count
    holdout: Annotated[
        str,
        Field(
            pattern=r"^(last|random) (\d+(\.\d+)?%|\d+(h|d|w))$",
            description="kept away from training, to judge by; also `last 20%` or `last 28d`, by data.time",
        ),
        AfterValidator(_possible_holdout),
    ] = "random 20%"
    since: str | None = None  # use examples from this time on


# --- 4 validate ----------------------------------------------------------------------------------


class Gate(Section):
    """One condition on a candidate.

    {metric: roc_auc, min: 0.64}                              absolute
    {metric: roc_auc, against: champion, rule: non_inferior, margin: 0.005}
    {metric: log_loss, against: baseline, rule: superior}     better than always answering the prior or the mean
    {metric: recall, by: carrier, max_gap: 0.15}              between groups
    {metric: roc_auc, slices: [carrier], min: 0.6}            in every slice
    """

    metric: str  # a metric's name, or module:function
    min: float | None = None
    max: float | None = None
    against: Literal["champion", "baseline"] | None = None
    rule: Literal["non_inferior", "superior"] | None = None
    margin: float = Field(default=0.0, ge=0)  # how much worse still counts as equal, or how much better as better
    by: str | None = None  # a request column whose groups are compared
    max_gap: float | None = Field(default=None, ge=0)  # between any two groups
    slices: Names = ()  # request columns; the condition must hold in each of their groups
    min_n: int = Field(default=100, ge=1)  # fewer rows decide nothing
    alpha: float = Field(default=0.05, gt=0, lt=0.5)  # intervals have confidence 1 - alpha
    severity: Literal["block", "warn"] = "block"  # warn: shown, but stops nothing

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> "Gate":
        kinds = [self.min is not None or self.max is not None, self.against is not None, self.max_gap is not None]
        if sum(kinds) != 1:
            raise ValueError("a gate has either `min`/`max`, or `against`, or `by` with `max_gap`")
        if (self.against is None) != (self.rule is None):
            raise ValueError("`against` and `rule` go together")
        if (self.by is None) != (self.max_gap is None):
            raise ValueError("`by` and `max_gap` go together")
        return self


class Validate(Section):
    """What a candidate must show. The objective's thresholds, KPIs and SLAs are always gates too."""

    gates: tuple[Gate, ...] = ()
    slices: tuple[str, ...] = ()  # request columns whose groups the report shows
    cases: str | None = None  # a directory of known cases


# --- 5 deliver -----------------------------------------------------------------------------------


class Approvals(Section):
    """Roles that must say yes before a model enters a state."""

    staging: Names = ()
    production: Names = ()


class Server(Section):
    """The serving process."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    durability: Literal["process", "disk"] = "process"  # an answered prediction survives: kill -9 | power loss
    max_rows: int = Field(default=10_000, ge=1)  # in one request
    max_body: int = Field(default=32 * 1024 * 1024, ge=1024)  # bytes


class Deliver(Section):
    """Where the model answers, and who lets it."""

    endpoint: Name = "default"  # POST /predict/ENDPOINT
    approvals: Approvals = Field(default_factory=Approvals.model_construct)
    promote: Literal["by_hand", "when_gates_pass"] = "by_hand"  # what the loop does with a candidate that passes
    server: Server = Field(default_factory=Server.model_construct)


# --- 6 monitor -----------------------------------------------------------------------------------


class AlertRule(Section):
    """A bound on a monitored number.

    {metric: roc_auc, below: 0.62, severity: page}
    {metric: psi, above: 0.2, windows: 2}            two windows in a row
    """

    metric: str  # of the objective's task, a KPI, or latency_p50, latency_p95, missing_rate, psi, score_psi, volume
    above: float | None = None
    below: float | None = None
    features: Names = ()  # for psi and missing_rate; () means every feature
    windows: int = Field(default=1, ge=1)  # in a row
    min_n: int = Field(default=100, ge=1)  # windows with fewer rows are passed over
    severity: Literal["info", "warn", "page"] = "warn"

    @model_validator(mode="after")
    def _one_bound(self) -> "AlertRule":
        if (self.above is None) == (self.below is None):
            raise ValueError("an alert has either `above` or `below`")
        return self


class Monitor(Section):
    """What is watched in production."""

    window: Window = "1d"  # 1h, 1d, 1w, 1mo: numbers are measured per window of this length
    labels_after: Duration = timedelta(0)  # how long a label may take; younger windows are not judged on quality
    alerts: tuple[AlertRule, ...] = ()
    webhook: SecretStr | None = None  # POSTed a JSON body when an alert opens or resolves


# --- 7 improve -----------------------------------------------------------------------------------


class Trigger(Section):
    """When to retrain: one of `alert` (a monitored metric's alert is open), `every`, `new_data`."""

    alert: str | None = None  # a metric: an alert on it is open
    every: Duration | None = None  # since the last training
    new_data: str | None = None  # a dataset: it has a newer version than the newest model has seen

    @model_validator(mode="after")
    def _exactly_one(self) -> "Trigger":
        if sum(value is not None for value in (self.alert, self.every, self.new_data)) != 1:
            raise ValueError("a trigger has exactly one of `alert`, `every`, `new_data`")
        return self

    @property
    def name(self) -> str:
        """`alert roc_auc`, `every 31d`, `new data flights`"""
        if self.alert:
            return f"alert {self.alert}"
        return f"every {format_duration(self.every)}" if self.every else f"new data {self.new_data}"


class Retrain(Section):
    """When the loop retrains by itself, and how often at most."""

    on: tuple[Trigger, ...] = ()
    cooldown: Duration = timedelta(days=1)  # the least time between two retrainings


class Improve(Section):
    """What the loop does by itself."""

    retrain: Retrain = Field(default_factory=Retrain.model_construct)
    tick: Duration = timedelta(minutes=1)  # how often `penstock up` looks


class Config(Section):
    """penstock.yaml"""

    name: Name  # of the project, and of the model in the registry
    objective: Objective | None = None
    data: Data = Field(default_factory=Data.model_construct)
    train: Train | None = None
    validation: Validate = Field(default_factory=Validate.model_construct, alias="validate")
    deliver: Deliver = Field(default_factory=Deliver.model_construct)
    monitor: Monitor = Field(default_factory=Monitor.model_construct)
    improve: Improve = Field(default_factory=Improve.model_construct)
    ledger: SecretStr | None = None  # postgresql://… or sqlite:///…; by default SQLite in .penstock
    store: str = ".penstock/store"  # a directory
