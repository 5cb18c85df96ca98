"""Predictions beside what turned out to be true: late, out of order, by prediction or by key."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from penstock.bundle import Target

FEEDBACK: Mapping[str, Any] = {
    "prediction": pl.String,
    "key": pl.String,
    "label": pl.String,
    "at": pl.Datetime("us", "UTC"),  # when it became known; else when it was received
}
_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))(\.\d+)?")


def plain(value: Any) -> str | None:
    """One text for one value: `true` for True, `3` for 3 and 3.0. A text is itself: "1.1" and "1.10" are two.

    None for null and for an empty text.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def read_plain(text: str) -> str:
    """The text of the number or truth value that `text` was written for: `true` for "True", `3` for "3.0"."""
    if text.lower() in ("true", "false"):
        return text.lower()
    if number := _NUMBER.fullmatch(text):
        fraction = (number[2] or "").rstrip("0")
        return number[1] + (fraction if fraction != "." else "")
    return text


def codes_of(target: "Target") -> dict[str, float]:
    """The label texts of a classification, with the codes that metrics know them by.

    An event may be reported as true or as 1, whichever the target is.
    """
    codes: dict[str, float] = {}
    for code, label in enumerate(target.classes):
        codes[str(plain(label))] = float(code)
        if target.task == "binary" and label in (0, 1):
            codes |= {str(plain(same)): float(code) for same in (int(label), bool(label))}
    return codes


def code_of(text: str, target: "Target") -> float | None:
    """The code of a label text; None for what is no class."""
    return codes_of(target).get(read_plain(text) if reads_plain(target) else text)


def reads_plain(target: "Target") -> bool:
    """Whether "True" and "1.0" are labels written for true and 1; classes that are texts are themselves."""
    return not any(isinstance(label, str) for label in target.classes)


def is_label(text: str, target: "Target") -> bool:
    """Whether a label can be true. A class that training never saw can: reality is allowed to change."""
    if target.task == "regression":
        return _is_number(text)
    return target.task == "multiclass" or code_of(text, target) is not None


def labels_of(feedback: pl.LazyFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """The feedback about some predictions (id, key, ...), in the order it was received."""
    ids, keys = predictions["id"], predictions["key"].drop_nulls()
    by_id = pl.col("prediction").is_in(ids.implode())
    by_key = pl.col("prediction").is_null() & pl.col("key").is_in(keys.unique().implode())
    return feedback.select(*FEEDBACK).filter(by_id | by_key).collect()


def joined(predictions: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """Predictions with their `truth`: rows in == rows out, in order.

    predictions   id, key, ...
    feedback      prediction, key, label, at (the columns of FEEDBACK), in the order it was received

    Feedback names one prediction by its id or all of an example by its key. The newest counts; of equal age the
    one by id, then the one received last.
    """
    by_id = _newest(feedback, "prediction", "id")
    by_key = _newest(feedback.filter(pl.col("prediction").is_null()), "key", "key")
    beside = predictions.join(by_id, left_on="id", right_on="prediction", how="left", maintain_order="left")
    beside = beside.join(by_key, on="key", how="left", maintain_order="left")
    overruled = pl.col("at by key") > pl.col("at by id")
    truth = pl.when(overruled).then("label by key").otherwise(pl.coalesce("label by id", "label by key"))
    return beside.select(*predictions.columns, truth=truth)


def _newest(feedback: pl.DataFrame, name: str, by: str) -> pl.DataFrame:
    given = feedback.filter(pl.col(name).is_not_null()).sort("at", maintain_order=True)
    newest = given.unique(name, keep="last", maintain_order=True)
    return newest.select(name, pl.col("label").alias(f"label by {by}"), pl.col("at").alias(f"at by {by}"))


def _is_number(text: str) -> bool:
    value = pl.Series([text]).cast(pl.Float64, strict=False).item()  # Python's float() takes more, such as 1_000
    return value is not None and isfinite(value)
