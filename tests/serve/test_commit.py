"""One fdatasync serves a group, and a failed one fails its group."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.serve.commit import GroupCommit
from penstock.serve.log import FeedbackRecord, LogError, SegmentLog


def record() -> FeedbackRecord:
    return FeedbackRecord(id="1", at=datetime.now(UTC), endpoint="e", key="k", label=1)


def commit_all(log: SegmentLog, count: int) -> list[BaseException | None]:
    async def run() -> list[BaseException | None]:
        commit = GroupCommit(log)
        positions = [log.append([record()]) for _ in range(count)]
        outcomes = await asyncio.gather(*(commit.wait(position) for position in positions), return_exceptions=True)
        commit.close()
        return outcomes

    return asyncio.run(run())


def test_process_durability_does_not_wait(tmp_path: Path) -> None:
    assert commit_all(SegmentLog(tmp_path, "feedback"), 3) == [None] * 3


def test_a_group_shares_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (calls.append(descriptor), sync(descriptor))[1])

    assert commit_all(SegmentLog(tmp_path, "feedback", durability="disk"), 50) == [None] * 50
    assert len(calls) <= 2


def test_a_group_across_a_rotation_is_whole(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "feedback", durability="disk", segment_bytes=200)
    assert commit_all(log, 20) == [None] * 20


def test_a_failed_sync_acknowledges_nothing_and_starts_another_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SegmentLog(tmp_path, "feedback", durability="disk")

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        outcomes = commit_all(log, 3)
    assert [type(outcome) for outcome in outcomes] == [LogError] * 3

    assert commit_all(log, 3) == [None] * 3
    assert len(list(tmp_path.glob("*.log"))) == 2


def test_a_sync_that_fails_at_a_rotation_fails_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SegmentLog(tmp_path, "feedback", durability="disk", segment_bytes=10)
    first = log.append([record()])
    real = os.fdatasync
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(LogError):
            log.append([record()])
    assert os.fdatasync is real
    second = log.append([record()])
    log.sync(second)
    with pytest.raises(LogError):
        log.sync(first)
