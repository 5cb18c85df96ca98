"""Conditions on a row: what a rule says in SQL or in a function of the project, as one Polars expression."""

import polars as pl

from penstock.data.contracts.contract import Contract
from penstock.data.contracts.dtypes import dtype_of, logical, type_name
from penstock.errors import did_you_mean

SQL = "a condition in SQL, such as `arrival > departure`"


def sql(expression: str) -> pl.Expr:
    """A condition in SQL as an expression. ValueError when it is not one."""
    try:
        return pl.sql_expr(expression)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def fault_of(contract: Contract, condition: pl.Expr) -> tuple[str, str | None] | None:
    """What keeps an expression from being a condition on the contract's columns: what, and what was expected."""
    for name in condition.meta.root_names():
        if name not in contract.columns:
            return f"unknown column {name!r}{did_you_mean(name, contract.columns)}", None
    if looks_around(condition):
        return "it looks at more than one row", "a condition on the columns of one row"
    empty = pl.DataFrame(schema={name: logical(dtype_of(column.type)) for name, column in contract.columns.items()})
    try:
        found = empty.select(condition).dtypes[0]
    except pl.exceptions.PolarsError as error:
        return str(error).splitlines()[0], None
    if not isinstance(found, pl.Boolean):
        return f"it gives a {type_name(found)}", "a condition that is true or false"
    return None


def looks_around(expression: pl.Expr) -> bool:
    """Whether a condition needs more than its own row: rows come in batches, so it would mean something else."""
    if not expression.meta.root_names() and '"Len"' not in expression.meta.serialize(format="json"):
        return False
    return not _stays_in_its_row(expression) or any(map(looks_around, expression.meta.pop()))


def _stays_in_its_row(expression: pl.Expr) -> bool:
    """Whether the outermost operation does; those below it are looked at one by one."""
    try:
        return expression.meta.is_row_separable()
    except pl.exceptions.ColumnNotFoundError:
        # a few operations say so only once the columns' types are known (Polars 2.1): all of them stay in their row,
        # but a Python function that was not declared to
        text = expression.meta.serialize(format="json")
        return '"AnonymousFunction"' not in text or "ROW_SEPARABLE" in text
