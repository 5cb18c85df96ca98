"""Metrics: one number for how good answers are, beside the truth.

Nearly all are functions of sums over rows, so a window, a slice or a thousand draws cost one matrix product.
Every definition is that of scikit-learn, except `ece`, `cost` and `bias`:

    ece     expected calibration error in 10 bins of equal width (Naeini et al. 2015), so that windows and
            models share their bins; multiclass: confidence of the decided class (Guo et al. 2017)
    cost    mean cost of an example at the model's threshold, from `objective.costs`
    bias    mean of prediction minus truth

A ratio without a denominator is nan: precision where nothing was selected, an AUC without events.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from penstock.errors import FunctionError, UsageError, UserCodeError
from penstock.stats import Interval, delong, delong_paired, wilson
from penstock.validate.measuring import Array, Goal, Metric, Sample, Statistic, Task, Weights

if TYPE_CHECKING:
    from penstock.project import Function

BINS = 10  # of the calibration error and of the calibration table
CUSTOM_DRAWS = 100  # each is a call of the user's function
SHARE = (0.0, 1.0)


# --- functions of sums ---------------------------------------------------------------------------


def _sums(parts: Callable[[Sample], Array], combine: Callable[[Array], Array]) -> Callable[[Sample], Statistic]:
    """A statistic of the sums of `parts`, (rows, columns); `combine` takes (draws, columns)."""

    def statistic(sample: Sample) -> Statistic:
        columns = parts(sample)
        return lambda weights: combine(weights @ columns)

    return statistic


def _ratio(sums: Array) -> Array:
    return np.asarray(sums[:, 0] / sums[:, 1], dtype=np.float64)


def _share(name: str, goal: Goal, tasks: tuple[Task, ...], counted: Callable[[Sample], tuple[Array, Array]]) -> Metric:
    """A proportion: how many of those in the second column are in the first as well."""

    def parts(sample: Sample) -> Array:
        return np.stack(counted(sample), axis=1)

    def closed_form(sample: Sample, alpha: float) -> Interval:
        successes, of = parts(sample).sum(axis=0)
        return wilson(float(successes), float(of), alpha)

    return Metric(name, tasks, goal, _sums(parts, _ratio), closed_form, range=SHARE)


def _mean(
    name: str,
    goal: Goal,
    tasks: tuple[Task, ...],
    per_row: Callable[[Sample], Array],
    span: tuple[float, float] = (0.0, inf),
) -> Metric:
    def parts(sample: Sample) -> Array:
        return np.stack([per_row(sample), np.ones(sample.rows)], axis=1)

    return Metric(name, tasks, goal, _sums(parts, _ratio), range=span)


def _log_loss(sample: Sample) -> Array:
    # scikit-learn's clip; a class that the model does not know has probability 0
    tiny = float(np.finfo(np.float64).eps)
    if sample.task == "binary":
        right = np.where(sample.y > 0.5, sample.scores, 1 - sample.scores)
    else:
        known = sample.y >= 0
        right = np.where(known, sample.scores[np.arange(sample.rows), np.where(known, sample.y, 0).astype(int)], 0.0)
    return np.asarray(-np.log(np.clip(right, tiny, 1 - tiny)))


def _cost(sample: Sample) -> Array:
    if sample.costs is None:
        raise UsageError(
            "the metric `cost` needs objective.costs",
            expected="costs: {false_negative: 90, false_positive: 15}",
            hint="say what each kind of mistake costs under objective.costs",
        )
    missed = sample.y * (1 - sample.decided) * sample.costs.false_negative
    return np.asarray(missed + (1 - sample.y) * sample.decided * sample.costs.false_positive)


def _f1_parts(sample: Sample) -> Array:
    return np.stack([2 * sample.y * sample.decided, sample.y + sample.decided], axis=1)


def _macro_parts(sample: Sample) -> Array:
    """Per class, unknown ones last: decided rightly, decided, true."""
    classes = sample.scores.shape[1] + 1
    known = np.where(sample.y < 0, classes - 1, sample.y)
    true, decided = (np.equal.outer(codes, np.arange(classes)).astype(np.float64) for codes in (known, sample.decided))
    return np.concatenate([true * decided, decided, true], axis=1)


def _macro_f1(sums: Array) -> Array:
    """Mean over the classes that are true or decided somewhere."""
    right, decided, true = np.split(sums, 3, axis=1)
    present = decided + true > 0
    each = np.where(present, 2 * right / np.where(present, decided + true, 1), 0.0)
    return np.asarray(each.sum(axis=1) / present.sum(axis=1))


def confidence(sample: Sample) -> tuple[Array, Array]:
    """What a probability claims and what came true: P(event) and the event, or of the decided class."""
    if sample.task == "binary":
        return sample.scores, sample.y
    return sample.scores.max(axis=1), (sample.decided == sample.y).astype(np.float64)


def calibration_bin(claimed: Array) -> npt.NDArray[np.intp]:
    """0 for probabilities up to 0.1, 1 for those above it up to 0.2, ... 9."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], claimed)


def _ece_parts(sample: Sample) -> Array:
    claimed, came_true = confidence(sample)
    columns = np.zeros((sample.rows, BINS + 1))
    columns[np.arange(sample.rows), calibration_bin(claimed)] = came_true - claimed
    columns[:, BINS] = 1
    return columns


def _ece(sums: Array) -> Array:
    return np.asarray(np.abs(sums[:, :BINS]).sum(axis=1) / sums[:, BINS])


def _r2_parts(sample: Sample) -> Array:
    # centred, because sums of squares of large values lose their digits
    y = sample.y - sample.y.mean()
    return np.stack([(sample.y - sample.scores) ** 2, y * y, y, np.ones(sample.rows)], axis=1)


def _r2(sums: Array) -> Array:
    residual, squares, total, rows = sums.T
    around_mean = squares - total**2 / rows
    return np.asarray(np.where(around_mean > 0, 1 - residual / np.where(around_mean > 0, around_mean, 1), np.nan))


# --- functions of ranks --------------------------------------------------------------------------


def _descending(scores: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows from the highest score down, and in that order the last row of each run of equal scores."""
    order = np.argsort(-scores, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)


def _roc_auc(sample: Sample) -> Statistic:
    """Area under the curve of true over false positives, ties as one slanted step."""
    order, ends = _descending(sample.scores)
    events = sample.y[order]

    def weighted(weights: Weights) -> Array:
        drawn = weights[:, order]
        true = np.cumsum(drawn * events, axis=1)[:, ends]
        false = np.cumsum(drawn, axis=1)[:, ends] - true
        steps = np.diff(false, axis=1, prepend=0) * (true - np.diff(true, axis=1, prepend=0) / 2)
        return np.asarray(steps.sum(axis=1) / (true[:, -1] * false[:, -1]))

    return weighted


def _average_precision(sample: Sample) -> Statistic:
    """Mean over the events of the precision at each one's score, ties included."""
    order, ends = _descending(sample.scores)
    events = np.flatnonzero(sample.y[order] > 0.5)
    end = ends[np.searchsorted(ends, events)]  # of each event's run
    last = np.searchsorted(events, end, side="right") - 1  # the run's last event
    tied = bool((last != np.arange(len(events))).any())

    def weighted(weights: Weights) -> Array:
        drawn = weights[:, order]
        hits = drawn[:, events]
        true, seen = np.cumsum(hits, axis=1), np.cumsum(drawn, axis=1)[:, end]
        precision = (true[:, last] if tied else true) / np.where(seen > 0, seen, 1)
        return np.asarray((hits * precision).sum(axis=1) / true[:, -1])

    return weighted if len(events) else lambda weights: np.full(len(weights), np.nan)


# --- the table -----------------------------------------------------------------------------------

_BINARY: tuple[Task, ...] = ("binary",)
_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_VALUES: tuple[Task, ...] = ("regression",)

_ALL = (
    Metric(
        "roc_auc",
        _BINARY,
        "maximise",
        _roc_auc,
        lambda sample, alpha: delong(sample.y, sample.scores, alpha),
        lambda a, b, alpha: delong_paired(a.y, a.scores, b.scores, alpha),
        range=SHARE,
    ),
    Metric("pr_auc", _BINARY, "maximise", _average_precision, range=SHARE),
    _mean("log_loss", "minimise", _CLASSES, _log_loss),
    _mean("brier", "minimise", _BINARY, lambda s: (s.scores - s.y) ** 2, SHARE),
    Metric("ece", _CLASSES, "minimise", _sums(_ece_parts, _ece), range=SHARE),
    _share("accuracy", "maximise", _CLASSES, lambda s: ((s.decided == s.y).astype(np.float64), np.ones(s.rows))),
    _share("precision", "maximise", _BINARY, lambda s: (s.y * s.decided, s.decided)),
    _share("recall", "maximise", _BINARY, lambda s: (s.y * s.decided, s.y)),
    Metric("f1", _BINARY, "maximise", _sums(_f1_parts, _ratio), range=SHARE),
    _share("false_negative_rate", "minimise", _BINARY, lambda s: (s.y * (1 - s.decided), s.y)),
    _share("false_positive_rate", "minimise", _BINARY, lambda s: ((1 - s.y) * s.decided, 1 - s.y)),
    _share("selection_rate", "none", _BINARY, lambda s: (s.decided, np.ones(s.rows))),
    _mean("cost", "minimise", _BINARY, _cost),
    Metric("f1_macro", ("multiclass",), "maximise", _sums(_macro_parts, _macro_f1), range=SHARE),
    _mean("mae", "minimise", _VALUES, lambda s: np.abs(s.scores - s.y)),
    Metric(
        "rmse",
        _VALUES,
        "minimise",
        _sums(lambda s: np.stack([(s.scores - s.y) ** 2, np.ones(s.rows)], axis=1), lambda sums: np.sqrt(_ratio(sums))),
        range=(0.0, inf),
    ),
    Metric("r2", _VALUES, "maximise", _sums(_r2_parts, _r2), range=(-inf, 1.0)),
    _mean("bias", "zero", _VALUES, lambda s: s.scores - s.y, (-inf, inf)),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


def metrics_for(task: Task, *, costs: bool) -> tuple[Metric, ...]:
    """The built-in metrics that a task has; `cost` only where costs are known."""
    return tuple(metric for metric in _ALL if task in metric.tasks and (costs or metric.name != "cost"))


def custom_metric(function: "Function", goal: Goal = "none") -> Metric:
    """A user's `def f(y, scores) -> float` as a metric of any task; y and scores as in `Sample`."""
    from penstock.project import call

    def number(y: Any, scores: Any) -> float:
        value = call(function, y, scores)
        try:
            return float(value)
        except (TypeError, ValueError):
            what = f"{function.reference} gave {value!r:.60}"
            raise FunctionError(what, where=function.where, expected="a number") from None

    def statistic(sample: Sample) -> Statistic:
        def weighted(weights: Weights) -> Array:
            if len(weights) == 1 and (weights == 1).all():
                return np.array([number(sample.y, sample.scores)])
            return np.array([drawn(np.repeat(np.arange(sample.rows), row.astype(int))) for row in weights])

        def drawn(rows: npt.NDArray[np.intp]) -> float:
            try:
                return number(sample.y[rows], sample.scores[rows])
            except (UserCodeError, FunctionError):  # a draw may lack a class that the whole sample has
                return float("nan")

        return weighted

    return Metric(function.reference, ("binary", "multiclass", "regression"), goal, statistic, draws=CUSTOM_DRAWS)
