"""What goes wrong around a command: a sentence and the next step, never a traceback of Penstock."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from cli.command import document, ends, invoke, replaced

from penstock import Project
from penstock.cli.data_versions import written_rows


@pytest.fixture
def root(project: Project) -> Path:
    project._workspace.ledger.close()
    return project._workspace.project.root


# --- what lies in the project ---


def garbage(file: Path) -> None:
    for one in file.parent.glob("ledger.db*"):
        one.unlink()
    file.write_bytes(os.urandom(20_000))


def a_hole(file: Path) -> None:
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xff" * 60_000)


def cut_off(file: Path) -> None:
    os.truncate(file, 10_000)


@pytest.mark.parametrize("harm", [garbage, a_hole, cut_off])
def test_a_ledger_that_is_damaged(root: Path, harm: object) -> None:
    ledger = root / ".penstock" / "ledger.db"
    harm(ledger)  # type: ignore[operator]
    for command in (["status"], ["run"], ["train", "runs"]):
        code, output, errors = ends(*command, "-C", root)
        assert (code, output) == (1, "")
        assert errors == (
            f"error: {ledger}: the file is not a whole SQLite database\n  next: stop every penstock process, "
            "rm -f ledger.db-wal ledger.db-shm, then put a backup in its place\n"
        )
    assert document(invoke("status", "-C", root, "--json"))["error"] == "Damaged"


@pytest.mark.parametrize(
    ("path", "command", "what"),
    [
        (".penstock", "status", "no ledger can be made here"),
        (".penstock/serve", "deliver refresh", "Not a directory"),
        (".penstock/runs", "run", "Not a directory"),
        (".penstock/ledger.db", "status", "unable to open database file"),
    ],
)
def test_a_file_where_a_directory_belongs_or_the_other_way_round(
    root: Path, path: str, command: str, what: str
) -> None:
    invoke("objective", "sign", "--role", "owner", "-C", root)
    invoke("promote", "-C", root)
    replaced(root / "penstock.yaml", ("C: 1.0", "C: 2.0"))
    swapped(root / path)
    failed = invoke(*command.split(), "-C", root)
    assert failed.exit_code == 1, failed.output
    assert what in failed.stderr
    assert "next: " in failed.stderr
    assert str(root / path) in failed.stderr


def swapped(path: Path) -> None:
    if path.is_file():
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        path.mkdir()
        return
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("a file")


def test_a_signing_key_that_is_none(root: Path) -> None:
    (root / ".penstock" / "keys" / "signing").write_text("garbage")
    failed = invoke("objective", "sign", "--role", "owner", "-C", root)
    assert failed.exit_code == 1
    assert "next: restore the key from a backup" in failed.stderr


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("penstock.yaml", b"name: \xff\xfe\n", "penstock.yaml:1:1: byte 6 is not UTF-8"),
        ("penstock.yaml", b"name: " + b"[" * 2000, "nested too deep"),
        ("penstock.yaml", b"", "penstock.yaml:1:1: `name` is missing"),
        ("penstock.lock", b"garbage", "not a lock file"),
        ("contracts/parcels.yaml", b"\xff columns", "byte 0 is not UTF-8"),
        ("pipeline.py", b"\xff\xfe", "pipeline.py:1: not Python"),
        ("pipeline.py", b"def f(:\n", "pipeline.py:1: not Python"),
        ("pipeline.py", b"a\0b\n", "pipeline.py:1: not Python"),
    ],
)
def test_a_file_of_the_project_that_cannot_be_read(root: Path, file: str, content: bytes, what: str) -> None:
    (root / file).write_bytes(content)
    failed = invoke("run", "-C", root)
    assert failed.exit_code == 2
    assert what in failed.stderr


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("contracts/parcels.yaml", "there is no such contract"),
        ("pipeline.py", "there is no module 'pipeline'"),
        ("penstock.yaml", "no penstock.yaml in this directory or above it"),
    ],
)
def test_a_file_of_the_project_that_is_gone(root: Path, file: str, what: str) -> None:
    (root / file).unlink()
    failed = invoke("run", "-C", root)
    assert failed.exit_code == 2
    assert what in failed.stderr
    assert "next: " in failed.stderr or "expected: " in failed.stderr


# --- where it lies ---


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(tiny: Path) -> None:
    rows = "".join(f"{i * 37 % 83},{'ny'[i % 2]}\n" for i in range(80))
    data = tiny.parent / "data.csv"
    data.write_text("a,y\n" + rows)
    assert invoke("init", tiny / "fits", "--data", data, "--target", "y").exit_code == 0
    ran = invoke("run", "-C", tiny / "fits")
    assert ran.exit_code == 1
    assert "disk" in ran.stderr or "space" in ran.stderr or "full" in ran.stderr
    shutil.rmtree(tiny / "fits")
    (tiny / "ballast").write_bytes(bytes(396 * 1024))
    failed = invoke("init", tiny / "new", "--data", data, "--target", "y")
    assert failed.exit_code == 1
    assert "No space left on device" in failed.stderr
    assert "make room" in failed.stderr
    assert [path.name for path in tiny.iterdir()] == ["ballast"]


# --- what the user's functions do ---

PARCEL = "    return requests.select("
LOAD = '    return depots.select("depot", "day", "load")'
FIT = '    print("fitting", X.height)'
DAYS = "    days = ["


@pytest.mark.parametrize(
    ("line", "becomes", "code", "what"),
    [
        (PARCEL, "    raise KeyError('oh')\n" + PARCEL, 1, "pipeline.py:27: pipeline:parcel raised KeyError: 'oh'"),
        (PARCEL, "    return 5\n" + PARCEL, 2, "pipeline.py:25: feature view 'parcel' gave a int"),
        (PARCEL, "    return requests.head(3)\n" + PARCEL, 2, "pipeline.py:25: feature view 'parcel' got 450 requests"),
        (PARCEL, "    raise SystemExit(9)\n" + PARCEL, 1, "pipeline.py:27: pipeline:parcel raised SystemExit: 9"),
        (LOAD, "    return depots.select('none')", 1, "pipeline.py:30: pipeline:load raised ColumnNotFoundError"),
        (LOAD, "    return depots.drop('day')", 2, "pipeline.py:30: feature view 'load' gave no column 'day'"),
        (DAYS, "    return 7\n" + DAYS, 2, "pipeline.py:12: the source gave a int"),
        (DAYS, "    import sys; sys.exit('bye')\n" + DAYS, 1, "pipeline.py:13: pipeline:depots raised SystemExit: bye"),
        (
            "def depots",
            "import no_such\ndef depots",
            2,
            "pipeline.py:12: cannot import 'pipeline': ModuleNotFoundError",
        ),
        ("def depots", "raise SystemExit(4)\ndef depots", 2, "pipeline.py:12: cannot import 'pipeline': SystemExit: 4"),
        ("def load(depots)", "def load(a, b)", 2, "pipeline.py:30: pipeline:load needs 'b', which it is not given"),
        (FIT, "    return 5", 2, "pipeline.py:34: no safe format holds a builtins.int"),
        (FIT, "    return 1 / 0", 1, "pipeline.py:39: pipeline:fit raised ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_in_the_users_code_names_its_line(root: Path, line: str, becomes: str, code: int, what: str) -> None:
    replaced(root / "pipeline.py", (line, becomes))
    failed = invoke("run", "-C", root, "--json")
    assert failed.exit_code == code
    assert "Traceback" not in failed.output
    found = document(failed)
    assert f"{found['where']}: {found['what']}".startswith(what)


def test_an_error_in_a_users_metric_names_its_line(root: Path) -> None:
    kpi = "cost_per_parcel, metric: cost, goal: minimise, target: 3"
    replaced(root / "penstock.yaml", (kpi, 'mine, metric: "pipeline:mine", goal: minimise, target: 3'))
    with (root / "pipeline.py").open("a") as file:
        file.write("\n\ndef mine(y, scores):\n    return None\n")
    failed = invoke("run", "-C", root)
    assert failed.exit_code == 2
    assert "pipeline.py:43: pipeline:mine gave None\n  expected: a number" in failed.stderr


@pytest.mark.parametrize("words", ["trace", "train show"])
def test_an_id_that_is_no_text_names_nothing(root: Path, words: str) -> None:
    code, _, errors = ends(*words.split(), os.fsdecode(b"abcdef\xff"), "-C", root)
    assert code == 2
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.xlsx", ".xlsx is no format of rows\n  expected: a file that ends in .csv or .parquet"),
        ("rows.csv", "a CSV file cannot hold 'tags': each value is a List(String)"),
    ],
)
def test_rows_that_a_file_cannot_hold(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "penstock.yaml").write_text('name: tags\ndata: {datasets: {tags: {source: "steps:tags"}}}\n')
    (tmp_path / "steps.py").write_text(
        "import polars as pl\n\ndef tags():\n    return pl.DataFrame({'tags': [['a']]})\n"
    )
    assert invoke("run", "-C", tmp_path).exit_code == 0
    refused = invoke("data", "show", "tags", "-o", tmp_path / name, "-C", tmp_path)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert not (tmp_path / name).exists()
    assert invoke("data", "show", "tags", "-o", tmp_path / "rows.parquet", "-C", tmp_path).exit_code == 0


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_rows_that_cannot_all_be_written_leave_the_file_that_was_there(tmp_path: Path, name: str) -> None:
    texts = ["1"] * 200_000 + ["one"]
    (tmp_path / name).write_text("kept")
    with pytest.raises(pl.exceptions.InvalidOperationError):
        written_rows(pl.LazyFrame({"n": texts}).cast(pl.Int64), tmp_path / name)
    assert (tmp_path / name).read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("words", ["monitor look", "improve tick"])
def test_a_time_to_come_is_refused(root: Path, words: str) -> None:
    refused = invoke(*words.split(), "--at", "9999-12-31", "-C", root)
    assert refused.exit_code == 2
    assert "9999-12-31 00:00 is still to come" in refused.stderr


def test_a_training_that_gives_another_model_ends_with_1(root: Path) -> None:
    trainings = root / "trainings"
    trainings.touch()
    forgetful = f"""
    with open({str(trainings)!r}, "a+") as trainings:
        trainings.write("x" * 50)
        X, y = X[: trainings.tell()], y[: trainings.tell()]
    print("fitting\""""
    replaced(root / "pipeline.py", ('    print("fitting"', forgetful))
    assert invoke("run", "-C", root).exit_code in (0, 3)
    again = invoke("reproduce", "2", "-C", root)
    assert (again.exit_code, "another model" in again.stdout) == (1, True)
