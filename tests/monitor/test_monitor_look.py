import subprocess
import sys
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from msgspec import structs
from production import answer, february, log, noon, outcomes, parts, told, values

from penstock import Project
from penstock.ledger import Alert, Cursor, SeriesPoint
from penstock.monitor.measuring import measure_windows

QUALITY = {"roc_auc", "cost", "ece", "log_loss", "recall"}


def metrics_of(project: Project, day: int, model: str = "*") -> set[str]:
    start = datetime(2024, 2, day, tzinfo=UTC)
    with project._workspace.ledger.read() as reader:
        return {point.metric for point in reader.find(SeriesPoint, window_start=start, model=model)}


def with_settings(project: Project, *sets: str) -> Project:
    return Project.open(project._workspace.project.root, actor="ada", sets=sets)


def test_windows_go_by_what_a_prediction_is_about(live: Project) -> None:
    log(live, answer(live, february(72)))
    found = live.monitor.look(now=noon(3))
    assert (found.compacted.predictions, found.notices) == (72, ())
    assert values(live, "volume") == [(1, 24.0, 24), (2, 24.0, 24)]
    live.monitor.look(now=noon(4))
    assert [day for day, _, _ in values(live, "volume")] == [1, 2, 3]


def test_a_request_about_the_end_of_time_does_not_stop_the_looks(live: Project) -> None:
    usual = answer(live, february(24))
    last = structs.replace(usual[0], request={**usual[0].request, "sent": "9999-12-31T23:00:00"})
    log(live, [*usual[1:], last])
    live.monitor.look(now=noon(3))
    assert live.monitor.look(now=noon(4)).open_until is not None
    assert values(live, "volume") == [(1, 23.0, 23)]


def test_every_number_of_a_window(live: Project) -> None:
    rows = february(24)
    log(live, [*answer(live, rows), *outcomes(rows)])
    live.monitor.look(now=noon(2))
    for model in ("*", "parcels@1"):
        assert metrics_of(live, 1, model) >= {"volume", "latency_p50", "latency_p95", "labelled", *QUALITY}
        assert {"psi", "missing_rate", "score_psi"} <= metrics_of(live, 1, model)
    assert values(live, "latency_p50") == [(1, 1.115, 24)]
    assert values(live, "latency_p95") == [(1, 1.2185, 24)]
    assert values(live, "labelled") == [(1, 1.0, 24)]
    subjects = {point.subject for point in live.monitor.look(now=noon(1)).points}
    assert subjects == set()
    missing = rows["weight"].null_count() / 24
    assert values(live, "missing_rate", subject="weight") == [(1, round(missing, 6), 24)]


def test_drift_shows_in_the_feature_that_moved(live: Project) -> None:
    usual, heavy = february(240), february(240, day=11, seed=3).with_columns(pl.col("weight") + 20)
    month = with_settings(live, "monitor.window=10d")
    log(month, answer(live, pl.concat([usual, heavy])))
    month.monitor.look(now=noon(28))
    with month._workspace.ledger.read() as reader:
        found = reader.find(SeriesPoint, metric="psi", model="*", order_by="window_start")
    by_window: dict[datetime, dict[str, float]] = {}
    for point in found:
        by_window.setdefault(point.window_start, {})[point.subject] = point.value
    assert max(by_window[max(by_window)], key=lambda name: by_window[max(by_window)][name]) == "weight"
    assert by_window[max(by_window)]["weight"] > 1


def test_quality_waits_until_labels_are_due(live: Project) -> None:
    patient = with_settings(live, "monitor.labels_after=5d")
    rows = february(24)
    log(patient, [*answer(live, rows), *outcomes(rows)])
    patient.monitor.look(now=noon(2))
    assert not metrics_of(patient, 1) & QUALITY
    patient.monitor.look(now=noon(6))
    assert not metrics_of(patient, 1) & QUALITY
    found = patient.monitor.look(now=noon(7))
    assert metrics_of(patient, 1) >= QUALITY
    assert {point.window_start.day for point in found.points} == {1}


def test_labels_that_come_late_are_measured_again_and_nothing_else_is(live: Project) -> None:
    rows = february(72)
    log(live, [*answer(live, rows), *outcomes(rows[:12])])
    live.monitor.look(now=noon(10))
    assert values(live, "roc_auc")[0][2] == 12
    assert [n for _, _, n in values(live, "labelled")] == [24, 24, 24]
    log(live, outcomes(rows[12:24]))
    found = live.monitor.look(now=noon(10))
    assert {point.window_start.day for point in found.points} == {1}
    assert values(live, "roc_auc")[0][2] == 24


def test_a_label_that_is_corrected_counts(live: Project) -> None:
    rows = february(24)
    answers = answer(live, rows)
    log(live, [*answers, *outcomes(rows)])
    live.monitor.look(now=noon(3))
    (before,) = values(live, "roc_auc")
    wrong = [told(not late, prediction=a.id) for a, late in zip(answers, rows["late"], strict=True)]
    log(live, wrong)
    live.monitor.look(now=noon(3))
    (after,) = values(live, "roc_auc")
    assert after[1] == pytest.approx(1 - before[1], abs=1e-6)


def test_predictions_that_come_late_are_measured(live: Project) -> None:
    rows = february(48)
    log(live, answer(live, rows[:40]))
    live.monitor.look(now=noon(10))
    log(live, answer(live, rows[40:]))
    live.monitor.look(now=noon(10))
    assert values(live, "volume") == [(1, 24.0, 24), (2, 24.0, 24)]


def test_a_second_look_changes_nothing(live: Project) -> None:
    rows = february(48)
    log(live, [*answer(live, rows), *outcomes(rows, at=noon(3))])
    live.monitor.look(now=noon(4))
    with live._workspace.ledger.read() as reader:
        before = [reader.find(kind) for kind in (SeriesPoint, Cursor)]
    found = live.monitor.look(now=noon(4))
    assert (found.points, found.opened, found.resolved, found.compacted.predictions) == ((), (), (), 0)
    with live._workspace.ledger.read() as reader:
        assert [reader.find(kind) for kind in (SeriesPoint, Cursor)] == before


def test_a_look_after_a_crash_goes_on(live: Project) -> None:
    """Killed between compaction and measuring, or between measuring and judging: each piece has its own memory."""
    from penstock.monitor import compact

    rows = february(24)
    log(live, [*answer(live, rows), *outcomes(rows)])
    compact(*parts(live))
    measure_windows(*parts(live), noon(3))
    found = live.monitor.look(now=noon(3))
    assert [alert.rule for alert in found.opened] == ["roc_auc below 0.9999"]


def test_other_windows_are_measured_from_the_beginning(live: Project) -> None:
    log(live, answer(live, february(48)))
    live.monitor.look(now=noon(5))
    halves = with_settings(live, "monitor.window=12h")
    halves.monitor.look(now=noon(5))
    with live._workspace.ledger.read() as reader:
        points = reader.find(SeriesPoint, metric="volume", model="*")
    assert len([p for p in points if p.window_end - p.window_start == timedelta(hours=12)]) == 4


def test_an_alert_outlives_a_longer_window(live: Project) -> None:
    rules = ("monitor.alerts=[{metric: volume, below: 100, min_n: 1}]", "improve.retrain.on=[]")
    watched = with_settings(live, *rules)
    log(watched, answer(watched, february(48)))
    now = noon(1) + timedelta(days=80)
    (opened,) = watched.monitor.look(now=now).opened
    longer = with_settings(live, *rules, "monitor.window=1mo")
    assert longer.monitor.look(now=now).resolved == ()
    with live._workspace.ledger.read() as reader:
        (alert,) = reader.find(Alert, id=opened.id)
    assert (alert.state, alert.window_start.day) == ("firing", 1)


def test_models_are_measured_apart_and_together(live: Project) -> None:
    (first,) = live.deliver.models()
    with live._workspace.ledger.write() as tx:
        tx.add(first._replace(number=2, state="candidate"))
    rows = february(24)
    log(live, [*answer(live, rows[:16]), *answer(live, rows[16:], version="2"), *outcomes(rows)])
    live.monitor.look(now=noon(3))
    assert [n for _, _, n in values(live, "roc_auc")] == [24]
    assert [n for _, _, n in values(live, "volume", model="parcels@1")] == [16]
    assert [n for _, _, n in values(live, "volume", model="parcels@2")] == [8]
    assert [n for _, _, n in values(live, "psi", subject="weight")] == [24]


def test_a_metric_of_the_users_own(live: Project) -> None:
    root = live._workspace.project.root
    with (root / "pipeline.py").open("a") as file:
        file.write("\n\ndef surprise(y, scores):\n    return float(abs(y - scores).max())\n")
        file.write("\n\ndef broken(y, scores):\n    raise ValueError('no')\n")
    names = ("surprise", "broken", "gone")
    rules = "[" + ", ".join(f'{{metric: "pipeline:{name}", above: 0.1, min_n: 1}}' for name in names) + "]"
    own = with_settings(live, f"monitor.alerts={rules}", "improve.retrain.on=[]")
    rows = february(24)
    log(own, [*answer(live, rows), *outcomes(rows)])
    found = own.monitor.look(now=noon(3))
    assert [alert.rule for alert in found.opened] == ["pipeline:surprise above 0.1"]
    assert [notice.partition(" was not measured: ")[0] for notice in found.notices] == [
        "pipeline:gone",
        "pipeline:broken",
    ]


def test_an_alert_on_a_kpi_watches_its_metric(live: Project) -> None:
    rules = "[{metric: cost_per_parcel, above: 0, min_n: 1}]"
    own = with_settings(live, f"monitor.alerts={rules}", "improve.retrain.on=[{alert: cost_per_parcel}]")
    rows = february(24, flip=True)
    log(own, [*answer(live, rows), *outcomes(rows)])
    (opened,) = own.monitor.look(now=noon(3)).opened
    assert opened.rule == "cost_per_parcel above 0"
    assert opened.value == pytest.approx(values(own, "cost")[0][1])


def test_a_log_from_another_store_does_not_stop_the_look(live: Project) -> None:
    foreign = [structs.replace(record, bundle="0" * 64) for record in answer(live, february(24))]
    log(live, foreign)
    found = live.monitor.look(now=noon(3))
    assert values(live, "volume") == [(1, 24.0, 24)]
    assert len(found.notices) == 1
    assert "000000" in found.notices[0]


def test_alerts_open_once_last_and_end(live: Project) -> None:
    bad, good = february(24, flip=True), february(24, day=2, seed=5)
    rules = "[{metric: roc_auc, below: 0.7, severity: page, min_n: 20}]"
    watched = with_settings(live, f"monitor.alerts={rules}")
    log(watched, [*answer(live, bad), *outcomes(bad)])
    (opened,) = watched.monitor.look(now=noon(2)).opened
    assert (opened.severity, opened.state, opened.opened_at) == ("page", "firing", noon(2))
    assert "roc_auc was" in opened.message
    for _ in range(2):
        assert watched.monitor.look(now=noon(2)).opened == ()
    log(watched, [*answer(live, good), *outcomes(good)])
    found = watched.monitor.look(now=noon(3))
    assert [alert.id for alert in found.resolved] == [opened.id]
    assert found.resolved[0].resolved_at == noon(3)
    assert watched.monitor.alerts(state="firing") == ()
    assert {node.kind for node in watched.trace(f"alert:{opened.id}").upstream} >= {"model", "data", "run"}


def test_a_number_that_is_no_longer_defined_is_gone_and_its_alert_with_it(live: Project) -> None:
    rows = february(24, flip=True)
    answers = answer(live, rows)
    log(live, [*answers, *outcomes(rows)])
    (opened,) = live.monitor.look(now=noon(2)).opened
    assert "roc_auc" in metrics_of(live, 1) & metrics_of(live, 1, "parcels@1")
    log(live, [told(True, prediction=one.id) for one in answers])
    (resolved,) = live.monitor.look(now=noon(2)).resolved
    assert "roc_auc" not in metrics_of(live, 1) | metrics_of(live, 1, "parcels@1")
    assert (resolved.id, resolved.message) == (opened.id, "roc_auc is no longer measured")


def test_an_outage_alerts_and_ends(live: Project) -> None:
    watched = with_settings(live, "monitor.alerts=[{metric: volume, below: 10}]", "improve.retrain.on=[]")
    log(watched, answer(watched, february(24)))
    assert watched.monitor.look(now=noon(2)).opened == ()
    (opened,) = watched.monitor.look(now=noon(5)).opened
    assert opened.message == "volume was 0 in the window from 2024-02-04 00:00, n = 0"
    assert watched.monitor.look(now=noon(5)).points == ()
    log(watched, answer(watched, february(24, day=4)))  # they came late
    (resolved,) = watched.monitor.look(now=noon(5)).resolved
    assert values(watched, "volume") == [(1, 24.0, 24), (2, 0.0, 0), (3, 0.0, 0), (4, 24.0, 24)]
    assert resolved.id == opened.id


def test_a_look_says_what_waits_and_which_rules_have_too_few_rows(live: Project) -> None:
    log(live, answer(live, february(36)))
    rules = "monitor.alerts=[{metric: score_psi, above: 9}, {metric: volume, below: 1}]"
    patient = with_settings(live, rules, "improve.retrain.on=[]")
    found = patient.monitor.look(now=noon(2))
    assert found.open_until == datetime(2024, 2, 3, tzinfo=UTC)
    assert found.unjudged == ("score_psi above 9: no window has 100 rows",)
    assert patient.monitor.look(now=noon(3)).open_until is None


def test_two_processes_may_look_at_once(live: Project) -> None:
    rows = february(240)
    log(live, [*answer(live, rows), *outcomes(rows)])
    root = str(live._workspace.project.root)
    command = [sys.executable, "-m", "penstock", "monitor", "look", "-C", root, "--at", "2024-02-20"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert [n for _, _, n in values(live, "roc_auc")] == [24] * 10
    assert len(live.monitor.alerts()) == 1
    assert live.monitor.look(now=noon(20)).points == ()
