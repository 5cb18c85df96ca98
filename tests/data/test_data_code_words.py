import pytest

from penstock.data.ingestion.code_words import named_columns

CODE = '''
import polars as pl
from helpers import later

LIMIT = "dep_delay"

def unused(rows):
    return rows.select("tail")

def inner(rows):
    """It says carrier."""
    return rows.filter(pl.col.origin == "JFK")

def f(rows, distance):
    return inner(rows).select(LIMIT, "arr delay").sql("SELECT hour, seats FROM self")
'''
COLUMNS = ("dep_delay", "tail", "carrier", "origin", "arr delay", "hour", "seats", "seat", "distance", "gate")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "steps.py").write_text(CODE)
    (tmp_path / "helpers.py").write_text("def later(rows):\n    return rows['gate']\n")
    return tmp_path


def test_columns_that_a_functions_code_names(root) -> None:
    named = {"dep_delay", "origin", "arr delay", "hour", "seats", "distance", "gate"}
    assert named_columns(root, "steps:f", COLUMNS) == named
    assert named_columns(root, "steps:unused", COLUMNS) == {"tail", "gate"}


def test_code_that_is_not_there_names_nothing(root) -> None:
    assert named_columns(root, "nowhere:f", COLUMNS) == frozenset()
    (root / "broken.py").write_text("def f(:\n")
    assert named_columns(root, "broken:f", COLUMNS) == frozenset()
