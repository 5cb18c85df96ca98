import polars as pl
import pytest

from penstock.data import check, parse_contract
from penstock.errors import ContractBroken, FunctionError, UsageError, UserCodeError

CONTRACT = """\
columns:
  id: {type: Int64, nullable: false}
  delay: {type: Float64}
  carrier: {type: String}
rules:
  - {name: plausible, function: "checks:plausible"}
"""
ROWS = "1,2,AA\n2,500,AA\n" + "3,4,UA\n" * 40


def checked_by(flights, code: str, rows: str = ROWS, contract: str = CONTRACT):
    lab = flights(rows, contract=contract)
    lab.write("checks.py", "import polars as pl\n" + code)
    return lab


@pytest.mark.parametrize(
    "code",
    [
        "def plausible():\n    return pl.col('delay') < 100\n",
        "def plausible(delay):\n    return delay < 100\n",
        "def plausible(delay, id):\n    return pl.when(id > 0).then(delay < 100)\n",
        "LIMIT = 100\ndef plausible(delay, limit=LIMIT):\n    return delay < limit\n",
        "def low(d):\n    return {500: False}.get(d, True)\n"
        "def plausible(delay):\n    return delay.map_elements(low, return_dtype=pl.Boolean)\n",
    ],
)
def test_a_function_of_the_project_is_a_rule(flights, code: str) -> None:
    done = checked_by(flights, code).ingest("flights")
    assert (done.rows, done.quarantined, dict(done.reasons)) == (41, 1, {"plausible": 1})


def test_changed_code_of_a_rule_is_another_contract(flights) -> None:
    lab = checked_by(flights, "from limits import LIMIT\ndef plausible(delay):\n    return delay < LIMIT\n")
    lab.write("limits.py", "LIMIT = 100\n")
    assert lab.ingest("flights").quarantined == 1
    assert lab.ingest("flights").skipped
    lab.write("limits.py", "LIMIT = 1000\n")
    again = lab.ingest("flights")
    assert (again.why, again.quarantined) == ("contract changed", 0)


@pytest.mark.parametrize(
    ("code", "what", "where"),
    [
        ("def other():\n    return 1\n", "there is no function 'plausible'", "checks.py"),
        ("def plausible(dely):\n    return dely > 1\n", "no column (did you mean 'delay'?)", "checks.py:2"),
        ("def plausible():\n    return True\n", "gave a bool", "checks.py:2"),
        ("def plausible():\n    return pl.col('dely') > 1\n", "unknown column 'dely'", "checks.py:2"),
        ("def plausible(delay):\n    return delay + 1\n", "it gives a Float64", "checks.py:2"),
        ("def plausible(delay):\n    return delay > delay.mean()\n", "more than one row", "checks.py:2"),
    ],
)
def test_a_function_that_is_no_rule(flights, code: str, what: str, where: str) -> None:
    lab = checked_by(flights, code)
    with pytest.raises(FunctionError) as error:
        lab.ingest("flights")
    assert what in error.value.what
    assert error.value.where == where
    assert lab.head("flights") is None


@pytest.mark.parametrize(
    ("body", "what", "where"),
    [
        ("    raise KeyError('x')\n", "KeyError: 'x'", "checks.py:3"),
        (
            "    def slow(d):\n        return 1 / 0\n    return delay.map_elements(slow, return_dtype=pl.Boolean)\n",
            "ZeroDivisionError: division by zero",
            "checks.py:4",
        ),
        ("    return pl.col('carrier').cast(pl.Int64) > 1\n", "conversion from `str` to `i64` failed", "checks.py:2"),
    ],
)
def test_what_a_function_raises_is_told_at_its_line(flights, body: str, what: str, where: str) -> None:
    lab = checked_by(flights, "def plausible(delay):\n" + body)
    with pytest.raises(UserCodeError) as error:
        lab.ingest("flights")
    assert what in error.value.what
    assert error.value.where == where


def test_a_condition_in_sql_that_cannot_be_computed_names_its_rule(flights) -> None:
    rule = "rules: [{name: sane, expression: CAST(carrier AS BIGINT) > 1}]\n"
    lab = flights(ROWS, contract=CONTRACT.partition("rules:")[0] + rule)
    with pytest.raises(ContractBroken, match="rule 'sane': conversion from") as error:
        lab.ingest("flights")
    assert "TRY_CAST" in str(error.value)


def test_a_condition_that_cannot_be_computed_shows_no_personal_values(flights) -> None:
    columns = CONTRACT.partition("rules:")[0].replace(
        "carrier: {type: String}", "carrier: {type: String, pii: sensitive}"
    )
    lab = flights(ROWS, contract=columns + "rules: [{name: sane, expression: CAST(carrier AS BIGINT) > 1}]\n")
    with pytest.raises(ContractBroken, match="it cannot be computed for some rows") as masked:
        lab.ingest("flights")
    assert "AA" not in str(masked.value)


def test_rows_are_not_held_against_a_function_that_nobody_loaded() -> None:
    with pytest.raises(UsageError, match="rule 'plausible' needs checks:plausible"):
        check(parse_contract(CONTRACT), pl.DataFrame({"id": [1], "delay": [1.0], "carrier": ["AA"]}))
