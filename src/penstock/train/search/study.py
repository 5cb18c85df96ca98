"""The sampler and the pruner, which are Optuna's: what to try next, and whether to go on with a trial.

What is asked depends on the seed, the trial's number and the trials that have ended, on nothing else: a search that
was killed goes on as if it had not been, and one after another the same seed gives the same trials.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.digest import digest_value
from penstock.errors import MissingExtra, UsageError
from penstock.project import Search
from penstock.train.search.aim import Aim
from penstock.train.search.space import Choice, Space
from penstock.train.search.trials import SETTLED, Trial

if TYPE_CHECKING:
    import optuna

ATTEMPTS = 20  # to get something new out of a sampler, before the combinations are gone through
LARGEST = 100_000  # combinations that are gone through
STARTUP = 10  # trials at random before TPE has something to go by, as Optuna has it
DIRECTIONS = {"minimise": "minimize", "maximise": "maximize"}


class Study:
    """What was tried, and what is tried next."""

    def __init__(self, space: Space, settings: Search, aim: Aim, *, first: Choice | None = None) -> None:
        """`first` is the choice of trial 0, if it is not left to the sampler."""
        self._optuna = load_optuna()
        self._space = space
        self._settings = settings
        self._aim = aim
        self._first = first
        self._seen: set[str] = set()
        self._open: dict[int, optuna.Trial] = {}
        with _quiet():
            self._study: optuna.Study = self._optuna.create_study(direction=DIRECTIONS[aim.goal], pruner=self._pruner())

    def add(self, trials: Iterable[Trial]) -> None:
        """Trials of the past. One that is not in the space any more is not learned from."""
        for trial in trials:
            if trial.status in SETTLED and (drawn := self._space.drawn(trial.choice)):
                self._seen.add(trial.choice.key)
                with _quiet():
                    self._study.add_trial(self._frozen(trial, *drawn))

    def ask(self, number: int) -> Choice | None:
        """What trial `number` tries: nothing that was tried before; None when everything was."""
        for attempt in range(ATTEMPTS + 1):
            told = self._told(number, attempt)
            if told is None and (attempt == ATTEMPTS or self._settings.sampler == "grid"):
                return None
            choice = self._asked(number, attempt, told)
            if choice:
                return choice
        return None

    def report(self, number: int, folds: Sequence[float]) -> bool:
        """The aim's metric in the folds of a trial so far; whether to end it."""
        trial = self._open[number]
        with _quiet():
            trial.report(self._reported(folds, len(folds)), len(folds))
            return bool(trial.should_prune())

    def tell(self, number: int, status: str, metrics: "dict[str, float] | None" = None) -> None:
        """How a trial ended: finished (with its means), pruned, failed."""
        trial = self._open.pop(number)
        state = self._state(status)
        with _quiet():
            if metrics is None or status != "finished":
                self._study.tell(trial, state=state)
                return
            for name, excess in self._excess(metrics):
                trial.set_constraint(name, excess)
            self._study.tell(trial, metrics[self._aim.metric], state=state)

    def _asked(self, number: int, attempt: int, told: Choice | None) -> Choice | None:
        """One question to the sampler, or the answer `told` beforehand; None when that was tried already."""
        with _quiet():
            self._study.sampler = self._sampler(number, attempt)
            if told:
                drawn = self._space.drawn(told)
                self._study.enqueue_trial(drawn[0] if drawn else {})
            trial = self._study.ask()
            choice = self._space.suggest(trial)
            if choice.key in self._seen:
                self._study.tell(trial, state=self._state("failed"))  # from which no sampler learns
                return None
        self._seen.add(choice.key)
        self._open[number] = trial
        return choice

    def _told(self, number: int, attempt: int) -> Choice | None:
        """The choice that is no question to the sampler."""
        if number == 0 and attempt == 0 and self._first and self._first.key not in self._seen:
            return self._first
        if self._settings.sampler != "grid" and attempt < ATTEMPTS:
            return None
        return next((each for each in self._combinations if each.key not in self._seen), None)

    @cached_property
    def _combinations(self) -> list[Choice]:
        """Every choice, of a space that is small enough to go through; a grid must be."""
        if self._space.size <= LARGEST:
            return self._space.combinations(self._settings.seed)
        if self._settings.sampler == "grid":
            what = f"the grid has {self._space.size:,.0f} combinations"
            raise UsageError(what, where="train.search.sampler", expected=f"at most {LARGEST:,}", hint="sampler: tpe")
        return []

    def _sampler(self, number: int, attempt: int) -> Any:
        samplers = self._optuna.samplers
        seed = int(digest_value([self._settings.seed, number, attempt])[:8], 16)
        # A sampler that insists on what is known has had its chances.
        if self._settings.sampler == "tpe" and attempt < ATTEMPTS // 2:
            several = len(self._space.options) > 1
            return samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP, multivariate=True, group=several, warn_independent_sampling=False
            )
        return samplers.RandomSampler(seed=seed)

    def _pruner(self) -> Any:
        pruners = self._optuna.pruners
        match self._settings.pruner:
            case "median":
                return pruners.MedianPruner(n_startup_trials=5)
            case "halving":
                return pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
            case "wilcoxon":
                return pruners.WilcoxonPruner(p_threshold=0.1)
        return pruners.NopPruner()

    def _reported(self, folds: Sequence[float], count: int) -> float:
        """After `count` folds: their mean; of a test that pairs the folds, the last one itself."""
        return folds[count - 1] if self._settings.pruner == "wilcoxon" else sum(folds[:count]) / count

    def _excess(self, metrics: "dict[str, float]") -> Iterator[tuple[str, float]]:
        for limit in self._aim.limits:
            yield limit.name, limit.excess(metrics.get(limit.metric, float("nan")))

    def _state(self, status: str) -> Any:
        states = self._optuna.trial.TrialState
        return {"finished": states.COMPLETE, "pruned": states.PRUNED}.get(status, states.FAIL)

    def _frozen(self, trial: Trial, values: dict[str, Any], distributions: dict[str, Any]) -> Any:
        known = dict(trial.metrics or {})
        steps = {count: self._reported(trial.folds, count) for count in range(1, len(trial.folds) + 1)}
        value = trial.value(self._aim)
        if trial.status == "pruned" and steps:
            value = steps[max(steps)]
        return self._optuna.create_trial(
            state=self._state(trial.status),
            value=value,
            params=values,
            distributions=distributions,
            intermediate_values=steps,
            constraints=dict(self._excess(known)) if trial.status == "finished" else None,
        )


def load_optuna() -> Any:
    """Optuna, which says nothing of its own. MissingExtra when it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "search") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's warnings: what is new in it, and which parameters it draws apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
