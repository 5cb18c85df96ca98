"""Search runs with Penstock through `project.train.runs`: python search_penstock.py RUNS."""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from made_up import PAGE, TURNS, Made, made_up

from penstock import Project
from penstock.ledger import Ledger, Metric, MetricPoint, Param, Run

RUNS = int(sys.argv[1])
PROJECT = Path(f"penstock-{RUNS}")
QUERIES = {
    "best": ("metrics.roc_auc > 0.7 and params.depth = 6", "-metrics.roc_auc"),
    "newest": ("metrics.roc_auc > 0.7 and params.depth = 6", ""),
    "rare": ("metrics.roc_auc > 0.999 and params.depth = 6", "-metrics.roc_auc"),
    "range": ("metrics.roc_auc > 0.7 and params.depth <= 6", "params.depth"),
}


def fill() -> None:
    PROJECT.mkdir()
    (PROJECT / "penstock.yaml").write_text("name: search\n")
    ledger = Ledger.open(f"sqlite:///{PROJECT}/.penstock/ledger.db")
    rows = made_up(RUNS)
    while some := list(islice(rows, 10_000)):
        with ledger.write() as transaction:
            transaction.add(*map(run, some))
            transaction.add(*(Param(one.id, name, str(v), v) for one in some for name, v in one.params.items()))
            each = [(one.id, name, v, at(one)) for one in some for name, v in one.metrics.items()]
            transaction.add(*(Metric(key, name, v, 0, when, v, v, 1) for key, name, v, when in each))
            transaction.add(*(MetricPoint(key, name, 1, 0, v, when) for key, name, v, when in each))
    ledger.close()


def at(one: Made) -> datetime:
    return datetime.fromtimestamp(one.started, UTC)


def run(one: Made) -> Run:
    return Run(
        one.id, one.number, "finished", "k", "pipeline:fit", one.params, 7, {}, {}, "c", None, None, "e", {}, 1,
        at(one), at(one) + timedelta(seconds=30),
    )  # fmt: skip


def search(project: Project, where: str, sort: str) -> tuple[list[float], list[int]]:
    took = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        found = project.train.runs(where, sort=sort, limit=PAGE)
        took.append(1000 * (time.perf_counter() - begin))
    return took, [one.number for one in found]


fill()
project = Project.open(PROJECT)
answers = {name: search(project, *query) for name, query in QUERIES.items()}
found = {name: {"ms": median(took), "slowest": max(took), "runs": runs} for name, (took, runs) in answers.items()}
Path(f"penstock-{RUNS}.json").write_text(json.dumps(found))
