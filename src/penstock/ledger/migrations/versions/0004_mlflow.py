"""What the MLflow protocol knows besides our own records."""

import sqlalchemy as sa
from alembic import op

from penstock.ledger.migrations import kinds

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Tables of their own."""
    op.create_table(
        "mlflow_experiments",
        sa.Column("id", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("tags", kinds.DOCUMENT, nullable=False),
        sa.Column("created_at", kinds.TIME, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mlflow_experiments")),
        sa.UniqueConstraint("name", name=op.f("uq_mlflow_experiments_name")),
    )
    op.create_table(
        "mlflow_models",
        sa.Column("id", kinds.TEXT, nullable=False),
        sa.Column("experiment", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("status", kinds.TEXT, nullable=False),
        sa.Column("type", kinds.TEXT, nullable=False),
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("params", kinds.DOCUMENT, nullable=False),
        sa.Column("tags", kinds.DOCUMENT, nullable=False),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("created_at", kinds.TIME, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mlflow_models")),
    )
    op.create_index(op.f("ix_mlflow_models_experiment_created_at"), "mlflow_models", ["experiment", "created_at"])
    op.create_index(op.f("ix_mlflow_models_run"), "mlflow_models", ["run"])
    op.create_table(
        "mlflow_registered_models",
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("description", kinds.TEXT, nullable=False),
        sa.Column("tags", kinds.DOCUMENT, nullable=False),
        sa.Column("created_at", kinds.TIME, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_mlflow_registered_models")),
    )
    op.create_table(
        "mlflow_aliases",
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["model_versions.model", "model_versions.number"],
            name=op.f("fk_mlflow_aliases_model_versions"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_mlflow_aliases")),
    )
    op.create_index(op.f("ix_mlflow_aliases_model_number"), "mlflow_aliases", ["model", "number"])
    op.create_table(
        "mlflow_inputs",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("digest", kinds.TEXT, nullable=False),
        sa.Column("source_type", kinds.TEXT, nullable=False),
        sa.Column("source", kinds.TEXT, nullable=False),
        sa.Column("schema", kinds.TEXT, nullable=False),
        sa.Column("profile", kinds.TEXT, nullable=False),
        sa.Column("tags", kinds.DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_mlflow_inputs_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "name", "digest", name=op.f("pk_mlflow_inputs")),
    )
    op.create_index(op.f("ix_mlflow_inputs_digest"), "mlflow_inputs", ["digest"])
    op.create_index(op.f("ix_mlflow_inputs_name"), "mlflow_inputs", ["name"])
    op.create_table(
        "mlflow_model_files",
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("digest", kinds.TEXT, nullable=False),
        sa.Column("bytes", kinds.INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["mlflow_models.id"],
            name=op.f("fk_mlflow_model_files_mlflow_models"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_mlflow_model_files")),
    )
    op.create_table(
        "mlflow_model_metrics",
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("dataset", kinds.TEXT, nullable=False),
        sa.Column("digest", kinds.TEXT, nullable=False),
        sa.Column("value", kinds.NUMBER, nullable=False),
        sa.Column("step", kinds.INTEGER, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["mlflow_models.id"],
            name=op.f("fk_mlflow_model_metrics_mlflow_models"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("model", "run", "name", "dataset", "digest", name=op.f("pk_mlflow_model_metrics")),
    )
    op.create_table(
        "mlflow_model_uses",
        sa.Column("run", kinds.TEXT, nullable=False),
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("role", kinds.TEXT, nullable=False),
        sa.Column("step", kinds.INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("fk_mlflow_model_uses_runs"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("run", "model", "role", name=op.f("pk_mlflow_model_uses")),
    )
    op.create_index(op.f("ix_mlflow_model_uses_model"), "mlflow_model_uses", ["model"])
    op.create_table(
        "mlflow_version_notes",
        sa.Column("model", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("source", kinds.TEXT, nullable=False),
        sa.Column("logged", kinds.TEXT, nullable=False),
        sa.Column("description", kinds.TEXT, nullable=False),
        sa.Column("run_link", kinds.TEXT, nullable=False),
        sa.Column("tags", kinds.DOCUMENT, nullable=False),
        sa.Column("state", kinds.TEXT, nullable=False),
        sa.Column("updated_at", kinds.TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["model_versions.model", "model_versions.number"],
            name=op.f("fk_mlflow_version_notes_model_versions"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_mlflow_version_notes")),
    )
    op.create_index(op.f("ix_mlflow_version_notes_logged"), "mlflow_version_notes", ["logged"])
