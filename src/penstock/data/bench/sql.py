"""Conditions on rows as SQL text, as `pl.sql_expr` reads them."""

from collections.abc import Iterable, Sequence

NAN = "CAST('NaN' AS DOUBLE)"
INFINITIES = "CAST('inf' AS DOUBLE), CAST('-inf' AS DOUBLE)"


def column(name: str) -> str:
    """A column's name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: bool | int | float | str) -> str:
    """A value. Whoever gives it a NaN or an infinity wants the constants above."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def is_in(name: str, values: Iterable[bool | int | float | str]) -> str:
    """One of some values."""
    return f"{column(name)} IN ({', '.join(map(literal, values))})"


def is_missing(name: str, *, nan: bool) -> str:
    """Null, or a number that is none."""
    return f"({column(name)} IS NULL OR {column(name)} = {NAN})" if nan else f"{column(name)} IS NULL"


def repeated(keys: Sequence[str]) -> str:
    """Rows that share these expressions with another row."""
    return f"COUNT(*) OVER (PARTITION BY {', '.join(keys)}) > 1"
