import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import FunctionError
from penstock.train.signature import check_fit, written_signature

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("def fit(X, y, *, seed): ...", {}),
    ("def fit(X, y, seed, depth=3): ...", {"depth": 4}),
    ("def fit(features, labels, *, seed, depth): ...", {"depth": 4}),
    ("def fit(X, y, **options): ...", {"depth": 4}),
    ("def fit(*data, seed, **options): ...", {"a": 1}),
    ("def fit(X, y, /, *, seed=1, depth=2): ...", {}),
    ("def fit(X, y, *, seed, report): ...", {}),
    ("def fit(X, y, *, seed, **options): ...", {"report": True}),
]
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("def fit(X, *, seed): ...", {}, "does not take X and y"),
    ("def fit(X, seed, y): ...", {}, "does not take X and y"),
    ("def fit(X, y): ...", {}, "takes no `seed`"),
    (
        "def fit(X, y, *, seed, max_depth=3): ...",
        {"maxdepth": 4},
        "no parameter 'maxdepth' (did you mean 'max_depth'?)",
    ),
    ("def fit(X, y, *, seed, depth): ...", {}, "needs parameter 'depth'"),
    ("def fit(X, y, *, seed): ...", {"seed": 4}, "gets 'seed' from Penstock"),
    ("def fit(X, y, *, seed): ...", {"X": 4}, "gets 'X' from Penstock"),
    ("def fit(X, y, *, seed, report=None): ...", {"report": 4}, "gets 'report' from Penstock"),
]


def both_ways(text: str, tmp_path: Path) -> list[inspect.Signature]:
    """The signature as read from the text and as Python itself sees it."""
    file = tmp_path / "pipeline.py"
    file.write_text(text)
    names: dict[str, Callable[..., Any]] = {}
    exec(text, names)
    found = written_signature(file, "fit")
    assert found is not None
    return [found[0], inspect.signature(names["fit"])]


@pytest.mark.parametrize(("text", "params"), GOOD)
def test_a_fit_that_can_be_called_passes(text: str, params: dict[str, Any], tmp_path: Path) -> None:
    for signature in both_ways(text, tmp_path):
        check_fit(signature, params, reference="pipeline:fit", where="pipeline.py:1")


@pytest.mark.parametrize(("text", "params", "problem"), BAD)
def test_a_fit_that_cannot_be_called_says_why(text: str, params: dict[str, Any], problem: str, tmp_path: Path) -> None:
    for signature in both_ways(text, tmp_path):
        with pytest.raises(FunctionError) as caught:
            check_fit(signature, params, reference="pipeline:fit", where="pipeline.py:1")
        assert problem in str(caught.value)
        assert str(caught.value).startswith("pipeline.py:1: pipeline:fit ")


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(FunctionError) as caught:
        check_fit(inspect.signature(lambda X, y, *, depth: None), {"dept": 1}, reference="p:f", where="p.py:1")
    assert "takes no `seed`" in caught.value.what
    assert "'dept'" in caught.value.what
    assert "needs parameter 'depth'" in caught.value.what


@pytest.mark.parametrize(
    "again",
    [
        "def fit(X, y, *, seed): ...",
        "fit = wrapper(fit)",
        "fit: object = wrapper(fit)",
        "if True:\n    def fit(X, y, *, seed): ...",
        "try:\n    from fast import fit\nexcept ImportError: ...",
        "from lib import *",
        "for fit in (fit,): ...",
        "del fit",
    ],
)
def test_a_name_that_is_bound_again_is_left_to_the_process(again: str, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(f"def fit(X, y): ...\n{again}\n")
    assert written_signature(tmp_path / "pipeline.py", "fit") is None


def test_the_same_name_inside_something_else_is_another(tmp_path: Path) -> None:
    text = "class Model:\n    def fit(self): ...\ndef other():\n    fit = 1\ndef fit(X, y): ...\nfit(1, 2)\n"
    (tmp_path / "pipeline.py").write_text(text)
    found = written_signature(tmp_path / "pipeline.py", "fit")
    assert found is not None
    assert found[1] == 5


@pytest.mark.parametrize("text", ["from lib import fit", "fit = print", "@wraps\ndef fit(X, y): ...", "class fit: ..."])
def test_what_is_not_a_plain_function_is_left_to_the_process(text: str, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(text)
    assert written_signature(tmp_path / "pipeline.py", "fit") is None
