import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from services import tmpfs

from penstock.train.tracking import journal as module
from penstock.train.tracking.journal import Attached, Entry, File, Journal, Params, Tags, Values, read_journal

AT = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = st.text(min_size=1, max_size=8)
ENTRIES = st.one_of(
    st.builds(
        Values,
        st.lists(
            st.tuples(NAMES, st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1), st.just(AT)).map(tuple)
        ),
    ),
    st.builds(Params, st.dictionaries(NAMES, st.one_of(st.integers(-9, 9), NAMES, st.none()))),
    st.builds(Tags, st.dictionaries(NAMES, NAMES)),
    st.builds(File, NAMES, NAMES, st.integers(0, 9)),
)


def value(number: float) -> Values:
    return Values([("loss", float(number), 1, AT)])


def whole(path: Path) -> list[Entry]:
    return read_journal(path)[0]


@settings(max_examples=40)
@given(st.lists(ENTRIES, max_size=6), st.integers(0, 400))
def test_every_whole_entry_is_read_from_a_torn_file(tmp_path_factory, entries: list[Entry], cut: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    journal = Journal(path)
    ends = []
    for entry in entries:
        journal.append(entry)
        ends.append(path.stat().st_size)
    kept = [entry for entry, end in zip(entries, ends, strict=True) if end <= cut]
    os.truncate(path, min(cut, path.stat().st_size))
    found, end = read_journal(path)
    assert [str(each) for each in found] == [str(each) for each in kept]
    assert end == max([each for each in ends if each <= cut], default=0)


def test_reading_goes_on_where_it_stood(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    journal.append(Tags({"a": "1"}))
    first, end = read_journal(journal.path)
    journal.append(Tags({"b": "2"}))
    assert (first, read_journal(journal.path, end)[0]) == ([Tags({"a": "1"})], [Tags({"b": "2"})])


def test_a_long_journal_is_read_in_pieces_and_a_long_entry_at_once(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "CHUNK", 200)
    journal = Journal(tmp_path / "a.journal")
    written = [Tags({"a": "x" * length}) for length in (50, 60, 400, 30)]
    for entry in written:
        journal.append(entry)
    read, at = [], 0
    while piece := read_journal(journal.path, at)[0]:
        at = read_journal(journal.path, at)[1]
        assert len(piece) < 3
        read += piece
    assert read == written


def test_a_file_that_is_gone_is_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "a.journal", 7) == ([], 7)


def test_threads_lose_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    threads = [
        threading.Thread(target=lambda i=i: [journal.append(value(i * 100 + j)) for j in range(100)]) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.points[0][1] for entry in whole(journal.path) if isinstance(entry, Values)) == list(range(800))


def test_a_forked_process_writes_a_file_of_its_own_even_after_the_directory_is_gone(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir()
    journal = Journal(place / "a.journal", lambda: Attached(os.getpid(), {}))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        journal.append(Tags({"from": "child"}))
        os._exit(0)
    (place / "a.journal").unlink()
    place.rmdir()
    os.write(writer, b"x")
    assert os.waitpid(child, 0)[1] == 0
    (own,) = place.glob("*.journal")
    assert whole(own) == [Attached(child, {}), Tags({"from": "child"})]


def test_the_first_threads_of_a_forked_process_lose_nothing(tmp_path: Path) -> None:
    def log(journal: Journal, start: threading.Barrier, number: int) -> None:
        start.wait()
        journal.append(value(number))

    journal = Journal(tmp_path / "a.journal", lambda: Attached(os.getpid(), {}))
    child = os.fork()
    if child == 0:
        sys.setswitchinterval(1e-6)
        start = threading.Barrier(8)
        threads = [threading.Thread(target=log, args=(journal, start, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    (own,) = [path for path in tmp_path.glob("*.journal") if path != journal.path]
    first, *values = whole(own)
    assert first == Attached(child, {})
    assert sorted(entry.points[0][1] for entry in values if isinstance(entry, Values)) == list(range(8))


def test_what_a_full_disk_did_not_take_waits_and_then_goes_first(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", "64k") as place:
        journal = Journal(place / "a.journal")
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        for number in range(400):
            journal.append(value(number))
        written = len(whole(journal.path))
        assert written < 400
        assert len(journal.pending()) == 400 - written
        assert not journal.flush()
        filler.unlink()
        journal.append(value(400))
        assert whole(journal.path) == [value(number) for number in range(401)]
        assert journal.lost == 0
        journal.close()


def test_what_memory_did_not_take_either_is_counted(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "PENDING", 1000)
    with tmpfs(tmp_path / "small", "64k") as place:
        journal = Journal(place / "a.journal")
        for _ in range(30):
            journal.append(Tags({"a": "x" * 4000}))
        assert journal.lost > 0
        journal.close()
