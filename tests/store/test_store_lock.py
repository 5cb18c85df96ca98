import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.store import Pin, read_lock, write_lock

DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
PINS = st.builds(Pin, DIGESTS, DIGESTS, DIGESTS, st.integers(0, 2**60), st.integers(0, 2**60))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pins=st.dictionaries(NAMES, PINS, max_size=4))
def test_what_is_written_is_read_and_sorted(tmp_path, pins):
    path = tmp_path / "penstock.lock"
    write_lock(path, pins)
    assert read_lock(path) == pins
    assert list(tomllib.loads(path.read_text(encoding="utf-8"))) == sorted(pins)


def test_the_file_reads_well_in_a_diff(tmp_path):
    write_lock(tmp_path / "penstock.lock", {"flights.quarantine": Pin("a" * 64, "b" * 64, "c" * 64, 3, 99)})
    assert (tmp_path / "penstock.lock").read_text().splitlines() == [
        "# Made by penstock: the pinned version of every dataset. Keep it in Git.",
        "",
        '["flights.quarantine"]',
        "bytes = 99",
        f'commit = "{"a" * 64}"',
        f'content = "{"b" * 64}"',
        "rows = 3",
        f'schema = "{"c" * 64}"',
    ]


def test_no_file_is_no_pins(tmp_path):
    assert read_lock(tmp_path / "penstock.lock") == {}


def test_the_same_pins_leave_the_file_alone(tmp_path):
    path = tmp_path / "penstock.lock"
    pins = {"a": Pin("a" * 64, "b" * 64, "c" * 64, 3, 99)}
    write_lock(path, pins)
    before = path.stat()
    write_lock(path, pins)
    assert path.stat().st_ino == before.st_ino
    assert [entry.name for entry in tmp_path.iterdir()] == ["penstock.lock"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<<<<<<< HEAD\n[flights]\n", "penstock.lock:1:1"),
        ("[flights]\ncommit = 3\n", "'flights' is not a pin"),
        ("flights = 3\n", "'flights' is not a pin"),
        ('[a]\ncommit = "x"\ncontent = "x"\nschema = "x"\nrows = "many"\nbytes = true\n', "wrong rows, bytes"),
    ],
)
def test_a_broken_file_is_explained(tmp_path, text, message):
    (tmp_path / "penstock.lock").write_text(text)
    with pytest.raises(ConfigError, match=message) as found:
        read_lock(tmp_path / "penstock.lock")
    assert "next:" in str(found.value)


def test_bytes_that_are_no_text_are_explained(tmp_path):
    (tmp_path / "penstock.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a lock file"):
        read_lock(tmp_path / "penstock.lock")
