import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from train.train_toy import Toy, toy

from penstock.bundle import FeatureSpec, ViewSpec, open_bundle
from penstock.bundle import export as export_bundle
from penstock.errors import Conflict, Damaged, FunctionError, Killed, PenstockError, UsageError, UserCodeError
from penstock.ledger import Artifact, Edge, Metric, Param, Run, SealedBundle, trace
from penstock.train import Recipe, Tables, check_training, find_run, reap
from penstock.train.process import is_gone
from penstock.train.run import _mark_killed


def fit(*lines: str) -> str:
    """A pipeline.py whose fit has this body."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"import os\nimport sys\nimport time\n\n\ndef fit(X, y, *, seed, depth=3):\n{body}"


def only_run(project: Toy) -> Run:
    with project.ledger.read() as reader:
        (run,) = reader.find(Run)
    return run


def log_of(project: Toy, run: Run) -> str:
    assert run.log is not None
    return project.store.read_bytes(run.log).decode()


def message_of(project: Toy) -> str:
    with pytest.raises(UserCodeError) as caught:
        project.train()
    return caught.value.what


# --- a run that ends well ------------------------------------------------------------------------


def test_training_twice_gives_the_same_model(trained: Toy) -> None:
    with trained.ledger.read() as reader:
        first, second = reader.find(Run, order_by="number")
    assert (first.number, second.number) == (1, 2)
    assert first.content_hash == second.content_hash
    assert first.probe_hash == second.probe_hash
    assert first.environment == second.environment
    assert first.code == second.code
    assert first.bundle != second.bundle  # each names its own run


def test_a_run_is_recorded_whole(trained: Toy) -> None:
    with trained.ledger.read() as reader:
        run = find_run(reader, "1")
        params = {each.name: each.value for each in reader.find(Param, run=run.id)}
        metrics = {each.name: each.value for each in reader.find(Metric, run=run.id)}
        artifact = reader.get(Artifact, run=run.id, name="recipe.json")
        sealed = reader.get(SealedBundle, digest=run.bundle)
    assert run.status == "finished"
    assert run.error is None
    assert run.pid == os.getpid()
    assert run.finished_at is not None
    assert run.finished_at >= run.started_at
    assert (run.function, run.seed, run.params, run.data) == ("pipeline:fit", 3, {"depth": 4}, {"rows": trained.commit})
    assert params == {"depth": "4"}
    assert metrics["rows"] == trained.store.manifest(trained.tables.train).rows
    assert metrics["columns"] == 3
    assert metrics["peak_memory_mb"] > 50
    assert artifact is not None
    recipe = Recipe.from_json(trained.store.read_json(artifact.digest))
    assert recipe.tables == trained.tables
    assert recipe.code == run.code
    assert sealed is not None
    assert sealed.run == run.id


def test_the_environment_is_that_of_the_process(trained: Toy) -> None:
    with trained.ledger.read() as reader:
        environment = trained.store.read_json(find_run(reader, "1").environment)
    assert environment["variables"]["PYTHONHASHSEED"] == "0"
    assert environment["variables"]["OMP_NUM_THREADS"] == "1"
    assert {pool["num_threads"] for pool in environment["threads"]} == {1}
    assert "scikit-learn" in environment["distributions"]


def test_lineage_leads_from_data_to_bundle(trained: Toy) -> None:
    with trained.ledger.read() as reader:
        first, second = reader.find(Run, order_by="number")
        above = {edge.source: edge.role for edge in trace(reader, f"bundle:{second.bundle}").upstream}
    assert above == {
        f"run:{second.id}": "sealed",
        f"data:{trained.commit}": "rows",
        f"code:{second.code}": "code",
        f"environment:{second.environment}": "environment",
        f"objective:{'f' * 64}": "objective",
    }
    with trained.ledger.read() as reader:
        assert not reader.find(Edge, target=f"run:{first.id}", role="objective")


def test_the_bundle_opens_and_answers(trained: Toy, tmp_path: Path) -> None:
    with trained.ledger.read() as reader:
        run = find_run(reader, "1")
        sealed = reader.get(SealedBundle, digest=run.bundle)
    assert sealed is not None
    place = export_bundle(sealed.digest, trained.store, sealed.signature, sealed.public_key, tmp_path)
    bundle = open_bundle(place, trusted=[sealed.public_key])
    holdout = trained.store.scan(trained.tables.holdout).collect()
    right = sum(map(bool.__eq__, bundle.predict(holdout, {}).labels, holdout["late"].to_list()))
    assert right / holdout.height > 0.7
    assert [each.nullable for each in bundle.signature.fields] == [False, True, False]
    assert bundle.manifest.lineage["run"] == run.id
    assert bundle.manifest.lineage["data"] == run.data
    assert bundle.manifest.environment["digest"] == run.environment
    assert bundle.check_probe()


def test_nothing_is_left_lying_about(trained: Toy) -> None:
    assert list((trained.project.home / "runs").iterdir()) == []


def test_a_run_is_found_by_number_and_by_the_beginning_of_its_id(trained: Toy) -> None:
    with trained.ledger.read() as reader:
        first, second = reader.find(Run, order_by="number")
        assert find_run(reader, "2") == second
        assert find_run(reader, first.id) == first
        assert find_run(reader, second.id[:20].upper()) == second
        with pytest.raises(UsageError, match="several runs"):
            find_run(reader, first.id[:4])
        for unknown in ("99", "nothing", ""):
            with pytest.raises(UsageError):
                find_run(reader, unknown)


# --- what runs is what is recorded ---------------------------------------------------------------


def test_chance_is_fixed(tmp_path: Path) -> None:
    text = "import random\nimport numpy\nimport polars\n" + fit(
        "values = [hash('a'), list({'x', 'y', 'z'}), random.random(), numpy.random.rand()]",
        "values.append(polars.Series(range(9)).shuffle().to_list())",
        "raise ValueError(values)",
    )
    project = toy(tmp_path / "toy", text)
    assert message_of(project) == message_of(project)


def test_fit_gets_what_is_recorded_and_nothing_else(tmp_path: Path) -> None:
    values = "[sorted(os.listdir()), X.columns, len(X) == len(y), y.name, y.dtype, seed, depth]"
    project = toy(tmp_path / "toy", "import steps\n" + fit(f"raise ValueError({values})"))
    (project.root / "secret.txt").write_text("not recorded")
    sources, columns = ["pipeline.py", "steps.py"], ["distance", "wind", "carrier"]
    assert message_of(project).endswith(f"[{sources}, {columns}, True, 'late', Boolean, 3, 4]")
    run = only_run(project)
    assert sorted(project.store.read_json(run.code)) == sources
    assert (run.params, run.seed) == ({"depth": 4}, 3)


def test_git_is_recorded_with_the_uncommitted_changes(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("raise ValueError"))
    git = ["git", "-C", str(project.root), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "penstock.yaml", "pipeline.py"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    (project.root / "pipeline.py").write_text("import steps\n" + fit("raise KeyError"))  # and steps.py is not tracked
    message_of(project)
    run = only_run(project)
    assert run.git_commit == subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    assert run.patch is not None
    assert b"+import steps" in project.store.read_bytes(run.patch)
    assert "steps.py" in project.store.read_json(run.code)


# --- what the user's code does wrong -------------------------------------------------------------


def test_an_error_in_fit_is_shown_where_it_is(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("print('before')", "inner = {}", "return inner['depth']"))
    with pytest.raises(UserCodeError) as caught:
        project.train()
    assert caught.value.where == "pipeline.py:9"
    assert caught.value.what == "pipeline:fit raised KeyError: 'depth'"
    assert caught.value.hint == "penstock train log 1"
    run = only_run(project)
    assert run.status == "failed"
    assert run.error == str(caught.value)
    assert run.finished_at is not None
    assert run.bundle is None
    log = log_of(project, run)
    assert log.startswith("before\nTraceback")
    assert 'File "pipeline.py", line 9, in fit' in log
    assert str(project.root) not in log
    with project.ledger.read() as reader:
        assert reader.count(Param, name="depth", value="4") == 1
        assert reader.count(Edge) == 0
    assert list((project.project.home / "runs").iterdir()) == []


def test_what_is_not_python_is_shown_where_it_is(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", "import os\n\ndef fit(X y): ...\n")
    with pytest.raises(FunctionError, match="not Python") as caught:
        check_training(project.project)
    assert caught.value.where == "pipeline.py:3"


def test_a_fit_that_is_wrapped_later_is_asked_in_its_process(tmp_path: Path) -> None:
    wrapped = "def call(X, y, *, seed, depth):\n    raise ValueError(depth)\n\n\nfit = call\n"
    project = toy(tmp_path / "toy", "def fit(X): ...\n\n\n" + wrapped)
    assert message_of(project).endswith("raised ValueError: 4")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("sys.exit(3)", "pipeline.py:7: pipeline:fit raised SystemExit: 3"),
        ("open('lookup.csv')", "declare what it reads under data.datasets"),
        ("return None", "pipeline.py:6: pipeline:fit returned None"),
        ("return 5", "pipeline.py:6: no safe format holds a builtins.int"),
        ("os._exit(5)", "exit code 5"),
    ],
)
def test_fit_that_gives_no_model(line: str, what: str, tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit(line))
    with pytest.raises(PenstockError) as caught:
        project.train()
    assert what in str(caught.value)
    assert only_run(project).status == "failed"


def test_fit_that_prints_more_than_a_pipe_holds(tmp_path: Path) -> None:
    lines: list[str] = []
    text = fit("for i in range(20_000):", "    print(i, 'x' * 1000)", "raise ValueError")
    project = toy(tmp_path / "toy", text)
    with pytest.raises(UserCodeError):
        project.train(progress=lines.append)
    assert sum(line.endswith("x" * 1000) for line in lines) == 20_000
    log = log_of(project, only_run(project))
    assert log.startswith("0 xxx")
    assert "bytes left out" in log
    assert log.endswith("ValueError\n")
    assert len(log) < 17 << 20


def test_params_that_fit_does_not_take_are_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("return None"))
    with pytest.raises(FunctionError) as caught:
        project.train(sets=("train.params.deep=1",))
    assert "takes no parameter 'deep' (did you mean 'depth'?)" in str(caught.value)
    assert caught.value.where == "pipeline.py:6"
    with project.ledger.read() as reader:
        assert reader.count(Run) == 0


def test_params_of_a_decorated_fit_are_checked_in_the_process(tmp_path: Path) -> None:
    text = fit("return None").replace("def fit", "@lambda function: function\ndef fit")
    project = toy(tmp_path / "toy", text)
    with pytest.raises(FunctionError, match="takes no parameter 'D'"):
        project.train(sets=("train.params.D=1",))
    assert only_run(project).status == "failed"


def test_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", "import nonexistent_library\n" + fit("return None"))
    with pytest.raises(FunctionError) as caught:
        project.train()
    assert caught.value.where == "pipeline.py:1"
    assert "nonexistent_library" in str(caught.value)


def test_a_model_that_no_safe_format_holds(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("return object()"))
    with pytest.raises(UsageError, match="no safe format holds"):
        project.train()
    assert only_run(project).status == "failed"


def test_damaged_data_train_nothing(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("return None"))
    flip(project, project.tables.train)
    with pytest.raises(Damaged):
        project.train()
    assert only_run(project).status == "failed"


def flip(project: Toy, commit: str) -> None:
    """Change one bit of a table's first part."""
    blob = project.store.blobs.location(project.store.manifest(commit).parts[0].digest)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)


def test_features_of_other_code_than_the_tables_are_refused(tmp_path: Path) -> None:
    text = "def wide(requests):\n    return requests\n\n\ndef fit(X, y, *, seed, depth):\n    return X\n"
    project = toy(tmp_path / "toy", text)
    view = ViewSpec("wide", "pipeline:wide", "request", code="0" * 64)
    with pytest.raises(Conflict, match="changed after the training set was made"):
        replace(project, features=FeatureSpec(project.features.request, views=(view,))).train()


# --- processes that die --------------------------------------------------------------------------


def test_a_killed_training_reads_as_killed(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("print('working')", "os.kill(os.getpid(), 9)"))
    with pytest.raises(Killed, match="SIGKILL"):
        project.train()
    run = only_run(project)
    assert run.status == "killed"
    assert run.error is not None
    assert "SIGKILL" in run.error
    assert log_of(project, run) == "working\n"


def test_an_interrupted_training_reads_as_killed(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    pids: list[int] = []
    project = toy(tmp_path / "toy", fit("print(os.getpid())", "time.sleep(60)"))
    with pytest.raises(KeyboardInterrupt):
        project.train(progress=interrupt)
    run = only_run(project)
    assert run.status == "killed"
    assert run.error == "training was given up: KeyboardInterrupt"
    assert waits_until(lambda: is_gone(pids[0], {**run.host, "created": 0}))


def test_a_training_whose_parent_is_killed_ends_and_is_found(tmp_path: Path) -> None:
    project = toy(
        tmp_path / "toy",
        fit("print('working')", "open(os.environ['PID_FILE'], 'w').write(str(os.getpid()))", "time.sleep(60)"),
    )
    pid_file = tmp_path / "pid"
    script = (
        "import sys; from pathlib import Path; from train.train_toy import opened; opened(Path(sys.argv[1])).train()"
    )
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PID_FILE": str(pid_file)}
    parent = subprocess.Popen([sys.executable, "-c", script, str(project.root)], env=variables)
    assert waits_until(lambda: pid_file.exists() and pid_file.read_text())
    run = only_run(project)
    assert (run.status, run.pid) == ("running", parent.pid)
    assert reap(project.ledger, project.store) == ()  # it lives
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    (reaped,) = reap(project.ledger, project.store)
    assert only_run(project) == reaped
    assert reaped.status == "killed"
    assert log_of(project, reaped) == "working\n"
    assert list((project.project.home / "runs").iterdir()) == []
    assert waits_until(lambda: is_gone(int(pid_file.read_text()), {**run.host, "created": 0}))
    assert reap(project.ledger, project.store) == ()


def test_a_run_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("raise ValueError"))
    message_of(project)
    run = only_run(project)
    with project.ledger.write() as transaction:
        transaction.change(Run, {"id": run.id}, status="running", host={**run.host, "name": "elsewhere"}, pid=1)
    assert reap(project.ledger, project.store) == ()
    assert only_run(project).status == "running"


def test_a_run_that_ends_while_it_is_looked_at_keeps_its_end(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("raise ValueError"))
    message_of(project)
    failed = only_run(project)
    place = Path(failed.host["directory"])
    place.mkdir()
    assert _mark_killed(project.ledger, project.store, failed._replace(status="running")) is None
    assert only_run(project) == failed
    assert place.is_dir()


def test_runs_at_the_same_time_have_numbers_of_their_own(tmp_path: Path) -> None:
    project = toy(tmp_path / "toy", fit("raise ValueError"))
    threads = [threading.Thread(target=message_of, args=(project,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with project.ledger.read() as reader:
        assert [run.number for run in reader.find(Run, order_by="number", status="failed")] == [1, 2]


def waits_until(condition: object, seconds: float = 30) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_recipe_survives_json() -> None:
    recipe = Recipe("m", "p:f", {"a": [1]}, 1, 2, {"task": "binary"}, 0.5, {}, Tables("t", "h", {"v": "c"}), {}, "c")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
