"""The folds of a search on the nodes of a cluster, which need not see this machine's disk.

run_search(plan, ledger, store, folds_in(pool, store), judge, home=...)
"""

import shutil
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engine.pool import Distant, Pool
from penstock.ids import new_id
from penstock.project import Resources
from penstock.store import Store
from penstock.train.cluster.asking import needed_by_fit
from penstock.train.cluster.node import TOKEN, fetch, node_home, pieces_of, sees
from penstock.train.code import unpack
from penstock.train.search.fold import Answered, FoldJob, train_fold

if TYPE_CHECKING:
    from penstock.train.search.search import Pool as Tasks

_FUNCTION = "penstock.train.cluster.folds:fold_on_node"


def folds_in(pool: Pool, store: Store) -> "Tasks":
    """The pool as a search uses it: one of a cluster sends folds what they need."""
    return _Folds(pool, store) if isinstance(pool, Distant) else pool


class _Folds:
    """Asks nodes for folds, again with what they lack."""

    def __init__(self, pool: Distant, store: Store) -> None:
        self._pool = pool
        self._store = store

    def submit(
        self, function: str, argument: Mapping[str, Any], *, resources: Resources | None = None
    ) -> "Future[Any]":
        """Have the fold of `argument`, a FoldJob as JSON, done on a node."""
        job = FoldJob.from_json(argument)
        Path(job.place).mkdir(parents=True, exist_ok=True)
        (Path(job.place) / TOKEN).write_text(token := new_id())
        asked = {"job": dict(argument), "token": token, "blobs": [job.rows, *needed_by_fit(self._store, job.recipe)]}
        answer: Future[Any] = Future()
        self._ask(asked, resources, answer)
        return answer

    def _ask(self, asked: Mapping[str, Any], resources: Resources | None, answer: "Future[Any]") -> None:
        known = self._pool.handles
        handles = {digest: known[digest] for digest in asked["blobs"] if digest in known}
        future = self._pool.submit(_FUNCTION, {**asked, "handles": handles}, resources=resources)
        future.add_done_callback(lambda done: self._heed(done, asked, resources, answer))

    def _heed(
        self, done: "Future[Any]", asked: Mapping[str, Any], resources: Resources | None, answer: "Future[Any]"
    ) -> None:
        try:
            lacking, answered, log = done.result()
            if lacking:
                for digest in lacking:
                    self._pool.handles[digest] = [self._pool.put(piece) for piece in pieces_of(self._store, digest)]
                self._ask(asked, resources, answer)
                return
            if log:
                (Path(asked["job"]["place"]) / "log").write_bytes(log)
            answer.set_result(answered) if isinstance(answered, Answered) else answer.set_exception(answered)
        except (Exception, CancelledError) as error:
            answer.set_exception(error)


def fold_on_node(argument: Mapping[str, Any]) -> tuple[list[str], Answered | Exception | None, bytes]:
    """A task of the engine: what the node lacks, or what came of the fold, and what it printed if that is sent."""
    job = FoldJob.from_json(argument["job"])
    if sees(Path(job.place), argument["token"]):
        return [], train_fold(argument["job"]), b""
    home = node_home()
    store = Store.open(home / "store")
    lacking = [digest for digest in argument["blobs"] if not store.blobs.keep(digest)]
    if unsent := [digest for digest in lacking if digest not in argument["handles"]]:
        return unsent, None, b""
    for digest in lacking:
        fetch(store, digest, argument["handles"][digest])
    place = home / "runs" / new_id()
    try:
        return [], *_fold(job, store, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _fold(job: FoldJob, store: Store, place: Path) -> tuple[Answered | Exception, bytes]:
    code = place / "code"
    code.mkdir(parents=True)
    unpack(store, job.recipe.code, code)
    here = replace(job, store=str(store.blobs.root.resolve()), code=str(code), place=str(place))
    answered: Answered | Exception
    try:
        answered = train_fold(here.to_json())
    except Exception as error:
        answered = error
    log = place / "log"
    return answered, log.read_bytes().replace(f"{code}/".encode(), b"") if log.exists() else b""
