"""`train.search`: what a search may try, how a trial is judged, and when it ends."""

from datetime import timedelta
from math import isclose
from typing import Any, Literal

from pydantic import Field, model_validator

from penstock.project.settings import Duration, Name, Names, Reference, Section, Seed

Number = int | float


class Dimension(Section):
    """The values that a parameter may take.

    {min: 15, max: 255}                      whole numbers, since both ends are
    {min: 0.01, max: 0.3, log: true}         numbers; as many below 0.055 as above it
    {values: [gini, entropy]}                one of these
    """

    min: Number | None = None  # the least value
    max: Number | None = None  # the greatest value
    step: Number | None = Field(default=None, gt=0)  # only min, min + step, min + 2 step, ...
    log: bool = False  # try small values as often as large ones: for what is counted in powers
    values: tuple[Any, ...] = ()  # instead of an interval; null is a value

    @model_validator(mode="after")
    def _interval_or_values(self) -> "Dimension":
        bounded = self.min is not None or self.max is not None
        if bool(self.values) == bounded:
            raise ValueError("a parameter has either `min` and `max`, or `values`")
        if self.values:
            _check_values(self)
        elif self.min is None or self.max is None or self.min >= self.max:
            raise ValueError("`min` and `max` go together, and `min` is less than `max`")
        elif self.log and (self.min <= 0 or self.step is not None):
            raise ValueError("`log` needs a `min` above 0 and no `step`")
        elif self.step is not None and not _is_whole((self.max - self.min) / self.step):
            raise ValueError("`max` is not `min` plus a number of steps")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return all(isinstance(each, int) for each in (self.min, self.max, self.step) if each is not None)


def _is_whole(steps: float) -> bool:
    return isclose(steps, round(steps), rel_tol=0, abs_tol=1e-8)


def _check_values(dimension: Dimension) -> None:
    if dimension.log or dimension.step is not None:
        raise ValueError("`log` and `step` are for an interval, not for `values`")
    if any(one == other and type(one) is type(other) for one, other in _pairs(dimension.values)):
        raise ValueError("the same value stands in `values` twice")


def _pairs(values: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    return [(one, other) for index, one in enumerate(values) for other in values[:index]]


class Algorithm(Section):
    """One of several ways to fit, with parameters of its own."""

    function: Reference  # as `train.function`
    params: dict[str, Any] = Field(default={})  # given to the function by name, the same in every trial
    space: dict[str, Dimension] = Field(default={})  # what is tried for its other parameters


class Folds(Section):
    """How a trial is judged within the training rows: fitted on one part, asked about another, several times."""

    kind: Literal["time", "group", "stratified", "random"] | None = None  # by default time for a holdout of the last
    n: int = Field(default=5, ge=2, le=100)  # how many
    by: str | None = None  # a column of the examples: time (data.time otherwise), or group
    group: str | None = None  # time: rows of a group that is asked about are not learned from
    gap: Duration = timedelta(0)  # time: rows this close before those that are asked about are not learned from

    @model_validator(mode="after")
    def _what_its_kind_takes(self) -> "Folds":
        if self.kind == "group" and self.by is None:
            raise ValueError("folds by group need `by`: the column that says which rows belong together")
        if self.kind in ("stratified", "random") and self.by is not None:
            raise ValueError(f"`by` has no meaning for {self.kind} folds")
        if self.kind in ("group", "stratified", "random") and (self.group is not None or self.gap):
            raise ValueError(f"`group` and `gap` are for folds by time; these are {self.kind}")
        return self


class Search(Section):
    """What `penstock train search` tries. The holdout takes no part in it."""

    space: dict[str, Dimension] = Field(default={})  # for parameters of `train.function`
    algorithms: dict[Name, Algorithm] = Field(default={})  # other functions, each with a space of its own
    feature_sets: dict[Name, Names] = Field(default={})  # views and features to leave out; [] leaves out none
    metric: str | None = None  # to be made as good as it can; by default of the first KPI, or bound
    trials: int = Field(default=30, ge=1)  # at most
    timeout: Duration | None = None  # no trial starts later than this
    patience: int | None = Field(default=None, ge=1)  # stop after so many trials without a better one
    workers: int = Field(default=1, ge=1)  # trials at the same time, each with `train.threads`
    sampler: Literal["tpe", "random", "grid"] = "tpe"  # what is tried next; grid: every combination
    seed: Seed = 7  # of the sampler and of the folds
    pruner: Literal["none", "median", "halving", "wilcoxon"] = "median"  # when a trial ends before its last fold
    folds: Folds = Field(default_factory=Folds.model_construct)

    @model_validator(mode="after")
    def _something_to_try(self) -> "Search":
        if not (self.space or self.algorithms or len(self.feature_sets) > 1):
            raise ValueError("there is nothing to try: add `space`, `algorithms` or `feature_sets`")
        return self
