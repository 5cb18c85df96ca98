"""What a search may try: algorithms, feature sets and parameters, and one trial's choice of them. Pure.

A parameter belongs to its algorithm: the sampler is asked for it only in trials of that algorithm.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, isclose, prod
from typing import TYPE_CHECKING, Any

from penstock.digest import digest_value
from penstock.project import Dimension, Search, Train

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution

EVERYTHING = "everything"  # the feature set of a search that compares none
ALGORITHM, FEATURES = "algorithm", "features"  # what the sampler calls these two choices
_SCALARS = (bool, int, float, str)


@dataclass(frozen=True)
class Option:
    """An algorithm to try: its function, the parameters that are the same in every trial, and those that are not."""

    name: str
    function: str
    params: Mapping[str, Any]
    space: Mapping[str, Dimension]


@dataclass(frozen=True)
class Choice:
    """What one trial trains with.

    algorithm  fit
    features   no_weather
    params     {"max_iter": 100, "learning_rate": 0.05}: everything that the function is given
    """

    algorithm: str
    features: str
    params: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Names the choice: equal choices train equal models."""
        return digest_value({"algorithm": self.algorithm, "features": self.features, "params": self.params})


@dataclass(frozen=True)
class Space:
    """Everything that may be tried. `feature_sets` says which views and features each leaves out."""

    options: Mapping[str, Option]
    feature_sets: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, train: Train) -> "Space":
        """The space that `train.search` declares; `train.function` takes part if it has a `space`, or is alone."""
        search = train.search
        assert search is not None
        options = []
        if search.space or not search.algorithms:
            name = train.function.partition(":")[2]
            fixed = {key: value for key, value in train.params.items() if key not in search.space}
            options.append(Option(name, train.function, fixed, search.space))
        options += [Option(name, each.function, each.params, each.space) for name, each in search.algorithms.items()]
        sets = search.feature_sets or {EVERYTHING: train.without}
        return cls({each.name: each for each in options}, dict(sets))

    @classmethod
    def recorded(
        cls, search: Search, functions: Mapping[str, str], feature_sets: Mapping[str, Sequence[str]]
    ) -> "Space":
        """The space of a search that is over, as far as its choices differed."""
        spaces = {name: each.space for name, each in search.algorithms.items()}
        options = {
            name: Option(name, function, {}, spaces.get(name, search.space)) for name, function in functions.items()
        }
        return cls(options, {name: tuple(left_out) for name, left_out in feature_sets.items()})

    def suggest(self, trial: "Trial") -> Choice:
        """Ask the sampler for one choice."""
        algorithm = self._pick(trial, ALGORITHM, self.options)
        features = self._pick(trial, FEATURES, self.feature_sets)
        option = self.options[algorithm]
        tried = {
            name: decoded(dimension, _asked(trial, self._named(algorithm, name), dimension))
            for name, dimension in option.space.items()
        }
        return Choice(algorithm, features, {**option.params, **tried})

    def drawn(self, choice: Choice) -> "tuple[dict[str, Any], dict[str, BaseDistribution]] | None":
        """The choice as the sampler would have said it, with the distributions; None when it is not in the space."""
        from optuna.distributions import CategoricalDistribution

        values: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for name, chosen, known in (
            (ALGORITHM, choice.algorithm, self.options),
            (FEATURES, choice.features, self.feature_sets),
        ):
            if chosen not in known:
                return None
            if len(known) > 1:
                values[name], distributions[name] = chosen, CategoricalDistribution(list(known))
        option = self.options[choice.algorithm]
        for name, dimension in option.space.items():
            if name not in choice.params or not holds(dimension, choice.params[name]):
                return None
            key = self._named(choice.algorithm, name)
            values[key], distributions[key] = encoded(dimension, choice.params[name]), distribution(dimension)
        return values, distributions

    def present(self, train: Train) -> Choice | None:
        """What the project file trains with today, if it is in the space."""
        option = next((each for each in self.options.values() if each.function == train.function), None)
        features = next((name for name, out in self.feature_sets.items() if {*out} == {*train.without}), None)
        if option is None or features is None:
            return None
        choice = Choice(option.name, features, dict(train.params))
        same = {*train.params} == {*option.params, *option.space}
        fixed = all(train.params.get(name) == value for name, value in option.params.items())
        return choice if same and fixed and self.drawn(choice) else None

    @property
    def size(self) -> float:
        """How many choices there are; inf when there is no end to them."""
        sizes = (prod(map(_count, one.space.values())) for one in self.options.values())
        return sum(sizes) * len(self.feature_sets)

    def combinations(self, seed: int) -> list[Choice]:
        """Every choice of a space of finite `size`, in an order that the seed decides."""
        found = [
            Choice(option.name, features, {**option.params, **dict(zip(option.space, values, strict=True))})
            for option in self.options.values()
            for features in self.feature_sets
            for values in product(*map(_tried, option.space.values()))
        ]
        return sorted(found, key=lambda choice: digest_value([seed, choice.key]))

    def _pick(self, trial: "Trial", name: str, known: Mapping[str, Any]) -> str:
        names = list(known)
        return str(trial.suggest_categorical(name, names)) if len(names) > 1 else names[0]

    def _named(self, algorithm: str, parameter: str) -> str:
        """What the sampler calls a parameter: two algorithms may each have a `depth`."""
        return f"{algorithm}.{parameter}" if len(self.options) > 1 else parameter


def _asked(trial: "Trial", name: str, dimension: Dimension) -> Any:
    if dimension.values:
        return trial.suggest_categorical(name, [encoded(dimension, value) for value in dimension.values])
    assert dimension.min is not None
    assert dimension.max is not None
    log, step = dimension.log, dimension.step
    if dimension.whole:
        return trial.suggest_int(name, int(dimension.min), int(dimension.max), log=log, step=int(step or 1))
    return trial.suggest_float(name, float(dimension.min), float(dimension.max), log=log, step=step)


def distribution(dimension: Dimension) -> "BaseDistribution":
    """The sampler's own word for a dimension."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.values:
        return CategoricalDistribution([encoded(dimension, value) for value in dimension.values])
    assert dimension.min is not None
    assert dimension.max is not None
    if dimension.whole:
        return IntDistribution(int(dimension.min), int(dimension.max), log=dimension.log, step=int(dimension.step or 1))
    return FloatDistribution(float(dimension.min), float(dimension.max), log=dimension.log, step=dimension.step)


def _count(dimension: Dimension) -> float:
    """How many values there are to try; inf when there is no end to them."""
    if dimension.values:
        return len(dimension.values)
    assert dimension.min is not None
    assert dimension.max is not None
    step = dimension.step or (1 if dimension.whole else 0)
    return round((dimension.max - dimension.min) / step) + 1 if step else inf


def _tried(dimension: Dimension) -> Sequence[Any]:
    """The values of a dimension that has an end."""
    if dimension.values:
        return dimension.values
    least, step = dimension.min or 0, dimension.step or 1
    return [least + step * index for index in range(int(_count(dimension)))]


def encoded(dimension: Dimension, value: Any) -> Any:
    """A value as the sampler keeps it: it knows no lists and no mappings, so they are JSON."""
    if not dimension.values or value is None or isinstance(value, _SCALARS):
        return value
    return json.dumps(value, sort_keys=True)


def decoded(dimension: Dimension, value: Any) -> Any:
    """The value that was meant; from an interval the number, from `values` the very one of the project file."""
    return next((each for each in dimension.values if _same(encoded(dimension, each), value)), value)


def holds(dimension: Dimension, value: Any) -> bool:
    """Whether a value is one that may be tried."""
    if dimension.values:
        return any(_same(each, value) for each in dimension.values)
    if isinstance(value, bool) or not isinstance(value, int if dimension.whole else int | float):
        return False
    assert dimension.min is not None
    assert dimension.max is not None
    steps = (value - dimension.min) / (dimension.step or (1 if dimension.whole else inf))
    return dimension.min <= value <= dimension.max and isclose(steps, round(steps), abs_tol=1e-8)


def _same(one: Any, other: Any) -> bool:
    """Equal and of one kind: 1 is not true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
