"""The project file, typed. One class per section, in the order of the seven steps.

Every model is frozen and refuses unknown keys. A default shown here is the default.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)

from penstock.project.data_config import Data
from penstock.project.engine_config import Engine, Resources
from penstock.project.search_config import Search
from penstock.project.settings import (
    Duration,
    Name,
    Names,
    Reference,
    Section,
    Seed,
    Share,
    Window,
    _possible_holdout,
    format_duration,
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
    thresholds: dict[str, Bound] = Field(default={})  # a bound per metric; each is a gate
    slas: Slas = Field(default_factory=Slas.model_construct)


# --- 3 train -------------------------------------------------------------------------------------


class Mlflow(Section):
    """Where MLflow's clients log to, while `penstock up` runs."""

    serve: bool = True
    host: str = "127.0.0.1"  # nobody logs in: for others than this machine put a proxy in front
    port: int = Field(default=5000, ge=0, le=65535)


class Train(Section):
    """How a model is made: `def fit(X: DataFrame, y: Series, *, seed, **params) -> estimator`."""

    function: Reference
    params: dict[str, Any] = Field(default={})  # given to the function by name
    seed: Seed = 7  # given to the function, and to Python, NumPy and the libraries before it
    threads: int = Field(default=2, ge=1)  # recorded: some libraries sum in another order with another count
    deterministic: bool = True  # PyTorch and LightGBM are told to compute in one order, which may take longer
    image: str | None = Field(default=None, pattern=r"^[^\s-]\S*$")  # NAME:TAG to train in: penstock train image
    holdout: Annotated[
        str,
        Field(
            pattern=r"^(last|random) (\d+(\.\d+)?%|\d+(h|d|w))$",
            description="kept away from training, to judge by; also `last 20%` or `last 28d`, by data.time",
        ),
        AfterValidator(_possible_holdout),
    ] = "random 20%"
    since: str | None = None  # use examples from this time on
    mlflow: Mlflow = Field(default_factory=Mlflow.model_construct)
    resources: Resources = Field(default_factory=Resources.model_construct)
    without: Names = ()  # feature views, and single features, that the model does not get
    search: Search | None = None  # what `penstock train search` tries


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
    engine: Annotated[
        Engine,
        BeforeValidator(lambda v: {"kind": v} if isinstance(v, str) else v, json_schema_input_type=str | Engine),
    ] = Field(default_factory=Engine.model_construct)
    ledger: SecretStr | None = None  # postgresql://… or sqlite:///…; by default SQLite in .penstock
    store: str = ".penstock/store"  # a directory
