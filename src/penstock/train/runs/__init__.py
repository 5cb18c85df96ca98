"""Runs as people look at them: found, tabled, compared, ranked and shown on a page.

run_table(reader, "metrics.roc_auc > 0.7", sort="-started").frame()
"""

from penstock.train.runs.filter import Field, parse_columns, parse_filter, parse_sort
from penstock.train.runs.table import RunTable, run_table

__all__ = ["Field", "RunTable", "parse_columns", "parse_filter", "parse_sort", "run_table"]
