import gzip
import io
import os
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest

from penstock.data.sources.listing import inputs_of
from penstock.data.sources.objectfiles import PIECE, fetch
from penstock.data.sources.readers import open_input
from penstock.errors import PenstockError, UsageError
from penstock.store.objects import object_store


def put(url: str, **objects: bytes) -> None:
    store = object_store(url)
    for key, data in objects.items():
        obstore.put(store, key, data)


def names(root: Path, url: str) -> list[str]:
    return [one.name for one in inputs_of(root, url)]


def test_a_glob_goes_over_keys(s3: str, tmp_path: Path) -> None:
    put(s3, **dict.fromkeys(["b.csv", "a.csv", "2024/c.csv", "2024/01/d.csv", ".e.csv", "a.txt"], b"x\n"))
    assert names(tmp_path, f"{s3}/*.csv") == [f"{s3}/a.csv", f"{s3}/b.csv"]
    assert names(tmp_path, f"{s3}/20*/*.csv") == [f"{s3}/2024/c.csv"]
    assert len(names(tmp_path, f"{s3}/**/*.csv")) == 4
    assert names(tmp_path, f"{s3}/2024/**/[!c].csv") == [f"{s3}/2024/01/d.csv"]
    assert names(tmp_path, f"{s3}/a.csv") == [f"{s3}/a.csv"]


@pytest.mark.parametrize("pattern", ["", "/", "/none.csv", "/2024", "/*.parquet"])
def test_a_url_that_matches_nothing(s3: str, tmp_path: Path, pattern: str) -> None:
    put(s3, **{"2024/a.csv": b"x\n"})
    with pytest.raises(UsageError, match="no object matches"):
        inputs_of(tmp_path, s3 + pattern)
    assert inputs_of(tmp_path, s3 + pattern, may_be_none=True) == ()


@pytest.mark.parametrize("name", ["a b.csv", "50%.csv", "a%20b.csv", "é+&=.csv"])
def test_a_key_of_any_characters(s3: str, tmp_path: Path, name: str) -> None:
    put(s3, **{f"a b%20/{name}": b"x\n1\n"})
    for source in (f"{s3}/a b%20/{name}", f"{s3}/*/*.csv"):
        (one,) = inputs_of(tmp_path, source)
        assert one.name == f"{s3}/a b%20/{name}"
        assert fetch(one, tmp_path).read_bytes() == b"x\n1\n"


def test_every_kind_of_file_is_read(s3: str, tmp_path: Path) -> None:
    frame, packed = pl.DataFrame({"a": [1]}), io.BytesIO()
    frame.write_parquet(packed)
    put(s3, **{"a.parquet": packed.getvalue(), "b.csv.gz": gzip.compress(b"a\n1\n"), "c.ndjson": b'{"a": 1}\n'})
    found = [next(open_input(tmp_path, one, tmp_path)) for one in inputs_of(tmp_path, f"{s3}/*")]
    assert [raw.rows.collect().get_column("a").cast(pl.Int64).to_list() for raw in found] == [[1], [1], [1]]
    assert [raw.name for raw in found] == names(tmp_path, f"{s3}/*")


def test_an_object_is_fetched_in_pieces(s3: str, tmp_path: Path) -> None:
    data = os.urandom(2 * PIECE + 5)
    put(s3, **{"a.csv": data})
    (one,) = inputs_of(tmp_path, f"{s3}/a.csv")
    assert fetch(one, tmp_path).read_bytes() == data


def test_an_object_that_was_changed_after_it_was_listed(s3: str, tmp_path: Path) -> None:
    put(s3, **{"a.csv": b"x\n1\n"})
    (one,) = inputs_of(tmp_path, f"{s3}/a.csv")
    put(s3, **{"a.csv": b"x\n2\n"})
    with pytest.raises(PenstockError, match="changed meanwhile") as error:
        fetch(one, tmp_path)
    assert error.value.where == f"{s3}/a.csv"


def test_a_broken_object_is_named_by_its_url(s3: str, lab: Any) -> None:
    put(s3, **{"a.parquet": b"PAR1 and no more"})
    lab.datasets["rows"] = f"{{source: {s3}/a.parquet}}"
    with pytest.raises(PenstockError) as error:
        lab.ingest("rows")
    assert error.value.where == f"{s3}/a.parquet"


def test_an_object_is_read_once(s3: str, lab: Any) -> None:
    put(s3, **{"a.csv": b"x\n1\n"})
    lab.datasets["rows"] = f"{{source: {s3}/*.csv}}"
    first = lab.ingest("rows")
    assert lab.ingest("rows").why == "source unchanged"
    put(s3, **{"a.csv": b"x\n1\n"})  # written again, with the same bytes
    assert lab.ingest("rows").commit == first.commit
    put(s3, **{"a.csv": b"x\n7\n", "b.csv": b"x\n8\n"})
    assert lab.ingest("rows").why == "files: 1 new, 1 changed"
    assert lab.rows("rows")["x"].to_list() == [7, 8]
    assert "key of ada" not in (lab.root / ".penstock" / "ledger.db").read_bytes().decode("latin-1")


def test_files_objects_and_functions_feed_one_dataset(s3: str, lab: Any) -> None:
    put(s3, **{"b.ndjson": b'{"x": 2}\n'})
    lab.write("a.txt", "x~y\n1~1\n")
    lab.write("code.py", "import polars as pl\ndef rows():\n    return pl.DataFrame({'x': [3]})\n")
    lab.write("c.yaml", "columns:\n  x: {type: Int64}\nallow_new: true\n")
    lab.datasets["rows"] = (
        f'{{contract: c.yaml, source: [{{path: a.txt, delimiter: "~"}}, "{s3}/*.ndjson", "code:rows"]}}'
    )
    assert lab.ingest("rows").why == "first ingest"
    assert lab.rows("rows")["x"].to_list() == [1, 2, 3]
    lab.write("a.txt", "x~y\n5~1\n")
    assert lab.ingest("rows").why == "files: 1 changed"
    assert lab.rows("rows")["x"].to_list() == [5, 2, 3]


def test_texts_and_types_without_a_contract(lab: Any) -> None:
    lab.write("a.csv", "x\n1\n")
    pl.DataFrame({"x": [1]}).write_parquet(lab.root / "b.parquet")
    lab.datasets["rows"] = "{source: [a.csv, b.parquet]}"
    with pytest.raises(PenstockError, match="types of their own") as error:
        lab.ingest("rows")
    assert error.value.hint == "penstock data infer a.csv"
