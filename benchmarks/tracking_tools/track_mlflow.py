import time

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from taken import busy, taken, tell

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("benchmark")
started = time.perf_counter()
with mlflow.start_run():
    busy()
first = time.perf_counter() - started
started = time.perf_counter()
busy()
bare = time.perf_counter() - started
client = MlflowClient()


def nothing() -> None:
    mlflow.start_run()
    mlflow.end_run()


numbers = {"start + end": taken(nothing, 100), "a run around nothing": taken(nothing, 50)}
with mlflow.start_run() as run:
    parameters, batches = iter(range(10**6)), iter(range(10**6))

    def batch() -> None:
        first = 1000 * next(batches)
        now = int(1000 * time.time())
        client.log_batch(run.info.run_id, metrics=[Metric("curve", i, now, first + i) for i in range(1000)])

    numbers |= {
        "log_metric": taken(lambda: mlflow.log_metric("loss", 0.5), 300),
        "log_params(20)": taken(lambda: mlflow.log_params({f"p{next(parameters)}": i for i in range(20)}), 50),
        "log 1000 values": taken(batch, 20),
    }
    numbers["log 1000 values, in the ledger"] = numbers["log 1000 values"]
tell({**numbers, "first run around 1 s": 1000 * (first - bare)})
