"""The first schema."""

import sqlalchemy as sa
from alembic import op

from penstock.ledger.migrations import kinds

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "actions",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("key", kinds.TEXT, nullable=False),
        sa.Column("kind", kinds.TEXT, nullable=False),
        sa.Column("trigger", kinds.TEXT, nullable=False),
        sa.Column("reason", kinds.TEXT, nullable=False),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("outcome", kinds.DOCUMENT, nullable=False),
        sa.Column("started_at", kinds.TIME, nullable=False),
        sa.Column("finished_at", kinds.TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sa.UniqueConstraint("key", name=op.f("uq_actions_key")),
    )
    op.create_index(op.f("ix_actions_started_at"), "actions", ["started_at"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("endpoint", kinds.TEXT, nullable=False),
        sa.Column("rule", kinds.TEXT, nullable=False),
        sa.Column("subject", kinds.TEXT, nullable=False),
        sa.Column("severity", kinds.TEXT, nullable=False),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=False),
        sa.Column("threshold", kinds.NUMBER, nullable=False),
        sa.Column("message", kinds.TEXT, nullable=False),
        sa.Column("window_start", kinds.TIME, nullable=False),
        sa.Column("opened_at", kinds.TIME, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.Column("resolved_at", kinds.TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_endpoint_opened_at"), "alerts", ["endpoint", "opened_at"], unique=False)
    op.create_index(
        "ux_alerts_one",
        "alerts",
        ["endpoint", "rule", "subject"],
        unique=True,
        sqlite_where=sa.text("state = 'firing'"),
        postgresql_where=sa.text("state = 'firing'"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", kinds.INTEGER, autoincrement=False, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.Column("actor", kinds.TEXT, nullable=False),
        sa.Column("action", kinds.TEXT, nullable=False),
        sa.Column("subject", kinds.TEXT, nullable=False),
        sa.Column("reason", kinds.TEXT, nullable=False),
        sa.Column("payload", kinds.DOCUMENT, nullable=False),
        sa.Column("previous", kinds.TEXT, nullable=False),
        sa.Column("digest", kinds.TEXT, nullable=False),
        sa.Column("public_key", kinds.TEXT, nullable=False),
        sa.Column("signature", kinds.TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sa.UniqueConstraint("digest", name=op.f("uq_audit_digest")),
    )
    op.create_table(
        "bundles",
        sa.Column("digest", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("format", kinds.TEXT, nullable=False),
        sa.Column("bytes", kinds.INTEGER, nullable=False),
        sa.Column("public_key", kinds.TEXT, nullable=False),
        sa.Column("signature", kinds.TEXT, nullable=False),
        sa.Column("created_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_bundles")),
    )
    op.create_index(op.f("ix_bundles_run"), "bundles", ["run"], unique=False)
    op.create_table(
        "cursors",
        sa.Column("name", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("position", kinds.DOCUMENT, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("endpoint", kinds.TEXT, nullable=False),
        sa.Column("generation", kinds.INTEGER, nullable=False),
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("bundle", kinds.TEXT, nullable=False),
        sa.Column("kind", kinds.TEXT, nullable=False),
        sa.Column("actor", kinds.TEXT, nullable=False),
        sa.Column("reason", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("endpoint", "generation", name=op.f("uq_deployments_endpoint_generation")),
    )
    op.create_table(
        "edges",
        sa.Column("source", kinds.TEXT, nullable=False),
        sa.Column("target", kinds.TEXT, nullable=False),
        sa.Column("role", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "target", "role", name=op.f("pk_edges")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_edges_target_source_role"), "edges", ["target", "source", "role"], unique=False)
    op.create_table(
        "evaluations",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("bundle", kinds.TEXT, nullable=False),
        sa.Column("champion", kinds.TEXT, nullable=True),
        sa.Column("data", kinds.TEXT, nullable=False),
        sa.Column("objective", kinds.TEXT, nullable=False),
        sa.Column("gates", kinds.TEXT, nullable=False),
        sa.Column("verdict", kinds.TEXT, nullable=False),
        sa.Column("record", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
    )
    op.create_index(op.f("ix_evaluations_at"), "evaluations", ["at"], unique=False)
    op.create_index(op.f("ix_evaluations_bundle"), "evaluations", ["bundle"], unique=False)
    op.create_table(
        "executions",
        sa.Column("key", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("step", kinds.TEXT, nullable=False),
        sa.Column("inputs", kinds.DOCUMENT, nullable=False),
        sa.Column("outputs", kinds.DOCUMENT, nullable=False),
        sa.Column("seconds", kinds.NUMBER, nullable=False),
        sa.Column("finished_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_executions")),
    )
    op.create_index(op.f("ix_executions_step_finished_at"), "executions", ["step", "finished_at"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("holder", kinds.TEXT, nullable=False),
        sa.Column("token", kinds.INTEGER, nullable=False),
        sa.Column("expires_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "model_versions",
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("bundle", kinds.TEXT, nullable=False),
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("evaluation", kinds.TEXT, nullable=True),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("note", kinds.TEXT, nullable=False),
        sa.Column("created_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_model_versions")),
    )
    op.create_index(op.f("ix_model_versions_bundle"), "model_versions", ["bundle"], unique=False)
    op.create_index(op.f("ix_model_versions_model_state"), "model_versions", ["model", "state"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("status", kinds.TEXT, nullable=False),
        sa.Column("key", kinds.TEXT, nullable=False),
        sa.Column("function", kinds.TEXT, nullable=False),
        sa.Column("params", kinds.DOCUMENT, nullable=False),
        sa.Column("seed", kinds.INTEGER, nullable=False),
        sa.Column("data", kinds.DOCUMENT, nullable=False),
        sa.Column("features", kinds.DOCUMENT, nullable=False),
        sa.Column("code", kinds.TEXT, nullable=False),
        sa.Column("git_commit", kinds.TEXT, nullable=True),
        sa.Column("patch", kinds.TEXT, nullable=True),
        sa.Column("environment", kinds.TEXT, nullable=False),
        sa.Column("host", kinds.DOCUMENT, nullable=False),
        sa.Column("pid", kinds.INTEGER, nullable=False),
        sa.Column("started_at", kinds.TIME, nullable=False),
        sa.Column("finished_at", kinds.TIME, nullable=True),
        sa.Column("bundle", kinds.TEXT, nullable=True),
        sa.Column("content_hash", kinds.TEXT, nullable=True),
        sa.Column("probe_hash", kinds.TEXT, nullable=True),
        sa.Column("log", kinds.TEXT, nullable=True),
        sa.Column("error", kinds.TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("number", name=op.f("uq_runs_number")),
    )
    op.create_index(op.f("ix_runs_key"), "runs", ["key"], unique=False)
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"], unique=False)
    op.create_index(op.f("ix_runs_status"), "runs", ["status"], unique=False)
    op.create_table(
        "series",
        sa.Column("endpoint", kinds.TEXT, nullable=False),
        sa.Column("metric", kinds.TEXT, nullable=False),
        sa.Column("subject", kinds.TEXT, nullable=False),
        sa.Column("window_start", kinds.TIME, nullable=False),
        sa.Column("window_end", kinds.TIME, nullable=False),
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=False),
        sa.Column("n", kinds.INTEGER, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "metric", "subject", "model", "window_start", name=op.f("pk_series")),
    )
    op.create_table(
        "sign_offs",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("objective", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("role", kinds.TEXT, nullable=False),
        sa.Column("note", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_offs")),
    )
    op.create_index(op.f("ix_sign_offs_objective"), "sign_offs", ["objective"], unique=False)
    op.create_table(
        "versions",
        sa.Column("commit", kinds.TEXT, nullable=False),
        sa.Column("dataset", kinds.TEXT, nullable=False),
        sa.Column("content", kinds.TEXT, nullable=False),
        sa.Column("schema", kinds.TEXT, nullable=False),
        sa.Column("rows", kinds.INTEGER, nullable=False),
        sa.Column("bytes", kinds.INTEGER, nullable=False),
        sa.Column("producer", kinds.TEXT, nullable=False),
        sa.Column("created_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("dataset", "commit", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_commit"), "versions", ["commit"], unique=False)
    op.create_index(op.f("ix_versions_dataset_created_at"), "versions", ["dataset", "created_at"], unique=False)
    op.create_table(
        "approvals",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("role", kinds.TEXT, nullable=False),
        sa.Column("reason", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["model_versions.model", "model_versions.number"],
            name=op.f("fk_approvals_model_versions"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_model_number"), "approvals", ["model", "number"], unique=False)
    op.create_table(
        "artifacts",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("digest", kinds.TEXT, nullable=False),
        sa.Column("bytes", kinds.INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_artifacts_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "gate_results",
        sa.Column("evaluation", kinds.TEXT, nullable=False),
        sa.Column("position", kinds.INTEGER, nullable=False),
        sa.Column("gate", kinds.TEXT, nullable=False),
        sa.Column("metric", kinds.TEXT, nullable=False),
        sa.Column("slice", kinds.TEXT, nullable=False),
        sa.Column("rule", kinds.TEXT, nullable=False),
        sa.Column("severity", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=True),
        sa.Column("low", kinds.NUMBER, nullable=True),
        sa.Column("high", kinds.NUMBER, nullable=True),
        sa.Column("reference", kinds.NUMBER, nullable=True),
        sa.Column("threshold", kinds.NUMBER, nullable=True),
        sa.Column("n", kinds.INTEGER, nullable=False),
        sa.Column("outcome", kinds.TEXT, nullable=False),
        sa.Column("reason", kinds.TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation"],
            ["evaluations.id"],
            name=op.f("fk_gate_results_evaluations"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("evaluation", "position", name=op.f("pk_gate_results")),
    )
    op.create_table(
        "metrics",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("step", kinds.INTEGER, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_metrics_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "name", "step", name=op.f("pk_metrics")),
    )
    op.create_index(op.f("ix_metrics_name_value"), "metrics", ["name", "value"], unique=False)
    op.create_table(
        "params",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_params_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_params")),
    )
    op.create_index(op.f("ix_params_name_value"), "params", ["name", "value"], unique=False)
    op.create_table(
        "refs",
        sa.Column("dataset", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("kind", kinds.TEXT, nullable=False),
        sa.Column("commit", kinds.TEXT, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset", "commit"],
            ["versions.dataset", "versions.commit"],
            name=op.f("fk_refs_versions"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("dataset", "name", name=op.f("pk_refs")),
    )
    op.create_table(
        "transitions",
        sa.Column("id", kinds.TEXT, autoincrement=False, nullable=False),
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("before", kinds.TEXT, nullable=True),
        sa.Column("after", kinds.TEXT, nullable=False),
        sa.Column("actor", kinds.TEXT, nullable=False),
        sa.Column("reason", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["model_versions.model", "model_versions.number"],
            name=op.f("fk_transitions_model_versions"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(op.f("ix_transitions_model_number"), "transitions", ["model", "number"], unique=False)
