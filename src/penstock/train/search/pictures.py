"""Pictures of a search, as what Plotly draws: data and layout."""

import json
import warnings
from collections.abc import Mapping
from typing import Any

from penstock.project import Search
from penstock.train.search.found import Found
from penstock.train.search.study import DIRECTIONS, load_optuna
from penstock.train.search.trials import Trial

Picture = dict[str, Any]

INK, SOFT, GOOD, BAD = "#1f5fa8", "#b6c2cf", "#11734b", "#b3261e"
FEWEST = 4  # finished trials, before anything can be said about what matters
_TEXTS = 60.0  # pixels of margin for names


def history(found: Found) -> Picture:
    """Every finished trial, those that broke a limit apart, and the best so far."""
    kept = [trial for trial in found.ranked() if not found.aim.broken(trial.metrics or {})]
    broken = [trial for trial in found.ranked() if found.aim.broken(trial.metrics or {})]
    pruned = [trial for trial in found.trials if trial.status == "pruned"]
    data = [
        _dots(found, kept, "finished", INK),
        _dots(found, broken, "breaks a limit", BAD),
        {**_dots(found, pruned, "pruned (mean of its folds)", SOFT), "marker": {"color": SOFT, "symbol": "x"}},
        _best_so_far(found),
    ]
    return {"data": [each for each in data if each["x"]], "layout": _layout("trial", found.aim.metric)}


def _dots(found: Found, trials: list[Trial], name: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [trial.number for trial in trials],
        "y": [sum(trial.folds) / len(trial.folds) for trial in trials],
        "text": [_told(found, trial) for trial in trials],
        "hovertemplate": "%{y:.6g}<br>%{text}<extra></extra>",
        "marker": {"color": colour},
    }


def _best_so_far(found: Found) -> dict[str, Any]:
    best: list[tuple[int, float]] = []
    for trial in found.trials:
        value = trial.value(found.aim)
        if value is None or found.aim.broken(trial.metrics or {}):
            continue
        if not best or found.aim.better(value, best[-1][1]):
            best.append((trial.number, value))
    if best:
        best.append((found.trials[-1].number, best[-1][1]))
    line = {"color": GOOD, "shape": "hv"}
    x, y = ([pair[place] for pair in best] for place in (0, 1))
    return {"type": "scatter", "mode": "lines", "name": "best so far", "x": x, "y": y, "line": line}


def what_matters(found: Found) -> Picture | None:
    """The importance of each choice; nothing while too few trials have come to their end, or nothing differs.

    Of several algorithms, whose parameters are not the same, it is told for what all trials have.
    """
    shares = importances(found)
    if not shares:
        return None
    names = sorted(shares, key=lambda name: shares[name])
    bars = {"type": "bar", "orientation": "h", "x": [shares[name] for name in names], "y": names}
    layout = _layout("importance", "")
    layout["yaxis"]["automargin"] = True
    return {"data": [{**bars, "marker": {"color": INK}}], "layout": layout}


def importances(found: Found) -> Mapping[str, float]:
    """Share of each choice in the variance of the metric over the space (functional ANOVA, Hutter et al. 2014)."""
    from penstock.train.search.space import Space

    done = [trial for trial in found.trials if trial.value(found.aim) is not None]
    if len(done) < FEWEST:
        return {}
    optuna = load_optuna()
    space = Space.recorded(Search.model_validate(found.settings), found.algorithms, found.feature_sets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction=DIRECTIONS[found.aim.goal])
        for trial in done:
            if drawn := space.drawn(trial.choice):
                values, distributions = drawn
                value = trial.value(found.aim)
                study.add_trial(optuna.create_trial(value=value, params=values, distributions=distributions))
        try:
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            shares: Mapping[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except (ValueError, RuntimeError):  # no choice that all trials have, or all equally good
            return {}
    return {name: share for name, share in shares.items() if share == share}


def slices(found: Found) -> list[Picture]:
    """The aim's metric over each choice."""
    ranked = found.ranked()
    names = list(dict.fromkeys(name for trial in ranked for name, _ in found.said(trial)))
    return [_slice(found, ranked, name) for name in names]


def _slice(found: Found, ranked: list[Trial], name: str) -> Picture:
    pairs = [(dict(found.said(trial)), trial) for trial in ranked]
    there = [(said[name], trial) for said, trial in pairs if name in said]
    data = _dots(found, [trial for _, trial in there], name, INK)
    numbers = _numeric([value for value, _ in there])
    data["x"] = numbers if numbers else [_text(value) for value, _ in there]
    data["marker"] = {"color": [trial.number for _, trial in there], "colorscale": [[0, SOFT], [1, INK]]}
    layout = _layout(name, found.aim.metric)
    if numbers and min(numbers) > 0 and max(numbers) / min(numbers) > 50:
        layout["xaxis"]["type"] = "log"
    return {"data": [{**data, "showlegend": False}], "layout": layout}


def parallel(found: Found) -> Picture | None:
    """A line per finished trial through all that all of them have."""
    ranked = found.ranked()
    if len(ranked) < 2:
        return None
    common = [name for name, _ in found.said(ranked[0]) if all(name in dict(found.said(each)) for each in ranked)]
    values = [value for trial in ranked if (value := trial.value(found.aim)) is not None]
    axes = [_axis(name, [dict(found.said(trial))[name] for trial in ranked]) for name in common]
    line = {"color": values, "colorscale": "Viridis", "reversescale": found.aim.goal == "minimise", "showscale": True}
    data = {"type": "parcoords", "line": line, "dimensions": [*axes, {"label": found.aim.metric, "values": values}]}
    return {"data": [data], "layout": {"margin": {"l": _TEXTS, "r": _TEXTS, "t": _TEXTS, "b": 20}, "height": 360}}


def _axis(name: str, values: list[Any]) -> dict[str, Any]:
    if numbers := _numeric(values):
        return {"label": name, "values": numbers}
    texts = sorted({_text(value) for value in values})
    places = [texts.index(_text(value)) for value in values]
    return {"label": name, "values": places, "tickvals": [*range(len(texts))], "ticktext": texts}


def _numeric(values: list[Any]) -> list[float]:
    """The values, if all of them are numbers."""
    fine = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return [float(value) for value in values] if fine else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _told(found: Found, trial: Trial) -> str:
    return "<br>".join(f"{name} = {_text(value)}" for name, value in found.said(trial))


def _layout(across: str, up: str) -> dict[str, Any]:
    grid = {"gridcolor": "#e6ebf0", "zeroline": False}
    return {
        "height": 300,
        "margin": {"l": 60, "r": 20, "t": 20, "b": 45},
        "plot_bgcolor": "#fff",
        "paper_bgcolor": "#fff",
        "xaxis": {"title": {"text": across}, **grid},
        "yaxis": {"title": {"text": up}, **grid},
        "legend": {"orientation": "h", "y": 1.15},
    }
