"""Column names that stand for something else than a column of the data: rows cannot have them."""

ROW, FILE, REASONS, WARNINGS = "__row__", "__file__", "__reasons__", "__warnings__"
RESERVED = (ROW, FILE, REASONS, WARNINGS)
RAW = "__raw__:"  # a text column before it was parsed


def is_reserved(column: str) -> bool:
    """Whether rows cannot have a column of this name."""
    return column in RESERVED or column.startswith(RAW) or is_pattern(column)


def is_pattern(column: str) -> bool:
    """Whether Polars would read a column's name as a pattern: `*` is every column, `^…$` a regular expression."""
    return column == "*" or (column.startswith("^") and column.endswith("$"))
