import subprocess
import sys

import pytest

import penstock.improve
import penstock.monitor


@pytest.mark.parametrize("door", [penstock.monitor, penstock.improve])
def test_every_name_of_the_door_is_there(door: object) -> None:
    names = door.__all__  # type: ignore[attr-defined]
    assert names == sorted(names, key=lambda name: (not name.isupper(), name.islower(), name))
    assert all(getattr(door, name) is not None for name in names)
    with pytest.raises(AttributeError, match="nothing"):
        door.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("door", ["monitor", "improve"])
def test_the_door_is_light(door: str) -> None:
    heavy = ["polars", "numpy", "sklearn", "sqlalchemy", "httpx", "starlette"]
    code = f"import sys, penstock.{door}\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_look_loads_no_model() -> None:
    code = "import sys, penstock.monitor as m\nm.look, m.predictions\nprint('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
