import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.ids import new_id
from penstock.ledger import Artifact, Cursor, Edge, Ledger, Metric, MetricPoint, Param, Run, Tag
from penstock.train.tracking.delivery import deliver, deliver_pending, remove
from penstock.train.tracking.journal import (
    SUFFIX,
    Attached,
    Context,
    Ended,
    Entry,
    File,
    Journal,
    Params,
    Started,
    Tags,
    Used,
    Values,
)

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "runs" / new_id()
    place.mkdir(parents=True)
    return place


def started(place: Path, **more: object) -> Started:
    fields = {
        "id": place.name, "number": 0, "status": "running", "key": "", "function": "cell", "params": {}, "seed": 0,
        "data": {}, "features": {}, "code": "", "git_commit": None, "patch": None, "environment": "", "host": {},
        "pid": 1, "started_at": AT, "kind": "tracked",
    }  # fmt: skip
    return Started({**fields, **more})


def value(number: float, step: int = 1) -> Values:
    return Values([("loss", number, step, AT)])


def write(place: Path, *entries: Entry, name: str = "a") -> Journal:
    journal = Journal(place / f"{name}{SUFFIX}")
    for entry in entries:
        journal.append(entry)
    return journal


def points(ledger: Ledger) -> list[float]:
    with ledger.read() as reader:
        return [point.value for point in reader.find(MetricPoint, order_by="number")]


def run_of(ledger: Ledger) -> Run:
    with ledger.read() as reader:
        (run,) = reader.find(Run)
    return run


def test_a_whole_run_is_in_the_ledger_without_a_cursor(ledger: Ledger, place: Path) -> None:
    write(
        place, started(place, params={"depth": 3}), value(0.5, 1), value(0.25, 2), Params({"rate": 0.1}),
        Tags({"team": "growth"}), File("notes.txt", "d" * 64, 3), Used("flights", "c" * 64),
        Context({"code": "e" * 64, "environment": "f" * 64}), Ended("failed", AT, "no more"),
    )  # fmt: skip
    deliver(ledger, place)
    deliver(ledger, place)
    run = run_of(ledger)
    assert (run.number, run.status, run.error, run.finished_at) == (1, "failed", "no more", AT)
    assert (run.params, run.data) == ({"depth": 3, "rate": 0.1}, {"flights": "c" * 64})
    assert (run.code, run.environment) == ("e" * 64, "f" * 64)
    assert points(ledger) == [0.5, 0.25]
    with ledger.read() as reader:
        assert {each.name: each.number for each in reader.find(Param)} == {"depth": 3, "rate": 0.1}
        assert [(each.name, each.value) for each in reader.find(Tag)] == [("team", "growth")]
        assert [each.name for each in reader.find(Artifact)] == ["notes.txt"]
        assert [(each.value, each.low, each.n) for each in reader.find(Metric)] == [(0.25, 0.25, 2)]
        assert {each.role for each in reader.find(Edge, target=f"run:{run.id}")} == {"flights", "code", "environment"}
        assert reader.find(Cursor) == []


def test_each_entry_is_delivered_once_however_often_it_is_asked_for(ledger: Ledger, place: Path) -> None:
    journal = write(place, started(place), value(1))
    for number in (2, 3, 4):
        deliver(ledger, place)
        journal.append(value(number))
        deliver(ledger, place)
    assert points(ledger) == [1, 2, 3, 4]
    remove(ledger, place)
    assert not place.exists()
    with ledger.read() as reader:
        assert reader.find(Cursor) == []


def test_who_delivers_at_the_same_time_delivers_once(ledger: Ledger, place: Path) -> None:
    journal = write(place, started(place))
    stop = threading.Event()

    def keep_delivering() -> None:
        while not stop.is_set():
            deliver(ledger, place)

    threads = [threading.Thread(target=keep_delivering) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(300):
        journal.append(value(number, number))
    journal.append(Ended("finished", AT))
    stop.set()
    for thread in threads:
        thread.join()
    deliver(ledger, place)
    assert points(ledger) == list(range(300))
    assert run_of(ledger).status == "finished"


def test_what_another_process_logs_waits_for_the_run(ledger: Ledger, place: Path) -> None:
    write(place, Attached(1, {}), value(2), name="0")
    deliver(ledger, place)
    assert points(ledger) == []
    write(place, started(place), value(1), name="1")
    deliver(ledger, place)
    deliver(ledger, place)
    assert sorted(points(ledger)) == [1, 2]


def test_what_was_removed_while_it_was_read_is_not_delivered_again(
    ledger: Ledger, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process delivers and removes the journal between our reading of it and our turn to write."""
    from penstock.train.tracking import delivery

    write(place, started(place), value(1))

    def read_slowly(path: Path, start: int = 0) -> tuple[list[Entry], int]:
        found = read(path, start)
        monkeypatch.undo()
        deliver(ledger, place)
        remove(ledger, place)
        return found

    read = delivery.read_journal
    monkeypatch.setattr(delivery, "read_journal", read_slowly)
    deliver(ledger, place)
    assert points(ledger) == [1]


def test_entries_that_no_disk_took_are_delivered_from_memory(ledger: Ledger, place: Path) -> None:
    deliver_pending(ledger, place.name, [started(place), value(1), Ended("finished", AT)])
    deliver_pending(ledger, place.name, [])
    assert points(ledger) == [1]
    assert run_of(ledger).status == "finished"
