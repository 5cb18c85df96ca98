"""Runs: a training and everything that went into it and came out of it, in the ledger.

A run is written twice: when it starts, so that a killed one is seen, and when it ends, with what it
made, in one transaction. In between nothing is held open.
"""

import os
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import FunctionError, Killed, PenstockError, Pruned, UsageError
from penstock.ids import new_id
from penstock.ledger import Artifact, Point, Run, SealedBundle, add_points, node, utc_now
from penstock.train.code import Code, snapshot
from penstock.train.containers.lock import lock_of
from penstock.train.containers.tool import find_image
from penstock.train.environment.capture import host
from penstock.train.environment.locking import LOCK, WHEELS, Locked, locking
from penstock.train.launch import Trained, read_log
from penstock.train.params import param_of
from penstock.train.process import Progress, is_gone
from penstock.train.recipe import Recipe, Tables
from penstock.train.signature import check_fit, written_signature

if TYPE_CHECKING:
    from penstock.bundle import FeatureSpec
    from penstock.ledger import Ledger, Reader, Transaction
    from penstock.project import ProjectFile, Target, Train
    from penstock.store import Store
    from penstock.train.tracking.live import OnValues

RECIPE = "recipe.json"  # the artifact that a run can be repeated from
IMPORTED = "imported.json"  # names of the distributions that the training loaded


@dataclass(frozen=True)
class RunResult:
    """A finished run and the bundle that it made."""

    run: Run
    bundle: str
    metrics: Mapping[str, float]


def train(
    project: "ProjectFile",
    ledger: "Ledger",
    store: "Store",
    *,
    key: str,
    tables: Tables,
    data: Mapping[str, str],
    features: "FeatureSpec",
    threshold: float | None = None,
    objective: str | None = None,
    progress: Progress | None = None,
    on_values: "OnValues | None" = None,
) -> RunResult:
    """Train once, in a fresh process, and record it as a run.

    key        of the execution: the same inputs have the same key
    data       dataset -> commit: what `tables` were made from
    objective  digest of the objective that the run serves
    progress   called with each line that the training prints
    on_values  called with each batch of values that it reports, as they come; True ends the training

    Raises FunctionError before anything is recorded when fit cannot be called with `train.params`, PenstockError
    when the engine cannot be reached, UsageError when it has not what `train.resources` asks for. Further
    UserCodeError when it raised, Pruned when `on_values` ended it, PenstockError when its process was killed;
    the run then says so, and has the values that were reported until then.
    """
    from penstock.train.cluster.asking import launch_in, room_for
    from penstock.train.tracking.delivery import deliver, remove
    from penstock.train.tracking.live import follow

    check_training(project)
    section, _ = _sections(project)
    image = _image(project)
    with room_for(project.config.engine, section.resources, threads=section.threads) as room:
        reap(ledger, store, project.home)
        code = snapshot(project.root, _references(project, features), store)
        recipe = _recipe(project, tables, data, features, threshold, code)
        identifier = new_id()
        place = project.home / "runs" / identifier
        run = _begin(ledger, _started(identifier, key, recipe, code, features, place, image))
        try:
            with _locking(project, ledger, store, image) as locked:
                trained = launch_in(
                    room,
                    recipe,
                    run=run.id,
                    store=store,
                    signing_key=project.signing_key,
                    place=place,
                    progress=progress,
                    watch=follow(ledger, place, on_values),
                    image=image["id"] if image else None,
                )
                lock = locked.result()
            deliver(ledger, place)
            finished = _finish(ledger, store, run, recipe, trained, place, objective, lock)
        except BaseException as error:
            if isinstance(error, PenstockError):
                error.hint = error.hint or f"penstock train log {run.number}"
            _give_up(ledger, store, run, place, error)
            raise
        finally:
            remove(ledger, place)
    return RunResult(finished, trained.bundle, trained.metrics)


def check_training(project: "ProjectFile") -> None:
    """FunctionError when `train.function` is not there or cannot be called with `train.params`.

    Reads the source text only; a function that is not a plain `def` is checked in its own process.
    """
    section, _ = _sections(project)
    module, _, name = section.function.partition(":")
    source = project.root.joinpath(*module.split(".")).with_suffix(".py")
    if not source.is_file():
        return
    file = source.relative_to(project.root)
    try:
        found = written_signature(source, name)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise FunctionError(f"not Python: {getattr(error, 'msg', None) or error}", where=f"{file}:{line}") from None
    if found:
        signature, line = found
        check_fit(signature, section.params, reference=section.function, where=f"{file}:{line}")


def _sections(project: "ProjectFile") -> "tuple[Train, Target]":
    section, objective = project.config.train, project.config.objective
    if section is None or objective is None:
        lacking = "train" if section is None else "objective"
        raise UsageError(f"the project has no `{lacking}` section", where=project.path.name, hint=f"add `{lacking}:`")
    return section, objective.target


def _references(project: "ProjectFile", features: "FeatureSpec") -> list[str]:
    section, _ = _sections(project)
    return [section.function, *(view.function for view in features.views)]


def _recipe(
    project: "ProjectFile",
    tables: Tables,
    data: Mapping[str, str],
    features: "FeatureSpec",
    threshold: float | None,
    code: Code,
) -> Recipe:
    section, target = _sections(project)
    return Recipe(
        model=project.config.name,
        function=section.function,
        params=section.params,
        seed=section.seed,
        threads=section.threads,
        target=target.model_dump(mode="json"),
        threshold=threshold,
        features=features.to_json(),
        tables=tables,
        data=dict(data),
        code=code.digest,
        git_commit=code.commit,
        deterministic=section.deterministic,
    )


def _image(project: "ProjectFile") -> dict[str, str] | None:
    """The image to train in, if one is asked for."""
    section, _ = _sections(project)
    return {"name": section.image, "id": find_image(section.image)[1]} if section.image else None


def _locking(
    project: "ProjectFile", ledger: "Ledger", store: "Store", image: Mapping[str, str] | None
) -> "AbstractContextManager[Future[Locked | None]]":
    """The lock of what trains: of the image, or of the environment at hand."""
    if image is None:
        return locking(project.home)
    known: Future[Locked | None] = Future()
    with ledger.read() as reader:
        known.set_result(lock_of(reader, store, image["id"]))
    return nullcontext(known)


def _started(
    identifier: str,
    key: str,
    recipe: Recipe,
    code: Code,
    features: "FeatureSpec",
    place: Path,
    image: Mapping[str, str] | None,
) -> Run:
    return Run(
        id=identifier,
        number=0,
        status="running",
        key=key,
        function=recipe.function,
        params=recipe.params,
        seed=recipe.seed,
        data=recipe.data,
        features={view.name: view.digest for view in features.views},
        code=code.digest,
        git_commit=code.commit,
        patch=code.patch,
        environment="",
        host={**host(), "directory": str(place), **({"image": image} if image else {})},
        pid=os.getpid(),
        started_at=utc_now(),
    )


def _begin(ledger: "Ledger", run: Run) -> Run:
    """Record a run that starts, under the next number."""
    with ledger.write() as transaction:
        last = transaction.find(Run, order_by="-number", limit=1)
        numbered = run._replace(number=last[0].number + 1 if last else 1)
        transaction.add(numbered, *(param_of(run.id, name, value) for name, value in run.params.items()))
    return numbered


def _finish(
    ledger: "Ledger",
    store: "Store",
    run: Run,
    recipe: Recipe,
    trained: Trained,
    place: Path,
    objective: str | None,
    lock: Locked | None,
) -> Run:
    """Record what a run made, all of it or nothing."""
    results = {
        **_ending(store, place, "finished"),
        "bundle": trained.bundle,
        "content_hash": trained.content_hash,
        "probe_hash": trained.probe_hash,
        "environment": trained.environment,
        "host": {**run.host, "node": trained.node} if trained.node else run.host,
    }
    finished = run._replace(**results)
    kept = {RECIPE: store.put_json(recipe.to_json()), IMPORTED: store.put_json(list(trained.imported))}
    if lock is not None:
        kept[LOCK] = store.put_bytes(lock.text.encode())
        kept |= {f"{WHEELS}{name}": store.put_bytes(wheel) for name, wheel in lock.wheels.items()}
    with ledger.write() as transaction:
        transaction.change(Run, {"id": run.id}, **results)
        transaction.add(_sealed(finished, trained))
        add_points(
            transaction, run.id, [Point(name, value, 0, _ended(finished)) for name, value in trained.metrics.items()]
        )
        transaction.add(*(Artifact(run.id, name, blob, store.blobs.size(blob)) for name, blob in kept.items()))
        _link(transaction, finished, objective)
    return finished


def _give_up(ledger: "Ledger", store: "Store", run: Run, place: Path, error: BaseException) -> None:
    """Record that a run has no result; nothing if it has one."""
    from penstock.train.tracking.delivery import deliver

    status = "pruned" if isinstance(error, Pruned) else "failed"
    if isinstance(error, Killed) or not isinstance(error, Exception):
        status = "killed"
    reason = (
        str(error) if isinstance(error, PenstockError) else f"training was given up: {type(error).__name__} {error}"
    )
    ending = _ending(store, place, status, reason.strip())
    deliver(ledger, place)
    with ledger.write() as transaction:
        transaction.change(Run, {"id": run.id}, expect={"status": "running"}, **ending)


def _ending(store: "Store", place: Path, status: str, error: str | None = None) -> dict[str, Any]:
    """The fields of a run that ended now."""
    log = read_log(place)
    kept = store.put_bytes(log) if log else None
    return {"status": status, "finished_at": utc_now(), "log": kept, "error": error}


def _sealed(run: Run, trained: Trained) -> SealedBundle:
    return SealedBundle(
        digest=trained.bundle,
        run=run.id,
        format=trained.format,
        bytes=trained.bytes,
        public_key=trained.public_key,
        signature=trained.signature,
        created_at=_ended(run),
    )


def _ended(run: Run) -> datetime:
    return run.finished_at or utc_now()


def _link(transaction: "Transaction", run: Run, objective: str | None) -> None:
    here = node("run", run.id)
    for dataset, commit in run.data.items():
        transaction.link(node("data", commit), here, dataset)
    transaction.link(node("code", run.code), here, "code")
    transaction.link(node("environment", run.environment), here, "environment")
    if image := run.host.get("image"):
        transaction.link(node("image", image["id"]), here, "image")
    if objective:
        transaction.link(node("objective", objective), here, "objective")
    transaction.link(here, node("bundle", run.bundle or ""), "sealed")


def reap(ledger: "Ledger", store: "Store", home: Path | None = None) -> tuple[Run, ...]:
    """Mark runs whose process is gone as killed, keep what they printed, and return them.

    Tracked runs that have left journals in `home` before the ledger knew all of it are delivered first. A run of
    another machine or container is left alone: only there it can be told.
    """
    left = _deliver_left(ledger, home) if home else ()
    with ledger.read() as reader:
        running = reader.find(Run, status="running")
    ended = [_mark_killed(ledger, store, run) for run in running if is_gone(run.pid, run.host)]
    for place in left:
        _settle(ledger, place)
    return tuple(run for run in ended if run)


def _deliver_left(ledger: "Ledger", home: Path) -> tuple[Path, ...]:
    if not any((home / "runs").glob("*")):
        return ()
    from penstock.train.tracking.delivery import deliver_left

    return deliver_left(ledger, home)


def _settle(ledger: "Ledger", place: Path) -> None:
    from penstock.train.tracking.delivery import settle

    settle(ledger, place)


def _mark_killed(ledger: "Ledger", store: "Store", run: Run) -> Run | None:
    """The run as it is now; None when it has come to an end of its own meanwhile."""
    from penstock.train.tracking.delivery import deliver, remove, settle

    place = Path(run.host["directory"])
    ending = _ending(store, place, "killed", f"its process {run.pid} ended before the run did")
    deliver(ledger, place)
    with ledger.write() as transaction:
        marked = transaction.change(Run, {"id": run.id}, expect={"status": "running"}, **ending)
    if not marked:
        return None
    (settle if run.kind == "tracked" else remove)(ledger, place)
    return run._replace(**ending)


def find_run(reader: "Reader", name: str) -> Run:
    """The run that `name` means: its number, or the beginning of its id. UsageError if none or several."""
    number = name.isascii() and name.isdecimal() and len(name) < 19  # more is no number of a ledger
    if number and (numbered := reader.find(Run, number=int(name), limit=1)):
        return numbered[0]
    found = reader.starting(Run, "id", name.lower())
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"several runs begin with {name!r}", expected="more characters of the id, or the number")
    expected = "a run's number, or the beginning of its id"
    raise UsageError(f"there is no run {name!r}", expected=expected, hint="penstock train runs")
