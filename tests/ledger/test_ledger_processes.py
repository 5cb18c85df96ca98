"""Real processes on one ledger: together on a fresh one, killed in the middle, forked."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from penstock.errors import Conflict
from penstock.ledger import AuditEntry, Cursor, Execution, Lease, Ledger, Run, hold_lease, utc_now, verify_audit

COMMON = """
import sys, time
from pathlib import Path
from penstock.ledger import *
url, place, me = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def wait_for(name):
    while not (place / name).exists():
        time.sleep(0.002)
"""


def start(script: str, url: str, place: Path, me: object = "") -> subprocess.Popen[str]:
    source = COMMON + textwrap.dedent(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", source, url, str(place), str(me)], env=environment, text=True, stderr=subprocess.PIPE
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.005)


def ended_well(processes) -> None:
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said


def test_eight_processes_use_a_fresh_ledger_at_once(fresh_url, tmp_path):
    script = """
        (place / f"ready-{me}").touch()
        wait_for("go")
        ledger = Ledger.open(url, signing_key=place / "keys/signing")
        for turn in range(5):
            with ledger.write() as transaction:
                number = transaction.count(Run) + 1
                transaction.add(Run(f"{me}-{turn}", number, "running", "k", "f", {}, 7, {}, {}, "c", None, None, "e",
                                    {}, 1, utc_now()))
                transaction.link("code:c", f"run:{me}-{turn}", "code")
                transaction.audit("train", f"run:{number}", actor=me)
    """
    processes = [start(script, fresh_url, tmp_path, me) for me in range(8)]
    for me in range(8):
        wait_for(tmp_path / f"ready-{me}")
    (tmp_path / "go").touch()
    ended_well(processes)
    with Ledger.open(fresh_url, signing_key=tmp_path / "keys/signing").read() as reader:
        assert [run.number for run in reader.find(Run, order_by="number")] == list(range(1, 41))
        assert verify_audit(reader).broken == ()
        assert reader.count(AuditEntry) == 40


def test_a_writer_killed_in_the_middle_leaves_nothing_behind(url, tmp_path):
    script = """
        ledger = Ledger.open(url)
        with ledger.write() as transaction:
            transaction.put(Cursor("kept", {}, utc_now()))
        with ledger.write() as transaction:
            for n in range(2000):
                transaction.add(Execution(str(n), "s", {}, {}, 1.0, utc_now()))
            transaction.put(Cursor("kept", {"changed": True}, utc_now()))
            (place / "middle").touch()
            time.sleep(60)
    """
    process = start(script, url, tmp_path)
    wait_for(tmp_path / "middle")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ledger = Ledger.open(url)
    with ledger.write() as transaction:
        assert transaction.count(Execution) == 0
        assert transaction.get(Cursor, name="kept").position == {}
        transaction.add(Execution("0", "s", {}, {}, 1.0, utc_now()))


def test_killed_at_any_moment_a_writer_leaves_whole_decisions(url, tmp_path):
    script = """
        ledger = Ledger.open(url, signing_key=place / "keys/signing")
        (place / f"started-{me}").touch()
        for n in range(10_000):
            with ledger.write() as transaction:
                transaction.add(Execution(f"{me}-{n}-a", "s", {}, {}, 1.0, utc_now()))
                transaction.audit("step", f"{me}-{n}", actor=me)
                transaction.add(Execution(f"{me}-{n}-b", "s", {}, {}, 1.0, utc_now()))
    """
    for attempt in range(4):
        process = start(script, url, tmp_path, attempt)
        wait_for(tmp_path / f"started-{attempt}")
        time.sleep(0.03 + 0.017 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Ledger.open(url, signing_key=tmp_path / "keys/signing").read() as reader:
            assert verify_audit(reader).broken == ()
            assert reader.count(Execution) == 2 * reader.count(AuditEntry)


def test_killed_while_it_makes_the_tables_a_process_leaves_a_ledger_that_opens(fresh_url, tmp_path):
    script = """
        import penstock.ledger.migrate
        (place / f"started-{me}").touch()
        Ledger.open(url)
        (place / f"done-{me}").touch()
        time.sleep(60)
    """
    for attempt in range(4):
        process = start(script, fresh_url, tmp_path, attempt)
        wait_for(tmp_path / f"started-{attempt}")
        time.sleep(0.012 * (attempt + 1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with Ledger.open(fresh_url).write() as transaction:
        transaction.put(Cursor("works", {}, utc_now()))


def test_a_fork_uses_the_ledger_beside_its_parent(ledger):
    with ledger.write() as transaction:
        transaction.put(Cursor("parent", {}, utc_now()))
    child = os.fork()
    if child == 0:
        try:
            with ledger.write() as transaction:
                transaction.put(Cursor("child", {}, utc_now()))
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    with ledger.write() as transaction:
        transaction.put(Cursor("after", {}, utc_now()))
        assert {cursor.name for cursor in transaction.find(Cursor)} == {"parent", "child", "after"}


def test_the_lease_of_a_killed_process_is_taken_over_at_once(url, tmp_path):
    script = """
        with hold_lease(Ledger.open(url), "tick", seconds=600):
            (place / "held").touch()
            time.sleep(60)
    """
    process = start(script, url, tmp_path)
    wait_for(tmp_path / "held")
    ledger = Ledger.open(url)
    with pytest.raises(Conflict, match="tick"), hold_lease(ledger, "tick"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with hold_lease(ledger, "tick") as lease:
        assert lease.token == 2
    with ledger.read() as reader:
        assert reader.get(Lease, name="tick") is None
