"""Values of metrics: one, or many in a batch; and all that there were."""

from collections.abc import Collection

import msgspec

from penstock.ledger import Metric, MetricPoint, Point, Reader, Run, Transaction, add_points
from penstock.ledger.mlflow import LoggedModel, ModelMetric
from penstock.mlflow import runs
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.handlers.runs import add_params, put_tags
from penstock.mlflow.matching import page
from penstock.mlflow.wire import Pair, Reply, milliseconds, moment, number, tags_of

_HIGHEST = 2**63  # steps and times beyond are no 64-bit numbers


class Value(msgspec.Struct, frozen=True):
    """A value of a metric."""

    key: str = ""
    value: float = 0.0
    timestamp: int = 0
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogMetric(Value, frozen=True):
    """One value for a run."""

    run_id: str = ""
    run_uuid: str = ""


class LogBatch(msgspec.Struct, frozen=True):
    """Values, params and tags for a run, all or none."""

    run_id: str = ""
    metrics: list[Value] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class History(msgspec.Struct, frozen=True):
    """All values of a metric of a run."""

    run_id: str = ""
    run_uuid: str = ""
    metric_key: str = ""
    max_results: int = 0
    page_token: str = ""


def log_metric(transaction: Transaction, ask: LogMetric) -> Reply:
    """A value of a metric."""
    _add(transaction, runs.writable(transaction, ask.run_id or ask.run_uuid), [ask])
    return {}


def log_batch(transaction: Transaction, ask: LogBatch) -> Reply:
    """Many values, params and tags at once."""
    run = runs.writable(transaction, ask.run_id)
    _add(transaction, run, ask.metrics)
    add_params(transaction, run, _params(ask.params))
    put_tags(transaction, run, tags_of(ask.tags))
    return {}


def history(reader: Reader, ask: History) -> Reply:
    """Every value, in the order of arrival."""
    run = runs.by_id(reader, ask.run_id or ask.run_uuid)
    found = reader.find(MetricPoint, run=run.id, name=ask.metric_key, order_by="number")
    chosen, token = page(found, ask.page_token, ask.max_results or max(1, len(found)))
    return {
        "metrics": [
            {"key": each.name, "value": number(each.value), "timestamp": milliseconds(each.at), "step": each.step}
            for each in chosen
        ],
        "next_page_token": token,
    }


def _params(given: list[Pair]) -> dict[str, str]:
    """Params by name. ProtocolError when one is there twice, with two values."""
    params: dict[str, str] = {}
    for param in given:
        if params.setdefault(param.key, param.value) != param.value:
            raise invalid(f"the batch has parameter {param.key!r} as {params[param.key]!r} and as {param.value!r}")
    return params


def _add(transaction: Transaction, run: Run, values: "list[Value] | list[LogMetric]") -> None:
    for each in values:
        if not each.key or not -_HIGHEST <= each.step < _HIGHEST:
            raise invalid(f"metric {each.key!r} at step {each.step}", expected="a name, and a step of 64 bits")
    came = (Point(v.key, v.value, v.step, moment(v.timestamp)) for v in values)
    add_points(transaction, run.id, unseen(transaction, run.id, {_identity(point): point for point in came}.values()))
    for each in values:
        if each.model_id:
            _of_model(transaction, run, each)


def unseen(reader: Reader, run: str, points: Collection[Point]) -> list[Point]:
    """Points that the run does not have: clients send one again for a model, or when they heard no answer."""
    known = {each.name: each for each in reader.find(Metric, run=run, name=list({point.name for point in points}))}
    # What is newer than the newest is new: a history that only grows is never searched.
    doubtful = [p for p in points if (m := known.get(p.name)) and (p.step, p.at) <= (m.step, m.at)]
    if not doubtful:
        return list(points)
    names, steps = ({getattr(point, field) for point in doubtful} for field in ("name", "step"))
    there = {_identity(each) for each in reader.find(MetricPoint, run=run, name=list(names), step=list(steps))}
    return [point for point in points if _identity(point) not in there]


def _identity(point: Point | MetricPoint) -> tuple[object, ...]:
    return point.name, point.step, point.at, repr(point.value)  # a NaN equals no NaN


def _of_model(transaction: Transaction, run: Run, value: Value) -> None:
    """The value also judges a logged model."""
    if transaction.get(LoggedModel, id=value.model_id) is None:
        raise missing("logged model", value.model_id)
    transaction.put(
        ModelMetric(
            value.model_id, run.id, value.key, value.dataset_name, value.dataset_digest, value.value, value.step,
            moment(value.timestamp),
        )
    )  # fmt: skip
