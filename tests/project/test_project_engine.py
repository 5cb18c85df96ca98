import pytest
from pydantic import ValidationError

from penstock.project import Config, Engine, Resources, format_size


@pytest.mark.parametrize(
    ("written", "engine"),
    [
        ("local", Engine()),
        ("ray", Engine(kind="ray")),
        ({"kind": "ray", "address": "10.0.0.1:6379"}, Engine(kind="ray", address="10.0.0.1:6379")),
        ({"workers": 2}, Engine(workers=2)),
    ],
)
def test_an_engine_is_a_name_or_a_mapping(written: object, engine: Engine) -> None:
    assert Config.model_validate({"name": "toy", "engine": written}).engine == engine


@pytest.mark.parametrize(
    "written", ["dask", {"kind": "spark"}, {"address": "ray://10.0.0.1:10001"}, {"workers": 0}, {"nodes": 3}]
)
def test_what_is_no_engine(written: object) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"name": "toy", "engine": written})


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4 * 10**9), ("1.5GiB", 3 * 2**29), ("512 MB", 512 * 10**6), (2 * 10**9, 2 * 10**9)]
)
def test_memory_is_a_size(text: object, size: int) -> None:
    assert Resources.model_validate({"memory": text}).memory == size


@pytest.mark.parametrize("text", ["4", "4 gigabytes", 4, "-1GB", "0MB", ""])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValidationError):
        Resources.model_validate({"memory": text})


def test_sizes_are_written_as_people_do() -> None:
    assert [format_size(size) for size in (512 * 10**6, 4 * 10**9, 1_500_000_000)] == ["512MB", "4GB", "1.5GB"]
    assert Resources(memory=4 * 10**9).model_dump(mode="json")["memory"] == "4GB"
