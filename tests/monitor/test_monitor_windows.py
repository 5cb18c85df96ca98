from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.monitor import windows
from penstock.monitor.windows import Progress, Stage, Window, window_starts, windows_of

DAY = timedelta(days=1)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("every", "start", "end"),
    [
        ("1h", at(2024, 2, 29, 13), at(2024, 2, 29, 14)),
        ("1d", at(2024, 2, 29), at(2024, 3, 1)),
        ("1w", at(2024, 2, 26), at(2024, 3, 4)),
        ("1mo", at(2024, 2, 1), at(2024, 3, 1)),
    ],
)
def test_the_window_of_a_moment(every: str, start: datetime, end: datetime) -> None:
    moments = pl.DataFrame({"t": pl.Series([at(2024, 2, 29, 13, 30)], dtype=pl.Datetime("us", "UTC"))})
    assert moments.select(window_starts(pl.col("t"), every))["t"].to_list() == [start]
    assert windows_of([start], every) == [Window(start, end)]


def test_over_and_due() -> None:
    window = Window(at(2024, 2, 1), at(2024, 2, 2))
    assert not window.over(at(2024, 2, 1, 23))
    assert window.over(at(2024, 2, 2))
    assert not window.due(at(2024, 2, 2), DAY)
    assert window.due(at(2024, 2, 3), DAY)


def test_a_window_is_measured_when_it_is_over_and_again_when_labels_are_due() -> None:
    first, second = at(2024, 2, 1), at(2024, 2, 2)
    progress = Progress("1d").changed([first, second], predictions=48, feedback=0)
    assert progress.due(at(2024, 2, 1, 12), DAY) == []
    todo = progress.due(at(2024, 2, 2, 12), DAY)
    assert todo == [(Window(first, second), Stage.SERVICE)]
    progress = progress.measured(todo)
    assert progress.due(at(2024, 2, 2, 12), DAY) == []
    todo = progress.due(at(2024, 2, 3, 12), DAY)
    assert [stage for _, stage in todo] == [Stage.QUALITY, Stage.SERVICE]
    progress = progress.measured(todo)
    assert set(progress.waiting) == {second}
    assert progress.changed([first], predictions=49, feedback=0).due(at(2024, 2, 3), DAY)[0][0].start == first


def test_other_windows_begin_at_the_beginning() -> None:
    progress = Progress("1d", 10, 5, {at(2024, 2, 1): Stage.SERVICE})
    assert Progress.from_json(progress.to_json(), "1d") == progress
    assert Progress.from_json(progress.to_json(), "1h") == Progress("1h")
    assert Progress.from_json({}, "1h") == Progress("1h")


def test_a_window_without_an_end_is_passed_over() -> None:
    last = at(9999, 12, 31)
    assert windows_of([last, at(2024, 2, 1)], "1d") == [Window(at(2024, 2, 1), at(2024, 2, 2))]
    progress = Progress("1d").changed([last], predictions=1, feedback=0)
    assert progress.due(at(9999, 12, 31, 23), DAY) == []
    assert progress.open_until(at(2024, 2, 1)) is None


def test_the_latest_windows_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def latest(first: datetime, now: datetime, every: str) -> list[datetime]:
        return [window.start for window in windows.latest_windows(first, now, every)]

    assert latest(at(2024, 2, 1), at(2024, 2, 4, 12), "1d") == [at(2024, 2, day) for day in (1, 2, 3)]
    assert latest(at(2023, 12, 1), at(2024, 3, 1), "1mo") == [at(2023, 12, 1), at(2024, 1, 1), at(2024, 2, 1)]
    assert latest(at(2024, 2, 1), at(2024, 2, 1, 12), "1d") == latest(at(2024, 2, 9), at(2024, 2, 1), "1d") == []
    monkeypatch.setattr(windows, "LATEST", 2)
    assert latest(at(2013, 1, 1), at(2024, 2, 4, 12), "1d") == [at(2024, 2, 2), at(2024, 2, 3)]


def test_of_windows_that_have_not_begun_the_nearest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "FUTURE", 2)
    days = [at(2024, 2, day) for day in range(1, 9)]
    progress = Progress("1d").changed(days, predictions=8, feedback=0).bounded(at(2024, 2, 3, 12))
    assert sorted(progress.waiting) == days[:5]


@given(st.lists(st.integers(0, 40), max_size=20), st.lists(st.integers(0, 50), max_size=10))
def test_nothing_stays_unmeasured(days: list[int], looks: list[int]) -> None:
    """However looks and rows alternate, at the end every window was measured whole since it last changed."""
    progress = Progress("1d")
    whole: dict[datetime, bool] = {}
    for number, day in enumerate(days):
        start = at(2024, 2, 1) + day * DAY
        progress, whole[start] = progress.changed([start], predictions=number + 1, feedback=0), False
        for look in looks:
            todo = progress.due(at(2024, 2, 1) + look * DAY, DAY)
            whole |= {window.start: True for window, stage in todo if stage is Stage.QUALITY}
            progress = progress.measured(todo)
    todo = progress.due(at(2025, 1, 1), DAY)
    assert {window.start for window, _ in todo} == {start for start, done in whole.items() if not done}
    assert progress.measured(todo).waiting == {}
