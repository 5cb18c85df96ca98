from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.ledger import All, AnyOf, Comparison, Not, Sort
from penstock.train.runs import Field, parse_columns, parse_filter, parse_sort

A, B, C = (Comparison("metrics", name, ">", 0) for name in "abc")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", All()),
        ("  ", All()),
        ("metrics.roc_auc > 0.7", Comparison("metrics", "roc_auc", ">", 0.7)),
        ("metrics.`val/loss` <= -1e-3", Comparison("metrics", "val/loss", "<=", -0.001)),
        ('metrics."a b" = 1', Comparison("metrics", "a b", "=", 1)),
        ("metrics.eval.loss<.5", Comparison("metrics", "eval.loss", "<", 0.5)),
        ("params.kind == 'gb\\'dt'", Comparison("params", "kind", "=", "gb'dt")),
        ("params.wide = TRUE", Comparison("params", "wide", "=", "true")),
        ("tags.team <> \"a and b\"", Comparison("tags", "team", "!=", "a and b")),
        ("status IN ('failed', 'killed')", Comparison("", "status", "in", ("failed", "killed"))),
        ("name not like 'x%'", Not(Comparison("", "name", "like", "x%"))),
        ("started > '2026-11-01'", Comparison("", "started", ">", datetime(2026, 11, 1, tzinfo=UTC))),
        ("metrics.a > 0 and metrics.b > 0 or metrics.c > 0", AnyOf((All((A, B)), C))),
        ("metrics.a > 0 AND (metrics.b > 0 OR metrics.c > 0)", All((A, AnyOf((B, C))))),
        ("not metrics.a > 0 and metrics.b > 0", All((Not(A), B))),
    ],
)  # fmt: skip
def test_what_a_text_means(text, meant):
    assert parse_filter(text) == meant


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("metrics.a >", 12, "a number"),
        ("metrics.a 0.7", 11, "one of ="),
        ("metrics > 1 and", 16, "a field"),
        ("metrics.a > 1 metrics.b > 2", 15, "`and`"),
        ("(metrics.a > 1", 15, "a closing parenthesis"),
        ("status in 'failed'", 11, "a list of values"),
        ("status in ('failed'", 20, "a comma"),
        ("metrics.a > 1 & b", 15, "such as"),
        ("tags.a = 'open", 10, "such as"),
        ("started > 'yesterday'", 11, "ISO 8601"),
        ("status not = 'x'", 14, "`in` or `like`"),
    ],
)
def test_what_cannot_be_read_says_where(text, column, expected):
    with pytest.raises(UsageError) as caught:
        parse_filter(text)
    assert caught.value.where == f"column {column}"
    assert expected in caught.value.expected


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(UsageError):
        assert parse_filter(text) is not None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Sort("", "number", falling=True)),
        ("metrics.auc", Sort("metrics", "auc", falling=False)),
        ("-metrics.`val/loss`", Sort("metrics", "val/loss", falling=True)),
        ("started DESC", Sort("", "started", falling=True)),
        ("params.depth asc", Sort("params", "depth", falling=False)),
    ],
)
def test_orders(text, meant):
    assert parse_sort(text) == meant


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("number", [("", "number")]),
        ("number, metrics.roc_auc,number", [("", "number"), ("metrics", "roc_auc")]),
        ("params.*,metrics.`val loss`", [("params", "*"), ("metrics", "val loss")]),
        ("metrics.eval.loss", [("metrics", "eval.loss")]),
    ],
)
def test_columns(text, fields):
    assert parse_columns(text) == tuple(Field(*each) for each in fields)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [("", 1, "a field"), ("number,", 8, "a field"), ("number status", 8, "a comma"), ("metrics.", 9, "a name behind")],
)
def test_columns_that_cannot_be_read(text, column, expected):
    with pytest.raises(UsageError) as caught:
        parse_columns(text)
    assert caught.value.where == f"column {column}"
    assert expected in caught.value.expected


@given(st.sampled_from(["metrics", "params", "tags"]), st.text(st.characters(exclude_characters="`"), min_size=1))
def test_a_field_is_read_as_it_is_written(place, name):
    field = Field(place, name)
    if name != "*":
        assert parse_columns(str(field)) == (field,)
