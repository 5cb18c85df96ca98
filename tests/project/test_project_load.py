import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.errors import ConfigError, UsageError
from penstock.project import FileSource, ProjectFile, SqlSource, load_project

FLIGHTS = """\
name: flight-delay
objective:
  problem: Passengers learn too late.
  decision: Offer free rebooking.
  owner: ops@airline.example
  target: {column: late, task: binary, positive: true}
  costs: {false_negative: 90, false_positive: 15, unit: USD}
  kpis: [{name: cost_per_flight, metric: cost, goal: minimise, target: 18.5}]
  thresholds: {roc_auc: {min: 0.64}}
  slas: {availability: 99.9%}
data:
  datasets:
    flights: {source: "sources:flights", key: flight_id, time: scheduled}
    weather: {source: "data/weather/*.parquet", key: [origin, hour], time: hour}
  examples: flights
  request: [flight_id, scheduled, origin, carrier]
  key: flight_id
  time: scheduled
  features:
    weather: {function: "pipeline:weather", from: weather, entity: origin, time: hour, available: 1h, ttl: 3h}
train:
  function: pipeline:fit
  params: {depth: 6, leaves: null}
  seed: 11
validate:
  gates:
    - {metric: roc_auc, against: champion, rule: non_inferior, margin: 0.005}
    - {metric: recall, by: carrier, max_gap: 0.15}
monitor:
  alerts: [{metric: roc_auc, below: 0.62}]
improve:
  retrain: {on: [{alert: roc_auc}, {every: 31d}]}
environments:
  production:
    train: {params: {depth: 8}}
    monitor: {window: 1h}
"""


def write(directory: Path, text: str = FLIGHTS) -> Path:
    (directory / "penstock.yaml").write_text(text, encoding="utf-8")
    return directory


def load(directory: Path, text: str = FLIGHTS, **options: object) -> ProjectFile:
    return load_project(write(directory, text), **options)  # type: ignore[arg-type]


def problems(directory: Path, text: str, **options: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(directory, text, **options)
    return [str(problem) for problem in caught.value.problems]


def test_reads_every_section(tmp_path: Path) -> None:
    project = load(tmp_path)

    config = project.config
    assert config.objective is not None
    assert config.objective.costs is not None
    assert config.train is not None
    assert config.objective.costs.false_negative == 90
    assert config.objective.slas.availability == 0.999
    assert config.data.datasets["flights"].key == ("flight_id",)
    assert config.data.features["weather"].ttl == timedelta(hours=3)
    assert config.train.params == {"depth": 6, "leaves": None}
    assert config.improve.retrain.on[0].alert == "roc_auc"
    assert project.root == tmp_path.resolve()
    assert project.ledger_url == f"sqlite:///{tmp_path.resolve()}/.penstock/ledger.db"
    assert project.store_path == tmp_path.resolve() / ".penstock" / "store"
    assert project.where("train", "seed") == "penstock.yaml:24:9"


def test_a_source_is_a_text_a_mapping_or_a_list_of_them(tmp_path: Path) -> None:
    told = '{path: data/*.txt, delimiter: "~", encoding: cp1250}'
    text = FLIGHTS.replace('"sources:flights"', told).replace('"data/weather/*.parquet"', f"[a.csv, {told}]")

    datasets = load(tmp_path, text).config.data.datasets

    expected = FileSource(path="data/*.txt", delimiter="~", encoding="cp1250")
    assert (datasets["flights"].source, datasets["weather"].source) == (expected, ("a.csv", expected))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("5", "14:23: `data.datasets.weather.source` is 5 (expected text; put quotes around what looks like a number)"),
        ("[]", "14:23: `data.datasets.weather.source`: the list of sources is empty"),
        ("{}", "14:15: `data.datasets.weather.source.path` is missing (expected text)"),
        (
            "[a.csv, {path: b, delimeter: x}]",
            "14:41: unknown key 'delimeter' in `data.datasets.weather.source[1]` (did you mean 'delimiter'?)",
        ),
        (
            "[{path: b, delimiter: '||'}]",
            "14:45: `data.datasets.weather.source[0].delimiter` is '||' (expected one character, and no quote)",
        ),
        (
            "{url: x, tabel: t}",
            "14:32: unknown key 'tabel' in `data.datasets.weather.source` (did you mean 'table'?)",
        ),
        (
            "{table: t}",
            "14:15: `data.datasets.weather.source.url` is missing",
        ),
        (
            "[{url: x}]",
            "14:24: `data.datasets.weather.source[0]`: a database source has either `sql` or `table`",
        ),
        (
            "{path: b, encoding: utf9}",
            "14:43: `data.datasets.weather.source.encoding`: "
            "'utf9' is no encoding such as utf-8, cp1252, latin-1 or utf-16-le",
        ),
    ],
)
def test_what_is_wrong_in_a_source_is_said_where_it_stands(tmp_path: Path, source: str, expected: str) -> None:
    text = FLIGHTS.replace('"data/weather/*.parquet"', source)

    assert problems(tmp_path, text) == [f"penstock.yaml:{expected}"]


def test_is_found_from_below(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "data" / "raw").mkdir(parents=True)

    assert load_project(tmp_path / "data" / "raw").path == tmp_path.resolve() / "penstock.yaml"


def test_no_project_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="penstock init"):
        load_project(tmp_path)


def test_set_over_environment_over_file_over_default(tmp_path: Path) -> None:
    def settings(**options: object) -> tuple[object, object, str]:
        config = load(tmp_path, **options).config
        assert config.train is not None
        return config.train.params["depth"], config.train.seed, config.monitor.window

    assert settings() == (6, 11, "1d")
    assert settings(environment="production") == (8, 11, "1h")
    assert settings(environment="production", sets=["train.params.depth=9", "train.seed=12"]) == (9, 12, "1h")


def test_set_takes_yaml_values_and_entries_of_lists(tmp_path: Path) -> None:
    sets = [
        "train.params.rate=1e-3",
        "train.params.layers=[8, {x: on}]",
        "validate.gates.1.max_gap=0.2",
        "train.since=",
    ]
    project = load(tmp_path, sets=sets)

    assert project.config.train is not None
    assert project.config.train.params["rate"] == 0.001
    assert project.config.train.params["layers"] == [8, {"x": "on"}]
    assert project.config.validation.gates[1].max_gap == 0.2
    assert project.config.validation.gates[1].by == "carrier"
    assert project.config.train.since is None


def test_every_problem_is_reported_at_once_where_it_stands(tmp_path: Path) -> None:
    text = (
        FLIGHTS.replace("owner:", "ownr:")
        .replace("seed: 11", "seed: eleven\n  seed: 12")
        .replace("examples: flights", "exmaples: flightz")
        .replace("below: 0.62", "above: 1, below: 0.62")
        .replace("window: 1h", "window: 1y")
        .replace("ttl: 3h", "ttl: 3")
    )

    assert problems(tmp_path, text, sets=["deliver.server.port=http", "train"]) == [
        "penstock.yaml:5:3: unknown key 'ownr' in `objective` (did you mean 'owner'?)",
        "penstock.yaml:15:3: unknown key 'exmaples' in `data` (did you mean 'examples'?)",
        "penstock.yaml:20:108: `data.features.weather.ttl`: 3 is not a duration such as 20ms, 90s, 10m, 3h, 31d or 2w",
        "penstock.yaml:24:9: `train.seed` is 'eleven' (expected a whole number)",
        "penstock.yaml:25:3: the key 'seed' stands at penstock.yaml:24:3 already",
        "penstock.yaml:31:12: `monitor.alerts[0]`: an alert has either `above` or `below`",
        "penstock.yaml:37:23: `monitor.window` is '1y' (expected a window such as 1h, 1d, 1w or 1mo)",
        "--set train: not a setting (expected a.b.c=value)",
        "--set deliver.server.port: `deliver.server.port` is 'http' (expected a whole number)",
    ]


def test_what_is_wrong_below_a_mistyped_key_shows_too(tmp_path: Path) -> None:
    found = problems(tmp_path, FLIGHTS.replace("examples: flights", "exmaples: flightz"))

    assert found == [
        "penstock.yaml:15:3: unknown key 'exmaples' in `data` (did you mean 'examples'?)",
        "penstock.yaml:15:13: `data.examples`: unknown dataset 'flightz' (did you mean 'flights'?)",
    ]


def test_types_are_named_in_plain_words(tmp_path: Path) -> None:
    text = """\
name: 7
objective: soon
data:
  request: flight_id
  datasets:
    flights: [a.csv]
train: {threads: 0, seed: 1.5, function: pipeline.fit}
deliver: {promote: always, endpoint: my model, server: {port: high}}
"""

    assert problems(tmp_path, text) == [
        "penstock.yaml:1:7: `name` is 7 (expected text; put quotes around what looks like a number)",
        "penstock.yaml:2:12: `objective` is 'soon' (expected a mapping: lines of `key: value`)",
        "penstock.yaml:4:12: `data.request` is 'flight_id' (expected a list)",
        "penstock.yaml:6:14: `data.datasets.flights` is a list (expected a mapping: lines of `key: value`)",
        "penstock.yaml:7:18: `train.threads` is 0 (expected at least 1)",
        "penstock.yaml:7:27: `train.seed` is 1.5 (expected a whole number)",
        "penstock.yaml:7:42: `train.function` is 'pipeline.fit' (expected module:function, such as pipeline:fit)",
        "penstock.yaml:8:20: `deliver.promote` is 'always' (expected one of by_hand or when_gates_pass)",
        "penstock.yaml:8:38: `deliver.endpoint` is 'my model' "
        "(expected a name: a letter, then letters, digits, `_`, `.` or `-`)",
        "penstock.yaml:8:63: `deliver.server.port` is 'high' (expected a whole number)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\n\tdata: 1\n", "penstock.yaml:2:1: found character '\\t'"),
        ("name: [x\n", "penstock.yaml:2:1: "),
        ("name: a: b\n", "penstock.yaml:1:8: mapping values are not allowed here"),
        ("name: x\nledger: {url: ${X}}\n", 'quotes around ${...} inside { } or [ ]: "${NAME}"'),
        ("name: x\nwith: \x01\n", "penstock.yaml:2:7: a control character"),
        ("- name\n", "penstock.yaml:1:1: the file is not a mapping"),
        ("name: !!python/object:os.system x\n", "penstock.yaml:1:7: the tag"),
        ("name: x\ntrain: {function: p:f, params: {rate: .inf}}\n", ".inf is not a finite number"),
        ("name: x\ntrain: &t {function: p:f, params: {again: *t}}\n", "this alias contains itself"),
        ("name: x\n---\nname: y\n", "penstock.yaml:2:1: "),
        ("name: " + "[" * 5000, "penstock.yaml:1:1: brackets are nested too deep"),
        ("", "penstock.yaml:1:1: `name` is missing (expected text)"),
    ],
)
def test_syntax(tmp_path: Path, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(tmp_path, text))


@pytest.mark.parametrize("text", ["name: [x\n", "name: a: b\n", "- name\n", "na\0me", "name: " + "{" * 5000])
def test_of_what_is_not_yaml_nothing_else_is_said(tmp_path: Path, text: str) -> None:
    assert len(problems(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed: 11", "seed: 11\n  holdout: last 150%", "25:12: `train.holdout`: 150% leaves nothing to train on or"),
        ("seed: 11", "seed: 11\n  holdout: random 0%", "25:12: `train.holdout`: 0% leaves nothing to train on or"),
        ("seed: 11", "seed: 11\n  holdout: random 3d", "25:12: `train.holdout`: a random holdout is a share"),
        ("seed: 11", "seed: 11\n  holdout: last 9999999999d", "25:12: `train.holdout`: 9999999999d is longer than"),
        ("seed: 11", "seed: !!int abc", "24:9: abc is not a whole number"),
        ("seed: 11", "seed: !!bool abc", "24:9: abc is not true or false"),
        ("seed: 11", "seed: " + "1" * 5000, "24:9: 1111111111111111111111111111111111111... is not a whole number"),
        ("seed: 11", "seed: 0x" + "f" * 5000, "24:9: 0xfffffffffffffffffffffffffffffffffff... is not a whole number"),
        ("seed: 11", f"seed: {2**63}", f"24:9: `train.seed` is {2**63} (expected less than {2**63})"),
        ("below: 0.62", 'below: "inf"', "30:37: `monitor.alerts[0].below` is 'inf' (expected a finite number)"),
        ("min: 0.64", 'min: "nan"', ": `objective.thresholds.roc_auc.min` is 'nan' (expected a finite number)"),
        ("seed: 11", 'seed: "${NAN}"', "24:9: `train.seed` is ${NAN} (expected a whole number)"),
        ("seed: 11", "seed: ${NAN}", "24:9: ${NAN} is not a finite number"),
        ("every: 31d", "every: 99999999999999999w", ": 99999999999999999w is longer than a thousand years"),
        ("every: 31d", f"every: {'9' * 400}w", "w is longer than a thousand years"),
    ],
)
def test_numbers_that_are_none_and_those_beyond_all_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, expected: str
) -> None:
    monkeypatch.setenv("NAN", ".nan")

    assert any(expected in problem for problem in problems(tmp_path, FLIGHTS.replace(old, new)))


def test_bom_merge_keys_and_empty_sections_are_fine(tmp_path: Path) -> None:
    datasets = "    a: &a {source: a.csv, mode: append}\n    b: {<<: *a, source: b.csv}\n"
    text = f"\ufeffname: x\ndata:\n  datasets:\n{datasets}monitor:\n"

    merged = load(tmp_path, text).config.data.datasets["b"]

    assert (merged.source, merged.mode) == ("b.csv", "append")


def test_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    text = """\
name: ${NAME:-fallback}
deliver: {server: {port: "${PORT}", host: "${HOST:-0.0.0.0}"}}
train: {function: p:f}
store: a$${b}c
"""
    config = load(tmp_path, text.replace("train: {function: p:f}\n", "")).config

    assert config.name == "fallback"
    assert (config.deliver.server.port, config.deliver.server.host) == (9000, "0.0.0.0")
    assert config.store == "a${b}c"


def test_a_plain_variable_is_read_as_yaml_and_a_quoted_one_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPTH", "6")
    train = 'train:\n  function: p:f\n  params:\n    a: ${DEPTH}\n    b: "${DEPTH}"\n    c: ${NOT_SET:-[1]}\n'
    config = load(
        tmp_path, FLIGHTS.replace("train:\n  function: pipeline:fit\n  params: {depth: 6, leaves: null}\n", train)
    ).config

    assert config.train is not None
    assert config.train.params == {"a": 6, "b": "6", "c": "[1]"}


def test_a_variable_that_is_not_set_is_a_problem_only_where_it_is_used(tmp_path: Path) -> None:
    text = FLIGHTS.replace("monitor: {window: 1h}", "ledger: ${NO_SUCH_URL}")

    assert load(tmp_path, text).config.ledger is None
    assert load(tmp_path, text, environment="production", sets=["ledger=sqlite:////x"]).ledger_url == "sqlite:////x"
    found = problems(tmp_path, text, environment="production")
    assert found == [
        "penstock.yaml:36:13: the environment variable NO_SUCH_URL is not set "
        "(expected export NO_SUCH_URL=..., or ${NO_SUCH_URL:-default})"
    ]


def test_an_environment_that_nobody_asked_for_is_checked_too(tmp_path: Path) -> None:
    text = FLIGHTS.replace("monitor: {window: 1h}", "moniter: {window: 1h}").replace("depth: 8}", "depth: 8}, seed: x")

    assert problems(tmp_path, text) == [
        "penstock.yaml:35:39: `train.seed` is 'x' (expected a whole number)",
        "penstock.yaml:36:5: unknown key 'moniter' (did you mean 'monitor'?)",
    ]


def test_unknown_environment(tmp_path: Path) -> None:
    assert (
        "unknown environment 'prodution' (did you mean 'production'?)"
        in problems(tmp_path, FLIGHTS, environment="prodution")[0]
    )


SECRET = "hunter2-very-secret"


def test_secrets_never_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    text = FLIGHTS + "ledger: postgresql://me:${DB_PASSWORD}@db/x\n"
    text = text.replace("monitor:\n  alerts", f"monitor:\n  webhook: https://hooks.example/{SECRET}\n  alerts")

    project = load(tmp_path, text, sets=[f"monitor.webhook=https://h/{SECRET}2"])

    assert SECRET in project.ledger_url
    config = project.config
    assert config.monitor.webhook is not None
    assert SECRET in config.monitor.webhook.get_secret_value()
    shown = [repr(project), str(project), config.model_dump_json(), json.dumps(config.model_dump(mode="json"))]
    assert not [text for text in shown if SECRET in text]
    monkeypatch.setenv("DB_PASSWORD", "another")
    assert load(tmp_path, text).digest == project.digest


def test_the_url_of_a_source_is_a_secret(tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRET}@db/x"
    text = FLIGHTS.replace('"data/weather/*.parquet"', f"[a.csv, {{url: '{url}', table: t}}]")
    sets = [f"data.datasets.weather.source.1.url={url}", f"data.datasets.flights.source={{url: '{url}', table: t}}"]

    project = load(tmp_path, text, sets=sets)

    source = project.config.data.datasets["flights"].source
    assert isinstance(source, SqlSource)
    assert source.url.get_secret_value() == url
    assert SECRET not in repr(project) + project.config.model_dump_json()
    assert [text.partition("=")[2] for text in project.sets] == ["**********"] * 2
    assert SECRET not in str(problems(tmp_path, text.replace("table: t", "tabel: t")))


@pytest.mark.parametrize(
    "change",
    [
        ("name: flight-delay", "name: flight-delay\nledger: [hunter2-very-secret]"),
        ("seed: 11", "seed: ${LEAK}"),
        ("window: 1h", "window: ${LEAK}"),
        ("ttl: 3h", 'ttl: "${LEAK}"'),
        ("depth: 8}", "depth: 8}, holdout: 1, since: [${LEAK}]"),
    ],
)
def test_errors_show_neither_secrets_nor_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    monkeypatch.setenv("LEAK", SECRET)

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, FLIGHTS.replace(*change), environment="production")

    assert SECRET not in str(caught.value) + repr(caught.value.as_dict())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_set_secret_is_not_shown_when_it_is_wrong(tmp_path: Path) -> None:
    assert SECRET not in str(problems(tmp_path, FLIGHTS, sets=[f"ledger=[{SECRET}", f"monitor.webhook=[{SECRET}]"]))


def test_loading_is_light(tmp_path: Path) -> None:
    write(tmp_path)
    code = f"""
import sys
from penstock.project import load_project
load_project({str(tmp_path)!r})
heavy = "polars numpy sklearn sqlalchemy rich httpx starlette cryptography".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "src"}
    )

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_ledger_file_lies_where_the_project_is_not_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "penstock.yaml").write_text("name: p\nledger: sqlite:///mine.db\n")
    monkeypatch.chdir(tmp_path / "below")
    assert load_project(tmp_path).ledger_url == f"sqlite:///{tmp_path}/mine.db"
    assert load_project(tmp_path, sets=["ledger=sqlite:////var/mine.db"]).ledger_url == "sqlite:////var/mine.db"
    postgres = "postgresql://ada@host/mine"
    assert load_project(tmp_path, sets=[f"ledger={postgres}"]).ledger_url == postgres


@pytest.mark.parametrize("written", ["engine: ray", "engine: {kind: ray}", "engine: ${ENGINE}"])
def test_an_engine_is_a_name_and_more_may_be_said_of_it_elsewhere(
    tmp_path: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE", "ray")
    text = f"{written}\n{FLIGHTS}    engine: {{address: 'a:1'}}\n"
    engine = load(tmp_path, text, environment="production", sets=["engine.workers=3"]).config.engine
    assert (engine.kind, engine.address, engine.workers) == ("ray", "a:1", 3)
    assert load(tmp_path, text, sets=["engine=local"]).config.engine.kind == "local"


def test_an_engine_that_is_none_is_told_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"penstock.yaml:1:9: `engine.kind` is .*dask.*one of local or ray"):
        load(tmp_path, f"engine: dask\n{FLIGHTS}")
    with pytest.raises(ConfigError, match=r"--set engine: `engine.kind` is .*dask"):
        load(tmp_path, sets=["engine=dask"])
