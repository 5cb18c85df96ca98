"""Claim: at 100,000 runs, tracing anything to everything it hangs together with takes under 50 ms."""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness import Claim, report

from penstock.ledger import Edge, Ledger, Run, node, trace

RUNS = 100_000
LIMIT_MS = 50.0
TURNS = 9
AT = datetime(2013, 4, 1, tzinfo=UTC)
STARTS = {
    "a prediction": node("prediction", f"p{RUNS - 100}"),
    "a model version": node("model", f"m@{RUNS - 100}"),
    "a run": node("run", f"r{RUNS // 2}"),
    "a data version used by 500 runs": node("data", "d100"),
    "the first data version, upstream of all": node("data", "d0"),
    "the environment of all runs": node("environment", "e"),
}


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger.open(f"sqlite:///{Path(directory) / 'ledger.db'}")
        fill(ledger)
        took = {what: median(ledger, start) for what, start in STARTS.items()}
    slowest = max(took, key=lambda what: took[what])
    if "--all" in sys.argv:
        print("\n".join(f"  {what}: {milliseconds:.1f} ms" for what, milliseconds in took.items()), file=sys.stderr)
    name = f"trace at {RUNS:,} runs (slowest of {len(took)}: {slowest})"
    return report([Claim(name, took[slowest], LIMIT_MS, "limit", "ratio < 1", took[slowest] < LIMIT_MS, "ms")])


def fill(ledger: Ledger) -> None:
    """Every run uses data, code and the environment; each 500 have their data, each 100 a model that is served."""
    step = 20_000
    for first in range(0, RUNS, step):
        with ledger.write() as transaction:
            transaction.add(*(run(number) for number in range(first, first + step)))
            transaction.add(*dict.fromkeys(edge for number in range(first, first + step) for edge in edges(number)))


def run(number: int) -> Run:
    return Run(
        f"r{number}", number, "finished", f"k{number}", "pipeline:fit", {"depth": 6}, 7,
        {"flights": f"d{number // 500}"}, {}, f"c{number // 1000}", None, None, "e", {"cpu": 2}, 1, AT,
    )  # fmt: skip


def edges(number: int) -> Iterator[Edge]:
    run, bundle, data = node("run", f"r{number}"), node("bundle", f"b{number}"), number // 500
    yield Edge(node("data", f"d{data}"), run, "train", AT)
    yield Edge(node("code", f"c{number // 1000}"), run, "code", AT)
    yield Edge(node("environment", "e"), run, "environment", AT)
    yield Edge(run, bundle, "bundle", AT)
    yield Edge(bundle, node("evaluation", f"v{number}"), "judged", AT)
    if number % 500 == 0 and data:
        yield Edge(node("data", f"d{data - 1}"), node("data", f"d{data}"), "parent", AT)
    if number % 100 == 0:
        model = node("model", f"m@{number}")
        yield Edge(bundle, model, "registered", AT)
        yield Edge(node("evaluation", f"v{number}"), model, "evidence", AT)
        yield Edge(model, node("deployment", f"g{number}"), "deployed", AT)
        yield Edge(model, node("prediction", f"p{number}"), "answered", AT)


def median(ledger: Ledger, start: str) -> float:
    """Milliseconds of one trace, both directions, a fresh snapshot each time."""
    turns = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        with ledger.read() as reader:
            found = trace(reader, start)
        turns.append((time.perf_counter() - begin) * 1000)
        assert found.edges
    return sorted(turns)[TURNS // 2]


if __name__ == "__main__":
    raise SystemExit(main())
