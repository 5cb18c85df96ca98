"""Runs that a script logs to, in real processes, through the public door."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from services import restartable_postgres, tmpfs
from train.test_train_run import waits_until

from penstock.api import Project
from penstock.errors import PenstockError, UsageError
from penstock.ledger import Cursor, Edge, MetricPoint, Run, Tag
from penstock.train.tracking.tracked import TrackedRun

YAML = "name: notes\ndata: {datasets: {rows: {source: rows.csv}}}\n"
HEAD = "from penstock.api import Project\nproject = Project.open('.')\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "notes"
    root.mkdir()
    (root / "penstock.yaml").write_text(YAML)
    (root / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    return Project.open(root)


def root_of(project: Project) -> Path:
    return project._workspace.project.root


def places(project: Project) -> list[Path]:
    return list((project._workspace.project.home / "runs").glob("*"))


def find(project: Project, record: Any, **equals: Any) -> list[Any]:
    with project._workspace.ledger.read() as reader:
        found: list[Any] = reader.find(record, **equals)
        return found


def values(project: Project, run: str, name: str) -> list[float]:
    return [point.value for point in find(project, MetricPoint, run=run, name=name, order_by="number")]


def record(project: Project, run: str) -> Run:
    return project.train.show(run).run


def script(project: Project, text: str) -> "subprocess.Popen[str]":
    """A program in the project's directory, on its way."""
    file = root_of(project) / "try.py"
    file.write_text(HEAD + text)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    pipe = subprocess.PIPE
    command = [sys.executable, str(file)]
    return subprocess.Popen(command, cwd=file.parent, env=variables, stdout=pipe, stderr=pipe, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


# --- what is recorded ------------------------------------------------------------------------------


def test_a_run_with_everything_that_was_logged(project: Project, tmp_path: Path) -> None:
    project.data.ingest()
    picture = tmp_path / "plots"
    picture.mkdir()
    (picture / "roc.svg").write_text("<svg/>")
    with project.train.run("idea 7", params={"depth": 6}, tags={"team": "growth"}, experiment="depths") as run:
        run.log_metric("loss", 0.5)
        run.log_metrics({"loss": 0.25, "auc": 0.7})
        run.log_metric("loss", 0.125, step=10)
        run.log_series("curve", [3, 2, 1])
        run.log_param("rate", 0.1)
        run.set_tag("note", "first")
        run.set_tag("note", "second")
        run.log_artifact(picture)
        run.log_artifact(b"123", "raw.bin")
        run.log_dict({"a": float("nan")}, "conf.json")
        run.log_table({"x": [1, 2]}, "scores.parquet")
        rows = run.use_data("rows").collect()
    found = project.train.show(run.id)
    assert (found.run.status, found.run.kind, found.run.name, found.run.experiment) == (
        "finished", "tracked", "idea 7", "depths",
    )  # fmt: skip
    assert found.run.params == {"depth": 6, "rate": 0.1}
    assert found.run.environment
    assert "penstock" in project._workspace.store.read_json(found.run.environment)["distributions"]
    assert {tag.name: tag.value for tag in found.tags} == {"team": "growth", "note": "second"}
    assert [(p.value, p.step) for p in find(project, MetricPoint, run=run.id, name="loss", order_by="number")] == [
        (0.5, 1), (0.25, 2), (0.125, 10),
    ]  # fmt: skip
    assert values(project, run.id, "curve") == [3, 2, 1]
    kept = {artifact.name: project._workspace.store.path(artifact.digest) for artifact in found.artifacts}
    assert {*kept} == {"plots/roc.svg", "raw.bin", "conf.json", "scores.parquet"}
    assert kept["raw.bin"].read_bytes() == b"123"
    assert pl.read_parquet(kept["scores.parquet"])["x"].to_list() == [1, 2]
    assert rows["a"].to_list() == [1, 3]
    assert find(project, Edge, target=f"run:{run.id}", role="rows")
    assert places(project) == []
    assert not [cursor for cursor in find(project, Cursor) if cursor.name.startswith("run.")]


def test_a_script_is_recorded_with_what_it_imports_and_prints(project: Project) -> None:
    (root_of(project) / "helper.py").write_text("WORD = 'helped'\n")
    text = "import sys\nwith project.train.run() as run:\n    import helper\n    print(helper.WORD, run.id)\n"
    code, output, errors = ended(script(project, text + "    print('beside', file=sys.stderr)\n"))
    assert (code, errors) == (0, "beside\n")
    run = record(project, output.split()[1])
    assert run.function == "try.py"
    assert {*project._workspace.store.read_json(run.code)} == {"try.py", "helper.py"}
    assert project.train.log(run.id) == f"helped {run.id}\nbeside\n"
    assert run.host["directory"].startswith(str(root_of(project)))


def test_a_block_that_raises_fails_with_its_traceback(project: Project) -> None:
    run = project.train.run()
    run.log_metric("loss", 1)
    with pytest.raises(ZeroDivisionError), run:
        1 / 0  # noqa: B018
    assert record(project, run.id).status == "failed"
    assert record(project, run.id).error == "ZeroDivisionError: division by zero"
    assert "1 / 0" in project.train.log(run.id)
    assert values(project, run.id, "loss") == [1]


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "killed"), (SystemExit(0), "finished"), (SystemExit(3), "failed")]
)
def test_how_a_block_ends(project: Project, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), project.train.run() as run:
        raise error
    assert record(project, run.id).status == status


def test_a_part_names_its_whole(project: Project) -> None:
    with project.train.run("whole") as whole, project.train.run("part", parent=whole) as part:
        sys.stdout.write("both\n")
    assert [tag.value for tag in find(project, Tag, run=part.id, name="parent")] == [whole.id]
    assert project.train.log(whole.id) == project.train.log(part.id) == "both\n"


def test_the_machine_is_watched(project: Project) -> None:
    with project.train.run() as run:
        waits_until(lambda: values(project, run.id, "system.memory_mb"))
    assert values(project, run.id, "system.memory_mb")[0] > 10


def test_values_are_in_the_ledger_while_the_run_goes_on(project: Project) -> None:
    with project.train.run() as run:
        run.log_metric("loss", 1)
        assert waits_until(lambda: values(project, run.id, "loss") == [1])
        assert record(project, run.id).status == "running"
        run.log_metric("loss", 2)
        run.flush()
        assert values(project, run.id, "loss") == [1, 2]


# --- what is refused ------------------------------------------------------------------------------


def test_what_cannot_be_logged_is_refused_and_nothing_of_it_kept(project: Project) -> None:
    with project.train.run(params={"depth": 3}) as run:
        with pytest.raises(UsageError, match="metric 'loss' cannot be 'low'"):
            run.log_metrics({"auc": 1, "loss": "low"})  # type: ignore[dict-item]
        with pytest.raises(UsageError, match="step"):
            run.log_metric("loss", 1, step=1.5)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="depth is 3, not 4"):
            run.log_params({"depth": 4, "rate": 1})
        with pytest.raises(UsageError, match="name of a tag"):
            run.set_tag("", "x")
        with pytest.raises(UsageError, match="name of an artifact"):
            run.log_artifact(b"", "../x")
        with pytest.raises(UsageError, match="no file"):
            run.log_artifact("nowhere.txt")
        with pytest.raises(UsageError, match="Matplotlib"):
            run.log_figure(object(), "x.png")
        run.log_param("depth", 3)
        run.log_params({"huge": 10**30, "odd": float("nan"), "text": "a\udc80", "path": Path("x")})
    found = project.train.show(run.id)
    assert found.run.params == {"depth": 3, "huge": str(10**30), "odd": "nan", "text": "a?", "path": "x"}
    assert {metric.name for metric in found.metrics} <= {"system.cpu_percent", "system.memory_mb"}
    assert not found.artifacts
    with pytest.raises(UsageError, match="has ended"):
        run.log_metric("loss", 1)
    with pytest.raises(UsageError, match="does not end as"):
        run.end("done")
    with pytest.raises(UsageError, match="no run"):
        project.train.attach("nothing")


# --- processes and threads ------------------------------------------------------------------------


def test_threads_and_forked_processes_lose_nothing(project: Project) -> None:
    def log(run: TrackedRun, name: str) -> None:
        for number in range(200):
            run.log_metric(name, number)

    with project.train.run(log=False) as run:
        threads = [threading.Thread(target=log, args=(run, "threads")) for _ in range(4)]
        children = []
        for thread in threads:
            thread.start()
            if (child := os.fork()) == 0:
                log(run, "children")
                os._exit(0)
            children.append(child)
        for thread in threads:
            thread.join()
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert sorted(values(project, run.id, "threads")) == sorted(list(range(200)) * 4)
    assert sorted(values(project, run.id, "children")) == sorted(list(range(200)) * 4)
    assert places(project) == []


def test_another_process_adds_to_a_run_also_when_it_has_ended(project: Project) -> None:
    add = "run = project.train.attach('{}')\nrun.log_metric('other', 1)\n"
    with project.train.run() as run:
        run.log_metric("mine", 1)
        assert ended(script(project, add.format(run.id) + "run.end()\n"))[0] == 0
        assert values(project, run.id, "other") == [1]
    assert record(project, run.id).status == "finished"
    assert ended(script(project, add.format(run.id)))[0] == 0  # ended with the program
    assert values(project, run.id, "other") == [1, 1]
    assert record(project, run.id).status == "finished"
    assert places(project) == []


def test_others_may_end_while_this_process_delivers(project: Project) -> None:
    more = "for number in range(40):\n    run = project.train.attach('{}')\n    run.log_metric('x', 1)\n    run.end()\n"
    with project.train.run(log=False) as run:
        others = [script(project, more.format(run.id)) for _ in range(2)]
        while any(other.poll() is None for other in others):
            run.flush()
        assert [ended(other)[0] for other in others] == [0, 0]
    assert values(project, run.id, "x") == [1] * 80


def test_a_child_that_outlives_the_run_is_heard(project: Project) -> None:
    reader, writer = os.pipe()
    with project.train.run(log=False) as run:
        if (child := os.fork()) == 0:
            os.read(reader, 1)
            run.log_metric("late", 1)
            os._exit(0)
    os.write(writer, b"x")
    os.waitpid(child, 0)
    project.train.runs()
    assert values(project, run.id, "late") == [1]
    assert places(project) == []


# --- how programs end -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "status"), [("", "finished"), ("raise ValueError('oh')", "failed"), ("import sys; sys.exit()", "finished")]
)
def test_a_run_that_nobody_ends_ends_with_the_program(project: Project, last: str, status: str) -> None:
    text = f"run = project.train.run(log=False)\nprint(run.id)\nrun.log_metric('loss', 1)\n{last}\n"
    _, output, _ = ended(script(project, text))
    run = record(project, output.strip())
    assert (run.status, run.error) == (status, "ValueError: oh" if status == "failed" else None)
    assert values(project, run.id, "loss") == [1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_program_has_lost_nothing_that_was_logged(project: Project, number: signal.Signals) -> None:
    text = """
import sys
run = project.train.run()
print(run.id, flush=True)
for number in range(10**9):
    run.log_metric("loss", number)
    sys.__stdout__.write(f"{number}\\n")
    sys.__stdout__.flush()
"""
    process = script(project, text)
    assert process.stdout is not None
    identifier = process.stdout.readline().strip()
    told = [int(process.stdout.readline()) for _ in range(500)]
    process.send_signal(number)
    rest = process.stdout.read()
    process.communicate()
    told += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    (newest, *_) = project.train.runs(limit=1)
    assert (newest.id, newest.status) == (identifier, "killed")
    found = values(project, identifier, "loss")
    assert found[: len(told)] == told
    assert len(found) <= len(told) + 1
    assert identifier in project.train.log(identifier)
    assert places(project) == []


def test_os_exit_leaves_a_killed_run_with_all_its_values(project: Project) -> None:
    text = "import os\nrun = project.train.run()\nrun.log_series('loss', range(10))\nos._exit(0)\n"
    ended(script(project, text))
    (newest, *_) = project.train.runs(limit=1)
    assert newest.status == "killed"
    assert values(project, newest.id, "loss") == list(range(10))


# --- when something is away -----------------------------------------------------------------------


def test_a_ledger_that_is_locked_for_long_gets_everything_later(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstock.ledger import sqlite

    monkeypatch.setattr(sqlite, "PATIENCE", 0.2)
    ledger = project._workspace.ledger
    other = sqlite3.connect(root_of(project) / ".penstock" / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(RuntimeWarning, match="waits in .* for the ledger"), project.train.run() as run:
        run.log_series("loss", range(1000))
    assert find(project, Run) == []
    other.execute("ROLLBACK")
    assert waits_until(lambda: places(project) == [])
    assert record(project, run.id).status == "finished"
    assert values(project, run.id, "loss") == list(range(1000))
    assert ledger is project._workspace.ledger


def test_a_ledger_that_is_away_to_the_end_gets_everything_from_the_next_command(project: Project) -> None:
    home = root_of(project) / ".penstock"
    project._workspace.ledger.close()
    text = """
import sqlite3, warnings
from penstock.ledger import sqlite
sqlite.PATIENCE = 0.2
project._workspace.ledger
other = sqlite3.connect('.penstock/ledger.db', isolation_level=None)
other.execute("BEGIN IMMEDIATE")
with project.train.run('lonely') as run:
    run.log_metric('loss', 1)
"""
    code, _, errors = ended(script(project, text))
    assert code == 0
    assert "next: penstock train runs" in errors
    assert list((home / "runs").iterdir())
    (newest, *_) = project.train.runs(limit=1)
    assert (newest.name, newest.status) == ("lonely", "finished")
    assert values(project, newest.id, "loss") == [1]
    assert places(project) == []


def test_a_server_that_is_away_for_a_while_gets_everything_later(tmp_path: Path) -> None:
    with restartable_postgres() as server:
        (tmp_path / "penstock.yaml").write_text(f"{YAML}ledger: {server.url}/postgres\n")
        project = Project.open(tmp_path)
        with project.train.run() as run:
            run.log_metric("loss", 0)
            run.flush()
            server.stop()
            run.log_series("loss", range(1, 100))
            with pytest.raises(PenstockError):
                run.flush()
            server.start()
        assert values(project, run.id, "loss") == list(range(100))
        server.stop()
        with pytest.warns(RuntimeWarning, match="no connection to PostgreSQL"), project.train.run("alone") as alone:
            alone.log_metric("loss", 1)
        server.start()
        assert waits_until(lambda: places(project) == [])
        assert record(project, alone.id).status == "finished"
        assert values(project, alone.id, "loss") == [1]
        project._workspace.ledger.close()


def test_a_full_disk_delays_what_is_logged_and_loses_nothing(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", "2m") as small:
        (small / "penstock.yaml").write_text(f"{YAML}ledger: sqlite:///{tmp_path / 'ledger.db'}\n")
        project = Project.open(small)
        with project.train.run(log=False, system=False) as run:
            run.log_metric("loss", 0)
            filler = (small / "filler").open("wb", buffering=0)
            with suppress(OSError):
                while filler.write(bytes(4096)):
                    pass
            for number in range(1, 3000):
                run.log_metric("loss", number)
            filler.close()
        assert values(project, run.id, "loss") == list(range(3000))
        (small / "filler").unlink()
        assert places(project) == []
        project._workspace.ledger.close()


def test_the_call_waits_for_no_ledger(project: Project) -> None:
    """A run starts and takes values while another writer holds the ledger; only its end would wait."""
    project._workspace.ledger  # noqa: B018
    other = sqlite3.connect(root_of(project) / ".penstock" / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    run = project.train.run()
    run.log_series("loss", range(100))
    assert find(project, Run) == []
    time.sleep(0)
    other.execute("ROLLBACK")
    run.end()
    assert values(project, run.id, "loss") == list(range(100))


def test_where_nothing_can_be_written_no_run_starts(project: Project) -> None:
    (root_of(project) / ".penstock").mkdir(exist_ok=True)
    (root_of(project) / ".penstock" / "runs").touch()
    with pytest.raises(PenstockError, match="no run can be started here: Not a directory"):
        project.train.run()


def test_a_notebook_is_recorded_by_its_cells(project: Project) -> None:
    pytest.importorskip("IPython", reason="IPython is not installed")
    text = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.user_ns["project"] = project
for cell in ("run = project.train.run()", "print(run.id)", "run.end()"):
    shell.run_cell(cell, store_history=True).raise_error()
"""
    code, output, _ = ended(script(project, text))
    assert code == 0
    run = record(project, output.split()[0])
    assert run.function == "notebook"
    blob = project._workspace.store.read_json(run.code)["notebook.py"]
    cells = project._workspace.store.read_bytes(blob).decode()
    assert cells == "run = project.train.run()\n\n# %%\nprint(run.id)\n\n# %%\nrun.end()"
