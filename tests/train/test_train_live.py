"""Values of a training while it goes on, in real processes."""

import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from train.test_train_run import only_run, waits_until
from train.train_toy import Toy, toy

from penstock.errors import Pruned, UsageError, UserCodeError
from penstock.ledger import Cursor, MetricPoint, Point
from penstock.train import reap

REPORTING = """
import os
import time
import steps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def fit(X, y, *, seed, report, depth=3):
    for epoch in range(1, 6):
        report(loss=1 / epoch, step=epoch)
        report(examples=100 * epoch)
    {then}
    return make_pipeline(steps.columns(), LogisticRegression()).fit(X, y)
"""
MODELS = """
import steps
from lightgbm import LGBMClassifier, Dataset, early_stopping, train
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline


def fit(table, late, *, seed, depth=3):
    X, y = table.select("distance").to_numpy(), late.to_numpy()
    {model}
    return make_pipeline(steps.columns(), LogisticRegression()).fit(table, late)
"""


def series(project: Toy, name: str) -> list[tuple[int, float]]:
    with project.ledger.read() as reader:
        points = reader.find(MetricPoint, run=only_run(project).id, name=name, order_by="number")
    return [(point.step, point.value) for point in points]


def names(project: Toy) -> set[str]:
    with project.ledger.read() as reader:
        return {point.name for point in reader.find(MetricPoint, run=only_run(project).id)}


def test_what_fit_reports_is_in_the_ledger(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", REPORTING.format(then=""))
    project.train()
    assert series(project, "loss") == [(epoch, 1 / epoch) for epoch in range(1, 6)]
    assert series(project, "examples") == [(epoch, 100 * epoch) for epoch in range(1, 6)]
    with project.ledger.read() as reader:
        assert reader.find(Cursor) == []
    assert list((project.project.home / "runs").iterdir()) == []


def test_values_are_seen_while_the_training_goes_on(tmp_path: Path) -> None:
    """The training waits until its values, of which the test is told, were found in the ledger too."""
    go_on = tmp_path / "go-on"
    project = toy(
        tmp_path / "toy", REPORTING.format(then=f"while not os.path.exists({str(go_on)!r}): time.sleep(0.02)")
    )
    seen: list[Point] = []
    looking = threading.Thread(
        target=lambda: waits_until(lambda: seen and series(project, "examples")) and go_on.touch()
    )
    looking.start()
    project.train(on_values=seen.extend)
    looking.join()
    assert [(point.name, point.step) for point in seen] == [
        (name, epoch) for epoch in range(1, 6) for name in ("loss", "examples")
    ]


def test_a_training_is_ended_early_when_its_values_promise_nothing(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", REPORTING.format(then="time.sleep(60)"))
    with pytest.raises(Pruned):
        project.train(on_values=lambda points: any(point.step == 3 for point in points))
    run = only_run(project)
    assert run.status == "pruned"
    assert run.error
    assert len(series(project, "loss")) == 5
    assert list((project.project.home / "runs").iterdir()) == []


def test_a_training_that_fails_keeps_what_it_reported(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", REPORTING.format(then="raise ValueError('no more')"))
    with pytest.raises(UserCodeError):
        project.train()
    assert only_run(project).status == "failed"
    assert len(series(project, "loss")) == 5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_training_that_dies_keeps_what_it_reported(tmp_path: Path, number: signal.Signals) -> None:
    project = toy(tmp_path / "toy", REPORTING.format(then=f"os.kill(os.getpid(), {number.value})"))
    with pytest.raises(Exception, match=number.name):
        project.train()
    assert only_run(project).status == "killed"
    assert len(series(project, "loss")) == 5


def test_values_of_a_training_whose_parent_is_killed_are_found_later(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    project = toy(tmp_path / "toy", REPORTING.format(then=f"open({str(pid_file)!r}, 'w').close(); time.sleep(60)"))
    script = (
        "import sys; from pathlib import Path; from train.train_toy import opened; opened(Path(sys.argv[1])).train()"
    )
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script, str(project.root)], env=variables)
    assert waits_until(pid_file.exists)
    parent.kill()
    parent.wait()
    (reaped,) = reap(project.ledger, project.store)
    assert reaped.status == "killed"
    assert len(series(project, "loss")) == 5
    with project.ledger.read() as reader:
        assert reader.find(Cursor) == []


def test_what_is_no_number_is_refused_at_its_line(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", REPORTING.format(then="report(loss='low')"))
    with pytest.raises(UsageError, match="the metric 'loss' cannot be 'low'") as caught:
        project.train()
    assert caught.value.where == "pipeline.py:9"
    assert len(series(project, "loss")) == 5


def test_a_process_that_fit_forks_reports_too(tmp_path: Path) -> None:
    fork = "child = os.fork(); (report(forked=1), os._exit(0)) if child == 0 else os.waitpid(child, 0)"
    project = toy(tmp_path / "toy", REPORTING.format(then=fork))
    project.train()
    assert series(project, "forked") == [(1, 1.0)]
    assert len(series(project, "loss")) == 5


def test_the_machine_is_watched_over_seconds(tmp_path: Path) -> None:
    work = "end = time.monotonic() + 2\n    while time.monotonic() < end: sum(range(1000))"
    project = toy(tmp_path / "toy", REPORTING.format(then=work))
    project.train()
    assert {"system.cpu_percent", "system.memory_mb"} <= names(project)
    assert series(project, "system.cpu_percent")[0][1] > 10
    assert series(project, "system.memory_mb")[0][1] > 30


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("LGBMClassifier(n_estimators=4).fit(X, y, eval_set=[(X + 1, y)], eval_metric='auc')", "valid_0.auc"),
        (
            "train({'objective': 'binary', 'metric': 'auc'}, Dataset(X, y), 4, [Dataset(X, y)], ['held'], "
            "None, None, False, [early_stopping(3)])",
            "held.auc",
        ),
        ("GradientBoostingClassifier(n_estimators=4, random_state=seed).fit(X, y)", "train_score"),
        (
            "HistGradientBoostingClassifier(max_iter=3, early_stopping=True, random_state=seed).fit(X, y)",
            "validation_score",
        ),
        ("MLPClassifier((3,), max_iter=4, random_state=seed).fit(X, y)", "loss"),
    ],
)
def test_libraries_report_round_by_round(tmp_path: Path, model: str, found: str) -> None:
    if "lightgbm" not in sys.modules and find_spec("lightgbm") is None:
        pytest.skip("LightGBM is not installed")
    project = toy(tmp_path / "toy", MODELS.format(model=model))
    project.train()
    steps = [step for step, _ in series(project, found)]
    assert len(steps) == 4
    assert steps == list(range(steps[0], steps[0] + 4))


XGBOOST = MODELS.replace("from lightgbm import LGBMClassifier, Dataset, early_stopping, train\n", "import xgboost\n")
TORCH = """
import steps
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def fit(X, y, *, seed, report, depth=3):
    inputs = torch.tensor(X.select("distance").to_numpy(), dtype=torch.float32) / 1000
    wanted = torch.tensor(y.to_numpy(), dtype=torch.float32)[:, None]
    layer = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(layer.parameters(), 0.1)
    for epoch in range(1, 5):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(layer(inputs), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        report(loss=loss, step=epoch)
    return make_pipeline(steps.columns(), LogisticRegression()).fit(X, y)
"""


@pytest.mark.skipif(find_spec("xgboost") is None, reason="runs in make test-frameworks")
@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("xgboost.XGBClassifier(n_estimators=4).fit(X, y, eval_set=[(X, y)])", "validation_0.logloss"),
        (
            "data = xgboost.DMatrix(X, y); "
            "xgboost.train({'objective': 'binary:logistic'}, data, 4, evals=[(data, 'held')])",
            "held.logloss",
        ),
    ],
)
def test_xgboost_reports_round_by_round(tmp_path: Path, model: str, found: str) -> None:
    project = toy(tmp_path / "toy", XGBOOST.format(model=model))
    project.train()
    assert [step for step, _ in series(project, found)] == [1, 2, 3, 4]


@pytest.mark.skipif(find_spec("torch") is None, reason="runs in make test-frameworks")
def test_a_loop_of_pytorch_reports_its_losses(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", TORCH)
    project.train()
    steps, losses = zip(*series(project, "loss"), strict=True)
    assert steps == (1, 2, 3, 4)
    assert losses[3] < losses[0]


def test_a_fit_with_nothing_to_report_reports_nothing(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", MODELS.format(model="LGBMClassifier(n_estimators=4).fit(X, y)"))
    project.train()
    assert names(project) <= {"rows", "columns", "seconds", "peak_memory_mb", "system.cpu_percent", "system.memory_mb"}
