"""Runs as people look at them: found, tabled, compared, ranked and shown on a page.

run_table(reader, "metrics.roc_auc > 0.7", sort="-started").frame()
compare_runs(reader, store, [before, after]).params
leaderboard(reader, store, "roc_auc", by="carrier")[0].ranked
"""

from penstock.train.runs.comparison import Curve, Row, RunComparison, compare_runs
from penstock.train.runs.details import RunDetails, run_details
from penstock.train.runs.filter import Field, parse_columns, parse_filter, parse_sort
from penstock.train.runs.pages import comparison_page, leaderboard_page
from penstock.train.runs.ranking import Ranked, Ranking, leaderboard
from penstock.train.runs.report import runs_report
from penstock.train.runs.run_page import run_page
from penstock.train.runs.table import RunTable, run_table
from penstock.train.runs.tags import tag_run

__all__ = [
    "Curve",
    "Field",
    "Ranked",
    "Ranking",
    "Row",
    "RunComparison",
    "RunDetails",
    "RunTable",
    "compare_runs",
    "comparison_page",
    "leaderboard",
    "leaderboard_page",
    "parse_columns",
    "parse_filter",
    "parse_sort",
    "run_details",
    "run_page",
    "run_table",
    "runs_report",
    "tag_run",
]
