"""The search itself: choices go out, fold by fold, and what comes back decides which come next.

One thread asks the sampler, judges folds and writes the ledger; the folds are fitted in processes of their own, by the
engine. Of a trial one fold runs at a time, so that the pruner can end it after each.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from penstock.digest import digest_value
from penstock.errors import PenstockError
from penstock.ledger import Run, hold_lease
from penstock.project import Resources, Search
from penstock.train.code import unpack
from penstock.train.recipe import Recipe
from penstock.train.search.aim import Aim, mean_of
from penstock.train.search.fold import FoldJob, keep_rows
from penstock.train.search.folds import Fold
from penstock.train.search.found import Found, best_of
from penstock.train.search.space import Choice, Space
from penstock.train.search.study import Study
from penstock.train.search.template import needed_modules, template
from penstock.train.search.trials import MEAN, SETTLED, Recorder, Trial, read_trials

if TYPE_CHECKING:
    import numpy.typing as npt

    from penstock.ledger import Ledger
    from penstock.store import Store
    from penstock.train.search.fold import Answered

TASK = "penstock.train.search.fold:train_fold"
HOPELESS = 3  # trials that fail before any has come to its end: so will the others

Judge = Callable[[Fold, "npt.NDArray[Any]"], Mapping[str, float]]  # what the answers to a fold's rows are worth
Listener = Callable[[Trial, Found], None]


class Pool(Protocol):
    """The part of the engine's pool that a search uses."""

    def submit(
        self, function: str, argument: Mapping[str, Any], *, resources: Resources | None = None
    ) -> "Future[Any]":
        """Have `module:function` called with the argument, soon."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a search comes to.

    recipes  by feature set: what every trial with it has in common; its function and parameters are the choice's
    classes  of the target, in the order of scores
    first    the choice of trial 0; None leaves it to the sampler
    inputs   what else there is to the search's identity: data, code, environment
    resources  what each fold holds while it runs
    fork     whether folds are forked from a process that has imported what they need: all of them run on this machine
    """

    space: Space
    settings: Search
    aim: Aim
    folds: tuple[Fold, ...]
    recipes: Mapping[str, Recipe]
    classes: tuple[Any, ...]
    first: Choice | None
    inputs: Mapping[str, Any]
    resources: Resources | None = None
    fork: bool = True

    @property
    def experiment(self) -> str:
        """`search-2f9c01ab`: another one when anything changes but how long it may take."""
        decisive = self.settings.model_dump(mode="json", exclude={"trials", "timeout", "patience", "workers"})
        return f"search-{digest_value([decisive, self.aim.to_json(), self.inputs])[:8]}"

    @property
    def record(self) -> dict[str, Any]:
        """What is kept of it with each trial; see `Found`."""
        return {
            "experiment": self.experiment,
            "aim": self.aim.to_json(),
            "settings": self.settings.model_dump(mode="json"),
            "algorithms": {name: each.function for name, each in self.space.options.items()},
            "tried": {name: list(each.space) for name, each in self.space.options.items()},
            "feature_sets": {name: list(left_out) for name, left_out in self.space.feature_sets.items()},
            "folds": [{"train": len(fold.train), "valid": len(fold.valid)} for fold in self.folds],
            "inputs": dict(self.inputs),
        }

    def recipe(self, choice: Choice) -> Recipe:
        """What a trial trains by."""
        function = self.space.options[choice.algorithm].function
        return replace(self.recipes[choice.features], function=function, params=dict(choice.params))


def run_search(
    plan: Plan,
    ledger: "Ledger",
    store: "Store",
    pool: Pool,
    judge: Judge,
    *,
    home: Path,
    on_trial: Listener | None = None,
) -> Found:
    """Try until the settings say that it is enough; go on from the trials that are in the ledger.

    `home` is the project's directory of what Penstock makes. `on_trial` is called with each trial that
    has ended, and what was found until then.
    Conflict when the same search runs somewhere else; the error of a trial when the first few all fail.
    """
    with ExitStack() as stack:
        stack.enter_context(hold_lease(ledger, plan.experiment))
        searcher = _Searcher(plan, ledger, store, pool, judge, home, on_trial, stack)
        ended = searcher.run()
    return searcher.found(ended)


@dataclass
class _Active:
    """A trial that runs, and what came of its folds so far."""

    number: int
    choice: Choice
    run: Run
    recipe: Recipe
    folds: list[Mapping[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    peak: float = 0.0


class _Searcher:
    """One search, from the trials that are there to the end."""

    def __init__(
        self,
        plan: Plan,
        ledger: "Ledger",
        store: "Store",
        pool: Pool,
        judge: Judge,
        home: Path,
        on_trial: Listener | None,
        stack: ExitStack,
    ) -> None:
        self._plan = plan
        self._store = store
        self._pool = pool
        self._judge = judge
        self._home = home
        self._tell = on_trial or (lambda trial, found: None)
        self._study = Study(plan.space, plan.settings, plan.aim, first=plan.first)
        with ledger.read() as reader:
            known = [each for each in read_trials(reader, plan.experiment, plan.aim) if each.status in SETTLED]
        self.trials = {trial.number: trial for trial in known}
        self._study.add(known)
        self._record = plan.record
        self._recorder = Recorder(ledger, store, plan.experiment, home, store.put_json(self._record))
        self._rows = [keep_rows(store, fold.train, fold.valid) for fold in plan.folds]
        self._stack = stack
        self._code: Path | None = None
        self._template: Path | None = None
        self._active: dict[Future[Any], _Active] = {}
        self._started = time.monotonic()

    def run(self) -> str:
        """Try until it is enough; why it ended. Trials that run when it is are let come to their end."""
        try:
            ended = ""
            while True:
                while not ended and len(self._active) < self._plan.settings.workers:
                    ended = self._enough() or self._begin()
                if not self._active:
                    return ended
                done, _ = wait(self._active, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda each: self._active[each].number):
                    self._heard(future, self._active[future])
                    del self._active[future]
        except BaseException:
            self._give_up()
            raise

    def found(self, ended: str = "") -> Found:
        """What was found until now."""
        return Found.of(self._record, [self.trials[number] for number in sorted(self.trials)], ended)

    # --- when to stop ---

    def _enough(self) -> str:
        settings = self._plan.settings
        count = len(self.trials) + len(self._active)
        if count >= settings.trials:
            return f"{settings.trials:,} trials"
        if settings.timeout is not None and time.monotonic() - self._started >= settings.timeout.total_seconds():
            return "the time is up"
        if settings.patience and len(self.trials) - self._last_better() >= settings.patience:
            return f"{settings.patience:,} trials without a better one"
        return ""

    def _last_better(self) -> int:
        """How many trials there were up to the best one."""
        best = best_of([self.trials[number] for number in sorted(self.trials)], self._plan.aim)
        return best.number + 1 if best else len(self.trials)

    # --- one trial ---

    def _begin(self) -> str:
        """Start the next trial; why there is none."""
        taken = {*self.trials, *(each.number for each in self._active.values())}
        number = next(each for each in range(len(taken) + 1) if each not in taken)
        choice = self._study.ask(number)
        if choice is None:
            return "everything was tried"
        recipe = self._plan.recipe(choice)
        self._prepare(recipe)
        self._next(_Active(number, choice, self._recorder.begin(number, choice, recipe), recipe))
        return ""

    def _prepare(self, recipe: Recipe) -> None:
        """Once: the sources where the folds work, and the process that they are forked from."""
        if self._code is not None:
            return
        self._code = self._home / "runs" / f"{self._plan.experiment}-code"
        self._code.mkdir(parents=True, exist_ok=True)
        self._stack.callback(_remove, self._code)
        unpack(self._store, recipe.code, self._code)
        if not self._plan.fork:
            return
        modules = needed_modules(sorted(self._code.rglob("*.py")))
        self._template = self._stack.enter_context(
            template(modules, seed=recipe.seed, threads=recipe.threads, deterministic=recipe.deterministic)
        )

    def _next(self, trial: _Active) -> None:
        """Send the next fold of a trial out."""
        step = len(trial.folds)
        job = FoldJob(
            recipe=trial.recipe,
            rows=self._rows[step],
            classes=self._plan.classes,
            store=str(self._store.blobs.root.resolve()),
            code=str(self._code),
            place=str(Path(trial.run.host["directory"]) / f"fold-{step + 1:03}"),
            template=str(self._template or ""),
        )
        future = self._pool.submit(TASK, job.to_json(), resources=self._plan.resources)
        self._active[future] = trial

    def _heard(self, future: "Future[Any]", trial: _Active) -> None:
        """A fold has ended: judge it, and go on with the trial or end it."""
        try:
            answered: Answered = future.result()
            metrics = self._judge(self._plan.folds[len(trial.folds)], answered.scores)
        except PenstockError as error:
            self._end(trial, "failed", error=error)
            return
        trial.folds.append(metrics)
        trial.seconds += answered.seconds
        trial.peak = max(trial.peak, answered.peak_memory_mb)
        self._recorder.fold(trial.run, len(trial.folds), metrics)
        aimed = [fold[self._plan.aim.metric] for fold in trial.folds]
        if aimed[-1] != aimed[-1]:
            what = f"{self._plan.aim.metric} is not defined on the rows of fold {len(aimed)}"
            self._end(trial, "failed", error=PenstockError(what))
            return
        if len(trial.folds) == len(self._plan.folds):
            self._end(trial, "finished")
        elif self._study.report(trial.number, aimed):
            self._end(trial, "pruned")
        else:
            self._next(trial)

    def _end(self, trial: _Active, status: str, error: PenstockError | None = None) -> None:
        means = mean_of(trial.folds) if status == "finished" else {}
        spent = {"seconds": trial.seconds, "peak_memory_mb": trial.peak} if trial.folds else {}
        named = {f"{MEAN}{name}": value for name, value in means.items()}
        self._recorder.end(trial.run, status, metrics={**named, **spent}, error=str(error) if error else None)
        self._study.tell(trial.number, status, means)
        ended = Trial(
            number=trial.number,
            run=trial.run.number,
            id=trial.run.id,
            status=status,
            choice=trial.choice,
            folds=tuple(fold[self._plan.aim.metric] for fold in trial.folds),
            metrics=means or None,
            seconds=trial.seconds,
            error=str(error) if error else "",
        )
        self.trials[trial.number] = ended
        self._tell(ended, self.found())
        if error and self._is_hopeless():
            error.hint = error.hint or f"penstock train log {trial.run.number}"
            raise error

    def _is_hopeless(self) -> bool:
        statuses = [trial.status for trial in self.trials.values()]
        return len(statuses) >= HOPELESS and all(status == "failed" for status in statuses)

    def _give_up(self) -> None:
        """Whatever happened, no trial is left running in the ledger."""
        for trial in self._active.values():
            self._recorder.end(trial.run, "killed", metrics={}, error="the search ended before the trial did")


def _remove(directory: Path) -> None:
    import shutil

    shutil.rmtree(directory, ignore_errors=True)
