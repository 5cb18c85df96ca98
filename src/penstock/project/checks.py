"""What must hold between sections. One function per rule; each yields the path and what is wrong there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.errors import did_you_mean
from penstock.project.config import Config
from penstock.project.document import Path
from penstock.project.metrics import METRICS, MONITORED, UNDIRECTED, metric_names
from penstock.project.search_checks import CHECKS as SEARCH_CHECKS

Finding = tuple[Path, str]


def check_sections(config: Config) -> Iterator[Finding]:
    """Every finding of every check."""
    for check in CHECKS:
        yield from check(config)


def names_are_free(config: Config) -> Iterator[Finding]:
    """A dataset and a transform share one space of names; `request`, the logs' and the quarantines' names are taken."""
    data = config.data
    for section, names in (("datasets", data.datasets), ("transforms", data.transforms)):
        for name in names:
            if name == "request" or name.startswith(("predictions.", "feedback.")) or name.endswith(".quarantine"):
                yield ("data", section, name), f"the name {name!r} is reserved"
    for name in sorted(set(data.datasets) & set(data.transforms)):
        yield ("data", "transforms", name), f"a dataset is named {name!r} already"


def modes_have_what_they_need(config: Config) -> Iterator[Finding]:
    """An upsert goes by a key; a watermark tells what to add or what wins, and a snapshot takes all."""
    for name, dataset in config.data.datasets.items():
        if dataset.mode == "upsert" and not dataset.key:
            yield ("data", "datasets", name, "mode"), "upsert needs `key`: the columns that say which row is replaced"
        if dataset.mode == "snapshot" and dataset.watermark:
            yield ("data", "datasets", name, "watermark"), "a snapshot takes every row: it needs mode append or upsert"


def transforms_read_known_data(config: Config) -> Iterator[Finding]:
    """Each input of a transform exists."""
    for name, transform in config.data.transforms.items():
        for source in transform.inputs:
            if source not in _readable(config):
                yield ("data", "transforms", name, "from"), _unknown("dataset", source, _readable(config))


def transforms_have_no_circle(config: Config) -> Iterator[Finding]:
    """No transform reads, directly or through others, what it makes itself."""
    inputs = {name: transform.inputs for name, transform in config.data.transforms.items()}
    seen: set[str] = set()
    for name in inputs:
        circle = _circle(name, inputs)
        if circle and not seen & set(circle):
            seen |= set(circle)
            yield ("data", "transforms", name), f"transforms go round in a circle: {' → '.join(circle)}"


def features_read_known_data(config: Config) -> Iterator[Finding]:
    """The source of each view exists, and a request can be joined with it."""
    data = config.data
    for name, view in data.features.items():
        path = ("data", "features", name)
        if view.source == "request":
            continue
        if view.source not in _readable(config):
            yield (*path, "from"), _unknown("dataset", view.source, {*_readable(config), "request"})
        for column in view.entity:
            if column not in data.request:
                yield (*path, "entity"), f"{_not_asked(column, config)}: a request must name the entity"
        if data.time is None:
            yield path, "needs `data.time`: rows are joined as of the time the prediction is asked for"


def images_run_here(config: Config) -> Iterator[Finding]:
    """A container is started on this machine; a node of a cluster is started in the image itself."""
    if config.train and config.train.image and config.engine.kind != "local":
        yield ("train", "image"), f"`engine: {config.engine.kind}` starts no container: start its nodes in the image"


def examples_exist(config: Config) -> Iterator[Finding]:
    """`data.examples` is a dataset or a transform."""
    examples = config.data.examples
    if examples is not None and examples not in _tables(config):
        yield ("data", "examples"), _unknown("dataset", examples, _tables(config))


def request_names_key_and_time(config: Config) -> Iterator[Finding]:
    """The key and the time of an example are known when a prediction is asked for; the answer is not."""
    data = config.data
    for field, column in (("key", data.key), ("time", data.time)):
        if column is not None and column not in data.request:
            yield ("data", field), _not_asked(column, config)
    for index, column in enumerate(data.request):
        if config.objective and column == config.objective.target.column:
            what = f"{column!r} is the target: it is not known when a prediction is asked for"
            yield ("data", "request", index), what
        if column in data.request[:index]:
            yield ("data", "request", index), f"{column!r} is in the list twice"


def training_has_what_it_needs(config: Config) -> Iterator[Finding]:
    """`train` needs an objective, examples and a request."""
    if config.train is None:
        return
    if config.objective is None:
        yield ("train",), "training needs an `objective` with a target"
    if config.data.examples is None:
        yield ("train",), "training needs `data.examples`: the dataset with one row per example"
    if not config.data.request:
        yield ("train",), "training needs `data.request`: the columns that are known when a prediction is asked for"


def holdout_has_a_time(config: Config) -> Iterator[Finding]:
    """What comes last, or since when, is decided by `data.time`."""
    train = config.train
    if train is None or config.data.time is not None:
        return
    if train.holdout.startswith("last"):
        yield ("train", "holdout"), f"{train.holdout!r} needs `data.time`"
    if train.since is not None:
        yield ("train", "since"), "needs `data.time`"


def metrics_exist(config: Config) -> Iterator[Finding]:
    """Every metric of a KPI, a threshold, a gate and a search is one of the task's, or a function."""
    task = config.objective.target.task if config.objective else None
    for path, name in _judged_metrics(config):
        if ":" not in name and name not in metric_names(task):
            yield path, _unknown_metric(name, task)


def rivals_can_be_compared(config: Config) -> Iterator[Finding]:
    """A gate `against` another model knows which way its metric is better; a function's KPI or threshold says so."""
    objective = config.objective
    directed = {kpi.metric for kpi in objective.kpis} if objective else set()
    if objective:
        directed |= {name for name, bound in objective.thresholds.items() if (bound.min is None) != (bound.max is None)}
    for index, gate in enumerate(config.validation.gates):
        if gate.against and (gate.metric in UNDIRECTED or (":" in gate.metric and gate.metric not in directed)):
            advice = f"needs a KPI on {gate.metric} with its `goal`" if ":" in gate.metric else "a bound is possible"
            what = f"whether more or less {gate.metric} is better is not known: {advice}"
            yield ("validate", "gates", index, "against"), what


def costs_are_for_two_classes(config: Config) -> Iterator[Finding]:
    """`costs` price the two mistakes of a binary target, and the metric `cost` needs them."""
    objective = config.objective
    if objective is None:
        return
    if objective.costs and objective.target.task != "binary":
        yield ("objective", "costs"), f"costs of mistakes are for a binary target; this one is {objective.target.task}"
    elif objective.costs is None and objective.target.task == "binary":
        for path, name in _judged_metrics(config):
            if name == "cost":
                yield path, "the metric `cost` needs `objective.costs`"


def alerts_watch_known_numbers(config: Config) -> Iterator[Finding]:
    """An alert is on a metric, a KPI or a number of the monitors."""
    known = _monitored(config)
    for index, alert in enumerate(config.monitor.alerts):
        if ":" not in alert.metric and alert.metric not in known:
            yield ("monitor", "alerts", index, "metric"), _unknown("metric", alert.metric, known)
        if alert.features and alert.metric not in ("psi", "missing_rate"):
            yield ("monitor", "alerts", index, "features"), "is for psi and missing_rate only"


def triggers_have_something_to_wait_for(config: Config) -> Iterator[Finding]:
    """A trigger's alert is declared, its dataset exists."""
    watched = {alert.metric for alert in config.monitor.alerts}
    for index, trigger in enumerate(config.improve.retrain.on):
        path = ("improve", "retrain", "on", index)
        if trigger.alert is not None and trigger.alert not in watched:
            what = f"no alert in `monitor.alerts` watches {trigger.alert!r}{did_you_mean(trigger.alert, watched)}"
            yield (*path, "alert"), what
        if trigger.new_data is not None and trigger.new_data not in _readable(config):
            yield (*path, "new_data"), _unknown("dataset", trigger.new_data, _readable(config))


def slices_are_request_columns(config: Config) -> Iterator[Finding]:
    """Groups are made by columns of the request."""
    named: list[tuple[Path, tuple[str, ...]]] = [
        (("validate", "slices", index), (column,)) for index, column in enumerate(config.validation.slices)
    ]
    for index, gate in enumerate(config.validation.gates):
        named.append((("validate", "gates", index, "slices"), gate.slices))
        named.append((("validate", "gates", index, "by"), (gate.by,) if gate.by else ()))
    for path, columns in named:
        for column in columns:
            if column not in config.data.request:
                yield path, _not_asked(column, config)


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    names_are_free,
    modes_have_what_they_need,
    transforms_read_known_data,
    transforms_have_no_circle,
    features_read_known_data,
    images_run_here,
    examples_exist,
    request_names_key_and_time,
    training_has_what_it_needs,
    holdout_has_a_time,
    metrics_exist,
    rivals_can_be_compared,
    costs_are_for_two_classes,
    alerts_watch_known_numbers,
    triggers_have_something_to_wait_for,
    slices_are_request_columns,
    *SEARCH_CHECKS,
)


def _tables(config: Config) -> set[str]:
    return {*config.data.datasets, *config.data.transforms}


def _readable(config: Config) -> set[str]:
    """Tables, and what the server logs."""
    endpoint = config.deliver.endpoint
    return {*_tables(config), f"predictions.{endpoint}", f"feedback.{endpoint}"}


def _monitored(config: Config) -> set[str]:
    objective = config.objective
    kpis = {kpi.name for kpi in objective.kpis} if objective else set()
    return {*metric_names(objective.target.task if objective else None), *kpis, *MONITORED}


def _judged_metrics(config: Config) -> Iterator[tuple[Path, str]]:
    """Each metric that will be a gate or is searched by, with its place."""
    if config.objective:
        for index, kpi in enumerate(config.objective.kpis):
            yield ("objective", "kpis", index, "metric"), kpi.metric
        for name in config.objective.thresholds:
            yield ("objective", "thresholds", name), name
    for index, gate in enumerate(config.validation.gates):
        yield ("validate", "gates", index, "metric"), gate.metric
    if config.train and config.train.search and config.train.search.metric:
        yield ("train", "search", "metric"), config.train.search.metric


def _not_asked(column: str, config: Config) -> str:
    return f"{column!r} is not in `data.request`{did_you_mean(column, config.data.request)}"


def _unknown(kind: str, name: str, known: set[str]) -> str:
    return f"unknown {kind} {name!r}{did_you_mean(name, known)}"


def _unknown_metric(name: str, task: str | None) -> str:
    elsewhere = [other for other, names in METRICS.items() if name in names]
    if elsewhere:
        there_is = ", ".join(metric_names(task))
        return f"the metric {name!r} is for a {' or '.join(elsewhere)} target (there is: {there_is})"
    return _unknown("metric", name, set(metric_names(task)))


def _circle(start: str, inputs: Mapping[str, Any]) -> list[str]:
    """A way from `start` back to itself, or nothing."""
    trails = [[start]]
    visited: set[str] = set()
    while trails:
        trail = trails.pop()
        for source in inputs.get(trail[-1], ()):
            if source == start:
                return [*trail, start]
            if source in inputs and source not in visited:
                visited.add(source)
                trails.append([*trail, source])
    return []
