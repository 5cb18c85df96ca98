"""Predictions beside what turned out to be true: late, out of order, by prediction or by key."""

from typing import Any

import polars as pl

FEEDBACK: dict[str, pl.DataType | type[pl.DataType]] = {
    "prediction": pl.String,
    "key": pl.String,
    "label": pl.String,
    "at": pl.Datetime("us", "UTC"),
}


def plain(value: Any) -> str | None:
    """One text for one value, however it was written: true, True and "true"; 3, 3.0 and "3"."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return f"{float(text):.15g}"
    except ValueError:
        return text


def joined(predictions: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """Predictions with their `truth`: rows in == rows out, in order.

    predictions   id, key, ...
    feedback      prediction, key, label, at (the columns of FEEDBACK)

    Feedback names the prediction by its id or by its key; the id is stronger, and of several the newest counts.
    """
    ordered = feedback.sort("at", maintain_order=True)
    by_id = _newest(ordered, "prediction", "truth_by_id")
    by_key = _newest(ordered.filter(pl.col("prediction").is_null()), "key", "truth_by_key")
    beside = predictions.join(by_id, left_on="id", right_on="prediction", how="left", maintain_order="left")
    beside = beside.join(by_key, on="key", how="left", maintain_order="left")
    return beside.with_columns(truth=pl.coalesce("truth_by_id", "truth_by_key")).drop("truth_by_id", "truth_by_key")


def _newest(feedback: pl.DataFrame, name: str, label: str) -> pl.DataFrame:
    given = feedback.filter(pl.col(name).is_not_null())
    return given.unique(name, keep="last", maintain_order=True).select(name, pl.col("label").alias(label))
