from datetime import timedelta
from pathlib import Path

import pytest

from penstock.data import Contract, load_contract, parse_contract
from penstock.errors import ConfigError


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse_contract(text, "flights.yaml")
    return [str(problem) for problem in error.value.problems]


def test_a_whole_contract() -> None:
    contract = parse_contract("""
columns:
  id: {type: Int64, nullable: false, unique: true}
  delay: {type: Float64, min: -60, max: 3000, unit: min, missing: NA}
  carrier: {type: String, values: [AA, UA], pattern: "^[A-Z]", description: "who ${flies}"}
  day: {type: Date, format: "%d/%m/%Y", min: 2013-01-01}
keys: id
rows: {min: 10, max: 20}
freshness: 31d
rules: [{name: r, expression: delay > 0, severity: warn, tolerance: 0.5%}, {name: f, function: "checks:f"}]
ratios: [{name: q, expression: delay IS NULL, max: 5%}]
allow_new: true
""")
    assert contract.columns["delay"].missing == ("NA",)
    assert contract.columns["carrier"].description == "who ${flies}"
    assert contract.keys == ("id",)
    assert contract.freshness == timedelta(days=31)
    assert contract.rules[0].tolerance == 0.005
    assert contract.ratios[0].max == 0.05
    assert contract.required("id")
    assert not contract.required("day")
    assert parse_contract("columns: {}") == Contract(columns={})


def test_every_problem_has_its_line() -> None:
    assert problems("""\
columns:
  id: {type: Int64, nulable: false}
  delay: {}
rows: {min: many}
rule: []
""") == [
        "flights.yaml:2:21: unknown key 'nulable' (did you mean 'nullable'?)",
        "flights.yaml:3:3: `columns.delay.type` is missing",
        "flights.yaml:4:13: `rows.min`: Input should be a valid integer, unable to parse string as an integer",
        "flights.yaml:5:1: unknown key 'rule' (did you mean 'rules'?)",
    ]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("{type: Float}", "unknown type 'Float' (did you mean 'Float64'?)"),
        ("{type: string}", "unknown type 'string' (did you mean 'String'?)"),
        ("{type: Int64, min: lots}", "could not convert"),
        ("{type: Date, max: soon}", "'soon' is not Date"),
        ("{type: String, min: 3}", "a String column has no bounds"),
        ('{type: Float64, min: "nan"}', "nan is not a finite number"),
        ("{type: Int64, min: 5, max: 3}", "no Int64 is between 5 and `max`, 3"),
        ("{type: Date, min: 2024-01-02, max: 2024-01-01}", "no Date is between 2024-01-02 and `max`, 2024-01-01"),
        ("{type: Int64, min: 1.2, max: 1.8}", "no Int64 is between 1.2 and `max`, 1.8"),
        ("{type: Int64, min: true}", "true is not Int64"),
        ("{type: Date, max: 5}", "5 is not Date"),
        ("{type: UInt8, max: -1}", "every UInt8 is above -1"),
        ("{type: Int8, min: 128}", "every Int8 is below 128"),
        ("{type: Int64, pattern: x}", "a Int64 column has no pattern"),
        ("{type: String, pattern: '('}", "not a regular expression: unclosed group"),
        ("{type: String, decimal: ','}", "a String column has no decimal mark"),
        ("{type: Int64, format: '%d'}", "a Int64 column has no format"),
        (
            "{type: 'Datetime[us]', format: '%d/%m/%Y %H:%M %z'}",
            "it reads an offset from UTC, and the type has no zone",
        ),
        ("{type: 'Datetime[ms]', format: '%+'}", "expected type: Datetime[ms, UTC]"),
        ("{type: 'Datetime[us, Europe/Berlin]', format: '%d.%m.%Y %H:%M'}", "it reads no offset from UTC, so nobody"),
        ("{type: 'Datetime[us, Europe/Berlin]', format: '%d.%m.%Y %%z'}", "which time in Europe/Berlin is meant"),
        ("{type: Int64, tolerance: 1%}", "`tolerance` needs `severity: error` or `warn`"),
        ("{type: Int64, severity: fatal}", "Input should be 'error', 'quarantine' or 'warn'"),
        ("{type: Int64, severity: warn, tolerance: 2}", "less than or equal to 1"),
        ("{type: String, pii: secret}", "'direct_identifier', 'quasi_identifier' or 'sensitive'"),
    ],
)
def test_a_column_that_makes_no_sense(column: str, what: str) -> None:
    (problem,) = problems(f"columns: {{a: {column}}}")
    assert problem.startswith("flights.yaml:1:")
    assert what in problem


def test_every_value_that_is_not_of_the_type_has_its_line() -> None:
    assert problems("""\
columns:
  stops: {type: UInt8, values: [0, 1.5, true]}
  code:
    type: String
    values: [AA, 007]
  mail: {type: String, pii: direct_identifier, values: [1234567]}
""") == [
        "flights.yaml:2:36: 1.5 is not UInt8 (expected a whole number from 0 to 255)",
        "flights.yaml:2:41: true is not UInt8 (expected a whole number from 0 to 255)",
        "flights.yaml:5:18: 7 is not String (expected a text: put quotes around it)",
        "flights.yaml:6:57: *** is not String (expected a text: put quotes around it)",
    ]


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("a >", "unable to parse"),
        ("b > 1", "unknown column 'b'"),
        ("a + 1", "it gives a Float64"),
        ("s > 1", "cannot compare"),
        ("a > AVG(a)", "it looks at more than one row"),
        ("COUNT(*) > 3", "it looks at more than one row"),
        ("a > LAG(a) OVER (ORDER BY a)", "it looks at more than one row"),
    ],
)
def test_a_rule_that_makes_no_sense(expression: str, what: str) -> None:
    (problem,) = problems(
        f"columns: {{a: {{type: Float64}}, s: {{type: String}}}}\nrules: [{{name: r, expression: '{expression}'}}]"
    )
    assert problem.startswith("flights.yaml:2:")
    assert what in problem


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("rules: [{name: r}]", "a rule has either an `expression` or a `function`"),
        ("rules: [{name: r, expression: a > 1, function: 'c:f'}]", "a rule has either"),
        ("rules: [{name: r, function: checks}]", "`rules.0.function`"),
        ("rules: [{name: r, expression: a > 1}, {name: r, expression: a > 2}]", "'r' is the name of another rule"),
        ("ratios: [{name: r, expression: a > 1}]", "a ratio needs `min` or `max`"),
        ("ratios: [{name: r, expression: a > 1, min: 6%, max: 0.05}]", "no share is between them"),
        ("ratios: [{name: r, expression: b > 1, max: 5%}]", "unknown column 'b'"),
        ("ratios: [{name: r, expresion: a > 1, max: 5%}]", "did you mean 'expression'?"),
        ("rows: {min: 5, max: 3}", "`min`, 5, is more than `max`, 3"),
    ],
)
def test_rules_and_ratios_that_make_no_sense(section: str, what: str) -> None:
    assert any(what in problem for problem in problems(f"columns: {{a: {{type: Int64}}}}\n{section}"))


def test_personal_values_are_not_shown() -> None:
    contract = parse_contract("columns: {mail: {type: String, pii: direct_identifier}, n: {type: Int64}}")
    assert (contract.shown("mail", "ada@example.org"), contract.shown("mail", None)) == ("***", "None")
    assert contract.shown("n", 7) == "7"


def test_keys_must_be_columns() -> None:
    assert problems("columns: {flight: {type: Int64}}\nkeys: [fligth]") == [
        "flights.yaml:2:8: unknown column 'fligth' (did you mean 'flight'?)"
    ]


def test_broken_yaml_and_a_missing_file(tmp_path: Path) -> None:
    assert problems("columns: {a: [}")[0].startswith("flights.yaml:1:")
    with pytest.raises(ConfigError, match="no such contract"):
        load_contract(tmp_path / "none.yaml")
