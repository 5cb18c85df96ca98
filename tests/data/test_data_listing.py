import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.data.sources.directory import files_below
from penstock.data.sources.inputs import is_function
from penstock.data.sources.listing import inputs_of, listed
from penstock.errors import UsageError
from penstock.project import FileSource


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_a_glob_lists_files_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "data/b.csv", "data/a.csv", "data/deep/c.csv", "data/.hidden.csv")
    assert [one.name for one in inputs_of(tmp_path, "data/*.csv")] == ["data/a.csv", "data/b.csv"]
    assert len(inputs_of(tmp_path, "data/**/*.csv")) == 3


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].csv", "a1.csv")
    assert [one.name for one in inputs_of(tmp_path, "a[1].csv")] == ["a[1].csv"]


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.csv", "csv"), ("a.TSV", "csv"), ("a.csv.gz", "csv"), ("a.pq", "parquet"), ("a.jsonl", "ndjson")],
)
def test_format_by_name(tmp_path: Path, name: str, format_: str) -> None:
    touch(tmp_path, name)
    (one,) = inputs_of(tmp_path, name)
    assert one.format == format_


def test_a_known_file_is_not_read_again(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv")
    (one,) = inputs_of(tmp_path, "a.csv")
    known = {"a.csv": {"size": one.size, "mtime_ns": one.mtime_ns, "digest": "remembered"}}
    assert inputs_of(tmp_path, "a.csv", known)[0].digest == "remembered"
    os.utime(tmp_path / "a.csv", ns=(1, 1))
    assert inputs_of(tmp_path, "a.csv", known)[0].digest == one.digest


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv")
    (one,) = inputs_of(tmp_path, "a.csv")
    assert not one.changed_since()
    (tmp_path / "a.csv").write_text("longer than before")
    assert one.changed_since()
    (tmp_path / "a.csv").unlink()
    assert one.changed_since()


def test_a_source_that_matches_nothing_says_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "data/flights.csv")
    with pytest.raises(UsageError) as error:
        inputs_of(tmp_path, "data/flihgts.csv")
    assert "flights.csv" in str(error.value)
    with pytest.raises(UsageError, match=r"data/\*\.csv"):
        inputs_of(tmp_path, "data")


def test_files_that_go_away_meanwhile_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "stays.csv").write_text("a\n1\n")
    with busy(tmp_path):
        for _ in range(1_000):
            assert "stays.csv" in [one.name for one in listed(tmp_path, "*.csv")]
            assert "stays.csv" in files_below(tmp_path, "./")["path"].to_list()


@contextmanager
def busy(directory: Path) -> Iterator[None]:
    """Somebody puts files into a directory and takes them out again."""
    script = """
print("busy", flush=True)
while True:
    names = [f"{number}.csv" for number in range(50)]
    for name in names:
        open(name, "w").close()
    for name in names:
        __import__("os").unlink(name)
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=directory, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()


def test_an_unknown_kind_of_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.docx")
    with pytest.raises(UsageError) as error:
        inputs_of(tmp_path, "a.docx")
    assert ".parquet" in str(error.value)


def test_a_function_is_named_by_its_code(tmp_path: Path) -> None:
    (tmp_path / "sources.py").write_text("import helper\ndef flights():\n    return helper.rows()\n")
    (tmp_path / "helper.py").write_text("def rows():\n    raise RuntimeError\n")
    before = inputs_of(tmp_path, "sources:flights")
    assert inputs_of(tmp_path, "sources:flights") == before
    (tmp_path / "helper.py").write_text("def rows():\n    raise ValueError\n")
    assert inputs_of(tmp_path, "sources:flights") != before


def test_several_sources_one_after_the_other(tmp_path: Path) -> None:
    touch(tmp_path, "new/b.csv", "old.csv", "new/a.csv")
    (tmp_path / "code.py").write_text("def rows():\n    return None\n")
    told = FileSource(path="new/*.csv", delimiter=";")
    found = inputs_of(tmp_path, ("old.csv", told, "code:rows"))
    assert [one.name for one in found] == ["old.csv", "new/a.csv", "new/b.csv", "code:rows"]
    assert [one.reading for one in found] == [None, told, told, None]


def test_a_file_that_two_sources_give(tmp_path: Path) -> None:
    touch(tmp_path, "data/a.csv")
    with pytest.raises(UsageError, match="two entries of the source give data/a"):
        inputs_of(tmp_path, ("data/*.csv", "data/a.csv"))


def test_what_is_a_function() -> None:
    assert is_function("pipeline:flights")
    assert not is_function("data/*.csv")
