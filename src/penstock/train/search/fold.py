"""One fold of a trial: a model is fitted on some rows and asked about others, in a process of its own.

The process does what a training does, up to the model; the model is not kept, so nothing is sealed.

place/job.json     what the process is told
place/log          what it printed
place/scores.npy   what its model answered
place/report.json  how long it took, or the error; whole or not there, and written last
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, Any

from penstock.errors import Killed, PenstockError
from penstock.train.determinism import seed_everything, set_up_libraries
from penstock.train.launch import JOURNAL, error_of
from penstock.train.process import die_with, run_child, signal_name
from penstock.train.recipe import Recipe
from penstock.train.search.template import ask_template
from penstock.train.tracking.hooks import report_from_libraries
from penstock.train.tracking.journal import Journal
from penstock.train.tracking.reporting import Reporter
from penstock.train.worker import RSS_UNIT, call_fit, explained, load_fit

if TYPE_CHECKING:
    import numpy.typing as npt

    from penstock.store import Store

MODULE = "penstock.train.search.fold"


@dataclass(frozen=True)
class FoldJob:
    """What the process of a fold is told.

    rows      blob: two rows of positions in the training table, as `keep_rows` wrote them
    classes   of the target, in the order of the scores' columns
    parent    the process that it ends with; filled in by whoever starts it
    template  the socket of a process that can become this one; "" to start Python anew
    """

    recipe: Recipe
    rows: str
    classes: tuple[Any, ...]
    store: str
    code: str
    place: str
    template: str = ""
    parent: int = 0

    def to_json(self) -> dict[str, Any]:
        """The value as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FoldJob":
        """What `to_json` wrote."""
        return cls(**{**value, "recipe": Recipe.from_json(value["recipe"]), "classes": tuple(value["classes"])})


@dataclass(frozen=True)
class Answered:
    """What came of a fold: P(event), probabilities or values of the rows that were asked about, in their order."""

    scores: "npt.NDArray[Any]"
    seconds: float
    peak_memory_mb: float


def keep_rows(store: "Store", train: "npt.NDArray[Any]", valid: "npt.NDArray[Any]") -> str:
    """Keep the positions of a fold's rows; returns their digest."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, train=train, valid=valid)
    return store.put_bytes(buffer.getvalue())


def train_fold(job: Mapping[str, Any]) -> Answered:
    """Do a `FoldJob` in a process of its own, and return what its model answered. A task of the engine.

    Raises UserCodeError when fit raised, FunctionError when it cannot be called, Killed when a signal ended it.
    """
    told = FoldJob.from_json(job)
    place = Path(told.place)
    place.mkdir(parents=True, exist_ok=True)
    log = place / "log"
    code = ask_template(told.to_json(), Path(told.template), log=log) if told.template else None
    if code is None:
        (place / "job.json").write_text(json.dumps(replace(told, parent=os.getpid()).to_json()))
        code = run_child(MODULE, place / "job.json", directory=Path(told.code), log=log, threads=told.recipe.threads)
    return _answer(code, place)


def _answer(code: int, place: Path) -> Answered:
    import numpy as np

    report = place / "report.json"
    if report.exists():
        value = json.loads(report.read_text())
        if "error" in value:
            raise error_of(value["error"])
        return Answered(np.load(place / "scores.npy"), **value)
    if code < 0:
        raise Killed(f"the process of the fold was ended by {signal_name(code)}")
    raise PenstockError(f"the process of the fold ended with exit code {code} and no result")


# --- in the process ------------------------------------------------------------------------------


def main(arguments: list[str]) -> None:
    """Do the job in the file that is named; never returns."""
    job = FoldJob.from_json(json.loads(Path(arguments[0]).read_text()))
    die_with(job.parent)
    set_up_libraries(job.recipe.seed, deterministic=job.recipe.deterministic)
    perform(job)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # see penstock.train.worker


def perform(job: FoldJob) -> None:
    """Fit, ask, and write the report."""
    place = Path(job.place)
    try:
        report = _work(job, place)
    except BaseException as error:
        report = {"error": explained(error).as_dict()}
    draft = place / "report.tmp"
    draft.write_text(json.dumps(report))
    draft.replace(place / "report.json")


def _work(job: FoldJob, place: Path) -> dict[str, Any]:
    import io

    import numpy as np

    from penstock.bundle import Target, scores_of
    from penstock.data import load_train
    from penstock.store import Store

    store, recipe = Store.open(Path(job.store)), job.recipe
    rows = np.load(io.BytesIO(store.read_bytes(job.rows)))
    report = Reporter(Journal(place / JOURNAL))
    report_from_libraries(report)
    fit = load_fit(Path(job.code), recipe)
    X, y = load_train(store, recipe.tables.train)
    y = y.alias(recipe.target["column"])
    learned, asked = X[rows["train"]], X[rows["valid"]]
    seed_everything(recipe.seed)
    started = time.perf_counter()
    estimator = call_fit(fit, learned, y[rows["train"]], recipe, report)
    seconds = time.perf_counter() - started
    column, task, positive = (recipe.target[name] for name in ("column", "task", "positive"))
    target = Target(column, task, positive, job.classes)
    np.save(place / "scores.npy", scores_of(estimator, target, learned, asked))
    return {"seconds": seconds, "peak_memory_mb": getrusage(RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e6}


if __name__ == "__main__":
    main(sys.argv[1:])
