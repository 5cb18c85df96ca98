"""Known cases: reading them, and holding answers against them."""

from pathlib import Path
from typing import Any

import pytest

from penstock.errors import ConfigError
from penstock.validate.cases import Answer, Case, CaseResult, cases_digest, check, load_cases

LATE = Answer(True, {False: 0.2, True: 0.8}, True)
SETOSA = Answer("setosa", {"setosa": 0.9, "virginica": 0.1})
NUMBER = Answer(27.0, {})


def asked(expect: dict[str, Any], answer: Answer) -> CaseResult:
    return check(Case.model_validate({"name": "a case", "input": {}, "expect": expect}), answer)


@pytest.mark.parametrize(
    ("expect", "answer", "holds"),
    [
        ({"label": True}, LATE, True),
        ({"label": False}, LATE, False),
        ({"label": "True"}, LATE, True),
        ({"probability": {"min": 0.5}}, LATE, True),
        ({"probability": {"max": 0.5}}, LATE, False),
        ({"label": True, "probability": {"min": 0.9}}, LATE, False),
        ({"label": "setosa"}, SETOSA, True),
        ({"probability": {"of": "virginica", "max": 0.2}}, SETOSA, True),
        ({"probability": {"of": "virginica", "min": 0.2}}, SETOSA, False),
        ({"value": 25, "tolerance": 3}, NUMBER, True),
        ({"value": 25}, NUMBER, False),
        ({"min": 20, "max": 30}, NUMBER, True),
        ({"min": 28}, NUMBER, False),
        ({"max": 26}, NUMBER, False),
    ],
)
def test_what_is_expected(expect: dict[str, Any], answer: Answer, holds: bool) -> None:
    assert asked(expect, answer).holds is holds


def test_a_broken_case_says_what_was_found() -> None:
    assert asked({"label": False, "probability": {"max": 0.5}}, LATE).found == (
        "answered True, expected False; probability of True is 0.8, expected 0 to 0.5"
    )
    assert "did you mean 'setosa'" in asked({"probability": {"of": "setos", "min": 0.5}}, SETOSA).found


def written(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    return directory


GOOD = "name: fog\ninput: {origin: EWR, scheduled: 2013-01-01T05:15:00, gate: null}\nexpect: {label: true}\n"


def test_inputs_are_read_as_a_request_would_send_them(tmp_path: Path) -> None:
    (file,) = load_cases(written(tmp_path, fog=GOOD), "binary")
    assert file.case.input == {"origin": "EWR", "scheduled": "2013-01-01T05:15:00", "gate": None}
    assert (file.case.severity, file.case.expect.label) == ("block", True)


def test_every_problem_of_every_file_at_its_line(tmp_path: Path) -> None:
    directory = written(
        tmp_path,
        a="name: a\ninput: {}\nexpect: {labl: true}\n",
        b="name: b\nexpect: {label: true}\n",
        c="name: c\ninput: {}\nexpect: {}\n",
        d="name: d\ninput: {}\nexpect:\n  value: 3\n",
        e="name: e\ninput: [\n",
        f=GOOD,
    )
    with pytest.raises(ConfigError) as caught:
        load_cases(directory, "binary")
    shown = str(caught.value)
    place = directory.name
    assert f"{place}/a.yaml:3:10: unknown key 'labl' (did you mean 'label'?)" in shown
    assert f"{place}/b.yaml:1:1: `input` is missing" in shown
    assert "nothing is expected" in shown
    assert f"{place}/d.yaml:4:3: `value` has no meaning: the model answers a class" in shown
    assert f"{place}/e.yaml" in shown
    assert f"{place}/f.yaml" not in shown


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "late.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"late.yaml:1:1: byte 9 is not UTF-8"):
        load_cases(tmp_path, "binary")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such directory of known cases"):
        load_cases(tmp_path / "cases", "binary")


def test_an_empty_directory_has_no_cases(tmp_path: Path) -> None:
    assert load_cases(tmp_path, "binary") == ()


def test_the_digest_names_each_file(tmp_path: Path) -> None:
    before = cases_digest(written(tmp_path, fog=GOOD))
    after = cases_digest(written(tmp_path, fog=GOOD.replace("true", "false"), rain=GOOD))
    assert set(before) == {"fog.yaml"}
    assert set(after) == {"fog.yaml", "rain.yaml"}
    assert before["fog.yaml"] != after["fog.yaml"] != after["rain.yaml"] == before["fog.yaml"]


def test_an_input_that_is_no_request_is_named_at_its_line(airport: Any, tmp_path: Path) -> None:
    from penstock.validate.cases import ask
    from penstock.validate.exam import open_sealed

    text = "name: fog\ninput:\n  flight: F1\n  scheduled: noon\n  orign: EWR\n  distance: far\nexpect: {label: true}\n"
    files = load_cases(written(tmp_path, fog=text), "binary")
    bundle = open_sealed(airport.project, airport.ledger, airport.store, airport.good)
    with pytest.raises(ConfigError) as caught:
        ask(files, bundle, {})
    shown = str(caught.value)
    assert "fog.yaml:5:3: input.orign" in shown
    assert "fog.yaml:4:3: input.scheduled" in shown
    assert "fog.yaml:6:3: input.distance" in shown
