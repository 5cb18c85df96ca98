"""The prediction log: whole records or none, and damage that is named."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.ids import new_id
from penstock.serve.log import FeedbackRecord, LogError, PredictionRecord, SegmentLog, read_segment, read_segments


def prediction(**change: Any) -> PredictionRecord:
    plain: dict[str, Any] = {
        "id": new_id(),
        "at": datetime(2025, 4, 1, 12, 30, 0, 123456, tzinfo=UTC),
        "endpoint": "flight-delay",
        "model": "flight-delay@3",
        "number": 3,
        "bundle": "ab" * 32,
        "generation": 5,
        "role": "champion",
        "key": "2013-1",
        "request": {"carrier": "UA", "distance": 1400, "wind": None},
        "vector": {"carrier": "UA", "distance": 1400.0, "wind": float("inf")},
        "score": 0.31,
        "label": True,
        "latency_us": 812,
    }
    return PredictionRecord(**{**plain, **change})


def feedback(n: int = 0) -> FeedbackRecord:
    return FeedbackRecord(id=new_id(), at=datetime(2025, 4, 1, tzinfo=UTC), endpoint="e", key=n, label="x")


def all_records(directory: Path, kind: Any = "predictions") -> list[Any]:
    return [record for read in read_segments(directory, kind) for record in read.records]


def only_segment(directory: Path) -> Path:
    (path,) = directory.glob("*.log")
    return path


def test_records_round_trip(tmp_path: Path) -> None:
    written = [prediction(), prediction(score=None, probabilities={"a": 0.2, "b": 0.8}, label="b", key=None)]
    log = SegmentLog(tmp_path, "predictions")

    log.append(written)

    assert all_records(tmp_path) == written
    assert log.written == only_segment(tmp_path).stat().st_size


def test_kinds_do_not_mix(tmp_path: Path) -> None:
    SegmentLog(tmp_path, "predictions").append([prediction()])
    SegmentLog(tmp_path, "feedback").append([feedback()])

    assert len(all_records(tmp_path)) == len(all_records(tmp_path, "feedback")) == 1


def test_nothing_logged_is_nothing_read(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "log", "predictions")
    assert list(read_segments(tmp_path / "log", "predictions")) == []
    log.close()
    assert list((tmp_path / "log").iterdir()) == []


def test_segments_rotate_by_size_and_keep_the_order(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", segment_bytes=500)
    for n in range(30):
        log.append([feedback(n)])

    paths = list(tmp_path.glob("*.log"))
    assert len(paths) > 5
    assert all(path.stat().st_size <= 500 for path in paths)
    assert [record.key for record in all_records(tmp_path, "feedback")] == list(range(30))


def test_a_batch_larger_than_a_segment_is_one_segment(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", segment_bytes=10)
    log.append([feedback(n) for n in range(10)])
    assert len(all_records(tmp_path, "feedback")) == 10
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_a_cursor_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", segment_bytes=300)
    cursor: dict[str, int] = {}
    seen: list[int] = []
    for n in range(12):
        log.append([feedback(n)])
        if n % 3 == 0:
            for read in read_segments(tmp_path, "feedback", cursor):
                seen += [record.key for record in read.records if isinstance(record, FeedbackRecord)]
                cursor[read.segment] = read.end
    assert seen == list(range(10))


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A segment of five equally long frames."""
    directory = tmp_path_factory.mktemp("five")
    SegmentLog(directory, "feedback").append([feedback(n) for n in range(5)])
    return only_segment(directory).read_bytes()


def segment(directory: Path, data: bytes) -> Path:
    path = directory / "feedback-20250101T000000000000-1.log"
    path.write_bytes(data)
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_torn_tail_is_cut_and_the_rest_stays(tmp_path: Path, five: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(five) - 1))

    read = read_segment(segment(tmp_path, five[:cut]), "feedback")

    complete = cut // (len(five) // 5)
    assert [record.key for record in read.records] == list(range(complete))
    assert read.end == complete * (len(five) // 5)
    assert read.damaged == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_costs_its_record_only_and_is_named(tmp_path: Path, five: bytes, data: st.DataObject) -> None:
    size = len(five) // 5
    place = data.draw(st.integers(0, 4 * size - 1))  # in the last frame a longer length reads as a torn tail
    raw = bytearray(five)
    raw[place] ^= data.draw(st.integers(1, 255))
    path = segment(tmp_path, bytes(raw))

    read = read_segment(path, "feedback")

    hurt = place // size
    assert [record.key for record in read.records] == [n for n in range(5) if n != hurt]
    assert [damage.where for damage in read.damaged] == [f"{path}:{hurt * size}"]
    assert read.end == len(five)


def test_later_segments_are_readable_behind_a_damaged_one(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", segment_bytes=10)
    for n in range(3):
        log.append([feedback(n)])
    first = min(tmp_path.glob("*.log"))
    raw = bytearray(first.read_bytes())
    raw[-1] ^= 1
    first.write_bytes(raw)

    reads = list(read_segments(tmp_path, "feedback"))

    assert [len(read.records) for read in reads] == [0, 1, 1]
    assert str(first) in str(reads[0].damaged[0])
    assert reads[0].end == len(raw)


def test_a_record_that_is_being_written_is_read_later(tmp_path: Path) -> None:
    SegmentLog(tmp_path / "a", "feedback").append([feedback(0), feedback(1)])
    whole = only_segment(tmp_path / "a").read_bytes()
    path = tmp_path / "feedback-20250101T000000000000-1.log"
    path.write_bytes(whole[:-3])

    (first,) = read_segments(tmp_path, "feedback")
    path.write_bytes(whole)
    (second,) = read_segments(tmp_path, "feedback", {first.segment: first.end})

    assert [record.key for record in (*first.records, *second.records)] == [0, 1]
    assert list(read_segments(tmp_path, "feedback", {second.segment: second.end})) == []


def test_threads_append_whole_batches(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", segment_bytes=2_000)

    def work(worker: int) -> None:
        for n in range(50):
            log.append([feedback(worker * 1000 + n), feedback(worker * 1000 + n)])

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    keys = [record.key for record in all_records(tmp_path, "feedback")]
    assert len(keys) == 400
    assert keys[::2] == keys[1::2]


def test_disk_durability_syncs(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", durability="disk", segment_bytes=200)
    for n in range(5):
        log.sync(log.append([feedback(n)]))
    log.close()
    assert len(all_records(tmp_path, "feedback")) == 5


def test_a_full_disk_refuses_whole_batches_and_recovers(small_disk: Path) -> None:
    log = SegmentLog(small_disk, "feedback", durability="disk")
    acknowledged: list[int] = []
    refusals: list[str] = []
    for n in range(400):
        try:
            log.sync(log.append([feedback(n)] * 20))
        except LogError as error:
            refusals.append(error.what)
        else:
            acknowledged += [n] * 20

    assert set(refusals) == {"the feedback log cannot be written: No space left on device"}
    assert [record.key for record in all_records(small_disk, "feedback")] == acknowledged
    for path in small_disk.glob("*.log"):
        path.unlink()
    log.sync(log.append([feedback(1)]))
    log.close()
    assert [record.key for record in all_records(small_disk, "feedback")] == [1]
