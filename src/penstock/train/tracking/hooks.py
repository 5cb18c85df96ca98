"""Values that libraries compute round by round anyway, reported without a word of the user's.

LightGBM and XGBoost evaluate what the user's fit gives them to evaluate; scikit-learn's boosting and its
neural networks keep their losses and scores. A library is prepared when the user's code imports it, and is not
imported for that. Nothing is computed that was not, so a model is the same with and without.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any

from penstock.train.determinism import Libraries
from penstock.train.tracking.reporting import Reporter

Prepare = Callable[[Any, Reporter], None]


def report_from_libraries(report: Reporter) -> None:
    """From now on, what these libraries evaluate in this process goes to `report`."""
    hooks: Mapping[str, Prepare] = {
        "lightgbm": _lightgbm,
        "xgboost": _xgboost,
        "sklearn.ensemble._gb": _gradient_boosting,
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": _hist_gradient_boosting,
        "sklearn.neural_network._multilayer_perceptron": _multilayer_perceptron,
    }
    for name, prepare in hooks.items():
        if name in sys.modules:
            prepare(sys.modules[name], report)
    waiting = {name: _setting_up(prepare, report) for name, prepare in hooks.items() if name not in sys.modules}
    sys.meta_path.insert(0, Libraries(waiting))


def _setting_up(prepare: Prepare, report: Reporter) -> Callable[[ModuleType], str]:
    def set_up(module: ModuleType) -> str:
        prepare(module, report)
        return "reported"

    return set_up


def _replace(holders: Iterable[Any], name: str, replacement: Callable[[Any], Any]) -> None:
    """Put something in the place of a function, everywhere where it goes by that name."""
    there = [holder for holder in holders if hasattr(holder, name)]
    if there:
        new = replacement(getattr(there[0], name))
        for holder in there:
            setattr(holder, name, new)


def _with_callback(callback: Callable[[], Any]) -> Callable[[Any], Any]:
    """A training function of LightGBM or XGBoost that calls one callback more."""

    def replacement(train: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(train)
        def training(*arguments: Any, **named: Any) -> Any:
            given = signature(train).bind(*arguments, **named)
            given.arguments["callbacks"] = [*(given.arguments.get("callbacks") or ()), callback()]
            return train(*given.args, **given.kwargs)

        return training

    return replacement


def _lightgbm(lightgbm: Any, report: Reporter) -> None:
    def after_round(env: Any) -> None:
        values = {f"{data}.{metric}": value for data, metric, value, *_ in env.evaluation_result_list or ()}
        if values:
            report.log(values, env.iteration + 1)

    after_round.order = 25  # type: ignore[attr-defined]  # before early stopping, which ends the round by raising
    holders = [lightgbm.engine, lightgbm, sys.modules.get("lightgbm.sklearn")]
    _replace(holders, "train", _with_callback(lambda: after_round))


def _xgboost(xgboost: Any, report: Reporter) -> None:
    class AfterRound(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
            values = {f"{data}.{name}": log[-1] for data, logs in evals_log.items() for name, log in logs.items()}
            if values:
                report.log(values, epoch + 1)
            return False

    _replace([xgboost.training, xgboost, sys.modules.get("xgboost.sklearn")], "train", _with_callback(AfterRound))


def _gradient_boosting(module: Any, report: Reporter) -> None:
    def replacement(fit: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(fit)
        def fitting(self: Any, X: Any, y: Any, sample_weight: Any = None, monitor: Any = None) -> Any:
            def after_stage(stage: int, estimator: Any, names: Mapping[str, Any]) -> Any:
                report.log({"train_score": estimator.train_score_[stage]}, stage + 1)
                return monitor(stage, estimator, names) if monitor else False

            return fit(self, X, y, sample_weight=sample_weight, monitor=after_stage)

        return fitting

    _replace([module.BaseGradientBoosting], "fit", replacement)


def _hist_gradient_boosting(module: Any, report: Reporter) -> None:
    """Scores are kept when it stops early: of rounds done, of which 0 is the first score."""

    def replacement(should_stop: Callable[..., bool]) -> Callable[..., bool]:
        @wraps(should_stop)
        def after_round(self: Any, scores: Any) -> bool:
            kept = {"train_score": self.train_score_, "validation_score": self.validation_score_}
            report.log({name: values[-1] for name, values in kept.items() if len(values)}, len(scores) - 1)
            return should_stop(self, scores)

        return after_round

    _replace([module.BaseHistGradientBoosting], "_should_stop", replacement)


def _multilayer_perceptron(module: Any, report: Reporter) -> None:
    def replacement(count: Callable[..., None]) -> Callable[..., None]:
        @wraps(count)
        def after_epoch(self: Any, *arguments: Any, **named: Any) -> None:
            count(self, *arguments, **named)
            kept = {"loss": self.loss_curve_, "validation_score": getattr(self, "validation_scores_", None)}
            report.log({name: values[-1] for name, values in kept.items() if values}, len(self.loss_curve_))

        return after_epoch

    _replace([module.BaseMultilayerPerceptron], "_update_no_improvement_count", replacement)
