"""Records and cards of every task, drawn from samples alone."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from penstock.digest import canonical_json
from penstock.report import to_html, to_markdown
from penstock.validate import Evidence, Gate, card, judge, verdict
from penstock.validate import record as recorded
from penstock.validate.cases import CaseResult
from penstock.validate.figures import calibration_figure
from penstock.validate.measuring import Sample
from penstock.validate.metrics import METRICS, metrics_for
from penstock.validate.slices import cut


def sample(task: str, rows: int) -> Sample:
    random = np.random.default_rng(0)
    if task == "multiclass":
        return Sample("multiclass", random.integers(0, 3, rows).astype(float), random.dirichlet([1, 1, 1], size=rows))
    if task == "regression":
        return Sample("regression", random.normal(size=rows), random.normal(size=rows))
    return Sample("binary", (random.random(rows) < 0.4).astype(float), random.random(rows))


MAIN = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "mae"}


def record_of(task: str, rows: int = 60) -> dict[str, Any]:
    answers = sample(task, rows)
    groups = cut(pl.Series("group|odd", ["a", "b", "<c>"] * (rows // 3)))
    evidence = Evidence(answers, METRICS, champion=answers, baseline=answers, groups={"group|odd": groups})
    bound = Gate("g", "here", "bound", MAIN[task], "max", 0.4, slices=("group|odd",), min_n=10)
    judged = [judge(bound, evidence)]
    metrics = metrics_for(answers.task, costs=False)
    return {
        "format": recorded.FORMAT,
        "model": "toy",
        "at": "2013-01-01T00:00:00+00:00",
        "verdict": verdict(judged),
        "objective": {"digest": "0" * 64, "problem": "p", "decision": "d", "owner": "o", "costs": None},
        "bundle": {
            "digest": "1" * 64,
            "format": "skops",
            "task": task,
            "target": "y",
            "classes": [0, 1],
            "threshold": 0.5,
            "features": ["x"],
            "content_hash": "2",
            "probe_hash": "3",
            "lineage": {"params": {"depth": 3}},
        },
        "champion": None,
        "data": {"holdout": "4", "train": "5", "rows": rows, "trained_until": None},
        "gates_digest": "6",
        "gates": [recorded.judged(each) for each in judged],
        "metrics": recorded.measured(evidence, metrics),
        "slices": [recorded.sliced(answers, groups, metrics)],
        "calibration": recorded.calibration(answers),
        "confusion": recorded.confusion(answers),
        "disagreement": recorded.disagreement(evidence),
        "latency": None,
        "cases": [recorded.case_row(CaseResult("fog", False, "answered no", reason="incident"))],
    }


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_card_of_every_task(task: str) -> None:
    record = record_of(task)
    canonical_json(record)
    text, page = to_markdown(card(record)), to_html(card(record))
    assert f"y ({task}" in text
    assert "## Gates" in text
    assert "fog" in text
    assert "<c>" not in page
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 2
    assert all(len(ElementTree.fromstring(picture)) > 5 for picture in pictures)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_handful_of_rows_still_makes_a_card(task: str) -> None:
    record = record_of(task, rows=3)
    canonical_json(record)
    assert record["verdict"] == "UNDECIDED"
    assert "UNDECIDED" in to_html(card(record))


def test_a_card_is_called_by_the_version_that_it_became() -> None:
    assert to_markdown(card(record_of("binary"), "toy@3")).startswith("# toy@3: model card\n")
    assert to_markdown(card(record_of("binary"))).startswith("# toy, bundle 111111111111: model card\n")


def test_large_numbers_fit_into_the_picture_and_read_like_numbers() -> None:
    bins = [
        {"claimed": claimed, "value": claimed * 1.05, "low": claimed * 0.9, "high": claimed * 1.1, "n": 24}
        for claimed in (104_153.0, 2_794_952.0)
    ]
    picture = ElementTree.fromstring(calibration_figure(bins, "regression").svg)
    texts = {text.text: text.attrib for text in picture.iter() if text.tag.endswith("text")}
    assert texts["came true"]["text-anchor"] == "start"
    assert {"93,700", "1,580,000", "3,070,000", "predicted", "came true"} == set(texts)
    assert all(float(at["x"]) >= 7 * len(text or "") for text, at in texts.items() if at["text-anchor"] == "end")


def test_calibration_counts_every_row_once() -> None:
    for task in ("binary", "multiclass", "regression"):
        assert sum(b["n"] for b in recorded.calibration(sample(task, 97))) == 97


def test_agreement_with_oneself_is_whole() -> None:
    assert record_of("binary")["disagreement"] == {"n": 0, "share": 0.0, "candidate_right": 0}
