import multiprocessing
import time
from pathlib import Path

import pytest

from penstock.engine import Step, run_step, step_key
from penstock.errors import UserCodeError
from penstock.ledger import Execution, Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


def counting(calls: list[str], **inputs: object) -> Step:
    def work() -> dict[str, str]:
        calls.append("worked")
        return {"commit": f"c{len(calls)}"}

    return Step("transform", inputs, work)


def test_the_same_inputs_are_worked_on_once(ledger: Ledger) -> None:
    calls: list[str] = []
    first = run_step(ledger, counting(calls, data="a", params={"depth": 3}))
    again = run_step(ledger, counting(calls, params={"depth": 3}, data="a"))
    assert calls == ["worked"]
    assert (first.cached, again.cached) == (False, True)
    assert again.outputs == first.outputs == {"commit": "c1"}
    assert again.key == first.key


def test_why_names_what_changed(ledger: Ledger) -> None:
    calls: list[str] = []
    assert run_step(ledger, counting(calls, data="a" * 64, params={"depth": 3})).why == "first run"
    assert (
        run_step(ledger, counting(calls, data="b" * 64, params={"depth": 4})).why == "data changed, params.depth 3 → 4"
    )
    changed = run_step(ledger, counting(calls, data="b" * 64, params={"rate": 0.1}))
    assert changed.why == "params.depth removed, params.rate added"


def test_many_changes_of_one_input_are_counted(ledger: Ledger) -> None:
    calls: list[str] = []
    run_step(ledger, counting(calls, seed=1, libraries={f"lib{i}": "1.0" for i in range(30)}))
    again = run_step(ledger, counting(calls, seed=2, libraries={"image": "churn"}))
    assert again.why == "libraries: 31 changes, seed 1 → 2"


def test_why_is_told_against_what_was_the_most_alike(ledger: Ledger) -> None:
    calls: list[str] = []
    for params in ({"a": 1, "b": 1}, {"a": 2, "b": 2}):
        run_step(ledger, counting(calls, params=params))
    assert run_step(ledger, counting(calls, params={"a": 1, "b": 3})).why == "params.b 1 → 3"


def test_going_back_finds_the_old_result(ledger: Ledger) -> None:
    calls: list[str] = []
    outcomes = [run_step(ledger, counting(calls, data=data)) for data in "aba"]
    assert [outcome.outputs["commit"] for outcome in outcomes] == ["c1", "c2", "c1"]


def test_the_name_of_a_step_is_part_of_its_key() -> None:
    assert step_key("a", {"x": 1}) != step_key("b", {"x": 1})


def test_failed_work_is_not_remembered(ledger: Ledger) -> None:
    def fails() -> dict[str, str]:
        raise UserCodeError("no")

    with pytest.raises(UserCodeError):
        run_step(ledger, Step("transform", {"data": "a"}, fails))
    with ledger.read() as reader:
        assert reader.count(Execution) == 0
    calls: list[str] = []
    assert not run_step(ledger, counting(calls, data="a")).cached


def _work_slowly(url: str, directory: str, barrier: object) -> None:
    ledger = Ledger.open(url)

    def work() -> dict[str, str]:
        with (Path(directory) / "worked").open("a") as file:
            file.write("once\n")
        time.sleep(0.5)
        return {"commit": "c"}

    barrier.wait()  # type: ignore[attr-defined]
    assert run_step(ledger, Step("train", {"data": "a"}, work)).outputs == {"commit": "c"}


def test_processes_that_want_the_same_step_wait_for_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    url = f"sqlite:///{tmp_path}/ledger.db"
    processes = [context.Process(target=_work_slowly, args=(url, str(tmp_path), barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "worked").read_text() == "once\n"
