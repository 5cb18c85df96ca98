import subprocess
import sys

import penstock.data


def test_names_are_sorted_resolvable_and_documented() -> None:
    constants_classes_functions = sorted(penstock.data.__all__, key=lambda n: (not n.isupper(), n.islower(), n))
    assert penstock.data.__all__ == constants_classes_functions
    for name in penstock.data.__all__:
        found = getattr(penstock.data, name)
        assert getattr(found, "__doc__", None), name


def test_functions_are_not_hidden_by_the_modules_they_live_in() -> None:
    import penstock.data.ingestion.ingest
    import penstock.data.training_set
    import penstock.data.transforms
    import penstock.data.versions.comparison

    assert all(callable(getattr(penstock.data, name)) for name in ("ingest", "training_set", "diff", "transform"))


def test_the_door_loads_no_heavy_library() -> None:
    heavy = "{'polars', 'numpy', 'pydantic', 'sklearn', 'sqlalchemy', 'ruamel'}"
    code = f"import penstock.data, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
