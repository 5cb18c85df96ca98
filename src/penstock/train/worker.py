"""The training process: `python -m penstock.train.worker JOB`.

Reads what it is told, calls the user's fit once with fixed seeds, seals what fit returned and writes
one report. It knows neither the ledger nor the project file.
"""

import inspect
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, Any

from penstock.errors import Conflict, PenstockError, UsageError, UserCodeError
from penstock.train.determinism import Entropy, seed_everything, set_up_libraries, unseeded_at
from penstock.train.environment.capture import capture, imported, summary
from penstock.train.launch import Job, Trained, read_job, write_report
from penstock.train.process import die_with
from penstock.train.recipe import Recipe
from penstock.train.signature import check_fit, takes_report
from penstock.train.tracking.hooks import report_from_libraries
from penstock.train.tracking.journal import Journal
from penstock.train.tracking.reporting import Reporter

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Draft, FeatureSet
    from penstock.project import Function
    from penstock.store import Store

_FILES = "fit works in a directory with the recorded sources only; declare what it reads under data.datasets"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, KiB elsewhere


def main(arguments: list[str]) -> None:
    """Do the job in the file that is named; never returns."""
    job = read_job(Path(arguments[0]))
    die_with(job.parent)
    write_report(Path(job.report), _answer(job))
    sys.stdout.flush()
    sys.stderr.flush()
    # The report is whole: a thread that the user's code left behind, or a library that crashes when it is
    # unloaded, changes nothing about it.
    os._exit(0)


def _answer(job: Job) -> Trained | PenstockError:
    try:
        return work(job)
    except BaseException as error:
        return explained(error)


def explained(error: BaseException) -> PenstockError:
    """What ended a training, as an error of ours; its traceback, of a user's error the user's, goes to the log."""
    if isinstance(error, MemoryError):
        return PenstockError("training ran out of memory", hint="train on fewer rows, or where there is more memory")
    traceback.print_exception(error.__cause__ if isinstance(error, UserCodeError) and error.__cause__ else error)
    if isinstance(error, PenstockError):
        return error
    return PenstockError(f"training stopped: {type(error).__name__}: {error}")


def work(job: Job) -> Trained:
    """Train and seal."""
    from penstock.bundle import seal
    from penstock.data import load_train
    from penstock.signing import load_signer
    from penstock.store import Store

    store, output = Store.open(Path(job.store)), Store.open(Path(job.output))
    libraries = set_up_libraries(job.recipe.seed, deterministic=job.recipe.deterministic)
    entropy = Entropy(Path(job.code))
    entropy.watch()
    journal = Journal(Path(job.journal))
    report = Reporter(journal)
    report_from_libraries(report)
    fit = load_fit(Path(job.code), job.recipe)
    X, y = load_train(store, job.recipe.tables.train)
    y = y.alias(job.recipe.target["column"])
    seed_everything(job.recipe.seed)
    started = time.perf_counter()
    estimator = call_fit(fit, X, y, job.recipe, report)
    seconds = time.perf_counter() - started
    if not journal.flush():
        sys.stdout.write("values of metrics are lost: the disk took nothing more\n")
    for place in entropy.places:
        sys.stdout.write(f"{unseeded_at(place)}\n")  # the log of the run
    environment = capture(output.put_bytes, libraries.applied)
    digest = output.put_json(environment)
    draft = _draft(job, store, estimator, X, y, {"digest": digest, **summary(environment)})
    try:
        sealed = seal(draft, output, load_signer(Path(job.signing_key)))
    except UsageError as error:  # what fit returned cannot be sealed
        error.where = error.where or fit.where
        raise
    peak = getrusage(RUSAGE_SELF).ru_maxrss * RSS_UNIT
    metrics = {"rows": X.height, "columns": X.width, "seconds": seconds, "peak_memory_mb": peak / 1e6}
    return Trained(
        bundle=sealed.digest,
        format=sealed.format,
        bytes=sealed.bytes,
        public_key=sealed.public_key,
        signature=sealed.signature,
        content_hash=sealed.content_hash,
        probe_hash=sealed.probe_hash,
        environment=digest,
        metrics={name: float(value) for name, value in metrics.items()},
        imported=imported(),
        entropy=entropy.places,
    )


def load_fit(code: Path, recipe: Recipe) -> "Function":
    """The user's fit, once it is sure that it can be called."""
    from penstock.bundle import provide
    from penstock.project import load_function

    provide()  # its module may import LightGBM
    fit = load_function(code, recipe.function)
    check_fit(inspect.signature(fit.call), recipe.params, reference=fit.reference, where=fit.where)
    return fit


def call_fit(fit: "Function", X: "pl.DataFrame", y: "pl.Series", recipe: Recipe, report: Reporter) -> Any:
    """The estimator that the user's fit returns. UserCodeError when it raises, or returns None."""
    from penstock.project import call

    asked = {"report": report} if takes_report(inspect.signature(fit.call)) else {}
    try:
        estimator = call(fit, X, y, seed=recipe.seed, **asked, **recipe.params)
    except UserCodeError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            error.hint = _FILES
        raise
    except UsageError as error:  # of what it reported
        error.where = error.where or fit.where
        raise
    if estimator is None:
        raise UserCodeError(f"{fit.reference} returned None", where=fit.where, expected="a fitted estimator")
    return estimator


def _draft(
    job: Job, store: "Store", estimator: Any, X: "pl.DataFrame", y: "pl.Series", environment: Mapping[str, Any]
) -> "Draft":
    """Everything that the bundle holds. A class that only the holdout has is a class too."""
    import polars as pl

    from penstock.bundle import Draft, Target, classes_of
    from penstock.data import load_holdout
    from penstock.project import project_sources

    recipe = job.recipe
    features = _features(job)
    column, task, positive = (recipe.target[name] for name in ("column", "task", "positive"))
    _, held_out = load_holdout(store, recipe.tables.holdout, column)
    return Draft(
        model=recipe.model,
        estimator=estimator,
        target=Target(column, task, positive, classes_of(pl.concat([y, held_out]), task, positive)),
        features=features,
        requests=_requests(store, recipe, features),
        vectors=X,
        threshold=recipe.threshold,
        views={name: store.scan(commit).collect() for name, commit in recipe.tables.views.items()},
        sources=project_sources(Path(job.code), [view.function for view in features.spec.views]),
        environment=environment,
        lineage={
            "run": job.run,
            "function": recipe.function,
            "params": recipe.params,
            "seed": recipe.seed,
            "data": recipe.data,
            "code": recipe.code,
            "git_commit": recipe.git_commit,
        },
    )


def _requests(store: "Store", recipe: Recipe, features: "FeatureSet") -> "pl.DataFrame":
    """What requests look like: those of all examples, since X may hold nothing of them."""
    examples = store.manifest(recipe.tables.train).notes["examples"]
    return store.scan(examples).select(name for name, _ in features.spec.request).collect()


def _features(job: Job) -> "FeatureSet":
    """The features with the recorded code, which must be the code that the tables were computed with."""
    from penstock.bundle import FeatureSet, FeatureSpec

    features = FeatureSet.load(FeatureSpec.from_json(job.recipe.features), Path(job.code))
    for view in features.spec.views:
        if features.functions[view.name].code != view.code:
            what = f"the code of feature view {view.name!r} was changed after the training set was made"
            raise Conflict(what, where=view.function, hint="penstock run")
    return features


if __name__ == "__main__":
    main(sys.argv[1:])
