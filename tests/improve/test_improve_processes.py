import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import toy
from production import february, noon

from penstock import Project
from penstock.ledger import Action, Run


def tick(project: Project) -> "subprocess.Popen[bytes]":
    """`penstock improve tick` in a process of its own."""
    command = [sys.executable, "-m", "penstock", "improve", "tick", "-C", str(project._workspace.project.root)]
    return subprocess.Popen([*command, "--at", "2024-02-10"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def eventually(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not question():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.01)


def count(project: Project, kind: type, **equals: object) -> int:
    with project._workspace.ledger.read() as reader:
        return reader.count(kind, **equals)


def test_of_two_ticks_one_acts_and_one_that_was_killed_is_resumed(live: Project) -> None:
    toy.write_parcels(live._workspace.project.root, "parcels-2.csv", february(200))
    first = tick(live)
    eventually(lambda: count(live, Run, status="running") == 1)
    second = tick(live)
    assert second.wait(60) == 5
    assert first.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    (open_action,) = live.improve.actions()
    assert open_action.state == "running"
    ticked = live.tick(now=noon(10))
    assert ticked.action is not None
    assert (ticked.action.id, ticked.action.state) == (open_action.id, "promoted")
    assert count(live, Action) == 1
    assert sorted(run.status for run in live.train.runs()) == ["finished", "finished", "killed"]
    assert [version.state for version in live.deliver.models()] == ["production", "archived"]
    assert live.audit.verify().whole
