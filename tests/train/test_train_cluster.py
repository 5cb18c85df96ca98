"""Training on a Ray cluster whose nodes do not see the project's disk. With Ray these run in `make test-ray`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine.cluster import Cluster, cluster, eventually
from train.search_toy import WEIGHT, desk
from train.train_toy import Toy, toy

from penstock.bundle import export, open_bundle
from penstock.engine import open_pool
from penstock.errors import UsageError, UserCodeError
from penstock.ledger import Metric, Run, SealedBundle
from penstock.project import Engine, Resources
from penstock.signing import load_signer
from penstock.store import Store
from penstock.train import reap
from penstock.train.cluster.asking import needed
from penstock.train.cluster.folds import folds_in
from penstock.train.cluster.node import train
from penstock.train.recipe import Recipe
from penstock.train.search import Found, Trial, run_search

with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="runs in make test-ray")
REPORTING = """
import time
import steps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def fit(X, y, *, seed, report, depth=3):
    for step in range(depth):
        report(loss=1 / (step + 1), step=step)
        print("round", step)
        time.sleep(1)
    return make_pipeline(steps.columns(), LogisticRegression(random_state=seed)).fit(X, y)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that no node sees but those that are started to see it."""
    return tmp_path_factory.mktemp("ours")


@pytest.fixture(scope="module")
def ray_cluster(place: Path) -> Iterator[Cluster]:
    with cluster("one", "two", hide=place) as made:
        yield made


@pytest.fixture(scope="module")
def engine(ray_cluster: Cluster) -> tuple[str, ...]:
    return ("engine.kind=ray", f"engine.address={ray_cluster.address}")


@pytest.fixture(scope="module")
def local(place: Path) -> Toy:
    """A project that was trained here."""
    project = toy(place / "local")
    project.train()
    return project


def newest(project: Toy) -> Run:
    with project.ledger.read() as reader:
        return reader.find(Run, order_by="-number", limit=1)[0]


# --- without a cluster ---------------------------------------------------------------------------


def asked(project: Toy, **more: object) -> dict[str, Any]:
    """What a node is asked, for the training that was done here."""
    run = newest(project)
    recipe = Recipe.from_json(project.store.read_json(artifact_of(project, run)))
    facts: Mapping[str, Any] = {
        "recipe": recipe.to_json(), "run": run.id, "store": str(project.store.blobs.root),
        "place": str(project.root / "place"), "token": "t", "blobs": [*needed(project.store, recipe)], "handles": {},
    }  # fmt: skip
    return {**facts, **more}


def artifact_of(project: Toy, run: Run) -> str:
    from penstock.ledger import Artifact

    with project.ledger.read() as reader:
        artifact = reader.get(Artifact, run=run.id, name="recipe.json")
    assert artifact is not None
    return artifact.digest


def test_a_node_says_what_it_lacks(local: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    argument = asked(local)
    assert list(train(argument)) == [("lacking", argument["blobs"])]


def test_a_node_that_has_everything_sends_what_it_made(
    local: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    argument = asked(local)
    store = Store.open(tmp_path / "penstock" / "node" / "store")
    for digest in argument["blobs"]:
        store.put_file(local.store.path(digest))
    messages = list(train(argument))
    kinds = [message[0] for message in messages]
    assert kinds[0] == "node"
    assert kinds[-1] == "trained"
    assert messages[-1][1]["content_hash"] == newest(local).content_hash
    assert newest(local).environment in {message[1] for message in messages if message[0] == "blob"}
    assert not [*(tmp_path / "penstock" / "node" / "runs").iterdir()]


def test_a_node_that_sees_the_disk_is_sent_nothing(local: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "token").write_text("t")
    messages = list(train(asked(local, place=str(tmp_path))))
    assert [message[0] for message in messages] == ["node", "trained"]
    assert (tmp_path / "log").exists()
    assert local.store.has(messages[-1][1]["bundle"])
    assert not (tmp_path / "cache").exists()


def test_a_node_that_nobody_listens_to_ends_the_training(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = toy(place / "endless", REPORTING)
    project.train(sets=("train.params.depth=1",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    argument = asked(project)
    argument["recipe"]["params"] = {"depth": 1000}
    store = Store.open(tmp_path / "penstock" / "node" / "store")
    for digest in argument["blobs"]:
        store.put_file(project.store.path(digest))
    messages = train(argument)
    assert [next(messages)[0], next(messages)[0]] == ["node", "piece"]
    children = [each for each in psutil.Process().children() if "penstock.train.worker" in each.cmdline()]
    messages.close()  # type: ignore[attr-defined]
    assert children
    assert not any(child.is_running() for child in children)
    assert not [*(tmp_path / "penstock" / "node" / "runs").iterdir()]


def test_more_than_the_machine_has_is_refused_before_anything_is_recorded(local: Toy) -> None:
    before = newest(local)
    with pytest.raises(UsageError, match="4096 CPUs"):
        local.train(sets=("train.resources.cpus=4096",))
    assert newest(local) == before


def test_a_training_sees_the_gpus_that_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,8")
    code = "import os\n\n\ndef fit(X, y, *, seed, depth):\n    raise ValueError(os.environ['CUDA_VISIBLE_DEVICES'])\n"
    project = toy(tmp_path / "toy", code)
    for count, seen in ((0, "5,7,8"), (2, "5,7")):
        with pytest.raises(UserCodeError) as caught:
            project.train(sets=(f"train.resources.gpus={count}",))
        assert caught.value.what.endswith(f"ValueError: {seen}")


# --- with one ------------------------------------------------------------------------------------


@with_ray
def test_a_node_makes_the_same_model_as_this_machine(local: Toy, engine: tuple[str, ...], tmp_path: Path) -> None:
    here = newest(local)
    local.train(sets=engine)
    there = newest(local)
    assert (there.status, there.host["node"] != "") == ("finished", True)
    assert there.content_hash == here.content_hash
    assert there.probe_hash == here.probe_hash
    assert there.environment == here.environment
    with local.ledger.read() as reader:
        sealed = reader.get(SealedBundle, digest=there.bundle)
    assert sealed is not None
    assert sealed.public_key == load_signer(local.project.signing_key).public
    opened = open_bundle(
        export(sealed.digest, local.store, sealed.signature, sealed.public_key, tmp_path), trusted=[sealed.public_key]
    )
    assert opened.check_probe()


@with_ray
def test_what_is_reported_comes_while_it_trains(place: Path, engine: tuple[str, ...]) -> None:
    project = toy(place / "reporting", REPORTING)
    lines: list[str] = []
    came: list[float] = []
    project.train(
        sets=engine,
        progress=lines.append,
        on_values=lambda points: came.extend(p.value for p in points if p.name == "loss"),
    )
    run = newest(project)
    assert lines == [f"round {step}" for step in range(4)]
    assert came == [1, 1 / 2, 1 / 3, 1 / 4]
    with project.ledger.read() as reader:
        found = {each.name: each for each in reader.find(Metric, run=run.id)}
    assert (found["loss"].value, found["loss"].n) == (0.25, 4)
    assert found["system.memory_mb"].value > 10
    assert list((project.project.home / "runs").iterdir()) == []


@with_ray
def test_an_error_in_fit_is_shown_where_it_is(place: Path, engine: tuple[str, ...]) -> None:
    code = "def fit(X, y, *, seed, depth=3):\n    print('before')\n    return {}['depth']\n"
    project = toy(place / "failing", code)
    with pytest.raises(UserCodeError) as caught:
        project.train(sets=engine)
    assert caught.value.where == "pipeline.py:3"
    run = newest(project)
    assert run.status == "failed"
    assert run.log is not None
    log = project.store.read_bytes(run.log).decode()
    assert log.startswith("before\nTraceback")
    assert 'File "pipeline.py", line 3, in fit' in log


@with_ray
def test_more_than_any_node_has_is_refused(local: Toy, engine: tuple[str, ...]) -> None:
    before = newest(local)
    with pytest.raises(UsageError, match="64 CPUs"):
        local.train(sets=(*engine, "train.resources.cpus=64"))
    assert newest(local) == before


@with_ray
def test_a_node_that_is_killed_in_a_training_costs_time_only(
    place: Path, ray_cluster: Cluster, engine: tuple[str, ...]
) -> None:
    ray_cluster.start_node("large", cpus=3, hide=place)
    project = toy(place / "killed", REPORTING)
    killed: list[str] = []

    def kill_once(line: str) -> None:
        if not killed:
            killed.append(line)
            ray_cluster.start_node("larger", cpus=4)  # sees the disk
            ray_cluster.kill_node("large")

    project.train(sets=(*engine, "train.resources.cpus=3"), progress=kill_once)
    run = newest(project)
    assert run.status == "finished"
    assert run.log is not None
    log = project.store.read_bytes(run.log).decode()
    assert "was lost" in log
    assert log.count("round 3") == 1
    ray_cluster.kill_node("larger")
    project.train()  # here
    assert newest(project).content_hash == run.content_hash


@with_ray
def test_a_search_finds_the_same_on_nodes_one_of_which_is_killed(
    place: Path, ray_cluster: Cluster, engine: tuple[str, ...]
) -> None:
    here, there = desk(place / "search-here"), desk(place / "search-there")
    settings = {**WEIGHT, "trials": 5, "workers": 1}
    ray_cluster.start_node("brief", cpus=3, hide=place)
    killer = threading.Thread(target=lambda: replaced_node(ray_cluster, place))

    def kill_soon(trial: Trial, found: Found) -> None:
        if trial.number == 0:
            killer.start()

    plan = replace(there.plan(settings), resources=Resources(cpus=3), fork=False)
    with open_pool(Engine(kind="ray", address=ray_cluster.address)) as pool:
        tasks = folds_in(pool, there.store)
        found = run_search(plan, there.ledger, there.store, tasks, there.judge, home=there.home, on_trial=kill_soon)
    killer.join()
    ray_cluster.kill_node("longer")
    expected = here.search(here.plan(settings))
    assert [(t.number, t.status, t.choice, t.folds) for t in found.trials] == [
        (t.number, t.status, t.choice, t.folds) for t in expected.trials
    ]
    with there.ledger.read() as reader:
        logs = [there.store.read_bytes(run.log or "") for run in reader.find(Run)]
    assert [log.count(b"fitting 160") for log in logs] == [3] * 5
    assert list((there.home / "runs").iterdir()) == []


def replaced_node(ray_cluster: Cluster, place: Path) -> None:
    """A node joins, then another is killed."""
    ray_cluster.start_node("longer", cpus=4, hide=place)
    ray_cluster.kill_node("brief")


SCRIPT = """
import sys
from pathlib import Path
from train.train_toy import opened
opened(Path(sys.argv[1])).train(sets=sys.argv[2:], progress=lambda line: print(line, flush=True))
"""


@with_ray
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_when_the_driver_ends_so_does_the_training(
    place: Path, ray_cluster: Cluster, engine: tuple[str, ...], number: signal.Signals
) -> None:
    project = toy(place / f"ended{number}", REPORTING)
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(project.root), *engine, "train.params.depth=300"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"round 0\n"
    assert trainings(ray_cluster)
    driver.send_signal(number)
    driver.wait(timeout=60)
    assert eventually(lambda: not trainings(ray_cluster))
    reap(project.ledger, project.store, project.project.home)
    run = newest(project)
    assert run.status == "killed"
    assert run.log is not None
    assert project.store.read_bytes(run.log).startswith(b"round 0\n")
    assert list((project.project.home / "runs").iterdir()) == []


def trainings(ray_cluster: Cluster) -> list[psutil.Process]:
    """The training processes on the nodes."""
    found = []
    for name in ("one", "two"):
        for process in ray_cluster.processes(name):
            try:
                found += [process] if "penstock.train.worker" in process.cmdline() else []
            except psutil.NoSuchProcess:
                continue
    return found
