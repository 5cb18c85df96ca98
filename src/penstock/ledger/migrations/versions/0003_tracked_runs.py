"""Runs that are tracked while they go on: tags, every value of a metric, parameters as numbers."""

import sqlalchemy as sa
from alembic import op

from penstock.ledger.migrations import kinds

revision = "0003"
down_revision = "0002"

# Until now a metric had one value, at step 0.
SUMMARIES = """
INSERT INTO metrics (run, name, value, step, at, low, high, n)
SELECT run, name, value, step, at, value, value, 1 FROM final_metrics
"""
POINTS = """
INSERT INTO metric_points (run, name, number, step, value, at) SELECT run, name, 1, step, value, at FROM final_metrics
"""
# A parameter that is a number was written as JSON: no blank, no underscore, no name for infinity.
NUMBERS = {
    "sqlite": "UPDATE params SET number = CAST(value AS REAL) "
    "WHERE value GLOB '[-0-9]*[0-9]' AND json_valid(value) OR value GLOB '[0-9]'",
    "postgresql": "UPDATE params SET number = value::double precision "
    r"WHERE value ~ '^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$'",
}


def upgrade() -> None:
    """New columns of runs and params, a table for tags, one for points; metrics become summaries of these."""
    for name, default in (("kind", "training"), ("name", ""), ("experiment", "")):
        op.add_column("runs", sa.Column(name, kinds.TEXT, nullable=False, server_default=default))
    op.create_index(op.f("ix_runs_experiment"), "runs", ["experiment"])
    op.add_column("params", sa.Column("number", kinds.NUMBER, nullable=True))
    op.create_index(op.f("ix_params_name_number"), "params", ["name", "number"])
    op.execute(NUMBERS[op.get_bind().dialect.name])
    op.create_table(
        "tags",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.TEXT, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_tags_runs"), initially="DEFERRED", deferrable=True),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_tags")),
    )
    op.create_index(op.f("ix_tags_name_value"), "tags", ["name", "value"])
    op.create_table(
        "metric_points",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("step", kinds.INTEGER, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_metric_points_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "name", "number", name=op.f("pk_metric_points")),
        sqlite_with_rowid=False,
    )
    _summarise()


def _summarise() -> None:
    op.execute("CREATE TABLE final_metrics AS SELECT * FROM metrics")
    op.execute(POINTS)
    op.drop_table("metrics")
    op.create_table(
        "metrics",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=False),
        sa.Column("step", kinds.INTEGER, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.Column("low", kinds.NUMBER, nullable=False),
        sa.Column("high", kinds.NUMBER, nullable=False),
        sa.Column("n", kinds.INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_metrics_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_metrics")),
    )
    op.create_index(op.f("ix_metrics_name_value"), "metrics", ["name", "value"])
    op.execute(SUMMARIES)
    op.drop_table("final_metrics")
