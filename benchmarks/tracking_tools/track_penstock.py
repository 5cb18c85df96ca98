import time

from taken import busy, taken, tell

from penstock.api import Project

project = Project.open(".")
started = time.perf_counter()
with project.train.run():
    busy()
first = time.perf_counter() - started
started = time.perf_counter()
busy()
bare = time.perf_counter() - started


def nothing() -> None:
    project.train.run(system=False).end()


def batch() -> None:
    run.log_series("curve", range(1000))


def batch_in_the_ledger() -> None:
    run.log_series("curve", range(1000))
    run.flush()


def trained() -> None:
    with project.train.run():
        pass


numbers = {"start + end": taken(nothing, 100), "a run around nothing": taken(trained, 50)}
with project.train.run(system=False) as run:
    parameters = iter(range(10**6))
    numbers |= {
        "log_metric": taken(lambda: run.log_metric("loss", 0.5), 300),
        "log_params(20)": taken(lambda: run.log_params({f"p{next(parameters)}": i for i in range(20)}), 50),
        "log 1000 values": taken(batch, 20),
        "log 1000 values, in the ledger": taken(batch_in_the_ledger, 20),
    }
tell({**numbers, "first run around 1 s": 1000 * (first - bare)})
