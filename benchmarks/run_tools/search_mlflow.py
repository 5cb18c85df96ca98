"""Search runs with MLflow through `MlflowClient.search_runs`: python search_mlflow.py RUNS.

Its parameters are texts, which it compares for equality only: what asks for a range is left out. Its own store makes
the tables and answers; the rows are put in by SQL, because logging 100,000 runs through it takes 20 minutes.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path
from statistics import median

from made_up import PAGE, TURNS, made_up
from mlflow.tracking import MlflowClient

RUNS = int(sys.argv[1])
FILE = Path(f"mlflow-{RUNS}.db").resolve()
QUERIES = {
    "best": ("metrics.roc_auc > 0.7 and params.depth = '6'", ["metrics.roc_auc DESC"]),
    "newest": ("metrics.roc_auc > 0.7 and params.depth = '6'", ["attributes.start_time DESC"]),
    "rare": ("metrics.roc_auc > 0.999 and params.depth = '6'", ["metrics.roc_auc DESC"]),
}


def fill(experiment: str) -> None:
    with sqlite3.connect(FILE) as connection:
        for one in made_up(RUNS):
            at = 1000 * one.started
            connection.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
                "start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
                "VALUES (?, ?, 'LOCAL', '', '', 'ada', 'FINISHED', ?, ?, '', 'active', ?, ?)",
                (one.id, str(one.number), at, at + 30_000, f"mlruns/1/{one.id}/artifacts", int(experiment)),
            )
            params = [(name, str(value), one.id) for name, value in one.params.items()]
            connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", params)
            metrics = [(name, value, at, 0, 0, one.id) for name, value in one.metrics.items()]
            for table in ("metrics", "latest_metrics"):
                names = "(key, value, timestamp, step, is_nan, run_uuid)"
                connection.executemany(f"INSERT INTO {table} {names} VALUES (?, ?, ?, ?, ?, ?)", metrics)
            connection.execute("INSERT INTO tags VALUES ('mlflow.runName', ?, ?)", (str(one.number), one.id))
    connection.close()


def search(client: MlflowClient, experiment: str, where: str, order: list[str]) -> tuple[list[float], list[int]]:
    took = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        found = client.search_runs([experiment], where, order_by=order, max_results=PAGE)
        took.append(1000 * (time.perf_counter() - begin))
    return took, [int(one.info.run_name) for one in found]


client = MlflowClient(f"sqlite:///{FILE}")
experiment = client.create_experiment("search")
fill(experiment)
answers = {name: search(client, experiment, *query) for name, query in QUERIES.items()}
found = {name: {"ms": median(took), "slowest": max(took), "runs": runs} for name, (took, runs) in answers.items()}
Path(f"mlflow-{RUNS}.json").write_text(json.dumps(found))
