import subprocess
import sys

import penstock.bundle


def test_the_door_is_sorted_complete_and_documented():
    names = penstock.bundle.__all__

    assert names == sorted(names)
    assert all(getattr(penstock.bundle, name).__doc__ for name in names if name != "AVAILABLE")


def loaded_by(statement: str) -> set[str]:
    """The heavy libraries that a fresh process has loaded after `statement`."""
    heavy = {"lightgbm", "numpy", "polars", "skops", "sklearn"}
    code = f"import sys; {statement}; print(*({heavy} & set(sys.modules)))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_door_is_light():
    assert loaded_by("import penstock.bundle") == set()


def test_only_a_model_needs_scikit_learn():
    assert loaded_by("from penstock.bundle import Bundle, FeatureSet, open_bundle, seal") == {"numpy", "polars"}
