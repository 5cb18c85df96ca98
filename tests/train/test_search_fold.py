import os
import signal
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from train.search_toy import FIT, Desk, desk

from penstock.errors import Killed, UserCodeError
from penstock.train.code import unpack
from penstock.train.search.fold import Answered, FoldJob, keep_rows, train_fold
from penstock.train.search.template import needed_modules, template


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk(tmp_path_factory.mktemp("fold"))


def job(here: Desk, place: Path, socket: Path | None = None, code: str | None = None, **params: object) -> FoldJob:
    plan = here.plan({"space": {"weight": {"min": 1, "max": 2}}}, params=params, code=code)
    recipe = replace(plan.recipes["everything"], params=params)
    unpack(here.store, recipe.code, place / "code")
    rows = keep_rows(here.store, plan.folds[0].train, plan.folds[0].valid)
    store = str(here.store.blobs.root)
    return FoldJob(recipe, rows, (False, True), store, str(place / "code"), str(place / "fold"), str(socket or ""))


def done(told: FoldJob) -> Answered:
    found = train_fold(told.to_json())
    assert isinstance(found, Answered)
    return found


def test_a_fold_is_the_same_in_a_python_of_its_own_and_as_a_fork(here: Desk, tmp_path: Path) -> None:
    alone = done(job(here, tmp_path / "alone", weight=3.0))
    with template((), seed=7, threads=1, deterministic=True) as socket:
        forked = [done(job(here, tmp_path / f"{number}", socket, weight=3.0)) for number in range(3)]
    assert alone.scores.shape == (80,)
    for each in forked:
        assert np.array_equal(each.scores, alone.scores)  # the model draws from NumPy: the seeds are the same too
    assert (tmp_path / "0" / "fold" / "log").read_text() == "fitting 160 3.0\n"


def test_the_fit_of_scikit_learn_is_the_same_in_both(here: Desk, tmp_path: Path) -> None:
    text = (
        "from sklearn.ensemble import RandomForestClassifier\n\n\ndef fit(X, y, *, seed, trees=5):\n"
        "    return RandomForestClassifier(trees, random_state=seed, n_jobs=2).fit(X.to_numpy(), y.to_numpy())\n"
    )
    code = here.with_fit(text)
    alone = done(job(here, tmp_path / "alone", code=code, trees=7))
    modules = needed_modules([here.root / "pipeline.py"])
    with template(modules, seed=7, threads=1, deterministic=True) as socket:
        forked = done(job(here, tmp_path / "fork", socket, code=code, trees=7))
    assert modules == ("sklearn.ensemble",)
    assert np.array_equal(alone.scores, forked.scores)


@pytest.mark.parametrize("warm", [False, True])
def test_what_goes_wrong_is_told_as_it_is_of_a_training(here: Desk, tmp_path: Path, warm: bool) -> None:
    code = here.with_fit(FIT)
    with template((), seed=7, threads=1, deterministic=True) as socket:
        asked = socket if warm else None
        with pytest.raises(UserCodeError, match="as it was told to") as raised:
            done(job(here, tmp_path / "raise", asked, code, crash=True))
        with pytest.raises(Killed, match="SIGKILL"):
            done(job(here, tmp_path / "kill", asked, code, kind="killed"))
    assert str(raised.value.where).startswith("pipeline.py:")
    assert "Traceback" in (tmp_path / "raise" / "fold" / "log").read_text()


def test_when_the_template_has_died_python_is_started(here: Desk, tmp_path: Path) -> None:
    code = here.with_fit(FIT)
    with template((), seed=7, threads=1, deterministic=True) as socket:
        assert socket
        done(job(here, tmp_path / "first", socket, code, weight=2.0))
        os.kill(_template_of(os.getpid()), signal.SIGKILL)
        assert done(job(here, tmp_path / "second", socket, code, weight=2.0)).scores.shape == (80,)


def test_a_fold_ends_with_the_template_and_is_not_begun_again(here: Desk, tmp_path: Path) -> None:
    code = here.with_fit(
        FIT.replace('print("fitting"', 'print(os.getpid(), flush=True); __import__("time").sleep(60); print("fitting"')
    )
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            done(job(here, tmp_path / "long", socket, code))
        except CancelledError as error:
            ended.append(error)

    log = tmp_path / "long" / "fold" / "log"
    with template((), seed=7, threads=1, deterministic=True) as socket:
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not (log.exists() and log.read_text().endswith("\n")):
            time.sleep(0.02)
    waiting.join()
    assert len(ended) == 1
    process = int(log.read_text())
    while Path(f"/proc/{process}").exists() and "Z" not in Path(f"/proc/{process}/stat").read_text().split()[2]:
        time.sleep(0.02)  # the kernel ends it with its parent


def _template_of(parent: int) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if b"search.template" in path.read_bytes() and f"PPid:\t{parent}\n" in (path.parent / "status").read_text():
            return int(path.parent.name)
    raise AssertionError("there is no template")
