"""The SQLite file: connections are kept between transactions, and never used where they must not be."""

import gc
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from services import tmpfs

from penstock.errors import Damaged, PenstockError
from penstock.ledger import Cursor, Ledger
from penstock.ledger.records import utc_now


def put(ledger: Ledger, name: str) -> None:
    with ledger.write() as transaction:
        transaction.put(Cursor(name, {}, utc_now()))


def names(ledger: Ledger) -> set[str]:
    with ledger.read() as reader:
        return {cursor.name for cursor in reader.find(Cursor)}


def opened(file: Path) -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link) == str(file) for link in links)


def work_in_threads(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda i: put(ledger, f"cursor {i}"), range(100)))


def test_threads_share_a_few_connections(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{file}")
    work_in_threads(ledger)
    assert len(names(ledger)) == 100
    assert 1 <= opened(file) <= 5
    del ledger
    gc.collect()
    assert opened(file) == 0
    assert not file.with_name("ledger.db-wal").exists()


def test_a_block_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    put(ledger, "kept")
    try:
        with ledger.write() as transaction:
            transaction.put(Cursor("undone", {}, utc_now()))
            raise RuntimeError
    except RuntimeError:
        pass
    assert names(ledger) == {"kept"}


def test_a_backup_put_in_place_is_the_ledger_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{file}")
    put(ledger, "before")
    ledger.close()
    shutil.copy(file, tmp_path / "backup.db")
    put(ledger, "lost")
    ledger.close()
    put(ledger, "lost too")  # a connection is idle now
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    os.replace(tmp_path / "backup.db", file)
    put(ledger, "after")
    assert names(ledger) == {"before", "after"}
    assert names(Ledger.open(f"sqlite:///{file}")) == {"before", "after"}


def test_a_backup_beside_the_log_of_the_file_before_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{file}")
    put(ledger, "before")
    ledger.close()
    shutil.copy(file, tmp_path / "backup.db")
    put(ledger, "lost")
    os.replace(tmp_path / "backup.db", file)
    for _ in range(2):
        with pytest.raises(Damaged, match=r"rm -f ledger.db-wal ledger.db-shm, then put a backup in its place"):
            put(ledger, "after")
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink()
    put(ledger, "after")
    assert names(ledger) == {"before", "after"}


def test_a_full_disk_is_called_one(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "2m") as disk:
        file = disk / "ledger.db"
        put(Ledger.open(f"sqlite:///{file}"), "first")
        gc.collect()
        assert opened(file) == 0  # the log is gone: who reads needs a new one
        with pytest.raises(OSError, match="No space"):
            (disk / "rest").write_bytes(bytes(3_000_000))
        with pytest.raises(PenstockError, match=r"the ledger failed(.|\n)*next: the disk is full"):
            names(Ledger.open(f"sqlite:///{file}"))
        gc.collect()
