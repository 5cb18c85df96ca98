import json

from penstock.project import json_schema


def test_schema_knows_the_sections_and_refuses_others() -> None:
    schema = json_schema()

    sections = {"objective", "data", "train", "validate", "deliver", "monitor", "improve"}
    assert sections | {"name", "engine", "ledger", "store", "environments"} == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Slas"]["properties"]["latency_p95"]["anyOf"][0]["type"] == "string"
    assert "from" in schema["$defs"]["FeatureView"]["properties"]
    json.dumps(schema)


def test_schema_explains_keys_as_the_source_does_and_writes_durations_as_people_do() -> None:
    schema = json_schema()

    retrain = schema["$defs"]["Retrain"]["properties"]
    assert retrain["cooldown"]["default"] == "1d"
    assert retrain["cooldown"]["description"] == "the least time between two retrainings"
    assert schema["$defs"]["FeatureView"]["properties"]["from"]["description"].startswith("request, a dataset")


def test_schema_knows_every_kind_of_source() -> None:
    schema = json_schema()

    kinds = schema["$defs"]["Dataset"]["properties"]["source"]["oneOf"]
    assert [kind.get("type") or kind["$ref"].rpartition("/")[2] for kind in kinds] == [
        "string",
        "FileSource",
        "SqlSource",
        "array",
    ]
    assert kinds[3]["items"]["oneOf"] == kinds[:3]
    assert schema["$defs"]["SqlSource"]["required"] == ["url"]
    assert schema["$defs"]["FileSource"]["properties"]["sheet"]["description"].startswith("of an Excel workbook")
