"""What must hold between `train.search` and the other sections. As in `checks`: one function per rule."""

from collections.abc import Iterator, Mapping

from penstock.project.config import Config
from penstock.project.document import Path
from penstock.project.metrics import UNDIRECTED
from penstock.project.search_config import Dimension, Search

Finding = tuple[Path, str]
HERE: Path = ("train", "search")


def search_has_an_aim(config: Config) -> Iterator[Finding]:
    """A search knows which number to make better, and which way that is."""
    search, objective = _search(config), config.objective
    if search is None or objective is None:
        return
    directed = {kpi.metric for kpi in objective.kpis}
    directed |= {name for name, bound in objective.thresholds.items() if (bound.min is None) != (bound.max is None)}
    if search.metric is None and not objective.kpis:
        yield HERE, "needs `metric`: the objective has no KPI to search by"
    elif search.metric and (search.metric in UNDIRECTED or (":" in search.metric and search.metric not in directed)):
        advice = f"needs a KPI on {search.metric} with its `goal`" if ":" in search.metric else "name another"
        yield (*HERE, "metric"), f"whether more or less {search.metric} is better is not known: {advice}"


def folds_fit_the_data(config: Config) -> Iterator[Finding]:
    """Folds by time have a time, and stratified ones have classes."""
    search, train = _search(config), config.train
    if search is None or train is None:
        return
    folds, task = search.folds, config.objective.target.task if config.objective else None
    by_time = folds.kind == "time" or (folds.kind is None and train.holdout.startswith("last"))
    if by_time and folds.by is None and config.data.time is None:
        yield (*HERE, "folds"), "folds by time need `by`, or `data.time`"
    if folds.kind == "stratified" and task == "regression":
        yield (*HERE, "folds", "kind"), "a regression has no classes: group, random or time"
    if folds.kind is None and not by_time:
        for name in ("by", "group", "gap"):
            if getattr(folds, name):
                yield (*HERE, "folds", name), "needs `kind`: time or group"


def something_is_left_to_learn_from(config: Config) -> Iterator[Finding]:
    """Without every view of the request, a model would get the request itself."""
    of_request = {name for name, view in config.data.features.items() if view.source == "request"}
    if not of_request or config.train is None:
        return
    search = config.train.search
    sets = {(*HERE, "feature_sets", name): names for name, names in search.feature_sets.items()} if search else {}
    left_out: Mapping[Path, tuple[str, ...]] = {("train", "without"): config.train.without, **sets}
    for path, names in left_out.items():
        if of_request <= set(names):
            yield path, f"leaves out every view of the request ({', '.join(sorted(of_request))}): name single features"


def algorithms_are_told_apart(config: Config) -> Iterator[Finding]:
    """Each algorithm has a name of its own, and a parameter is either fixed or tried."""
    search, train = _search(config), config.train
    if search is None or train is None:
        return
    own = train.function.partition(":")[2]
    for name, algorithm in search.algorithms.items():
        path = (*HERE, "algorithms", name)
        if name == own and search.space:
            yield path, f"{own!r} is the name of `train.function` with `space`: call this one otherwise"
        for parameter in algorithm.space:
            if parameter in algorithm.params:
                yield (*path, "space", parameter), "stands in `params` too: is it fixed, or tried?"


def a_grid_is_finite(config: Config) -> Iterator[Finding]:
    """The sampler `grid` tries every combination, so there must be an end to them."""
    search = _search(config)
    if search is None or search.sampler != "grid":
        return
    for path, dimension in _dimensions(search):
        if not (dimension.values or dimension.whole or dimension.step):
            yield path, "`sampler: grid` needs `step` or `values` here: there is no end to the numbers between"


def _dimensions(search: Search) -> Iterator[tuple[Path, Dimension]]:
    for name, dimension in search.space.items():
        yield (*HERE, "space", name), dimension
    for algorithm, declared in search.algorithms.items():
        for name, dimension in declared.space.items():
            yield (*HERE, "algorithms", algorithm, "space", name), dimension


def _search(config: Config) -> Search | None:
    return config.train.search if config.train else None


CHECKS = (
    search_has_an_aim,
    folds_fit_the_data,
    something_is_left_to_learn_from,
    algorithms_are_told_apart,
    a_grid_is_finite,
)
