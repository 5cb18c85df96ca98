"""What a search came to: from the loop that made it, or read from the ledger again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import UsageError
from penstock.ledger import Artifact, Run
from penstock.train.search.aim import Aim
from penstock.train.search.trials import KIND, PLAN, Trial, read_trials

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store


@dataclass(frozen=True)
class Found:
    """The trials of a search, and the best of them.

    trials        in the order of their numbers
    best          of those that keep every limit; None when none does
    algorithms    name -> function
    tried         name of an algorithm -> the parameters that differ between its trials
    feature_sets  name -> the views and features that are left out
    settings      `train.search`, as it was
    ended         why it ended, in words; "" when it is read from the ledger
    """

    experiment: str
    aim: Aim
    trials: tuple[Trial, ...]
    best: Trial | None
    algorithms: Mapping[str, str]
    tried: Mapping[str, Sequence[str]]
    feature_sets: Mapping[str, Sequence[str]]
    settings: Mapping[str, Any]
    ended: str = ""

    @classmethod
    def of(cls, record: Mapping[str, Any], trials: Sequence[Trial], ended: str = "") -> "Found":
        """From the record that is kept with each trial."""
        aim = Aim.from_json(record["aim"])
        return cls(
            experiment=record["experiment"],
            aim=aim,
            trials=tuple(trials),
            best=best_of(trials, aim),
            algorithms=record["algorithms"],
            tried=record["tried"],
            feature_sets=record["feature_sets"],
            settings=record["settings"],
            ended=ended,
        )

    def said(self, trial: Trial) -> Iterator[tuple[str, Any]]:
        """What of a trial's choice differs from others, for people: `("learning_rate", 0.05)`."""
        if len(self.algorithms) > 1:
            yield "algorithm", trial.choice.algorithm
        if len(self.feature_sets) > 1:
            yield "features", trial.choice.features
        for name in self.tried.get(trial.choice.algorithm, ()):
            yield name, trial.choice.params.get(name)

    def ranked(self) -> list[Trial]:
        """Finished trials, the best first; those that break a limit behind all others."""
        done = [(trial, value) for trial in self.trials if (value := trial.value(self.aim)) is not None]
        sign = 1 if self.aim.goal == "minimise" else -1
        done.sort(key=lambda pair: (bool(self.aim.broken(pair[0].metrics or {})), sign * pair[1], pair[0].number))
        return [trial for trial, _ in done]


def best_of(trials: Sequence[Trial], aim: Aim) -> Trial | None:
    """The best finished trial that keeps the limits; of equals the first."""
    best: Trial | None = None
    for trial in trials:
        value = trial.value(aim)
        if value is None or aim.broken(trial.metrics or {}):
            continue
        at = best.value(aim) if best else None
        if at is None or aim.better(value, at):
            best = trial
    return best


def read_search(reader: "Reader", store: "Store", experiment: str | None = None) -> Found:
    """A search by its name, the newest without one. UsageError when there is none."""
    named = {"experiment": experiment} if experiment else {}
    newest = reader.find(Run, kind=KIND, order_by="-number", limit=1, **named)
    if not newest:
        what = f"there is no search {experiment!r}" if experiment else "nothing was searched yet"
        raise UsageError(what, hint="penstock train search")
    (kept,) = reader.find(Artifact, run=newest[0].id, name=PLAN)
    record = store.read_json(kept.digest)
    return Found.of(record, read_trials(reader, newest[0].experiment, Aim.from_json(record["aim"])))
