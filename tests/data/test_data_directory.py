import os
import time
from pathlib import Path

import polars as pl
import pytest
from data.conftest import Lab

from penstock.data import check_files, diff, rows_of, write_files
from penstock.data.sources import directory
from penstock.errors import ConfigError, ContractBroken, Damaged, UsageError
from penstock.store import packs


@pytest.fixture
def images(lab: Lab) -> Lab:
    """A lab with a directory of files as a dataset."""
    lab.datasets["images"] = "{source: images/}"
    for name, content in {"cat/1.png": b"cat one", "cat/2.png": b"cat two", "dog/1.png": b"dog one"}.items():
        settle(lab.write(f"images/{name}", content))
    return lab


def settle(path: Path) -> None:
    """As if it had been written a while ago."""
    moment = time.time() - 3600
    os.utime(path, (moment, moment))


def commit(lab: Lab) -> str:
    version = lab.head("images")
    assert version
    return version.commit


def contents(lab: Lab) -> dict[str, bytes]:
    return dict(rows_of(lab.store, commit(lab)).select("path", "content").collect().iter_rows())


def test_each_file_is_a_row_and_its_bytes_travel_with_it(images: Lab) -> None:
    done = images.ingest("images")
    assert (done.rows, done.quarantined, done.why) == (3, 0, "first ingest")
    assert images.rows("images").columns == ["path", "bytes", "digest"]
    assert contents(images) == {"cat/1.png": b"cat one", "cat/2.png": b"cat two", "dog/1.png": b"dog one"}


def test_unchanged_files_are_not_read_again(images: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    images.ingest("images")

    def refuse(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr(directory.Reading, "_read", refuse)
    assert images.ingest("images").skipped


def test_a_file_written_a_moment_ago_is_read_again(images: Lab) -> None:
    images.write("images/cat/1.png", b"cat one")  # same bytes, and a clock that may not tell the next write
    images.ingest("images")
    path = images.root / "images/cat/1.png"
    before = path.stat()
    path.write_bytes(b"CAT ONE")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not images.ingest("images").skipped
    assert contents(images)["cat/1.png"] == b"CAT ONE"


def test_added_changed_and_removed_files_are_told_by_their_paths(images: Lab) -> None:
    images.ingest("images")
    first = commit(images)
    images.write("images/cat/1.png", b"another cat")
    images.write("images/dog/2.png", b"dog two")
    (images.root / "images/cat/2.png").unlink()
    images.ingest("images")
    found = diff(images.store, first, commit(images))
    assert (found.key, found.added, found.removed, found.changed) == (("path",), 1, 1, 1)
    assert contents(images) == {"cat/1.png": b"another cat", "dog/1.png": b"dog one", "dog/2.png": b"dog two"}
    assert rows_of(images.store, first).collect().height == 3


def test_one_more_file_stores_one_more_file(images: Lab) -> None:
    for number in range(50):
        settle(images.write(f"images/big/{number}.bin", os.urandom(10_000)))
    images.ingest("images")
    before = set(images.store.blobs.digests())
    images.write("images/big/one-more.bin", os.urandom(10_000))
    images.ingest("images")
    new = set(images.store.blobs.digests()) - before
    assert sum(images.store.path(digest).stat().st_size for digest in new) < 25_000


def test_a_pack_of_which_little_is_needed_is_written_again(images: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        images.write(f"images/more/{number}.bin", str(number).encode())
    images.ingest("images")
    first = images.store.manifest(commit(images)).packs
    for number in range(9):
        (images.root / f"images/more/{number}.bin").unlink()
    images.ingest("images")
    assert not set(images.store.manifest(commit(images)).packs) & set(first)
    assert contents(images) == {
        "cat/1.png": b"cat one", "cat/2.png": b"cat two", "dog/1.png": b"dog one", "more/9.bin": b"9",
    }  # fmt: skip


def test_what_a_broken_ingest_read_is_not_lost(images: Lab) -> None:
    images.datasets["images"] = "{source: images/, contract: images.yaml}"
    columns = "columns:\n  path: {type: String, pattern: 'png$'}\n  bytes: {type: Int64}\n  digest: {type: String}\n"
    images.write("images.yaml", columns + "rules: [{name: small, expression: bytes < 3, severity: error}]\n")
    with pytest.raises(ContractBroken, match="more rows break a rule than may"):
        images.ingest("images")
    assert images.head("images") is None
    images.store.collect_garbage([])
    images.write("images.yaml", columns)
    images.ingest("images")
    assert contents(images)["dog/1.png"] == b"dog one"


def test_files_that_break_the_contract_are_set_aside_whole(images: Lab) -> None:
    images.datasets["images"] = "{source: images/, contract: images.yaml, max_quarantined: 0.5}"
    images.write(
        "images.yaml",
        "columns:\n  path: {type: String, pattern: 'png$'}\n  bytes: {type: Int64}\n  digest: {type: String}\n",
    )
    images.write("images/notes.txt", b"not an image")
    done = images.ingest("images")
    assert (done.rows, done.quarantined) == (3, 1)
    aside = images.head("images.quarantine")
    assert aside
    assert rows_of(images.store, aside.commit).select("path", "content").collect().rows() == [
        ("notes.txt", b"not an image")
    ]


def test_the_same_file_twice_is_stored_once_and_comes_back_twice(images: Lab) -> None:
    images.write("images/dog/copy.png", b"dog one")
    images.ingest("images")
    assert contents(images)["dog/copy.png"] == contents(images)["dog/1.png"] == b"dog one"
    (pack,) = images.store.manifest(commit(images)).packs
    assert images.store.scan_packs([pack]).collect().height == 3


def test_a_name_that_is_no_text_is_told_with_its_directory(images: Lab) -> None:
    Path(os.fsdecode(bytes(images.root / "images" / "cat") + b"/\xff.png")).write_bytes(b"cat")
    with pytest.raises(ContractBroken, match=r"/images: the name is not UTF-8: 'cat/.\.png'"):
        images.ingest("images")


def test_names_that_begin_with_a_dot_are_left_out_and_links_are_followed_to_files_only(images: Lab) -> None:
    images.write("images/.hidden/x.png", b"hidden")
    images.write("images/.DS_Store", b"hidden")
    (images.root / "images/link.png").symlink_to(images.root / "images/dog/1.png")
    (images.root / "images/around").symlink_to(images.root / "images")
    images.ingest("images")
    assert sorted(contents(images)) == ["cat/1.png", "cat/2.png", "dog/1.png", "link.png"]


def test_a_version_is_written_out_as_files(images: Lab, tmp_path: Path) -> None:
    images.ingest("images")
    target = tmp_path / "out" / "restored"
    assert write_files(images.store, commit(images), target) == 3
    assert (target / "cat/2.png").read_bytes() == b"cat two"
    (target / "cat/2.png").write_bytes(b"edited")  # a copy: the store does not see it
    assert images.store.verify() == []
    with pytest.raises(UsageError, match="not empty"):
        write_files(images.store, commit(images), target)


def test_a_path_that_leads_outside_is_not_written(images: Lab, tmp_path: Path) -> None:
    images.ingest("images")
    good = images.store.manifest(commit(images))
    rows = images.store.scan(commit(images)).with_columns(path=pl.lit("../../outside") + pl.col("path"))
    table = images.store.write_table(rows.collect())
    evil = images.store.commit(type(good)(table.schema, table.parts, packs=good.packs))
    with pytest.raises(Damaged, match="outside of its directory"):
        write_files(images.store, evil, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_without_its_content_is_damage_and_not_left_out(images: Lab) -> None:
    images.ingest("images")
    whole = images.store.manifest(commit(images))
    (other,) = images.store.write_packs([("0" * 64, b"other")])
    lame = images.store.commit(type(whole)(whole.schema, whole.parts, packs=(other,)))
    with pytest.raises(Damaged, match=r"lacks the content of 'cat/1\.png'"):
        rows_of(images.store, lame)


def test_a_transform_reads_the_bytes(images: Lab) -> None:
    from penstock.data import transform

    images.more = "  transforms:\n    sizes: {function: 'pipeline:sizes', from: [images]}\n"
    images.write(
        "pipeline.py",
        "import polars as pl\n\n\ndef sizes(images):\n"
        "    return images.select('path', first=pl.col('content').bin.slice(0, 3).cast(pl.String)).sort('path')\n",
    )
    images.ingest("images")
    made = transform(images.project, images.ledger, images.store, "sizes", {"images": commit(images)}).commit
    assert images.store.scan(made).collect()["first"].to_list() == ["cat", "cat", "dog"]


@pytest.mark.parametrize(
    ("prepare", "error", "said"),
    [
        (lambda lab: lab.datasets.update(images="{source: pictures/}"), UsageError, "no directory 'pictures/'"),
        (lambda lab: lab.datasets.update(images="{source: images/, mode: append}"), ConfigError, "taken as it is"),
        (lambda lab: lab.datasets.update(images="{source: empty/}"), UsageError, "no file is below"),
    ],
)
def test_what_cannot_be_a_directory_of_files(images: Lab, prepare: object, error: type[Exception], said: str) -> None:
    (images.root / "empty").mkdir()
    prepare(images)  # type: ignore[operator]
    with pytest.raises(error, match=said):
        images.ingest("images")


def test_a_draft_over_files_is_kept_by_them(images: Lab) -> None:
    from penstock.data.ingestion.files import infer_dataset

    images.write("images.yaml", infer_dataset(images.project, "images"))
    images.datasets["images"] = "{source: images/, contract: images.yaml}"
    assert images.ingest("images").rows == 3
    assert "keys: [path]" in (images.root / "images.yaml").read_text()


def test_a_contract_over_files_names_their_columns(images: Lab) -> None:
    images.datasets["images"] = "{source: images/, contract: images.yaml}"
    images.write("images.yaml", "columns:\n  path: {type: String}\n")
    with pytest.raises(ConfigError, match="no column 'bytes'"):
        images.ingest("images")


def test_a_file_too_large_for_a_row_is_told(images: Lab) -> None:
    with (images.root / "images/film.mp4").open("wb") as film:
        film.truncate(directory.LARGEST + 1)
    with pytest.raises(ContractBroken, match=r"536,870,913 bytes") as caught:
        images.ingest("images")
    assert caught.value.where == "images/film.mp4"
    assert images.head("images") is None


def test_files_in_several_packs_come_back(images: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "PACK", 8)
    images.ingest("images")
    assert len(images.store.manifest(commit(images)).packs) == 3
    assert sorted(contents(images).values()) == [b"cat one", b"cat two", b"dog one"]


# --- held against a contract without an ingest ---------------------------------------------------


@pytest.fixture
def bounded(images: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    images.write(
        "c.yaml",
        "columns: {path: {type: String, pattern: '\\.png$'}, bytes: {type: Int64, min: 1}, digest: {type: String}}",
    )
    images.datasets["images"] = "{source: images/, contract: c.yaml, max_quarantined: 50%}"
    monkeypatch.chdir(images.root)
    return images


def test_a_directory_is_checked_without_an_ingest(bounded: Lab) -> None:
    bounded.write("new/empty.png", b"")
    bounded.write("new/a.png", b"a")
    bounded.write("new/b.png", b"b")
    verdict = check_files(bounded.project, "images", ["images/", "new", "new/"])
    assert (verdict.ok, verdict.rows, verdict.bad_rows) == (True, 6, 1)
    assert verdict.files == ({"file": "images/", "rows": 3, "bad_rows": 0}, {"file": "new/", "rows": 3, "bad_rows": 1})
    assert verdict.first[0]["values"]["path"] == "empty.png"
    assert bounded.head("images") is None


def test_what_is_no_directory_is_refused_and_says_what_to_give(bounded: Lab) -> None:
    with pytest.raises(UsageError, match=r"each file below a directory is a row[\s\S]*expected: a directory"):
        check_files(bounded.project, "images", ["images/cat/1.png"])
