"""Run a step, or find that it has been run."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from penstock.digest import digest_value
from penstock.engine.changes import changes, closest, recent, summary
from penstock.errors import Conflict
from penstock.ledger import Execution, Ledger, hold_lease, utc_now

POLL_SECONDS = 0.2
WAIT_SECONDS = 6 * 3600.0


class Step(NamedTuple):
    """Work with a name.

    inputs   everything that decides the result, as JSON: digests of versions and code, settings
    work     called when those inputs are new; returns the ids of what it made
    """

    name: str
    inputs: Mapping[str, Any]
    work: Callable[[], Mapping[str, Any]]


class Outcome(NamedTuple):
    """What a step gave, and why it ran or did not."""

    step: str
    key: str
    outputs: Mapping[str, Any]
    cached: bool
    why: str
    seconds: float


def step_key(name: str, inputs: Mapping[str, Any]) -> str:
    """The digest that names the work of a step on these inputs."""
    return digest_value({"step": name, "inputs": inputs})


def run_step(ledger: Ledger, step: Step) -> Outcome:
    """The outputs of `step`: remembered if its inputs were seen before, worked out otherwise.

    When another process works on the same inputs, waits for it and takes its result.
    Whatever `step.work` raises passes through, and nothing is remembered.
    """
    key = step_key(step.name, step.inputs)
    if found := _remembered(ledger, step, key):
        return found
    with ExitStack() as stack:
        if found := _enter(ledger, step, key, stack):
            return found
        why = _why(ledger, step)
        started = time.perf_counter()
        outputs = dict(step.work())
        seconds = time.perf_counter() - started
        inputs = dict(step.inputs)
        with ledger.write() as transaction:
            transaction.put(Execution(key, step.name, inputs, outputs, seconds, utc_now()))
    return Outcome(step.name, key, outputs, cached=False, why=why, seconds=seconds)


def _enter(ledger: Ledger, step: Step, key: str, stack: ExitStack) -> Outcome | None:
    """Take the right to work on `key`, or return what another process made of it meanwhile."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            stack.enter_context(hold_lease(ledger, f"step:{key}"))
            return _remembered(ledger, step, key)
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        if found := _remembered(ledger, step, key):
            return found


def _remembered(ledger: Ledger, step: Step, key: str) -> Outcome | None:
    with ledger.read() as reader:
        done = reader.get(Execution, key=key)
    if done is None:
        return None
    return Outcome(step.name, key, done.outputs, cached=True, why="inputs unchanged", seconds=0.0)


def _why(ledger: Ledger, step: Step) -> str:
    """What is new since the step ran on something alike."""
    with ledger.read() as reader:
        before = closest(recent(reader, step.name), step.inputs)
    if before is None:
        return "first run"
    changed = summary(changes(before.inputs, step.inputs))
    return ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
