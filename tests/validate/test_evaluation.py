"""From a sealed bundle to a recorded judgement."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from penstock.errors import Untrusted, UsageError
from penstock.ledger import Evaluation, GateResult, trace
from penstock.project import ProjectFile, load_project
from penstock.validate import Evaluated, card, evaluate, judged_by
from penstock.validate.exam import open_sealed

NOW = datetime(2013, 2, 1, tzinfo=UTC)


def judged(airport: Any, bundle: str, *, project: ProjectFile | None = None, **more: Any) -> Evaluated:
    given = {"holdout": airport.tables.holdout, "sources": airport.sources, "train": airport.tables.train, "now": NOW}
    return evaluate(project or airport.project, airport.ledger, airport.store, bundle, **{**given, **more})


def outcomes(evaluated: Evaluated) -> dict[str, str]:
    return {result.gate: result.outcome for result in evaluated.results}


def reasons(evaluated: Evaluated) -> dict[str, str]:
    return {result.gate: result.reason for result in evaluated.results}


def test_a_sound_model_passes_every_gate(airport: Any) -> None:
    found = judged(airport, airport.good)
    assert outcomes(found) == {
        "roc_auc at least 0.7": "PASS",
        "ece at most 0.2": "PASS",
        "cost_per_flight at most 30 USD": "PASS",
        "latency_p95 at most 2s": "PASS",
        "freshness at most 31d": "PASS",
        "roc_auc no worse than champion by 0.05": "PASS",
        "log_loss better than baseline": "PASS",
        "recall gap by carrier at most 0.5": "PASS",
        "roc_auc at least 0.6 in every origin": "PASS",
        "pipeline:missed at most 0.5": "PASS",
        "known cases": "PASS",
    }
    assert found.evaluation.verdict == "PASS"
    assert reasons(found)["roc_auc no worse than champion by 0.05"] == "no champion yet"


def test_a_poor_model_is_refused_beside_the_champion(airport: Any) -> None:
    found = judged(airport, airport.poor, champion=airport.good)
    assert found.evaluation.verdict == "FAIL"
    refused = {gate for gate, outcome in outcomes(found).items() if outcome == "FAIL"}
    assert {"roc_auc at least 0.7", "roc_auc no worse than champion by 0.05", "known cases"} <= refused
    assert "worse by" in reasons(found)["roc_auc no worse than champion by 0.05"]
    assert "expected True" in reasons(found)["known cases"]


def test_the_champion_is_not_compared_with_itself(airport: Any) -> None:
    found = judged(airport, airport.good, champion=airport.good)
    assert reasons(found)["roc_auc no worse than champion by 0.05"] == "this is the champion"


def test_a_champion_that_cannot_answer_decides_nothing(airport: Any) -> None:
    found = judged(airport, airport.good, champion="0" * 64)
    assert outcomes(found)["roc_auc no worse than champion by 0.05"] == "UNDECIDED"
    assert found.evaluation.verdict == "UNDECIDED"
    assert "cannot be compared" in reasons(found)["roc_auc no worse than champion by 0.05"]


def test_old_data_fail_the_freshness_that_was_promised(airport: Any) -> None:
    found = judged(airport, airport.good, now=datetime(2013, 6, 1, tzinfo=UTC))
    assert outcomes(found)["freshness at most 31d"] == "FAIL"


def test_without_training_examples_the_baseline_is_undecided(airport: Any) -> None:
    assert outcomes(judged(airport, airport.good, train=None))["log_loss better than baseline"] == "UNDECIDED"


def test_the_ledger_has_the_evaluation_its_gates_and_its_roots(airport: Any) -> None:
    found = judged(airport, airport.poor, champion=airport.good)
    with airport.ledger.read() as reader:
        assert reader.get(Evaluation, id=found.evaluation.id) == found.evaluation
        rows = reader.find(GateResult, evaluation=found.evaluation.id, order_by="position")
        above = trace(reader, f"evaluation:{found.evaluation.id}", down=False).nodes
    assert tuple(rows) == found.results
    assert {f"bundle:{airport.poor}", f"bundle:{airport.good}", f"data:{airport.tables.holdout}"} <= set(above)


def test_the_record_holds_every_number(airport: Any) -> None:
    found = judged(airport, airport.poor, champion=airport.good)
    record = airport.store.read_json(found.evaluation.record)
    assert record["verdict"] == found.evaluation.verdict
    assert [gate["outcome"] for gate in record["gates"]] == [result.outcome for result in found.results]
    assert [gate["value"] for gate in record["gates"]] == [result.value for result in found.results]
    assert record["data"]["rows"] == airport.tables.holdout_rows
    assert sum(record["confusion"].values()) == record["data"]["rows"]
    assert sum(b["n"] for b in record["calibration"]) == record["data"]["rows"]
    assert {cut["column"] for cut in record["slices"]} == {"carrier", "distance"}
    assert all(sum(group["n"] for group in cut["groups"]) == record["data"]["rows"] for cut in record["slices"])
    assert {row["metric"] for row in record["metrics"]} >= {"roc_auc", "cost", "pipeline:missed"}
    assert record["data"]["trained_until"].startswith("2013-01-1")


def test_same_evidence_same_numbers(airport: Any) -> None:
    first, again = (judged(airport, airport.good).record for _ in range(2))
    timeless = {"at", "latency", "gates"}
    assert {k: v for k, v in first.items() if k not in timeless} == {
        k: v for k, v in again.items() if k not in timeless
    }


def test_the_card_is_made_of_the_record(airport: Any) -> None:
    from penstock.report import to_html, to_markdown

    found = judged(airport, airport.poor, champion=airport.good)
    document = card(airport.store.read_json(found.evaluation.record))
    text, page = to_markdown(document), to_html(document)
    for result in found.results:
        assert result.gate in text
    assert "FAIL. It fails a gate that blocks" in text
    assert "<svg" in page
    assert "carrier=UA" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_bundle_sealed_by_a_stranger_is_not_opened(airport: Any, tmp_path: Any) -> None:
    (tmp_path / "penstock.yaml").write_text((airport.project.root / "penstock.yaml").read_text())
    elsewhere = load_project(tmp_path)
    with pytest.raises(Untrusted):
        open_sealed(elsewhere, airport.ledger, airport.store, airport.good)


def test_an_unknown_bundle_is_a_usage_error(airport: Any) -> None:
    with pytest.raises(UsageError, match="no bundle"):
        judged(airport, "1" * 64)


def test_a_holdout_without_labels_is_refused(airport: Any) -> None:
    rows = airport.store.scan(airport.tables.holdout).collect().with_columns(late=pl.lit(None, pl.Boolean))
    table = airport.store.write_table(rows)
    from penstock.store import Manifest

    commit = airport.store.commit(Manifest(table.schema, table.parts, producer="test"))
    with pytest.raises(UsageError, match="nothing to judge by"):
        judged(airport, airport.good, holdout=commit)


def test_an_unknown_slice_is_named(airport: Any) -> None:
    config = airport.project.config
    section = config.validation.model_copy(update={"slices": ("carier",)})
    project = replace(airport.project, config=config.model_copy(update={"validation": section}))
    with pytest.raises(UsageError, match="did you mean 'carrier'"):
        judged(airport, airport.good, project=project)


def test_what_judges_is_named_with_code_and_cases(airport: Any) -> None:
    before = judged_by(airport.project)
    case = airport.project.root / "cases" / "evening.yaml"
    text = case.read_text()
    case.write_text(text.replace("0.5", "0.6"))
    changed = judged_by(airport.project)
    case.write_text(text)
    assert changed != before == judged_by(airport.project)
