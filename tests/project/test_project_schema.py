import json

from penstock.project import json_schema


def test_schema_knows_the_sections_and_refuses_others() -> None:
    schema = json_schema()

    sections = {"objective", "data", "train", "validate", "deliver", "monitor", "improve"}
    assert sections | {"name", "ledger", "store", "environments"} == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Slas"]["properties"]["latency_p95"]["anyOf"][0]["type"] == "string"
    assert "from" in schema["$defs"]["FeatureView"]["properties"]
    json.dumps(schema)
