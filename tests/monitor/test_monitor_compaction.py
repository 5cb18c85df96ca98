import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from msgspec import structs
from production import answer, february, log, noon, outcomes, parts, told

from penstock import Project
from penstock.monitor import compact, compaction
from penstock.monitor.compaction import event_time, feedback_rows

COMPACT = "from penstock import Project\nfrom penstock.monitor import compact\n" + (
    "work = Project.open(actor='ada')._workspace\ncompact(work.project, work.ledger, work.store)\n"
)


def logged(project: Project, dataset: str) -> pl.DataFrame:
    return project.data.show(f"{dataset}.parcels").collect()


def process(project: Project) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", COMPACT], cwd=project._workspace.project.root)


def test_the_log_becomes_datasets(live: Project) -> None:
    rows = february(5)
    answers = answer(live, rows)
    log(live, [*answers, *outcomes(rows)])
    done = compact(*parts(live))
    assert (done.predictions, done.feedback, done.damaged) == (5, 5, ())
    predictions = logged(live, "predictions")
    assert predictions["id"].to_list() == [record.id for record in answers]
    assert predictions["key"].to_list() == rows["parcel_id"].to_list()
    assert predictions["score"].to_list() == [record.score for record in answers]
    assert predictions["event_time"].dt.replace_time_zone(None).to_list() == rows["sent"].to_list()
    assert logged(live, "feedback")["label"].to_list() == [str(late).lower() for late in rows["late"]]
    assert live.data.history("predictions.parcels")[0].producer == "monitor.compact"
    trace = live.trace("predictions.parcels")
    assert "parcels@1" in {node.label for node in trace.upstream}


def test_it_goes_on_where_it_was(live: Project) -> None:
    answers = answer(live, february(6))
    for some in (answers[:2], answers[2:3], answers[3:]):
        log(live, some)
        assert compact(*parts(live)).predictions == len(some)
        assert compact(*parts(live)).predictions == 0
    assert logged(live, "predictions")["id"].to_list() == [record.id for record in answers]


def test_many_segments_are_taken_in_batches(live: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "BATCH_ROWS", 10)
    answers = answer(live, february(60))
    log(live, answers, segment_bytes=2000)
    assert compact(*parts(live)).predictions == 60
    assert len(live.data.history("predictions.parcels")) > 3
    assert logged(live, "predictions")["id"].to_list() == [record.id for record in answers]


def test_each_endpoint_has_its_own_datasets(live: Project) -> None:
    answers = answer(live, february(4))
    log(live, [*answers[:3], structs.replace(answers[3], endpoint="other")])
    compact(*parts(live))
    assert logged(live, "predictions").height == 3
    assert live.data.show("predictions.other").collect().height == 1


def test_two_processes_at_once_append_nothing_twice(live: Project) -> None:
    rows = february(400)
    log(live, [*answer(live, rows), *outcomes(rows)], segment_bytes=20_000)
    both = [process(live), process(live)]
    assert [one.wait(60) for one in both] == [0, 0]
    predictions, feedback = logged(live, "predictions"), logged(live, "feedback")
    assert (predictions.height, predictions["id"].n_unique()) == (400, 400)
    assert (feedback.height, feedback["key"].n_unique()) == (400, 400)
    assert compact(*parts(live)).predictions == 0


def test_killed_at_any_moment_nothing_is_lost_or_doubled(live: Project) -> None:
    answers = answer(live, february(400))
    for turn in range(8):
        log(live, answers[turn * 50 : turn * 50 + 50])
        child = process(live)
        time.sleep(0.25 + 0.05 * turn)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    compact(*parts(live))
    assert logged(live, "predictions")["id"].to_list() == [record.id for record in answers]
    assert live.data.verify() == ()


@pytest.mark.parametrize("line", ["prepare", "publish_appended"])
def test_a_crash_in_between_loses_and_doubles_nothing(
    live: Project, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(live, answer(live, february(5)))
    original = getattr(compaction, line)

    def then_crash(*arguments: object) -> None:
        original(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(compaction, line, then_crash)
    with pytest.raises(KeyboardInterrupt):
        compact(*parts(live))
    monkeypatch.undo()
    assert compact(*parts(live)).predictions == 5
    assert logged(live, "predictions").height == 5


def test_damage_is_told_and_recorded_and_the_rest_is_read(live: Project) -> None:
    answers = answer(live, february(9))
    log(live, answers)
    (segment,) = (live._workspace.serve_directory / "log").glob("predictions-*.log")
    flip(segment, segment.stat().st_size // 2)
    done = compact(*parts(live))
    assert (done.predictions, len(done.damaged)) == (8, 1)
    assert segment.name in done.damaged[0]
    assert compact(*parts(live)).damaged == ()
    entry = next(entry for entry in live.audit.log() if entry.action == "monitor.damaged")
    assert segment.name in entry.reason


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_a_torn_end_is_read_once_it_is_whole(live: Project) -> None:
    answers = answer(live, february(3))
    log(live, answers)
    (segment,) = (live._workspace.serve_directory / "log").glob("predictions-*.log")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-7])
    assert compact(*parts(live)).predictions == 2
    segment.write_bytes(whole)
    assert compact(*parts(live)).predictions == 1


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-02-01T12:00:00", datetime(2024, 2, 1, 12, tzinfo=UTC)),
        ("2024-02-01T12:00:00Z", datetime(2024, 2, 1, 12, tzinfo=UTC)),
        ("2024-02-01T12:00:00+02:00", datetime(2024, 2, 1, 10, tzinfo=UTC)),
        ("2024-02-01", datetime(2024, 2, 1, tzinfo=UTC)),
        ("yesterday", noon(28)),
        ("2025-02-27T12:00:00", datetime(2025, 2, 27, 12, tzinfo=UTC)),
        ("9999-12-31T23:00:00", noon(28)),
        ("0001-01-01T00:00:00", noon(28)),
        ("0001-01-01T00:00:00+14:00", noon(28)),
        (None, noon(28)),
        (1706788800, noon(28)),
    ],
)
def test_what_a_prediction_is_about(live: Project, written: object, moment: datetime) -> None:
    (record,) = answer(live, february(1), at=noon(28))
    assert event_time(structs.replace(record, request={"sent": written}), "sent") == moment
    assert event_time(structs.replace(record, request={}), "sent") == noon(28)
    assert event_time(record, None) == noon(28)


def test_a_label_counts_from_when_it_became_known() -> None:
    received, observed = noon(5), noon(5) - timedelta(days=3)
    late = structs.replace(told(True, key=7, at=received), observed_at=observed)
    rows = feedback_rows([told(1.0, key="7", at=received), late])
    assert rows["at"].to_list() == [received, observed]
    assert rows["key"].to_list() == ["7", "7"]
    assert rows["label"].to_list() == ["1", "true"]
